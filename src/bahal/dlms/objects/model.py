"""Objects of one kind of meter: which exist, who may read, write and act, and what a profile captures.

A model is data (`bahal.dlms.india` loads one) and is shared by every meter of the kind: an object here holds no value.
Rights are per association, by the client's SAP: 16 public, 32 meter reading, 48 utility setting, 64 push.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bahal.dlms.errors import DlmsError
from bahal.dlms.objects import classes
from bahal.dlms.objects.classes import CHOICE, CLASSES, SIMPLE_TYPES, InterfaceClass

PUBLIC_SAP: Final = 16
READING_SAP: Final = 32
SETTING_SAP: Final = 48
PUSH_SAP: Final = 64

# Attributes that are never read: the secret of an association.
_NEVER_READ: Final = frozenset({(classes.ASSOCIATION_LN, 7)})


class ModelError(DlmsError):
    """An object list that contradicts itself.

    Attributes: `object_name`, `reason`.
    """

    name = "model"

    def __init__(self, object_name: str, reason: str) -> None:
        super().__init__(f"{object_name}: {reason}")
        self.object_name = object_name
        self.reason = reason


def obis(text: str) -> bytes:
    """The six bytes of a logical name written A.B.C.D.E.F.

    :raises ModelError: not six numbers of a byte each.
    """
    try:
        ln = bytes(int(part) for part in text.split("."))
    except ValueError:
        ln = b""
    if len(ln) != 6:
        raise ModelError(text, "not a logical name of six numbers")
    return ln


def obis_text(ln: bytes) -> str:
    """A logical name in its usual writing, A.B.C.D.E.F."""
    return ".".join(str(part) for part in ln)


@dataclass(frozen=True, slots=True)
class Column:
    """One captured attribute of a profile or a push: whose, which, and its simple type's name."""

    source: "CosemObject"
    attribute: int
    type: str

    @property
    def name(self) -> str:
        """The object's name alone for attribute 2, else `name.attribute`."""
        return self.source.name if self.attribute == 2 else f"{self.source.name}.{self.attribute}"


@dataclass(frozen=True, slots=True, eq=False)
class CosemObject:
    """One object. `scaler` is (power of ten, DLMS unit); `period` seconds; `depth` the entries a profile keeps."""

    interface: InterfaceClass
    version: int
    ln: bytes
    name: str
    en: str
    hi: str
    read: frozenset[int]
    write: Mapping[int, frozenset[int]] = field(default_factory=dict)
    act: Mapping[int, frozenset[int]] = field(default_factory=dict)
    type: str = CHOICE
    scaler: tuple[int, int] | None = None
    columns: tuple[Column, ...] = ()
    period: int = 0
    depth: int = 0
    scales: "CosemObject | None" = None

    def type_of(self, attribute: int) -> str:
        """The type name of an attribute, with a CHOICE settled.

        :raises ModelError: the class has no such attribute.
        """
        found = self.interface.attributes.get(attribute)
        if found is None:
            raise ModelError(self.name, f"class {self.interface.id} has no attribute {attribute}")
        return self.type if found.type == CHOICE else found.type

    def may_read(self, attribute: int, sap: int) -> bool:
        """Whether a client may GET the attribute; the logical name is as public as the object."""
        return sap in self.read and (self.interface.id, attribute) not in _NEVER_READ

    def may_write(self, attribute: int, sap: int) -> bool:
        """Whether a client may SET the attribute."""
        return sap in self.write.get(attribute, ())

    def may_act(self, method: int, sap: int) -> bool:
        """Whether a client may call the method."""
        return sap in self.act.get(method, ())

    def visible_to(self, sap: int) -> bool:
        """Whether the object stands in the object list of that client's association."""
        return sap in self.read or any(sap in saps for saps in (*self.write.values(), *self.act.values()))


class ObjectModel:
    """All objects of one kind of meter, by name and by class and logical name."""

    def __init__(self, *, version: str, objects: Iterable[CosemObject]) -> None:
        """:raises ModelError: a name or a logical name stands twice."""
        self.version = version
        self._by_name: dict[str, CosemObject] = {}
        self._by_key: dict[tuple[int, bytes], CosemObject] = {}
        for each in objects:
            if each.name in self._by_name or (each.interface.id, each.ln) in self._by_key:
                raise ModelError(each.name, "stands twice in the object list")
            self._by_name[each.name] = each
            self._by_key[each.interface.id, each.ln] = each

    def __iter__(self) -> Iterator[CosemObject]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __getitem__(self, name: str) -> CosemObject:
        """:raises ModelError: no object has this name."""
        try:
            return self._by_name[name]
        except KeyError:
            raise ModelError(name, "not in the object list") from None

    def find(self, class_id: int, ln: bytes) -> CosemObject | None:
        """The object of that class and logical name, or None."""
        return self._by_key.get((class_id, ln))

    def holds(self, ln: bytes) -> bool:
        """Whether any class has an object of that logical name: then only the class was wrong."""
        return any(known == ln for _, known in self._by_key)


def load_model(text: str) -> ObjectModel:
    """An object list from TOML; its comments say what each key means (`is15959/objects.toml`).

    Each profile with `scalers` gets a profile object of that logical name, which holds the scalers of its columns.

    :raises ModelError: a key is missing, a class unknown, a type wrong or a column not in the list.
    """
    document = tomllib.loads(text)
    entries: list[dict[str, Any]] = document["object"]
    plain: dict[str, CosemObject] = {}
    for entry in entries:
        plain[entry["name"]] = _plain_object(entry)
    objects: list[CosemObject] = []
    for entry in entries:
        made = plain[entry["name"]]
        if "columns" in entry:
            made = _with_columns(made, entry, plain)
        objects.append(made)
        if "scalers" in entry:
            objects.append(_scaler_profile(made, entry["scalers"]))
    return ObjectModel(version=document["version"], objects=objects)


def _plain_object(entry: Mapping[str, Any]) -> CosemObject:
    name = str(entry["name"])
    interface = CLASSES.get(entry["class"])
    if interface is None:
        raise ModelError(name, f"class {entry['class']} is not known")
    kind = entry.get("type", CHOICE)
    if kind != CHOICE and kind not in SIMPLE_TYPES:
        raise ModelError(name, f"type {kind} is not known")
    if kind == CHOICE and any(each.type == CHOICE for each in interface.attributes.values()):
        raise ModelError(name, "the type of its value is missing")
    scaler = entry.get("scaler")
    if (interface.id in (classes.REGISTER, classes.EXTENDED_REGISTER)) != (scaler is not None):
        raise ModelError(name, "a scaler belongs to registers, and each register has one")
    return CosemObject(
        interface=interface,
        version=entry.get("version", 0),
        ln=obis(entry["ln"]),
        name=name,
        en=entry["en"],
        hi=entry["hi"],
        read=frozenset(entry["read"]),
        write={int(number): frozenset(saps) for number, saps in entry.get("write", {}).items()},
        act={int(number): frozenset(saps) for number, saps in entry.get("act", {}).items()},
        type=kind,
        scaler=None if scaler is None else (scaler[0], scaler[1]),
        period=entry.get("period", 0),
        depth=entry.get("depth", 0),
    )


def _with_columns(made: CosemObject, entry: Mapping[str, Any], plain: Mapping[str, CosemObject]) -> CosemObject:
    columns = []
    for label in entry["columns"]:
        name, _, number = label.partition(".")
        source = plain.get(name)
        if source is None:
            raise ModelError(made.name, f"captures {label}, which is not in the list")
        attribute = int(number or 2)
        columns.append(Column(source, attribute, source.type_of(attribute)))
    return replace(made, columns=tuple(columns))


def _scaler_profile(scaled: CosemObject, ln: str) -> CosemObject:
    """The one-row profile that holds attribute 3 of each register that `scaled` captures."""
    registers = dict.fromkeys(
        column.source for column in scaled.columns if column.source.scaler is not None and column.attribute == 2
    )
    return CosemObject(
        interface=scaled.interface,
        version=scaled.version,
        ln=obis(ln),
        name=f"{scaled.name}_scalers",
        en=f"{scaled.en}, scalers",
        hi=f"{scaled.hi}, गुणांक",
        read=scaled.read,
        columns=tuple(Column(source, 3, "structure") for source in registers),
        depth=1,
        scales=scaled,
    )

"""The client's half of the object model: names and units for what a meter answered."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from bahal.dlms import axdr, clock
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects import classes
from bahal.dlms.objects.classes import CLOCK, SIMPLE_TYPES, UNITS
from bahal.dlms.objects.model import CosemObject, ObjectModel
from bahal.dlms.objects.profile import read_capture_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One attribute with its name. `value` is as the meter sent it; `power` of ten and `unit` apply to registers."""

    object_name: str
    attribute: str
    value: Any
    power: int = 0
    unit: str = ""


def read_attribute(found: CosemObject, attribute: int, encoded: bytes, *, zone: tzinfo) -> Reading:
    """Name one GET answer. Moments become aware `datetime`; the registers' scaler is the model's.

    :raises MalformedApdu: not A-XDR, or of another type than the model says.
    :raises ModelError: the class has no such attribute.
    """
    kind = found.type_of(attribute)
    simple = SIMPLE_TYPES.get(kind)
    if simple is not None and (not encoded or encoded[0] not in _tags(kind, simple.tag)):
        got = encoded[0] if encoded else None
        raise MalformedApdu(f"{found.name} attribute {attribute}: type {got} where {kind} is expected")
    value: Any = axdr.decode(encoded)
    if kind == CLOCK:
        value = clock.decode(value, zone=zone)
    power, unit = found.scaler if found.scaler is not None and attribute == 2 else (0, 255)
    return Reading(
        object_name=found.name,
        attribute=found.interface.attributes[attribute].name,
        value=value,
        power=power,
        unit=UNITS.get(unit, f"unit {unit}"),
    )


def _tags(kind: str, tag: int) -> tuple[int, ...]:
    return (tag, axdr.DATE_TIME) if kind == CLOCK else (tag,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """One element of an object list: what a meter says it has, with our object where the model knows it."""

    class_id: int
    version: int
    ln: bytes
    known: CosemObject | None


def read_object_list(value: axdr.Value, model: ObjectModel) -> list[ListedObject]:
    """Attribute 2 of class 15.

    :raises MalformedApdu: not an array of object list elements.
    """
    if not isinstance(value, list):
        raise MalformedApdu("object list is not an array")
    listed = []
    for each in value:
        match each:
            case (int() as class_id, int() as version, bytes() as ln, tuple()) if len(ln) == 6:
                listed.append(ListedObject(class_id=class_id, version=version, ln=ln, known=model.find(class_id, ln)))
            case _:
                raise MalformedApdu("not an object list element")
    return listed


def read_scalers(value: axdr.Value, capture_objects: axdr.Value, model: ObjectModel) -> dict[str, tuple[int, str]]:
    """Names of registers to (power of ten, unit), from a scaler profile's buffer and its capture objects.

    :raises MalformedApdu: not one row with a {scaler, unit} for each captured register.
    """
    columns = read_capture_objects(capture_objects, model)
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], tuple):
        raise MalformedApdu("a scaler profile has one row")
    row = value[0]
    if len(row) != len(columns):
        raise MalformedApdu(f"{len(row)} scalers for {len(columns)} columns")
    scalers: dict[str, tuple[int, str]] = {}
    for column, cell in zip(columns, row, strict=True):
        match cell:
            case (int() as power, int() as unit):
                if not isinstance(column, tuple) and column.source.interface.id in _REGISTERS:
                    scalers[column.source.name] = (power, UNITS.get(unit, f"unit {unit}"))
            case _:
                raise MalformedApdu("not a scaler and a unit")
    return scalers


_REGISTERS = (classes.REGISTER, classes.EXTENDED_REGISTER)

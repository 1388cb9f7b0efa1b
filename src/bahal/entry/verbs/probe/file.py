"""The file that says how to speak with one meter: ten lines of TOML, secrets among them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from bahal.dlms.india import COUNTER_LN
from bahal.dlms.objects.model import PUBLIC_SAP, ModelError, obis
from bahal.dlms.quirks import STANDARD, Quirks, quirks_of, registry
from bahal.entry.verbs.probe.refusals import FileKeyUnknown, FileKeyWrong, FileStands, FileUnreadable

MECHANISMS: Final[dict[str | int, int]] = {
    "none": 0,
    "lls": 1,
    "hls2": 2,
    "hls3": 3,
    "hls4": 4,
    "hls5": 5,
    "hls6": 6,
    **{number: number for number in range(7)},
}
SECURITIES: Final = (0, 0x10, 0x20, 0x30)
CIPHERINGS: Final = ("glo", "ded", "general-glo", "general-ded")

KEYS: Final = (
    "client", "server", "transport", "physical", "address_size", "mechanism", "security", "ciphering", "password",
    "password_hex", "hls_key", "ek", "ak", "title", "meter_title", "counter", "counter_object", "max_pdu", "make",
    "quirks",
)  # fmt: skip
QUIRK_KEYS: Final = tuple(each.name for each in fields(Quirks) if each.name != "make")

TEMPLATE: Final = """\
# How to speak with {meter}. Keep this file to yourself: it holds keys.{note}
client = 32                        # 16 public, 32 meter reading, 48 utility setting
server = 1                         # logical device; with transport "hdlc" also physical and address_size
transport = "wrapper"              # wrapper or hdlc
mechanism = "lls"                  # none, lls, hls2 (AES-128), hls3 (MD5), hls4 (SHA-1), hls5 (GMAC), hls6 (SHA-256)
security = 0x20                    # 0 plain, 0x10 authenticated, 0x20 encrypted, 0x30 both
ciphering = "glo"                  # glo, ded, general-glo or general-ded
password = ""                      # of lls, hls3, hls4, hls6, as text; or password_hex. Of hls2: hls_key, 32 hex digits
ek = ""                            # encryption key, 32 hex digits
ak = ""                            # authentication key, 32 hex digits; not needed for 0x20
title = "42484C0000000001"         # our system title, 16 hex digits; meter_title is learnt from the meter
{make}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFile:
    """How to speak with one meter. `counter` None: ask `counter_object` as the public client.

    `secret` is the password of mechanisms 1, 3, 4 and 6, or the key of mechanism 2. No field with a key is shown by
    `repr`.
    """

    path: Path | None = None
    client: int = PUBLIC_SAP
    server: int = 1
    hdlc: bool = False
    physical: int | None = None
    address_size: int = 1
    mechanism: int = 0
    security: int = 0
    dedicated: bool = False
    secret: bytes = b""
    ek: bytes = b""
    ak: bytes = b""
    title: bytes = b""
    meter_title: bytes | None = None
    counter: int | None = None
    counter_object: bytes | None = None
    max_pdu: int = 1024
    quirks: Quirks = STANDARD

    def __repr__(self) -> str:
        return f"MeterFile({self.path}, client {self.client})"

    @property
    def ciphered(self) -> bool:
        """Whether sessions use invocation counters."""
        return bool(self.security) or self.mechanism == 5

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What no output may hold."""
        return tuple(each for each in (self.secret, self.ek, self.ak) if each and each != bytes(len(each)))

    @property
    def counter_path(self) -> Path:
        """Where its used counters are kept."""
        assert self.path is not None
        return self.path.with_name(self.path.name + ".counter")

    def as_public(self) -> MeterFile:
        """The same meter and link for the public client."""
        return replace(
            self,
            client=PUBLIC_SAP,
            mechanism=0,
            security=0,
            dedicated=False,
            quirks=replace(self.quirks, block_window=0),
        )


def read_file(path: Path) -> MeterFile:
    """Read and check a meter's file.

    :raises FileUnreadable: not there, or not TOML.
    :raises FileKeyUnknown: a key that means nothing.
    :raises FileKeyWrong: a value that cannot be, or a key that is missing for the mechanism or security chosen.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise FileUnreadable(file=str(path), why=failure.strerror or str(failure)) from None
    except UnicodeDecodeError:
        raise FileUnreadable(file=str(path), why="not UTF-8") from None
    except tomllib.TOMLDecodeError as wrong:
        # Only where, never what: the line may be a key's.
        where = str(wrong).rpartition("(")[2].rstrip(")")
        raise FileUnreadable(file=str(path), why=f"not TOML ({where})") from None
    return _Reading(path, document).done()


class _Reading:
    """One file being checked."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._file = str(path)
        self._path = path
        self._document = document
        self._known(document, KEYS, "")

    def _known(self, table: Mapping[str, Any], keys: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in keys:
                raise FileKeyUnknown(file=self._file, key=prefix + key, known=", ".join(keys))

    def _wrong(self, key: str, wanted: str) -> FileKeyWrong:
        return FileKeyWrong(file=self._file, key=key, wanted=wanted)

    def _number(self, key: str, default: int | None, least: int, most: int) -> int | None:
        value = self._document.get(key, default)
        if value is not None and (type(value) is not int or not least <= value <= most):
            raise self._wrong(key, f"{least}..{most}")
        return value

    def _hex(self, key: str, size: int) -> bytes:
        value = self._document.get(key, "")
        try:
            raw = bytes.fromhex(value)
        except (TypeError, ValueError):
            raw = b"?"
        if raw and len(raw) != size:
            raise self._wrong(key, f"{2 * size} hex digits")
        return raw

    def _text(self, key: str) -> str:
        value = self._document.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        return value

    def _of(self, key: str, default: object, known: Mapping[Any, int] | tuple[Any, ...]) -> Any:
        value = self._document.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in known:
            raise self._wrong(key, " | ".join(str(each) for each in known))
        return known[value] if isinstance(known, Mapping) else value

    def _ln(self, key: str) -> bytes | None:
        text = self._text(key)
        try:
            return obis(text) if text else None
        except ModelError:
            raise self._wrong(key, "A.B.C.D.E.F") from None

    def _quirks(self) -> Quirks:
        make = self._text("make")
        if make and make not in registry():
            raise self._wrong("make", f"{' | '.join(registry())}, or left out")
        quirks = quirks_of(make)
        table = self._document.get("quirks", {})
        if not isinstance(table, dict):
            raise self._wrong("quirks", "a table")
        self._known(table, QUIRK_KEYS, "quirks.")
        for key, value in table.items():
            kind = type(getattr(STANDARD, key))
            if type(value) is not kind:
                raise self._wrong(f"quirks.{key}", kind.__name__)
        return replace(quirks, **table)

    def _password(self) -> bytes:
        text, raw = self._text("password"), self._text("password_hex")
        try:
            return bytes.fromhex(raw) if raw else text.encode()
        except ValueError:
            raise self._wrong("password_hex", "hex digits") from None

    def done(self) -> MeterFile:
        """The file, if all of it fits together."""
        quirks = self._quirks()
        # Checked even where the mechanism makes no use of them.
        password = self._password()
        secrets = {2: self._hex("hls_key", 16), **dict.fromkeys((1, 3, 4, 6), password)}
        hdlc = self._of("transport", "wrapper", ("wrapper", "hdlc")) == "hdlc"
        physical = self._number("physical", None, 0, 0x3FFF)
        mechanism = self._mechanism(quirks)
        ciphering: Literal["glo", "ded", "general-glo", "general-ded"] = self._of(
            "ciphering", "general-glo" if quirks.general_ciphering else "glo", CIPHERINGS
        )
        client = self._number("client", PUBLIC_SAP, 1, 0x7F if hdlc else 0xFFFF)
        server = self._number("server", 1, 0, 0x3FFF if hdlc else 0xFFFF)
        size = self._number("address_size", 1 if physical is None else 4, 1, 4)
        largest = self._number("max_pdu", 1024, 64, 0xFFFF)
        assert client is not None
        assert server is not None
        assert size is not None
        assert largest is not None
        made = MeterFile(
            path=self._path,
            client=client,
            server=server,
            hdlc=hdlc,
            physical=physical,
            address_size=size,
            mechanism=mechanism,
            security=self._of("security", 0, SECURITIES),
            dedicated=ciphering.endswith("ded"),
            secret=secrets.get(mechanism, b""),
            ek=self._hex("ek", 16),
            ak=self._hex("ak", 16),
            title=self._hex("title", 8),
            meter_title=self._hex("meter_title", 8) or None,
            counter=self._number("counter", None, 0, 0xFFFF_FFFF),
            counter_object=self._ln("counter_object") or COUNTER_LN.get(client),
            max_pdu=largest,
            quirks=replace(quirks, general_ciphering=ciphering.startswith("general")),
        )
        return self._complete(made)

    def _mechanism(self, quirks: Quirks) -> int:
        if self._document.get("mechanism") == "hls":
            return quirks.hls_mechanism
        found: int = self._of("mechanism", "none", MECHANISMS)
        return found

    def _complete(self, made: MeterFile) -> MeterFile:
        """Whether the mechanism and the security chosen have what they need."""
        if made.mechanism in (1, 3, 4, 6) and not made.secret:
            raise self._wrong("password", "the password of lls, hls3, hls4 or hls6; or password_hex")
        if made.mechanism == 6 and not made.title:
            raise self._wrong("title", "16 hex digits, for hls6")
        if made.mechanism == 2 and not made.secret:
            raise self._wrong("hls_key", "32 hex digits, for hls2")
        if made.ciphered:
            for key, value in (("ek", made.ek), ("title", made.title)):
                if not value:
                    raise self._wrong(key, f"{'32' if key == 'ek' else '16'} hex digits, for ciphering")
            if not made.ak:
                if made.mechanism == 5 or made.security & 0x10:
                    raise self._wrong("ak", "32 hex digits, for authentication")
                made = replace(made, ak=bytes(16))
        if made.dedicated and not made.security:
            raise self._wrong("ciphering", "glo, without security")
        if made.ciphered and made.counter is None and made.counter_object is None:
            raise self._wrong("counter_object", "A.B.C.D.E.F, for this client; or counter")
        return made


def write_template(path: Path, *, meter: str, note: str, make: str) -> None:
    """A file to fill in, readable by its owner alone. `note` is a further comment, `make` a registered one or empty.

    :raises FileStands: there is one.
    """
    comment = "".join(f"\n# {line}" for line in note.splitlines())
    line = (
        f'make = "{make}"' if make else f'# make = "{next(iter(registry()))}"                  # where it has a profile'
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise FileStands(file=str(path)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(TEMPLATE.format(meter=meter, note=comment, make=line))

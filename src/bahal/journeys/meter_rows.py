"""Reading a manufacturer's file of meters: each row becomes a meter with its keys, or a refusal with its line."""

import csv
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bahal.domains.meters.errors import MeterFileMalformed, MeterRowMalformed
from bahal.shared.errors import Refusal

REQUIRED = (
    "meter", "make", "system_title", "host", "port", "cell", "phase",
    "mr_lls", "mr_ek", "us_ek", "us_ak", "us_hls", "push_ek",
)  # fmt: skip

LINKS = ("dial_out", "dial_in", "gateway")
"""How a meter is reached: at its address; over the connection it makes itself; through a gateway."""


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One good row. Keys are lower-case hexadecimal; `connection` is None when the file does not say.

    `link` is one of `LINKS`; `gateway` (host:port) is there for a meter behind one, whose wPort there is `wport`.
    """

    line: int
    meter: str
    make: str
    system_title: bytes
    host: str
    port: int
    cell: str
    phase: int
    connection: int | None
    link: str
    gateway: str | None
    wport: int
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that is refused."""

    line: int
    refusal: Refusal

    def as_json(self) -> dict[str, Any]:
        """The refusal with its line."""
        return {"line": self.line, **self.refusal.as_json()}


def read_rows(lines: Iterable[str]) -> Iterator[MeterRow | BadRow]:
    """Read a CSV file with a header, line by line.

    :raises MeterFileMalformed: the header lacks columns.
    """
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise MeterFileMalformed(missing=", ".join(missing))
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield BadRow(reader.line_num, MeterRowMalformed(field="-", want="CSV"))
            continue
        if not any(field.strip() for field in fields):
            continue
        try:
            if len(fields) != len(header):
                raise MeterRowMalformed(field="-", want=f"{len(header)} fields")
            named = dict(zip(header, (field.strip() for field in fields), strict=True))
            yield _row(reader.line_num, named)
        except Refusal as refusal:
            yield BadRow(reader.line_num, refusal)


def _row(line: int, named: Mapping[str, str]) -> MeterRow:
    def take(field: str, want: str, good: Callable[[str], bool]) -> str:
        given = named[field]
        if not good(given):
            raise MeterRowMalformed(field=field, want=want)
        return given

    connection = named.get("connection") or None
    if connection is not None and not re.fullmatch(r"[1-9]\d{9}", connection, re.ASCII):
        raise MeterRowMalformed(field="connection", want="10 digits")
    link, gateway, wport = (named.get(name, "") for name in ("link", "gateway", "wport"))
    if link not in ("", *LINKS):
        raise MeterRowMalformed(field="link", want=" | ".join(LINKS))
    if (link == "gateway") != bool(gateway) or not (not gateway or _is_door(gateway)):
        raise MeterRowMalformed(field="gateway", want="HOST:PORT if link is gateway, else empty")
    if not (wport == "" if link != "gateway" else _is_port(wport)):
        raise MeterRowMalformed(field="wport", want="1-65535 if link is gateway, else empty")
    return MeterRow(
        line=line,
        meter=take("meter", "1-32 letters, digits or -", lambda given: _matches(r"[A-Za-z0-9-]{1,32}", given)),
        make=take("make", "1-32 letters, digits, - or _", lambda given: _matches(r"[A-Za-z0-9_-]{1,32}", given)),
        system_title=bytes.fromhex(take("system_title", "16 hexadecimal digits", _hexadecimal(8, 8))),
        host=take("host", "an IP address", _is_address),
        port=int(take("port", "1-65535", _is_port)),
        cell=take("cell", "1-64 characters", lambda given: given.isprintable() and 1 <= len(given) <= 64),
        phase=int(take("phase", "1 or 3", lambda given: given in ("1", "3"))),
        connection=None if connection is None else int(connection),
        link=link or LINKS[0],
        gateway=gateway or None,
        wport=int(wport or 1),
        keys={
            "mr_lls": take("mr_lls", "2-64 hexadecimal digits", _hexadecimal(1, 32)).lower(),
            "us_hls": take("us_hls", "2-64 hexadecimal digits", _hexadecimal(1, 32)).lower(),
            **{
                name: take(name, "32 hexadecimal digits", _hexadecimal(16, 16)).lower()
                for name in ("mr_ek", "us_ek", "us_ak", "push_ek")
            },
        },
    )


def _matches(pattern: str, given: str) -> bool:
    return re.fullmatch(pattern, given, re.ASCII) is not None


def _hexadecimal(least: int, most: int) -> Callable[[str], bool]:
    return lambda given: _matches(rf"([0-9A-Fa-f]{{2}}){{{least},{most}}}", given)


def _is_port(given: str) -> bool:
    return _matches(r"\d{1,5}", given) and 1 <= int(given) <= 65535


def _is_door(given: str) -> bool:
    host, _, port = given.rpartition(":")
    return _is_address(host.removeprefix("[").removesuffix("]")) and _is_port(port)


def _is_address(given: str) -> bool:
    try:
        ipaddress.ip_address(given)
    except ValueError:
        return False
    return True

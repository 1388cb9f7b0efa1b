"""The roster: which meters exist, where each listens and with which keys. It is also the meter import file.

CSV with the header of `COLUMNS`; keys and system titles in hex. `mr_*` belong to the meter reading client (SAP 32),
`us_*` to the utility setting client (SAP 48), `push_ek` to the meter's own pushes. One more column, `mk` (the master
key that wraps new keys), may follow; without it a meter refuses a key transfer. So may `LINK_COLUMNS`: how the meter is
reached (`dial_out` at its address, `dial_in` when it calls, `gateway` through one), the gateway's HOST:PORT and the
meter's wPort behind it, and the number of its SIM.

`invent` makes such rows from a seed. Its keys are SHA-256 of seed and serial: good for a simulation, worthless as
secrets. A real roster comes from the manufacturer's key file.
"""

import csv
import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bahal.dlms.quirks import quirks_of

COLUMNS: Final = (
    "meter",
    "make",
    "system_title",
    "host",
    "port",
    "cell",
    "phase",
    "mr_lls",
    "mr_ek",
    "us_ek",
    "us_ak",
    "us_hls",
    "push_ek",
)

MASTER_KEY_COLUMN: Final = "mk"
LINK_COLUMNS: Final = ("link", "gateway", "wport", "msisdn")
LINKS: Final = ("dial_out", "dial_in", "gateway")
FIRST_HOST: Final = "127.16.0.1"
FIRST_GATEWAY: Final = "127.15.0.1"
METERS_PER_GATEWAY: Final = 50
FIRST_MSISDN: Final = 915_755_000_000_000
METERS_PER_CELL: Final = 200
LOOPBACK: Final = ipaddress.IPv4Network("127.0.0.0/8")

_KEYS: Final = ("mr_lls", "mr_ek", "us_ek", "us_ak", "us_hls", "push_ek")
_FIRST_SERIAL: Final = 10_000_001


class RosterError(Exception):
    """A line of a roster cannot be used.

    Attributes: `line` (1 is the header), `column`, `reason`.
    """

    def __init__(self, *, line: int, column: str, reason: str) -> None:
        super().__init__(f"roster line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterRow:
    """One meter. `host` and `gateway` are IPv4 addresses as integers (0: none).

    Keys are 16 bytes, `mr_lls` 1 to 16, `mk` 16 or empty.
    """

    meter: str
    make: str
    system_title: bytes
    host: int
    port: int
    cell: str
    phase: int
    mr_lls: bytes
    mr_ek: bytes
    us_ek: bytes
    us_ak: bytes
    us_hls: bytes
    push_ek: bytes
    mk: bytes = b""
    link: str = "dial_out"
    gateway: int = 0
    wport: int = 1
    msisdn: str = ""


def read_roster(path: Path) -> Iterator[RosterRow]:
    """The rows of a roster file, checked one by one.

    :raises RosterError: names the first line that cannot be used
    :raises OSError: the file cannot be read
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RosterError(line=1, column=missing[0], reason="missing from the header")
        for row in reader:
            yield _checked(row, reader.line_num)


def _checked(row: dict[str, str | None], line: int) -> RosterRow:
    def text(column: str) -> str:
        value = (row.get(column) or "").strip()
        if not value:
            raise RosterError(line=line, column=column, reason="empty")
        return value

    def number(column: str) -> int:
        try:
            return int(text(column))
        except ValueError:
            raise RosterError(line=line, column=column, reason="not a number") from None

    def octets(column: str, shortest: int, longest: int) -> bytes:
        try:
            value = bytes.fromhex(text(column))
        except ValueError:
            raise RosterError(line=line, column=column, reason="not hexadecimal") from None
        if not shortest <= len(value) <= longest:
            raise RosterError(line=line, column=column, reason=f"{len(value)} bytes, {shortest} to {longest} expected")
        return value

    def address(column: str, given: str) -> int:
        try:
            found = ipaddress.IPv4Address(given)
        except ValueError:
            raise RosterError(line=line, column=column, reason="not an IPv4 address") from None
        if found not in LOOPBACK:
            raise RosterError(
                line=line, column=column, reason="outside 127.0.0.0/8: a simulated meter is never on a network"
            )
        return int(found)

    link, gateway, _, msisdn = ((row.get(column) or "").strip() for column in LINK_COLUMNS)
    if link not in ("", *LINKS):
        raise RosterError(line=line, column="link", reason=f"none of {', '.join(LINKS)}")
    host = address("host", text("host"))
    if len(text("meter").encode()) > 16:
        raise RosterError(line=line, column="meter", reason="a serial has at most 16 bytes")
    return RosterRow(
        meter=text("meter"),
        make=text("make"),
        system_title=octets("system_title", 8, 8),
        host=host,
        port=number("port"),
        cell=text("cell"),
        phase=number("phase"),
        mr_lls=octets("mr_lls", 1, 16),
        mr_ek=octets("mr_ek", 16, 16),
        us_ek=octets("us_ek", 16, 16),
        us_ak=octets("us_ak", 16, 16),
        us_hls=octets("us_hls", 16, 16),
        push_ek=octets("push_ek", 16, 16),
        mk=octets(MASTER_KEY_COLUMN, 16, 16) if (row.get(MASTER_KEY_COLUMN) or "").strip() else b"",
        link=link or LINKS[0],
        gateway=address("gateway", gateway.rpartition(":")[0]) if link == "gateway" else 0,
        wport=number("wport") if link == "gateway" else 1,
        msisdn=msisdn,
    )


def invent(
    *,
    count: int,
    seed: int,
    port: int,
    makes: Iterable[tuple[str, bytes]],
    first_host: str = FIRST_HOST,
    dial_in: float = 0.0,
    behind_gateways: float = 0.0,
) -> Iterator[dict[str, str]]:
    """`count` rows for a simulation: the same arguments give the same rows.

    `makes` are pairs of a make's name and its three-letter manufacturer flag. Hosts rise from `first_host` and skip
    last octets 0 and 255. A cell is one base station, with about 200 meters. A share `dial_in` of them calls, another
    `behind_gateways` stands behind gateways, fifty to each.

    :raises ValueError: no make is given, or the addresses run out of 127.0.0.0/8
    """
    registry = sorted(makes)
    if not registry:
        raise ValueError("a roster needs at least one make")
    host = int(ipaddress.IPv4Address(first_host))
    behind = 0
    for n in range(count):
        while host & 0xFF in (0x00, 0xFF):
            host += 1
        address = ipaddress.IPv4Address(host)
        if address not in LOOPBACK:
            raise ValueError(f"{count} meters do not fit between {first_host} and 127.255.255.254")
        host += 1
        number = _FIRST_SERIAL + n
        serial = f"CG{number}"
        digest = hashlib.sha256(f"{seed}:{serial}".encode()).digest()
        make, flag = registry[digest[0] % len(registry)]
        keys = {name: hashlib.sha256(f"{seed}:{serial}:{name}".encode()).hexdigest()[:32] for name in _KEYS}
        if quirks_of(make).shared_keys:
            keys["mr_ek"] = keys["us_ek"]
        way = {"link": LINKS[0], "gateway": "", "wport": "", "msisdn": f"+{FIRST_MSISDN + number}"}
        drawn = int.from_bytes(digest[1:5], "big") / 2**32
        if drawn < dial_in:
            way["link"] = "dial_in"
        elif drawn < dial_in + behind_gateways:
            nth, wport = divmod(behind, METERS_PER_GATEWAY)
            behind += 1
            gateway = ipaddress.IPv4Address(FIRST_GATEWAY) + nth
            way |= {"link": "gateway", "gateway": f"{gateway}:{port}", "wport": str(wport + 1)}
        yield (
            {
                "meter": serial,
                "make": make,
                "system_title": (flag + number.to_bytes(5, "big")).hex(),
                "host": str(address),
                "port": str(port),
                "cell": f"cell-{n // METERS_PER_CELL:05d}",
                "phase": "1",
            }
            | keys
            | way
        )


SIM_COLUMNS: Final = ("iccid", "meter", "msisdn", "operator", "cell", "signal_dbm")
_OPERATORS: Final = ("Setu M2M (fictitious)", "Taar M2M (fictitious)")


def sims_of(rows: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The operator's list of the SIMs in these meters: rows with `SIM_COLUMNS`."""
    for row in rows:
        digest = hashlib.sha256(row["msisdn"].encode()).digest()
        yield {
            "iccid": f"8991{int(row['msisdn'].removeprefix('+')):015d}",
            "meter": row["meter"],
            "msisdn": row["msisdn"],
            "operator": _OPERATORS[digest[0] % len(_OPERATORS)],
            "cell": row["cell"],
            "signal_dbm": str(-70 - digest[1] % 40),
        }


def write_sims(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows of `sims_of` as a SIM file, readable by its owner only."""
    path.touch(mode=0o600, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=SIM_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def write_roster(path: Path, rows: Iterable[dict[str, str]]) -> int:
    """Write rows of `invent` as a roster file, readable by its owner only. Returns how many were written."""
    path.touch(mode=0o600, exist_ok=True)
    path.chmod(0o600)
    written = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=(*COLUMNS, *LINK_COLUMNS), restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            written += 1
    return written

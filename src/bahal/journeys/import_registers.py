"""Billing registers come in from a file: what fits is taken, what does not is kept as a doubt with the reason.

Columns: `meter` (or `consumer`), `read_on` (the day in India at whose start the register stood so), `kwh`; optionally
`export_kwh`, `kvah`, `demand_kw`, `digits`, and `peak_kwh` and `solar_kwh`, parts of `kwh` by time of day.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from django.db import connection as database

from bahal.domains.billing.errors import RegisterFileMalformed, RegisterMeterUnknown, RegisterRowMalformed
from bahal.domains.billing.intake import Came, Doubted, correct, doubt, settle_doubt, take
from bahal.domains.billing.operations import drop_held
from bahal.domains.billing.queries import stand_of
from bahal.domains.billing.registers import Stand
from bahal.domains.meters.queries import connections_of, meters_on
from bahal.domains.network.queries import loads_of
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.errors import Refusal
from bahal.shared.locks import lock_supply

CHUNK = 5_000
_NAMED = 100
_SOURCE = "file"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A row that could not be taken; `line` counts from 1 with the file's first line."""

    line: int
    refusal: Refusal

    def as_json(self) -> dict[str, Any]:
        """The line with the refusal."""
        return {"line": self.line, **self.refusal.as_json()}


@dataclass(slots=True)
class Imported:
    """What came of a file; `named` are the first rows in doubt."""

    new: int = 0
    known: int = 0
    doubted: int = 0
    named: list[Doubtful] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, and the first rows in doubt."""
        rows = [each.as_json() for each in self.named]
        return {"new": self.new, "known": self.known, "doubted": self.doubted, "rows": rows}


def import_registers(rows: Iterable[str], *, actor: str, at: datetime, business_at: datetime) -> Imported:
    """Take a CSV file, a chunk a transaction: a file that is given again changes nothing.

    :raises RegisterFileMalformed: the first line does not name the columns.
    """
    reader = csv.DictReader(rows)
    columns = set(reader.fieldnames or ())
    missing = {"read_on", "kwh"} - columns | (set() if columns & {"meter", "consumer"} else {"meter"})
    if missing:
        raise RegisterFileMalformed(missing=", ".join(sorted(missing)))
    done = Imported()
    numbered: Iterator[tuple[int, dict[str, str]]] = enumerate(reader, start=2)
    while chunk := list(islice(numbered, CHUNK)):
        _take(chunk, done, actor=actor, at=at, business_at=business_at)
    return done


def correct_register(
    *, connection: int, read_on: date, kwh: str, reason: str, actor: str, at: datetime, business_at: datetime
) -> None:
    """Write another value for a register that is there; a held bill of the connection is dropped, to be rated again.

    A bill that went out by the old value is revised by `revise_bill`.

    :raises OfficerUnknown: no such officer.
    :raises RegisterUnknown: there is no register of that day.
    :raises RegisterRowMalformed: not a number of kWh.
    :raises ReasonWanted: no reason was given.
    """
    find_officer(login=actor)
    wh = _wh({"kwh": kwh}, "kwh")
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        there = stand_of(connection=connection, read_on=read_on)
        correct(connection=connection, stand=there._replace(wh=wh), source=f"corrected by {actor}")
        drop_held(connection=connection, officer=actor, reason=reason, at=at)
        record(
            actor=actor,
            act="bill.register_corrected",
            subject=f"meter {there.meter}",
            connection=connection,
            data={
                "meter": there.meter, "read_on": read_on, "before_kwh": _kwh(there.wh), "kwh": _kwh(wh),
                "why": reason.strip(),
            },
            at=at,
            business_at=business_at,
        )  # fmt: skip


def settle_doubtful(*, doubt: int, reason: str, actor: str, at: datetime, business_at: datetime) -> None:
    """Settle a row in doubt, after it was looked into; a right value comes in by a file or a correction.

    :raises OfficerUnknown: no such officer.
    :raises ReasonWanted: no reason was given.
    :raises DoubtUnknown: none waits under this number.
    """
    find_officer(login=actor)
    with transaction():
        settle_doubt(doubt=doubt, officer=actor, reason=reason, at=at)
        data = {"doubt": doubt, "why": reason.strip()}
        record(
            actor=actor, act="bill.doubt_settled", subject=f"doubt {doubt}", data=data, at=at, business_at=business_at
        )


def _take(
    chunk: list[tuple[int, dict[str, str]]], done: Imported, *, actor: str, at: datetime, business_at: datetime
) -> None:
    consumers = [int(row["consumer"]) for _, row in chunk if (row.get("consumer") or "").isdigit()]
    meter_on = meters_on(connections=consumers)
    serials = {row["meter"] for _, row in chunk if row.get("meter")} | set(meter_on.values())
    connection_of = connections_of(meters=serials)
    came: dict[tuple[int, date, str], tuple[int, Came]] = {}
    doubted: list[tuple[int, Doubted]] = []
    for line, row in chunk:
        meter = row.get("meter") or meter_on.get(int(row["consumer"]) if row.get("consumer", "").isdigit() else 0, "")
        try:
            if meter not in connection_of:
                raise RegisterMeterUnknown(meter=meter or row.get("consumer", ""))
            each = Came(connection_of[meter], _stand(meter, row), _SOURCE)
        except Refusal as refusal:
            doubted.append((line, Doubted(connection_of.get(meter), meter, None, row, refusal)))
            continue
        key = (each.connection, each.stand.read_on, meter)
        if key in came and came[key][1] == each:
            done.known += 1
            continue
        came[key if key not in came else (*key[:2], f"{meter}#{line}")] = (line, each)
    line_of = {(each.connection, each.stand): line for line, each in came.values()}
    with transaction():
        loads = loads_of(connections={each.connection for _, each in came.values()})
        taken = take([each for _, each in came.values()], loads=loads, today=day_in_india(business_at))
        doubted += [(line_of[each.connection or 0, each.stand], each) for each in taken.doubted if each.stand]
        doubt([each for _, each in doubted], at=at)
        data = {"registers": taken.new, "known": taken.known, "doubted": len(doubted)}
        record(actor=actor, act="bill.registers_taken", subject="registers", data=data, at=at, business_at=business_at)
    done.new += taken.new
    done.known += taken.known
    done.doubted += len(doubted)
    room = max(0, _NAMED - len(done.named))
    done.named += [Doubtful(line, each.refusal) for line, each in sorted(doubted, key=lambda pair: pair[0])][:room]


def _stand(meter: str, row: Mapping[str, str]) -> Stand:
    wh = _wh(row, "kwh")
    peak, solar = (_wh(row, name, empty=0) for name in ("peak_kwh", "solar_kwh"))
    if peak + solar > wh:
        raise RegisterRowMalformed(field="peak_kwh", given=row.get("peak_kwh"), want="<= kwh")
    zones = (("normal", wh - peak - solar), ("peak", peak), ("solar", solar)) if peak or solar else ()
    try:
        read_on = date.fromisoformat((row.get("read_on") or "").strip())
    except ValueError:
        raise RegisterRowMalformed(field="read_on", given=row.get("read_on"), want="2025-11-01") from None
    digits = (row.get("digits") or "6").strip()
    if not digits.isdigit() or not 4 <= int(digits) <= 9:
        raise RegisterRowMalformed(field="digits", given=digits, want="4 - 9")
    return Stand(
        read_on,
        meter,
        wh,
        _wh(row, "export_kwh", empty=0),
        _wh(row, "kvah", empty=0),
        _wh(row, "demand_kw", empty=0),
        zones,
        int(digits),
    )


def _wh(row: Mapping[str, str], name: str, empty: int | None = None) -> int:
    """A number of thousandths, as people write it in thousands: 437.5 kWh."""
    given = (row.get(name) or "").strip()
    if not given and empty is not None:
        return empty
    try:
        number = Decimal(given) * 1000
    except InvalidOperation:
        raise RegisterRowMalformed(field=name, given=given, want="437.5") from None
    if not number.is_finite() or number != number.to_integral_value() or not 0 <= number < 10**12:
        raise RegisterRowMalformed(field=name, given=given, want="437.5")
    return int(number)


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03d}".rstrip("0").rstrip(".")

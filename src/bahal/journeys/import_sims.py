"""The operator's list of SIMs comes in: which SIM is in which meter, in which cell, how well it is heard.

From it comes which meters share a base station, and so how many are talked to at once; and which number an SMS goes to
when a meter that has not called is wanted. The same file again changes nothing.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bahal.domains.meters.errors import SimFileMalformed, SimMeterUnknown, SimRowMalformed, SimTaken
from bahal.domains.meters.operations import NewSim, keep_sims
from bahal.domains.meters.queries import sims_beside
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.meter_rows import BadRow
from bahal.shared.errors import Refusal

REQUIRED = ("iccid", "meter", "msisdn", "operator", "cell")
"""Columns of a SIM file; `signal_dbm` and `seen_at` (ISO 8601 with its offset) may follow."""
BATCH = 5000
WEAKEST_DBM, STRONGEST_DBM = -150, 0


@dataclass(frozen=True, slots=True)
class ImportedSims:
    """How many rows were good, how many of them told anything new, and each refused row in order of its line."""

    good: int
    changed: int
    refused: Sequence[BadRow]

    def as_json(self) -> dict[str, Any]:
        """Plain values: each refusal has line, error, data, hi and en."""
        return {"good": self.good, "changed": self.changed, "refused": [each.as_json() for each in self.refused]}


def import_sims(*, rows: Iterable[str], actor: str, at: datetime, business_at: datetime) -> ImportedSims:
    """Put the SIMs of a CSV file, given as its lines, on the register. One bad row does not stop the rest.

    :raises SimFileMalformed: the first line lacks columns; nothing was kept.
    """
    refused: list[BadRow] = []
    good = changed = 0
    with transaction():
        for batch in _batches(_read(rows)):
            refused += [each for each in batch if isinstance(each, BadRow)]
            kept, bad = _placed([each for each in batch if not isinstance(each, BadRow)])
            refused += bad
            good += len(kept)
            changed += keep_sims(kept)
        data = {"good": good, "changed": changed, "refused": len(refused)}
        record(actor=actor, act="meter.sims", subject="sims", data=data, at=at, business_at=business_at)
    return ImportedSims(good, changed, sorted(refused, key=lambda each: each.line))


def _placed(read: Sequence[tuple[int, NewSim]]) -> tuple[list[NewSim], list[BadRow]]:
    """Those that stand in a meter of ours and contradict neither the register nor an earlier row."""
    meters = [sim.meter for _, sim in read]
    known = {row[0] for row in many("SELECT meter FROM headend_meter WHERE meter = ANY(%s::text[])", meters)}
    there = sims_beside(meters=meters, numbers=[sim.msisdn for _, sim in read])
    by_meter = {meter: iccid for iccid, meter, _ in there}
    by_number = {number: iccid for iccid, _, number in there}
    seen: set[str] = set()
    kept, bad = [], []
    for line, sim in read:
        refusal: Refusal | None = None
        if sim.meter not in known:
            refusal = SimMeterUnknown(meter=sim.meter)
        elif by_meter.get(sim.meter, sim.iccid) != sim.iccid:
            refusal = SimTaken(iccid=sim.iccid, field="meter", there=by_meter[sim.meter])
        elif by_number.get(sim.msisdn, sim.iccid) != sim.iccid:
            refusal = SimTaken(iccid=sim.iccid, field="msisdn", there=by_number[sim.msisdn])
        elif sim.iccid in seen:
            refusal = SimTaken(iccid=sim.iccid, field="iccid", there="an earlier line")
        if refusal is not None:
            bad.append(BadRow(line, refusal))
            continue
        seen.add(sim.iccid)
        by_meter[sim.meter] = by_number[sim.msisdn] = sim.iccid
        kept.append(sim)
    return kept, bad


def _batches(rows: Iterator[tuple[int, NewSim] | BadRow]) -> Iterator[list[tuple[int, NewSim] | BadRow]]:
    batch: list[tuple[int, NewSim] | BadRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(lines: Iterable[str]) -> Iterator[tuple[int, NewSim] | BadRow]:
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise SimFileMalformed(missing=", ".join(missing))
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield BadRow(reader.line_num, SimRowMalformed(field="-", want="CSV"))
            continue
        if not any(field.strip() for field in fields):
            continue
        try:
            if len(fields) != len(header):
                raise SimRowMalformed(field="-", want=f"{len(header)} fields")
            named = dict(zip(header, (field.strip() for field in fields), strict=True))
            yield reader.line_num, _sim(named)
        except Refusal as refusal:
            yield BadRow(reader.line_num, refusal)


def _sim(named: Mapping[str, str]) -> NewSim:
    def take(field: str, pattern: str, want: str) -> str:
        given = named[field]
        if not re.fullmatch(pattern, given, re.ASCII):
            raise SimRowMalformed(field=field, want=want)
        return given

    if not (named["cell"].isprintable() and 1 <= len(named["cell"]) <= 64):
        raise SimRowMalformed(field="cell", want="1-64 characters")
    if not (named["operator"].isprintable() and 1 <= len(named["operator"]) <= 64):
        raise SimRowMalformed(field="operator", want="1-64 characters")
    return NewSim(
        iccid=take("iccid", r"\d{18,20}", "18-20 digits"),
        meter=take("meter", r"[A-Za-z0-9-]{1,32}", "1-32 letters, digits or -"),
        msisdn=take("msisdn", r"\+\d{8,15}", "+ and 8-15 digits"),
        operator=named["operator"],
        cell=named["cell"],
        signal_dbm=_signal(named.get("signal_dbm", "")),
        seen_at=_moment(named.get("seen_at", "")),
    )


def _signal(given: str) -> int | None:
    if not given:
        return None
    if not re.fullmatch(r"-?\d{1,3}", given, re.ASCII) or not WEAKEST_DBM <= int(given) <= STRONGEST_DBM:
        raise SimRowMalformed(field="signal_dbm", want=f"{WEAKEST_DBM} to {STRONGEST_DBM}")
    return int(given)


def _moment(given: str) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SimRowMalformed(field="seen_at", want="2025-11-24T10:00:00+05:30")
    return moment

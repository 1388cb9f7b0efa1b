"""A day's intervals are validated: what the business knows of each meter goes before, the run of the rules follows.

A meter on no connection (one that measures a transformer's input) is validated too, by its own history alone. A day
that is validated again is a new run, and the latest counts: late readings take the place of estimates by it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa

from bahal.domains.protection.queries import document_in_force
from bahal.domains.protection.rulebook import head_of, read_numbers
from bahal.domains.readings.edits import edits_of, taken
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.lake.cluster import run_day
from bahal.lake.knowing import KNOWN, know
from bahal.lake.layout import Lake
from bahal.lake.vee.rules import Parameters, Rule
from bahal.lake.vee.run import Edit, Ran
from bahal.shared.crash import crash_point

HALF_HOURS = 48
_PAGE = 100_000


def validate_day(
    *,
    lake: Lake,
    day: date,
    actor: str,
    at: datetime,
    business_at: datetime,
    run: int | None = None,
    buckets: Collection[int] | None = None,
    slots: int = HALF_HOURS,
    beside: Callable[[Ran], None] | None = None,
) -> Ran:
    """Validate and estimate a day, on the cluster if there is one. What the run wrote.

    :param run: its number in the lake, above all before it; a run that was done is not done again. The wall clock's.
    :param buckets: only these; None for all.
    :param slots: intervals of a day of a meter of which nothing came.
    :param beside: called with what was written, to commit with the sentence in the audit.
    :raises ClusterSilent: `BAHAL_RAY` names a cluster that does not answer.
    :raises RulesWrong: the product cannot read the rules in force any more.
    """
    number = int(at.timestamp() * 1_000) if run is None else run
    _know(lake, day, slots=slots, batch=number)
    put_in = edits_of(day=day)
    done = run_day(
        lake,
        day=day,
        run=number,
        parameters=parameters_in_force(day),
        buckets=buckets,
        told=_exchanged(day),
        edits=[Edit(each.meter, each.slots, each.first, tuple(each.wh)) for each in put_in],
    )
    crash_point("days.validated")
    with transaction():
        data = {"day": day, "run": number, "meters": done.meters, "estimated": done.estimated, "found": done.findings}
        record(actor=actor, act="readings.validated", subject=f"day {day}", data=data, at=at, business_at=business_at)
        if put_in:
            mine = None if buckets is None else set(buckets)
            taken(
                ids=[e.id for e in put_in if mine is None or int(lake.bucket_of([e.meter])[0]) in mine], in_run=number
            )
        if beside is not None:
            beside(done)
    return done


def parameters_in_force(on: date) -> Parameters:
    """By which parameters a day is judged: the product's own, or what two officers put in their place."""
    text = document_in_force(name="validation", on=on)
    if text is None:
        return Parameters()
    _, since = head_of(text, name="validation")
    return replace(read_numbers(Parameters, text, name="validation"), effective_from=since, source="rulebook")


def _know(lake: Lake, day: date, *, slots: int, batch: int) -> None:
    """Write what is known of the meters of those buckets of which nothing is written yet: once a day."""
    there = lake.counts("facts", days=[day])[day]
    if all(there):
        return
    known = _known()
    buckets = lake.bucket_of(known["meter"].to_pylist())
    fresh = pa.array([not there[bucket] for bucket in buckets.tolist()], pa.bool_())
    know(lake, day=day, known=known.filter(fresh), slots=slots, batch=batch)


def _known() -> pa.Table:
    """All meters that are read, a page at a time: a state's are too many for rows of Python."""
    pages, last = [KNOWN.empty_table()], ""
    while True:
        rows = many(
            "SELECT r.meter, c.transformer_id, c.sanctioned_load_w, EXISTS (SELECT FROM billing_register b"
            " WHERE b.connection = c.id AND b.export_wh > 0) FROM readings_meter r"
            " LEFT JOIN meters_meter m ON m.serial = r.meter LEFT JOIN network_connection c ON c.id = m.connection"
            " WHERE r.meter > %s ORDER BY r.meter LIMIT %s",
            last,
            _PAGE,
        )
        if not rows:
            return pa.concat_tables(pages)
        last = rows[-1][0]
        columns = list(zip(*rows, strict=True))
        pages.append(
            pa.Table.from_arrays(
                [pa.array(list(column), field.type) for column, field in zip(columns, KNOWN, strict=True)],
                schema=KNOWN,
            )
        )


def _exchanged(day: date) -> dict[str, int]:
    """The meters that came on this day to a connection that was there before."""
    return {
        row[0]: int(Rule.SEAM)
        for row in many(
            "SELECT m.serial FROM meters_meter m JOIN network_connection c ON c.id = m.connection"
            " WHERE m.installed_on = %s AND c.connected_on < %s",
            day,
            day,
        )
    }

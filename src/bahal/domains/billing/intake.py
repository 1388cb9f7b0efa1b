"""Registers come in: each row is taken, known already, or kept as a doubt with the refusal that says why."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from bahal.domains.billing.errors import DoubtUnknown, ReasonWanted, RegisterFuture, RegisterOtherwise
from bahal.domains.billing.registers import WH_IN_KWH, Stand, check
from bahal.foundation.rows import copy, many, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.errors import Refusal


class Came(NamedTuple):
    """A stand that came in for a connection; `source` says from where."""

    connection: int
    stand: Stand
    source: str


class Doubted(NamedTuple):
    """A row that cannot be taken, as it came, and why; `stand` is what was read out of it, if anything was."""

    connection: int | None
    meter: str
    read_on: date | None
    row: Mapping[str, Any]
    refusal: Refusal
    stand: Stand | None = None


class Taken(NamedTuple):
    """What became of rows: how many are new, how many were there, and those that are in doubt."""

    new: int
    known: int
    doubted: Sequence[Doubted]


@transaction_required
def take(came: Sequence[Came], *, loads: Mapping[int, int], today: date) -> Taken:
    """Take stands. `loads` are the sanctioned loads in W by connection; order and repetition do not matter.

    A stand must fit between its meter's neighbours; the first of a meter has none. What does not fit is returned with
    its refusal, and nothing of it is written.
    """
    kept = _kept({each.connection for each in came})
    new: list[Came] = []
    known = 0
    doubted = []
    for each in sorted(came):
        try:
            if _fits(each, kept.setdefault((each.connection, each.stand.meter), []), loads[each.connection], today):
                new.append(each)
            else:
                known += 1
        except Refusal as refusal:
            doubted.append(
                Doubted(each.connection, each.stand.meter, each.stand.read_on, _row(each.stand), refusal, each.stand)
            )
    write(new)
    return Taken(len(new), known, doubted)


@transaction_required
def write(came: Iterable[Came], *, revision: int = 0) -> int:
    """Write stands as they are; how many."""
    return copy(
        "billing_register",
        (
            "connection", "read_on", "meter", "revision", "wh", "export_wh", "vah", "demand_w", "zones", "digits",
            "source",
        ),
        (
            (
                each.connection,
                s.read_on,
                s.meter,
                revision,
                s.wh,
                s.export_wh,
                s.vah,
                s.demand_w,
                json.dumps(s.zones) if s.zones else None,
                s.digits,
                each.source,
            )
            for each in came
            for s in (each.stand,)
        ),
    )  # fmt: skip


@transaction_required
def correct(*, connection: int, stand: Stand, source: str) -> None:
    """Write another value for a stand that is there; the earlier one stays behind it."""
    latest = value(
        "SELECT max(revision) FROM billing_register WHERE connection = %s AND read_on = %s AND meter = %s",
        connection,
        stand.read_on,
        stand.meter,
    )
    write([Came(connection, stand, source)], revision=0 if latest is None else latest + 1)


@transaction_required
def doubt(doubted: Sequence[Doubted], *, at: datetime) -> int:
    """Keep rows that could not be taken; how many."""
    return copy(
        "billing_doubt",
        ("connection", "meter", "read_on", "row", "error", "data", "received_at"),
        (
            (
                each.connection,
                each.meter,
                each.read_on,
                json.dumps(each.row, ensure_ascii=False, default=str),
                each.refusal.code,
                json.dumps(each.refusal.as_json()["data"], ensure_ascii=False),
                at,
            )
            for each in doubted
        ),
    )


@transaction_required
def settle_doubt(*, doubt: int, officer: str, reason: str, at: datetime) -> None:
    """Settle a row in doubt: it was looked into, and a correction, if any, came in by itself.

    :raises ReasonWanted: no reason was given.
    :raises DoubtUnknown: none waits under this number.
    """
    if not reason.strip():
        raise ReasonWanted()
    if not run(
        "UPDATE billing_doubt SET settled_at = %s, settled_by = %s, reason = %s WHERE id = %s AND settled_at IS NULL",
        at,
        officer,
        reason.strip(),
        doubt,
    ):
        raise DoubtUnknown(doubt=doubt)


def _kept(connections: Iterable[int]) -> dict[tuple[int, str], list[Stand]]:
    """The stands of these connections by meter, in order of their days."""
    kept: dict[tuple[int, str], list[Stand]] = {}
    for connection, *read, digits in many(
        "SELECT connection, read_on, meter, wh, export_wh, vah, demand_w, digits FROM billing_stand"
        " WHERE connection = ANY(%s::bigint[]) ORDER BY connection, meter, read_on",
        list(connections),
    ):
        stand = Stand(*read)._replace(digits=digits)
        kept.setdefault((connection, stand.meter), []).append(stand)
    return kept


def _fits(came: Came, kept: list[Stand], load_w: int, today: date) -> bool:
    """Whether it is new; taken into `kept` if so."""
    stand = came.stand
    if stand.read_on > today:
        raise RegisterFuture(meter=stand.meter, day=stand.read_on)
    at = bisect_left(kept, stand.read_on, key=lambda each: each.read_on)
    if at < len(kept) and kept[at].read_on == stand.read_on:
        there = kept[at]
        if (there.wh, there.export_wh) != (stand.wh, stand.export_wh):
            raise RegisterOtherwise(
                meter=stand.meter, day=stand.read_on, there_kwh=there.wh // WH_IN_KWH, kwh=stand.wh // WH_IN_KWH
            )
        return False
    if at:
        check(kept[at - 1], stand, load_w=load_w)
    if at < len(kept):
        check(stand, kept[at], load_w=load_w)
    kept.insert(at, stand)
    return True


def _row(stand: Stand) -> dict[str, Any]:
    return {name: value for name, value in stand._asdict().items() if value}

"""What decides the bills of many connections, gathered in a few statements: registers, terms, and the consumer's past.

A period begins where the last one that was billed ended, and ends at the next month-end whose registers are there, or
at the day that the caller says. Where registers are not there, it waits, or is estimated from the consumer's own past
when so many month-ends are missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from bahal.domains.billing.history import Estimate, Past, estimate
from bahal.domains.billing.queries import Billed, billed, carried_before, held_drafts
from bahal.domains.billing.registers import Stand, Used, covered, spread, uses
from bahal.domains.ledger.queries import advances_through
from bahal.domains.tariffs.book import Book
from bahal.domains.tariffs.determinants import Determinants, Facts, Span, Use
from bahal.foundation.rows import many
from bahal.shared.periods import next_month

HELD, BILLED, WAITING, NO_BASIS = WHY_NOT = ("draft_held", "billed_already", "reading_awaited", "no_basis_to_estimate")
"""Why a connection of a cycle gets no bill: one is held, it has one, its reading may still come, it has no past."""

_PAST_DAYS = 420  # the thirteen months that a bill shows, and the same month of the last year
_MHP_IN_W = (1_000, 746)  # thousandths of a horsepower in so many thousandths of a watt


@dataclass(frozen=True, slots=True)
class Ready:
    """What one bill is made of. `estimate` is None where registers decided all of it."""

    connection: int
    centre: int
    load_w: int
    determinants: Determinants
    used: Sequence[Used]
    past: Sequence[Past]
    estimate: Estimate | None

    @property
    def wh(self) -> int:
        """What was used in the period."""
        return sum(each.wh for each in self.determinants.uses)

    @property
    def days(self) -> int:
        """How long the period is."""
        return (self.determinants.end - self.determinants.start).days


class _Connection(NamedTuple):
    id: int
    centre: int
    load_w: int
    facts: Facts


def gather(
    *, connections: Sequence[int], until: date, estimate_after: int = 1
) -> tuple[list[Ready], Mapping[int, str]]:
    """What decides the next bill of each connection up to `until` at most, and why others get none (`WHY_NOT`).

    An estimate is made when `estimate_after` or more month-ends have no register.
    """
    bills = billed(connections=connections, since=until - timedelta(days=_PAST_DAYS))
    drafts = held_drafts(connections=connections)
    why_not = dict.fromkeys(drafts, HELD)
    wanted = [each for each in _connections(connections) if each.id not in drafts]
    terms = terms_of(connections=connections)
    since = {each.id: read_since(bills.get(each.id, ())) for each in wanted}
    stands = stands_of(since=since, until=until)
    exporting = [id_ for id_, kept in stands.items() if any(stand.export_wh for stand in kept)]
    carried = carried_before(connections=exporting, day=until) if exporting else {}
    ready = []
    for each in wanted:
        periods = bills.get(each.id, ())
        found = _determine(each, periods, stands.get(each.id, ()), until, estimate_after)
        if isinstance(found, str):
            why_not[each.id] = found
            continue
        start, end, used, estimated, guess = found
        spans = spans_of(each.facts, terms.get(each.id, ()), start, end)
        determinants = Determinants(
            start=start,
            end=end,
            spans=spans,
            uses=(*map(use_of, used), *estimated),
            carried_wh=carried.get(each.id, 0),
        )
        past = [period.past for period in periods]
        ready.append(
            Ready(each.id, each.centre, spans[-1].facts.load_w or each.load_w, determinants, used, past, guess)
        )
    return ready, why_not


def with_advances(determined: Mapping[int, Determinants], book: Book) -> Mapping[int, Determinants]:
    """The same with what each connection held in advance all the period, where the tariff has a rebate for that."""
    rebated: dict[tuple[str, date], bool] = {}
    periods = {}
    for connection, each in determined.items():
        key = (each.spans[-1].facts.category, each.start)
        if key not in rebated:
            rebated[key] = book.closing("advance_rebate", *key) is not None
        if rebated[key]:
            periods[connection] = (each.start, each.end)
    held = advances_through(periods=periods) if periods else {}
    if not held:
        return determined
    return {
        connection: replace(each, advance_paise=held[connection]) if connection in held else each
        for connection, each in determined.items()
    }


def read_since(periods: Sequence[Billed]) -> date:
    """From when on registers matter: the end of the last period that was billed by them."""
    actual = [each.past.end for each in periods if not each.past.estimated]
    if actual:
        return max(actual)
    return min((each.past.start for each in periods), default=date.min)


def stands_of(*, since: Mapping[int, date], until: date) -> Mapping[int, list[Stand]]:
    """The stands of each connection from its own day on up to and including `until`, in order of their days."""
    found: dict[int, list[Stand]] = {}
    rows = many(
        "SELECT r.connection, r.read_on, r.meter, r.revision, r.wh, r.export_wh, r.vah, r.demand_w, r.zones, r.digits"
        " FROM unnest(%s::bigint[], %s::date[]) AS w (connection, since)"
        # By key for each connection: a join would read the whole table once it has grown over its statistics.
        " CROSS JOIN LATERAL (SELECT * FROM billing_register s WHERE s.connection = w.connection"
        "   AND s.read_on >= w.since AND s.read_on <= %s OFFSET 0) AS r"
        " ORDER BY r.connection, r.read_on, r.meter, r.revision",
        list(since),
        list(since.values()),
        until,
    )
    for connection, read_on, meter, revision, wh, export_wh, vah, demand_w, zones, digits in rows:
        kept = found.setdefault(connection, [])
        if revision:
            kept.pop()  # a later revision takes its predecessor's place
        parts = tuple((zone, part) for zone, part in json.loads(zones)) if zones else ()
        kept.append(Stand(read_on, meter, wh, export_wh, vah, demand_w, parts, digits))
    return found


def terms_of(*, connections: Sequence[int]) -> Mapping[int, list[tuple[date, Facts]]]:
    """What the tariff sees of connections from a day on, where that was ever changed; oldest first."""
    found: dict[int, list[tuple[date, Facts]]] = {}
    for connection, day, *facts in many(
        "SELECT connection, effective_from, category, phases, load_w, load_mhp, bpl, temporary, kind, owner"
        " FROM billing_terms WHERE connection = ANY(%s::bigint[]) ORDER BY connection, effective_from",
        list(connections),
    ):
        found.setdefault(connection, []).append((day, Facts(*facts)))
    return found


def facts_of(*, connections: Sequence[int]) -> Mapping[int, Facts]:
    """What the network's own rows say of connections."""
    return {each.id: each.facts for each in _connections(connections)}


def spans_of(facts: Facts, terms: Sequence[tuple[date, Facts]], start: date, end: date) -> tuple[Span, ...]:
    """The facts by days of `[start, end)`: those of the network until terms of its own begin."""
    if not terms:
        return (Span(start, end, facts),)
    current = facts
    spans: list[Span] = []
    at = start
    for day, each in terms:
        if at < day < end and each != current:
            spans.append(Span(at, day, current))
            at = day
        if day < end:
            current = each
    return (*spans, Span(at, end, current))


def cut(used: Sequence[Used], start: date, end: date) -> list[Used]:
    """Uses within `[start, end)`; one that reaches over an edge is parted by days, in whole Wh, with nothing lost."""
    parts = []
    for each in used:
        low, high = max(each.start, start), min(each.end, end)
        if low >= high:
            continue
        if (low, high) == (each.start, each.end):
            parts.append(each)
            continue
        days = [(low - each.start).days, (high - low).days, (each.end - high).days]
        parts.append(
            each._replace(
                start=low,
                end=high,
                wh=spread(each.wh, days)[1],
                zones=tuple((zone, spread(wh, days)[1]) for zone, wh in each.zones),
                export_wh=spread(each.export_wh, days)[1],
                vah=spread(each.vah, days)[1],
            )
        )
    return parts


def registers_of(used: Sequence[Used]) -> list[list[str | int]]:
    """The registers that uses rest on, as they are kept with a bill."""
    return [
        [each.meter, each.start.isoformat(), each.from_wh, each.end.isoformat(), each.to_wh, each.wh] for each in used
    ]


def use_of(used: Used) -> Use:
    """A use as the tariff takes it."""
    return Use(*used[:8])


def _connections(connections: Sequence[int]) -> list[_Connection]:
    rows = many(
        "SELECT id, centre, category, phase, sanctioned_load_w FROM network_connection WHERE id = ANY(%s::bigint[])"
        " ORDER BY id",
        list(connections),
    )
    return [
        _Connection(id_, centre, load_w, Facts(category, phase, load_w, horsepower(category, load_w)))
        for id_, centre, category, phase, load_w in rows
    ]


def horsepower(category: str, load_w: int) -> int:
    """The load in thousandths of a HP where the tariff counts in HP: pumps. 3,730 W are 5 HP."""
    return load_w * _MHP_IN_W[0] // _MHP_IN_W[1] if category.startswith("LV-3") else 0


def _determine(
    connection: _Connection, periods: Sequence[Billed], stands: Sequence[Stand], until: date, estimate_after: int
) -> str | tuple[date, date, list[Used], list[Use], Estimate | None]:
    """The period, what registers say of it, what is estimated of it and on what basis; or why not."""
    if not periods and not stands:
        return WAITING
    start = max((each.past.end for each in periods), default=None) or stands[0].read_on
    if start >= until:
        return BILLED
    used = uses(stands)
    end = min(next_month(start), until)
    while end < until:  # months that nobody has billed yet are billed one by one
        within = cut(used, start, end)
        if covered(within, start, end) and any(stand.read_on == end for stand in stands):
            return start, end, within, [], None
        end = min(next_month(end), until)
    within = cut(used, start, until)
    if covered(within, start, until):
        return start, until, within, [], None
    known = max((each.end for each in within if _covered_from(within, start, each.end)), default=start)
    if _month_ends(known, until) < estimate_after:
        return WAITING
    # What registers cover again from a month's start on is billed by them: only what lies before is estimated.
    again = min(
        (
            day
            for day in {each.start for each in within}
            if day > known and day.day == 1 and _covered_from(within, day, until)
        ),
        default=until,
    )
    past = [each.past for each in periods]
    guess = estimate(past, start=known, end=again)
    if guess is None:
        return NO_BASIS
    meter = stands[-1].meter if stands else ""
    return start, again, cut(within, start, known), [Use(known, again, guess.wh, meter=meter)], guess


def _covered_from(used: Sequence[Used], start: date, until: date) -> bool:
    return covered(cut(used, start, until), start, until)


def _month_ends(after: date, until: date) -> int:
    """How many month-ends lie in `(after, until]`."""
    count = 0
    day = next_month(after)
    while day <= until:
        count += 1
        day = next_month(day)
    return count

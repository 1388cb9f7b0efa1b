"""How long consumers were without supply: minutes and interruptions by feeder and transformer, for a period."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.domains.incidents.minutes import Dark, Figures, figures
from bahal.domains.incidents.queries import dark
from bahal.foundation.rows import many
from bahal.journeys.follow_outages import gathering_in_force
from bahal.shared.periods import Period


class PlaceMinutes(NamedTuple):
    """The figures of a feeder (`transformer` None) or of one of its transformers."""

    feeder: int
    transformer: int | None
    name: str
    figures: Figures


def outage_minutes(
    *, within: Period, business_at: datetime, feeders: Sequence[int] | None = None, transformers: bool = False
) -> list[PlaceMinutes]:
    """Feeders, and their transformers if asked, the most minutes for an average connection first.

    What our own orders kept without supply does not count; announced work counts apart. A dark period that lasts counts
    until now.
    """
    places = _places(feeders)
    told = dark(within=within, feeders=sorted({feeder for feeder, _, _ in places}), now=business_at)
    ours = _ours(sorted({each.connection for _, _, each in told}), until=business_at)
    momentary = timedelta(seconds=gathering_in_force(business_at).momentary_s)
    by_feeder: dict[int, list[Dark]] = {}
    by_transformer: dict[int, list[Dark]] = {}
    for feeder, transformer, each in told:
        by_feeder.setdefault(feeder, []).append(each)
        by_transformer.setdefault(transformer, []).append(each)

    def counted(these: Sequence[Dark], connections: int) -> Figures:
        return figures(these, within=within, connections=connections, ours=ours, momentary=momentary)

    found = []
    sizes: dict[int, int] = {}
    names: dict[int, str] = {}
    for feeder, place, (feeder_name, code, connections) in places:
        sizes[feeder] = sizes.get(feeder, 0) + connections
        names[feeder] = feeder_name
        if transformers and place is not None:
            of_transformer = counted(by_transformer.get(place, ()), connections)
            found.append(PlaceMinutes(feeder, place, code, of_transformer))
    for feeder, size in sizes.items():
        found.append(PlaceMinutes(feeder, None, names[feeder], counted(by_feeder.get(feeder, ()), size)))
    return sorted(found, key=lambda each: (-each.figures.saidi_min, each.feeder, each.transformer or 0))


def _places(feeders: Sequence[int] | None) -> list[tuple[int, int | None, tuple[str, str, int]]]:
    rows = many(
        "SELECT f.id, t.id, f.name, coalesce(t.code, ''), count(c.id) FROM network_feeder f"
        " LEFT JOIN network_transformer t ON t.feeder_id = f.id"
        " LEFT JOIN network_connection c ON c.transformer_id = t.id"
        " WHERE %s::integer[] IS NULL OR f.id = ANY(%s::integer[]) GROUP BY f.id, t.id ORDER BY f.id, t.id",
        None if feeders is None else list(feeders),
        None if feeders is None else list(feeders),
    )
    return [(row[0], row[1], (row[2], row[3], row[4])) for row in rows]


def _ours(connections: Sequence[int], *, until: datetime) -> Mapping[int, list[Period]]:
    """When our own orders kept connections without supply: from a cut that was confirmed to the restore after it."""
    rows = many(
        "SELECT s.connection, s.business_at, s.kind FROM interlock_sending s JOIN supply_order o ON o.id = s.order_id"
        " WHERE s.connection = ANY(%s::bigint[]) AND o.state = 'confirmed' ORDER BY s.connection, s.business_at, s.id",
        list(connections),
    )
    found: dict[int, list[Period]] = {}
    open_since: dict[int, datetime] = {}
    for connection, when, kind in rows:
        if kind == "cut":
            open_since.setdefault(connection, when)
        elif connection in open_since:
            _add(found, connection, open_since.pop(connection), when)
    for connection, when in open_since.items():
        _add(found, connection, when, until)
    return found


def _add(found: dict[int, list[Period]], connection: int, start: datetime, end: datetime) -> None:
    if end > start:
        found.setdefault(connection, []).append(Period(start, end))

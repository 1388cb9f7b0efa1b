"""Questions about the network."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from bahal.foundation.rows import many, value


class Place(NamedTuple):
    """Where a connection hangs."""

    transformer: int
    feeder: int


class Input(NamedTuple):
    """A meter that measures what goes into a transformer or feeder; Wh of its register times `factor`."""

    meter: str
    scope: str
    place: int
    factor: int


def existing(*, connections: Iterable[int]) -> set[int]:
    """Those of the given consumer numbers that are connections."""
    return {row[0] for row in many("SELECT id FROM network_connection WHERE id = ANY(%s::bigint[])", list(connections))}


def places_of(*, connections: Iterable[int]) -> Mapping[int, Place]:
    """Transformer and feeder of each connection; one that does not exist is missing."""
    rows = many(
        "SELECT c.id, c.transformer_id, t.feeder_id FROM network_connection c"
        " JOIN network_transformer t ON t.id = c.transformer_id WHERE c.id = ANY(%s::bigint[])",
        list(connections),
    )
    return {row[0]: Place(row[1], row[2]) for row in rows}


def inputs(*, on: date) -> list[Input]:
    """The input meters that stand on a day."""
    rows = many(
        "SELECT meter, scope, place, factor FROM network_inputmeter WHERE from_on <= %s"
        " AND (until IS NULL OR until > %s) ORDER BY scope, place, meter",
        on,
        on,
    )
    return [Input(*row) for row in rows]


def input_meters_among(*, meters: Iterable[str]) -> set[str]:
    """Those of the meters that measure what goes into a transformer or feeder."""
    return {
        row[0]
        for row in many(
            "SELECT meter FROM network_inputmeter WHERE until IS NULL AND meter = ANY(%s::text[])", list(meters)
        )
    }


def transformers_of(*, feeders: Iterable[int]) -> Mapping[int, int]:
    """The feeder of each transformer on these feeders."""
    return dict(
        many("SELECT id, feeder_id FROM network_transformer WHERE feeder_id = ANY(%s::integer[])", list(feeders))
    )


def has_place(*, scope: str, place: int) -> bool:
    """Whether there is such a transformer or feeder."""
    table = {"transformer": "network_transformer", "feeder": "network_feeder"}.get(scope)
    return table is not None and value(f"SELECT true FROM {table} WHERE id = %s", place) is True  # noqa: S608


def names_of(*, feeders: Iterable[int], transformers: Iterable[int]) -> Mapping[tuple[str, int], str]:
    """What people call feeders and transformers."""
    rows = many(
        "SELECT 'feeder', id, name FROM network_feeder WHERE id = ANY(%s::integer[]) UNION ALL"
        " SELECT 'transformer', id, code FROM network_transformer WHERE id = ANY(%s::integer[])",
        list(feeders),
        list(transformers),
    )
    return {(row[0], row[1]): row[2] for row in rows}


class Loss(NamedTuple):
    """The balance of a place on a day, as `models.Loss` has it."""

    scope: str
    place: int
    day: date
    in_wh: int
    out_wh: int
    lost_wh: int
    confidence_permille: int
    meters: int
    unknown: int
    hours_in: list[int]
    hours_out: list[int]
    hours_sure: list[int]


_LOSS = ", ".join(Loss._fields)


def losses(*, day: date, scope: str, sure_permille: int, limit: int = 20) -> list[Loss]:
    """The balances of a day of which enough is known, the most energy lost first."""
    rows = many(
        f"SELECT {_LOSS} FROM network_loss WHERE day = %s AND scope = %s AND confidence_permille >= %s AND in_wh > 0"  # noqa: S608
        " ORDER BY lost_wh DESC, place LIMIT %s",
        day,
        scope,
        sure_permille,
        limit,
    )
    return [Loss(*row) for row in rows]


def unsure(*, day: date, scope: str, sure_permille: int) -> int:
    """Of how many places too little is known to say what they lose."""
    return int(
        value(
            "SELECT count(*) FROM network_loss WHERE day = %s AND scope = %s AND confidence_permille < %s",
            day,
            scope,
            sure_permille,
        )
    )


def loss_history(*, scope: str, place: int, since: date, until: date) -> list[Loss]:
    """The balances of one place, day by day."""
    rows = many(
        f"SELECT {_LOSS} FROM network_loss WHERE scope = %s AND place = %s AND day >= %s AND day < %s ORDER BY day",  # noqa: S608
        scope,
        place,
        since,
        until,
    )
    return [Loss(*row) for row in rows]


def centre_of(*, connection: int) -> int:
    """The distribution centre of a connection; 0 where there is no such connection."""
    return value("SELECT centre FROM network_connection WHERE id = %s", connection) or 0


class Position(NamedTuple):
    """Where a connection is, in degrees (WGS 84), under which centre, and its sanctioned load in W."""

    latitude: float
    longitude: float
    centre: int
    load_w: int


def positions_of(*, connections: Iterable[int]) -> Mapping[int, Position]:
    """Where each connection is; one that does not exist is missing."""
    rows = many(
        "SELECT id, latitude, longitude, centre, sanctioned_load_w FROM network_connection"
        " WHERE id = ANY(%s::bigint[])",
        list(connections),
    )
    return {row[0]: Position(*row[1:]) for row in rows}


def loads_of(*, connections: Iterable[int]) -> Mapping[int, int]:
    """The sanctioned load of each connection in W."""
    return dict(
        many("SELECT id, sanctioned_load_w FROM network_connection WHERE id = ANY(%s::bigint[])", list(connections))
    )


def category_of(*, connection: int) -> str:
    """The tariff category of a connection; empty where there is no such connection."""
    return value("SELECT category FROM network_connection WHERE id = %s", connection) or ""

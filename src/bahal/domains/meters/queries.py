"""Questions about meters."""

from collections.abc import Iterable, Mapping

from bahal.domains.meters.errors import NoMeter
from bahal.foundation.rows import many, value


def meter_of(*, connection: int) -> str:
    """The serial of the meter on a connection.

    :raises NoMeter: it has none.
    """
    serial = value("SELECT serial FROM meters_meter WHERE connection = %s", connection)
    if serial is None:
        raise NoMeter(connection=connection)
    return str(serial)


def connections_of(*, meters: Iterable[str]) -> Mapping[str, int]:
    """The connection of each meter; one that hangs nowhere is missing."""
    return dict(many("SELECT serial, connection FROM meters_meter WHERE serial = ANY(%s::text[])", list(meters)))


def sims_beside(*, meters: Iterable[str], numbers: Iterable[str]) -> list[tuple[str, str, str]]:
    """The SIMs (ICCID, meter, number) that hold any of these meters or numbers."""
    return many(
        "SELECT iccid, meter, msisdn FROM meters_sim WHERE meter = ANY(%s::text[]) OR msisdn = ANY(%s::text[])",
        list(meters),
        list(numbers),
    )


def meters_on(*, connections: Iterable[int]) -> Mapping[int, str]:
    """The meter on each connection; a connection without one is missing."""
    return dict(
        many("SELECT connection, serial FROM meters_meter WHERE connection = ANY(%s::bigint[])", list(connections))
    )

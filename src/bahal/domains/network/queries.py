"""Questions about the network."""

from collections.abc import Iterable

from bahal.foundation.rows import many


def existing(*, connections: Iterable[int]) -> set[int]:
    """Those of the given consumer numbers that are connections."""
    return {row[0] for row in many("SELECT id FROM network_connection WHERE id = ANY(%s::bigint[])", list(connections))}

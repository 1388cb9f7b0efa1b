"""Questions about chains of notices."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.notices.chain import Step
from bahal.foundation.rows import many

_COLUMNS = ", ".join(Step._fields)
_SLICE = 2_000
"""So many connections' chains are fetched at once."""


def chain_of(*, connection: int) -> list[Step]:
    """Every step of a connection, its written notices first, each machine in order."""
    rows = many(
        f"SELECT {_COLUMNS} FROM notices_step WHERE connection = %s ORDER BY machine DESC, position",  # noqa: S608
        connection,
    )
    return [Step(*row) for row in rows]


def every_chain() -> Iterator[list[Step]]:
    """The steps of everybody, by connection, machine and position, a number of connections at a time."""
    last = -1
    while True:
        found = many(
            "SELECT max(u.connection) FROM (SELECT DISTINCT s.connection FROM notices_step s WHERE s.connection > %s"
            " ORDER BY s.connection LIMIT %s) AS u",
            last, _SLICE,
        )  # fmt: skip
        upto = found[0][0]
        if upto is None:
            return
        rows = many(
            f"SELECT {_COLUMNS} FROM notices_step WHERE connection > %s AND connection <= %s"  # noqa: S608
            " ORDER BY connection, machine, position",
            last,
            upto,
        )
        yield [Step(*row) for row in rows]
        last = upto


def bills_named(*, notices: Iterable[int]) -> Mapping[int, list[int]]:
    """The bills that notices name, by the notice's number."""
    rows = many(
        "SELECT notice, array_agg(bill ORDER BY bill) FROM notices_noticedbill WHERE notice = ANY(%s::bigint[])"
        " GROUP BY notice",
        list(notices),
    )
    return dict(rows)


class Told(NamedTuple):
    """A message as its consumer may see it: what it said, when it was sent (wall time) and what became of it."""

    kind: str
    channel: str
    text: str
    queued_at: datetime
    business_on: date
    delivery: str
    delivered_at: datetime | None


def told(*, connection: int, limit: int) -> list[Told]:
    """What a consumer was told, the latest first; codes to sign in by are nothing to be told."""
    rows = many(
        f"SELECT {', '.join(Told._fields)} FROM notices_message"  # noqa: S608
        " WHERE connection = %s AND kind <> 'sign_in' ORDER BY id DESC LIMIT %s",
        connection,
        limit,
    )
    return [Told(*row) for row in rows]

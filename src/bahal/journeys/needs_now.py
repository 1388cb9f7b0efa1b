"""What needs somebody now, in an officer's circles: every queue with its count, and who stands in it.

A queue is one question, asked in one place, so that a count and the list that it opens cannot differ.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bahal.domains.supply.queries import Switch, switch
from bahal.foundation.rows import many
from bahal.shared.errors import Refusal

QUEUES: Mapping[str, str] = {
    "alerts": "SELECT connection, raised_at AS at, kind AS code, meter AS told FROM protection_alert"
    " WHERE closed_at IS NULL",
    "mismatches": "SELECT connection, opened_at AS at, kind AS code, meter AS told FROM meters_mismatch"
    " WHERE closed_at IS NULL",
    "tasks": "SELECT connection, opened_at AS at, reason AS code, meter AS told FROM fieldwork_task"
    " WHERE closed_at IS NULL",
    "restores": "SELECT connection, made_at AS at, state AS code, meter AS told FROM supply_order"
    " WHERE kind = 'restore' AND state IN ('authorised', 'claimed', 'sent', 'unknown')",
    "quarantined": "SELECT connection, made_at AS at, reason AS code, meter AS told FROM supply_order"
    " WHERE state = 'quarantined'",
    "held_bills": "SELECT connection, made_at AS at, reasons[1] AS code, '' AS told FROM billing_draft"
    " WHERE state = 'held'",
    "proposals": "SELECT connection, proposed_at AS at, kind AS code, reason AS told FROM payments_proposal"
    " WHERE decided_by IS NULL",
}
"""Of each queue: whose, since when, the code that says what, and what else is told."""

SECTIONS: Mapping[str, str] = {
    "alerts": "alerts", "mismatches": "mismatches", "tasks": "task causes", "restores": "order states",
    "quarantined": "reasons", "held_bills": "held bills", "proposals": "proposals",
}  # fmt: skip
"""The section of the house's words that a queue's codes are in."""

MOST = 200

_HERE = (
    " JOIN network_connection n ON n.id = q.connection JOIN offices_office centre ON centre.id = n.centre"
    " JOIN offices_office subdivision ON subdivision.id = centre.parent_id"
    " JOIN offices_office division ON division.id = subdivision.parent_id AND division.parent_id = ANY(%s::integer[])"
)


class QueueUnknown(Refusal):
    """There is no such queue."""

    code = "queue_unknown"
    hi = "`{queue}` नाम की कोई कतार नहीं है।"
    en = "There is no queue `{queue}`."


class Standing(NamedTuple):
    """A drive that is not over."""

    drive: int
    name: str
    state: str
    orders: int


class Waiting(NamedTuple):
    """Somebody in a queue since an instant (wall)."""

    connection: int
    name: str
    name_hi: str
    at: datetime
    code: str
    told: str


@dataclass(frozen=True, slots=True)
class Needs:
    """Counts by queue, drives that are not over, and whether all cuts are stopped."""

    counts: Mapping[str, int]
    drives: Sequence[Standing]
    switch: Switch


def needs_now(*, circles: Collection[int]) -> Needs:
    """What needs somebody now in these circles."""
    asked = " UNION ALL ".join(
        f"SELECT '{queue}', count(*) FROM ({question}) q{_HERE}"  # noqa: S608
        for queue, question in QUEUES.items()
    )
    found: dict[str, int] = dict(many(asked, *([list(circles)] * len(QUEUES))))
    drives = many(
        "SELECT id, name, state, orders FROM supply_drive WHERE office = ANY(%s::integer[])"
        " AND state IN ('proposed', 'authorised', 'running', 'paused') ORDER BY id DESC LIMIT 20",
        list(circles),
    )
    return Needs({queue: found[queue] for queue in QUEUES}, [Standing(*row) for row in drives], switch())


def open_queue(*, queue: str, circles: Collection[int]) -> list[Waiting]:
    """Who stands in a queue, the longest first, at most `MOST`.

    :raises QueueUnknown: there is no such queue.
    """
    if queue not in QUEUES:
        raise QueueUnknown(queue=queue[:40])
    rows = many(
        "SELECT q.connection, coalesce(u.name, ''), coalesce(u.name_hi, ''), q.at, coalesce(q.code, ''), q.told"  # noqa: S608
        f" FROM ({QUEUES[queue]}) q{_HERE} LEFT JOIN consumers_consumer u ON u.id = q.connection"
        " ORDER BY q.at, q.connection LIMIT %s",
        list(circles),
        MOST,
    )
    return [Waiting(*row) for row in rows]

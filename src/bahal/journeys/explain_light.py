"""Why is it dark, or why did the light take so long: one consumer's answer from stored facts, in both languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bahal.domains.ledger.queries import balance
from bahal.domains.supply.clock import Stretch, lit_at, stretches
from bahal.domains.supply.late import Late, late_of
from bahal.domains.supply.queries import generations, restoring_now
from bahal.foundation.rows import many, one
from bahal.journeys.clock_facts import Timed, timed
from bahal.shared.locks import ConnectionUnknown
from bahal.shared.text import LANGUAGES
from bahal.shared.words import word

OPEN = ("proposed", "authorised", "claimed", "sent", "unknown", "quarantined")
_DEBT = ("nonpayment_s56", "prepaid")


@dataclass(frozen=True, slots=True)
class Explained:
    """`why` is a code of the words "light"; `waits_for` one of "delays" while a restore is under way. `clock` is of the
    latest restore, whose time went into `where`; wall time."""

    connection: int
    why: str
    waits_for: str | None
    due_paise: int
    clock: Timed | None
    where: Sequence[Stretch]
    promised_at: datetime | None
    late: Late | None

    @property
    def seconds(self) -> float | None:
        """From the money, or the order, to the light; None while it is dark."""
        if self.clock is None or lit_at(self.clock.moments) is None:
            return None
        return sum(each.seconds for each in self.where)

    def as_json(self) -> dict[str, Any]:
        """As plain values, with the words in both languages."""
        moments = None if self.clock is None else self.clock.moments
        return {
            "consumer": self.connection,
            "why": self.why,
            "words": {language: word("light", self.why, language) for language in LANGUAGES},
            "waits_for": self.waits_for,
            "due_paise": self.due_paise,
            "order": None if self.clock is None else self.clock.order,
            "receipt": None if self.clock is None else self.clock.receipt,
            "moments": None
            if moments is None or self.clock is None
            else {
                "money_at": moments.money_at,
                "ordered_at": moments.ordered_at,
                "released_at": moments.released_at,
                "claimed_at": moments.claimed_at,
                "sent_at": moments.sent_at,
                "acknowledged_at": moments.acted_at,
                "closed_at": moments.confirmed_at,
                "load_seen_at": self.clock.load_seen_at,
            },
            "seconds": self.seconds,
            "where": [{"seconds": each.seconds, "cause": each.cause, "since": each.since} for each in self.where],
            "promised_at": self.promised_at,
            "late": None if self.late is None else self.late._asdict(),
        }


def explain_light(*, connection: int, at: datetime, business_at: datetime) -> Explained:
    """Whether a connection has light, why not, and where the time of its latest restore went.

    :raises ConnectionUnknown: no such connection.
    """
    if not generations(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    orders = many(
        "SELECT id, kind, state, ground, reason FROM supply_order WHERE connection = %s"
        " AND state NOT IN ('cancelled', 'refused', 'expired') ORDER BY id DESC LIMIT 20",
        connection,
    )
    restore = next((order[0] for order in orders if order[1] == "restore"), None)
    clock = None if restore is None else timed(orders=[restore])[0]
    where = [] if clock is None else stretches(clock.moments, at)
    why = _why(connection, orders, clock)
    waiting = why == "restoring" and bool(where)
    rules = restoring_now(business_at)
    promised = None
    if clock is not None and clock.receipt is not None and rules is not None:
        promised = clock.moments.money_at + timedelta(minutes=rules.promise_minutes(clock.setting))
    return Explained(
        connection,
        why,
        where[-1].cause if waiting else None,
        max(0, balance(connection=connection).due_paise),
        clock,
        where,
        promised,
        None if restore is None else late_of(orders=[restore]).get(restore),
    )


def _why(connection: int, orders: Sequence[tuple[Any, ...]], clock: Timed | None) -> str:
    relay = one(
        "SELECT r.closed FROM meters_meter m LEFT JOIN meters_relay r ON r.meter = m.serial WHERE m.connection = %s",
        connection,
    )
    closed = None if relay is None else relay[0]
    if orders:
        _, kind, state, ground, reason = orders[0]
        if kind == "restore":
            if state in OPEN:
                return "restoring"
            if state == "field_task" and clock is not None and lit_at(clock.moments) is None:
                return "field_needed"
            if state == "confirmed" and reason == "press_button" and not closed:
                return "press_button"
        elif state == "confirmed":
            return "cut_debt" if ground in _DEBT else "cut_other"
        elif state in ("sent", "unknown"):
            return "cut_under_way"
    if one(
        "SELECT 1 FROM incidents_trouble WHERE connection = %s AND kind = 'supply_lost' AND ended_at IS NULL",
        connection,
    ):
        return "outage"
    if relay is None or closed is None:
        return "lit" if clock is not None and lit_at(clock.moments) is not None else "not_known"
    return "lit" if closed else "not_by_us"

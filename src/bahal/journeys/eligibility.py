"""Who may be cut in a circle now, and why each other one that owes may not: facts of many nouns, one verdict each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.arrears.verdict import CUT, Facts, judge
from bahal.domains.supply.queries import connections_with_open_orders
from bahal.foundation.rows import many
from bahal.shared.warrant import Line, list_sha256

PART_3_PHASE = 3
"""Meters of CT and PT connections (IS 15959 Part 3) have no relay: they are never proposed for a remote cut."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """From all connections of a circle down to the list. `excluded` counts those over the minimum, by reason."""

    connections: int
    owing: int
    over_minimum: int
    excluded: Mapping[str, int]
    proposed: int

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "connections": self.connections,
            "owing": self.owing,
            "over_minimum": self.over_minimum,
            "excluded": dict(self.excluded),
            "proposed": self.proposed,
        }


@dataclass(frozen=True, slots=True)
class Eligible:
    """The list in order of the connection, those left out with the first reason each, and the policy that judged."""

    lines: Sequence[Line]
    left_out: Mapping[int, str]
    funnel: Funnel
    policy: Policy
    list_sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "list_sha256", list_sha256(self.lines))

    @property
    def sum_paise(self) -> int:
        """What the connections of the list owe and may be cut for."""
        return sum(line.paise for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Candidate:
    connection: int
    meter: str | None
    phase: int | None
    generation: int | None
    desired: str | None


def who_may_be_cut(*, circle: int, business_at: datetime) -> Eligible:
    """Judge every connection of a circle that owes more than the policy's minimum.

    :raises NoPolicy: no recovery policy is in force.
    """
    policy = policy_at(business_at=business_at)
    total, owing, candidates = _candidates(circle, policy.minimum_paise)
    facts, due = _facts([each.connection for each in candidates], business_at)
    busy = connections_with_open_orders(connections=facts)
    left_out: dict[int, str] = {}
    chosen = []
    for each in candidates:
        verdict = judge(facts[each.connection])
        if verdict == CUT:
            verdict = _otherwise(each, busy)
        if verdict == CUT:
            chosen.append(each)
        else:
            left_out[each.connection] = verdict
    named = _named_bills([each.connection for each in chosen])
    lines = [
        Line(
            position=position,
            meter=each.meter or "",
            connection=each.connection,
            paise=due[each.connection],
            bills=named[each.connection][0],
            notice_sha256=named[each.connection][1],
            fence=each.generation or 0,
        )
        for position, each in enumerate(chosen)
    ]
    reasons = Counter(left_out.values())
    funnel = Funnel(total, owing, len(candidates), dict(sorted(reasons.items())), len(lines))
    return Eligible(lines, left_out, funnel, policy)


def _otherwise(candidate: _Candidate, busy: set[int]) -> str:
    if candidate.meter is None or candidate.generation is None:
        return "no_meter"
    if candidate.phase == PART_3_PHASE:
        return "no_relay"
    if candidate.connection in busy:
        return "order_open"
    if candidate.desired == "off":
        return "off_already"
    return CUT


def _candidates(circle: int, minimum_paise: int) -> tuple[int, int, list[_Candidate]]:
    """How many connections the circle has, how many owe anything, and those that owe more than the minimum."""
    rows = many(
        "SELECT c.id, m.serial, m.phase, f.generation, f.desired, owed.paise FROM offices_office division"
        " JOIN offices_office subdivision ON subdivision.parent_id = division.id"
        " JOIN offices_office centre ON centre.parent_id = subdivision.id"
        " JOIN network_connection c ON c.centre = centre.id"
        " LEFT JOIN meters_meter m ON m.connection = c.id LEFT JOIN supply_fence f ON f.connection = c.id"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(p.paise), 0)::bigint AS paise FROM ledger_posting p"
        " WHERE p.account = 'receivable' AND p.connection = c.id) AS owed"
        " WHERE division.parent_id = %s ORDER BY c.id",
        circle,
    )
    owing = sum(1 for *_, paise in rows if paise > 0)
    return len(rows), owing, [_Candidate(*row[:-1]) for row in rows if row[-1] > minimum_paise]


def _facts(connections: list[int], business_at: datetime) -> tuple[dict[int, Facts], dict[int, int]]:
    """The facts of each connection, and the part of its due that may be enforced."""
    rows = many(
        "SELECT connection, enforceable_paise, minimum_paise, noticed, reminded, held, policy"
        " FROM authority_facts(%s::bigint[], %s)",
        connections,
        business_at,
    )
    return {row[0]: Facts(*row[1:]) for row in rows}, {row[0]: row[1] for row in rows}


def _named_bills(connections: list[int]) -> dict[int, tuple[str, str]]:
    """The bills that each connection's served notices name, and the hash of the latest of those notices."""
    rows = many(
        "SELECT n.connection, string_agg(DISTINCT b.number, ',' ORDER BY b.number),"
        " (array_agg(n.sha256 ORDER BY n.served_on DESC, n.id DESC))[1]"
        " FROM notices_writtennotice n JOIN notices_noticedbill nb ON nb.notice = n.id"
        " JOIN billing_bill b ON b.id = nb.bill"
        " WHERE n.connection = ANY(%s::bigint[]) AND n.served_on IS NOT NULL GROUP BY n.connection",
        connections,
    )
    return {row[0]: (row[1], row[2]) for row in rows}

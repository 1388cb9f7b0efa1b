"""Who may be cut in a circle now, and why each other one that owes may not: facts of many nouns, one verdict each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bahal.domains.arrears.queries import Policy, lowest_minimum, policy_at
from bahal.domains.offices.queries import offices_under
from bahal.domains.supply.derivation import BY_HAND, NO_FENCE, Candidate
from bahal.domains.supply.eligibility import COLUMNS, Facts, reasons
from bahal.foundation.rows import many, prepared_many
from bahal.shared.warrant import Line, list_sha256

SLICE = 5_000
"""So many connections are judged by one statement."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A connection at an instant: its facts and every reason against a cut, in order; none means that it may be cut."""

    facts: Facts
    reasons: Sequence[str]

    @property
    def due_paise(self) -> int:
        """The part of its due that may be enforced."""
        return self.facts.enforceable_paise or 0


class FactsDisagree(RuntimeError):
    """The database and the rule of `domains.supply.eligibility` say different things of the same facts."""


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
class Selection:
    """Whom of a circle a drive is about; all who owe unless something is given.

    `office` is one under the circle, `feeder` a feeder; `least_paise` and `most_paise` bound the enforceable due, both
    ends included; `connections` is an uploaded list. `by_hand` lists meters without a relay too, after all others: a
    lineman cuts those, by leave asked on the spot. A selection only ever takes connections off the list.
    """

    office: int | None = None
    feeder: int | None = None
    least_paise: int | None = None
    most_paise: int | None = None
    connections: frozenset[int] | None = None
    by_hand: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values; an uploaded list by how many it names."""
        return {
            "office": self.office,
            "feeder": self.feeder,
            "least_paise": self.least_paise,
            "most_paise": self.most_paise,
            "uploaded": None if self.connections is None else len(self.connections),
            "by_hand": self.by_hand,
        }


EVERYBODY = Selection()


@dataclass(frozen=True, slots=True)
class Eligible:
    """The list in order of the connection (meters without a relay last), those left out with every reason, the policy
    of the whole company, and the facts of all who were judged."""

    lines: Sequence[Line]
    left_out: Mapping[int, Sequence[str]]
    funnel: Funnel
    policy: Policy
    candidates: Sequence[Candidate]
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
    generation: int | None


def who_may_be_cut(
    *, circle: int, business_at: datetime, cut_at: datetime | None = None, selection: Selection = EVERYBODY
) -> Eligible:
    """Judge every connection of a circle that is selected and owes more than the least minimum of any policy in force.

    `cut_at` is when the cuts would begin: the window and the days without cuts are those of that instant.

    :raises NoPolicy: no recovery policy is in force.
    :raises OfficeUnknown: no such office was selected.
    """
    policy = policy_at(business_at=business_at)
    under = None if selection.office is None else offices_under(office=selection.office)
    total, owing, candidates = _candidates(circle, lowest_minimum(business_at=business_at), selection, under)
    found = judged([each.connection for each in candidates], business_at=business_at, cut_at=cut_at)
    candidates = [each for each in candidates if _in_band(found[each.connection].due_paise, selection)]
    left_out: dict[int, Sequence[str]] = {}
    chosen, by_hand = [], []
    for each in candidates:
        against = found[each.connection].reasons or (() if each.generation else NO_FENCE)
        if selection.by_hand and each.generation and tuple(against) == BY_HAND:
            by_hand.append(each)
        elif against:
            left_out[each.connection] = against
        else:
            chosen.append(each)
    chosen += by_hand
    named = _named_bills([each.connection for each in chosen])
    lines = [
        Line(
            position=position,
            meter=each.meter or "",
            connection=each.connection,
            paise=found[each.connection].due_paise,
            bills=named[each.connection][0],
            notice_sha256=named[each.connection][1],
            fence=each.generation or 0,
        )
        for position, each in enumerate(chosen)
    ]
    first = Counter(against[0] for against in left_out.values())
    funnel = Funnel(total, owing, len(candidates), dict(sorted(first.items())), len(lines))
    kept = [
        Candidate(
            each.connection,
            each.generation,
            found[each.connection].facts,
            found[each.connection].reasons or (() if each.generation else NO_FENCE),
        )
        for each in candidates
    ]
    return Eligible(lines, left_out, funnel, policy, kept)


def judged(
    connections: Sequence[int],
    *,
    business_at: datetime,
    cut_at: datetime | None = None,
    policy: str | None = None,
) -> dict[int, Judged]:
    """Judge connections at an instant, each with its facts. `policy` is a policy's row as JSON that stands in for all.

    :raises FactsDisagree: the two rules differ; nobody may be cut by either.
    """
    statement = (
        f"SELECT connection, reasons, {', '.join(COLUMNS)}"  # noqa: S608
        " FROM authority_facts(%s::bigint[], %s, %s, NULL, jsonb_populate_record(NULL::arrears_policy, %s::jsonb),"
        " true)"
    )
    wanted = list(connections)
    rows = [
        row
        for start in range(0, len(wanted), SLICE)
        for row in prepared_many(statement, wanted[start : start + SLICE], business_at, cut_at, policy)
    ]
    found = {}
    for connection, said, *columns in rows:
        facts = Facts(*columns)
        ours = reasons(facts)
        if ours != tuple(said):
            raise FactsDisagree(f"connection {connection}: {ours} and {tuple(said)}")
        found[connection] = Judged(facts, ours)
    return found


def connections_of(*, circle: int) -> list[int]:
    """Every connection of a circle, in order."""
    rows = many(
        "SELECT c.id FROM offices_office division"
        " JOIN offices_office subdivision ON subdivision.parent_id = division.id"
        " JOIN offices_office centre ON centre.parent_id = subdivision.id"
        " JOIN network_connection c ON c.centre = centre.id WHERE division.parent_id = %s ORDER BY c.id",
        circle,
    )
    return [row[0] for row in rows]


def _in_band(paise: int, selection: Selection) -> bool:
    least, most = selection.least_paise, selection.most_paise
    return (least is None or paise >= least) and (most is None or paise <= most)


def _candidates(
    circle: int, minimum_paise: int, selection: Selection, under: set[int] | None
) -> tuple[int, int, list[_Candidate]]:
    """How many connections of the circle are selected, how many of them owe anything, and those that owe more than the
    minimum."""
    rows = many(
        "SELECT c.id, m.serial, f.generation, owed.paise FROM offices_office division"
        " JOIN offices_office subdivision ON subdivision.parent_id = division.id"
        " JOIN offices_office centre ON centre.parent_id = subdivision.id"
        " JOIN network_connection c ON c.centre = centre.id"
        " LEFT JOIN meters_meter m ON m.connection = c.id LEFT JOIN supply_fence f ON f.connection = c.id"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(p.paise), 0)::bigint AS paise FROM ledger_posting p"
        " WHERE p.account = 'receivable' AND p.connection = c.id) AS owed"
        " WHERE division.parent_id = %s AND (%s::integer[] IS NULL OR c.centre = ANY (%s::integer[]))"
        " AND (%s::bigint[] IS NULL OR c.id = ANY (%s::bigint[]))"
        " AND (%s::integer IS NULL OR c.transformer_id IN"
        "  (SELECT t.id FROM network_transformer t WHERE t.feeder_id = %s::integer)) ORDER BY c.id",
        circle,
        *[None if under is None else sorted(under)] * 2,
        *[None if selection.connections is None else sorted(selection.connections)] * 2,
        selection.feeder,
        selection.feeder,
    )
    owing = sum(1 for *_, paise in rows if paise > 0)
    return len(rows), owing, [_Candidate(*row[:-1]) for row in rows if row[-1] > minimum_paise]


def _named_bills(connections: list[int]) -> dict[int, tuple[str, str]]:
    """The bills that each connection's served notices name, and the hash of the latest of those notices."""
    rows = many(
        "SELECT n.connection, string_agg(DISTINCT b.number, ',' ORDER BY b.number),"
        " (array_agg(n.sha256 ORDER BY served.on_day DESC, n.id DESC))[1]"
        " FROM (SELECT s.notice, min(s.effective_on) AS on_day FROM notices_step s"
        " WHERE s.connection = ANY(%s::bigint[]) AND s.machine = 'statutory' AND s.event = 'delivered'"
        " AND s.channel IN ('letter', 'hand') GROUP BY s.notice) AS served"
        " JOIN notices_writtennotice n ON n.id = served.notice JOIN notices_noticedbill nb ON nb.notice = n.id"
        " JOIN billing_bill b ON b.id = nb.bill GROUP BY n.connection",
        connections,
    )
    return {row[0]: (row[1], row[2]) for row in rows}

"""Who was skipped, by whom and why: by office, category, band of arrears and owner, government departments included."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.offices.queries import get_circle
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.eligibility import connections_of, judged

BANDS: Sequence[tuple[str, int]] = (
    ("<= 5,000", 5_000_00), ("<= 10,000", 10_000_00), ("<= 25,000", 25_000_00), ("<= 1,00,000", 1_00_000_00),
    ("> 1,00,000", 2**62),
)  # fmt: skip
"""Bands of arrears in rupees, each up to and with its end in paise."""


@dataclass(frozen=True, slots=True)
class Group:
    """Those of one office, category, band and owner who owe: how many, how many may be cut, and why the others not.

    `skipped_by` counts the holds and registrations that keep them, by who placed them and of which kind.
    """

    division: int
    division_name: str
    category: str
    owner: str
    band: str
    owing: int
    due_paise: int
    may_be_cut: int
    reasons: Mapping[str, int]
    skipped_by: Mapping[tuple[str, str], int]


def fairness_report(*, office: int, business_at: datetime, cut_at: datetime) -> list[Group]:
    """Everybody of a circle who owes, in groups, largest dues first.

    :raises OfficeUnknown: no such office.
    :raises NotACircle: the office is no circle.
    """
    circle = get_circle(office=office)
    with transaction():
        numbers = connections_of(circle=circle.id)
        found = judged(numbers, business_at=business_at, cut_at=cut_at)
        owing = [number for number in numbers if found[number].facts.balance_paise > 0]
        whose = {
            number: (division, name, category, owner or "private")
            for number, division, name, category, owner in many(_WHOSE, business_at, owing)
        }
        keepers: dict[int, list[tuple[str, str]]] = {}
        for number, owner, kind in many(_KEEPERS, owing, business_at, owing):
            keepers.setdefault(number, []).append((owner, kind))
    groups: dict[tuple[int, str, str, str, str], list[int]] = {}
    for number in owing:
        balance = found[number].facts.balance_paise
        band = next(name for name, end in BANDS if balance <= end)
        groups.setdefault((*whose[number], band), []).append(number)
    report = [
        Group(
            *key,
            owing=len(members),
            due_paise=sum(found[each].facts.balance_paise for each in members),
            may_be_cut=sum(not found[each].reasons for each in members),
            reasons=Counter(code for each in members for code in found[each].reasons),
            skipped_by=Counter(keeper for each in members for keeper in keepers.get(each, ())),
        )
        for key, members in groups.items()
    ]
    return sorted(report, key=lambda group: -group.due_paise)


_WHOSE = """
SELECT c.id, division.id, division.name, c.category,
       (SELECT t.owner FROM billing_terms t WHERE t.connection = c.id
        AND t.effective_from <= (%s AT TIME ZONE 'Asia/Kolkata')::date ORDER BY t.effective_from DESC LIMIT 1)
FROM network_connection c JOIN offices_office centre ON centre.id = c.centre
JOIN offices_office subdivision ON subdivision.id = centre.parent_id
JOIN offices_office division ON division.id = subdivision.parent_id
WHERE c.id = ANY(%s::bigint[])
"""
_KEEPERS = """
SELECT h.connection, h.owner, h.kind FROM arrears_hold h
WHERE h.connection = ANY(%s::bigint[]) AND h.lifted_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > %s)
UNION ALL SELECT v.connection, v.registered_by, v.need FROM arrears_vulnerable v
WHERE v.connection = ANY(%s::bigint[]) AND v.ended_at IS NULL
"""

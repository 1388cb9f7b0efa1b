"""A drive's list is derived again from the facts kept at its proposal, and held against what was signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bahal.domains.supply.derivation import derivation_of, lines_of, rule_now
from bahal.domains.supply.queries import drive_of
from bahal.foundation.rows import many
from bahal.shared.warrant import Document, Line, list_sha256


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came out. `differs` names every difference; none means: same list, same reasons, same hash."""

    drive: int
    candidates: int
    listed: int
    sum_paise: int
    list_sha256: str
    signed_sha256: str
    policies: list[str]
    same_rule: bool
    bytes_kept: int
    differs: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def replay_drive(*, drive: int) -> Replayed:
    """Derive the list of a drive again from the facts that were kept when it was proposed.

    Meter, bills and notice of a line are the order's, and count only as far as the signed hash covers them.

    :raises DriveUnknown: no such drive.
    :raises DerivationMissing: it was proposed before facts were kept.
    """
    signed = Document.parse(drive_of(drive=drive).document)
    kept = derivation_of(drive=drive)
    differs = [] if kept.whole else ["facts altered"]
    try:
        candidates = kept.candidates
    except (ValueError, KeyError, TypeError):
        differs.append("facts unreadable")
        candidates = []
    differs += [
        f"reasons of {each.connection}: {', '.join(each.said) or 'cut'} then, {', '.join(each.derived) or 'cut'} now"
        for each in candidates
        if tuple(each.said) != tuple(each.derived)
    ]
    chosen = lines_of(candidates, by_hand=bool(candidates) and kept.by_hand)
    orders = {
        row[0]: row[1:]
        for row in many(
            "SELECT connection, meter, bills, notice_sha256 FROM supply_order WHERE drive = %s AND kind = 'cut'", drive
        )
    }
    differs += [f"not ordered: {number}" for number in chosen if number not in orders]
    differs += [f"ordered against the facts: {number}" for number in sorted(orders.keys() - chosen.keys())]
    lines = []
    for position, (number, each) in enumerate(chosen.items()):
        meter, bills, notice = orders.get(number, ("", "", ""))
        paise = each.facts.enforceable_paise or 0
        lines.append(Line(position, meter, number, paise, bills, notice, each.generation or 0))
    derived = list_sha256(lines)
    if derived != signed.list_sha256:
        differs.append(f"hash: {derived} derived, {signed.list_sha256} signed")
    return Replayed(
        drive=drive,
        candidates=len(candidates),
        listed=len(lines),
        sum_paise=sum(line.paise for line in lines),
        list_sha256=derived,
        signed_sha256=signed.list_sha256,
        policies=sorted({each.facts.policy for each in candidates if each.facts.policy}),
        same_rule=kept.rule == rule_now(),
        bytes_kept=len(kept.packed),
        differs=differs,
    )

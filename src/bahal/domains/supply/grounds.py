"""May this connection be cut on a ground other than a due? Every reason against it, one pure rule for each ground.

The database holds the same rules (`authority_own_request`, `authority_safety`, `authority_theft`,
`authority_prepaid`), by which the interlock judges at the moment of sending; a test asks both the same questions. What
is not known counts against the cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

REASONS = (
    "no_request", "not_identified", "request_withdrawn", "not_wished_yet", "no_hazard", "hazard_over", "hazard_stale",
    "no_evidence", "no_finding", "one_officer", "not_read_again", "assessment_paid", "finding_stale", "not_prepaid",
    "balance_left", "zero_only_today", "zero_not_told",
)  # fmt: skip
"""What may stand against a cut on these grounds besides the reasons of `eligibility`."""


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """The consumer's own latest request: somebody saw that it is he, it is not withdrawn, and its day has come."""

    asked: bool | None
    identified: bool | None
    withdrawn: bool | None
    wished: bool | None
    held: Sequence[str] | None
    vulnerable: str | None
    hours: Sequence[str] | None
    off: bool | None
    meter: str | None


@dataclass(frozen=True, slots=True)
class Safety:
    """The latest danger that was reported: not over, not older than a day, with evidence. Any hour will do."""

    reported: bool | None
    over: bool | None
    fresh: bool | None
    evidence: bool | None
    vulnerable: str | None
    off: bool | None
    meter: str | None


@dataclass(frozen=True, slots=True)
class Theft:
    """The latest inspection that found theft (s.135), answered for by a second officer; `seen_again` is what an
    authenticated read said of the alert that it rests on, if it rests on one. `fresh`: not older than 30 days."""

    found: bool | None
    answered: bool | None
    rests_on_meter: bool | None
    seen_again: str | None
    paid: bool | None
    fresh: bool | None
    held: Sequence[str] | None
    vulnerable: str | None
    hours: Sequence[str] | None
    off: bool | None
    meter: str | None


@dataclass(frozen=True, slots=True)
class Prepaid:
    """A prepaid connection at zero: it was so when the day began, and its consumer was told within a week. Sums are
    owed paise; the other facts are those of `eligibility`."""

    policy: str | None
    hours: Sequence[str] | None
    held: Sequence[str] | None
    area_held: Sequence[str] | None
    vulnerable: str | None
    pending: Sequence[str] | None
    prepaid: bool | None
    conversion: Sequence[str] | None
    stale_channels: Sequence[str] | None
    balance_paise: int | None
    at_midnight_paise: int | None
    told: bool | None
    off: bool | None
    meter: str | None


GROUNDS: dict[str, type[OwnRequest] | type[Safety] | type[Theft] | type[Prepaid]] = {
    "own_request": OwnRequest, "safety": Safety, "theft_s135": Theft, "prepaid": Prepaid,
}  # fmt: skip


def reasons(facts: OwnRequest | Safety | Theft | Prepaid) -> tuple[str, ...]:
    """Every reason against a cut on this ground; none means that it may be made."""
    if isinstance(facts, OwnRequest):
        asked = _own_request(facts)
    elif isinstance(facts, Safety):
        asked = _safety(facts)
    elif isinstance(facts, Theft):
        asked = _theft(facts)
    else:
        asked = _prepaid(facts)
    found = [code for holds, codes in asked if holds for code in codes]
    found += ["off_already"] if facts.off is not False else []
    return (*found, *((facts.meter,) if facts.meter is not None else ()))


_Asked = tuple[tuple[bool, Sequence[str]], ...]


def _by_day(hours: Sequence[str] | None) -> Sequence[str]:
    """What the clock has against it, the window for dues apart."""
    return ("quiet_hours",) if hours is None else [code for code in hours if code != "outside_window"]


def _own_request(facts: OwnRequest) -> _Asked:
    return (
        (not facts.asked, ("no_request",)),
        (not facts.identified, ("not_identified",)),
        (facts.withdrawn is not False, ("request_withdrawn",)),
        (not facts.wished, ("not_wished_yet",)),
        (bool(facts.held), ("held",)),
        (facts.vulnerable is not None, ("vulnerable",)),
        (True, _by_day(facts.hours)),
    )


def _safety(facts: Safety) -> _Asked:
    return (
        (not facts.reported, ("no_hazard",)),
        (facts.over is not False, ("hazard_over",)),
        (not facts.fresh, ("hazard_stale",)),
        (not facts.evidence, ("no_evidence",)),
        (facts.vulnerable is not None, ("vulnerable",)),
    )


def _theft(facts: Theft) -> _Asked:
    return (
        (not facts.found, ("no_finding",)),
        (not facts.answered, ("one_officer",)),
        (facts.rests_on_meter is not False and facts.seen_again != "confirmed", ("not_read_again",)),
        (facts.paid is not False, ("assessment_paid",)),
        (not facts.fresh, ("finding_stale",)),
        (bool(facts.held), ("held",)),
        (facts.vulnerable is not None, ("vulnerable",)),
        (True, _by_day(facts.hours)),
    )


def _prepaid(facts: Prepaid) -> _Asked:
    return (
        (facts.policy is None, ("no_policy",)),
        (True, ("outside_window",) if facts.hours is None else facts.hours),
        (bool(facts.held), ("held",)),
        (bool(facts.area_held), ("area_held",)),
        (facts.vulnerable is not None, ("vulnerable",)),
        (bool(facts.pending), ("payment_pending",)),
        (not facts.prepaid, ("not_prepaid",)),
        (True, facts.conversion or ()),
        (bool(facts.stale_channels), ("due_not_visible",)),
        ((facts.balance_paise or 0) <= 0, ("balance_left",)),
        ((facts.at_midnight_paise or 0) <= 0, ("zero_only_today",)),
        (not facts.told, ("zero_not_told",)),
    )

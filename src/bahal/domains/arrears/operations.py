"""Writing policy, no-cut days and holds."""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import NamedTuple

from bahal.domains.arrears.errors import (
    HoldKindUnknown,
    HoldLifted,
    HoldWithoutEvidence,
    PolicyVersionTaken,
)
from bahal.domains.arrears.models import HOLD_KINDS
from bahal.domains.arrears.queries import Hold, find_hold
from bahal.foundation.rows import copy, run, value
from bahal.foundation.transactions import transaction_required


class NewPolicy(NamedTuple):
    """A version of the recovery policy; paise, whole days, times of day in India."""

    version: str
    effective_from: date
    minimum_paise: int
    notice_clear_days: int
    reminders: int
    last_reminder_within_days: int
    window_from: time
    window_to: time
    stale_after_months: int
    reconnection_paise: int
    source: str
    verified: bool


class NoCutDay(NamedTuple):
    """A day without cuts."""

    day: date
    reason: str
    reason_hi: str


@transaction_required
def set_policy(policy: NewPolicy) -> None:
    """Write a version of the policy; it is in force from its date on.

    :raises PolicyVersionTaken: the version exists.
    """
    columns = ", ".join(NewPolicy._fields)
    written = run(
        f"INSERT INTO arrears_policy ({columns}) VALUES ({', '.join(['%s'] * len(policy))}) ON CONFLICT DO NOTHING",  # noqa: S608
        *policy,
    )
    if not written:
        raise PolicyVersionTaken(version=policy.version)


@transaction_required
def add_no_cut_days(days: Iterable[NoCutDay]) -> int:
    """Declare days free of cuts; how many."""
    return copy("arrears_nocutday", NoCutDay._fields, days)


@transaction_required
def place_hold(
    *, connection: int, kind: str, evidence: str, owner: str, business_at: datetime, expires_at: datetime | None
) -> int:
    """Write a hold; its id. The caller has locked the connection and bumps its fence.

    :raises HoldKindUnknown: no such kind.
    :raises HoldWithoutEvidence: no evidence, or an expiry that has passed.
    """
    if kind not in HOLD_KINDS:
        raise HoldKindUnknown(kind=kind, kinds=", ".join(HOLD_KINDS))
    if not evidence.strip():
        raise HoldWithoutEvidence(field="evidence")
    if expires_at is not None and expires_at <= business_at:
        raise HoldWithoutEvidence(field="expires_at")
    return int(
        value(
            "INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
            connection,
            kind,
            evidence,
            owner,
            business_at,
            expires_at,
        )
    )


@transaction_required
def lift_hold(*, hold: int, lifted_by: str, business_at: datetime) -> Hold:
    """Lift a hold. The caller has locked its connection and bumps its fence.

    :raises HoldUnknown: no such hold.
    :raises HoldLifted: it was lifted before.
    """
    done = run(
        "UPDATE arrears_hold SET lifted_at = %s, lifted_by = %s WHERE id = %s AND lifted_at IS NULL",
        business_at,
        lifted_by,
        hold,
    )
    found = find_hold(hold=hold)
    if not done:
        raise HoldLifted(hold=hold, lifted_at=found.lifted_at, lifted_by=found.lifted_by)
    return found

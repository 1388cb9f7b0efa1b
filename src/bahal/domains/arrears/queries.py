"""Questions about policy and holds."""

from datetime import datetime
from typing import NamedTuple

from bahal.domains.arrears.errors import HoldUnknown, NoPolicy
from bahal.foundation.rows import many, one
from bahal.shared.clock import day_in_india


class Policy(NamedTuple):
    """The policy in force at an instant."""

    version: str
    minimum_paise: int
    notice_clear_days: int
    reminders: int
    last_reminder_within_days: int
    verified: bool


class Hold(NamedTuple):
    """A hold on cuts."""

    id: int
    connection: int
    kind: str
    evidence: str
    owner: str
    placed_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None


def policy_at(*, business_at: datetime) -> Policy:
    """The recovery policy in force.

    :raises NoPolicy: none is.
    """
    row = one(
        "SELECT version, minimum_paise, notice_clear_days, reminders, last_reminder_within_days, verified"
        " FROM authority_policy(%s) WHERE version IS NOT NULL",
        business_at,
    )
    if row is None:
        raise NoPolicy(day=day_in_india(business_at))
    return Policy(*row)


def find_hold(*, hold: int) -> Hold:
    """One hold.

    :raises HoldUnknown: no such one.
    """
    row = one(f"SELECT {_HOLD} FROM arrears_hold WHERE id = %s", hold)  # noqa: S608
    if row is None:
        raise HoldUnknown(hold=hold)
    return Hold(*row)


def holds_of(*, connection: int) -> list[Hold]:
    """Every hold a connection ever had, those not lifted first."""
    rows = many(
        f"SELECT {_HOLD} FROM arrears_hold WHERE connection = %s ORDER BY lifted_at DESC NULLS FIRST, id",  # noqa: S608
        connection,
    )
    return [Hold(*row) for row in rows]


_HOLD = ", ".join(Hold._fields)

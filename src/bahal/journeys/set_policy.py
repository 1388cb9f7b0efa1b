"""A version of the recovery policy comes into force, with the days on which nobody is cut."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.operations import NewPolicy, NoCutDay, add_no_cut_days
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction


def set_policy(
    policy: NewPolicy, *, no_cut_days: Sequence[NoCutDay] = (), actor: str, at: datetime, business_at: datetime
) -> None:
    """Set a policy.

    :raises PolicyVersionTaken: the version exists.
    """
    with transaction():
        arrears.set_policy(policy)
        data = {
            "version": policy.version,
            "effective_from": policy.effective_from,
            "minimum_paise": policy.minimum_paise,
            "notice_clear_days": policy.notice_clear_days,
            "verified": policy.verified,
        }
        acts = [Act("policy.set", f"policy {policy.version}", None, data)]
        if no_cut_days:
            days = add_no_cut_days(no_cut_days)
            acts.append(Act("policy.no_cut_days", f"policy {policy.version}", None, {"days": days}))
        record_many(acts, actor=actor, at=at, business_at=business_at)

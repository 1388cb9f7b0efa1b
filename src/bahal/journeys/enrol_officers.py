"""Officers are enrolled with their roles and signing keys. The interlock trusts its own list, not this one."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.staff.operations import NewOfficer, enrol
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction


def enrol_officers(officers: Sequence[NewOfficer], *, actor: str, at: datetime, business_at: datetime) -> int:
    """Enrol those who are not enrolled yet; how many.

    :raises OfficerMalformed: one has no such role, or no public key.
    """
    with transaction():
        new = enrol(officers)
        acts = [
            Act("staff.enrolled", f"officer {each.login}", None, {"login": each.login, "role": each.role, "key": key})
            for each in new
            for key in [each.public_key[:16]]
        ]
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return len(new)

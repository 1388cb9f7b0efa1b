"""An officer answers, with a reason, for a rate that nobody has verified; bills that took it may then be issued."""

from datetime import datetime

from bahal.domains.tariffs import operations as tariffs
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.propose_tariff import may_set_tariff


def accept_rate(*, path: str, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept an unverified rate of a document in force, by the path that a bill's list names.

    :raises RateUnknown: no document in force has it.
    :raises RateVerified: it needs nobody's acceptance.
    :raises RateAccepted: somebody answers for it already.
    :raises TariffReasonMissing: no reason.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetTariff: his role sets no tariffs.
    """
    with transaction():
        may_set_tariff(officer)
        sha256 = tariffs.accept_rate(path=path, accepted_by=officer, reason=reason, at=at)
        record(
            actor=officer,
            act="tariff.rate_accepted",
            subject=f"rate {path}",
            data={"path": path, "sha256": sha256, "reason": reason.strip()},
            at=at,
            business_at=business_at,
        )

"""A second officer accepts a tariff document; from its day on bills are rated by it."""

from datetime import datetime

from bahal.domains.tariffs.document import read_document
from bahal.domains.tariffs.operations import accept_version
from bahal.domains.tariffs.queries import document_of, find_version
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.propose_tariff import may_set_tariff


def accept_tariff(*, version: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed version.

    :raises VersionUnknown: no such version.
    :raises VersionAccepted: it was accepted before.
    :raises SameTariffOfficer: he proposed it himself.
    :raises TariffReasonMissing: no reason.
    :raises TariffOverlap: what was accepted meanwhile holds on days of it.
    :raises ScheduleUnknown: it takes the place of a document that is not there any more.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetTariff: his role sets no tariffs.
    """
    with transaction():
        may_set_tariff(officer)
        found = find_version(version=version)
        document = read_document(document_of(version=version), file=found.name)
        accept_version(document, version=version, accepted_by=officer, reason=reason, at=at)
        record(
            actor=officer,
            act="tariff.accepted",
            subject=f"tariff {found.name}",
            data={
                "name": found.name,
                "effective_from": found.effective_from,
                "proposed_by": found.proposed_by,
                "sha256": found.sha256,
                "reason": reason.strip(),
            },
            at=at,
            business_at=business_at,
        )

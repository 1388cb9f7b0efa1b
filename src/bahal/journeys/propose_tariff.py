"""An officer proposes a tariff document: read and checked whole, in force only when a second officer accepts it."""

from datetime import datetime

from bahal.domains.staff.queries import find_officer
from bahal.domains.tariffs.document import read_document
from bahal.domains.tariffs.errors import OfficerMayNotSetTariff
from bahal.domains.tariffs.operations import propose_version
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction

TARIFF_ROLES = ("executive_engineer", "superintending_engineer", "revenue_officer")


def propose_tariff(*, text: str, file: str, officer: str, at: datetime, business_at: datetime) -> int:
    """Propose a document; the version's id. `file` is how refusals name the text.

    :raises TariffFileUnreadable, TariffKeyUnknown, TariffKeyMissing, TariffValueWrong, TariffRuleUnknown,
        TariffSlabsWrong, TariffSourceMissing, TariffGap, TariffOverlap: the document is bad; each names the line.
    :raises VersionTaken: its name is used.
    :raises ScheduleUnknown: it takes the place of a document that is not there.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetTariff: his role sets no tariffs.
    """
    document = read_document(text, file=file)
    with transaction():
        may_set_tariff(officer)
        version = propose_version(document, proposed_by=officer, at=at)
        record(
            actor=officer,
            act="tariff.proposed",
            subject=f"tariff {document.name}",
            data={
                "name": document.name,
                "effective_from": document.start,
                "version": version,
                "sha256": document.sha256,
                "verified": document.verified,
            },
            at=at,
            business_at=business_at,
        )
    return version


def may_set_tariff(login: str) -> None:
    """Whether this officer's role proposes and accepts tariffs and rates.

    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetTariff: it does not.
    """
    officer = find_officer(login=login)
    if officer.role not in TARIFF_ROLES:
        raise OfficerMayNotSetTariff(login=login, role=officer.role)

"""The checker signs a drive: another officer, over the same bytes; its cuts are authorised by this and nothing else."""

from datetime import datetime

from bahal.domains.staff.queries import signing_officer
from bahal.domains.supply.errors import DriveExpired, DriveNotInState, MakerUnsigned, SameOfficer, SignatureWrong
from bahal.domains.supply.operations import authorise
from bahal.domains.supply.queries import drive_locked
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.warrant import verified


def sign_drive(*, drive: int, checker: str, signature: str, at: datetime, business_at: datetime) -> int:
    """Add the second signature; how many cuts it authorised. Those paid for or held meanwhile are cancelled already.

    :raises DriveUnknown: no such drive.
    :raises DriveNotInState: it does not wait for a signature.
    :raises MakerUnsigned: its maker has not signed it yet.
    :raises DriveExpired: the warrant's time is over.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign drives.
    :raises SameOfficer: he made the proposal himself.
    :raises SignatureWrong: the signature is not his over this document as its checker.
    """
    with transaction():
        found = drive_locked(drive=drive)
        if found.state != "proposed":
            raise DriveNotInState(drive=drive, state=found.state, wanted="proposed")
        if business_at >= found.expires_at:
            raise DriveExpired(drive=drive, expires_at=found.expires_at)
        if not found.maker_signature:
            raise MakerUnsigned(drive=drive, officer=found.maker)
        if checker == found.maker:
            raise SameOfficer(officer=checker)
        officer = signing_officer(login=checker)
        if not verified(officer.public_key, signature, found.document, "checker"):
            raise SignatureWrong(officer=checker)
        orders = authorise(found, checker=checker, signature=signature, at=at)
        record(
            actor=checker,
            act="supply.drive.signed",
            subject=f"drive {drive}",
            data={"drive": drive, "orders": orders},
            at=at,
            business_at=business_at,
        )
    return orders

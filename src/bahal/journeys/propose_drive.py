"""The maker proposes a drive: his document, signed or still to be signed on the interlock's page, and the list derived
again and found the same."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.offices.queries import get_circle
from bahal.domains.staff.queries import signing_officer
from bahal.domains.supply.derivation import keep_derivation, packed
from bahal.domains.supply.errors import ListChanged, SignatureWrong, WarrantMalformed, WarrantUsed
from bahal.domains.supply.operations import NewCut, NewDrive, OrderTaken, propose_orders
from bahal.domains.supply.operations import propose_drive as write_drive
from bahal.domains.supply.queries import drive_of_warrant
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.draft_drive import GROUND, check_time
from bahal.journeys.eligibility import EVERYBODY, Funnel, Selection, who_may_be_cut
from bahal.shared.warrant import Document, verified


@dataclass(frozen=True, slots=True)
class Proposed:
    """A drive that waits for its second signature."""

    drive: int
    orders: int
    sum_paise: int
    list_sha256: str
    funnel: Funnel


def propose_drive(
    *,
    document: str,
    signature: str | None,
    name: str,
    at: datetime,
    business_at: datetime,
    selection: Selection = EVERYBODY,
) -> Proposed:
    """Propose the drive of a document that its maker has signed, or, without a signature, will sign on the page. It was
    drafted for the same selection.

    :raises WarrantMalformed: not a warrant in canonical form, of another ground, or with a wrong time or cap.
    :raises OfficeUnknown: its circle does not exist.
    :raises NotACircle: its office is no circle.
    :raises OfficerUnknown: its maker does not exist.
    :raises OfficerMayNotSign: his role does not sign drives.
    :raises SignatureWrong: the signature is not his over this document as its maker.
    :raises WarrantUsed: the warrant was proposed before.
    :raises ListChanged: the list is another one now; draft it again.
    """
    signed = _read(document)
    check_time(not_before=signed.not_before, expires_at=signed.expires_at, business_at=business_at)
    with transaction():
        get_circle(office=signed.circle)
        maker = signing_officer(login=signed.maker)
        if signature is not None and not verified(maker.public_key, signature, document, "maker"):
            raise SignatureWrong(officer=signed.maker)
        used = drive_of_warrant(warrant=signed.warrant)
        if used is not None:
            raise WarrantUsed(drive=used)
        cut_at = max(business_at, signed.not_before)
        eligible = who_may_be_cut(circle=signed.circle, business_at=business_at, cut_at=cut_at, selection=selection)
        changed = ListChanged(drafted=signed.orders, found=len(eligible.lines))
        now = (eligible.list_sha256, len(eligible.lines), eligible.sum_paise, eligible.policy.version)
        if now != (signed.list_sha256, signed.orders, signed.sum_paise, signed.policy):
            raise changed
        new = NewDrive(
            warrant=uuid.UUID(signed.warrant),
            office=signed.circle,
            name=name,
            orders=signed.orders,
            sum_paise=signed.sum_paise,
            list_sha256=signed.list_sha256,
            document=document,
            maker=signed.maker,
            maker_signature=signature or "",
            policy=signed.policy,
            not_before=signed.not_before,
            expires_at=signed.expires_at,
        )
        drive = write_drive(new, at=at)
        derivation = packed(eligible.candidates, by_hand=selection.by_hand)
        keep_derivation(derivation, drive=drive)
        cuts = [
            NewCut(line.position, line.meter, line.connection, line.paise, line.bills, line.notice_sha256, line.fence)
            for line in eligible.lines
        ]
        try:
            propose_orders(cuts, drive=drive, cause=f"drive {drive}", at=at)
        except OrderTaken as taken:
            raise changed from taken
        record(
            actor=signed.maker,
            act="supply.drive.proposed",
            subject=f"drive {drive}",
            data={
                "drive": drive,
                "orders": signed.orders,
                "paise": signed.sum_paise,
                "list_sha256": signed.list_sha256,
                "facts_sha256": derivation.sha256,
                "policy": signed.policy,
                "signed": signature is not None,
                "funnel": eligible.funnel.as_json(),
                "selection": selection.as_json(),
            },
            at=at,
            business_at=business_at,
        )
    return Proposed(drive, signed.orders, signed.sum_paise, signed.list_sha256, eligible.funnel)


def _read(document: str) -> Document:
    try:
        signed = Document.parse(document)
        uuid.UUID(signed.warrant)
    except ValueError as wrong:
        raise WarrantMalformed(why=str(wrong)) from wrong
    if signed.ground != GROUND:
        raise WarrantMalformed(why=f"ground {signed.ground}")
    if signed.orders < 1 or signed.cap < signed.orders:
        raise WarrantMalformed(why=f"cap {signed.cap} < {signed.orders}")
    return signed

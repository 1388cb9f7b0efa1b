"""Two officers let go, or delete, cuts that exceeded a cap and wait in quarantine. The interlock verifies both.

The business only carries the request; the interlock answers in its `outcome`. What nobody decides ends with the
warrant.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.staff.queries import signing_officer
from bahal.domains.supply.errors import LettingOver, NothingQuarantined, ReasonMissing, SameOfficer, SignatureWrong
from bahal.domains.supply.operations import propose_letting, second_letting
from bahal.domains.supply.queries import Cap, Quarantined, caps_of, drive_of, letting_of, quarantined
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.letting import LETTING_LASTS, LettingDocument, letting_verified, orders_sha256


@dataclass(frozen=True, slots=True)
class Excess:
    """What waits, and the caps that it met."""

    orders: Sequence[Quarantined]
    caps: Sequence[Cap]


def excess_of(*, drive: int) -> Excess:
    """The quarantined orders of a drive, and how full each cap over it is.

    :raises DriveUnknown: no such drive.
    """
    drive_of(drive=drive)
    return Excess(quarantined(drive=drive), caps_of(drive=drive))


def draft_letting(*, drive: int, act: str, reason: str, orders: Sequence[int] | None = None, at: datetime) -> str:
    """The document for two officers to sign within half an hour: `act` release or delete, over `orders` or all.

    :raises DriveUnknown: no such drive.
    :raises NothingQuarantined: none of these orders waits.
    :raises ReasonMissing: no reason is given.
    """
    if not reason.strip():
        raise ReasonMissing()
    drive_of(drive=drive)
    waiting = [each.order for each in quarantined(drive=drive) if orders is None or each.order in orders]
    if not waiting:
        raise NothingQuarantined(drive=drive)
    return LettingDocument(
        drive=drive,
        act=act,
        orders=len(waiting),
        orders_sha256=orders_sha256(waiting),
        reason=reason,
        nonce=secrets.token_hex(16),
        expires_at=at + LETTING_LASTS,
    ).canonical()


def ask_to_let(
    *,
    document: str,
    orders: Sequence[int] | None,
    officer: str,
    signature: str,
    at: datetime,
    business_at: datetime,
) -> int:
    """The first officer's signed request; its id. `orders` as at the draft.

    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign.
    :raises SignatureWrong: the signature is not his over this document, or these are other orders now.
    """
    stated = LettingDocument.parse(document)
    with transaction():
        _check(document, officer, signature)
        waiting = [each.order for each in quarantined(drive=stated.drive) if orders is None or each.order in orders]
        if orders_sha256(waiting) != stated.orders_sha256:
            raise SignatureWrong(officer=officer)
        letting = propose_letting(
            drive=stated.drive, orders=waiting, document=document, first=officer, signature=signature
        )
        data = {"letting": letting, "drive": stated.drive, "orders": stated.orders, "what": stated.act,
                "reason": stated.reason}  # fmt: skip
        record(
            actor=officer, act="supply.quarantine.asked", subject=f"drive {stated.drive}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return letting


def second_to_let(*, letting: int, officer: str, signature: str, at: datetime, business_at: datetime) -> None:
    """The second officer's signature; the interlock judges the request next.

    :raises LettingUnknown: no such request.
    :raises LettingOver: it has two signatures.
    :raises SameOfficer: he asked himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign.
    :raises SignatureWrong: the signature is not his over this document.
    """
    with transaction():
        asked = letting_of(letting=letting)
        if asked.second is not None:
            raise LettingOver(letting=letting)
        if asked.first == officer:
            raise SameOfficer(officer=officer)
        _check(asked.document, officer, signature)
        second_letting(letting=letting, second=officer, signature=signature)
        record(
            actor=officer, act="supply.quarantine.signed", subject=f"drive {asked.drive}", data={"letting": letting},
            at=at, business_at=business_at,
        )  # fmt: skip
        ring("bahal_orders")


def _check(document: str, officer: str, signature: str) -> None:
    if not letting_verified(signing_officer(login=officer).public_key, signature, document):
        raise SignatureWrong(officer=officer)

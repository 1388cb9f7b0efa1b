"""Two officers let cuts go out again after a stop: each signs which stop, why it was, and why it is over.

The business only carries the request. The interlock verifies both signatures with its own list of keys and answers in
the request's `outcome`; a request for another stop than the one in force arms nothing.
"""

import secrets
from datetime import datetime

from bahal.domains.staff.queries import signing_officer
from bahal.domains.supply.errors import ArmingOver, CutsNotStopped, ReasonMissing, SameOfficer, SignatureWrong
from bahal.domains.supply.operations import propose_arming, second_arming
from bahal.domains.supply.queries import arming_of, switch
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.warrant import ARMING_LASTS, ArmingDocument, arming_verified


def draft_arming(*, reason: str, at: datetime) -> str:
    """The document for the stop in force, for two officers to sign within half an hour.

    :raises CutsNotStopped: there is no stop.
    :raises ReasonMissing: no reason is given.
    """
    if not reason.strip():
        raise ReasonMissing()
    found = switch()
    if found.stopped_at is None:
        raise CutsNotStopped()
    return ArmingDocument(
        stop=found.stops,
        stopped_why=found.stopped_why or "",
        reason=reason,
        nonce=secrets.token_hex(16),
        expires_at=at + ARMING_LASTS,
    ).canonical()


def ask_to_arm(*, document: str, officer: str, signature: str, at: datetime, business_at: datetime) -> int:
    """The first officer's signed request; its id.

    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign.
    :raises SignatureWrong: the signature is not his over this document.
    """
    with transaction():
        _check(document, officer, signature)
        stated = ArmingDocument.parse(document)
        arming = propose_arming(stop=stated.stop, document=document, first=officer, signature=signature)
        data = {"arming": arming, "stop": stated.stop, "reason": stated.reason}
        record(
            actor=officer, act="supply.cuts.arming_asked", subject=f"stop {stated.stop}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return arming


def second_to_arm(*, arming: int, officer: str, signature: str, at: datetime, business_at: datetime) -> None:
    """The second officer's signature; the interlock judges the request next.

    :raises ArmingUnknown: no such request.
    :raises ArmingOver: it has two signatures.
    :raises SameOfficer: he asked himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign.
    :raises SignatureWrong: the signature is not his over this document.
    """
    with transaction():
        asked = arming_of(arming=arming)
        if asked.second is not None:
            raise ArmingOver(arming=arming)
        if asked.first == officer:
            raise SameOfficer(officer=officer)
        _check(asked.document, officer, signature)
        second_arming(arming=arming, second=officer, signature=signature)
        record(
            actor=officer, act="supply.cuts.arming_signed", subject=f"stop {asked.stop}", data={"arming": arming},
            at=at, business_at=business_at,
        )  # fmt: skip
        ring("bahal_orders")


def _check(document: str, officer: str, signature: str) -> None:
    if not arming_verified(signing_officer(login=officer).public_key, signature, document):
        raise SignatureWrong(officer=officer)

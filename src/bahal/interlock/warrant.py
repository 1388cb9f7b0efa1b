"""Is this drive what two officers signed? Every way in which it is not has a name.

The interlock trusts neither the drive's row nor its orders: it rebuilds the list from the order rows, line by line,
and holds it against the document whose signatures it checks with its own list of officers' keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bahal.interlock.officers import NoAuthority, Officer, authority_of, wrong_with
from bahal.shared.passkey import Place
from bahal.shared.warrant import LONGEST, Document, Line, list_sha256

GROUNDS: Final = frozenset({"nonpayment_s56", "own_request", "safety", "theft_s135"})
"""Grounds whose list two officers sign; each has its own derivation in the database. Prepaid has a standing warrant of
another form, and is refused."""

REFUSALS: Final = frozenset(
    {
        "warrant_not_canonical",
        "warrant_of_another_drive",
        "warrant_unsigned",
        "warrant_officer_unknown",
        "warrant_over_officers_cap",
        "warrant_delegation_elsewhere",
        "warrant_delegation_over",
        "warrant_delegation_over_cap",
        "warrant_delegation_void",
        "warrant_one_authority",
        "warrant_passkey_unknown",
        "warrant_passkey_malformed",
        "warrant_passkey_key",
        "warrant_passkey_kind",
        "warrant_passkey_challenge",
        "warrant_passkey_origin",
        "warrant_passkey_cross_origin",
        "warrant_passkey_host",
        "warrant_passkey_user_absent",
        "warrant_passkey_user_unverified",
        "warrant_passkey_not_taken",
        "warrant_one_officer",
        "warrant_signature_wrong",
        "warrant_list_differs",
        "warrant_count_differs",
        "warrant_sum_differs",
        "warrant_over_cap",
        "warrant_ground_unknown",
        "warrant_too_long",
        "warrant_expired",
        "warrant_other_circle",
        "warrant_used",
        "warrant_line_unknown",
    }
)


class WarrantRefused(Exception):
    """This drive may not run; `name` is one of `REFUSALS`."""

    def __init__(self, name: str, drive: int, **data: object) -> None:
        super().__init__(f"drive {drive}: {name}")
        self.name = name
        self.drive = drive
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A drive's row as the business wrote it. Nothing in it is trusted."""

    id: int
    warrant: str
    office: int
    orders: int
    sum_paise: int
    list_sha256: str
    document: str
    maker: str
    maker_signature: str
    checker: str | None
    checker_signature: str | None
    not_before: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Authorities:
    """By whose authority the two officers signed: their own logins, or those of whom they stand in for."""

    maker: str
    checker: str


def check_document(
    drive: Drive, officers: Mapping[str, Officer], *, at: datetime, place: Place | None = None
) -> tuple[Document, Authorities]:
    """The document of this drive, if it is one, two different officers signed it, and the drive's row repeats it.

    Needs none of the list: what is forged is refused before it costs anything.

    :param at: business time, by which keys and delegations are valid.
    :param place: where passkeys sign.
    :raises WarrantRefused: with the first thing that is wrong.
    """

    def refuse(name: str, **data: object) -> WarrantRefused:
        return WarrantRefused(name, drive.id, **data)

    try:
        document = Document.parse(drive.document)
        figures = (document.circle, document.orders, document.sum_paise, document.cap)
        if not all(type(figure) is int for figure in figures):
            raise ValueError("circle, orders, sum and cap are whole numbers")
    except ValueError as wrong:
        raise refuse("warrant_not_canonical", why=str(wrong)) from wrong
    authorities = _check_signatures(drive, document, officers, at, place, refuse)
    if (document.warrant, document.maker, document.not_before, document.expires_at, document.list_sha256) != (
        drive.warrant,
        drive.maker,
        drive.not_before,
        drive.expires_at,
        drive.list_sha256,
    ):
        raise refuse("warrant_of_another_drive")
    return document, authorities


def verify(
    drive: Drive,
    lines: Sequence[Line],
    grounds: Collection[str],
    officers: Mapping[str, Officer],
    at: datetime,
    place: Place | None = None,
) -> Document:
    """The document of this drive, if two different officers signed exactly this list.

    :param lines: the drive's orders in order of position, as the order rows have them.
    :param grounds: every ground that occurs in them.
    :param at: business time.
    :raises WarrantRefused: with the first thing that is wrong.
    """

    document, _ = check_document(drive, officers, at=at, place=place)
    check_list(drive, document, lines, grounds, at)
    return document


def check_list(drive: Drive, document: Document, lines: Sequence[Line], grounds: Collection[str], at: datetime) -> None:
    """Refuse a list that is not the document's, or a document whose time or figures do not hold.

    :raises WarrantRefused: with the first thing that is wrong.
    """

    def refuse(name: str, **data: object) -> WarrantRefused:
        return WarrantRefused(name, drive.id, **data)

    if document.circle != drive.office:
        raise refuse("warrant_other_circle", circle=document.circle)
    if document.ground not in GROUNDS or set(grounds) != {document.ground}:
        raise refuse("warrant_ground_unknown", ground=document.ground)
    if not (len(lines) == document.orders == drive.orders) or not lines:
        raise refuse("warrant_count_differs", found=len(lines), signed=document.orders)
    if not (sum(line.paise for line in lines) == document.sum_paise == drive.sum_paise):
        raise refuse("warrant_sum_differs", signed=document.sum_paise)
    if [line.position for line in lines] != list(range(len(lines))) or _digest(lines) != document.list_sha256:
        raise refuse("warrant_list_differs")
    if document.orders > document.cap:
        raise refuse("warrant_over_cap", orders=document.orders, cap=document.cap)
    if not document.not_before < document.expires_at <= document.not_before + LONGEST:
        raise refuse("warrant_too_long")
    if at >= document.expires_at:
        raise refuse("warrant_expired")


def _digest(lines: Sequence[Line]) -> str:
    try:
        return list_sha256(lines)
    except ValueError:
        return ""


def _check_signatures(
    drive: Drive,
    document: Document,
    officers: Mapping[str, Officer],
    at: datetime,
    place: Place | None,
    refuse: Callable[..., WarrantRefused],
) -> Authorities:
    if drive.checker is None or drive.checker_signature is None:
        raise refuse("warrant_unsigned")
    if drive.maker == drive.checker:
        raise refuse("warrant_one_officer", login=drive.maker)
    authorities = []
    for role, login, signature in (
        ("maker", drive.maker, drive.maker_signature),
        ("checker", drive.checker, drive.checker_signature),
    ):
        try:
            authorities.append(authority_of(login, document, officers, at))
        except NoAuthority as none:
            raise refuse(none.name, login=login) from none
        wrong = wrong_with(signature, officers[login], drive.document, role, place, at)
        if wrong:
            raise refuse(wrong, role=role)
    if authorities[0] == authorities[1]:
        # Two people, and one authority lent and used twice.
        raise refuse("warrant_one_authority", login=authorities[0])
    return Authorities(*authorities)

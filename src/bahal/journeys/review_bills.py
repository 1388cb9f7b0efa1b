"""A held bill is decided by an officer with a reason: it goes out as it is, or is dropped, so that the next run rates
the period again from what was corrected."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection as database

from bahal.domains.billing.errors import DraftRateNotAccepted, ReasonWanted
from bahal.domains.billing.operations import Draft, RatedBill, decide, take_draft
from bahal.domains.billing.queries import USUAL_GROUP, connection_of_draft, groups, review_queue, unpacked
from bahal.domains.network.queries import centre_of
from bahal.domains.staff.queries import find_officer
from bahal.domains.tariffs.lines import Rating, read_stored
from bahal.domains.tariffs.queries import unaccepted
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.issue_bills import issue, number_of, parts_of
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply

ACCEPTED = "rates accepted"


def release_bill(*, draft: int, officer: str, reason: str, at: datetime, business_at: datetime) -> str:
    """Issue a held bill as it was rated; its number.

    :raises ReasonWanted: no reason was given.
    :raises OfficerUnknown: no such officer.
    :raises DraftUnknown: none is held under this number.
    :raises DraftRateNotAccepted: a rate that decided it is neither verified nor accepted.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    find_officer(login=officer)
    with transaction():
        held = _locked(draft)
        return _issue(held, _rating(held), officer=officer, reason=reason, at=at, business_at=business_at)


def drop_bill(*, draft: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Drop a held bill: what it rests on was, or will be, corrected, and the next run rates the period again.

    :raises ReasonWanted: no reason was given.
    :raises OfficerUnknown: no such officer.
    :raises DraftUnknown: none is held under this number.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    find_officer(login=officer)
    with transaction():
        held = _locked(draft)
        decide(draft=draft, state="dropped", officer=officer, reason=reason, at=at)
        record(
            actor=officer,
            act="bill.dropped",
            subject=f"draft {draft}",
            connection=held.connection,
            data={"month": f"{held.month:%m-%Y}", "paise": held.paise, "why": reason.strip()},
            at=at,
            business_at=business_at,
        )


def release_accepted(*, officer: str, at: datetime, business_at: datetime, limit: int = 1_000) -> int:
    """Issue the bills that were held for their rates alone and whose rates an officer has answered for since; how many.

    :raises OfficerUnknown: no such officer.
    """
    find_officer(login=officer)
    count = 0
    for waiting in review_queue(limit=limit):
        if waiting.reasons != ["rate_unverified"]:
            continue
        with transaction():
            held = _locked(waiting.draft)
            rating = _rating(held)
            if unaccepted(rating.unverified):
                continue
            _issue(held, rating, officer=officer, reason=ACCEPTED, at=at, business_at=business_at)
        count += 1
    return count


def _locked(draft: int) -> Draft:
    """The draft, after its connection's fence: the written order of locks."""
    connection = connection_of_draft(draft=draft)
    if connection is not None:
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
    return take_draft(draft=draft)


def _rating(held: Draft) -> Rating:
    return read_stored(unpacked([(held.id, held.body, held.amounts)])[held.id])


def _issue(held: Draft, rating: Rating, *, officer: str, reason: str, at: datetime, business_at: datetime) -> str:
    if not reason.strip():
        raise ReasonWanted()
    open_rates = unaccepted(rating.unverified)
    if open_rates:
        raise DraftRateNotAccepted(draft=held.id, path=open_rates[0].path)
    today = day_in_india(business_at)
    group = groups().get(centre_of(connection=held.connection), USUAL_GROUP)
    bill = RatedBill(
        held.connection,
        number_of(held.connection, held.period_to, 0),
        held.month,
        today,
        today + timedelta(days=group.days_to_pay),
        held.consumption_wh,
        held.paise,
        held.estimated,
        False,
        held.kind,
        held.period_from,
        held.period_to,
        0,
        held.amounts,
        held.body,
    )
    (id_,) = issue([bill], parts_of(rating.lines), actor=officer, at=at, business_at=business_at)
    decide(draft=held.id, state="issued", officer=officer, reason=reason, at=at, bill=id_)
    record(
        actor=officer,
        act="bill.released",
        subject=f"bill {bill.number}",
        connection=held.connection,
        data={"number": bill.number, "paise": bill.paise, "why": reason.strip()},
        at=at,
        business_at=business_at,
    )
    return bill.number

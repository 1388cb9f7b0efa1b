"""What the tariff sees of a connection changes from a day on: category, load, phase, BPL, temporary, kind of use."""

from datetime import date, datetime

from django.db import connection as database

from bahal.domains.billing.errors import ReasonWanted, TermsMalformed
from bahal.domains.billing.operations import NewTerms, set_terms
from bahal.domains.staff.queries import find_officer
from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.queries import book
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.determine import horsepower
from bahal.shared.locks import lock_supply


def change_terms(
    *, connection: int, effective_from: date, facts: Facts, reason: str, actor: str, at: datetime, business_at: datetime
) -> None:
    """Set what holds from a day on; a bill that went out for later days is revised by `revise_bill`.

    :raises ReasonWanted: no reason was given.
    :raises OfficerUnknown: no such officer.
    :raises TermsMalformed: no such category, phases other than 1 or 3, or no load.
    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if not reason.strip():
        raise ReasonWanted()
    find_officer(login=actor)
    for field, wrong in (
        ("category", facts.category not in book().categories),
        ("phases", facts.phases not in (1, 3)),
        ("load_w", facts.load_w <= 0),
    ):
        if wrong:
            raise TermsMalformed(field=field)
    mhp = facts.load_mhp or horsepower(facts.category, facts.load_w)
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        set_terms(NewTerms(connection, effective_from, *facts._replace(load_mhp=mhp), reason.strip()))
        record(
            actor=actor,
            act="bill.terms_changed",
            subject=f"connection {connection}",
            connection=connection,
            data={
                "category": facts.category,
                "phases": facts.phases,
                "load_w": facts.load_w,
                "effective_from": effective_from,
                "why": reason.strip(),
            },
            at=at,
            business_at=business_at,
        )

"""The register of vulnerable consumers, and connections that became prepaid: while either speaks, nobody is cut."""

from datetime import date, datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.supply.operations import bump, cancel
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction, transaction_required
from bahal.shared.locks import lock_supply


def register(
    *, connection: int, need: str, evidence: str, review_on: date, actor: str, at: datetime, business_at: datetime
) -> int:
    """Enter a connection in the register; the entry's id. It stands until somebody ends it, also after `review_on`.

    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    :raises NeedUnknown: no such need.
    :raises HoldWithoutEvidence: no evidence.
    :raises RegisteredAlready: it stands there already.
    """
    with transaction():
        _lock(connection)
        entry = arrears.register_vulnerable(
            connection=connection, need=need, evidence=evidence, registered_by=actor, business_at=business_at,
            review_on=review_on,
        )  # fmt: skip
        data = {"need": need, "evidence": evidence, "review_on": review_on}
        act = Act("vulnerable.registered", f"entry {entry}", connection, data)
        _stop(connection, act, cause=need, actor=actor, at=at, business_at=business_at)
    return entry


def end(*, connection: int, reason: str, actor: str, at: datetime, business_at: datetime) -> None:
    """End an entry, with the reason. Nothing is cut by this: a new drive judges anew.

    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    :raises ReasonMissing: no reason.
    :raises NotRegistered: it is not in the register.
    """
    with transaction():
        _lock(connection)
        arrears.end_vulnerable(connection=connection, ended_by=actor, reason=reason, business_at=business_at)
        bump([connection])
        act = Act("vulnerable.ended", f"connection {connection}", connection, {"reason": reason.strip()})
        record_many([act], actor=actor, at=at, business_at=business_at)


def note_conversion(*, connection: int, converted_on: date, actor: str, at: datetime, business_at: datetime) -> None:
    """Note that a connection became prepaid: no cut until its opening balance is reconciled, nor in the days of grace.

    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        _lock(connection)
        arrears.note_conversion(connection=connection, converted_on=converted_on, noted_by=actor)
        act = Act("conversion.noted", f"connection {connection}", connection, {"converted_on": converted_on})
        _stop(connection, act, cause="conversion", actor=actor, at=at, business_at=business_at)


def reconcile_conversion(
    *, connection: int, opening_paise: int, actor: str, at: datetime, business_at: datetime
) -> None:
    """Note the opening balance of a converted connection as reconciled, by another officer than who noted it.

    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    :raises ConversionUnknown: nothing waits to be reconciled, or he noted it himself.
    """
    with transaction():
        _lock(connection)
        arrears.reconcile_conversion(
            connection=connection, opening_paise=opening_paise, reconciled_by=actor, business_at=business_at
        )
        bump([connection])
        act = Act("conversion.reconciled", f"connection {connection}", connection, {"opening_paise": opening_paise})
        record_many([act], actor=actor, at=at, business_at=business_at)


def _lock(connection: int) -> None:
    with database.cursor() as cursor:
        lock_supply(cursor, [connection])


@transaction_required
def _stop(connection: int, act: Act, *, cause: str, actor: str, at: datetime, business_at: datetime) -> None:
    """Raise the fence and cancel a cut that has not gone out."""
    bump([connection])
    acts = [act]
    cut = standing_locked(connection=connection).unsent_cut()
    if cut is not None:
        cancel(cut.id, reason="held")
        data = {"order": cut.id, "reason": "held", "cause": cause}
        acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, data))
    record_many(acts, actor=actor, at=at, business_at=business_at)

"""Writing policy, no-cut days, holds, disputes, instalment plans, surcharge, write-offs and the steps after a cut."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.arrears.errors import (
    AreaHoldUnknown,
    AreaWrong,
    BillDisputed,
    ConversionUnknown,
    DisputeUnknown,
    HoldKindUnknown,
    HoldLifted,
    HoldWithoutEvidence,
    NeedUnknown,
    NotRegistered,
    PlanOpen,
    PolicyAccepted,
    PolicyUnknown,
    PolicyVersionTaken,
    ReasonMissing,
    RegisteredAlready,
    SameOfficer,
    WriteOffOpen,
    WriteOffUnknown,
)
from bahal.domains.arrears.models import AREA_KINDS, HOLD_KINDS, NEEDS
from bahal.domains.arrears.policy import PolicyDocument
from bahal.domains.arrears.queries import Hold, WriteOff, find_hold, open_write_off
from bahal.domains.arrears.rules.plan import Instalment, Standing
from bahal.domains.arrears.rules.surcharge import Charge
from bahal.foundation.rows import copy, one, run, value
from bahal.foundation.transactions import transaction_required


class NoCutDay(NamedTuple):
    """A day without cuts."""

    day: date
    reason: str
    reason_hi: str


@transaction_required
def propose_policy(document: PolicyDocument, *, proposed_by: str, at: datetime) -> None:
    """Write a version of the policy, not in force before a second officer accepts it.

    :raises PolicyVersionTaken: the version exists.
    """
    row = {**document.columns(), "proposed_by": proposed_by, "proposed_at": at}
    written = run(
        f"INSERT INTO arrears_policy ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))}) ON CONFLICT DO NOTHING",  # noqa: S608
        *row.values(),
    )
    if not written:
        raise PolicyVersionTaken(version=document.version)


@transaction_required
def accept_policy(*, version: str, accepted_by: str, reason: str, at: datetime) -> None:
    """Accept a proposed version; from its day on it decides. The caller holds the lock of `change_for_all`.

    :raises ReasonMissing: no reason.
    :raises PolicyUnknown: no such version.
    :raises PolicyAccepted: it was accepted before.
    :raises SameOfficer: he proposed it himself.
    """
    if not reason.strip():
        raise ReasonMissing()
    row = one("SELECT proposed_by, accepted_by FROM arrears_policy WHERE version = %s FOR UPDATE", version)
    if row is None:
        raise PolicyUnknown(version=version)
    if row[1] is not None:
        raise PolicyAccepted(version=version)
    if row[0] == accepted_by:
        raise SameOfficer(officer=accepted_by)
    run(
        "UPDATE arrears_policy SET accepted_by = %s, accepted_at = %s, reason = %s WHERE version = %s",
        accepted_by,
        at,
        reason.strip(),
        version,
    )


@transaction_required
def change_for_all() -> None:
    """Wait until no cut is being derived, and let none be until this transaction ends: what follows holds for many."""
    run("SELECT authority_change()")


@transaction_required
def add_no_cut_days(days: Iterable[NoCutDay]) -> int:
    """Declare days free of cuts; how many."""
    return copy("arrears_nocutday", NoCutDay._fields, days)


@transaction_required
def place_hold(
    *, connection: int, kind: str, evidence: str, owner: str, business_at: datetime, expires_at: datetime | None
) -> int:
    """Write a hold; its id. The caller has locked the connection and bumps its fence.

    :raises HoldKindUnknown: no such kind.
    :raises HoldWithoutEvidence: no evidence, or an expiry that has passed.
    """
    if kind not in HOLD_KINDS:
        raise HoldKindUnknown(kind=kind, kinds=", ".join(HOLD_KINDS))
    if not evidence.strip():
        raise HoldWithoutEvidence(field="evidence")
    if expires_at is not None and expires_at <= business_at:
        raise HoldWithoutEvidence(field="expires_at")
    return int(
        value(
            "INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
            connection,
            kind,
            evidence,
            owner,
            business_at,
            expires_at,
        )
    )


@transaction_required
def lift_hold(*, hold: int, lifted_by: str, business_at: datetime) -> Hold:
    """Lift a hold. The caller has locked its connection and bumps its fence.

    :raises HoldUnknown: no such hold.
    :raises HoldLifted: it was lifted before.
    """
    done = run(
        "UPDATE arrears_hold SET lifted_at = %s, lifted_by = %s WHERE id = %s AND lifted_at IS NULL",
        business_at,
        lifted_by,
        hold,
    )
    found = find_hold(hold=hold)
    if not done:
        raise HoldLifted(hold=hold, lifted_at=found.lifted_at, lifted_by=found.lifted_by)
    return found


@transaction_required
def place_area_hold(
    *,
    office: int | None,
    feeder: int | None,
    kind: str,
    evidence: str,
    owner: str,
    business_at: datetime,
    expires_at: datetime | None,
) -> int:
    """Write a hold over one area; its id. The caller holds the lock of `change_for_all`.

    :raises AreaWrong: not one area, no such kind, no evidence, or an expiry that has passed.
    """
    if (office is None) == (feeder is None):
        raise AreaWrong(field="office", given=f"{office} {feeder}")
    if kind not in AREA_KINDS:
        raise AreaWrong(field="kind", given=kind)
    if not evidence.strip():
        raise AreaWrong(field="evidence", given="")
    if expires_at is not None and expires_at <= business_at:
        raise AreaWrong(field="expires_at", given=expires_at.isoformat())
    return int(
        value(
            "INSERT INTO arrears_areahold (office, feeder, kind, evidence, owner, placed_at, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            office,
            feeder,
            kind,
            evidence,
            owner,
            business_at,
            expires_at,
        )
    )


@transaction_required
def lift_area_hold(*, hold: int, lifted_by: str, business_at: datetime) -> None:
    """Lift a hold over an area.

    :raises AreaHoldUnknown: no such open hold.
    """
    if not run(
        "UPDATE arrears_areahold SET lifted_at = %s, lifted_by = %s WHERE id = %s AND lifted_at IS NULL",
        business_at,
        lifted_by,
        hold,
    ):
        raise AreaHoldUnknown(hold=hold)


@transaction_required
def register_vulnerable(
    *, connection: int, need: str, evidence: str, registered_by: str, business_at: datetime, review_on: date
) -> int:
    """Enter a connection in the register; the entry's id. The caller has locked it and bumps its fence.

    :raises NeedUnknown: no such need.
    :raises HoldWithoutEvidence: no evidence.
    :raises RegisteredAlready: it stands there already.
    """
    if need not in NEEDS:
        raise NeedUnknown(need=need, needs=", ".join(NEEDS))
    if not evidence.strip():
        raise HoldWithoutEvidence(field="evidence")
    made = value(
        "INSERT INTO arrears_vulnerable (connection, need, evidence, registered_by, registered_at, review_on)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        connection,
        need,
        evidence,
        registered_by,
        business_at,
        review_on,
    )
    if made is None:
        raise RegisteredAlready(connection=connection)
    return int(made)


@transaction_required
def end_vulnerable(*, connection: int, ended_by: str, reason: str, business_at: datetime) -> None:
    """End a connection's entry in the register. The caller has locked it and bumps its fence.

    :raises ReasonMissing: no reason.
    :raises NotRegistered: it is not in the register.
    """
    if not reason.strip():
        raise ReasonMissing()
    if not run(
        "UPDATE arrears_vulnerable SET ended_at = %s, ended_by = %s, reason = %s"
        " WHERE connection = %s AND ended_at IS NULL",
        business_at,
        ended_by,
        reason.strip(),
        connection,
    ):
        raise NotRegistered(connection=connection)


@transaction_required
def note_conversion(*, connection: int, converted_on: date, noted_by: str) -> None:
    """Note, once, that a connection became prepaid. The caller has locked it and bumps its fence."""
    run(
        "INSERT INTO arrears_conversion (connection, converted_on, noted_by) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        connection,
        converted_on,
        noted_by,
    )


@transaction_required
def reconcile_conversion(*, connection: int, opening_paise: int, reconciled_by: str, business_at: datetime) -> None:
    """Note a conversion's opening balance as reconciled. The caller has locked the connection and bumps its fence.

    :raises ConversionUnknown: nothing waits to be reconciled, or he noted it himself.
    """
    if not run(
        "UPDATE arrears_conversion SET opening_paise = %s, reconciled_at = %s, reconciled_by = %s"
        " WHERE connection = %s AND reconciled_at IS NULL AND noted_by <> %s",
        opening_paise,
        business_at,
        reconciled_by,
        connection,
        reconciled_by,
    ):
        raise ConversionUnknown(connection=connection, officer=reconciled_by)


@transaction_required
def see_channels(names: Sequence[str]) -> None:
    """Note that these ways of seeing or paying a due work now (the wall's time)."""
    run(
        "INSERT INTO arrears_channel (name, seen_at) SELECT n, clock_timestamp() FROM unnest(%s::text[]) AS n"
        " ON CONFLICT (name) DO UPDATE SET seen_at = EXCLUDED.seen_at",
        list(names),
    )


@transaction_required
def raise_dispute(*, connection: int, bill: int, reason: str, raised_by: str, business_at: datetime) -> int:
    """Note that a bill is contested; the dispute's id. The caller has locked the connection and bumps its fence.

    :raises ReasonMissing: no reason.
    :raises BillDisputed: it is under dispute already.
    """
    if not reason.strip():
        raise ReasonMissing()
    made = value(
        "INSERT INTO arrears_dispute (connection, bill, reason, raised_by, raised_at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        connection,
        bill,
        reason,
        raised_by,
        business_at,
    )
    if made is None:
        raise BillDisputed(bill=bill)
    return int(made)


@transaction_required
def close_dispute(*, dispute: int, outcome: str, closed_by: str, business_at: datetime) -> tuple[int, int]:
    """Close a dispute with its outcome; its connection and bill. The caller locks, and bumps the fence.

    :raises ReasonMissing: no outcome.
    :raises DisputeUnknown: no such open dispute.
    """
    if not outcome.strip():
        raise ReasonMissing()
    row = one(
        "UPDATE arrears_dispute SET closed_at = %s, closed_by = %s, outcome = %s"
        " WHERE id = %s AND closed_at IS NULL RETURNING connection, bill",
        business_at,
        closed_by,
        outcome,
        dispute,
    )
    if row is None:
        raise DisputeUnknown(dispute=dispute)
    return row[0], row[1]


@transaction_required
def agree_plan(
    *,
    connection: int,
    instalments: Sequence[Instalment],
    surcharge_free: bool,
    hold: int,
    agreed_by: str,
    business_at: datetime,
) -> int:
    """Write a plan whose hold was placed; its id.

    :raises PlanOpen: the connection has one already.
    """
    made = value(
        "INSERT INTO arrears_plan (connection, paise, instalments, surcharge_free, hold, agreed_by, agreed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        connection,
        sum(each.paise for each in instalments),
        json.dumps([[each.due_on.isoformat(), each.paise] for each in instalments]),
        surcharge_free,
        hold,
        agreed_by,
        business_at,
    )
    if made is None:
        raise PlanOpen(connection=connection)
    return int(made)


@transaction_required
def close_plan(*, plan: int, outcome: Standing, business_at: datetime) -> bool:
    """Close an open plan as fulfilled or broken; whether it was open. The caller lifts its hold and bumps the fence."""
    return bool(
        run(
            "UPDATE arrears_plan SET closed_at = %s, outcome = %s WHERE id = %s AND closed_at IS NULL",
            business_at,
            outcome,
            plan,
        )
    )


class Charged(NamedTuple):
    """A part of surcharge of a connection."""

    connection: int
    charge: Charge


@transaction_required
def charge_parts(parts: Sequence[Charged], *, rate_bp: int, policy: str) -> None:
    """Write parts of surcharge; the ledger's side is the caller's. Each is charged once for ever (unique)."""
    copy(
        "arrears_surcharge",
        ("connection", "bill", "part", "from_on", "base_paise", "rate_bp", "paise", "policy"),
        (
            (each.connection, each.charge.bill, each.charge.part, each.charge.from_on, each.charge.base_paise,
             rate_bp, each.charge.paise, policy)
            for each in parts
        ),
    )  # fmt: skip


@transaction_required
def propose_write_off(*, connection: int, paise: int, reason: str, proposed_by: str, business_at: datetime) -> int:
    """Propose to give up a due; the proposal's id.

    :raises ReasonMissing: no reason.
    :raises WriteOffOpen: one is open already.
    """
    if not reason.strip():
        raise ReasonMissing()
    made = value(
        "INSERT INTO arrears_writeoff (connection, paise, reason, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        connection,
        paise,
        reason,
        proposed_by,
        business_at,
    )
    if made is None:
        raise WriteOffOpen(connection=connection)
    return int(made)


@transaction_required
def decide_write_off(*, write_off: int, decided_by: str, accepted: bool, business_at: datetime) -> WriteOff:
    """Decide a proposal, as another officer than its maker.

    :raises WriteOffUnknown: no such open proposal.
    :raises SameOfficer: the maker may not.
    """
    found = open_write_off(write_off=write_off)
    if found is None:
        raise WriteOffUnknown(write_off=write_off)
    if found.proposed_by == decided_by:
        raise SameOfficer(officer=decided_by)
    decided = run(
        "UPDATE arrears_writeoff SET decided_by = %s, decided_at = %s, accepted = %s"
        " WHERE id = %s AND decided_at IS NULL",
        decided_by,
        business_at,
        accepted,
        write_off,
    )
    if not decided:
        raise WriteOffUnknown(write_off=write_off)
    return found


@transaction_required
def note_step(
    *,
    connection: int,
    order: int,
    step: str,
    done_on: date,
    actor: str,
    second: str | None = None,
    notice: int | None = None,
    paise: int = 0,
) -> bool:
    """Note a step after a cut as taken; whether it was news.

    :raises SameOfficer: two people were asked for and one is named twice.
    """
    if second is not None and second == actor:
        raise SameOfficer(officer=actor)
    return bool(
        run(
            'INSERT INTO arrears_step (connection, "order", step, done_on, actor, second, notice, paise)'
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            connection,
            order,
            step,
            done_on,
            actor,
            second,
            notice,
            paise,
        )
    )

"""Two people end the supply of who stayed dark, after its own notice; later what is left is demanded as revenue.

Nothing moves at the meter: it is dark already. The dues stay where they are, so that who pays them all is lit again.
"""

from datetime import date, datetime

from django.db import connection as database

from bahal.domains.arrears.errors import SameOfficer, StepNotDue
from bahal.domains.arrears.operations import note_step
from bahal.domains.arrears.queries import policy_at, steps_of
from bahal.domains.arrears.rules.dark import BY_AN_OFFICER, due_steps
from bahal.domains.ledger.queries import dues
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.follow_dark import who_stays_dark
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply


def take_officers_step(
    *, connection: int, step: str, actor: str, second: str, at: datetime, business_at: datetime
) -> date:
    """Take a step that two officers must take (`BY_AN_OFFICER`); the day from which it was due.

    :raises OfficerUnknown: one of the two is not enrolled.
    :raises SameOfficer: one person twice.
    :raises StepNotDue: the step has not its day yet, was taken, or the connection is not dark or owes nothing.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if actor == second:
        raise SameOfficer(officer=actor)
    for login in (actor, second):
        find_officer(login=login)
    day = day_in_india(business_at)
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        found = next((each for each in who_stays_dark() if each.connection == connection), None)
        if found is None or step not in BY_AN_OFFICER:
            raise StepNotDue(connection=connection, step=step)
        ready = due_steps(
            cut_on=found.cut_on,
            done=steps_of(orders=[found.order]).get(found.order, {}),
            served_on=found.served_on,
            day=day,
            timetable=policy_at(business_at=business_at).timetable,
        )
        due = next((each for each in ready if each.step == step), None)
        if due is None:
            raise StepNotDue(connection=connection, step=step)
        paise = sum(dues(connection=connection).values())
        note_step(
            connection=connection,
            order=found.order,
            step=step,
            done_on=day,
            actor=actor,
            second=second,
            paise=paise,
        )
        record(
            actor=actor,
            act="arrears.step",
            subject=f"order {found.order}",
            connection=connection,
            data={"step": step, "order": found.order, "paise": 0, "due_paise": paise, "second": second},
            at=at,
            business_at=business_at,
        )
    return due.from_on

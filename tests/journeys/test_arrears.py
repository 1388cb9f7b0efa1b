"""Arrears lived in the town: disputes, instalments, surcharge, a deposit under protest, write-offs, and the dark."""

from datetime import date, datetime, timedelta

import psycopg
import pytest
from django.db import ProgrammingError

from bahal.domains.arrears.errors import (
    BillDisputed,
    DepositTooSmall,
    DisputeUnknown,
    NothingOwed,
    PlanMalformed,
    PlanOpen,
    ReasonMissing,
    SameOfficer,
    StepNotDue,
    WriteOffOpen,
    WriteOffTooLarge,
    WriteOffUnknown,
)
from bahal.domains.billing.errors import BillUnknown
from bahal.domains.ledger.errors import ReferencePosted
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import balance, dues, held
from bahal.domains.notices.errors import NoticeUnknown
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction
from bahal.journeys.agree_instalments import agree_instalments, review_plans
from bahal.journeys.arrears_ageing import arrears_ageing
from bahal.journeys.charge_surcharge import charge_surcharge
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.deposit_under_protest import deposit_under_protest, what_stays_the_cut
from bahal.journeys.disconnect_permanently import take_officers_step
from bahal.journeys.dispute_bill import close_dispute, raise_dispute
from bahal.journeys.explain_due import explain_due
from bahal.journeys.follow_dark import follow_dark, who_stays_dark
from bahal.journeys.note_service import note_service
from bahal.journeys.take_payment import take_payment
from bahal.journeys.write_off_due import decide_write_off, propose_write_off
from bahal.shared.locks import ConnectionUnknown
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def times(place: town.Town, business_at: datetime = town.TEN) -> dict[str, datetime]:
    return {"at": place.wall, "business_at": business_at}


def darken(database: Database, place: town.Town) -> None:
    """Cut everybody in the town, and let the business know."""
    interlock.lend(database)
    for (order,) in many("SELECT id FROM supply_order WHERE drive = %s ORDER BY id", place.drive()):
        interlock.cut(database, order=order)
    confirm_relay(**times(place))


def enforceable(number: int) -> int:
    """What the interlock may enforce at ten on the Monday, and the rule with it."""
    paise = value("SELECT enforceable_paise FROM authority_facts(ARRAY[%s]::bigint[], %s)", number, town.TEN)
    assert explain_due(connection=number, business_at=town.TEN).enforceable.paise == paise
    return int(paise)


def test_a_disputed_bill_carries_no_cut_until_it_is_decided(database: Database) -> None:
    place = town.found(connections=1)
    first = place.connections[0]
    place.drive()
    assert enforceable(first) == 6_000_00
    dispute = raise_dispute(bill=f"B{first}-8", reason="meter too fast", actor="se", **times(place))
    assert enforceable(first) == 3_000_00
    assert one("SELECT state, reason FROM supply_order WHERE connection = %s", first) == ("cancelled", "held")
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == 2
    with pytest.raises(BillDisputed):
        raise_dispute(bill=f"B{first}-8", reason="again", actor="se", **times(place))
    with pytest.raises(ReasonMissing):
        raise_dispute(bill=f"B{first}-7", reason=" ", actor="se", **times(place))
    with pytest.raises(BillUnknown):
        raise_dispute(bill="B-none", reason="x", actor="se", **times(place))
    assert close_dispute(dispute=dispute, outcome="meter tested, correct", actor="ee", **times(place)) == first
    assert enforceable(first) == 6_000_00
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == 3
    with pytest.raises(DisputeUnknown):
        close_dispute(dispute=dispute, outcome="again", actor="ee", **times(place))


def test_instalments_hold_the_cut_while_they_are_kept(database: Database) -> None:
    place = town.found(connections=2)
    keeps, breaks = place.connections
    place.drive()
    for number in (keeps, breaks):
        agreed = agree_instalments(
            connection=number, parts=3, first_on=date(2025, 12, 1), surcharge_free=True, actor="se", **times(place)
        )
        assert [(each.due_on, each.paise) for each in agreed.instalments] == [
            (date(2025, 12, 1), 2_000_00), (date(2026, 1, 1), 2_000_00), (date(2026, 2, 1), 2_000_00),
        ]  # fmt: skip
        assert one("SELECT held FROM authority_facts(ARRAY[%s]::bigint[], %s)", number, town.TEN) == (
            ["instalment_plan"],
        )
        assert value("SELECT state FROM supply_order WHERE connection = %s", number) == "cancelled"
    with pytest.raises(PlanOpen):
        agree_instalments(
            connection=keeps, parts=2, first_on=date(2025, 12, 1), surcharge_free=True, actor="se", **times(place)
        )
    december = datetime(2025, 12, 3, 6, tzinfo=town.TEN.tzinfo)
    take_payment(key="k", connection=keeps, paise=2_000_00, channel="counter", actor="cashier", business_at=december)
    after_grace = datetime(2025, 12, 5, 6, tzinfo=town.TEN.tzinfo)
    assert review_plans(actor="worker", **times(place, after_grace)) == {"kept": 1, "broken": 1, "fulfilled": 0}
    assert one("SELECT outcome FROM arrears_plan WHERE connection = %s", breaks) == ("broken",)
    assert one("SELECT held FROM authority_facts(ARRAY[%s]::bigint[], %s)", breaks, after_grace) == ([],)
    told = [each.sentence for each in story_of(connection=breaks, language="en")]
    assert any("broken: the part of ₹2,000.00 due on 01-12-2025" in sentence for sentence in told)
    take_payment(
        key="k2", connection=keeps, paise=4_000_00, channel="counter", actor="cashier", business_at=after_grace
    )
    assert review_plans(actor="worker", **times(place, after_grace)) == {"kept": 0, "broken": 0, "fulfilled": 1}


@pytest.mark.parametrize(
    "wrong", [{"parts": 1}, {"parts": 25}, {"first_on": date(2025, 11, 23)}, {"first_on": date(2025, 12, 26)}]
)
def test_a_plan_has_parts_and_begins_soon(database: Database, wrong: dict[str, object]) -> None:
    place = town.found(connections=1, reminded=False)
    usual = {"connection": place.connections[0], "parts": 3, "first_on": date(2025, 12, 1), "surcharge_free": True}
    with pytest.raises(PlanMalformed):
        agree_instalments(**{**usual, **wrong}, actor="se", **times(place))  # type: ignore[arg-type]
    assert value("SELECT count(*) FROM arrears_hold") == 0


def test_who_owes_nothing_needs_no_plan(database: Database) -> None:
    place = town.found(connections=1, due=0)
    with pytest.raises(NothingOwed):
        agree_instalments(
            connection=place.connections[0], parts=3, first_on=date(2025, 12, 1), surcharge_free=True, actor="se",
            **times(place),
        )  # fmt: skip
    with pytest.raises(ConnectionUnknown):
        agree_instalments(
            connection=1, parts=3, first_on=date(2025, 12, 1), surcharge_free=True, actor="se", **times(place)
        )


def test_the_surcharge_run_charges_each_part_once_and_nothing_that_may_be_enforced(database: Database) -> None:
    # Rs 3,000 due on 20-07 and Rs 3,000 on 20-08: on the Monday 5 and 4 parts have begun, each of Rs 45.
    place = town.found(connections=3, reminded=False)
    planned, disputed, usual = place.connections
    agree_instalments(
        connection=planned, parts=3, first_on=date(2025, 12, 1), surcharge_free=True, actor="se", **times(place)
    )
    raise_dispute(bill=f"B{disputed}-7", reason="wrong reading", actor="se", **times(place))
    done = charge_surcharge(actor="worker", **times(place), batch=2)
    assert (done.connections, done.parts, done.paise) == (2, 9 + 4, 13 * 45_00)
    assert dues(connection=usual) == {"receivable": 6_000_00, "surcharge": 9 * 45_00}
    assert dues(connection=planned) == {"receivable": 6_000_00}
    assert enforceable(usual) == 6_000_00
    assert charge_surcharge(actor="worker", **times(place)).paise == 0
    later = town.TEN + timedelta(days=27)  # 21-12: both bills begin another part
    assert charge_surcharge(actor="worker", **times(place, later)).paise == 3 * 45_00
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    with pytest.raises(ProgrammingError, match="permission denied"):
        run("DELETE FROM arrears_surcharge")
    with database.connect("owner") as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute("DELETE FROM arrears_surcharge")


def test_surcharge_must_be_paid_too_before_the_supply_comes_back(database: Database) -> None:
    place = town.found(connections=1)
    number = place.connections[0]
    darken(database, place)
    charge_surcharge(actor="worker", **times(place))
    due = balance(connection=number).due_paise
    assert due == 6_000_00 + 9 * 45_00
    first = take_payment(key="a", connection=number, paise=6_000_00, channel="counter", actor="c", business_at=town.TEN)
    assert first.order is None
    rest = take_payment(
        key="b", connection=number, paise=due - 6_000_00, channel="counter", actor="c", business_at=town.TEN
    )
    assert rest.order is not None


def test_a_deposit_under_protest_of_the_lesser_sum_stays_the_cut(database: Database) -> None:
    place = town.found(connections=1)
    number = place.connections[0]
    place.drive()
    with transaction():  # Rs 1,200 paid in the six months before the first bill: Rs 200 a month, two months claimed
        post(
            kind="payment", reference="old", at=place.wall, business_at=datetime(2025, 4, 2, tzinfo=town.TEN.tzinfo),
            lines=[Line("cash", 1_200_00), Line("advance", -1_200_00, number)],
        )  # fmt: skip
    needed = what_stays_the_cut(connection=number)
    assert (needed.claim_paise, needed.months, needed.average_paise, needed.paise) == (6_000_00, 2, 200_00, 400_00)
    usual = {"connection": number, "evidence": "petition 4", "actor": "cashier", **times(place)}
    with pytest.raises(DepositTooSmall) as refused:
        deposit_under_protest(key="p", paise=399_99, **usual)
    assert "₹400.00" in refused.value.text("hi")
    done = deposit_under_protest(key="p", paise=400_00, **usual)
    assert done.order is None
    assert held(connection=number)["protest"] == 400_00
    assert dues(connection=number) == {"receivable": 6_000_00}
    assert one("SELECT state, reason FROM supply_order WHERE connection = %s", number) == ("cancelled", "held")
    assert one("SELECT held FROM authority_facts(ARRAY[%s]::bigint[], %s)", number, town.TEN) == (
        ["deposit_under_protest"],
    )
    with pytest.raises(ReferencePosted):
        deposit_under_protest(key="p", paise=400_00, **usual)
    assert held(connection=number)["protest"] == 400_00


def test_who_was_cut_and_deposits_under_protest_is_lit(database: Database) -> None:
    place = town.found(connections=1)
    number = place.connections[0]
    darken(database, place)
    done = deposit_under_protest(
        key="p", connection=number, paise=6_000_00, evidence="petition", actor="cashier", **times(place)
    )
    assert one("SELECT kind, state FROM supply_order WHERE id = %s", done.order) == ("restore", "authorised")


def test_a_due_is_given_up_by_two_people(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    number = place.connections[0]
    usual = {"connection": number, "reason": "consumer deceased, no estate", **times(place)}
    with pytest.raises(WriteOffTooLarge):
        propose_write_off(paise=6_000_01, actor="se", **usual)
    with pytest.raises(ReasonMissing):
        propose_write_off(paise=1, actor="se", **{**usual, "reason": ""})
    made = propose_write_off(paise=5_000_00, actor="se", **usual)
    with pytest.raises(WriteOffOpen):
        propose_write_off(paise=1, actor="se", **usual)
    with pytest.raises(SameOfficer):
        decide_write_off(write_off=made, accepted=True, actor="se", **times(place))
    assert balance(connection=number).due_paise == 6_000_00
    assert decide_write_off(write_off=made, accepted=True, actor="ee", **times(place)) == number
    assert balance(connection=number).due_paise == 1_000_00
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", number) == 2
    with pytest.raises(WriteOffUnknown):
        decide_write_off(write_off=made, accepted=True, actor="ee", **times(place))
    again = propose_write_off(paise=1_000_00, actor="se", **usual)
    decide_write_off(write_off=again, accepted=False, actor="ee", **times(place))
    assert balance(connection=number).due_paise == 1_000_00


def test_a_write_off_that_was_overtaken_by_a_payment_is_refused(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    number = place.connections[0]
    made = propose_write_off(connection=number, paise=6_000_00, reason="x", actor="se", **times(place))
    take_payment(key="k", connection=number, paise=1_00, channel="counter", actor="c", business_at=town.TEN)
    with pytest.raises(WriteOffTooLarge):
        decide_write_off(write_off=made, accepted=True, actor="ee", **times(place))
    assert one("SELECT decided_by FROM arrears_writeoff WHERE id = %s", made) == (None,)


def test_the_dark_are_followed_step_by_step_each_with_its_day(database: Database) -> None:
    place = town.found(connections=2)
    pays, stays = place.connections
    darken(database, place)
    with transaction():
        post(
            kind="deposit", reference="sd", at=place.wall, business_at=town.TEN,
            lines=[Line("cash", 1_000_00), Line("deposit", -1_000_00, stays)],
        )  # fmt: skip
    assert {each.connection for each in who_stays_dark()} == {pays, stays}

    def follow(days: int) -> tuple[dict[str, int], list[str]]:
        done = follow_dark(actor="worker", **times(place, town.TEN + timedelta(days=days)))
        return dict(done.done), [each.step for each in done.waiting]

    assert follow(2) == ({}, [])
    assert follow(3) == ({"second_visit": 2}, [])
    assert value("SELECT count(*) FROM fieldwork_task WHERE reason = 'second_visit' AND closed_at IS NULL") == 2
    take_payment(key="k", connection=pays, paise=6_000_00, channel="counter", actor="c", business_at=town.TEN)
    assert value("SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL") == 1
    assert follow(3) == ({}, [])
    assert follow(30) == ({"deposit_adjusted": 1}, [])
    assert balance(connection=stays).due_paise == 5_000_00
    assert follow(45) == ({"permanent_notice": 1}, [])
    (notice,) = one("SELECT notice FROM arrears_step WHERE step = 'permanent_notice'") or (0,)
    assert one("SELECT paise, purpose FROM notices_writtennotice WHERE id = %s", notice) == (
        5_000_00, "permanent_disconnection",
    )  # fmt: skip
    assert follow(200) == ({}, [])
    served = date(2026, 1, 12)
    at_service = times(place, town.TEN + timedelta(days=50))
    assert note_service(notice=notice, served_on=served, service="by hand, signed", actor="ee", **at_service) == stays
    with pytest.raises(NoticeUnknown):
        note_service(notice=notice, served_on=served, service="again", actor="ee", **at_service)
    early, ready = town.TEN + timedelta(days=64), town.TEN + timedelta(days=65)
    both = {"connection": stays, "step": "permanent_disconnection", "actor": "ee"}
    with pytest.raises(StepNotDue):
        take_officers_step(second="se", **both, **times(place, early))
    with pytest.raises(SameOfficer):
        take_officers_step(second="ee", **both, **times(place, ready))
    assert follow(65) == ({}, ["permanent_disconnection"])
    assert take_officers_step(second="se", **both, **times(place, ready)) == date(2026, 1, 28)
    assert follow(94) == ({}, [])
    assert follow(95) == ({}, ["recovery_demand"])
    told = [each.sentence for each in story_of(connection=stays, language="hi")]
    assert any("स्थायी विच्छेदन" in sentence for sentence in told)
    take_payment(key="k3", connection=stays, paise=5_000_00, channel="counter", actor="c", business_at=ready)
    assert value("SELECT count(*) FROM supply_order WHERE connection = %s AND kind = 'restore'", stays) == 1


def test_a_deposit_that_settles_everything_brings_the_supply_back(database: Database) -> None:
    place = town.found(connections=1)
    number = place.connections[0]
    darken(database, place)
    with transaction():
        post(
            kind="deposit", reference="sd", at=place.wall, business_at=town.TEN,
            lines=[Line("cash", 7_000_00), Line("deposit", -7_000_00, number)],
        )  # fmt: skip
    follow_dark(actor="worker", **times(place, town.TEN + timedelta(days=30)))
    assert held(connection=number) == {"deposit": 1_000_00}
    assert one("SELECT kind, state FROM supply_order WHERE connection = %s ORDER BY id DESC LIMIT 1", number) == (
        "restore", "authorised",
    )  # fmt: skip


def test_a_confirmed_cut_costs_what_the_policy_says_once(database: Database) -> None:
    place = town.found(connections=1)
    number = place.connections[0]
    town.set_policy(town.policy("test-2", reconnection_paise=118_00, effective_from=date(2025, 11, 1)))
    darken(database, place)
    assert dues(connection=number) == {"receivable": 6_000_00, "expenses": 118_00}
    confirm_relay(**times(place))
    assert dues(connection=number)["expenses"] == 118_00


def test_the_ages_of_arrears_add_up_to_what_is_due(database: Database) -> None:
    place = town.found(connections=6, reminded=False)
    raise_dispute(bill=f"B{place.connections[0]}-7", reason="x", actor="se", **times(place))
    charge_surcharge(actor="worker", **times(place))
    found = arrears_ageing(day=town.MONDAY)
    assert sum(each.total_paise for each in found) == value("SELECT sum(due_paise) FROM ledger_balance")
    assert sum(each.connections for each in found) == 6
    # 20-07 to 24-11 is 127 days, 20-08 to 24-11 is 96: both in the band up to 180.
    assert [sum(each.bands[nth] for each in found) for nth in range(7)] == [0, 0, 0, 6 * 6_000_00, 0, 0, 0]
    assert sum(each.disputed_paise for each in found) == 3_000_00
    assert many("SELECT count(*) FROM arrears_outstanding(ARRAY[%s]::bigint[])", place.connections[0]) == [(2,)]

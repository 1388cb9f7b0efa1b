"""The rules of arrears by hand-worked figures, and laws that hold for any history."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.arrears.rules.dark import Timetable, due_steps
from bahal.domains.arrears.rules.enforceable import BillFacts, clear, enforceable
from bahal.domains.arrears.rules.months import months_after
from bahal.domains.arrears.rules.plan import Instalment, schedule, standing
from bahal.domains.arrears.rules.protest import stay
from bahal.domains.arrears.rules.surcharge import Billed, Credit, charges, part_begins

START = date(2025, 1, 1)
days = st.integers(0, 500).map(lambda nth: START + timedelta(days=nth))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2025, 12, 15), 1, date(2026, 1, 15)),
        (date(2025, 3, 31), -1, date(2025, 2, 28)),
        (date(2025, 11, 24), -24, date(2023, 11, 24)),
    ],
)
def test_a_month_on_from_a_long_one_ends_with_the_short_one(day: date, months: int, expected: date) -> None:
    assert months_after(day, months) == expected


# --- surcharge ----------------------------------------------------------------------------------------------------


def test_surcharge_is_one_and_a_half_per_cent_for_each_month_or_part() -> None:
    # Rs 1,000 due on 20-08: parts begin on 21-08, 21-09 and 21-10; paid down to Rs 400 on 01-10.
    bill = Billed(1, 1_000_00, date(2025, 8, 5), date(2025, 8, 20))
    found = charges([bill], [Credit(date(2025, 10, 1), 600_00)], rate_bp=150, day=date(2025, 10, 21))
    assert [(each.part, each.from_on, each.base_paise, each.paise) for each in found] == [
        (1, date(2025, 8, 21), 1_000_00, 15_00),
        (2, date(2025, 9, 21), 1_000_00, 15_00),
        (3, date(2025, 10, 21), 400_00, 6_00),
    ]


def test_nothing_on_the_due_date_and_a_part_on_the_day_after() -> None:
    bill = Billed(1, 1_000_00, date(2025, 8, 5), date(2025, 8, 20))
    assert charges([bill], [], rate_bp=150, day=date(2025, 8, 20)) == []
    assert [each.paise for each in charges([bill], [], rate_bp=150, day=date(2025, 8, 21))] == [15_00]


def test_a_payment_on_the_day_a_part_begins_comes_too_late_for_it() -> None:
    bill = Billed(1, 1_000_00, date(2025, 8, 5), date(2025, 8, 20))
    paid = [Credit(date(2025, 8, 21), 1_000_00)]
    assert [each.part for each in charges([bill], paid, rate_bp=150, day=date(2025, 12, 1))] == [1]


def test_money_settles_the_oldest_bill_first_and_a_disputed_bill_is_excused() -> None:
    old = Billed(1, 500_00, date(2025, 7, 5), date(2025, 7, 20))
    new = Billed(2, 700_00, date(2025, 8, 5), date(2025, 8, 20))
    paid = [Credit(date(2025, 7, 10), 600_00)]
    found = charges([new, old], paid, rate_bp=100, day=date(2025, 8, 25))
    assert [(each.bill, each.base_paise, each.paise) for each in found] == [(2, 600_00, 6_00)]
    excused = Billed(2, 700_00, date(2025, 8, 5), date(2025, 8, 20), excused=True)
    assert charges([excused, old], paid, rate_bp=100, day=date(2025, 8, 25)) == []


bills = st.lists(st.tuples(st.integers(1, 50_000_00), days, st.integers(1, 40)), max_size=6).map(
    lambda drawn: [
        Billed(nth, paise, issued, issued + timedelta(days=term)) for nth, (paise, issued, term) in enumerate(drawn)
    ]
)
received = st.lists(st.tuples(days, st.integers(1, 60_000_00)), max_size=6).map(
    lambda drawn: [Credit(on, paise) for on, paise in drawn]
)


@given(bills, received, st.permutations(range(12)), st.integers(1, 300))
def test_a_run_on_any_days_charges_what_one_run_at_the_end_does(
    owed: list[Billed], paid: list[Credit], order: list[int], rate: int
) -> None:
    end = START + timedelta(days=600)
    at_once = charges(owed, paid, rate_bp=rate, day=end)
    charged: set[tuple[int, int]] = set()
    total = 0
    for nth in sorted(order[:5]):
        day = START + timedelta(days=50 * nth)
        for each in charges(owed, [c for c in paid if c.on <= day], rate_bp=rate, day=day, charged=charged):
            charged.add((each.bill, each.part))
            total += each.paise
    for each in charges(owed, paid, rate_bp=rate, day=end, charged=charged):
        total += each.paise
    assert total == sum(each.paise for each in at_once)


@given(bills, received)
def test_no_surcharge_on_more_than_a_bill_nor_before_its_due_date(owed: list[Billed], paid: list[Credit]) -> None:
    by_id = {bill.id: bill for bill in owed}
    for each in charges(owed, paid, rate_bp=150, day=START + timedelta(days=600)):
        bill = by_id[each.bill]
        assert 0 < each.base_paise <= bill.paise
        assert each.from_on == part_begins(bill.due_on, each.part) > bill.due_on


# --- enforceable --------------------------------------------------------------------------------------------------


def test_each_bill_says_why_it_does_not_count() -> None:
    day = date(2025, 11, 24)
    due = {"paise": 1_000_00, "issued_on": date(2025, 8, 5), "due_on": date(2025, 8, 20), "noticed_on": day}
    facts = [
        BillFacts(1, **{**due, "issued_on": date(2023, 11, 24)}),
        BillFacts(2, **{**due, "due_on": day}),
        BillFacts(3, **due, estimated=True),
        BillFacts(4, **due, disputed=True),
        BillFacts(5, **due, supplementary=True),
        BillFacts(6, **{**due, "noticed_on": date(2025, 8, 20)}),
        BillFacts(7, **due),
    ]
    found = enforceable(facts, balance_paise=7_000_00, day=day, stale_after_months=24)
    assert {part.bill: part.reason for part in found.parts} == {
        1: "stale", 2: "not_due_yet", 3: "estimated", 4: "disputed", 5: "supplementary", 6: "not_noticed", 7: "counted",
    }  # fmt: skip
    assert found.paise == 1_000_00


@given(
    st.lists(st.tuples(st.integers(1, 9_000_00), days, st.booleans(), st.booleans()), max_size=6),
    st.integers(-1_000_00, 40_000_00),
    st.integers(0, 20_000_00),
)
def test_paying_never_raises_what_may_be_enforced(
    drawn: list[tuple[int, date, bool, bool]], balance: int, paid: int
) -> None:
    facts = [
        BillFacts(nth, paise, issued, issued + timedelta(days=15), issued + timedelta(days=30) if noticed else None,
                  disputed=disputed)
        for nth, (paise, issued, noticed, disputed) in enumerate(drawn)
    ]  # fmt: skip
    usual = {"day": START + timedelta(days=520), "stale_after_months": 24}
    before = enforceable(facts, balance_paise=balance, **usual).paise
    after = enforceable(facts, balance_paise=balance - paid, **usual).paise
    assert after <= before <= max(0, balance)
    contested = enforceable([BillFacts(**{**_fields(each), "disputed": True}) for each in facts],
                            balance_paise=balance, **usual)  # fmt: skip
    assert contested.paise == 0


def _fields(facts: BillFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in BillFacts.__slots__}


def test_fifteen_clear_days_leave_out_both_ends() -> None:
    assert not clear(served_on=date(2025, 11, 8), day=date(2025, 11, 23), clear_days=15)
    assert clear(served_on=date(2025, 11, 8), day=date(2025, 11, 24), clear_days=15)


# --- instalments --------------------------------------------------------------------------------------------------


@given(st.integers(2, 24), st.integers(24, 10**9))
def test_the_parts_are_the_whole_and_differ_by_less_than_a_rupee(parts: int, paise: int) -> None:
    agreed = schedule(paise=paise, parts=parts, first_on=date(2025, 1, 31))
    assert sum(each.paise for each in agreed) == paise
    assert max(each.paise for each in agreed) - min(each.paise for each in agreed) < 100
    assert agreed[1].due_on == date(2025, 2, 28)


@pytest.mark.parametrize(("parts", "paise"), [(1, 100), (0, 100), (5, 4)])
def test_a_plan_of_one_part_is_none(parts: int, paise: int) -> None:
    with pytest.raises(ValueError, match="paise in"):
        schedule(paise=paise, parts=parts, first_on=START)


def test_a_plan_breaks_on_the_day_after_grace_and_not_before() -> None:
    agreed = [Instalment(date(2025, 2, 5), 100), Instalment(date(2025, 3, 5), 100)]
    usual = {"grace_days": 3}
    assert standing(agreed, [], day=date(2025, 2, 8), **usual) == ("kept", None)
    assert standing(agreed, [], day=date(2025, 2, 9), **usual) == ("broken", agreed[0])
    paid = [(date(2025, 2, 8), 100)]
    assert standing(agreed, paid, day=date(2025, 3, 8), **usual) == ("kept", None)
    assert standing(agreed, paid, day=date(2025, 3, 9), **usual) == ("broken", agreed[1])
    late = [*paid, (date(2025, 3, 9), 100)]
    assert standing(agreed, late, day=date(2025, 3, 9), **usual) == ("broken", agreed[1])
    ahead = [(date(2025, 1, 20), 200)]
    assert standing(agreed, ahead, day=date(2025, 1, 20), **usual) == ("fulfilled", None)


# --- protest ------------------------------------------------------------------------------------------------------


def test_a_deposit_under_protest_is_the_lesser_of_claim_and_months_times_average() -> None:
    # Rs 3,000 paid in six months is Rs 500 a month; a claim of Rs 9,000 for four months takes Rs 2,000.
    assert stay(claim_paise=9_000_00, months=4, paid_paise=3_000_00).paise == 2_000_00
    assert stay(claim_paise=1_500_00, months=4, paid_paise=3_000_00).paise == 1_500_00
    assert stay(claim_paise=9_000_00, months=1, paid_paise=100).average_paise == 17  # 16.67 rounded half-up
    with pytest.raises(ValueError, match="months 0"):
        stay(claim_paise=1, months=0, paid_paise=0)


# --- after the cut ------------------------------------------------------------------------------------------------

TIMETABLE = Timetable(second_visit=3, deposit_adjusted=30, permanent_notice=45, clear_days=15, recovery_demand=30)
CUT = date(2025, 11, 24)


def test_steps_come_on_their_days_and_only_after_what_they_rest_on() -> None:
    def due(day: date, done: dict[str, date], served: date | None = None) -> list[str]:
        found = due_steps(cut_on=CUT, done=done, served_on=served, day=day, timetable=TIMETABLE)
        return [each.step for each in found]

    assert due(date(2025, 11, 26), {}) == []
    assert due(date(2025, 11, 27), {}) == ["second_visit"]
    done = {"second_visit": date(2025, 11, 27), "deposit_adjusted": date(2025, 12, 24)}
    assert due(date(2026, 1, 7), done) == []
    assert due(date(2026, 1, 8), done) == ["permanent_notice"]
    done["permanent_notice"] = date(2026, 1, 8)
    assert due(date(2026, 6, 1), done) == []  # never before its notice was served
    served = date(2026, 1, 12)
    assert due(date(2026, 1, 27), done, served) == []
    assert due(date(2026, 1, 28), done, served) == ["permanent_disconnection"]
    done["permanent_disconnection"] = date(2026, 1, 28)
    assert due(date(2026, 2, 26), done, served) == []
    assert due(date(2026, 2, 27), done, served) == ["recovery_demand"]

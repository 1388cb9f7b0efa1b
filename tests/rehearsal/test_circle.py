"""The circle: from the seed alone, and its sums hold for whatever numbers it is asked for."""

import functools
import re
from datetime import date, timedelta
from itertools import pairwise

import pytest

from bahal.domains.billing.registers import most_wh
from bahal.rehearsal import almanac, dues
from bahal.rehearsal.circle import (
    LEAST_RUPEES_A_PAYER,
    MOST_YOUNG,
    Circle,
    NumberOutOfRange,
    RosterTooShort,
    RupeesWithoutPayers,
    TooFewConsumers,
    TooFewRupees,
    TooManyPayers,
    build_circle,
    check_wishes,
)
from bahal.rehearsal.layout import shares
from bahal.rehearsal.names import COMMUNITIES
from bahal.rehearsal.places import DIVISIONS
from bahal.rehearsal.pricing import price
from bahal.shared.errors import USAGE
from bahal.shared.periods import clear_days
from bahal.shared.warrant import Line, list_sha256
from tests.rehearsal.roster import meters

MONDAY = date(2025, 11, 24)


@functools.cache
def circle(consumers=3000, defaulters=137, payers=41, rupees=512_345, seed=9, monday=MONDAY, **more) -> Circle:
    return build_circle(
        seed=seed,
        consumers=consumers,
        defaulters=defaulters,
        payers=payers,
        rupees=rupees,
        monday=monday,
        meters=meters(consumers),
        **more,
    )


def digest_of_list(built: Circle) -> str:
    """The list as it would be signed, in order of connection numbers."""
    people, owed = built.by_number(), built.enforceable_paise()
    notices = {notice.connection: notice for notice in built.notices}
    return list_sha256(
        Line(n, people[each].meter, each, owed[each], ",".join(notices[each].bills), notices[each].sha256, 1)
        for n, each in enumerate(built.defaulters)
    )


def test_the_same_seed_gives_the_same_people_and_the_same_list():
    one, same, other = circle(), circle.__wrapped__(), circle(seed=10)
    assert one is not same
    assert one == same
    assert one.sha256() == same.sha256() != other.sha256()
    assert digest_of_list(one) == digest_of_list(same) != digest_of_list(other)
    assert [each.name for each in one.connections] != [each.name for each in other.connections]


def test_other_payers_and_rupees_change_nobodys_name_or_place():
    one, other = circle(), circle(payers=30, rupees=400_000, defaulters=120)

    def faces(built: Circle) -> list[tuple[object, ...]]:
        return [(each.number, each.name, each.phone, each.meter, each.transformer) for each in built.connections]

    assert faces(one) == faces(other)


@pytest.mark.parametrize(
    ("consumers", "defaulters", "payers", "rupees", "seed", "race"),
    [
        (10_000, 796, 260, 2_800_000, 1, 0),
        (10_000, 796, 260, 2_800_000, 1, 12),
        (3_000, 137, 41, 512_345, 9, 0),
        (3_000, 137, 1, 9_001, 2, 3),
        (3_000, 137, 137, 137 * LEAST_RUPEES_A_PAYER, 3, 0),
        (500, 40, 40, 4_000_000, 4, 0),
        (500, 40, 2, 90_000_000, 4, 0),
        (200, 20, 0, 0, 5, 2),
        (100, 100, 50, 600_000, 6, 0),
        (40, 3, 1, LEAST_RUPEES_A_PAYER, 7, 2),
        (5, 0, 0, 0, 8, 0),
        (1, 1, 1, 6_000, 8, 0),
    ],
)
def test_the_sums_hold(consumers, defaulters, payers, rupees, seed, race):
    built = circle(consumers, defaulters, payers, rupees, seed, race=race)
    due = built.due_paise()

    assert len(built.connections) == consumers
    assert len(set(built.defaulters)) == defaulters
    assert len(built.payers) == payers
    assert sum(each.paise for each in built.payers) == rupees * 100
    assert [each.paise for each in built.payers[:-1]] == [due[each.connection] for each in built.payers[:-1]]
    assert all(each.paise >= due[each.connection] for each in built.payers[-1:])
    assert [each.paise for each in built.racers] == [due[each.connection] for each in built.racers]

    paying = {each.connection for each in built.payers}
    racing = {each.connection for each in built.racers}
    assert len(paying) == payers
    assert len(racing) == race
    assert not paying & racing
    assert paying | racing <= set(built.defaulters)
    if defaulters > payers + race:
        assert built.forcer in set(built.defaulters) - paying - racing
    else:
        assert built.forcer is None

    dropping = {each.connection for each in built.dropouts}
    guarded = {each.connection for each in built.protected}
    assert not dropping & set(built.defaulters)
    assert not guarded & (dropping | set(built.defaulters))
    assert all(each.paise == due[each.connection] for each in built.dropouts)
    assert all(1 <= each.after_reminders < almanac.POLICY.reminders for each in built.dropouts)
    owed = built.enforceable_paise()
    assert all(owed[number] > almanac.POLICY.minimum_paise for number in [*built.defaulters, *dropping])
    above = {number for number, paise in due.items() if paise > almanac.POLICY.minimum_paise}
    assert above == set(built.defaulters) | dropping | guarded


@pytest.mark.parametrize("built", [circle(), circle(10_000, 796, 260, 2_800_000, 1)], ids=["3000", "10000"])
def test_each_account_owes_what_its_bills_and_payments_say(built):
    for connection, account in zip(built.connections, built.accounts, strict=True):
        assert {bill.connection for bill in account.bills} == {connection.number}
        billed = sum(bill.paise for bill in account.bills)
        assert billed - sum(payment.paise for payment in account.payments) == account.due_paise >= 0
        assert all(payment.paise > 0 and payment.at.date() < built.monday for payment in account.payments)
    assert len({bill.number for bill in built.bills}) == len(built.bills)
    assert len({payment.reference for payment in built.payments}) == len(built.payments)


@pytest.mark.parametrize("monday", [MONDAY, date(2025, 11, 3), date(2025, 12, 29), date(2026, 3, 2), date(2027, 2, 1)])
def test_the_listed_owe_ripe_bills_all_named_in_a_notice_served_in_time(monday):
    built = circle(monday=monday)
    accounts = {
        connection.number: account for connection, account in zip(built.connections, built.accounts, strict=True)
    }
    for number in [*built.defaulters, *(each.connection for each in built.dropouts)]:
        account = accounts[number]
        assert account.notice is not None
        assert account.notice.served_on is not None
        young = almanac.young_months(monday)
        named = [bill for bill in account.bills if bill.month not in young]
        assert account.notice.bills == tuple(bill.number for bill in named)
        assert account.notice.paise == account.enforceable_paise == sum(bill.paise for bill in named)
        assert [bill.month for bill in account.bills[len(named) :]] == list(young)
        assert clear_days(account.notice.served_on, monday) >= 15
        assert account.notice.served_on >= account.notice.issued_on
        assert not account.payments
        assert account.hold is None
        for bill in named:
            assert bill.issued_on < bill.due_on < account.notice.issued_on
            assert bill.issued_on > monday - timedelta(days=700)
            assert not bill.estimated
            assert not bill.disputed
            assert bill.paise % 100 == 0


@pytest.mark.parametrize("monday", [MONDAY, date(2025, 11, 3), date(2026, 3, 2), date(2027, 2, 1)])
def test_registers_are_what_the_bills_say_and_no_load_is_overdrawn(monday):
    built = circle(monday=monday)
    for account in built.accounts:
        metered = [bill for bill in account.bills if not bill.opening]
        read = [bill for bill in metered if not bill.estimated]
        days, stands = zip(*account.registers, strict=True)
        assert days[0] == metered[0].month
        assert [high - low for low, high in pairwise(stands)] == [bill.consumption_wh for bill in read]
        for bill, (first, last) in zip(read, pairwise(days), strict=True):
            assert bill.consumption_wh * 100 <= most_wh(account.connection.load_w, (last - first).days) * 60
            assert bill.paise == price(account.connection, bill.month, bill.consumption_wh)


def test_the_month_before_the_monday_is_billed_but_too_young_to_cut_for():
    assert almanac.young_months(MONDAY) == (date(2025, 10, 1),)
    assert almanac.billing_months(MONDAY, 1) == (date(2025, 9, 1),)
    assert all(account.bills[-1].month == date(2025, 10, 1) for account in circle().accounts)
    for days in range(0, 400, 7):
        assert len(almanac.young_months(date(2025, 11, 3) + timedelta(days=days))) <= MOST_YOUNG


def test_the_protected_are_one_of_each_kind_at_least():
    whys = [each.why for each in circle().protected]
    assert set(whys) == set(dues.PROTECTIONS)
    assert len(circle(10_000, 796, 260, 2_800_000, 1).protected) == 12
    part_3 = {each.connection for each in circle().protected if each.why == dues.PART_3}
    assert {each.number for each in circle().connections if each.phase == 3} == part_3


def test_offices_feeders_and_transformers_hold_together():
    built = circle(10_000, 796, 260, 2_800_000, 1)
    office = {each.id: each for each in built.offices}
    feeder = {each.id: each for each in built.feeders}
    transformer = {each.id: each for each in built.transformers}
    kinds = [each.kind for each in built.offices]
    assert kinds.count("division") == len(DIVISIONS) == 3
    assert 8 <= kinds.count("subdivision") <= 9
    assert 28 <= kinds.count("centre") <= 34
    assert 55 <= len(feeder) <= 65
    assert 650 <= len(transformer) <= 750
    seen: set[int] = set()
    for each in built.offices:  # a parent stands before its children, as the database needs it
        assert each.parent is None or each.parent in seen
        seen.add(each.id)
    for each in built.connections:
        assert re.fullmatch(r"[1-9]\d{9}", str(each.number))
        assert re.fullmatch(r"5\d{9}", each.phone)  # no Indian mobile number begins with 5
        assert office[each.centre].kind == "centre"
        subdivision = feeder[transformer[each.transformer].feeder].subdivision
        assert office[each.centre].parent == subdivision
        assert 21.5 < each.latitude < 23.2
        assert 81.3 < each.longitude < 82.6
    assert {each.centre for each in built.connections} == {each.id for each in built.offices if each.kind == "centre"}
    assert len({each.number for each in built.connections}) == len({each.meter for each in built.connections}) == 10_000
    assert set(built.division_names().values()) == {"Bilaspur", "Mungeli", "Pendra Road"}


def test_the_listed_are_spread_so_that_no_transformer_loses_far_more_than_its_share():
    built = circle(10_000, 796, 260, 2_800_000, 1)
    assert built.most_cut()["transformer"] <= 4
    assert built.most_cut()["feeder"] <= 30


def test_names_are_plenty_and_in_both_scripts():
    assert sum(len(each.first) for each in COMMUNITIES) >= 80
    assert sum(len(each.surnames) for each in COMMUNITIES) >= 40
    for community in COMMUNITIES:
        for latin, devanagari in [*community.first, *community.surnames]:
            assert re.fullmatch(r"[A-Z][a-z]+", latin)
            assert re.fullmatch(r"[\u0900-\u0963\u0970-\u097f]+", devanagari)
        assert len(set(community.first)) == len(community.first)
    assert sum(each.weight for each in COMMUNITIES) == 100


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"payers": 41, "rupees": 41 * LEAST_RUPEES_A_PAYER - 1}, TooFewRupees),
        ({"payers": 0, "rupees": 1}, RupeesWithoutPayers),
        ({"payers": 138}, TooManyPayers),
        ({"payers": 130, "rupees": 1_000_000, "race": 8}, TooManyPayers),
        ({"consumers": 100}, TooFewConsumers),
        ({"consumers": 0, "defaulters": 0, "payers": 0, "rupees": 0}, NumberOutOfRange),
        ({"defaulters": -1}, NumberOutOfRange),
        ({"dropouts": 5000}, TooFewConsumers),
    ],
)
def test_numbers_that_do_not_go_together_are_refused_with_one_sentence(asked, refusal):
    with pytest.raises(refusal) as refused:
        circle(**asked)
    assert refused.value.exit_code == USAGE
    wishes = {"consumers": 3000, "defaulters": 137, "payers": 41, "rupees": 512_345, "race": 0, "monday": MONDAY}
    with pytest.raises(refusal):
        check_wishes(**wishes | asked)
    for language in ("hi", "en"):
        assert refused.value.text(language).count("\n") == 0


def test_a_roster_with_too_few_meters_is_refused():
    with pytest.raises(RosterTooShort):
        build_circle(seed=1, consumers=20, defaulters=1, payers=0, rupees=0, monday=MONDAY, meters=meters(19))


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2025, 11, 23), "Sunday"),
        (date(2025, 12, 13), "Second Saturday"),
        (date(2026, 8, 8), "Second Saturday"),
        (date(2025, 12, 18), "Guru Ghasidas"),
        (date(2025, 6, 30), "no policy"),
    ],
)
def test_a_day_without_cuts_is_refused(day, why):
    with pytest.raises(almanac.NoCutsThatDay, match=why) as refused:
        circle(monday=day)
    assert refused.value.exit_code == USAGE


def test_the_almanac_knows_second_saturdays_and_the_three_days_before():
    assert almanac.second_saturday(date(2025, 11, 1)) == date(2025, 11, 8)
    assert almanac.second_saturday(date(2025, 12, 1)) == date(2025, 12, 13)
    assert almanac.second_saturday(date(2025, 8, 1)) == date(2025, 8, 9)
    assert almanac.reminder_days(MONDAY) == (date(2025, 11, 21), date(2025, 11, 22), date(2025, 11, 23))
    listed = almanac.no_cut_days(MONDAY)
    assert date(2025, 11, 8) in {each.day for each in listed}
    assert all("unverified" in each.reason or each.reason == "Second Saturday" for each in listed)


@pytest.mark.parametrize(
    ("total", "weights", "least"), [(10, [1, 2, 3], 1), (2, [5, 5, 5], 1), (7, [1, 1], 0), (0, [3], 1)]
)
def test_shares_add_up(total, weights, least):
    parts = shares(total, weights, least=least)
    assert sum(parts) == total
    assert all(part >= (least if total >= least * len(weights) else 0) for part in parts)


def test_a_due_is_never_shaped_from_too_little():
    with pytest.raises(ValueError, match="not enough"):
        dues.shaped(5_000, 1, dues.Random(1))

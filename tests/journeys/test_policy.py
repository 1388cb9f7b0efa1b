"""Who may be cut is data under two officers, bounded by the law; holds of many at once; dry runs and what-ifs."""

import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from bahal.domains.arrears.errors import (
    AreaHoldUnknown,
    AreaWrong,
    ConversionUnknown,
    NeedUnknown,
    NotRegistered,
    OfficerMayNotSetPolicy,
    PolicyAccepted,
    PolicyBackdated,
    PolicyUnknown,
    PolicyUnlawful,
    PolicyVersionTaken,
    PolicyWrong,
    ReasonMissing,
    RegisteredAlready,
    SameOfficer,
)
from bahal.domains.arrears.policy import FIELDS, read_policy, shipped_policy
from bahal.domains.arrears.queries import review_list
from bahal.domains.supply.errors import NobodyToCut
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, one, value
from bahal.journeys import keep_register
from bahal.journeys.draft_drive import draft_drive
from bahal.journeys.dry_run import dry_run, what_if
from bahal.journeys.explain_eligibility import explain_eligibility
from bahal.journeys.fairness_report import fairness_report
from bahal.journeys.hold_area import free_area, hold_area
from bahal.journeys.place_hold import place_hold
from bahal.journeys.set_policy import accept, propose
from bahal.journeys.take_payment import take_payment
from bahal.shared.errors import Refusal
from tests.journeys import town
from tests.plugin.databases import Database

TIMES = {"at": datetime(2025, 11, 20, tzinfo=UTC), "business_at": town.NINE}


def reasons_of(connection: int, at: datetime = town.TEN) -> list[str]:
    row = one("SELECT reasons FROM authority_facts(ARRAY[%s]::bigint[], %s)", connection, at)
    assert row is not None
    return list(row[0])


def test_the_shipped_policy_names_a_source_for_every_rule_and_admits_what_nobody_checked() -> None:
    document = read_policy(shipped_policy(), file="shipped")
    assert set(document.rules) == set(FIELDS)
    assert document.rules["notice_clear_days"].verified
    assert "minimum_paise" in document.unverified
    assert not document.columns()["verified"]


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"notice_clear_days": 14}, PolicyUnlawful),
        ({"stale_after_months": 25}, PolicyUnlawful),
        ({"protest_months": 3}, PolicyUnlawful),
        ({"reminders": 0}, PolicyUnlawful),
        ({"canary": 51}, PolicyUnlawful),
        ({"overload": '"cut"'}, PolicyWrong),
        ({"minimum_paise": -1}, PolicyWrong),
        ({"minimum_paise": "true"}, PolicyWrong),
        ({"window_from": "14:00:00"}, PolicyWrong),
        ({"channels": "[1]"}, PolicyWrong),
    ],
)
def test_a_policy_below_the_law_or_malformed_is_refused(changed: dict[str, object], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        read_policy(town.policy(**changed), file="test")


@pytest.mark.parametrize(
    "broken",
    [
        lambda text: text.replace("[overload]", "[overlode]"),
        lambda text: text.replace('source = "UP"', 'source = " "', 1),
        lambda text: text.replace("verified = true", "verified = 1", 1),
        lambda text: text.replace('version = "test-1"', "version = 1"),
        lambda text: text + "\nwaive = ['held']",
        lambda text: "not toml [",
    ],
)
def test_a_document_is_read_whole_or_not_at_all(broken) -> None:
    with pytest.raises(PolicyWrong):
        read_policy(broken(town.policy()), file="test")


def test_a_policy_takes_two_officers_and_begins_ahead(database: Database) -> None:
    town.found(connections=1, reminded=False)
    dear = town.policy("dear", minimum_paise=9_000_00, effective_from=date(2025, 11, 24))
    with pytest.raises(OfficerMayNotSetPolicy):
        propose(text=dear, file="f", officer="cashier", **TIMES)
    assert propose(text=dear, file="f", officer="ee", **TIMES) == "dear"
    with pytest.raises(PolicyVersionTaken):
        propose(text=dear, file="f", officer="se", **TIMES)
    policy = "SELECT version FROM authority_policy(%s)"
    assert value(policy, town.TEN) == "test-1"
    for wrong, refusal in (
        ({"officer": "ee"}, SameOfficer),
        ({"version": "none"}, PolicyUnknown),
        ({"reason": " "}, ReasonMissing),
    ):
        with pytest.raises(refusal):
            accept(**{"version": "dear", "officer": "se", "reason": "board", **TIMES, **wrong})
    accept(version="dear", officer="se", reason="board", **TIMES)
    with pytest.raises(PolicyAccepted):
        accept(version="dear", officer="se", reason="board", **TIMES)
    assert value(policy, town.TEN) == "dear"
    assert value(policy, datetime(2025, 11, 23, 18, 29, 59, tzinfo=UTC)) == "test-1"  # 23:59:59 on Sunday in India
    assert value(policy, datetime(2025, 11, 23, 18, 30, tzinfo=UTC)) == "dear"
    late = town.policy("late", effective_from=date(2025, 11, 20))
    propose(text=late, file="f", officer="ee", **TIMES)
    with pytest.raises(PolicyBackdated):
        accept(version="late", officer="se", reason="board", **TIMES)


def test_the_database_lets_no_application_accept_alone(database: Database) -> None:
    town.found(connections=1, reminded=False)
    propose(text=town.policy("p2"), file="f", officer="ee", **TIMES)
    with database.connect("app") as app:
        for statement in (
            "UPDATE arrears_policy SET accepted_by = 'ee', accepted_at = now() WHERE version = 'p2'",
            "UPDATE arrears_policy SET accepted_at = now() WHERE version = 'test-1'",
            "UPDATE arrears_policy SET minimum_paise = 0",
            "DELETE FROM arrears_policy",
            "INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,"
            " last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source,"
            " verified, accepted_by, accepted_at) VALUES ('x', '2020-01-01', 0, 0, 0, 0, '0:00', '23:00', 99, 0, '',"
            " true, 'x', now())",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(statement)
    with database.connect("owner") as owner, pytest.raises(psycopg.errors.CheckViolation):
        owner.execute("UPDATE arrears_policy SET waived = ARRAY['held']")


def test_the_nearest_office_and_the_category_decide(database: Database) -> None:
    first, second, third = town.found(connections=3).connections

    def scoped(version: str, minimum: int, head: str) -> None:
        text = town.policy(version, minimum_paise=minimum, effective_from=date(2025, 11, 24))
        town.set_policy(text.replace("effective_from", f"{head}\neffective_from"), business_at=town.NINE)

    scoped("circle", 6_500_00, "office = 10")
    scoped("division", 5_500_00, "office = 100")
    scoped("other category", 9_000_00, 'office = 100\ncategory = "LV-2"')
    assert reasons_of(first) == []
    assert reasons_of(second) == reasons_of(third) == ["due_below_minimum"]
    with database.connect("owner") as owner:
        owner.execute("UPDATE network_connection SET category = 'LV-2' WHERE id = %s", [first])
    assert reasons_of(first) == ["due_below_minimum"]
    draft_time = {"not_before": town.TEN, "expires_at": town.TEN + timedelta(hours=4), "business_at": town.NINE}
    with pytest.raises(NobodyToCut):
        draft_drive(office=town.CIRCLE, maker="ee", **draft_time)


def test_an_area_is_held_at_once_and_frees_nothing_by_itself(database: Database) -> None:
    first, second, third = town.found(connections=3).connections
    usual = {"feeder": None, "kind": "examination", "evidence": "board's letter", "actor": "ee", "expires_at": None}
    hold = hold_area(**{**usual, "office": 100}, **TIMES)
    assert [reasons_of(each) for each in (first, second, third)] == [["area_held"], [], []]
    feeder = hold_area(**{**usual, "office": None, "feeder": 1, "kind": "flood_warning"}, **TIMES)
    assert reasons_of(second) == ["area_held"]
    for wrong in ({"office": None}, {"office": 1, "feeder": 1}, {"office": 1, "kind": "rain"},
                  {"office": 1, "evidence": " "}, {"office": 1, "expires_at": town.NINE},
                  {"office": None, "feeder": 9}):  # fmt: skip
        with pytest.raises(AreaWrong):
            hold_area(**{**usual, **wrong}, **TIMES)  # type: ignore[arg-type]  # wrong on purpose
    free_area(hold=feeder, actor="ee", **TIMES)
    free_area(hold=hold, actor="ee", **TIMES)
    assert reasons_of(first) == reasons_of(second) == []
    with pytest.raises(AreaHoldUnknown):
        free_area(hold=hold, actor="ee", **TIMES)


def test_an_area_waits_for_the_batch_that_is_being_derived(database: Database) -> None:
    """Once the hold is placed, no batch that began before it is still to commit a sending."""
    town.found(connections=1, reminded=False)
    placed = threading.Event()

    def place() -> None:
        with database.connect("app", autocommit=False) as app:
            app.execute("SELECT authority_change()")
            app.commit()
        placed.set()

    with database.connect("owner", autocommit=False) as sending:
        sending.execute("SELECT authority_steady()")
        waiting = threading.Thread(target=place)
        waiting.start()
        assert not placed.wait(0.3)
        sending.commit()
        assert placed.wait(5)
        waiting.join()


def test_the_register_stands_until_somebody_ends_it(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    usual = {
        "connection": first,
        "need": "dialysis",
        "evidence": "slip 4",
        "review_on": date(2025, 11, 25),
        "actor": "se",
    }
    with pytest.raises(NeedUnknown):
        keep_register.register(**{**usual, "need": "friend"}, **TIMES)
    keep_register.register(**usual, **TIMES)
    assert one("SELECT state, reason FROM supply_order WHERE connection = %s", first) == ("cancelled", "held")
    years_on = town.TEN + timedelta(days=2000)
    assert "vulnerable" in reasons_of(first, years_on)
    with pytest.raises(RegisteredAlready):
        keep_register.register(**usual, **TIMES)
    assert [each.what for each in review_list(business_at=town.TEN, within_days=7)] == ["vulnerable"]
    with pytest.raises(ReasonMissing):
        keep_register.end(connection=first, reason="", actor="ee", **TIMES)
    keep_register.end(connection=first, reason="moved away", actor="ee", **TIMES)
    assert reasons_of(first) == []
    with pytest.raises(NotRegistered):
        keep_register.end(connection=first, reason="again", actor="ee", **TIMES)
    assert any("डायलिसिस" in each.sentence for each in story_of(connection=first, language="hi"))


def test_a_converted_connection_waits_for_its_balance_and_its_grace(database: Database) -> None:
    first = town.found(connections=1).connections[0]
    keep_register.note_conversion(connection=first, converted_on=date(2025, 10, 25), actor="ee", **TIMES)
    assert reasons_of(first) == ["conversion_unreconciled"]  # the thirtieth day after is over
    assert "conversion_grace" in reasons_of(first, datetime(2025, 11, 23, 18, 29, 59, tzinfo=UTC))
    with pytest.raises(ConversionUnknown):
        keep_register.reconcile_conversion(connection=first, opening_paise=0, actor="ee", **TIMES)
    keep_register.reconcile_conversion(connection=first, opening_paise=0, actor="se", **TIMES)
    assert reasons_of(first) == []


@pytest.mark.parametrize(
    ("local", "against"),
    [
        ("2025-11-24 09:59:59.999999", ["outside_window"]),
        ("2025-11-24 10:00:00", []),
        ("2025-11-24 13:59:59.999999", []),
        ("2025-11-24 14:00:00", ["outside_window"]),
        ("2025-11-24 07:59:59", ["outside_window", "quiet_hours"]),
        ("2025-11-24 18:00:00", ["outside_window", "quiet_hours"]),
        ("2025-11-23 12:00:00", ["no_cut_day"]),  # Sunday
        ("2025-11-08 12:00:00", ["no_cut_day"]),  # second Saturday
        ("2025-11-15 12:00:00", []),  # third Saturday
        ("2026-02-28 12:00:00", []),  # month's end, fourth Saturday
        ("2028-02-29 12:00:00", []),
        ("2026-03-31 23:59:59", ["outside_window", "quiet_hours"]),
        ("2026-04-01 10:00:00", []),
        ("2026-08-08 10:00:00", ["no_cut_day"]),  # the eighth and a Saturday
        ("2026-08-14 10:00:00", []),  # a Friday
    ],
)
def test_the_clock_at_its_edges(database: Database, local: str, against: list[str]) -> None:
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,"
            " last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source,"
            " verified, accepted_by, accepted_at)"
            " VALUES ('t', '2020-01-01', 0, 15, 3, 3, '10:00', '14:00', 24, 0, '', false, 'x', now())"
        )
        row = owner.execute(
            "SELECT authority_hours(x.at, authority_policy(x.at)), authority_window(x.at, authority_policy(x.at))"
            " FROM (SELECT %s::timestamp AT TIME ZONE 'Asia/Kolkata' AS at) AS x",
            [local],
        ).fetchone()
    assert row == (against, not against)


def test_a_dry_run_has_a_reason_for_everybody_and_the_differences(database: Database) -> None:
    place = town.found(connections=5)
    held, paid, *_ = place.connections
    asked = {"office": town.CIRCLE, "maker": "ee", "cut_at": town.TEN, **TIMES}
    first = dry_run(**asked)
    assert first.listed == place.connections
    assert first.before is None
    place_hold(connection=held, kind="hospital", evidence="x", actor="ee", expires_at=None, **TIMES)
    take_payment(key="k", connection=paid, paise=town.DUE, channel="upi", actor="x", business_at=town.NINE)
    second = dry_run(**asked)
    assert second.before == first.run
    assert second.came == []
    assert second.went == {held: ("held",), paid: ("due_below_minimum",)}
    assert second.counts == {"held": 1, "due_below_minimum": 1}
    stored = many("SELECT reasons, connections FROM supply_dryrungroup WHERE run = %s ORDER BY reasons", second.run)
    assert sorted(number for _, numbers in stored for number in numbers) == place.connections
    assert second.list_sha256 == town.draft_at_nine().list_sha256
    with database.connect("owner") as owner, pytest.raises(psycopg.Error):
        owner.execute("DELETE FROM supply_dryrun")


def test_a_what_if_names_the_cuts_that_would_be_wrong_and_keeps_nothing(database: Database) -> None:
    place = town.found(connections=4)
    held, poor, *_ = place.connections
    place_hold(connection=held, kind="life_support", evidence="x", actor="ee", expires_at=None, **TIMES)
    take_payment(key="k", connection=poor, paise=4_000_00, channel="upi", actor="x", business_at=town.NINE)
    asked = {"office": town.CIRCLE, "file": "bihar.toml", "cut_at": town.TEN, "business_at": town.NINE}
    found = what_if(text="minimum_paise = 100000\nwaive = ['held']", **asked)
    assert (found.cuts, found.present_cuts) == (4, 2)
    assert found.paise == 3 * town.DUE + town.DUE - 4_000_00
    assert found.wrong == {held: ("held",), poor: ("due_below_minimum",)}
    assert found.wrong_by_reason == {"held": 1, "due_below_minimum": 1}
    stricter = what_if(text="minimum_paise = 700000", **asked)
    assert (stricter.cuts, stricter.wrong, len(stricter.spared)) == (0, {}, 2)
    for bad in ("waive = ['everything']", "minimum = 4", "reminders = 'x'"):
        with pytest.raises(PolicyWrong):
            what_if(text=bad, **asked)
    assert value("SELECT count(*) FROM arrears_policy") == 1
    assert value("SELECT count(*) FROM supply_dryrun") == 0


def test_a_what_if_without_notice_and_reminders_shows_whom_the_law_saves(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE notices_step DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM notices_step WHERE connection = %s", [place.connections[0]])
    asked = {"office": town.CIRCLE, "file": "f", "cut_at": town.TEN, "business_at": town.NINE}
    found = what_if(text="waive = ['notice_not_served', 'reminders_not_delivered']", **asked)
    assert found.cuts == 2
    assert found.wrong[place.connections[0]] == (
        "notice_not_served", "due_below_minimum", "reminders_not_delivered",
    )  # fmt: skip
    assert found.wrong[place.connections[1]] == ("reminders_not_delivered",)


def test_one_connection_is_explained_in_both_languages(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    place_hold(connection=first, kind="forum_stay", evidence="12/2025", actor="ee", expires_at=None, **TIMES)
    told = explain_eligibility(connection=first, business_at=town.TEN).as_json()
    assert not told["may_be_cut"]
    assert told["reasons"] == [
        {"code": "held", "hi": "रोक लगी है (शिकायत निवारण फोरम का स्थगन)",
         "en": "a hold is in force (stay by the grievance forum)"},
        {"code": "reminders_not_delivered", "hi": "स्मरण लगातार दिनों में नहीं पहुँचे", "en": "reminders not all delivered"},
    ]  # fmt: skip
    assert told["facts"]["policy"] == "test-1"


def test_the_fairness_report_names_who_was_kept_by_whom(database: Database) -> None:
    first, second, *_ = town.found(connections=6).connections
    place_hold(connection=first, kind="complaint", evidence="x", actor="kindly", expires_at=None, **TIMES)
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO billing_terms (connection, effective_from, category, phases, load_w, owner, reason)"
            " VALUES (%s, '2020-01-01', 'LV-1', 1, 1000, 'government', 'x')",
            [second],
        )
    groups = fairness_report(office=town.CIRCLE, business_at=town.NINE, cut_at=town.TEN)
    assert sum(each.owing for each in groups) == 6
    assert sum(each.may_be_cut for each in groups) == 5
    kept = [each for each in groups if each.skipped_by]
    assert [(each.division, each.reasons, each.skipped_by) for each in kept] == [
        (100, {"held": 1}, {("kindly", "complaint"): 1})
    ]
    assert [(each.division, each.owing, each.band) for each in groups if each.owner == "government"] == [
        (101, 1, "<= 10,000")
    ]

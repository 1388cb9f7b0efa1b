"""Cuts by hand: the same two officers, derivation at the moment of acting and caps; light never waits."""

import json
import threading
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.fieldwork.errors import LeaveRefused
from bahal.domains.supply.by_hand import WORDS_AGAINST, HandFacts, word
from bahal.domains.supply.eligibility import REASONS
from bahal.foundation.rows import many, one, value
from bahal.journeys.ask_leave import ask_leave
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.draft_drive import draft_drive
from bahal.journeys.eligibility import Selection
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.field_round import field_round
from bahal.journeys.place_hold import place_hold
from bahal.journeys.propose_drive import propose_drive
from bahal.journeys.replay_drive import replay_drive
from bahal.journeys.report_task import Told, report_task, settle_report
from bahal.journeys.run_drive import run_drive
from bahal.journeys.sign_drive import sign_drive
from bahal.journeys.stop_drive import stop_drive
from bahal.journeys.take_payment import take_payment
from bahal.shared.warrant import sign
from tests.interlock import facts
from tests.journeys import town
from tests.plugin.databases import Database

AT = town.TEN + timedelta(minutes=5)
BY_HAND = Selection(by_hand=True)
CAPS = facts.PROFILE | {"canary": 0}


class Hands:
    """A town whose meters have no relay, a drive over it that the interlock took in, and its linemen."""

    def __init__(self, database: Database, *, connections: int = 1, caps: dict[str, object] | None = None) -> None:
        self.database = database
        self.town = town.found(connections=connections)
        self.caps = CAPS | (caps or {})
        times = {"actor": "test", "at": self.town.wall, "business_at": town.NINE}
        enrol_officers([town.officer("lineman", "lineman"), town.officer("second", "lineman")], **times)
        with database.connect("owner") as owner:
            owner.execute("UPDATE meters_meter SET phase = 3")
        self.drive = self._drive()
        self._take_in()

    def _drive(self) -> int:
        draft = draft_drive(
            office=town.CIRCLE, maker="ee", not_before=town.TEN, expires_at=town.TEN + timedelta(hours=4),
            business_at=town.NINE, selection=BY_HAND,
        )  # fmt: skip
        times = {"at": self.town.wall, "business_at": town.NINE}
        made = sign(town.key_of("ee"), draft.document, "maker")
        drive = propose_drive(document=draft.document, signature=made, name="by hand", selection=BY_HAND, **times).drive
        checked = sign(town.key_of("se"), draft.document, "checker")
        sign_drive(drive=drive, checker="se", signature=checked, **times)
        run_drive(drive=drive, actor="ee", at=self.town.wall, business_at=town.TEN)
        return drive

    def _take_in(self) -> None:
        """As the interlock does with a warrant that it verified."""
        lines = many(
            "SELECT id, meter, connection, fence, due_paise, position FROM supply_order WHERE drive = %s"
            " ORDER BY position",
            self.drive,
        )
        warrant, sha256, start, end = (
            one("SELECT warrant, list_sha256, not_before, expires_at FROM supply_drive WHERE id = %s", self.drive)
            or (None,) * 4
        )
        with self.database.connect("interlock") as interlock:
            interlock.execute(
                "SELECT interlock_state_profile('test', '{ee,se}', %s, NULL, 'w')", [json.dumps(self.caps)]
            )
            interlock.execute(
                "SELECT interlock_register(%s, %s, %s, 'ee', 'se', 'ee', 'se', %s, %s, %s, %s, %s::bigint[],"
                " %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])",
                [self.drive, warrant, sha256, json.dumps(self.caps), start, end, town.TEN,
                 *(list(column) for column in zip(*lines, strict=True))],
            )  # fmt: skip
            interlock.execute("SELECT interlock_pass_canary(%s)", [self.drive])
        self.tick()

    def tick(self) -> int:
        """The interlock hands over what no relay can do, and the worker draws the consequences."""
        with self.database.connect("interlock") as interlock:
            (handed,) = interlock.execute("SELECT interlock_hand_over(%s)", [AT]).fetchone() or (0,)
        confirm_relay(at=self.town.wall, business_at=AT)
        return int(handed)  # type: ignore[call-overload]

    def task(self, nth: int = 0) -> int:
        return int(value("SELECT id FROM fieldwork_task WHERE kind = 'cut' ORDER BY id OFFSET %s LIMIT 1", nth))

    def ask(self, task: int, *, at: datetime = AT, lineman: str = "lineman") -> datetime:
        return ask_leave(task=task, lineman=lineman, at=self.town.wall, business_at=at).until

    def refused(self, task: int, *, at: datetime = AT) -> str:
        with pytest.raises(LeaveRefused) as caught:
            self.ask(task, at=at)
        return str(caught.value.data["reason"])

    def report(self, task: int, *, at: datetime = AT, **more: object) -> list[str]:
        told = Told(str(uuid.uuid4()), task, "lineman", at, "done", "off")
        taken = report_task(replace(told, **more), at=self.town.wall, business_at=max(AT, at))  # type: ignore[arg-type]
        return list(taken.against)

    def pay(self, nth: int = 0) -> int | None:
        return take_payment(
            key=uuid.uuid4().hex, connection=self.town.connections[nth], paise=town.DUE, channel="upi", actor="cashier",
            business_at=AT,
        ).order  # fmt: skip


def restores() -> list[tuple[str, str]]:
    return many("SELECT state, reason FROM supply_order WHERE kind = 'restore' ORDER BY id")  # type: ignore[return-value]


def test_a_meter_without_a_relay_is_cut_by_hand_and_lit_by_hand(database: Database) -> None:
    hands = Hands(database)
    (first,) = hands.town.connections
    assert one("SELECT state, reason FROM supply_order") == ("field_task", "no_relay")
    task = hands.task()
    assert hands.ask(task) == AT + timedelta(minutes=15)
    assert value("SELECT count(*) FROM interlock_sending") == 1
    assert hands.report(task) == []
    assert one("SELECT desired, by_hand FROM supply_fence") == ("off", True)
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'cut'") == 1
    assert hands.pay() is not None
    assert hands.tick() == 1
    assert restores() == [("field_task", "cut_by_hand")]
    (stop,) = field_round()
    assert (stop.task.kind, stop.task.connection) == ("restore", first)
    assert hands.report(stop.task.id, supply="on") == []
    assert one("SELECT desired, by_hand FROM supply_fence") == ("on", False)
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'restored'") == 1
    assert field_round() == []
    assert replay_drive(drive=hands.drive).differs == []


def test_the_interlock_dials_no_meter_without_a_relay(database: Database) -> None:
    hands = Hands(database)
    with hands.database.connect("owner") as owner:
        owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
        owner.execute("UPDATE supply_order SET state = 'authorised'")
        owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")
        owner.execute("INSERT INTO interlock_import VALUES (gen_random_uuid(), '')")
        owner.execute(
            "INSERT INTO interlock_meter (meter, connection, make, system_title, host, port, cell, phase, import,"
            " sealed) SELECT m.serial, m.connection, 'arpa', '12345678', 'h', 1, 'c', 3, i.id, ''"
            " FROM meters_meter m, interlock_import i"
        )
    with hands.database.connect("interlock") as interlock:
        assert interlock.execute("SELECT * FROM interlock_claim('w', 'cut', 9, 9, 9, %s)", [AT]).fetchall() == []


def test_a_leave_waits_for_a_payment_under_way_and_then_finds_it(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    answers: list[object] = []

    def ask() -> None:
        with database.connect("app") as lineman:
            answers.append(
                lineman.execute("SELECT verdict FROM field_may_cut(%s, 'lineman', %s)", [task, AT]).fetchone()
            )

    asking = threading.Thread(target=ask)
    with database.connect("app", autocommit=False) as payer:
        facts.pay(payer, hands.town.connections[0], paise=town.DUE, restore=False)
        asking.start()
        while not value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%may_cut%'"
        ):
            assert asking.is_alive()
        payer.commit()
    asking.join()
    assert answers == [("paid",)]


@pytest.mark.parametrize("after_leave", [False, True])
def test_money_first_and_nobody_cuts(database: Database, after_leave: bool) -> None:
    hands = Hands(database)
    task = hands.task()
    if after_leave:
        hands.ask(task)
    hands.pay()
    assert hands.refused(task) in ("paid", "task_closed")
    assert one("SELECT closed_how FROM fieldwork_task WHERE id = %s", task) == ("withdrawn",)
    hands.tick()
    # Without a leave nothing was ever touched; with one somebody may have cut, and somebody goes and looks.
    assert restores() == ([("field_task", "cut_by_hand")] if after_leave else [])
    if after_leave:
        # He cut in the quarter of an hour that he had: his report does not win over the money.
        assert hands.report(task) == []
        assert value("SELECT desired FROM supply_fence") == "on"
        assert value("SELECT count(*) FROM notices_message WHERE kind = 'cut'") == 0


def test_a_hold_or_a_stop_in_between_refuses(database: Database) -> None:
    hands = Hands(database, connections=2)
    times = {"at": hands.town.wall, "business_at": AT}
    place_hold(
        connection=hands.town.connections[0], kind="hospital", evidence="letter 7", actor="ee", expires_at=None, **times
    )
    assert hands.refused(hands.task(0)) == "fence_moved"
    stop_drive(drive=hands.drive, actor="ee", reason="enough", **times)
    assert hands.refused(hands.task(1)) == "drive_not_running"
    assert value("SELECT count(*) FROM interlock_sending") == 0
    assert many("SELECT verdict, valid_until FROM field_leave ORDER BY id") == [
        ("fence_moved", None),
        ("drive_not_running", None),
    ]
    assert one("SELECT count(*) FROM audit_entry WHERE act = 'fieldwork.cut.refused'") == (2,)


def test_a_leave_ends_with_its_minutes_and_with_the_warrant(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    end = town.TEN + timedelta(hours=4)
    assert hands.ask(task, at=end - timedelta(minutes=10)) == end
    assert hands.refused(task, at=end) == "warrant_expired"
    assert hands.refused(task, at=town.TEN - timedelta(seconds=1)) == "warrant_expired"


def test_a_cut_after_the_leave_ran_out_is_undone_at_once(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    hands.ask(task)
    assert hands.report(task, at=AT + timedelta(minutes=18)) == ["cut_without_leave"]
    assert value("SELECT desired FROM supply_fence") == "on"
    hands.tick()
    assert restores() == [("field_task", "cut_by_hand")]
    assert [stop.task.kind for stop in field_round()] == ["restore"]
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'cut'") == 0


def test_joined_by_hand_and_still_dark_asks_the_relay_and_closes_nothing(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    hands.ask(task)
    hands.report(task)
    hands.pay()
    hands.tick()
    (stop,) = field_round()
    assert hands.report(stop.task.id, supply="off") == []
    assert len(field_round()) == 1
    assert restores() == [("field_task", "cut_by_hand"), ("authorised", "")]
    assert hands.tick() == 0  # this one is the relay's
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'restored'") == 0
    assert hands.report(stop.task.id, supply="unknown") == []
    assert len(field_round()) == 1


def test_nobody_cuts_on_another_ones_leave(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    hands.ask(task, lineman="second")
    assert hands.report(task) == ["cut_without_leave"]


def test_a_contradicted_cut_waits_for_an_officer(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    hands.ask(task)
    assert hands.report(task, latitude=22.5, longitude=82.1) == ["far_away"]
    assert one("SELECT desired, by_hand FROM supply_fence") == ("on", True)
    report = value("SELECT id::text FROM fieldwork_report")
    times = {"at": hands.town.wall, "business_at": AT}
    assert settle_report(report=report, officer="ee", accepted=True, reason="his phone was wrong", **times).closed
    assert one("SELECT desired, by_hand FROM supply_fence") == ("off", True)


def test_not_done_after_a_leave_leaves_the_supply_as_it_was(database: Database) -> None:
    hands = Hands(database)
    task = hands.task()
    hands.ask(task)
    assert hands.report(task, outcome="not_done", supply="on") == []
    assert one("SELECT desired, by_hand FROM supply_fence") == ("on", False)
    hands.ask(task)  # he may come again, and it counts once
    assert value("SELECT counted FROM interlock_cap WHERE scope LIKE 'drive:%%'") == 1


def test_caps_count_hands_as_relays(database: Database) -> None:
    hands = Hands(database, connections=2, caps={"drive": 1})
    hands.ask(hands.task(0))
    hands.ask(hands.task(0))
    assert hands.refused(hands.task(1)) == "cap_drive"
    assert value("SELECT count(*) FROM interlock_sending") == 1


def test_a_target_that_owes_nothing_stops_everything(database: Database) -> None:
    hands = Hands(database)
    with database.connect("owner") as owner:  # as no journey of ours would: money without the fence
        owner.execute(
            "WITH t AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
            " VALUES ('payment', 'x', now(), now()) RETURNING id) INSERT INTO ledger_posting"
            " (transaction, account, connection, paise) SELECT t.id, v.a, v.c, v.p FROM t, (VALUES"
            " ('cash', NULL::bigint, %s::bigint), ('receivable', %s, -%s)) AS v (a, c, p)",
            [town.DUE, hands.town.connections[0], town.DUE],
        )
    assert hands.refused(hands.task()) == "nothing_due"
    assert value("SELECT stopped_why FROM interlock_switch") == "nothing_due"


def test_the_application_gives_no_leave_by_itself(database: Database) -> None:
    hands = Hands(database)
    with database.connect("app") as app:
        for statement in (
            "INSERT INTO field_leave (task, order_id, connection, lineman, verdict, reasons, business_at, valid_until)"
            " VALUES (1, 1, 1, 'x', 'cut', '{}', now(), now())",
            "UPDATE field_leave SET verdict = 'cut'",
            "UPDATE field_rule SET leave_minutes = 30",
            "UPDATE interlock_line SET fence = 9",
            "SELECT interlock_hand_over(now())",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(statement)
        # A task that it invents leads to no line that two officers signed.
        app.execute(
            "INSERT INTO fieldwork_task (connection, meter, kind, reason, opened_at)"
            " VALUES (%s, %s, 'cut', 'x', now())",
            [hands.town.connections[0], f"M{hands.town.connections[0]}"],
        )
    assert hands.refused(int(value("SELECT max(id) FROM fieldwork_task"))) == "not_on_list"


moments = st.none() | st.sampled_from([town.NINE, town.TEN, AT, town.TEN + timedelta(hours=4)])
maybe = st.none() | st.booleans()
some_facts = st.builds(
    HandFacts,
    listed=st.just(True) | maybe,
    signed_fence=st.just(1) | st.none() | st.integers(0, 2),
    fence=st.just(1) | st.none() | st.integers(0, 2),
    balance_paise=st.just(5) | st.none() | st.integers(-1, 1),
    task_open=st.just(True) | maybe,
    stopped=st.just(False) | maybe,
    warrant_stopped=st.just(False) | maybe,
    drive=st.sampled_from(["running", "finished", "running", "finished", "paused", "stopped", None]),
    canary_passed=st.just(True) | maybe,
    at=st.just(AT) | st.sampled_from([town.NINE, town.TEN, town.TEN + timedelta(hours=4)]),
    not_before=st.just(town.TEN) | moments,
    expires_at=st.just(town.TEN + timedelta(hours=4)) | moments,
    cut_today=st.just(False) | maybe,
    reasons=st.just([]) | st.just(["no_relay"]) | st.none() | st.lists(st.sampled_from(REASONS), max_size=3),
)
_ASK = (
    "SELECT authority_by_hand(%s::boolean, %s::bigint, %s::bigint, %s::bigint, %s::boolean, %s::boolean, %s::boolean,"
    " %s::text, %s::boolean, %s::timestamptz, %s::timestamptz, %s::timestamptz, %s::boolean, %s::text[])"
)
CLEAN = HandFacts(
    listed=True, signed_fence=1, fence=1, balance_paise=1, task_open=True, stopped=False, warrant_stopped=False,
    drive="running", canary_passed=True, at=AT, not_before=town.TEN, expires_at=town.TEN + timedelta(hours=4),
    cut_today=False, reasons=["no_relay"],
)  # fmt: skip


def test_python_and_sql_agree(database: Database) -> None:
    with database.connect("app") as app:

        @given(st.lists(some_facts, min_size=1, max_size=20))
        def agree(asked: list[HandFacts]) -> None:
            for each in asked:
                values = [getattr(each, name) for name in HandFacts.__slots__]
                assert app.execute(_ASK, values).fetchone() == (word(each),)

        agree()


def test_each_single_fact_is_a_word_against_it() -> None:
    assert word(CLEAN) == "cut"
    against = {
        "not_on_list": {"listed": None}, "paid": {"fence": 2, "balance_paise": 0}, "fence_moved": {"fence": 2},
        "task_closed": {"task_open": False}, "warrant_stopped": {"warrant_stopped": True},
        "drive_not_running": {"stopped": True}, "canary_not_passed": {"canary_passed": False},
        "warrant_expired": {"at": town.NINE}, "cut_within_24_hours": {"cut_today": True},
        "nothing_due": {"balance_paise": 0}, "no_policy": {"reasons": None}, "held": {"reasons": ["no_relay", "held"]},
    }  # fmt: skip
    assert set(WORDS_AGAINST) | {"held"} == against.keys()
    for code, changed in against.items():
        assert word(replace(CLEAN, **changed)) == code  # type: ignore[arg-type]
    assert word(replace(CLEAN, drive="finished")) == "cut"

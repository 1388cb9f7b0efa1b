"""The database's half of the interlock: leases, caps, the canary, the moment of sending, results. No meter needed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.interlock import facts
from tests.interlock.door import Door
from tests.interlock.world import World

AT = facts.TEN_O_CLOCK
SENT = ("send", "cut")


def running(world: World, *, count: int = 6, canary: int = 0, **caps: Any) -> tuple[Door, facts.Drive]:
    """A registered drive and a worker at the door."""
    door = Door(world, profile={"canary": canary} | caps)
    drive = facts.propose(world.app, world.keys, count=count)
    door.register(drive)
    if not canary:
        door.pass_canary(drive)
    return door, drive


def lapse(world: World) -> None:
    """Every lease runs out now."""
    world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
    world.owner.execute(
        "UPDATE supply_order SET lease_until = '-infinity' WHERE state IN ('claimed', 'sent', 'unknown')"
    )
    world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")
    world.owner.execute("UPDATE interlock_meter SET lease_until = '-infinity'")


def states(world: World) -> list[str]:
    rows = world.app.execute("SELECT state FROM supply_order WHERE kind = 'cut' ORDER BY position").fetchall()
    return [row[0] for row in rows]


def test_a_claim_reserves_counters_and_a_token_in_the_meters_row(world: World) -> None:
    door, _ = running(world)
    leases = door.claim(limit=2)
    assert [lease.meter for lease in leases] == world.serials[:2]
    assert {(lease.token, lease.counter) for lease in leases} == {(1, 1)}
    assert [lease.meter for lease in door.claim(limit=9)] == world.serials[2:]
    assert world.one("SELECT count(*) FROM interlock_meter WHERE next_counter = 33 AND lease_holder = 'w1'") == 6


def test_nothing_is_claimed_of_a_drive_that_is_not_registered_running_or_in_time(world: World) -> None:
    door = Door(world)
    drive = facts.propose(world.app, world.keys, count=2)
    assert door.claim() == []
    door.register(drive)
    world.app.execute("UPDATE supply_drive SET state = 'paused'")
    assert door.claim() == []
    world.app.execute("UPDATE supply_drive SET state = 'running'")
    assert door.claim(at=drive.document.not_before - timedelta(seconds=1)) == []
    assert door.claim(at=drive.document.expires_at) == []
    world.owner.execute("UPDATE interlock_switch SET stopped_at = now()")
    assert door.claim() == []
    world.owner.execute("UPDATE interlock_switch SET stopped_at = NULL")
    assert len(door.claim()) == 2


def test_only_the_canary_is_claimed_until_it_passed(world: World) -> None:
    door, drive = running(world, canary=2)
    first = door.claim()
    assert [lease.meter for lease in first] == world.serials[:2]
    assert door.claim() == []
    door.cut(first)
    assert door.claim() == []
    verdict = "SELECT open, confirmed, failed, other FROM interlock_canary(%s)"
    assert door.connection.execute(verdict, (drive.id,)).fetchone() == (0, 2, 0, 0)
    door.pass_canary(drive)
    assert len(door.claim()) == 4


def test_an_order_beyond_the_canary_is_not_sent_before_it_passed(world: World) -> None:
    door, _ = running(world, canary=6)
    leases = door.claim()
    world.owner.execute("UPDATE interlock_warrant SET canary = 2")
    assert door.send_cuts(leases) == [SENT, SENT, *[("wait", "canary_not_passed")] * 4]
    assert states(world) == ["sent"] * 2 + ["authorised"] * 4


def test_a_stopped_drive_sends_nothing_and_gives_back(world: World) -> None:
    door, _ = running(world)
    leases = door.claim()
    world.app.execute("UPDATE supply_drive SET state = 'stopped'")
    assert door.send_cuts(leases) == [("wait", "drive_not_running")] * 6
    assert set(states(world)) == {"authorised"}
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_the_switch_stops_all_cuts_and_no_restore(world: World) -> None:
    door, _ = running(world)
    leases = door.claim()
    door.cut(leases[:1])
    with world.app.transaction():
        facts.pay(world.app, facts.FIRST)
    world.owner.execute("UPDATE interlock_switch SET stopped_at = now(), stopped_why = 'test'")
    assert door.send_cuts(leases[1:]) == [("wait", "drive_not_running")] * 5
    assert door.send_restores(door.claim("restore")) == ["send"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at)"
         " VALUES ({c}, 'hospital', '', '', now())", "held"),
        # Who owns the tables can take their guard off; that he did is found by the chain and the audit.
        ("ALTER TABLE notices_step DISABLE TRIGGER ALL;"
         " UPDATE notices_step SET effective_on = '2025-11-20' WHERE connection = {c}"
         " AND machine = 'statutory' AND event = 'delivered'", "notice_not_served"),
        ("ALTER TABLE notices_step DISABLE TRIGGER ALL;"
         " UPDATE notices_step SET channel = 'sms' WHERE connection = {c}", "notice_not_served"),
        ("ALTER TABLE notices_step DISABLE TRIGGER ALL;"
         " DELETE FROM notices_step WHERE connection = {c} AND machine = 'reminder'",
         "reminders_not_delivered"),
        ("ALTER TABLE notices_step DISABLE TRIGGER ALL;"
         " UPDATE notices_step SET event = 'failed' WHERE connection = {c} AND day = '2025-11-22'",
         "reminders_not_delivered"),
        ("ALTER TABLE notices_step DISABLE TRIGGER ALL;"
         " UPDATE notices_step SET effective_on = '2025-11-23' WHERE connection = {c}"
         " AND day = '2025-11-22' AND event = 'delivered'", "reminders_not_delivered"),
        ("UPDATE arrears_policy SET minimum_paise = 700000", "due_below_minimum"),
        ("INSERT INTO arrears_nocutday (day, reason, reason_hi) VALUES ('2025-11-24', '', '')", "no_cut_day"),
        ("UPDATE arrears_policy SET window_to = '10:00'", "outside_window"),
        ("DELETE FROM arrears_policy", "no_policy"),
        ("UPDATE supply_fence SET generation = generation + 1 WHERE connection = {c}", "fence_moved"),
        ("INSERT INTO arrears_areahold (office, kind, evidence, owner, placed_at)"
         " VALUES (1, 'court_stay', '', '', now())", "area_held"),
        ("INSERT INTO arrears_areahold (feeder, kind, evidence, owner, placed_at)"
         " SELECT feeder_id, 'flood_warning', '', '', now() FROM network_transformer LIMIT 1", "area_held"),
        ("INSERT INTO arrears_vulnerable (connection, need, evidence, registered_by, registered_at, review_on)"
         " VALUES ({c}, 'dialysis', '', '', now(), '2020-01-01')", "vulnerable"),
        ("INSERT INTO payments_cheque (payment, connection, paise, number, bank, dated_on)"
         " VALUES (1, {c}, 1, '1', 'b', now())", "payment_pending"),
        ("INSERT INTO payments_attempt VALUES ('T', {c}, 1, 'O', now(), now() + interval '1 minute')",
         "payment_pending"),
        ("INSERT INTO payments_attempt VALUES ('T', {c}, 1, 'O', now(), now() - interval '1 day');"
         " INSERT INTO payments_gatewayevent (event, kind, gateway_payment, gateway_order, body, late, received_at)"
         " VALUES ('e', 'k', 'p', 'O', '', false, now())", "payment_pending"),
        ("INSERT INTO arrears_plan (connection, paise, instalments, surcharge_free, hold, agreed_by, agreed_at)"
         " VALUES ({c}, 1, '[]', true, 0, '', now())", "plan_open"),
        ("INSERT INTO arrears_conversion (connection, converted_on, noted_by) VALUES ({c}, '2020-01-01', '')",
         "conversion_unreconciled"),
        ("INSERT INTO arrears_conversion VALUES ({c}, '2025-11-01', 'a', 0, now(), 'b')", "conversion_grace"),
        ("INSERT INTO billing_draft (connection, month, period_from, period_to, kind, consumption_wh, paise, estimated,"
         " reasons, basis, amounts, body, made_at) VALUES ({c}, '2025-11-01', '2025-10-01', '2025-11-01', 'regular', 1,"
         " 1, false, ARRAY['unusual'], '{{}}', ARRAY[1], '', now())", "review_open"),
        ("UPDATE arrears_policy SET channels = ARRAY['portal']", "due_not_visible"),
        ("UPDATE meters_meter SET phase = 3 WHERE connection = {c}", "no_relay"),
        ("UPDATE billing_bill SET estimated = true WHERE connection = {c}", "due_below_minimum"),
        ("UPDATE arrears_policy SET accepted_by = NULL, accepted_at = NULL", "no_policy"),
        ("UPDATE arrears_policy SET effective_until = '2025-11-24'", "no_policy"),
        ("INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,"
         " last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source, verified,"
         " office, accepted_by, accepted_at) VALUES ('town', '2025-01-01', 700000, 15, 3, 3, '10:00', '14:00', 24, 0,"
         " '', false, 111, 'se', now())", "due_below_minimum"),
    ],
)  # fmt: skip
def test_the_right_to_cut_is_derived_from_facts_and_not_from_the_order(world: World, change: str, word: str) -> None:
    door, _ = running(world, count=1)
    leases = door.claim()
    with world.owner.transaction():
        if "billing_bill" in change:
            world.owner.execute("ALTER TABLE billing_bill DISABLE TRIGGER keep_rows")
        world.owner.execute(change.format(c=facts.FIRST))  # type: ignore[arg-type]
    assert door.send_cuts(leases) == [("refuse", word)]
    assert states(world) == ["refused"]
    told = world.app.execute("SELECT outcome, reason, relay_before FROM supply_result").fetchall()
    assert told == [("refused", word, True)]


def test_money_in_time_cancels(world: World) -> None:
    door, _ = running(world, count=1)
    leases = door.claim()
    world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
    with world.app.transaction():
        facts.pay(world.app, facts.FIRST, restore=False)
    # Somebody who could put the order back into the interlock's hands still meets the fence.
    world.owner.execute("UPDATE supply_order SET state = 'claimed'")
    world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")
    assert door.send_cuts(leases) == [("cancel", "paid")]
    assert states(world) == ["cancelled"]


def test_an_expired_warrant_sends_nothing(world: World) -> None:
    door, drive = running(world, count=1)
    leases = door.claim()
    assert door.send_cuts(leases, at=drive.document.expires_at) == [("expire", "warrant_expired")]
    assert states(world) == ["expired"]


def test_a_meter_is_cut_once_in_24_hours(world: World) -> None:
    door, _ = running(world, count=1)
    door.cut(door.claim())
    again = facts.propose(world.app, world.keys, count=1)
    door.register(again)
    door.pass_canary(again)
    assert door.send_cuts(door.claim()) == [("refuse", "cut_within_24_hours")]


@pytest.mark.parametrize(
    ("caps", "word"),
    [
        ({"drive": 2}, "cap_drive"),
        ({"circle_hour": 2}, "cap_circle_hour"),
        ({"state_hour": 2}, "cap_state_hour"),
        ({"day_share": 0.0, "day_floor": 2}, "cap_day"),
        ({"day_share": 0.34, "day_floor": 1}, "cap_day"),
        ({"transformer_share": 0.0, "transformer_floor": 2}, "cap_transformer"),
        ({"feeder_share": 0.0, "feeder_floor": 2}, "cap_feeder"),
    ],
)
def test_a_cap_quarantines_the_excess(world: World, caps: dict[str, Any], word: str) -> None:
    door, _ = running(world, **caps)
    leases = door.claim()
    assert door.send_cuts(leases) == [SENT] * 2 + [("quarantine", word)] * 4
    assert states(world) == ["sent"] * 2 + ["quarantined"] * 4


def test_a_cap_counts_over_batches_drives_and_workers_and_never_refills(make_world: Callable[..., World]) -> None:
    world = make_world(count=8)
    door, _ = running(world, count=4, circle_hour=5)
    for lease in door.claim():
        assert door.send_cuts([lease], at=AT + timedelta(minutes=20)) == [SENT]
    # Another worker, another drive, a clock set back, a profile with a higher figure: the bucket stands.
    other = Door(world, worker="w2", profile={"canary": 0, "circle_hour": 5000})
    drive = facts.propose(world.app, world.keys, count=4, first=facts.FIRST + 4)
    other.register(drive)
    other.pass_canary(drive)
    leases = other.claim()
    assert other.send_cuts(leases, at=AT) == [SENT] + [("quarantine", "cap_circle_hour")] * 3
    counted = "SELECT counted, ceiling FROM interlock_cap WHERE scope = 'circle:1'"
    assert world.owner.execute(counted).fetchall() == [(5, 5)]
    for change in ("UPDATE interlock_cap SET counted = 0", "UPDATE interlock_cap SET ceiling = 9000"):
        with pytest.raises(psycopg.DatabaseError, match="refilled"):
            world.owner.execute(change)
    with pytest.raises(psycopg.DatabaseError, match="never forgotten"):
        world.owner.execute("DELETE FROM interlock_cap")
    for role in ("app", "interlock", "headend"):
        with world.database.connect(role) as entered, pytest.raises(psycopg.errors.InsufficientPrivilege):  # type: ignore[arg-type]
            entered.execute("UPDATE interlock_cap SET counted = 0")


def test_a_resend_is_derived_again_and_not_counted_again(world: World) -> None:
    door, _ = running(world, count=2, drive=2)
    leases = door.claim()
    assert door.send_cuts(leases) == [SENT, SENT]
    door.result(leases, "back", reason="reply_timeout")
    assert states(world) == ["unknown", "unknown"]
    world.owner.execute("UPDATE supply_fence SET generation = generation + 1 WHERE connection = %s", (facts.FIRST,))
    again = door.claim()
    assert [(lease.state, lease.sends, lease.token, lease.counter) for lease in again] == [("unknown", 1, 2, 33)] * 2
    assert door.send_cuts(again) == [("refuse", "fence_moved"), SENT]
    assert states(world) == ["field_task", "sent"]
    assert world.one("SELECT counted FROM interlock_cap WHERE scope LIKE 'drive:%%'") == 2


def test_a_third_sending_is_refused(world: World) -> None:
    door, _ = running(world, count=1)
    for _ in range(2):
        leases = door.claim()
        assert door.send_cuts(leases) == [SENT]
        door.result(leases, "back", reason="reply_timeout")
    assert door.send_cuts(door.claim()) == [("refuse", "sent_twice")]
    assert states(world) == ["field_task"]


def test_a_sending_that_was_never_written_does_not_count_among_the_two(world: World) -> None:
    door, _ = running(world, count=1, drive=1)
    for _ in range(3):
        leases = door.claim()
        assert door.send_cuts(leases) == [SENT]
        door.result(leases, "unsent", reason="late_to_write")
        assert states(world) == ["unknown"]
    door.cut(door.claim())
    assert world.one("SELECT sends FROM supply_order") == 1
    assert world.one("SELECT count(*) FROM interlock_sending") == 4
    assert world.one("SELECT counted FROM interlock_cap WHERE scope LIKE 'drive:%%'") == 1


def test_an_unknown_order_of_a_stopped_drive_ends_once_it_is_read_unmoved(world: World) -> None:
    door, _ = running(world, count=1)
    leases = door.claim()
    door.send_cuts(leases)
    door.result(leases, "back", reason="reply_timeout")
    world.app.execute("UPDATE supply_drive SET state = 'stopped'")
    again = door.claim()
    assert [lease.state for lease in again] == ["unknown"]
    assert door.send_cuts(again) == [("wait", "drive_not_running")]
    assert states(world) == ["cancelled"]


def test_a_takeover_gets_higher_counters_and_the_late_result_does_not_count(world: World) -> None:
    door, _ = running(world, count=1)
    old = door.claim()
    assert door.send_cuts(old) == [SENT]
    assert door.claim() == []
    lapse(world)
    other = Door(world, worker="w2")
    new = other.claim()
    assert (new[0].state, new[0].token, new[0].counter) == ("unknown", 2, 33)
    assert door.result(old, "confirmed", after=False) == set()
    assert states(world) == ["unknown"]
    assert other.result(new, "confirmed", after=False) == {new[0].order}
    assert states(world) == ["confirmed"]


def test_a_late_result_of_the_same_worker_does_not_count_either(world: World) -> None:
    door, _ = running(world, count=1)
    old = door.claim()
    lapse(world)
    new = door.claim()
    assert new[0].token == 2
    assert door.result(old, "field_task", reason="unreachable") == set()
    assert states(world) == ["claimed"]


def test_a_result_written_twice_counts_once(world: World) -> None:
    door, _ = running(world, count=1)
    leases = door.claim()
    door.send_cuts(leases)
    assert door.result(leases, "confirmed", after=False) == {leases[0].order}
    assert door.result(leases, "confirmed", after=False) == set()
    assert world.one("SELECT count(*) FROM supply_result") == 1


def test_sending_what_is_not_ours_any_more_is_lost(world: World) -> None:
    door, _ = running(world, count=2)
    leases = door.claim()
    with world.app.transaction():
        facts.pay(world.app, facts.FIRST)
    lapse(world)
    assert [verdict for verdict, _ in door.send_cuts(leases)] == ["lost", "lost"]
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_a_restore_waits_behind_a_cut_that_is_sent_or_unknown(world: World) -> None:
    door, _ = running(world, count=1)
    leases = door.claim()
    door.send_cuts(leases)
    with world.app.transaction():
        assert facts.pay(world.app, facts.FIRST) is not None
    assert door.claim("restore") == []
    door.result(leases, "back", reason="reply_timeout")
    assert door.claim("restore") == []
    again = door.claim()
    assert door.send_cuts(again) == [("cancel", "paid")]
    door.result(again, None)
    restores = door.claim("restore")
    assert [lease.meter for lease in restores] == world.serials[:1]
    assert door.send_restores(restores) == ["send"]


def test_stopping_a_drive_refuses_what_waits_and_leaves_what_is_sent(world: World) -> None:
    door, drive = running(world)
    sent, held = door.claim(limit=2)
    door.send_cuts([sent])
    refused = door.connection.execute("SELECT interlock_stop(%s, 'canary_failed', %s)", (drive.id, AT)).fetchone()
    assert refused == (4,)
    assert world.one("SELECT state || ' ' || reason FROM supply_drive") == "stopped canary_failed"
    assert states(world) == ["sent", "claimed", *["refused"] * 4]
    assert door.send_cuts([held]) == [("cancel", "warrant_stopped")]
    door.result([sent], "confirmed", after=False)
    assert states(world) == ["confirmed", "cancelled", *["refused"] * 4]


def test_what_ran_out_of_time_expires_with_evidence(world: World) -> None:
    door, drive = running(world)
    sent, dead = door.claim(limit=2)
    door.send_cuts([sent])
    lapse(world)
    assert door.connection.execute("SELECT interlock_expire(%s)", (AT,)).fetchone() == (0,)
    assert door.connection.execute("SELECT interlock_expire(%s)", (drive.document.expires_at,)).fetchone() == (5,)
    assert states(world) == ["sent", *["expired"] * 5]
    assert world.one("SELECT count(*) FROM supply_result WHERE outcome = 'expired'") == 5
    assert dead.order > sent.order


def test_a_dead_workers_claim_on_a_paused_drive_is_given_back(world: World) -> None:
    door, _ = running(world, count=2)
    door.claim()
    world.app.execute("UPDATE supply_drive SET state = 'paused'")
    lapse(world)
    door.connection.execute("SELECT interlock_expire(%s)", (AT,))
    assert states(world) == ["authorised", "authorised"]


def test_the_business_can_neither_order_a_sending_nor_walk_through_the_door(world: World) -> None:
    running(world, count=2)
    for query in (
        "UPDATE supply_order SET state = 'sent', sent_at = now()",
        "UPDATE supply_order SET state = 'claimed'",
        "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise,"
        " bills, notice_sha256, made_at, tries, sends)"
        " VALUES ('X', 1, 'cut', 'nonpayment_s56', 'authorised', '', '', 1, 0, 0, '', '', now(), 0, 0)",
        "SELECT * FROM interlock_claim('x', 'cut', 1, 1, 1, now())",
        "SELECT interlock_stop(1, '', now())",
        "SELECT sealed FROM interlock_meter",
        "INSERT INTO interlock_sending (order_id) VALUES (1)",
    ):
        with pytest.raises(psycopg.DatabaseError):
            world.app.execute(query)
    assert set(states(world)) == {"authorised"}


def test_claims_of_two_workers_at_once_share_no_order(make_world: Callable[..., World]) -> None:
    world = make_world(count=40)
    door, _ = running(world, count=40)
    other = Door(world, worker="w2", profile={"canary": 0})
    with door.connection.transaction():
        mine = door.claim(limit=15)
        # The first claim is not committed yet: its rows are passed over, not waited for.
        theirs = other.claim(limit=40)
    assert len(mine) == 15
    assert len(theirs) == 25
    assert not {lease.order for lease in mine} & {lease.order for lease in theirs}

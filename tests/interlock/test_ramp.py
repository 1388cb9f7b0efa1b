"""The ramp of feeders and transformers: who is let through when, and that it stands whoever dies.

Buckets stand still, and time passes by filling them; no test waits for one.
"""

import asyncio
import json
import random
import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from bahal.domains.supply.restoring import read_restoring, shipped_restoring
from tests.interlock import facts
from tests.interlock.door import Door
from tests.interlock.world import World, until

COLD = 2
"""Every connection of the world draws one kilowatt, and twice that at first."""


def set_rules(world: World, **rules: int) -> None:
    """Let two officers' rules be in force: the product's own but for `rules`."""
    document = read_restoring(shipped_restoring(), file="shipped")
    stated = {**json.loads(document.as_json()), **rules}
    world.owner.execute(
        "INSERT INTO supply_restoring (version, effective_from, document, rules, proposed_by, accepted_by, accepted_at)"
        " VALUES (gen_random_uuid()::text, '2025-11-01', '', %s, 'ee', 'se', clock_timestamp())",
        (json.dumps(stated),),
    )


def order(world: World, *, nths: range, recall: int | None = None) -> list[int]:
    """Restores for connections whose cut is over, in their order."""
    made = []
    for nth in nths:
        row = world.app.execute(
            "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends, recall) SELECT m.serial, m.connection, 'restore',"
            " 'nonpayment_s56', 'authorised', 'test', '', 1, 0, 0, '', '', now(), 0, 0, %s FROM meters_meter m"
            " WHERE m.connection = %s RETURNING id",
            (recall, facts.FIRST + nth),
        ).fetchone()
        assert row is not None
        made.append(row[0])
    return made


def still(world: World) -> None:
    """The buckets stand still, however long this machine takes: an hour that is to come fills nothing."""
    world.owner.execute("UPDATE interlock_ramp SET at = clock_timestamp() + interval '1 hour'")


def pass_time(world: World, seconds: float) -> None:
    """The buckets fill for so long, by the rules in force."""
    world.owner.execute(
        "UPDATE interlock_ramp r SET left_w = left_w + %s::double precision / 60 * CASE scope"
        " WHEN 'feeder' THEN 1000 * (rules ->> 'feeder_kw_per_minute')::double precision"
        " ELSE 10 * (rules ->> 'transformer_percent_per_minute')::double precision"
        " * (SELECT kva FROM network_transformer WHERE id = place) END FROM restoring_rules('2025-11-24') AS rules",
        (seconds,),
    )


def claimed(door: Door) -> list[int]:
    """The orders that a worker gets now; what many were spread over is over."""
    spread = "UPDATE supply_order SET not_until = NULL WHERE kind = 'restore' AND state = 'authorised'"
    got: list[int] = []
    # The first claim lets many through and spreads them; the second takes them.
    for _ in range(2):
        still(door.world)
        got += [lease.order for lease in door.claim("restore")]
        still(door.world)
        door.world.owner.execute(spread)
    return sorted(got)


def test_one_restore_on_a_quiet_feeder_goes_at_once(world: World) -> None:
    (only,) = order(world, nths=range(1))
    assert [lease.order for lease in Door(world).claim("restore")] == [only]


def test_a_feeder_takes_what_it_bears_and_then_what_time_gives(make_world: Callable[..., World]) -> None:
    world = make_world(count=14)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=10)
    orders = order(world, nths=range(14))
    door = Door(world)
    assert claimed(door) == orders[:5]  # ten kilowatts of two each
    assert claimed(door) == []
    pass_time(world, 24)  # four kilowatts
    assert claimed(door) == orders[5:7]
    pass_time(world, 3600)
    assert claimed(door) == orders[7:12]  # no more than it holds
    pass_time(world, 3600)
    assert claimed(door) == orders[12:]


def test_a_transformer_holds_back_its_own_and_nobody_elses(make_world: Callable[..., World]) -> None:
    world = make_world(count=28)  # two transformers of one feeder
    world.owner.execute("UPDATE network_transformer SET kva = 4 WHERE id = 1")
    set_rules(world, transformer_percent_at_once=100, transformer_percent_per_minute=100)
    orders = order(world, nths=range(28))
    on_one = [each for nth, each in enumerate(orders) if nth % 2 == 0]
    others = [each for nth, each in enumerate(orders) if nth % 2 == 1]
    door = Door(world)
    assert claimed(door) == sorted(on_one[:2] + others)
    pass_time(world, 60)
    assert claimed(door) == on_one[2:4]


def test_who_takes_more_than_a_feeder_holds_goes_when_it_is_full_and_is_waited_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world(count=4)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=60)
    world.owner.execute("UPDATE network_connection SET sanctioned_load_w = 50000 WHERE id = %s", (facts.FIRST + 1,))
    world.owner.execute("UPDATE network_transformer SET kva = 1000")
    small, mill, second, third = order(world, nths=range(4))
    door = Door(world)
    assert claimed(door) == [small]  # the mill wants a full bucket, and nobody overtakes it
    pass_time(world, 2)
    assert claimed(door) == [mill]
    pass_time(world, 90)  # it left the feeder 90 kilowatts short
    assert claimed(door) == []
    pass_time(world, 4)
    assert claimed(door) == [second, third]


def test_a_life_goes_first_then_who_pays_then_the_held_then_the_rest(make_world: Callable[..., World]) -> None:
    world = make_world(count=6)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=60, reserve_percent=0)
    hold = "INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at) VALUES (%s, %s, '', '', now())"
    world.owner.execute(hold, (facts.FIRST + 3, "court_stay"))
    world.owner.execute(
        "INSERT INTO arrears_vulnerable (connection, need, evidence, registered_by, registered_at, review_on)"
        " VALUES (%s, 'dialysis', '', '', now(), '2020-01-01')",
        (facts.FIRST + 4,),
    )
    many = order(world, nths=range(5), recall=1)
    (paid,) = order(world, nths=range(5, 6))
    rows = world.app.execute("SELECT id, need FROM supply_order ORDER BY need, id").fetchall()
    assert rows == [(many[4], 0), (paid, 1), (many[3], 2), (many[0], 3), (many[1], 3), (many[2], 3)]
    door = Door(world)
    assert claimed(door) == sorted([many[4], paid, many[3], many[0], many[1]])
    pass_time(world, 60)
    assert claimed(door) == [many[2]]


def test_many_leave_room_to_who_pays_meanwhile(make_world: Callable[..., World]) -> None:
    world = make_world(count=12)
    set_rules(world, feeder_kw_at_once=16, feeder_kw_per_minute=10, reserve_percent=50)
    many = order(world, nths=range(10), recall=1)
    door = Door(world)
    assert claimed(door) == many[:4]
    assert claimed(door) == []
    (paid,) = order(world, nths=range(10, 11))
    still(world)
    assert [lease.order for lease in door.claim("restore")] == [paid]
    # Who waits among many and pays stands with those who pay; nobody may be put back.
    world.app.execute("UPDATE supply_order SET need = 1 WHERE id = %s", (many[9],))
    assert [lease.order for lease in door.claim("restore")] == [many[9]]
    for statement in (
        "UPDATE supply_order SET need = 3 WHERE id = %s", "UPDATE supply_order SET need = 9 WHERE id = %s",
    ):  # fmt: skip
        with pytest.raises(psycopg.Error, match="only gets better"):
            world.app.execute(statement, (many[9],))


def test_many_are_spread_and_one_is_not(make_world: Callable[..., World]) -> None:
    world = make_world(count=6)
    set_rules(world, jitter_s=60)
    many = order(world, nths=range(5), recall=1)
    (paid,) = order(world, nths=range(5, 6))
    assert [lease.order for lease in Door(world).claim("restore")] == [paid]
    rows = world.app.execute(
        "SELECT id, not_until > released_at AND not_until < released_at + interval '61 seconds' FROM supply_order"
        " WHERE recall IS NOT NULL AND released_at IS NOT NULL AND state = 'authorised' ORDER BY id"
    ).fetchall()
    assert [row[0] for row in rows] == many
    assert all(row[1] for row in rows)
    # Whoever of them pays waits for no spread.
    world.app.execute("UPDATE supply_order SET need = 1 WHERE id = %s", (many[2],))
    assert [lease.order for lease in Door(world).claim("restore")] == [many[2]]


def test_the_business_cannot_jump_the_queue(world: World) -> None:
    (paid,) = order(world, nths=range(1))
    for better in (
        "UPDATE supply_order SET released_at = now() WHERE id = %s", "UPDATE supply_order SET load_w = 1 WHERE id = %s",
        "UPDATE supply_order SET feeder = 9 WHERE id = %s", "UPDATE supply_order SET not_until = NULL WHERE id = %s",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.app.execute(better, (paid,))
    world.app.execute(
        "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position,"
        " due_paise, bills, notice_sha256, made_at, tries, sends, released_at, load_w, feeder, need, claimed_at)"
        " SELECT serial, connection, 'restore', 'nonpayment_s56', 'authorised', 'test', '', 1, 0, 0, '', '', now(), 0,"
        " 0, now(), 1, 99, 0, now() FROM meters_meter WHERE connection = %s",
        (facts.FIRST + 1,),
    )
    told_row = world.app.execute(
        "SELECT released_at, load_w, feeder, need, claimed_at FROM supply_order ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert told_row == (None, 1000, 1, 1, None)
    for statement in ("SELECT interlock_release(1, now())", "UPDATE interlock_ramp SET left_w = 1e9"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.app.execute(statement)
    with pytest.raises(psycopg.Error, match="second officer"):
        world.app.execute(
            "INSERT INTO supply_restoring (version, effective_from, document, rules, proposed_by, accepted_by,"
            " accepted_at) SELECT 'x', effective_from, document, rules, 'ee', 'se', now() FROM supply_restoring"
        )


def test_the_ramp_stands_when_its_worker_dies(make_world: Callable[..., World]) -> None:
    world = make_world(count=8)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=10)
    orders = order(world, nths=range(8))
    first = Door(world, worker="w1")
    assert claimed(first) == orders[:5]
    first.connection.close()  # killed with five leases in hand
    second = Door(world, worker="w2")
    assert claimed(second) == []
    world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
    world.owner.execute("UPDATE supply_order SET lease_until = '-infinity' WHERE state = 'claimed'")
    world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")
    world.owner.execute("UPDATE interlock_meter SET lease_until = '-infinity'")
    assert claimed(second) == orders[:5]  # taken over, and paid for once
    pass_time(world, 36)
    assert claimed(second) == orders[5:]


def test_a_claim_that_is_rolled_back_gives_back_what_it_took(make_world: Callable[..., World]) -> None:
    world = make_world(count=6)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=10)
    orders = order(world, nths=range(6))
    dying = world.another("interlock", autocommit=False)
    taken = dying.execute(
        "SELECT order_id FROM interlock_claim('w1', 'restore', 100, 30, 32, %s)", (facts.TEN_O_CLOCK,)
    )
    assert len(taken.fetchall()) == 5
    dying.rollback()
    assert claimed(Door(world)) == orders[:5]


def test_two_workers_share_one_bucket(make_world: Callable[..., World]) -> None:
    world = make_world(count=12)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=10)
    order(world, nths=range(12))
    one, other = world.another("interlock", autocommit=False), world.another("interlock")
    claim = "SELECT order_id FROM interlock_claim(%s, 'restore', 100, 30, 32, %s)"
    first = {row[0] for row in one.execute(claim, ("w1", facts.TEN_O_CLOCK)).fetchall()}
    second: set[int] = set()

    def claim_too() -> None:
        second.update(row[0] for row in other.execute(claim, ("w2", facts.TEN_O_CLOCK)).fetchall())

    beside = threading.Thread(target=claim_too)
    beside.start()
    while not world.one("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert beside.is_alive(), "the second worker did not wait for the first one's bucket"
    one.commit()
    beside.join()
    assert len(first) == 5
    assert second == set()


def test_no_rules_pace_nobody_and_a_clock_set_back_keeps_nobody_waiting(make_world: Callable[..., World]) -> None:
    world = make_world(count=12)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=60)
    orders = order(world, nths=range(11))
    door = Door(world)
    assert claimed(door) == orders[:5]
    world.owner.execute("UPDATE interlock_ramp SET left_w = left_w, at = clock_timestamp() + interval '2 hours'")
    assert claimed(door) == []  # the clock was set back by two hours: nothing fills, and nothing waits for it
    level = "SELECT ramp_level(-4000, now(), now() + %s * interval '1 second', 10000, 1000)"
    assert [world.one(level, seconds) for seconds in (-7200, 0, 5, 60)] == [-4000, -4000, 1000, 10000]
    pass_time(world, 2)
    assert claimed(door) == orders[5:6]
    world.owner.execute("ALTER TABLE supply_restoring DISABLE TRIGGER USER")
    world.owner.execute("DELETE FROM supply_restoring")
    assert claimed(door) == orders[6:]


def test_whatever_comes_a_feeder_never_takes_more_and_everybody_has_his_turn(
    make_world: Callable[..., World],
) -> None:
    world = make_world(count=100)
    world.owner.execute("UPDATE network_connection SET sanctioned_load_w = 200 + id * 7919 % 9000")
    world.owner.execute("UPDATE network_transformer SET kva = 100000")
    door = Door(world)
    for seed in range(4):
        chance = random.Random(seed)
        at_once, a_minute = chance.choice([10, 20, 40]), chance.choice([10, 60, 300])
        set_rules(world, feeder_kw_at_once=at_once, feeder_kw_per_minute=a_minute, jitter_s=0)
        world.owner.execute("DELETE FROM interlock_ramp")
        waiting, orders, passed, let_kw = list(range(25 * seed, 25 * seed + 25)), set[int](), 0.0, 0.0
        over_kw = 0.0  # one that takes more than a feeder holds goes all the same
        while waiting or orders:
            for _ in range(min(len(waiting), chance.randint(0, 6))):
                nth = waiting.pop()
                orders.update(order(world, nths=range(nth, nth + 1), recall=chance.choice([None, 1])))
            got = claimed(door)
            orders.difference_update(got)
            loads = world.one("SELECT array_agg(load_w) FROM supply_order WHERE id = ANY(%s)", got) or [0]
            let_kw += sum(loads) / 1000 * COLD
            over_kw = max(over_kw, COLD * max(loads) / 1000 - at_once)
            assert let_kw <= at_once + a_minute * passed / 60 + over_kw + 1e-6
            assert passed < 86_400, "somebody waits for ever"
            step = chance.choice([1, 5, 30])
            passed += step
            pass_time(world, step)


def test_on_real_sockets_the_ramp_is_held_though_the_worker_dies(make_world: Callable[..., World]) -> None:
    world = make_world(count=14)
    set_rules(world, feeder_kw_at_once=10, feeder_kw_per_minute=300)
    order(world, nths=range(14))

    async def live() -> None:
        async with world.meters.serving():
            async with world.interlock_alone():
                await until(lambda: world.counts("restore").get("confirmed", 0) >= 3, seconds=60)
            # The first is gone in the middle of the queue; another takes it up.
            async with world.interlock_alone():
                await until(lambda: world.counts("restore") == {"confirmed": 14}, seconds=60)

    asyncio.run(live())
    rows = world.app.execute(
        "SELECT released_at, load_w FROM supply_order WHERE kind = 'restore' ORDER BY released_at"
    ).fetchall()
    let_kw = 0.0
    for at, load_w in rows:
        let_kw += load_w / 1000 * COLD
        assert let_kw <= 10 + 5.0 * ((at - rows[0][0]) / timedelta(seconds=1)) + 1e-6

"""A payment against a cut of the same connection, met at every lock between claim and sending.

I1: none is sent after a payment was acknowledged, and one in flight is followed by a reconnection by itself. What the
meter's own log says is the judge.
"""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from bahal.interlock import session
from tests.interlock import facts
from tests.interlock.world import World, until, waits_for_a_lock

FIRST = facts.FIRST


def pay_in_full(connection: facts.Connection) -> int | None:
    with connection.transaction():
        return facts.pay(connection, FIRST)


def take_fence(connection: facts.Connection) -> None:
    """The first lock of every act on a connection."""
    connection.execute("SELECT 1 FROM supply_fence WHERE connection = %s FOR UPDATE", (FIRST,))


def test_paid_before_the_claim(world: World) -> None:
    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        pay_in_full(world.app)
        async with world.interlock():
            await asyncio.sleep(0.5)

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("cancelled", "paid")}
    assert world.meters.calls == []


def test_paid_between_the_claim_and_the_moment_of_sending(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, delay=0.1)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        async with world.interlock():
            await until(lambda: world.counts() == {"claimed": 1})
            assert pay_in_full(world.app) is None
            await until(lambda: world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NULL"))

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("cancelled", "paid")}
    assert world.orders("restore") == {}
    assert world.meters.closed(world.serials[0])
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_the_payment_has_the_fence_and_the_interlock_waits(world: World) -> None:
    payer = world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        take_fence(payer)
        async with world.interlock():
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            assert world.counts() == {"claimed": 1}
            facts.pay(payer, FIRST)
            payer.commit()
            await until(lambda: world.one("SELECT count(*) = 0 FROM interlock_meter WHERE lease_holder IS NOT NULL"))

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("cancelled", "paid")}
    assert world.meters.closed(world.serials[0])
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_the_fence_alone_decides_when_the_order_was_left_untouched(world: World) -> None:
    payer = world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        # Money and fence, but no word to the order: as if its cancellation had been forgotten.
        take_fence(payer)
        payer.execute("UPDATE supply_fence SET generation = generation + 1 WHERE connection = %s", (FIRST,))
        async with world.interlock():
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            payer.commit()
            await until(lambda: world.counts().get("refused"))

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("refused", "fence_moved")}
    assert world.meters.closed(world.serials[0])


def test_the_interlock_has_the_fence_and_the_payment_waits(world: World) -> None:
    payer, holder = world.another(), world.another("owner", autocommit=False)

    async def scenario() -> None:
        async with world.interlock():
            # Registered by another drive first, so that its cap row is there to be held.
            holder.execute("LOCK TABLE interlock_sending IN ACCESS EXCLUSIVE MODE")
            facts.propose(world.app, world.keys, count=1)
            # The batch has its fences and stops where it writes the sending down.
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            paying = asyncio.create_task(asyncio.to_thread(pay_in_full, payer))
            await until(lambda: waits_for_a_lock(world.owner, "app"))
            assert not paying.done()
            holder.commit()
            restore = await paying
            assert restore is not None
            await until(lambda: world.counts("restore") == {"confirmed": 1})

    uvloop.run(scenario())
    assert world.orders()[world.serials[0]] == ("confirmed", "")
    assert world.meters.movements(world.serials[0]) == ["off", "on"]
    assert world.one(
        "SELECT (SELECT confirmed_at FROM supply_order WHERE kind = 'cut')"
        " < (SELECT sent_at FROM supply_order WHERE kind = 'restore')"
    )


def test_a_hold_placed_at_the_last_moment_refuses(world: World) -> None:
    officer = world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        take_fence(officer)
        officer.execute("UPDATE supply_fence SET generation = generation + 1 WHERE connection = %s", (FIRST,))
        officer.execute(
            "INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at)"
            " VALUES (%s, 'life_support', 'letter', 'ee', now())",
            (FIRST,),
        )
        async with world.interlock():
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            officer.commit()
            await until(lambda: world.counts().get("refused"))

    uvloop.run(scenario())
    assert world.meters.closed(world.serials[0])


def test_a_commit_that_took_too_long_is_not_followed_by_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(session, "WRITE_WITHIN_S", -1.0)
        facts.propose(world.app, world.keys, count=1)
        async with world.interlock():
            await until(lambda: world.orders()[world.serials[0]] == ("unknown", "late_to_write"))
            assert world.meters.closed(world.serials[0])
            assert world.one("SELECT sends FROM supply_order") == 0
            monkeypatch.undo()
            await until(lambda: world.counts() == {"confirmed": 1})

    uvloop.run(scenario())
    assert world.meters.movements(world.serials[0]) == ["off"]
    assert world.one("SELECT sends FROM supply_order") == 1


def test_a_link_lost_while_the_payment_has_the_fence_is_dialled_again(world: World) -> None:
    officer = world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=1)
        take_fence(officer)
        async with world.interlock():
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            world.meters.hang_up()
            await asyncio.sleep(0.1)
            officer.rollback()
            await until(lambda: world.counts() == {"confirmed": 1})

    uvloop.run(scenario())
    assert world.meters.calls.count(world.serials[0]) == 2
    assert world.meters.movements(world.serials[0]) == ["off"]
    assert world.one("SELECT count(*) FROM interlock_sending") == 2
    assert world.one("SELECT sends FROM supply_order") == 1


def test_a_payment_for_one_does_not_delay_the_others_for_ever(make_world: Callable[..., World]) -> None:
    world = make_world(count=5, profile={"canary": 0})
    payer = world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=5)
        take_fence(payer)
        async with world.interlock():
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            facts.pay(payer, FIRST)
            payer.commit()
            await until(lambda: world.counts() == {"cancelled": 1, "confirmed": 4})

    uvloop.run(scenario())
    assert world.meters.closed(world.serials[0])
    assert not any(world.meters.closed(serial) for serial in world.serials[1:])


def test_many_pay_while_the_drive_runs_and_the_log_agrees_with_the_money(make_world: Callable[..., World]) -> None:
    world = make_world(count=60, delay=0.02)
    payer = world.another()

    def pay_all() -> None:
        for n in range(0, 60, 2):
            with payer.transaction():
                facts.pay(payer, FIRST + n)

    def settled() -> bool:
        cuts, restores = world.counts(), world.counts("restore")
        return set(cuts) <= {"confirmed", "cancelled"} and set(restores) <= {"confirmed"}

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=60)
        async with world.interlock():
            await until(lambda: world.counts().get("sent") or world.counts().get("confirmed"))
            await asyncio.to_thread(pay_all)
            await until(settled, seconds=60)

    uvloop.run(scenario())
    for n, serial in enumerate(world.serials):
        moves = world.meters.movements(serial)
        if n % 2:
            assert moves == ["off"]
        else:
            assert moves in ([], ["off", "on"])
            assert world.meters.closed(serial)

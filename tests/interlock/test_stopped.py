"""A worker that is stopped (SIGSTOP) for longer than its lease lasts and then goes on: nothing stale is sent.

No guard in a database stops bytes that a process has already decided to write. The worker is therefore stopped where it
hurts most: with its verdict in hand and its clock looked at, a breath before the ACTION. Judge is the meters' own log.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.interlock import facts
from tests.interlock.test_door import lapse
from tests.interlock.test_process import configure, process
from tests.interlock.test_race import take_fence
from tests.interlock.world import World, until, waits_for_a_lock

COUNT = 12
PAYERS = 4
PATIENT = {"reply_s": 8.0, "connect_s": 8.0, "session_s": 25.0, "lease_s": 40.0}
"""The product's own limits: a slow machine makes nobody unreachable."""
TAKEN_OVER_BY = {"confirmed", "cancelled"}

STOPS_BEFORE_THE_ACTION = """
import os, runpy, signal
from bahal.interlock.session import RelaySession
from bahal.shared.home import Home
act, mark = RelaySession._act, Home.of().run / "stopped.txt"
def stopped(session):
    if not mark.exists():
        mark.write_text(session.meter)
        os.kill(os.getpid(), signal.SIGSTOP)
    act(session)
RelaySession._act = stopped
runpy.run_module("bahal.entry.rooms", run_name="__main__")
"""


def is_stopped(pid: int) -> bool:
    """Whether the kernel has the process stopped, not only the signal queued."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def lines(world: World) -> list[dict[str, Any]]:
    """The meters' own log."""
    return [json.loads(line) for line in world.meters.log_path.read_text().splitlines()]


def stop_and_resume(world: World, *, still_s: float = 0.0) -> None:
    """Stop the first worker before its first ACTION, for `still_s` at least and until a second one has done everything;
    let some pay meanwhile, first of all whose ACTION is about to be written; wake it, and let it say all it has to.
    Without `still_s` its leases are ended by hand."""
    mark = world.database.home.run / "stopped.txt"

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=COUNT)
        async with world.meters.serving():
            async with process(world, program=("-c", STOPS_BEFORE_THE_ACTION)) as (first, ready):
                await until(lambda: mark.exists() and is_stopped(first.pid))
                stopped_at = world.one("SELECT clock_timestamp()")
                assert lines(world) == []
                about_to = facts.FIRST + world.serials.index(mark.read_text())
                others = [facts.FIRST + n for n in range(COUNT) if facts.FIRST + n != about_to]
                payers = [about_to, *others[: PAYERS - 1]]
                for connection in payers:
                    with world.app.transaction():
                        facts.pay(world.app, connection)
                if not still_s:
                    lapse(world)
                async with process(world):
                    await until(
                        lambda: (
                            world.counts().keys() <= TAKEN_OVER_BY
                            and world.counts("restore").keys() <= {"confirmed"}
                            and world.one(
                                "SELECT clock_timestamp() > %s + make_interval(secs => %s)", stopped_at, still_s
                            )
                        ),
                        seconds=60 + still_s,
                    )
                    assert is_stopped(first.pid)
                    told, orders = lines(world), world.orders()
                    # Who paid was never dark; everybody else was cut once, by the worker that took over.
                    paid = [world.serials[connection - facts.FIRST] for connection in payers]
                    assert sorted((each["meter"], each["relay"]) for each in told) == sorted(
                        (serial, "off") for serial in world.serials if serial not in paid
                    )
                    assert all(world.meters.closed(serial) for serial in paid)
                    results = world.one("SELECT count(*) FROM supply_result")

                    os.kill(first.pid, signal.SIGCONT)
                    first.send_signal(signal.SIGTERM)
                    # It drains: every session of its own has ended and every result was handed in.
                    await first.wait()
                    assert first.returncode == 0
            assert (lines(world), world.orders()) == (told, orders)
            assert world.one("SELECT count(*) FROM supply_result") == results
            worker = ready["worker"]
            assert (
                world.one(
                    "SELECT count(*) FROM interlock_sending WHERE worker = %s AND sent_at > %s", worker, stopped_at
                )
                == 0
            )

    uvloop.run(scenario())
    # It had marked some sent before it was stopped, or this was no test.
    assert world.one("SELECT sends > 0 FROM supply_order WHERE meter = %s AND kind = 'cut'", mark.read_text())
    counters = [(each["meter"], each["counter"]) for each in lines(world)]
    assert len(counters) == len(set(counters))


def test_a_worker_that_outlives_its_lease_sends_nothing_stale(make_world: Callable[..., World]) -> None:
    world = make_world(count=COUNT, profile={"canary": 0}, delay=0.05)
    configure(world, **PATIENT)
    stop_and_resume(world)
    # The frame was written and came in below the next holder's counters; or so late that the meter had hung up.
    errors = world.meters.circle.stats.errors
    assert errors["replayed_counter"] + errors["idle"] >= 1


@pytest.mark.slow
def test_a_worker_stopped_for_ninety_seconds_sends_nothing_stale(make_world: Callable[..., World]) -> None:
    """With the lease and the session that the product has by itself."""
    world = make_world(count=COUNT, profile={"canary": 0}, delay=0.05)
    configure(world, **PATIENT)
    stop_and_resume(world, still_s=90.0)


def test_a_worker_stopped_with_fences_locked_gives_them_up(make_world: Callable[..., World]) -> None:
    """Whoever is stopped in the moment of sending keeps nobody from paying, nor the switch from being thrown."""
    world = make_world(count=COUNT, profile={"canary": 0}, delay=0.05)
    configure(world, **PATIENT)
    holder, payer = world.another(autocommit=False), world.another(autocommit=False)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=COUNT)
        take_fence(holder)
        async with world.meters.serving(), process(world) as (first, _):
            await until(lambda: waits_for_a_lock(world.owner, "interlock"))
            os.kill(first.pid, signal.SIGSTOP)
            await until(lambda: is_stopped(first.pid))
            holder.rollback()
            # The server goes on with the statement, and then nobody is there to commit it.
            await until(lambda: not waits_for_a_lock(world.owner, "interlock"))
            assert world.one(
                "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'interlock'"
                " AND a.datname = current_database() AND l.relation = 'supply_fence'::regclass"
            )
            payer.execute("SET lock_timeout = '60s'")
            facts.pay(payer, facts.FIRST)
            payer.commit()
            assert world.app.execute("SELECT interlock_halt('ee', 'smoke')").fetchone() == (1,)
            assert lines(world) == []
            os.kill(first.pid, signal.SIGCONT)
            first.send_signal(signal.SIGTERM)
            await first.wait()
            assert first.returncode == 0

    uvloop.run(scenario())
    assert lines(world) == []
    assert world.one("SELECT count(*) FROM interlock_sending") == 0

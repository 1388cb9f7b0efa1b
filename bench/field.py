"""A drive where a fifth of all links is lost, meters fail in every way, and a worker is killed every two seconds.

Four interlock workers under the supervisor; once the canary has passed, one that lives is killed -9 every 2 s for 60 s.
Meanwhile some pay and some are given a hold, through the product's journeys. When nothing is left to do, the meters'
own log judges: I1 and I2 by the rules of the crash tests, every confirmed order by its relay, every task by a fault
that the meter itself has logged.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from tests.crash.invariants import Answered, Evidence, authority, repeats
from tests.monday.recount import Recount

from bahal.shared.words import CAUSES
from bench.stage import Stage, say

WORKERS = 4
KILL_EVERY_S = 2.0
KILLED_FOR_S = 60.0
LOST_LINKS = 0.2
PAYERS = 300
HOLDS = 60
PEOPLE_FOR_S = 90.0
GOAL_S = 15 * 60.0
LIMIT_S = 20 * 60.0

_OPEN = """
    SELECT (SELECT count(*) FROM supply_order WHERE state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown')),
           (SELECT count(*) FROM interlock_meter WHERE lease_until > clock_timestamp())
"""


@dataclass(slots=True)
class Met:
    """What came of a drive in the field."""

    drained_s: float
    kills: int
    ends: Counter[str]
    faults: Counter[str]
    wrong: Sequence[str]
    paid: int
    held: int


@dataclass(slots=True)
class People:
    """Some pay all they owe and some are given a hold, each at a moment of his own; `answered` when it was on disk."""

    connections: Sequence[tuple[int, int]]
    """Connection and paise owed."""
    answered: list[Answered] = field(default_factory=list)
    held: list[Answered] = field(default_factory=list)

    def live(self, the_stage: Stage, over: threading.Event) -> None:
        """One after the other, until everybody has come."""
        from django.db import connections as databases

        chance = random.Random(11)  # noqa: S311  # who comes when, no secret
        who = chance.sample(list(self.connections), PAYERS + HOLDS)
        moments = sorted(chance.uniform(0, PEOPLE_FOR_S) for _ in who)
        began = time.monotonic()
        try:
            for number, (moment, (connection, paise)) in enumerate(zip(moments, who, strict=True)):
                if over.wait(max(0.0, began + moment - time.monotonic())):
                    return
                self._come(the_stage, connection, paise, pays=number % (PAYERS // HOLDS + 1) > 0)
        finally:
            databases.close_all()

    def _come(self, the_stage: Stage, connection: int, paise: int, *, pays: bool) -> None:
        from bahal.journeys.place_hold import place_hold
        from bahal.journeys.take_payment import take_payment

        if pays:
            key, now = f"field-{connection}", the_stage.clock.now()
            take_payment(
                key=key, connection=connection, paise=paise, channel="counter", actor="cashier", business_at=now
            )
            self.answered.append(Answered(connection, key, paise, datetime.now(UTC), clears=True))
            return
        hold = place_hold(
            connection=connection, kind="complaint", evidence="bench", actor="ee", expires_at=None,
            at=the_stage.clock.wall(), business_at=the_stage.clock.now(),
        )  # fmt: skip
        self.held.append(Answered(connection, f"hold {hold}", 0, datetime.now(UTC), clears=True))


class Killer:
    """Kills a worker that lives, every `KILL_EVERY_S`, the next one each time."""

    def __init__(self, the_stage: Stage, workers: Sequence[str]) -> None:
        self._rooms = [the_stage.supervisor.rooms[name] for name in workers]
        self._turn = 0
        self.kills = 0

    def work(self, over: threading.Event) -> None:
        """For `KILLED_FOR_S`; while none lives, the next one to live is killed."""
        began = time.monotonic()
        for number in range(int(KILLED_FOR_S / KILL_EVERY_S)):
            if over.wait(max(0.0, began + number * KILL_EVERY_S - time.monotonic())):
                return
            while not self._kill_one():
                if over.wait(0.05):
                    return

    def _kill_one(self) -> bool:
        for _ in self._rooms:
            process = self._rooms[self._turn].process
            self._turn = (self._turn + 1) % len(self._rooms)
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                self.kills += 1
                return True
        return False


def drive_in_the_field(the_stage: Stage, *, reply_delay: float, faults: str) -> Met:
    """One signed drive over everybody who may be cut, with all that goes wrong, to its end; judged.

    :raises SystemExit: it did not come to an end.
    """
    drive = the_stage.signed_drive()
    the_stage.vacuum()
    workers = [f"interlock-{n}" if n else "interlock" for n in range(WORKERS)]
    the_stage.start(
        the_stage.fleet(reply_delay=reply_delay, faults=faults, lost_links=LOST_LINKS),
        *(the_stage.interlock(name) for name in workers),
    )
    over = threading.Event()
    watching = threading.Thread(target=the_stage.supervisor.watch, daemon=True)
    watching.start()
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as reader:
        owed = reader.execute("SELECT connection, due_paise FROM supply_order WHERE drive = %s", [drive]).fetchall()
        people, killer = People(owed), Killer(the_stage, workers)
        helpers = [
            threading.Thread(target=people.live, args=(the_stage, over)),
            threading.Thread(target=killer.work, args=(over,)),
        ]
        begun = time.monotonic()
        the_stage.run(drive)
        try:
            _await(reader, begun, "SELECT count(*) FROM interlock_warrant WHERE canary_passed_at IS NULL", "the canary")
            say(f"  {time.monotonic() - begun:.0f} s: the canary has passed; workers are killed from now on")
            for helper in helpers:
                helper.start()
            drained_s = _drain(reader, begun, helpers)
        finally:
            over.set()
            the_stage.supervisor.halt()
            watching.join()
    _draw_consequences(the_stage)
    say(f"drained in {drained_s:.1f} s; {killer.kills} workers killed, {len(people.answered)} paid")
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True, row_factory=dict_row) as owner:
        return _judged(the_stage, owner, drive, drained_s, killer.kills, people)


def _await(reader: psycopg.Connection[Any], begun: float, none_left: str, what: str) -> None:
    while True:
        row = reader.execute(none_left.encode()).fetchone()
        known = reader.execute("SELECT count(*) FROM interlock_warrant").fetchone()
        if row == (0,) and known != (0,):
            return
        stopped = reader.execute("SELECT reason FROM supply_drive WHERE state = 'stopped'").fetchone()
        if stopped is not None:
            raise SystemExit(f"the drive was stopped: {stopped[0]}")
        if time.monotonic() - begun > LIMIT_S:
            raise SystemExit(f"{what} did not end within {LIMIT_S:.0f} s")
        time.sleep(0.5)


def _drain(reader: psycopg.Connection[Any], begun: float, helpers: Sequence[threading.Thread]) -> float:
    """Seconds until no order is open and no lease held, after everybody has come and the last worker was killed."""
    told = time.monotonic()
    while True:
        row = reader.execute(_OPEN).fetchone()
        assert row is not None
        now = time.monotonic()
        if row == (0, 0) and not any(helper.is_alive() for helper in helpers):
            return now - begun
        if now - told > 10:
            told = now
            say(f"  {now - begun:.0f} s: {row[0]} orders open, {row[1]} leases held")
        if now - begun > LIMIT_S:
            raise SystemExit(f"after {LIMIT_S:.0f} s {row[0]} orders were open and {row[1]} leases held")
        time.sleep(1.0)


def _draw_consequences(the_stage: Stage) -> None:
    """What the worker does with results: tasks are opened, the audit is told."""
    from bahal.journeys.confirm_relay import confirm_relay

    while confirm_relay(at=the_stage.clock.wall(), business_at=the_stage.clock.now()):
        pass


def _judged(
    the_stage: Stage,
    owner: psycopg.Connection[dict[str, Any]],
    drive: int,
    drained_s: float,
    kills: int,
    people: People,
) -> Met:
    orders = owner.execute(
        "SELECT o.id, o.meter, o.connection, o.kind, o.state, o.reason, o.sends, t.id AS task FROM supply_order o"
        ' LEFT JOIN fieldwork_task t ON t."order" = o.id ORDER BY o.id'
    ).fetchall()
    sendings = owner.execute(
        "SELECT s.order_id, s.meter, s.kind, s.sent_at, o.connection FROM interlock_sending s"
        " JOIN supply_order o ON o.id = s.order_id"
    ).fetchall()
    listed = owner.execute("SELECT connection FROM supply_order WHERE drive = %s", [drive]).fetchall()
    counted = Recount(the_stage.home.logs)
    faulty = [json.loads(line) for line in (the_stage.home.logs / "faults.jsonl").read_text().splitlines()]
    seen = Evidence(
        counted=counted,
        connection_of={row["meter"]: row["connection"] for row in orders},
        listed=[row["connection"] for row in listed],
        touched=(),
        answered=[*people.answered, *people.held],
        forced=(), unheard=(), asked=(), cash_before_paise=0, cash_paise=0, unbalanced=0,
        orders=orders,
        sendings=sendings,
        payments=(), messages=(), alerts=(), readings=(), tasks=0, leases=0, entries=(), batches=(), seals=(),
        complaints={},
    )  # fmt: skip
    wrong = [
        *(f"I1: {each}" for each in authority(seen)),
        *(f"I2: {each}" for each in (*repeats(seen), *_ends(orders, counted, {each["meter"] for each in faulty}))),
        *(f"I5: {each}" for each in _light(orders, people)),
    ]
    ends = Counter(f"{row['kind']} {row['state']}" + (f" ({row['reason']})" if row["reason"] else "") for row in orders)
    faults = Counter(each["fault"] for each in faulty)
    return Met(drained_s, kills, ends, faults, wrong, len(people.answered), len(people.held))


def _ends(orders: Sequence[dict[str, Any]], counted: Recount, faulty: set[str]) -> Iterator[str]:
    """Every order ended; a confirmed one as the relay says, a task with a cause that the meter itself logged."""
    now = {each.meter: each.on for each in sorted(counted.movements, key=lambda each: each.at)}
    latest = {row["meter"]: row for row in orders}
    for row in orders:
        named = f"order {row['id']} ({row['kind']} of {row['meter']})"
        if row["state"] == "field_task":
            if row["task"] is None:
                yield f"{named} is with a lineman and there is no task"
            if row["reason"] not in CAUSES:
                yield f"{named} is a task for {row['reason']}, which nobody can read"
            if row["meter"] not in faulty:
                yield f"{named} is a task ({row['reason']}) and nothing was wrong with its meter"
        elif row["state"] not in ("confirmed", "cancelled", "refused", "expired"):
            yield f"{named} is still {row['state']}"
        elif row["state"] == "confirmed" and latest[row["meter"]] is row:
            wanted = row["kind"] == "restore" and row["reason"] != "press_button"
            if now.get(row["meter"], True) != wanted:
                yield f"{named} is confirmed and its relay says otherwise"


def _light(orders: Sequence[dict[str, Any]], people: People) -> Iterator[str]:
    """Who paid after his cut was sent has a restore order that ended well or with a lineman."""
    cut = {row["connection"] for row in orders if row["kind"] == "cut" and row["state"] == "confirmed"}
    lit = {
        row["connection"] for row in orders if row["kind"] == "restore" and row["state"] in ("confirmed", "field_task")
    }
    for each in people.answered:
        if each.connection in cut and each.connection not in lit:
            yield f"connection {each.connection} has paid, is cut, and nobody brings the light"

"""A drive in virtual time against the database's own functions: two workers, meters that fail, payments at any moment.

What is real: every function of the interlock's door, the facts, the fences, the caps, the triggers and the roles. What
is played: the session (as `interlock.session` steps it), the meters, the wire, and time, which only moves when the
schedule says so: leases are shifted into the past instead of being waited for. A seed decides every choice, and the
whole Monday happens in one transaction that is rolled back, so that the next seed begins where this one did.

The truth is the meters' own log, never the product's tables.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bahal.interlock.desk import CLAIM_STATEMENT
from bahal.interlock.orders import BACK, CONFIRMED, CUT, FIELD_TASK, MOST_SENDS, RESTORE, Claim, Outcome
from bahal.interlock.results import RESULTS_STATEMENT
from bahal.interlock.sending import CUTS_STATEMENT
from tests.interlock import facts

RESTORES_STATEMENT = "SELECT order_id, verdict, reason FROM interlock_send_restores(%s, %s::bigint[], %s)"
WORKERS = ("w1", "w2")
OPEN = ("authorised", "claimed", "sent", "unknown")
STEPS = 140
LEASE_S = PAUSE_S = 30.0
TICK_S = 60.0
"""Every lease and pause ends at the next tick, and none by the real time that a seed takes."""
WARRANT_S = 4 * 3600.0
MOST_ROUNDS = 60


@dataclass
class Meter:
    """A relay and its log: `off` and `on` in the order in which it moved. One that is stuck answers and stays."""

    closed: bool = True
    stuck: bool = False
    log: list[str] = field(default_factory=list)

    def act(self, kind: str) -> None:
        """An ACTION reached it."""
        closed = kind != CUT
        if not self.stuck and closed != self.closed:
            self.closed = closed
            self.log.append("on" if closed else "off")


class Monday:
    """One seed's drive. `story` is what happened, by positions and not by numbers that a sequence gave."""

    def __init__(self, connection: facts.Connection, keys: facts.Keys, *, count: int, seed: int) -> None:
        self._db = connection
        self._chance = random.Random(seed)
        self._keys = keys
        self._count = count
        self._minutes = 0.0
        self._sessions: dict[str, list[Iterator[None]]] = {worker: [] for worker in WORKERS}
        self._faulty = True
        self.meters: dict[str, Meter] = {}
        self.story: list[str] = []
        self.paid: dict[int, int] = {}
        self.held: set[int] = set()
        self.stopped = False
        self.wrong: list[str] = []

    # --- roles and time ----------------------------------------------------------------------------------------------

    def _as(self, role: str) -> None:
        self._db.execute(f"SET LOCAL SESSION AUTHORIZATION {role}")

    def _rows(self, role: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        self._as(role)
        return self._db.execute(statement, values).fetchall()  # type: ignore[arg-type]

    @property
    def now(self) -> Any:
        """The business instant."""
        return facts.TEN_O_CLOCK + timedelta(minutes=self._minutes)

    def _pass(self, seconds: float) -> None:
        """Time passes: what was leased or put off ends that much earlier."""
        self._minutes += seconds / 60
        self._db.execute("RESET SESSION AUTHORIZATION")
        self._db.execute("SET LOCAL session_replication_role = replica")
        gone = timedelta(seconds=seconds)
        self._db.execute(
            "UPDATE supply_order SET lease_until = lease_until - %s, not_until = not_until - %s"
            " WHERE state = ANY(%s::text[])",
            (gone, gone, list(OPEN)),
        )
        self._db.execute(
            "UPDATE interlock_meter SET lease_until = lease_until - %s WHERE lease_holder IS NOT NULL", (gone,)
        )
        self._db.execute("SET LOCAL session_replication_role = origin")

    # --- the day -----------------------------------------------------------------------------------------------------

    def live(self) -> str:
        """Live it to its end; the digest of all that happened. What is wrong stands in `wrong`."""
        self._open()
        for _ in range(STEPS):
            self._chance.choices(
                [self._step, self._claim, self._pay, self._hold, self._crash, self._wait, self._stop],
                [60, 22, 3, 1, 3, 6, 0.3],
            )[0]()
        self._faulty = False
        self._settle()
        self._judge()
        return hashlib.sha256(json.dumps(self.story).encode()).hexdigest()

    def _open(self) -> None:
        self._as("app")
        drive = facts.propose(self._db, self._keys, count=self._count)
        orders = self._rows(
            "interlock",
            "SELECT id, meter, connection, fence, due_paise, position FROM supply_order WHERE drive = %s"
            " ORDER BY position",
            drive.id,
        )
        columns = [list(column) for column in zip(*orders, strict=True)]
        self._rows(
            "interlock",
            "SELECT interlock_register(%s, %s::uuid, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s::bigint[],"
            " %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])",
            drive.id, drive.document.warrant, drive.document.list_sha256, "ee", "se", "ee", "se",
            json.dumps(facts.PROFILE), drive.document.not_before, drive.document.expires_at, self.now, *columns,
        )  # fmt: skip
        self._rows("interlock", "SELECT interlock_pass_canary(%s)", drive.id)
        self._place = {meter: position for _, meter, _, _, _, position in orders}
        self._connections = [row[2] for row in orders]
        self.meters = {row[1]: Meter(stuck=self._chance.random() < 0.12) for row in orders}

    def _tell(self, what: str, meter: str, *more: object) -> None:
        self.story.append(" ".join(map(str, (what, self._place[meter], *more))))

    def _wait(self) -> None:
        self._pass(TICK_S)

    def _claim(self) -> None:
        worker, kind = self._chance.choice(WORKERS), self._chance.choice((CUT, RESTORE, RESTORE))
        rows = self._rows("interlock", CLAIM_STATEMENT, worker, kind, 2, LEASE_S, 64, self.now)
        for claim in sorted(Claim(*row) for row in rows):  # they come back in no order
            self._tell("claimed", claim.meter, worker, claim.kind, claim.state)
            self._sessions[worker].append(self._session(worker, claim))

    def _step(self) -> None:
        busy = [worker for worker in WORKERS if self._sessions[worker]]
        if busy:
            worker = self._chance.choice(busy)
            session = self._chance.choice(self._sessions[worker])
            try:
                next(session)
            except StopIteration:
                self._sessions[worker].remove(session)

    def _crash(self) -> None:
        """A worker dies: what it knew is gone, what it wrote stays."""
        worker = self._chance.choice(WORKERS)
        self.story.append(f"crash {worker} {len(self._sessions[worker])}")
        self._sessions[worker].clear()

    def _pay(self) -> None:
        connection = self._chance.choice(self._connections)
        if connection in self.paid:
            return
        self._as("app")
        facts.pay(self._db, connection)
        self.paid[connection] = facts.DUE_PAISE
        self.story.append(f"paid {connection}")

    def _hold(self) -> None:
        connection = self._chance.choice(self._connections)
        self._rows(
            "app",
            "WITH fence AS (UPDATE supply_fence SET generation = generation + 1 WHERE connection = %s RETURNING 1)"
            " INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at)"
            " SELECT %s, 'hospital', 'letter', 'ee', %s FROM fence RETURNING id",
            connection, connection, self.now,
        )  # fmt: skip
        self.held.add(connection)
        self.story.append(f"held {connection}")

    def _stop(self) -> None:
        self._rows("interlock", "SELECT interlock_halt('ee', 'drill')")
        self.stopped = True
        self.story.append("stopped")

    # --- a session, as the interlock's --------------------------------------------------------------------------------

    def _fault(self) -> str:
        return self._chance.choices(
            ("", "unreachable", "lost_before", "lost_after", "mute"), (80, 6, 5, 5, 4)
        )[0] if self._faulty else ""  # fmt: skip

    def _session(self, worker: str, claim: Claim) -> Iterator[None]:
        """Read the relay, ask for the right, act, read back; each `yield` is a moment at which the worker may die."""
        meter, fault = self.meters[claim.meter], self._fault()
        yield
        if fault == "unreachable":
            self._end(worker, Outcome(claim, BACK, "connect_failed", retry_s=PAUSE_S))
            return
        before = meter.closed
        yield
        done = before if claim.kind != CUT else not before
        if done:
            known = claim.sends > 0 or claim.kind != CUT
            state, why = (CONFIRMED, "found_moved") if known else (FIELD_TASK, "already_off")
            self._end(worker, Outcome(claim, state, why, before, before))
            return
        if claim.sends >= MOST_SENDS:
            self._end(worker, Outcome(claim, FIELD_TASK, "not_moved", before, before))
            return
        if claim.kind == CUT:
            told = self._rows(
                "interlock", CUTS_STATEMENT, worker, [claim.order], self.now, json.dumps(facts.PROFILE)
            )  # fmt: skip
        else:
            told = self._rows("interlock", RESTORES_STATEMENT, worker, [claim.order], self.now)
        verdict, reason = next(((row[1], row[2]) for row in told), ("lost", "lost"))
        self._tell("verdict", claim.meter, claim.kind, verdict, reason)
        if verdict != "send":
            self._end(worker, Outcome(claim, None, reason, before))
            return
        if claim.kind == CUT:
            self._check_right(claim)
        # Written in the same breath as the verdict: who is late does not write (`WRITE_WITHIN_S`).
        if fault != "lost_before":
            meter.act(claim.kind)
            self._tell("moved", claim.meter, *meter.log)
        yield
        if fault in ("lost_before", "lost_after"):
            self._end(worker, Outcome(claim, BACK, "connection_lost", before, retry_s=PAUSE_S))
            return
        if fault == "mute":
            return  # it hangs until its lease runs out
        after = meter.closed
        yield
        if after == (claim.kind != CUT):
            self._end(worker, Outcome(claim, CONFIRMED, "", before, after))
        elif claim.sends + 1 >= MOST_SENDS:
            self._end(worker, Outcome(claim, FIELD_TASK, "not_moved", before, after))
        else:
            self._end(worker, Outcome(claim, BACK, "not_moved", before, after, retry_s=PAUSE_S))

    def _check_right(self, claim: Claim) -> None:
        """I1 and I5, at the moment of the ACTION."""
        for name, forbids in (
            ("paid", claim.connection in self.paid), ("held", claim.connection in self.held), ("stopped", self.stopped),
        ):  # fmt: skip
            if forbids:
                self.wrong.append(f"I1: cut sent to {self._place[claim.meter]}, which was {name}")

    def _end(self, worker: str, outcome: Outcome) -> None:
        self._tell("ended", outcome.claim.meter, outcome.claim.kind, outcome.state, outcome.reason)
        columns = [[each] for each in outcome.columns]
        self._rows("interlock", RESULTS_STATEMENT, worker, self.now, *columns)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No more faults; time passes until nothing is under way."""
        for _ in range(MOST_ROUNDS):
            while any(self._sessions.values()):
                self._step()
            self._pass(TICK_S)
            for _ in range(4):
                self._claim()
            waiting = self._rows(
                "app",
                "SELECT count(*) FROM supply_order WHERE state = ANY(%s::text[])"
                " AND NOT (%s AND kind = 'cut' AND state IN ('authorised', 'claimed'))",
                list(OPEN), self.stopped,
            )  # fmt: skip
            if not waiting[0][0] and not any(self._sessions.values()):
                break
        # What a stop left waiting ends with its warrant, and nothing else does.
        self._pass(WARRANT_S)
        self._rows("interlock", "SELECT interlock_expire(%s)", self.now)
        left = self._rows(
            "app", "SELECT kind, meter, state FROM supply_order WHERE state = ANY(%s::text[])", list(OPEN)
        )
        self.wrong += [f"I2: {kind} of {self._place[meter]} stays {state}" for kind, meter, state in left]

    def _judge(self) -> None:
        """What must hold at the end of every day."""
        for kind, meter, connection, state, sends in self._rows(
            "app", "SELECT kind, meter, connection, state, sends FROM supply_order ORDER BY kind, meter"
        ):
            place, truth = self._place[meter], self.meters[meter]
            if sends > MOST_SENDS:
                self.wrong.append(f"I2: {kind} of {place} was sent {sends} times")
            if kind == CUT and state == CONFIRMED and truth.log[:1] != ["off"]:
                self.wrong.append(f"I2: the cut of {place} is confirmed, and the meter never moved")
            if (
                kind == CUT
                and state in ("cancelled", "expired", "quarantined")
                and truth.log
                and connection not in self.paid
            ):
                self.wrong.append(f"I2: the cut of {place} is {state}, and the meter moved: {truth.log}")
            if kind == RESTORE and state == CONFIRMED and not truth.closed:
                self.wrong.append(f"I2: the restore of {place} is confirmed, and the relay is open")
        tasks = {row[0] for row in self._rows("app", "SELECT meter FROM supply_order WHERE state = 'field_task'")}
        for meter, truth in self.meters.items():
            connection = facts.FIRST + self._place[meter]
            if connection in self.paid and not truth.closed and meter not in tasks:
                self.wrong.append(f"I1: {self._place[meter]} paid and is dark")
            if len(truth.log) > 2:
                self.wrong.append(f"I1: {self._place[meter]} moved {truth.log}")
        cash, total = self._rows(
            "app",
            "SELECT coalesce(sum(paise) FILTER (WHERE account = 'cash'), 0)::bigint, sum(paise)::bigint"
            " FROM ledger_posting",
        )[0]
        if cash != sum(self.paid.values()) or total != 0:
            self.wrong.append(f"I3: {sum(self.paid.values())} paid, {cash} in the till, sum {total}")
        self.story.append(json.dumps(sorted((self._place[m], t.log) for m, t in self.meters.items())))

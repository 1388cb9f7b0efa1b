"""The circle's meters are read over DLMS/COSEM before the Monday, by the product's own head-end and schedules.

Friday before dawn the new meters are read for the first time: who they are, and the billing dates of the past. Monday
before dawn the schedules ask the week, and of one centre somebody asks four; from Tuesday on all are read nightly. A
clock that moved while a meter is asked would make its time look wrong, so the rehearsal's clock moves only when nobody
is on the line.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bahal.domains.billing.intake import Came, take
from bahal.domains.billing.registers import Stand
from bahal.domains.readings.operations import NewSchedule
from bahal.domains.readings.work import alone, let_go
from bahal.foundation.rows import many, one, value
from bahal.foundation.transactions import transaction
from bahal.journeys.ask_profiles import ask_profiles
from bahal.journeys.set_input_meter import set_input_meter
from bahal.journeys.set_rules import accept, propose
from bahal.journeys.set_schedule import accept_schedule, propose_schedule
from bahal.journeys.take_meter_reads import take_meter_reads
from bahal.rehearsal.circle import Circle
from bahal.rehearsal.lives import Watched, write_lives
from bahal.shared.clock import Clock, day_in_india
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.wanted import EVENTS, Wanted

WEEK_S, DAY_S, TEN_MINUTES_S, THREE_HOURS_S = 604_800, 86_400, 600, 10_800
WEEK_DAYS = 7
LOOK_BACK_DAYS = 28
KINDS = ("load", "daily", "billing", "events", "now")
_FIRST = Wanted.BILLING | Wanted.NAMEPLATE
_SOURCE = "rehearsal"
_DIGITS = 9
_POLL_S = 0.1
_STALL_S = 60.0

Progress = Callable[[int, int], None]


class CollectingStalled(Refusal):
    """Meters are waited for and nothing comes any more."""

    code = "rehearsal_collecting_stalled"
    exit_code = ENVIRONMENT
    hi = "मीटरों का पठन {seconds} सेकंड से रुका है: {waiting} शेष; {home}/logs/headend.log देखें।"
    en = "Nothing came from meters for {seconds} seconds, {waiting} are waited for: look into {home}/logs/headend.log."


class FleetRefusedLives(Refusal):
    """The simulated meters cannot have counted what the circle says."""

    code = "rehearsal_lives_refused"
    exit_code = ENVIRONMENT
    hi = "काल्पनिक मीटरों ने पठन नहीं माने: {why}"
    en = "The simulated meters did not take what they have counted: {why}"


@dataclass(frozen=True, slots=True)
class Read:
    """How many meters were asked, gave all that was wanted, and are still in trouble; and how long it took, in s."""

    meters: int
    complete: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """Reads the circle on an instance that runs. `door` is the fleet's Unix socket, `home` stands in refusals.
    Whoever has failed `patience` times is left to his later tries."""

    circle: Circle
    where: Watched
    clock: Clock
    door: Path
    home: Path
    patience: int = 2

    def live(self, lives: Path) -> int:
        """Let the fleet have counted what the circle says; how many lines that takes.

        :raises FleetRefusedLives: it cannot.
        """
        lines = write_lives(lives, self.circle, self.where)
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(60)
            door.connect(str(self.door))
            door.sendall(json.dumps({"do": "live", "file": str(lives)}).encode() + b"\n")
            answer = json.loads(door.makefile().readline())
        if not answer["ok"]:
            raise FleetRefusedLives(why=answer.get("why", answer.get("error", "")))
        return lines

    def schedule(self, *, maker: str, checker: str) -> None:
        """Mondays at first, and nightly from the day after on; three weeks are enough to see what falls; and the input
        meters at their transformers."""
        times = {"at": self.clock.wall(), "business_at": self.clock.now()}
        today = day_in_india(times["business_at"])
        for kind in KINDS:
            for every_s, since in ((WEEK_S, today), (DAY_S, self.circle.monday + timedelta(days=1))):
                new = NewSchedule(
                    kind, None, None, every_s, TEN_MINUTES_S, THREE_HOURS_S, WEEK_DAYS, False, 0, since, _SOURCE
                )
                made = propose_schedule(new, officer=maker, **times)
                accept_schedule(schedule=made, officer=checker, reason=_SOURCE, **times)
        document = (
            f'version = "rehearsal-1"\neffective_from = {today}\nsource = "rehearsal"\nverified = false\n'
            f"weeks = {LOOK_BACK_DAYS // WEEK_DAYS - 1}\n"
        )
        rules = propose(name="falling", text=document, officer=maker, **times)
        accept(rules=rules, officer=checker, reason="rehearsal: few weeks were read", **times)
        since = self.circle.monday - timedelta(days=LOOK_BACK_DAYS)
        for transformer, meter in self.where.inputs.items():
            set_input_meter(
                meter=meter, scope="transformer", place=transformer, factor=1, from_on=since, actor=maker, **times
            )

    def ask(self, meters: Sequence[str], *, actor: str) -> None:
        """Ask new meters who they are, and for the billing dates of the past."""
        ask_profiles(
            meters, wanted=_FIRST, back_days=WEEK_DAYS, actor=actor, at=self.clock.wall(), business_at=self.clock.now()
        )

    def by_hand(self, *, at: datetime) -> int:
        """Registers that no meter has told are read by a lineman; of how many connections."""
        told = {row[0] for row in many("SELECT DISTINCT connection FROM billing_register")}
        silent = [account for account in self.circle.accounts if account.connection.number not in told]
        came = [
            Came(
                account.connection.number,
                Stand(day, account.connection.meter, wh, vah=account.connection.vah(wh), digits=_DIGITS),
                "lineman",
            )
            for account in silent
            for day, wh in account.registers
        ]
        loads = {account.connection.number: account.connection.load_w for account in silent}
        with transaction():
            take(came, loads=loads, today=day_in_india(at))
        return len(silent)

    def first_contact(self, meters: int, *, actor: str, progress: Progress) -> Read:
        """Wait for what was asked of so many meters, which billing then takes. One meter of each make is asked for the
        rest meanwhile: what its profiles hold is learnt before the others are asked.

        :raises CollectingStalled: meters stopped answering.
        """
        read = self.wait(meters, progress=progress)
        take_meter_reads(actor=actor, at=self.clock.wall(), business_at=self.clock.now())
        self.by_hand(at=self.clock.now())
        first = {each.make: each.meter for each in reversed(self.circle.connections)}
        ask_profiles(
            list(first.values()), wanted=Wanted.LOAD | Wanted.DAILY | Wanted.NOW | EVENTS, back_days=1, actor=actor,
            at=self.clock.wall(), business_at=self.clock.now(),
        )  # fmt: skip
        return read

    def week(self, *, since: datetime, actor: str, progress: Progress) -> Read:
        """Wait for what Monday's schedules ask, which fire when the clock stands after them; `since` is before that.
        Of the watched centre somebody asks weeks more. Nobody works on days meanwhile, or half a day would be judged.

        :raises CollectingStalled: meters stopped answering.
        """
        while not alone():
            time.sleep(_POLL_S)
        try:
            return self._week(since, actor, progress)
        finally:
            let_go()

    def _week(self, since: datetime, actor: str, progress: Progress) -> Read:
        began = time.monotonic()
        meters = len(self.circle.connections) + len(self.where.inputs)
        watched = [each.meter for each in self.circle.connections if each.centre == self.where.centre]
        watched += self.where.inputs.values()
        ask_profiles(
            watched, wanted=Wanted.LOAD | Wanted.DAILY, back_days=LOOK_BACK_DAYS, actor=actor, at=self.clock.wall(),
            business_at=self.clock.now(),
        )  # fmt: skip
        fired = "SELECT count(*) FROM readings_schedule WHERE kind = ANY(%s) AND fired_at > %s"
        while value(fired, list(KINDS), since) < len(KINDS):
            self._not_longer_than(began, meters)
            time.sleep(_POLL_S)
        return self.wait(meters, progress=progress)

    def wait(self, meters: int, *, progress: Progress) -> Read:
        """Wait until nobody is on the line, or due, who was not given up: he failed, or is one who calls and has not.

        :raises CollectingStalled: meters stopped answering.
        """
        began = moved = time.monotonic()
        before: tuple[int, ...] = ()
        while True:
            row = one(
                "SELECT count(*) FILTER (WHERE wants <> 0 AND tries < %s AND reason <> 'no_line'),"
                " count(*) FILTER (WHERE wants = 0), count(*) FILTER (WHERE wants <> 0),"
                " (SELECT count(*) FROM ingest_batch WHERE done_at IS NULL) FROM readings_meter",
                self.patience,
            )
            waiting, complete, _, unfinished = there = tuple(row or ())
            progress(complete, meters)
            if not waiting and not unfinished:
                return Read(meters, min(complete, meters), time.monotonic() - began)
            if there != before:
                before, moved = there, time.monotonic()
            self._not_longer_than(moved, waiting)
            time.sleep(_POLL_S)

    def _not_longer_than(self, moved: float, waiting: int) -> None:
        if time.monotonic() - moved > _STALL_S:
            raise CollectingStalled(seconds=round(_STALL_S), waiting=waiting, home=str(self.home))

"""The Monday, lived from end to end through the product's own doors: journeys, the payments API, the interlock.

What people do is here (whom they pay, when, who forces his meter); what the system does is not: nothing in this file
moves an order, a relay or a rupee by itself. Times are business times of the rehearsal's clock; figures are wall time.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import httpx
from django.db import connection

from bahal.journeys.draft_drive import draft_drive
from bahal.journeys.dry_run import what_if
from bahal.journeys.propose_drive import propose_drive
from bahal.journeys.recovery_report import recovery_report
from bahal.journeys.run_drive import run_drive
from bahal.journeys.send_reminders import send_reminders
from bahal.journeys.sign_drive import sign_drive
from bahal.rehearsal.circle import Circle, Paying
from bahal.rehearsal.collecting import Collecting
from bahal.rehearsal.officers import Officer
from bahal.rehearsal.signals import Signals
from bahal.rehearsal.telling import Teller
from bahal.shared.clock import RehearsalClock, move_rehearsal
from bahal.shared.errors import Refusal
from bahal.shared.home import Home
from bahal.shared.text import INDIA
from bahal.shared.warrant import Document, sign
from bahal.shared.words import word

REMINDER_DAYS = 3
STALL_S = 45.0
STALL_WITH_FAULTS_S = 150.0  # a restore that was lost seven times waits a minute for its eighth
POLL_S = 0.05
INSTANT_PAYMENT_S = 0.1  # below this reply delay a racer pays as the drive starts: no pause to pay in is left

CARELESS = """
version = "no notice, no holds"
minimum_paise = 100000
stale_after_months = 600
waive = ["held", "notice_not_served", "not_due_yet", "estimated", "disputed", "supplementary",
         "reminders_not_delivered"]
"""
"""What others have done: the same facts are asked under it before the drive, and nobody is cut by it."""


class StoryStalled(Refusal):
    """Something the story waits for stopped moving."""

    code = "rehearsal_stalled"
    hi = "{what} {seconds} सेकंड से आगे नहीं बढ़ा: {home}/logs देखें।"
    en = "{what} has not moved for {seconds} seconds: look into {home}/logs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where the product and the outside world answer."""

    web: str
    bank: str
    fleet_admin: str


class Monday:
    """One rehearsed Monday on an instance that runs."""

    def __init__(
        self,
        *,
        home: Home,
        doors: Doors,
        circle: Circle,
        officers: Sequence[Officer],
        teller: Teller,
        reply_delay: float,
        faults: str = "none",
        collecting: Collecting,
        signals: Signals,
    ) -> None:
        """`collecting` and `signals` are how the circle is read and looked at before the drive."""
        self.home = home
        self.doors = doors
        self.circle = circle
        self.officers = {officer.login: officer for officer in officers}
        self.teller = teller
        self.reply_delay = reply_delay
        self.faults = faults
        self._collecting = collecting
        self._signals = signals
        self._stall_s = STALL_S if faults == "none" else STALL_WITH_FAULTS_S
        self.clock = RehearsalClock(home.run / "clock.json")
        self.chance = Random(f"monday {circle.seed}")  # noqa: S311  # who pays when, not a secret
        self.careless: Mapping[str, Any] = {}
        self._paid = 0
        self._lock = threading.Lock()
        # One client for all: making one costs more than the payment it carries.
        self._http = httpx.Client(timeout=30, trust_env=False, verify=False)  # noqa: S501  # plain HTTP on loopback

    def live(self) -> dict[str, Any]:
        """The whole story; returns the demo's JSON without what only the caller knows (fleet log, seed).

        :raises StoryStalled: something stopped moving.
        """
        with self._http:
            return self._live()

    def _live(self) -> dict[str, Any]:
        first_day = self.circle.monday - timedelta(days=REMINDER_DAYS)
        for nth in range(REMINDER_DAYS):
            self._remind(first_day + timedelta(days=nth))
            self._drop_out(after=nth + 1)
        readings = self._read_week()
        drive = self._authorise()
        self._run(drive)
        self._force(drive)
        told = {"readings": readings, "what_if": self.careless}
        return recovery_report(drive=drive) | told | self._went_wrong()

    # -- before the Monday ---------------------------------------------------------------------------------------

    def _remind(self, day: date) -> None:
        self._move(day, 11)
        send_reminders(business_day=day, at=self.clock.wall(), business_at=self.clock.now(), actor="ee")

        def waiting() -> int:
            return self._count(
                "SELECT count(*) FROM notices_message WHERE kind = 'reminder' AND business_on = %s"
                " AND delivery IN ('queued', 'sent')", day,
            )  # fmt: skip

        self._until(lambda: waiting() == 0, moving=waiting, what="SMS delivery")
        states = self._rows(
            "SELECT delivery, count(*) FROM notices_message WHERE kind = 'reminder' AND business_on = %s GROUP BY 1",
            day,
        )
        by_state = dict(states)
        self.teller.say(
            "reminded", day=f"{day:%d-%m-%Y}", sent=sum(by_state.values()), delivered=by_state.get("delivered", 0)
        )

    def _drop_out(self, *, after: int) -> None:
        leaving = [dropout for dropout in self.circle.dropouts if dropout.after_reminders == after]
        if not leaving:
            return
        with ThreadPoolExecutor(8) as counter:
            list(counter.map(lambda each: self._pay(Paying(each.connection, each.paise)), leaving))
        self.teller.say("dropped", count=len(leaving), paise=sum(each.paise for each in leaving))

    def _read_week(self) -> dict[str, Any]:
        """Before dawn the schedules fire: the week is read, validated and looked at before anybody signs."""
        before = self.clock.now()
        self._move(self.circle.monday, 3, 30)
        read = self._collecting.week(since=before, actor="ee", progress=self.teller.reading)
        self.teller.close_board()
        self.teller.say("read", meters=read.complete, of=read.meters, seconds=round(read.seconds, 1))
        looked = self._signals.look()
        self.teller.say(
            "looked",
            meter_days=looked["meter_days"],
            estimated=looked["estimated"],
            falling=len(looked["falling"]),
            worst=", ".join(
                f"{each['transformer']} {100 * each['lost_wh'] / each['in_wh']:.0f} %" for each in looked["worst"][:1]
            ),
        )
        return {"meters": read.meters, "complete": read.complete, **looked}

    def _authorise(self) -> int:
        self._move(self.circle.monday, 9, 30)
        maker, checker = self.officers["ee"], self.officers["se"]
        opening = datetime.combine(self.circle.monday, datetime.min.time(), INDIA).replace(hour=10).astimezone(UTC)
        self.careless = what_if(
            office=checker.office, text=CARELESS, file="careless", cut_at=opening, business_at=self.clock.now()
        ).as_json()
        draft = draft_drive(
            office=checker.office,
            maker=maker.login,
            not_before=opening,
            expires_at=opening + timedelta(hours=4),
            business_at=self.clock.now(),
        )
        drive = propose_drive(
            document=draft.document,
            signature=sign(maker.key(), draft.document, "maker"),
            name=f"{self.circle.monday:%d-%m-%Y}",
            at=self.clock.wall(),
            business_at=self.clock.now(),
        ).drive
        stated = Document.parse(draft.document)
        self.teller.say(
            "proposed",
            maker=maker.name_hi if self.teller.language == "hi" else maker.name,
            orders=stated.orders,
            paise=stated.sum_paise,
            sha=stated.list_sha256[:12],
        )
        excluded = sorted(draft.funnel.excluded.items())
        if excluded:
            words = ((word("verdicts", reason, self.teller.language), count) for reason, count in excluded)
            self.teller.say("excluded", reasons=", ".join(f"{text} {count}" for text, count in words))
        sign_drive(
            drive=drive,
            checker=checker.login,
            signature=sign(checker.key(), draft.document, "checker"),
            at=self.clock.wall(),
            business_at=self.clock.now(),
        )
        self.teller.say("signed", checker=checker.name_hi if self.teller.language == "hi" else checker.name)
        return drive

    # -- the Monday ----------------------------------------------------------------------------------------------

    def _run(self, drive: int) -> None:
        self._move(self.circle.monday, 10)
        began = time.monotonic()
        run_drive(drive=drive, actor="ee", at=self.clock.wall(), business_at=self.clock.now())
        canary = self._count("SELECT least(50, orders) FROM supply_drive WHERE id = %s", drive)
        self.teller.say("running", at=f"{self.clock.now().astimezone(INDIA):%H:%M}", canary=canary)

        racers = {each.connection: each for each in self.circle.racers}
        payers = list(self.circle.payers)
        last = payers.pop() if payers else None
        cut_said = False
        with ThreadPoolExecutor(8) as counter:
            pending = []
            while True:
                board = self._board(drive)
                open_orders = sum(row["open"] for row in board)
                restored = self._count(
                    "SELECT count(*) FROM supply_order WHERE kind = 'restore' AND state = 'confirmed'"
                )
                self.teller.board(board, payments=self._paid, payers=len(self.circle.payers), restored=restored)
                if racers:
                    racing = self._racing(drive, list(racers))
                    pending += [counter.submit(self._pay, racers.pop(number)) for number in racing]
                dark = self._dark(drive, [each.connection for each in payers])
                coming = self._who_comes(payers, dark, everybody=open_orders == 0)
                for each in coming:
                    payers.remove(each)
                    pending.append(counter.submit(self._pay, each, True))
                if open_orders == 0 and not cut_said:
                    cut_said = True
                    self.teller.say(
                        "cut_done",
                        confirmed=sum(row["confirmed"] for row in board),
                        cancelled=sum(row["cancelled"] for row in board),
                        seconds=round(time.monotonic() - began, 1),
                    )
                if cut_said and not payers:
                    break
                self._unstalled(("drive", open_orders, self._paid, restored), "The drive")
                time.sleep(POLL_S)
            for done in pending:
                done.result()
        if last is not None:
            self._pay(last, True)
        self._until(self._all_lit, moving=self._lit, what="Restoration")
        self.teller.board(self._board(drive), payments=self._paid, payers=len(self.circle.payers), restored=self._lit())
        self.teller.close_board()
        paise = sum(each.paise for each in self.circle.payers)
        self.teller.say("paid_done", count=len(self.circle.payers), paise=paise, restored=self._lit())

    def _racing(self, drive: int, numbers: list[int]) -> list[int]:
        """Racers whose cut is about to be sent: claimed by the interlock and not yet marked sent."""
        states = ["claimed"] if self.reply_delay >= INSTANT_PAYMENT_S else ["authorised", "claimed"]
        rows = self._rows(
            "SELECT connection FROM supply_order WHERE drive = %s AND state = ANY(%s) AND connection = ANY(%s)",
            drive, states, numbers,
        )  # fmt: skip
        return [row[0] for row in rows]

    def _dark(self, drive: int, numbers: list[int]) -> set[int]:
        rows = self._rows(
            "SELECT connection FROM supply_order WHERE drive = %s AND state = 'confirmed' AND connection = ANY(%s)",
            drive, numbers,
        )  # fmt: skip
        return {row[0] for row in rows}

    def _who_comes(self, payers: Sequence[Paying], dark: set[int], *, everybody: bool) -> list[Paying]:
        """Some of the dark go to the counter now: a few at a time while the drive runs, then a crowd."""
        candidates = [each for each in payers if each.connection in dark]
        self.chance.shuffle(candidates)
        if everybody and not candidates:
            return list(payers)  # a cut that never came about: they pay what they owe all the same
        return candidates[: 6 if everybody else 2]

    def _all_lit(self) -> bool:
        return self._count(
            "SELECT count(*) FROM supply_order o WHERE o.kind = 'restore' AND o.state NOT IN"
            " ('confirmed', 'field_task', 'cancelled', 'refused', 'expired')"
        ) == 0 and self._count(
            "SELECT count(*) FROM supply_result WHERE handled_at IS NULL"
        ) == 0 and self._count(
            "SELECT count(*) FROM notices_message WHERE delivery IN ('queued', 'sent') AND channel = 'sms'"
        ) == 0  # fmt: skip

    def _lit(self) -> int:
        return self._count("SELECT count(*) FROM supply_order WHERE kind = 'restore' AND state = 'confirmed'")

    def _force(self, drive: int) -> None:
        forcer = self._who_forces(drive)
        if forcer is None:
            return
        meter = self.circle.by_number()[forcer].meter
        began = time.monotonic()
        self._fleet({"do": "close_by_force", "meter": meter})
        self._until(
            lambda: self._count("SELECT count(*) FROM protection_alert WHERE meter = %s", meter) > 0,
            moving=lambda: 0,
            what="The alert",
        )
        self.teller.say("forced", connection=forcer, seconds=round(time.monotonic() - began, 2))

    def _who_forces(self, drive: int) -> int | None:
        """The one whom the story means; where his cut never came about, another who is dark and has not paid."""
        wanted = self.circle.forcer
        rows = self._rows(
            "SELECT o.connection FROM supply_order o WHERE o.drive = %s AND o.state = 'confirmed' AND NOT EXISTS"
            " (SELECT FROM supply_order r WHERE r.connection = o.connection AND r.kind = 'restore')"
            " ORDER BY o.connection IS DISTINCT FROM %s::bigint, o.position LIMIT 1",
            drive, wanted,
        )  # fmt: skip
        return int(rows[0][0]) if rows and wanted is not None else None

    def _went_wrong(self) -> dict[str, Any]:
        """What the meters themselves log of their faults: how many meters by kind, and how often."""
        if self.faults == "none":
            return {}
        log = self.home.logs / "faults.jsonl"
        seen: dict[str, list[str]] = {}
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            seen.setdefault(entry["fault"], []).append(entry["meter"])
        by_kind = {kind: {"meters": len(set(meters)), "times": len(meters)} for kind, meters in sorted(seen.items())}
        return {"faults": {"profile": self.faults, "by_kind": by_kind, "log": str(log)}}

    # -- doors ---------------------------------------------------------------------------------------------------

    def _pay(self, paying: Paying, counted: bool = False) -> None:
        """The money goes through the bank first; the counter then posts the bank's payment, under its number."""
        body = {"consumer": paying.connection, "paise": paying.paise, "channel": "counter"}
        collected = self._http.post(f"{self.doors.bank}/collect", json=body)
        collected.raise_for_status()
        posted = self._http.post(
            f"{self.doors.web}/api/v1/payments",
            json=body,
            headers={"Idempotency-Key": str(collected.json()["payment"])},
        )
        posted.raise_for_status()
        if counted:
            with self._lock:
                self._paid += 1

    def _fleet(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(self.doors.fleet_admin)
            door.sendall(json.dumps(asked).encode() + b"\n")
            answer: dict[str, Any] = json.loads(door.makefile().readline())
        return answer

    # -- looking -------------------------------------------------------------------------------------------------

    def _board(self, drive: int) -> list[dict[str, Any]]:
        rows = self._rows(
            """
            SELECT division.name, division.name_hi, count(*),
                   count(*) FILTER (WHERE o.sent_at IS NOT NULL),
                   count(*) FILTER (WHERE o.state = 'confirmed'),
                   count(*) FILTER (WHERE o.state = 'cancelled'),
                   count(*) FILTER (WHERE o.state IN ('field_task', 'refused', 'quarantined', 'expired')),
                   count(*) FILTER (WHERE o.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown'))
            FROM supply_order o
            JOIN network_connection c ON c.id = o.connection
            JOIN offices_office centre ON centre.id = c.centre
            JOIN offices_office subdivision ON subdivision.id = centre.parent_id
            JOIN offices_office division ON division.id = subdivision.parent_id
            WHERE o.drive = %s GROUP BY division.id, division.name, division.name_hi ORDER BY division.id
            """,
            drive,
        )
        names = ("name_en", "name_hi", "orders", "sent", "confirmed", "cancelled", "other", "open")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _move(self, day: date, hour: int, minute: int = 0) -> None:
        at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=INDIA)
        move_rehearsal(self.home.run / "clock.json", business_at=at)

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _count(self, statement: str, *values: Any) -> int:
        return int(self._rows(statement, *values)[0][0])

    def _until(self, done: Callable[[], bool], *, moving: Callable[[], int], what: str) -> None:
        self._seen: tuple[object, float] = (None, time.monotonic())
        while not done():
            self._unstalled((what, moving()), what)
            time.sleep(POLL_S)

    def _unstalled(self, state: object, what: str) -> None:
        now = time.monotonic()
        seen, since = getattr(self, "_seen", (None, now))
        if seen != state:
            self._seen = (state, now)
        elif now - since > self._stall_s:
            raise StoryStalled(what=what, seconds=round(self._stall_s), home=str(self.home.path))

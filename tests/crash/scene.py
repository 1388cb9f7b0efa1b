"""One crash run: a copy of the template, the product under its supervisor, a strike at one point, and what came of it.

What people do is the same in every run. Before the hour one of the listed pays his part, which changes his account, and
one pays all. At the hour the drive goes: some pay the moment their cut is claimed, some when their meter goes dark, and
after the strike some whose cut is in flight. A meter is closed by force, three are asked for their registers. The run
ends when nothing is left to do.
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bahal.shared.clock import move_rehearsal
from bahal.shared.home import Home
from tests.crash import template
from tests.crash.instance import Instance
from tests.crash.invariants import Answered, Evidence
from tests.monday.recount import Recount

QUIET_S = 120.0
"""A run that is not quiet by then is judged as it stands."""
PART_PAISE = 100_00
HEADEND_POINTS_LOSE = "headend.push_received"
"""A push has no acknowledgement: what dies in the head-end's hands before it is stored is heard with the next one."""

_OPEN = """
    SELECT (SELECT count(*) FROM supply_order WHERE state NOT IN
            ('confirmed', 'cancelled', 'refused', 'expired', 'field_task'))
         + (SELECT count(*) FROM supply_result WHERE handled_at IS NULL)
         + (SELECT count(*) FROM notices_message
            WHERE channel = 'sms' AND delivery NOT IN ('delivered', 'withdrawn', 'failed'))
         + (SELECT count(*) FROM protection_event WHERE handled_at IS NULL)
         + (SELECT count(*) FROM readings_request WHERE done_at IS NULL)
         + (SELECT count(*) FROM supply_drive WHERE state = 'running') AS open,
           (SELECT count(*) FROM audit_entry
            WHERE id > (SELECT coalesce(max(last_entry), 0) FROM audit_batch)) AS unsealed
"""
_LEASES = """
    SELECT (SELECT count(*) FROM interlock_meter WHERE lease_until > clock_timestamp())
         + (SELECT count(*) FROM headend_meter h WHERE lease_until > clock_timestamp()
            AND NOT EXISTS (SELECT FROM readings_meter r WHERE r.meter = h.meter AND r.wants <> 0)) AS leases
"""
"""What a schedule wants read is in hand whenever its hour comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a run."""

    point: str
    strikes: Sequence[Mapping[str, Any]]
    """Lines of `crash_hits.jsonl` that struck."""
    passes: int
    killed: Mapping[str, int]
    """Processes killed from outside, with the ids they had."""
    evidence: Evidence
    quiet: bool
    left: Sequence[int]
    """Processes that were still there after the drain."""
    code: int
    seconds: float


@dataclass(slots=True)
class _People:
    """Who does what."""

    early: int
    part: int
    racers: list[int]
    payers: list[int]
    forcers: list[int]
    in_flight: int = 3
    paid: set[int] = field(default_factory=set)


class _Watch:
    """What can be seen from outside while it happens: which meters are dark, whose cut was told by SMS."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._read = {"fleet": 0, "sms": 0}
        self.movements = 0
        self.dark: set[str] = set()
        self.told: set[str] = set()
        """Texts of the messages on cuts."""

    def look(self) -> None:
        """Read on from where the last look ended."""
        for each in self._more("fleet"):
            self.movements += 1
            (self.dark.discard if each["relay"] == "on" else self.dark.add)(each["meter"])
        self.told.update(each["text"] for each in self._more("sms") if "-CUT-" in each["template"])

    def _more(self, name: str) -> Iterator[dict[str, Any]]:
        path = self._logs / f"{name}.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._read[name])
            for line in file:
                if line.endswith(b"\n"):
                    self._read[name] += len(line)
                    yield json.loads(line)


class Scene:
    """Plays one run. `crash_at` is the variable's value, empty for a run without a strike; `kills` are processes to be
    killed from outside, one after the other, wherever they stand."""

    def __init__(
        self,
        *,
        prepared: Path,
        home: Path,
        source: Path,
        crash_at: str = "",
        kills: Sequence[str] = (),
        quiet_s: float = QUIET_S,
    ) -> None:
        self._start = partial(Instance, prepared=prepared, home=home, source=source, crash_at=crash_at)
        self._home = Home(home)
        self._point = crash_at.removeprefix("postgres@").partition(":")[0]
        self._loses = crash_at.startswith(HEADEND_POINTS_LOSE)
        self._quiet_s = quiet_s
        self._kills = list(kills)
        self._killed: dict[str, int] = {}
        self._answered: list[Answered] = []
        self._forced: list[str] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watch = _Watch(self._home.logs)
        self._reader: psycopg.Connection[dict[str, Any]] | None = None

    def play(self) -> Came:
        """Play it to its end."""
        began = time.monotonic()
        with self._start() as instance:
            self._instance = instance
            self._due = {int(connection): paise for connection, paise in instance.facts["due_paise"].items()}
            self._meter_of = instance.meter_of
            try:
                asked = self._ask()
                quiet = self._live()
                evidence = self._look(asked)
            finally:
                self._over.set()
                if self._reader is not None:
                    self._reader.close()
        assert instance.code is not None
        hits = list(_lines(self._home.run / "crash_hits.jsonl"))
        return Came(
            point=self._point,
            strikes=[hit for hit in hits if hit["struck"]],
            passes=len(hits),
            killed=self._killed,
            evidence=evidence,
            quiet=quiet,
            left=instance.left,
            code=instance.code,
            seconds=time.monotonic() - began,
        )

    # -- what people do ------------------------------------------------------------------------------------------

    def _ask(self) -> list[str]:
        """Three meters are asked for their registers."""
        asked = [self._meter_of[connection] for connection in self._instance.facts["listed"][-3:]]
        with self._instance.entered("owner") as owner:
            owner.execute(
                "INSERT INTO readings_request (meter, register, asked_at, tries, reason)"
                " SELECT m, '1.0.1.8.0.255', clock_timestamp(), 0, '' FROM unnest(%s::text[]) AS m",
                [asked],
            )
            owner.execute("NOTIFY bahal_reads")
        return asked

    def _live(self) -> bool:
        """Live the drive; whether everything came to rest in time."""
        listed = self._instance.facts["listed"]
        people = _People(
            early=listed[3], part=listed[7], racers=listed[10:13], payers=[*listed[20:28], *listed[55:58]],
            forcers=[listed[40], listed[41]],
        )  # fmt: skip
        self._people = people
        deadline = time.monotonic() + self._quiet_s
        with ThreadPoolExecutor(8) as counter:
            first = [
                counter.submit(self._pay, people.part, PART_PAISE),
                counter.submit(self._pay, people.early, self._due[people.early]),
            ]
            for each in first:
                each.result()
            people.paid |= {people.part, people.early}
            move_rehearsal(self._home.run / "clock.json", business_at=template.moment(template.MONDAY, template.TEN))
            pending: list[Future[None]] = []
            while time.monotonic() < deadline:
                self._watch.look()
                self._kill()
                for connection in self._who_pays(people):
                    people.paid.add(connection)
                    pending.append(counter.submit(self._pay, connection, self._due[connection]))
                self._force(people)
                if all(each.done() for each in pending) and self._all_paid(people) and self._quiet():
                    return all(each.result() is None for each in pending)
                time.sleep(0.05)
            self._over.set()
            return False

    def _kill(self) -> None:
        """Kill the next process once six more relays have moved, and none before the last one killed is back."""
        pids = self._instance.pids()
        back = all(pids.get(name) not in (None, pid) for name, pid in self._killed.items())
        if self._kills and back and self._watch.movements >= 6 * (len(self._killed) + 1):
            name = self._kills.pop(0)
            self._killed[name] = pids[name]
            os.kill(pids[name], signal.SIGKILL)

    def _who_pays(self, people: _People) -> list[int]:
        dark = self._watch.dark
        coming = [c for c in people.payers if c not in people.paid and self._meter_of[c] in dark]
        waiting = [c for c in people.racers if c not in people.paid]
        if waiting:
            claimed = self._rows(
                "SELECT connection FROM supply_order WHERE kind = 'cut' AND connection = ANY(%s)"
                " AND state <> 'authorised'",
                [waiting],
            )
            coming += [row["connection"] for row in claimed]
        if people.in_flight and self._struck():
            others = [people.part, people.early, *people.racers, *people.payers, *people.forcers]
            flying = self._rows(
                "SELECT connection FROM supply_order WHERE kind = 'cut' AND state IN ('sent', 'unknown')"
                " AND NOT connection = ANY(%s) ORDER BY id LIMIT %s",
                [others, people.in_flight],
            )
            coming += [row["connection"] for row in flying]
            people.in_flight = 0
        return coming

    def _all_paid(self, people: _People) -> bool:
        return {*people.racers, *people.payers} <= people.paid and not people.forcers and not self._kills

    def _force(self, people: _People) -> None:
        """The first forcer acts when he was told of his cut, the second when the first was heard of."""
        if not people.forcers or not any(str(people.forcers[0]) in text for text in self._watch.told):
            return
        if self._forced and not self._heard(self._forced[-1]):
            return
        meter = self._meter_of[people.forcers.pop(0)]
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(str(self._home.run / "fleet.sock"))
            door.sendall(json.dumps({"do": "close_by_force", "meter": meter}).encode() + b"\n")
            answered = json.loads(door.makefile().readline())
        if not answered["ok"]:
            raise RuntimeError(f"{meter}: {answered}")
        self._forced.append(meter)

    def _heard(self, meter: str) -> bool:
        lost = self._loses and meter == self._forced[0] and self._struck()
        return lost or bool(self._rows("SELECT FROM protection_alert WHERE meter = %s", [meter]))

    def _pay(self, connection: int, paise: int) -> None:
        """At the bank first; then at the counter's door, under the bank's number, until there is an answer."""
        body = {"consumer": connection, "paise": paise, "channel": "counter"}
        doors = self._instance.endpoints
        with httpx.Client(timeout=10, trust_env=False) as http:
            number = str(http.post(f"{doors['bank']}/collect", json=body).raise_for_status().json()["payment"])
            while not self._over.is_set():
                try:
                    posted = http.post(
                        f"{doors['web']}/api/v1/payments", json=body, headers={"Idempotency-Key": number}
                    )
                except httpx.HTTPError:
                    time.sleep(0.1)
                    continue
                if posted.status_code == 201:
                    at = datetime.now(UTC)
                    with self._lock:
                        clears = paise >= self._due[connection]
                        self._answered.append(Answered(connection, number, paise, at, clears))
                    return
                if posted.status_code < 500:
                    raise RuntimeError(f"{posted.status_code} {posted.text}")
                time.sleep(0.1)

    # -- looking -------------------------------------------------------------------------------------------------

    def _struck(self) -> bool:
        return (self._home.run / "crash_struck").exists()

    def _quiet(self) -> bool:
        if not all(self._heard(meter) for meter in self._forced[-1:]):
            return False
        left = self._rows(_OPEN)
        return bool(left) and left[0]["open"] == 0 and left[0]["unsealed"] == 0 and self._leases() == 0

    def _leases(self) -> int:
        """Leases that are held; no role but the owner sees both rooms'."""
        try:
            with self._instance.entered("owner") as owner:
                return int(owner.execute(_LEASES).fetchall()[0]["leases"])
        except psycopg.OperationalError:
            return 1

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """What the reader sees; nothing while the database is away."""
        try:
            if self._reader is None:
                self._reader = self._instance.entered("reader")
            return self._reader.execute(statement, values).fetchall()
        except psycopg.OperationalError:
            if self._reader is not None:
                self._reader.close()
            self._reader = None
            return []

    def _look(self, asked: Sequence[str]) -> Evidence:
        people, facts = self._people, self._instance.facts
        with self._instance.entered("owner") as owner:

            def table(statement: str) -> list[dict[str, Any]]:
                return owner.execute(statement).fetchall()

            (money,) = table(
                "SELECT (SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'cash') AS cash,"
                " (SELECT count(*) FROM (SELECT FROM ledger_posting GROUP BY transaction HAVING sum(paise) <> 0) AS u)"
                " AS unbalanced, (SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL) AS tasks"
            )
            return Evidence(
                counted=Recount(self._home.logs),
                connection_of=facts["meters"],
                listed=facts["listed"],
                touched=[people.part],
                answered=self._answered,
                forced=self._forced,
                unheard=self._forced[:1] if self._loses else [],
                asked=asked,
                cash_before_paise=facts["cash_paise"],
                cash_paise=money["cash"],
                unbalanced=money["unbalanced"],
                tasks=money["tasks"],
                leases=self._leases(),
                orders=table("SELECT * FROM supply_order ORDER BY id"),
                sendings=table("SELECT * FROM interlock_sending ORDER BY id"),
                payments=table("SELECT * FROM payments_payment WHERE idempotency_key LIKE 'BANK%'"),
                messages=table("SELECT id, kind, tries, receipt, delivery FROM notices_message WHERE channel = 'sms'"),
                alerts=table("SELECT meter, kind FROM protection_alert ORDER BY id"),
                readings=table("SELECT meter FROM readings_reading"),
                entries=table("SELECT * FROM audit_entry ORDER BY id"),
                batches=table("SELECT * FROM audit_batch ORDER BY id"),
                seals=list(_lines(self._home.logs / "audit_seals.jsonl")),
                complaints=self._complaints(),
            )

    def _complaints(self) -> dict[str, int]:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(str(self._home.run / "fleet.sock"))
            door.sendall(b'{"do": "stats"}\n')
            stats = json.loads(door.makefile().readline())
        return {**stats["errors"], **stats["refusals"]}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text().splitlines():
            yield json.loads(line)

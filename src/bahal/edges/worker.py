"""The worker process: what follows from what happened. It confirms, alerts, sends messages, closes drives, seals.

Bells wake it and it polls as well. Each duty is a journey that takes rows by SKIP LOCKED, so any number of workers may
run. Messages go out from a thread of their own, and so does what is asked of the payment gateway: whoever is slow
outside holds up no confirmation. Days of readings are worked through beside them. On SIGTERM it finishes the rows in
hand and ends.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection
from prometheus_client import Counter, Histogram, start_http_server

from bahal.domains.readings.work import anything_in_lake
from bahal.edges import cashbook
from bahal.edges.clock import clock
from bahal.foundation.audit.operations import Horizon, horizon
from bahal.foundation.audit.roots import Tree
from bahal.foundation.bell import Listener
from bahal.gateways.sms.client import HttpSmsGateway
from bahal.gateways.sms.interface import SmsGateway
from bahal.gateways.whatsapp.client import HttpWhatsAppGateway
from bahal.gateways.witness.places import Witness, witness_at
from bahal.journeys.carry_signatures import carry_signatures
from bahal.journeys.close_drives import close_drives
from bahal.journeys.compare_truths import compare_truths
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.deliver_messages import deliver_messages
from bahal.journeys.follow_clocks import follow_clocks
from bahal.journeys.follow_light import follow_light
from bahal.journeys.follow_outages import follow_outages
from bahal.journeys.hear_logs import hear_logs
from bahal.journeys.propose_clocks import propose_clocks
from bahal.journeys.raise_alerts import raise_alerts
from bahal.journeys.restore_by_policy import climb_ladder
from bahal.journeys.restore_drive import work_recalls
from bahal.journeys.root_audit import root_audit
from bahal.journeys.seal_audit import seal_audit
from bahal.journeys.see_again import see_again
from bahal.journeys.take_meter_reads import take_meter_reads
from bahal.journeys.try_next_channel import try_next_channel
from bahal.journeys.wake_meters import wake_meters
from bahal.shared.database import dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home

POLL_S = 0.3
CLOSE_EVERY_S = 1.0
SEAL_EVERY_S = 1.0
ROOT_EVERY_S = 60.0
OUTAGES_EVERY_S = 1.0
LOOKS_EVERY_S = 1.0
LOGS_EVERY_S = 5.0
DAYS_EVERY_S = 15.0
READS_EVERY_S = 10.0
CLOCKS_EVERY_S = 1.0
CHANNELS_EVERY_S = 5.0
LADDER_EVERY_S = 1.0
LIGHT_EVERY_S = 15.0
SWEEP_EVERY_S = 60.0
TRUTHS_EVERY_S = 20.0
TO_SEND = frozenset(("bahal_messages", "bahal_wakeups"))
REST_S = 1.0
"""How long a duty rests after it failed: the others go on."""

_log = structlog.get_logger()
_handled = Counter("bahal_worker_handled_total", "Rows handled.", ["duty"])
_failures = Counter("bahal_worker_failures_total", "Attempts that failed and are repeated.", ["duty", "why"])
_seconds = Histogram("bahal_worker_seconds", "How long one batch took.", ["duty"])


@dataclass(slots=True)
class Duty:
    """Something to do again and again. `act` returns how many rows it handled."""

    name: str
    act: Callable[[], int]
    every_s: float = 0.0
    not_before: float = 0.0

    def attempt(self) -> int:
        """Do one batch, if it is time; a failure is logged and counted, and the duty rests."""
        began = time.monotonic()
        if began < self.not_before:
            return 0
        self.not_before = began + self.every_s
        try:
            done = self.act()
        except Refusal as refusal:
            self._rest(refusal.code)
            _log.warning("duty_refused", duty=self.name, **refusal.as_json())
            return 0
        except (DatabaseError, InterfaceError) as failure:
            # Lost with the database or by a statement; the next attempt begins on a new connection.
            with contextlib.suppress(Exception):
                connection.close()
            self._rest(type(failure).__name__)
            _log.error("duty_failed", duty=self.name, exc_info=failure)
            return 0
        if done:
            _handled.labels(self.name).inc(done)
            _seconds.labels(self.name).observe(time.monotonic() - began)
        return done

    def _rest(self, why: str) -> None:
        _failures.labels(self.name, why).inc()
        self.not_before = time.monotonic() + REST_S


class Sealer:
    """Seals the audit up to what was seen at the last turn, and keeps each seal outside the database."""

    def __init__(self, home: Home) -> None:
        self._path = home.logs / "audit_seals.jsonl"
        self._seen: Horizon | None = None

    def turn(self) -> int:
        """Seal what was seen at the last turn, and look anew; how many entries were sealed."""
        seen, self._seen = self._seen, horizon()
        seal = None if seen is None else seal_audit(seen, at=clock().wall())
        if seal is None:
            return 0
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(seal)) + "\n")
        return seal.entries


class Rooter:
    """Roots what was sealed, in a second place first: `BAHAL_AUDIT_ROOTS`, or a file beside the seals."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._tree = Tree()

    def turn(self) -> int:
        """One root, if anything was sealed since the last."""
        return 0 if root_audit(self._tree, self._witness, at=clock().wall()) is None else 1


def _take_reads() -> int:
    return take_meter_reads(actor="worker", at=clock().wall(), business_at=clock().now()).batches


def _try_next_channel() -> int:
    return try_next_channel(actor="worker", at=clock().wall(), business_at=clock().now())


class Worker:
    """One worker: five threads, each with its own database connection, until it is told to stop."""

    def __init__(self, *, home: Home, dsn: str, gateway: SmsGateway | None, whatsapp: SmsGateway | None = None) -> None:
        at = clock()
        second = os.environ.get("BAHAL_AUDIT_ROOTS") or str(home.logs / "audit_roots.jsonl")
        self._stopping = threading.Event()
        self._messages = threading.Event()
        self._chats = threading.Event()
        self._listener = Listener(dsn, "bahal_results", "bahal_events", "bahal_messages", "bahal_wakeups")
        self._duties = [
            Duty("results", lambda: confirm_relay(at=at.wall(), business_at=at.now())),
            Duty("recalls", lambda: work_recalls(at=at.wall(), business_at=at.now())),
            Duty("events", lambda: raise_alerts(at=at.wall(), business_at=at.now())),
            Duty("logs", lambda: hear_logs(at=at.wall(), business_at=at.now()), every_s=LOGS_EVERY_S),
            Duty("outages", lambda: follow_outages(at=at.wall(), business_at=at.now()), every_s=OUTAGES_EVERY_S),
            Duty("looks", lambda: see_again(at=at.wall(), business_at=at.now()), every_s=LOOKS_EVERY_S),
            Duty("clocks", lambda: follow_clocks(at=at.wall(), business_at=at.now()), every_s=CLOCKS_EVERY_S),
            Duty("truths", lambda: compare_truths(at=at.wall(), business_at=at.now()), every_s=TRUTHS_EVERY_S),
            Duty("sweep", lambda: propose_clocks(at=at.wall(), business_at=at.now()), every_s=SWEEP_EVERY_S),
            Duty("next-channels", _try_next_channel, every_s=CHANNELS_EVERY_S),
            Duty("reads", _take_reads, every_s=READS_EVERY_S),
            Duty("signatures", lambda: carry_signatures(at=at.wall(), business_at=at.now())),
            Duty("drives", lambda: close_drives(at=at.wall(), business_at=at.now()), every_s=CLOSE_EVERY_S),
            Duty("ladder", lambda: climb_ladder(at=at.wall(), business_at=at.now()), every_s=LADDER_EVERY_S),
            Duty("light", lambda: follow_light(at=at.wall(), business_at=at.now()), every_s=LIGHT_EVERY_S),
            Duty("audit", Sealer(home).turn, every_s=SEAL_EVERY_S),
            Duty("roots", Rooter(witness_at(second)).turn, every_s=ROOT_EVERY_S),
        ]
        self._posts = []
        if gateway is not None:
            self._posts = [
                Duty("wake-ups", lambda: wake_meters(gateway)),
                Duty("messages", lambda: deliver_messages(gateway, business_at=at.now())),
            ]
        self._whatsapp = []
        if whatsapp is not None:
            send = lambda: deliver_messages(whatsapp, business_at=at.now(), channel="whatsapp", at=at.wall())  # noqa: E731
            self._whatsapp = [Duty("whatsapp", send)]
        self._days = Duty("days", _work_through_days, every_s=DAYS_EVERY_S)
        self._cashbook = [Duty(name, act, every_s=pause) for name, act, pause in cashbook.duties()]

    def work(self) -> None:
        """Work until `stop`; what is in hand is finished."""
        beside = [
            threading.Thread(target=self._send, args=(self._posts, self._messages), name="messages"),
            threading.Thread(target=self._send, args=(self._whatsapp, self._chats), name="whatsapp"),
            threading.Thread(target=self._keep_cashbook, name="cashbook"),
            threading.Thread(target=self._keep_days, name="days"),
        ]
        for each in beside:
            each.start()
        try:
            while not self._stopping.is_set():
                done = [duty.attempt() for duty in self._duties]
                if any(done) or not TO_SEND.isdisjoint(self._listener.wait(POLL_S)):
                    self._wake()
        finally:
            self._stopping.set()
            self._wake()
            for each in beside:
                each.join()
            self._listener.close()
            connection.close()

    def stop(self) -> None:
        """Finish what is in hand, then end."""
        self._stopping.set()
        self._wake()

    def _wake(self) -> None:
        for each in (self._messages, self._chats):
            each.set()

    def _send(self, posts: list[Duty], rung: threading.Event) -> None:
        try:
            while posts and not self._stopping.is_set():
                if not sum(post.attempt() for post in posts):
                    rung.wait(POLL_S)
                    rung.clear()
        finally:
            connection.close()

    def _keep_cashbook(self) -> None:
        try:
            while not self._stopping.is_set():
                if not sum([duty.attempt() for duty in self._cashbook]):
                    self._stopping.wait(cashbook.POLL_S)
        finally:
            connection.close()

    def _keep_days(self) -> None:
        try:
            while not self._stopping.is_set():
                # A day took long enough: the next piece follows at once.
                if self._days.attempt():
                    self._days.not_before = 0.0
                else:
                    self._stopping.wait(POLL_S)
        finally:
            connection.close()


def _work_through_days() -> int:
    """The next piece of work on a day's readings; the lake's libraries are loaded by the first that there is."""
    if not anything_in_lake():
        return 0
    from bahal.journeys.work_through_days import work_through_days
    from bahal.lake.layout import lake_uri, open_lake

    at = clock()
    return work_through_days(lake=open_lake(lake_uri(Home.of().path)), at=at.wall(), business_at=at.now())


def _whatsapp(home: Home) -> SmsGateway | None:
    url, kept = os.environ.get("BAHAL_WHATSAPP_URL"), home.secret("whatsapp")
    if not url or kept is None:
        return None
    return HttpWhatsAppGateway(url, phone_number_id=kept["phone_number_id"], token=kept["token"])


def run(*, metrics_port: int) -> None:
    """Run a worker until SIGTERM. The SMS centre is at `BAHAL_SMS_URL`, the WhatsApp platform at `BAHAL_WHATSAPP_URL`
    with the secret `whatsapp`; without them messages wait. The payment gateway is at `BAHAL_BANK_URL`; without it
    nobody pays online.

    :raises DatabaseUnknown: nothing says where the database is.
    :raises RoleUnknown: the role `app` has no password here.
    """
    url = os.environ.get("BAHAL_SMS_URL")
    worker = Worker(
        home=Home.of(), dsn=dsn_of("app"), gateway=HttpSmsGateway(url) if url else None, whatsapp=_whatsapp(Home.of())
    )
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: worker.stop())
    server, _ = start_http_server(metrics_port, addr="127.0.0.1")
    ready: dict[str, Any] = {"ready": True, "metrics": server.server_port}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    if url is None:
        _log.warning("no_sms_centre", hint="BAHAL_SMS_URL")
    worker.work()

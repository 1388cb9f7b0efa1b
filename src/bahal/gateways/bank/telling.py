"""How the gateway's stand-in tells of payments: signed webhooks that come late, often, out of order, or not at all.

Each request may say how its own payment is told; else `POST /behave` says it for all, by a seed:
{"seed", "late", "twice", "storm", "reordered", "dropped"}, each a share of payments between 0 and 1. A payment's fate
follows from the seed and its id, so that a run repeats itself. A webhook that is not answered by 2xx is sent again with
the same event id, until it was tried `MOST_TRIES` times.
"""

import hashlib
import heapq
import itertools
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import structlog

from bahal.gateways.bank.webhooks import EVENT_HEADER, SIGNATURE_HEADER, signature_of
from bahal.shared.clock import Clock

STORM = 50
SENDERS = 16
LATE_S = 3.0
RETRY_S = 0.5
MOST_TRIES = 20

SHARES = ("late", "twice", "storm", "reordered", "dropped")


class Teller:
    """Sends webhooks as they fall due."""

    def __init__(self, *, callback: str, secret: str, clock: Clock) -> None:
        self._callback = callback
        self._secret = secret
        self._clock = clock
        self._shares: dict[str, float] = dict.fromkeys(SHARES, 0.0)
        self._seed = 0
        self._queue: list[tuple[float, int, str, bytes, int]] = []
        self._numbers = itertools.count()
        self._due = threading.Condition()
        self._sent = self._answered = self._dropped = 0
        self._client = httpx.Client(timeout=5, trust_env=False, limits=httpx.Limits(max_connections=SENDERS))
        self._senders = ThreadPoolExecutor(SENDERS)
        self._log = structlog.get_logger()
        if callback:
            threading.Thread(target=self._send_forever, daemon=True).start()

    def behave(self, asked: Any) -> tuple[HTTPStatus, Any]:
        """Set how payments are told from now on."""
        shares = {name: float(asked.get(name, 0.0)) for name in SHARES}
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError("a share is between 0 and 1")
        self._shares, self._seed = shares, int(asked.get("seed", 0))
        return HTTPStatus.OK, {"seed": self._seed, **shares}

    def told(self, _path: str, _query: Mapping[str, str]) -> tuple[HTTPStatus, Any]:
        """How many webhooks were sent, answered by 2xx, and dropped."""
        with self._due:
            counts = {"sent": self._sent, "answered": self._answered, "dropped": self._dropped}
            return HTTPStatus.OK, {**counts, "waiting": len(self._queue)}

    def tell(self, payment: Mapping[str, Any], kinds: Sequence[str], wish: Mapping[str, Any]) -> None:
        """Queue a payment's events, in the manner wished for or else as its fate is."""
        manner = self._fate(payment["id"]) | dict(wish)
        events = [self._event(payment, kind) for kind in kinds]
        with self._due:
            if manner.get("drop"):
                self._dropped += len(events)
                return
            if manner.get("reversed"):
                events.reverse()
            at = time.monotonic() + float(manner.get("delay_s", 0.0))
            for nth, (name, body) in enumerate(events):
                for _ in range(int(manner.get("copies", 1))):
                    heapq.heappush(self._queue, (at + nth * 1e-3, next(self._numbers), name, body, 0))
            self._due.notify()

    def _fate(self, payment: str) -> dict[str, Any]:
        chance = random.Random(f"{self._seed}-{payment}")  # noqa: S311  # a rehearsed fate, not a secret
        falls = {name: chance.random() < self._shares[name] for name in SHARES}
        return {
            "drop": falls["dropped"],
            "reversed": falls["reordered"],
            "delay_s": LATE_S if falls["late"] else 0.0,
            "copies": STORM if falls["storm"] else 2 if falls["twice"] else 1,
        }

    def _event(self, payment: Mapping[str, Any], kind: str) -> tuple[str, bytes]:
        name = hashlib.sha256(f"{payment['id']} {kind}".encode()).hexdigest()[:20]
        told = {
            "entity": "event",
            "event": kind,
            "contains": ["payment"],
            "payload": {"payment": {"entity": dict(payment)}},
            "created_at": int(self._clock.wall().timestamp()),
        }
        return name, json.dumps(told).encode()

    def _send_forever(self) -> None:
        while True:
            with self._due:
                while not self._queue or self._queue[0][0] > time.monotonic():
                    self._due.wait(self._queue[0][0] - time.monotonic() if self._queue else None)
                _, _, name, body, tries = heapq.heappop(self._queue)
                self._sent += 1
            self._senders.submit(self._send, name, body, tries)

    def _send(self, name: str, body: bytes, tries: int) -> None:
        headers = {
            "Content-Type": "application/json",
            EVENT_HEADER: name,
            SIGNATURE_HEADER: signature_of(self._secret, body),
        }
        try:
            taken = self._client.post(self._callback, content=body, headers=headers).is_success
        except httpx.HTTPError:
            taken = False
        with self._due:
            if taken:
                self._answered += 1
            elif tries + 1 < MOST_TRIES:
                again = time.monotonic() + RETRY_S * (tries + 1)
                heapq.heappush(self._queue, (again, next(self._numbers), name, body, tries + 1))
                self._due.notify()
            else:
                self._log.warning("webhook_given_up", event_id=name)

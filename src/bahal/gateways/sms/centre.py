"""The SMS centre's stand-in: takes messages, logs each once, and reports delivery later by a signed callback.

POST /messages with [{"reference", "to", "template", "text"}] is answered by [{"reference", "receipt"}] or, for what is
no message, {"reference", "error"}. The same reference gets the same receipt for ever and is logged once; what was taken
is read back from the log when the centre starts again. Delivery reports go to the callback in batches, each
body signed by HMAC-SHA256, until the receiver answers 2xx. A wake-up goes to the SIM of a simulated meter, by the
fleet's admin door, is logged in a file of its own, and is not reported. Which telephone takes nothing, is off, keeps
silent or answers late is `handsets`.
"""

import hashlib
import json
import queue
import socket
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import structlog

from bahal.gateways.handsets import Handsets
from bahal.gateways.sms.interface import WAKE_UP
from bahal.gateways.sms.reports import SIGNATURE_HEADER, TIME_HEADER, signature_of
from bahal.gateways.standing_in import Log, serve
from bahal.shared.clock import clock_of
from bahal.shared.home import Home

REPORT_AFTER_S = 0.2
REPORT_BATCH = 500
REPORT_RETRY_S = 1.0
WAKE_AFTER_S = 0.05
DOOR_S = 5.0
LONGEST_TEXT = 1000


class Centre:
    """The messages taken so far, and the reports still owed."""

    def __init__(self, log: Log, wakeups: Log, handsets: Handsets) -> None:
        self._log = log
        self._handsets = handsets
        self._wakeups = wakeups
        self._receipts: dict[str, str] = {}
        self._lock = threading.Lock()
        self.waking: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.owed: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for entry in log.read():
            # Reported again after a restart: a report that is known already changes nothing.
            self._receipts[entry["reference"]] = entry["receipt"]
            self._owe(entry["to"], entry["reference"], entry["receipt"])
        for entry in wakeups.read():
            self._receipts[entry["reference"]] = entry["receipt"]

    def take(self, messages: Any) -> tuple[HTTPStatus, Any]:
        """Take a batch; an answer for each message, in order."""
        if not isinstance(messages, list):
            raise TypeError("a list of messages is wanted")
        answers = []
        new = []
        with self._lock:
            for each in messages:
                reference = str(each["reference"])
                receipt = self._receipts.get(reference)
                if receipt is None and not _is_message(each):
                    answers.append({"reference": reference, "error": "message_malformed"})
                    continue
                if receipt is None and self._handsets.fate(each["to"], "sms").refused:
                    code = self._handsets.fate(each["to"], "sms").code
                    answers.append({"reference": reference, "error": code or "refused"})
                    continue
                if receipt is None:
                    receipt = self._receipts[reference] = _receipt(reference)
                    new.append({**each, "reference": reference, "receipt": receipt})
                answers.append({"reference": reference, "receipt": receipt})
            for log, to_meters in ((self._log, False), (self._wakeups, True)):
                log.write(
                    *(
                        {name: each[name] for name in ("to", "template", "text", "receipt", "reference")}
                        for each in new
                        if (each["template"] == WAKE_UP) is to_meters
                    )
                )
        for each in new:
            if each["template"] == WAKE_UP:
                self.waking.put(each["to"])
            else:
                self._owe(each["to"], each["reference"], each["receipt"])
        return HTTPStatus.OK, answers

    def _owe(self, to: str, reference: str, receipt: str) -> None:
        fate = self._handsets.fate(to, "sms")
        if not fate.reported:
            return
        owed = {"reference": reference, "receipt": receipt, "status": fate.status, "code": fate.code}
        if not fate.after_s:
            self.owed.put({**owed, "taken": time.monotonic()})
            return
        later = threading.Timer(fate.after_s, lambda: self.owed.put({**owed, "taken": time.monotonic()}))
        later.daemon = True
        later.start()


def report_forever(centre: Centre, *, callback: str, key: bytes) -> None:
    """Send delivery reports as they fall due; the next batch only after the last was taken."""
    log = structlog.get_logger()
    clock = clock_of()
    with httpx.Client(timeout=10, trust_env=False) as client:
        while True:
            batch = [centre.owed.get()]
            time.sleep(max(0.0, batch[0]["taken"] + REPORT_AFTER_S - time.monotonic()))
            while len(batch) < REPORT_BATCH and not centre.owed.empty():
                batch.append(centre.owed.get())
            at = clock.wall().isoformat(timespec="microseconds")
            reports = [
                {name: each[name] for name in ("reference", "receipt", "status", "code")} | {"at": at} for each in batch
            ]
            body = json.dumps(reports).encode()
            while not _posted(client, callback, body, key):
                log.warning("report_not_taken", reports=len(batch))
                time.sleep(REPORT_RETRY_S)


def wake_forever(centre: Centre, *, fleet: Path) -> None:
    """Bring wake-ups to the fleet of simulated meters at this admin door; one that is not there hears none."""
    log = structlog.get_logger()
    while True:
        msisdn = centre.waking.get()
        time.sleep(WAKE_AFTER_S)
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(DOOR_S)
                door.connect(str(fleet))
                door.sendall(json.dumps({"do": "wake", "msisdn": msisdn}).encode() + b"\n")
                door.recv(4096)
        except OSError as failure:
            log.warning("wake_up_lost", why=str(failure))


def run(*, port: int, log: Path, callback: str) -> None:
    """Stand in for an SMS centre until SIGTERM. The callback's key is the instance's secret `sms`.

    :raises OSError: the port is taken, or the log cannot be written.
    """
    handsets = Handsets(Home.of().run / "handsets.json")
    centre = Centre(Log(log, clock_of()), Log(log.with_name("wakeups.jsonl"), clock_of()), handsets)
    key = bytes.fromhex((Home.of().secret("sms") or {"hmac": ""})["hmac"])
    threading.Thread(
        target=report_forever, args=(centre,), kwargs={"callback": callback, "key": key}, daemon=True
    ).start()
    threading.Thread(
        target=wake_forever, args=(centre,), kwargs={"fleet": Home.of().run / "fleet.sock"}, daemon=True
    ).start()
    serve(port=port, posts={"/messages": centre.take}, name="sms")


def _posted(client: httpx.Client, callback: str, body: bytes, key: bytes) -> bool:
    stamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        TIME_HEADER: stamp,
        SIGNATURE_HEADER: signature_of(key, stamp=stamp, body=body),
    }
    try:
        return client.post(callback, content=body, headers=headers).is_success
    except httpx.HTTPError:
        return False


def _is_message(given: Any) -> bool:
    return all(isinstance(given.get(name), str) and given[name] for name in ("to", "template", "text")) and (
        len(given["text"]) <= LONGEST_TEXT
    )


def _receipt(reference: str) -> str:
    return f"SC{hashlib.sha256(reference.encode()).hexdigest()[:16].upper()}"

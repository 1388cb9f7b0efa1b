"""The SMS centre's stand-in: each reference once, for ever; reports signed, repeated until they are taken."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bahal.gateways.sms.client import HttpSmsGateway
from bahal.gateways.sms.interface import Outgoing, SmsCentreUnreachable
from bahal.gateways.sms.reports import (
    SIGNATURE_HEADER,
    TIME_HEADER,
    ReportMalformed,
    ReportUnsigned,
    read_reports,
    signature_of,
)
from bahal.shared.home import Home
from tests.gateways.stand_in import running

KEY = bytes(range(32))


class Receiver:
    """Takes reports as the web process does; refuses the first ones if it is told to."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.taken: list[Any] = []
        self.arrived = threading.Semaphore(0)
        self.refuse = refuse

    @contextmanager
    def listening(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.refuse -= 1
                if receiver.refuse < 0:
                    receiver.taken += read_reports(
                        key=KEY,
                        stamp=self.headers[TIME_HEADER],
                        signature=self.headers[SIGNATURE_HEADER],
                        body=body,
                        now=datetime.now(UTC),
                    )
                self.send_response(200 if receiver.refuse < 0 else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.arrived.release()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/webhooks/sms"
            finally:
                server.shutdown()
                thread.join()


def home_with_key(tmp_path: Path) -> Path:
    home = Home(tmp_path)
    home.make()
    home.keep_secret("sms", {"hmac": KEY.hex()})
    return tmp_path


def message(reference: str, text: str = "क्र. 1: आपकी बिजली बहाल") -> Outgoing:
    return Outgoing(reference, "+910000000001", "BAHAL-RES-HI-1", text)


def test_a_reference_is_sent_once_also_after_a_restart(tmp_path: Path) -> None:
    home = home_with_key(tmp_path)
    receiver = Receiver()
    with receiver.listening() as callback:
        with running("sms", callback, home=home) as centre:
            gateway = HttpSmsGateway(centre.url)
            first = gateway.send([message("1"), message("2"), message("1")])
            assert first[0].receipt == first[2].receipt != first[1].receipt
            assert gateway.send([message("2")])[0].receipt == first[1].receipt
            gateway.close()
            logged = centre.lines()
        assert [(each["to"], each["template"], each["receipt"]) for each in logged] == [
            ("+910000000001", "BAHAL-RES-HI-1", first[0].receipt),
            ("+910000000001", "BAHAL-RES-HI-1", first[1].receipt),
        ]
        assert logged[0]["text"] == message("1").text
        assert {"at", "business_at"} <= logged[0].keys()
        with running("sms", callback, home=home) as centre:
            gateway = HttpSmsGateway(centre.url)
            assert gateway.send([message("1"), message("3")])[0].receipt == first[0].receipt
            gateway.close()
            assert len(centre.lines()) == 3


def test_reports_come_signed_and_again_until_they_are_taken(tmp_path: Path) -> None:
    receiver = Receiver(refuse=1)
    with receiver.listening() as callback, running("sms", callback, home=home_with_key(tmp_path)) as centre:
        gateway = HttpSmsGateway(centre.url)
        answers = gateway.send([message(str(nth)) for nth in range(5)])
        gateway.close()
        while len(receiver.taken) < 5:
            assert receiver.arrived.acquire(timeout=60)
    assert [(each.reference, each.receipt, each.delivered) for each in receiver.taken] == [
        (answer.reference, answer.receipt, True) for answer in answers
    ]


def test_what_is_no_message_is_refused_by_itself(tmp_path: Path) -> None:
    receiver = Receiver()
    with receiver.listening() as callback, running("sms", callback, home=home_with_key(tmp_path)) as centre:
        gateway = HttpSmsGateway(centre.url)
        answers = gateway.send([message("1"), message("2", text=""), message("3", text="x" * 1001)])
        assert [(each.reference, each.error) for each in answers] == [
            ("1", None),
            ("2", "message_malformed"),
            ("3", "message_malformed"),
        ]
        gateway.close()
        with httpx.Client(base_url=centre.url) as client:
            for body in ({}, [1], [{}]):
                assert client.post("/messages", json=body).status_code == 400
        assert len(centre.lines()) == 1


def test_a_centre_that_is_not_there_or_talks_nonsense_is_named() -> None:
    gateway = HttpSmsGateway("http://127.0.0.1:1")
    with pytest.raises(SmsCentreUnreachable):
        gateway.send([message("1")])
    gateway.close()
    with Receiver().listening() as callback:  # answers, but not as a centre does
        gateway = HttpSmsGateway(callback)
        with pytest.raises(SmsCentreUnreachable):
            gateway.send([message("1")])
        gateway.close()


def test_a_reports_signature_covers_time_and_body() -> None:
    now = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
    stamp = str(int(now.timestamp()))
    at = now.isoformat()
    body = json.dumps([{"reference": "1", "receipt": "R", "status": "failed", "at": at}]).encode()
    good = {
        "key": KEY,
        "stamp": stamp,
        "signature": signature_of(KEY, stamp=stamp, body=body),
        "body": body,
        "now": now,
    }
    assert [tuple(each) for each in read_reports(**good)] == [("1", "R", False, now, "", False)]  # type: ignore[arg-type]
    later = str(int(stamp) + 1)
    for wrong in (
        {"stamp": later},
        {"body": body + b" "},
        {"key": b""},
        {"signature": ""},
        {"now": now + timedelta(minutes=5, seconds=1)},
        {"stamp": "x", "signature": signature_of(KEY, stamp="x", body=body)},
    ):
        with pytest.raises(ReportUnsigned):
            read_reports(**{**good, **wrong})  # type: ignore[arg-type]
    nonsense = b"[1]"
    with pytest.raises(ReportMalformed):
        read_reports(
            key=KEY, stamp=stamp, signature=signature_of(KEY, stamp=stamp, body=nonsense), body=nonsense, now=now
        )

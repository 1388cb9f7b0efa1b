"""WhatsApp's stand-in speaks the platform's protocol: it takes, refuses, fails, keeps silent and tells late."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bahal.gateways.handsets import Fate, Handsets
from bahal.gateways.sms.client import HttpSmsGateway
from bahal.gateways.sms.interface import Outgoing, SmsCentreUnreachable
from bahal.gateways.sms.reports import ReportMalformed, ReportUnsigned, read_reports
from bahal.gateways.whatsapp.client import VERSION, HttpWhatsAppGateway, body_of
from bahal.gateways.whatsapp.statuses import SIGNATURE_HEADER, read_statuses, signature_of
from bahal.shared.home import Home
from tests.gateways.stand_in import running

SECRET = {"token": "t", "app_secret": "s", "phone_number_id": "77", "verify_token": "v"}
SMS_KEY = bytes(range(32))


class Receiver:
    """Takes callbacks as the web process does; refuses the first ones if it is told to."""

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
                    receiver.taken += receiver.read(self.headers, body)
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
                yield f"http://127.0.0.1:{server.server_address[1]}/webhooks"
            finally:
                server.shutdown()
                thread.join()

    def read(self, headers: Any, body: bytes) -> list[Any]:
        return read_statuses(secret="s", signature=headers[SIGNATURE_HEADER], body=body)

    def wait(self, count: int) -> list[Any]:
        while len(self.taken) < count:
            assert self.arrived.acquire(timeout=60)
        return sorted(self.taken)


class SmsReceiver(Receiver):
    def read(self, headers: Any, body: bytes) -> list[Any]:
        from datetime import UTC, datetime

        from bahal.gateways.sms.reports import SIGNATURE_HEADER as SMS_SIGNATURE
        from bahal.gateways.sms.reports import TIME_HEADER

        return read_reports(
            key=SMS_KEY, stamp=headers[TIME_HEADER], signature=headers[SMS_SIGNATURE], body=body,
            now=datetime.now(UTC),
        )  # fmt: skip


def home_with(tmp_path: Path, fates: dict[str, dict[str, str]]) -> Path:
    home = Home(tmp_path)
    home.make()
    home.keep_secret("whatsapp", SECRET)
    home.keep_secret("sms", {"hmac": SMS_KEY.hex()})
    (home.run / "handsets.json").write_text(json.dumps(fates))
    return tmp_path


def message(reference: str, to: str, *variables: str) -> Outgoing:
    return Outgoing(reference, to, "bahal_reminder_1", "...", "hi", variables or ("2200000001", "₹6,000.00"))


FATES = {
    "+912": {"whatsapp": "failed:131026", "sms": "failed:absent"},
    "+913": {"whatsapp": "silent", "sms": "silent"},
    "+914": {"whatsapp": "late:0.5", "sms": "late:0.5"},
    "+915": {"whatsapp": "refused:131009", "sms": "refused:barred"},
    "+916": {"sms": "expired:validity"},
}


def test_messages_are_taken_and_told_of_as_their_telephones_are(tmp_path: Path) -> None:
    receiver = Receiver(refuse=1)
    with receiver.listening() as callback, running("whatsapp", callback, home=home_with(tmp_path, FATES)) as platform:
        gateway = HttpWhatsAppGateway(platform.url, phone_number_id="77", token="t")
        answers = gateway.send([message(str(nth), f"+91{nth}") for nth in range(1, 6)])
        told = receiver.wait(3)
        gateway.close()
        logged = platform.lines()
    assert [(each.reference, each.error) for each in answers if each.receipt is None] == [("5", "131009")]
    receipts = {each.reference: each.receipt for each in answers}
    assert [(each.reference, each.delivered, each.code) for each in told] == [
        ("1", True, ""), ("2", False, "131026"), ("4", True, ""),
    ]  # fmt: skip
    assert all(each.receipt == receipts[each.reference] for each in told)
    assert receiver.taken[-1].reference == "4"  # late
    assert sorted(each["to"] for each in logged) == ["+911", "+912", "+913", "+914"]
    assert logged[0]["parameters"] == ["2200000001", "₹6,000.00"]
    assert {"at", "business_at", "template", "language", "receipt", "reference"} <= logged[0].keys()


def test_what_is_no_message_is_refused_by_the_platforms_code(tmp_path: Path) -> None:
    with running("whatsapp", "http://127.0.0.1:1/", home=home_with(tmp_path, {})) as platform:
        gateway = HttpWhatsAppGateway(platform.url, phone_number_id="77", token="t")
        bad = [
            Outgoing("1", "+911", "No Such Name", "", "hi", ("x",)),
            message("2", "+911", "two\nlines"),
            message("3", "+911", ""),
        ]
        assert [(each.receipt, each.error) for each in gateway.send(bad)] == [
            (None, "132001"), (None, "132000"), (None, "132000"),
        ]  # fmt: skip
        gateway.close()
        for stranger in (
            HttpWhatsAppGateway(platform.url, phone_number_id="77", token="other"),
            HttpWhatsAppGateway("http://127.0.0.1:1", phone_number_id="77", token="t"),
        ):
            with pytest.raises(SmsCentreUnreachable):  # our key, or the line: the message waits
                stranger.send([message("4", "+911")])
            stranger.close()
        path = f"{platform.url}/{VERSION}/77/messages"
        for body in ({}, [1], {**body_of(message("5", "+911")), "template": {}}):
            assert httpx.post(path, json=body, headers={"Authorization": "Bearer t"}).status_code == 400
        assert platform.lines() == []


def test_only_what_the_platform_signed_is_read() -> None:
    status = {"id": "wamid.1", "status": "read", "timestamp": "1763700000", "biz_opaque_callback_data": "7"}
    body = json.dumps({"entry": [{"changes": [{"value": {"statuses": [status, {**status, "status": "sent"}]}}]}]})
    (told,) = read_statuses(secret="s", signature=signature_of("s", body=body.encode()), body=body.encode())
    assert (told.reference, told.receipt, told.delivered) == ("7", "wamid.1", True)
    for secret, signature in (
        ("", signature_of("", body=b"")),
        ("s", ""),
        ("s", signature_of("x", body=body.encode())),
    ):
        with pytest.raises(ReportUnsigned):
            read_statuses(secret=secret, signature=signature, body=body.encode())
    for wrong in (b"{", b"{}", b'{"entry": [1]}', body.replace("1763700000", "9" * 40).encode()):
        with pytest.raises(ReportMalformed):
            read_statuses(secret="s", signature=signature_of("s", body=wrong), body=wrong)


def test_the_sms_centre_fails_keeps_silent_and_is_late_as_its_telephones_are(tmp_path: Path) -> None:
    receiver = SmsReceiver()
    with receiver.listening() as callback, running("sms", callback, home=home_with(tmp_path, FATES)) as centre:
        gateway = HttpSmsGateway(centre.url)
        answers = gateway.send([message(str(nth), f"+91{nth}") for nth in range(1, 7)])
        told = receiver.wait(4)
        gateway.close()
    assert [(each.reference, each.error) for each in answers if each.receipt is None] == [("5", "barred")]
    assert [(each.reference, each.delivered, each.expired, each.code) for each in told] == [
        ("1", True, False, ""), ("2", False, False, "absent"), ("4", True, False, ""), ("6", False, True, "validity"),
    ]  # fmt: skip
    assert receiver.taken[-1].reference == "4"


def test_handsets_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "handsets.json"
    handsets = Handsets(path)
    assert handsets.fate("1", "sms") == Fate()
    path.write_text(json.dumps({"1": {"sms": "silent"}}))
    assert not handsets.fate("1", "sms").reported
    assert handsets.fate("1", "whatsapp").reported
    path.unlink()
    assert handsets.fate("1", "sms").reported

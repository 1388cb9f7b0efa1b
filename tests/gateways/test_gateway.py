"""The gateway's stand-in over HTTP: signed webhooks in every manner, our client, settlement files with errors."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bahal.gateways.bank import settlement
from bahal.gateways.bank.gateway import HttpGateway
from bahal.gateways.bank.interface import BankUnreachable
from bahal.gateways.bank.settlement import Line, SettlementMalformed, read_settlement, text_of, write_settlement
from bahal.gateways.bank.telling import STORM
from bahal.gateways.bank.webhooks import (
    EVENT_HEADER,
    SIGNATURE_HEADER,
    WebhookMalformed,
    WebhookUnsigned,
    read_event,
    signature_of,
)
from bahal.shared.home import Home
from tests.gateways.stand_in import StandIn, running

SECRET = "webhook-secret"
KEYS = {"key_id": "id", "key_secret": "secret", "webhook_secret": SECRET}


class Receiver:
    """Takes webhooks as the web process does: reads each, keeps its id and kind."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.refuse = refuse
        self.heard: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()

    @contextmanager
    def listening(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = read_event(
                    secret=SECRET,
                    signature=self.headers[SIGNATURE_HEADER],
                    event=self.headers[EVENT_HEADER],
                    body=body,
                    now=datetime.now(UTC),
                )
                assert event is not None
                with receiver._lock:
                    receiver.refuse -= 1
                    if receiver.refuse < 0:
                        receiver.heard.append((event.id, event.kind, event.payment))
                    status = 200 if receiver.refuse < 0 else 503
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/webhooks/bank"
            finally:
                server.shutdown()
                thread.join()

    def wait(self, count: int) -> list[tuple[str, str, str]]:
        until = time.monotonic() + 20
        while len(self.heard) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.heard


@contextmanager
def bank(tmp_path: Path, callback: str = "") -> Iterator[tuple[StandIn, HttpGateway, httpx.Client]]:
    home = Home(tmp_path)
    home.make()
    home.keep_secret("bank", KEYS)
    arguments = (callback,) if callback else ()
    with running("bank", *arguments, home=tmp_path) as stand_in, httpx.Client(base_url=stand_in.url) as payer:
        gateway = HttpGateway(stand_in.url, key_id="id", key_secret="secret")
        yield stand_in, gateway, payer
        gateway.close()


def pay(payer: httpx.Client, **asked: Any) -> str:
    answered = payer.post("/payer/pay", json=asked)
    answered.raise_for_status()
    return str(answered.json()["payment"])


def test_an_order_is_paid_once_and_remembered(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    with bank(tmp_path) as (stand_in, gateway, payer):
        order = gateway.open_order(reference="BHL1", paise=512_350, consumer=2_200_000_001)
        failed = pay(payer, order=order, outcome="failed", method="card")
        paid = pay(payer, tr="BHL1")
        assert payer.post("/payer/pay", json={"order": order}).status_code == 409
        assert payer.post("/payer/pay", json={"order": "order_none"}).status_code == 409
        found = gateway.payment(paid)
        assert found is not None
        assert found[:6] == (paid, order, "BHL1", 512_350, "captured", "upi")
        assert gateway.payment("pay_none") is None
        logged = [(each["event"], each["payment"], each["consumer"], each["paise"]) for each in stand_in.lines()]
        assert logged == [
            ("ordered", order, 2_200_000_001, 512_350),
            ("failed", failed, 2_200_000_001, 512_350),
            ("captured", paid, 2_200_000_001, 512_350),
        ]
    with bank(tmp_path) as (_, gateway, payer):
        assert payer.post("/payer/pay", json={"order": order}).status_code == 409
        again = pay(payer, order=gateway.open_order(reference="BHL2", paise=100, consumer=1))
        assert again not in (failed, paid)
        listed = gateway.payments(since=began, until=datetime.now(UTC) + timedelta(seconds=2))
        assert {each.id: each.status for each in listed} == {failed: "failed", paid: "captured", again: "captured"}
        assert gateway.payments(since=began - timedelta(days=1), until=began) == []


def test_the_gateways_door_wants_its_key(tmp_path: Path) -> None:
    with bank(tmp_path) as (stand_in, _, payer):
        assert payer.get("/v1/payments").status_code == 401
        assert payer.post("/v1/orders", json={}).status_code == 401
        wrong = HttpGateway(stand_in.url, key_id="id", key_secret="other")
        with pytest.raises(BankUnreachable):
            wrong.open_order(reference="x", paise=100, consumer=1)
        wrong.close()
        assert payer.post("/v1/orders", json={"amount": 1}, auth=("id", "secret")).status_code == 400
        for body in ({"paise": -5}, {"paise": "1"}, {}):
            assert payer.post("/payer/transfer", json=body).status_code == 400
        assert stand_in.lines() == []


def test_more_than_a_page_of_payments_is_listed_whole(tmp_path: Path) -> None:
    with bank(tmp_path) as (_, gateway, payer):
        began = datetime.now(UTC) - timedelta(seconds=2)
        for nth in range(205):
            payer.post("/payer/transfer", json={"paise": 100 + nth}).raise_for_status()
        listed = gateway.payments(since=began, until=datetime.now(UTC) + timedelta(seconds=2))
        assert sorted(each.paise for each in listed) == list(range(100, 305))
        assert len({each.id for each in listed}) == 205


KINDS = ["payment.authorized", "payment.captured", "order.paid"]


@pytest.mark.parametrize(
    ("manner", "kinds"),
    [
        ({}, KINDS),
        ({"reversed": True}, KINDS[::-1]),
        ({"copies": 2}, KINDS),
        ({"delay_s": 0.5}, KINDS),
    ],
)
def test_webhooks_come_in_the_manner_wished_for(tmp_path: Path, manner: dict[str, Any], kinds: list[str]) -> None:
    receiver = Receiver()
    with receiver.listening() as callback, bank(tmp_path, callback) as (_, gateway, payer):
        began = time.monotonic()
        payment = pay(payer, order=gateway.open_order(reference="r", paise=100, consumer=1), webhook=manner)
        heard = receiver.wait(3 * manner.get("copies", 1))
    assert {each[2] for each in heard} == {payment}
    assert Counter(each[1] for each in heard) == dict.fromkeys(kinds, manner.get("copies", 1))
    assert len({each[0] for each in heard}) == 3  # copies carry the same event id
    assert time.monotonic() - began >= manner.get("delay_s", 0)


def test_a_storm_a_drop_and_a_receiver_that_refuses(tmp_path: Path) -> None:
    receiver = Receiver(refuse=4)
    with receiver.listening() as callback, bank(tmp_path, callback) as (_, gateway, payer):

        def order() -> str:
            return gateway.open_order(reference="r", paise=100, consumer=1)

        dropped = pay(payer, order=order(), webhook={"drop": True})
        stormed = pay(payer, order=order(), webhook={"copies": STORM})
        heard = receiver.wait(3 * STORM)
        told = payer.get("/told").json()
    assert Counter(each[2] for each in heard) == {stormed: 3 * STORM}
    assert dropped not in {each[2] for each in heard}
    assert (told["dropped"], told["answered"], told["waiting"]) == (3, 3 * STORM, 0)
    assert told["sent"] == 3 * STORM + 4


def test_by_its_seed_a_run_repeats_itself(tmp_path: Path) -> None:
    fates = []
    for folder in ("a", "b"):
        receiver = Receiver()
        with receiver.listening() as callback, bank(tmp_path / folder, callback) as (_, gateway, payer):
            payer.post("/behave", json={"seed": 7, "twice": 0.5, "dropped": 0.3}).raise_for_status()
            assert payer.post("/behave", json={"twice": 2}).status_code == 400
            for nth in range(20):
                pay(payer, order=gateway.open_order(reference=f"r{nth}", paise=100, consumer=1))
            until = time.monotonic() + 20
            while payer.get("/told").json()["waiting"] and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.3)  # what is in the senders' hands
            fates.append(Counter(each[2] for each in receiver.heard))
    assert fates[0] == fates[1]
    assert set(fates[0].values()) == {3, 6}
    assert 0 < len(fates[0]) < 20


def test_settlement_files_have_the_errors_asked_for(tmp_path: Path) -> None:
    with bank(tmp_path) as (_, gateway, payer):
        ids = [
            pay(payer, order=gateway.open_order(reference=f"r{nth}", paise=1_000 + nth, consumer=1)) for nth in range(5)
        ]
        pay(payer, order=gateway.open_order(reference="f", paise=9_000, consumer=1), outcome="failed")

        def lines(**errors: int) -> list[tuple[str, int]]:
            text = payer.get("/settlements.csv", params=errors).text
            return [(each.payment, each.paise) for each in read_settlement(text)]

        whole = [(payment, 1_000 + nth) for nth, payment in enumerate(ids)]
        assert lines() == whole
        assert lines(off_by_one=1, missing=1, double=1) == [(ids[0], 999), whole[2], whole[2], whole[3], whole[4]]
        assert lines(**{"from": int(time.time()) + 60}) == []


def test_a_settlement_line_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line(2, "pay_1", 12_345_678_05, "UTR1", datetime(2025, 11, 24, tzinfo=UTC))]
    assert read_settlement(write_settlement(lines)) == lines
    file = tmp_path / "bank.csv"
    file.write_text("\ufeff" + write_settlement(lines), "utf-8")  # as a spreadsheet saves it
    assert read_settlement(text_of(file)) == lines
    monkeypatch.setattr(settlement, "MOST_BYTES", 10)
    with pytest.raises(SettlementMalformed, match="too large"):
        text_of(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettlementMalformed, match="UTF-8"):
        text_of(file)


def test_a_webhooks_signature_covers_the_raw_body() -> None:
    now = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
    told = {
        "event": "payment.captured",
        "created_at": int(now.timestamp()),
        "payload": {"payment": {"entity": {"id": "pay_1"}}},
    }
    body = json.dumps(told).encode()
    good = {"secret": SECRET, "signature": signature_of(SECRET, body), "event": "evt_1", "body": body, "now": now}
    assert read_event(**good) == ("evt_1", "payment.captured", "pay_1", False, "")  # type: ignore[arg-type]
    for away in (timedelta(minutes=5, seconds=1), -timedelta(minutes=5, seconds=1)):
        late = read_event(**{**good, "now": now + away})  # type: ignore[arg-type]
        assert late is not None
        assert late.late
    for wrong in ({"body": body + b" "}, {"secret": ""}, {"secret": "other"}, {"signature": ""}):
        with pytest.raises(WebhookUnsigned):
            read_event(**{**good, **wrong})  # type: ignore[arg-type]
    for nonsense in (
        b"",
        b"[]",
        b"{}",
        b'{"event":"x","created_at":"y","payload":{}}',
        b'{"event":1,"created_at":1e99,"payload":{}}',
    ):
        with pytest.raises(WebhookMalformed):
            read_event(**{**good, "body": nonsense, "signature": signature_of(SECRET, nonsense)})  # type: ignore[arg-type]
    for event in ("", "x" * 101, "a\nb"):
        with pytest.raises(WebhookMalformed):
            read_event(**{**good, "event": event})  # type: ignore[arg-type]
    other = json.dumps({**told, "payload": {"refund": {}}}).encode()
    assert read_event(**{**good, "body": other, "signature": signature_of(SECRET, other)}) is None  # type: ignore[arg-type]

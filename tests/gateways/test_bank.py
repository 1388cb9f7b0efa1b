"""The bank's stand-in: each payment has a number of its own and is in the log before it is acknowledged."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from bahal.gateways.bank.client import HttpBank
from bahal.gateways.bank.interface import BankUnreachable
from tests.gateways.stand_in import running


def test_money_is_logged_before_the_answer_and_numbered_on_after_a_restart(tmp_path: Path) -> None:
    with running("bank", home=tmp_path) as bank:
        client = HttpBank(bank.url)
        numbers = []
        for nth in range(20):
            numbers.append(client.collect(consumer=2_200_000_001, paise=100 + nth, channel="counter"))
            assert bank.lines()[-1]["payment"] == numbers[-1]
        first = bank.lines()[0]
        assert {name: first[name] for name in ("event", "payment", "consumer", "paise")} == {
            "event": "collected",
            "payment": numbers[0],
            "consumer": 2_200_000_001,
            "paise": 100,
        }
        assert datetime.fromisoformat(first["at"]).utcoffset() is not None
        assert datetime.fromisoformat(first["business_at"]).utcoffset() is not None
        with ThreadPoolExecutor(8) as threads:
            numbers += threads.map(lambda _: client.collect(consumer=1, paise=1, channel="upi"), range(24))
        client.close()
    with running("bank", home=tmp_path) as bank:
        client = HttpBank(bank.url)
        numbers.append(client.collect(consumer=1, paise=1, channel="upi"))
        client.close()
        assert len(set(numbers)) == len(numbers) == len(bank.lines()) == 45
        assert bank.process.poll() is None


def test_what_is_no_collection_is_refused_and_not_logged(tmp_path: Path) -> None:
    with running("bank", home=tmp_path) as bank, httpx.Client(base_url=bank.url) as client:
        for body in (
            {},
            [],
            "x",
            {"consumer": 1, "paise": 0},
            {"consumer": "1", "paise": 1},
            {"consumer": 1, "paise": True},
        ):
            assert client.post("/collect", json=body).status_code == 400
        assert client.post("/collect", content=b"{").status_code == 400
        assert client.post("/other", json={}).status_code == 404
        assert client.get("/other").status_code == 404
        assert client.get("/healthz").json() == {"status": "ok", "room": "bank"}
        host, port = bank.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as oversized:
            oversized.sendall(b"POST /collect HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
            assert oversized.recv(100).startswith(b"HTTP/1.1 413 ")
        assert bank.lines() == []


def test_a_bank_that_is_not_there_is_named() -> None:
    client = HttpBank("http://127.0.0.1:1")
    with pytest.raises(BankUnreachable) as refused:
        client.collect(consumer=1, paise=1, channel="upi")
    assert refused.value.data == {"url": "http://127.0.0.1:1", "why": "ConnectError"}
    client.close()

"""kill -9 under concurrent payments: what was acknowledged is booked, once and to the paisa, whoever died.

PostgreSQL runs here as it does for users: fsync and synchronous_commit on. Where all pay for one connection its fence
is let go before the disk is waited for, and nobody else's commit brings the log there: an acknowledgement that came too
early is lost (tried: without the wait this test fails).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from bahal.entry import instance
from bahal.entry.house import migrate, web_command
from bahal.entry.postgres import EmbeddedPostgres
from bahal.shared.home import Home, read_json
from tests.entry.instance import environment, free_port, until

TEN = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
FIRST = 2_200_000_001
OWED = 5_000_00
KILLS = 2


class Acknowledged(NamedTuple):
    """What a payer was told."""

    key: str
    connection: int
    paise: int
    receipt: str


class House:
    """A database of its own, with connections that owe."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home(path)
        instance.make(self.home, rehearsal=True, business_at=TEN)
        self.postgres = EmbeddedPostgres(path)
        self.postgres.start()
        monkeypatch.setenv("BAHAL_HOME", str(path))
        migrate(self.home)
        with psycopg.connect(self.postgres.dsn("app"), autocommit=True) as app, app.transaction():
            app.execute(
                "INSERT INTO supply_fence (connection, generation, desired)"
                " SELECT n, 1, 'on' FROM generate_series(%s::bigint, %s) n",
                [FIRST, FIRST + 99],
            )
            app.execute(
                "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
                " VALUES ('opening', 'o', now(), now()) RETURNING id)"
                " INSERT INTO ledger_posting (transaction, account, connection, paise)"
                " SELECT id, 'receivable', n, %s FROM act, generate_series(%s::bigint, %s) n"
                " UNION ALL SELECT id, 'revenue', NULL, -100 * %s FROM act",
                [OWED, FIRST, FIRST + 99, OWED],
            )

    def environ(self) -> dict[str, str]:
        """For a process that works here."""
        return environment(self.home.path, BAHAL_CLOCK=str(self.home.run / "clock.json"))

    def kill_postgres(self) -> None:
        """kill -9 to the server, and start it again: it recovers from its log."""
        running = read_json(self.home.run / "database.json")
        assert running is not None
        os.kill(int(running["pid"]), signal.SIGKILL)
        until(lambda: self.postgres.running() is None)
        self.postgres.start()

    def judge(self, told: list[Acknowledged]) -> None:
        """Acknowledged is posted: each key once, with its receipt and its paise, and in the ledger the same."""
        assert len({each.key for each in told}) == len({each.receipt for each in told}) == len(told)
        with psycopg.connect(self.postgres.dsn("owner")) as owner:

            def rows(statement: str) -> list[tuple[Any, ...]]:
                return owner.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]

            booked = rows("SELECT idempotency_key, connection, paise, receipt FROM payments_payment")
            assert sorted(booked) == sorted(map(tuple, told))
            posted = rows(
                "SELECT t.reference, sum(p.paise) FILTER (WHERE p.account = 'cash')::bigint, sum(p.paise)::bigint"
                " FROM ledger_transaction t JOIN ledger_posting p ON p.transaction = t.id"
                " WHERE t.kind = 'payment' GROUP BY 1"
            )
            assert sorted(posted) == sorted((each.receipt, each.paise, 0) for each in told)
            assert rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
            ((audited,),) = rows("SELECT count(*) FROM audit_entry WHERE act = 'payment.taken'")
            assert audited == len(told)


@pytest.fixture
def house(reachable: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[House]:
    built = House(reachable / str(len(request.node.name)), monkeypatch)
    yield built
    built.postgres.stop()


@pytest.mark.parametrize(
    "each_has",
    [
        pytest.param(0, id="one_account"),
        pytest.param(5, id="accounts_of_their_own", marks=pytest.mark.slow),
    ],
)
def test_the_database_is_killed_while_eight_pay(house: House, each_has: int) -> None:
    payers = []
    for nth in range(8):
        accounts = [FIRST + 1 + nth + 8 * each for each in range(each_has)] or [FIRST]
        payers.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.journeys.payer", f"payer{nth}", *map(str, accounts)],
                env=house.environ(),
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    told: list[Acknowledged] = []
    lock = threading.Lock()

    def listen(payer: "subprocess.Popen[str]") -> None:
        assert payer.stdout is not None
        with payer.stdout as lines:
            for line in lines:
                key, number, paise, receipt = line.split()
                with lock:
                    told.append(Acknowledged(key, int(number), int(paise), receipt))

    ears = [threading.Thread(target=listen, args=(payer,)) for payer in payers]
    for ear in ears:
        ear.start()
    try:
        until(lambda: len(told) > 100)
        for _ in range(KILLS):
            before = len(told)
            house.kill_postgres()
            until(lambda before=before: len(told) > before + 100)  # type: ignore[misc]
        for payer in payers:
            payer.terminate()
        assert [payer.wait(60) for payer in payers] == [0] * 8
    finally:
        for payer in payers:
            payer.kill()
            payer.wait()
        for ear in ears:
            ear.join()
    house.judge(told)


def test_the_web_worker_is_killed_while_eight_pay(house: House) -> None:
    port = free_port()
    web = house.home.path / "web"
    web.mkdir(exist_ok=True)

    def serve() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            web_command(port), env=house.environ(), start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    told: list[Acknowledged] = []
    lock = threading.Lock()
    stopping = threading.Event()

    def pay(payer: int) -> None:
        nth = 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as client:
            while not stopping.is_set():
                key, number, paise = f"web{payer}-{nth}", FIRST + (payer % 2) * (1 + nth % 20), 1_00 + nth
                nth += 1
                body = {"consumer": number, "paise": paise, "channel": "counter"}
                for _ in range(2_000):
                    try:
                        answer = client.post("/api/v1/payments", json=body, headers={"Idempotency-Key": key})
                    except httpx.HTTPError:
                        time.sleep(0.05)
                        continue
                    if answer.status_code == 201:
                        break
                    time.sleep(0.05)
                else:
                    raise AssertionError(f"{key} was never answered")
                with lock:
                    told.append(Acknowledged(key, number, paise, answer.json()["receipt"]))

    server = serve()
    payers = [threading.Thread(target=pay, args=(nth,)) for nth in range(8)]
    for each in payers:
        each.start()
    try:
        for _ in range(KILLS):
            before = len(told)
            until(lambda before=before: len(told) > before + 60)  # type: ignore[misc]
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)
            server = serve()
        before = len(told)
        until(lambda: len(told) > before + 60)
        stopping.set()
        for each in payers:
            each.join(60)
        assert not any(each.is_alive() for each in payers)
    finally:
        stopping.set()
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)
    house.judge(told)

"""Paying online through the processes as they run: page, gateway, webhooks of every manner, worker, settlement file.

The truth to compare with is the bank's own log.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bahal.entry import instance
from bahal.entry.house import web_command
from bahal.foundation.rows import many, value
from bahal.gateways.bank.webhooks import EVENT_HEADER, SIGNATURE_HEADER, signature_of
from bahal.journeys.pay_online import make_link
from tests.entry.instance import command, free_port
from tests.gateways.stand_in import StandIn, running
from tests.journeys import town
from tests.plugin.databases import Database

PAYERS = 20
PATIENCE_S = 60.0


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.05)


@contextlib.contextmanager
def room(line: Sequence[str], environ: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with its children, until the block ends."""
    process = subprocess.Popen(
        line, env=environ, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        end(process, signal.SIGTERM)


def end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait(20)


def bahal(environ: dict[str, str], *arguments: str) -> tuple[int, Any]:
    """A verb with --json; its exit code and what it answered."""
    ran = subprocess.run(command(*arguments, "--json"), env=environ, capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout or ran.stderr)


def captured(bank: StandIn) -> dict[str, tuple[int | None, int]]:
    """Whose and how much, by the gateway's payment."""
    return {each["payment"]: (each["consumer"], each["paise"]) for each in bank.lines() if each["event"] == "captured"}


def booked() -> dict[str, tuple[int, int]]:
    rows = many("SELECT substr(idempotency_key, 9), connection, paise FROM payments_payment ORDER BY id")
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: (row[1], row[2]) for row in rows}


def test_every_payment_is_booked_once_whatever_became_of_its_webhook(database: Database, tmp_path: Path) -> None:
    instance.make(database.home, rehearsal=True, business_at=town.TEN)
    place = town.found(connections=PAYERS, reminded=False)
    port = free_port()
    web = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as house:
        bank = house.enter_context(running("bank", f"{web}/webhooks/bank", home=database.home.path))
        payer = house.enter_context(httpx.Client(base_url=bank.url, timeout=20, trust_env=False))
        browser = house.enter_context(httpx.Client(base_url=web, timeout=20, trust_env=False))
        environ = database.environ(
            BAHAL_BANK_URL=bank.url, BAHAL_CLOCK=str(database.home.run / "clock.json"), BAHAL_LANG="en"
        )
        worker_line = [sys.executable, "-m", "bahal.entry.rooms", "worker", "0"]
        house.enter_context(room(web_command(port), environ))
        worker = house.enter_context(room(worker_line, environ))
        until(lambda: _answers(browser))
        shares = {"seed": 11, "late": 0.3, "twice": 0.3, "storm": 0.1, "reordered": 0.5, "dropped": 0.2}
        payer.post("/behave", json=shares).raise_for_status()

        code, link = bahal(environ, "pay-link", str(place.connections[0]))
        assert code == 0
        pages = {place.connections[0]: "/pay/" + link["link"].rpartition("/pay/")[2]}
        for each in place.connections[1:]:
            pages[each] = _page(each)
        for nth, page in enumerate(pages.values()):
            tr = _attempt(browser, page, rupees="6000" if nth % 3 else "1234.56")
            if nth % 5 == 0:
                payer.post("/payer/pay", json={"tr": tr, "outcome": "failed"}).raise_for_status()
            method = ("upi", "card", "netbanking")[nth % 3]
            paid = payer.post("/payer/pay", json={"tr": tr, "method": method})
            paid.raise_for_status()
            if nth == PAYERS // 2:  # in the middle of a storm
                payer.post("/payer/transfer", json={"paise": 77_700, "webhook": {"drop": True}}).raise_for_status()
                end(worker, signal.SIGKILL)
                worker = house.enter_context(room(worker_line, environ))
        assert place.connections[0] in {whose for whose, _ in captured(bank).values()}

        # Forged by somebody who has the webhooks' secret: the gateway does not know it, so nothing comes of it.
        secret = (database.home.secret("bank") or {})["webhook_secret"]
        body = json.dumps(
            {
                "event": "payment.captured",
                "created_at": int(time.time()),
                "payload": {"payment": {"entity": {"id": "pay_forged", "amount": 600_000, "status": "captured"}}},
            }
        ).encode()
        forged = {SIGNATURE_HEADER: signature_of(secret, body), EVENT_HEADER: "evt_forged"}
        assert browser.post("/webhooks/bank", content=body, headers=forged).status_code == 200

        wanted = {name: each for name, each in captured(bank).items() if each[0] is not None}
        assert len(wanted) == PAYERS
        until(lambda: booked() == wanted)
        until(lambda: payer.get("/told").json()["waiting"] == 0)
        until(lambda: value("SELECT count(*) FROM payments_gatewayevent WHERE handled_at IS NULL") == 0)
        until(lambda: value("SELECT count(*) FROM payments_suspense") == 1)
        assert payer.get("/told").json()["dropped"] > 3
        assert booked() == wanted
        outcomes = dict(many("SELECT gateway_payment, outcome FROM payments_gatewayevent"))
        assert outcomes.pop("pay_forged") == "unknown_at_gateway"
        assert set(outcomes.values()) == {"booked", "failed"}
        total = sum(paise for _, paise in captured(bank).values())
        assert value("SELECT sum(paise)::bigint FROM ledger_posting WHERE account = 'gateway'") == total
        assert Counter(row[0] for row in many("SELECT instrument FROM payments_payment")).keys() == {
            "upi",
            "card",
            "netbanking",
        }
        shown = browser.get(f"{pages[place.connections[1]]}?lang=en").text
        assert "Nothing is due" in shown

        # The bank's file: a paisa off, a missing line, a double line; each is found, and so is the unknown payer.
        file = tmp_path / "bank.csv"
        file.write_text(payer.get("/settlements.csv", params={"off_by_one": 1, "missing": 1, "double": 1}).text)
        code, loaded = bahal(environ, "reconcile", str(file), "--since", "2020-01-01T00:00+05:30", "--until", _soon())
        assert code == 1
        assert [each["kind"] for each in loaded["differences"]] == ["amount_settled", "settled_twice", "not_settled"]
        assert loaded["lines"] == PAYERS + 1
        code, again = bahal(environ, "reconcile", str(file))
        assert (code, again["error"]) == (1, "settlement_loaded")
        code, waiting = bahal(environ, "difference", "list")
        assert code == 0
        assert Counter(each["kind"] for each in waiting) == dict.fromkeys(
            ("amount_settled", "settled_twice", "not_settled", "payer_unknown"), 1
        )

        # Two people find the unknown payer; the worker closes what agrees since.
        ((held,),) = many("SELECT id FROM payments_suspense")
        assert bahal(environ, "suspense", "list")[1] == [
            {"id": held, "source": f"gateway:{_unasked(bank)}", "paise": 77_700, "note": "no order of ours: upi - -"}
        ]
        found = ("counter", "payer", str(held), str(place.connections[2]), "--reason", "his bank's letter")
        code, proposed = bahal(environ, *found, "--as", "cashier")
        assert code == 0
        code, refused = bahal(environ, "counter", "accept", str(proposed["proposal"]), "--as", "cashier")
        assert (code, refused["error"]) == (1, "may_not_decide")
        code, decided = bahal(environ, "counter", "accept", str(proposed["proposal"]), "--as", "ee")
        assert (code, decided["accepted"]) == (0, True)
        assert bahal(environ, "suspense", "list") == (0, [])
        until(lambda: "payer_unknown" not in {each["kind"] for each in bahal(environ, "difference", "list")[1]})
        (off,) = (each for each in waiting if each["kind"] == "amount_settled")
        code, _ = bahal(environ, "difference", "close", str(off["id"]), "--reason", "the bank corrects it")
        assert code == 0
        code, refused = bahal(environ, "difference", "close", str(off["id"]), "--reason", "again")
        assert (code, refused["error"]) == (1, "difference_unknown")
        code, refused = bahal(environ, "pay-link", "22000")
        assert (code, refused["error"], refused["data"]["digits"]) == (1, "consumer_number_wrong", 5)
        assert "10 digits" in refused["en"]
        assert value("SELECT sum(paise)::bigint FROM ledger_posting WHERE account = 'suspense'") == 0


def _answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _page(connection: int) -> str:
    return f"/pay/{make_link(connection=connection, at=datetime.now(UTC), business_at=town.TEN)}"


def _attempt(browser: httpx.Client, page: str, *, rupees: str) -> str:
    """Press the button, and scan the code: its `tr`."""
    sent = browser.post(f"{page}?lang=en", data={"rupees": rupees}, follow_redirects=True)
    assert sent.status_code == 200
    found = re.search(r"tr=([A-Z0-9]+)&amp;", sent.text)
    assert found is not None
    return found[1]


def _unasked(bank: StandIn) -> str:
    return next(name for name, (whose, _) in captured(bank).items() if whose is None)


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(minutes=5)).isoformat()

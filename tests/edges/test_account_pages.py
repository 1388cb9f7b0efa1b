"""The pages behind the door: bills and receipts, days, complaints, one's own data; each for its own consumer alone."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg
import pytest
from django.db import connection as django_connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bahal.domains.complaints.life import FOLLOWS
from bahal.domains.complaints.models import EVENTS
from bahal.domains.consumers import sign_in
from bahal.edges.portal import page
from bahal.foundation.rows import value
from bahal.foundation.transactions import transaction
from bahal.journeys.complain import answer_complaint, complain
from bahal.journeys.own_data import as_table, harmless
from bahal.journeys.take_payment import take_payment
from bahal.journeys.verify_receipt import receipt_code
from tests.edges.test_account import MOST_QUERIES, link, looked
from tests.journeys.billed import AUGUST, JULY, accept_all, bill, found, read
from tests.journeys.lakes import lay_lake, validated
from tests.plugin.databases import Database

AT = datetime(2025, 8, 20, 6, tzinfo=UTC)
TIMES = {"at": AT, "business_at": AT}


@pytest.fixture
def two(database: Database, open_door: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two consumers with a bill of July each, on 20 August; the first has paid."""
    open_door(rehearsal=True)
    connections = found(2)
    accept_all()
    for each in connections:
        read(each, {JULY: 0, AUGUST: 180})
    bill(JULY, date(2025, 8, 6))
    return connections


def signed_in(connection: int) -> Client:
    """A browser with a session."""
    with transaction():
        token = sign_in.open_session(connections=[connection], at=datetime.now(UTC))
    client = Client()
    client.cookies[page.COOKIE] = token
    return client


def pay(connection: int, paise: int = 5_000_000) -> str:
    """A payment at a counter; its receipt."""
    return take_payment(
        key=f"k{connection}", connection=connection, paise=paise, channel="counter", actor="cashier", business_at=AT
    ).receipt


def test_bills_explain_their_lines_and_go_on_paper(two: list[int]) -> None:
    first, second = two
    client = signed_in(first)
    number = f"202507-{first}"
    listed = looked(client, f"/my/{first}/bills?lang=en")
    assert f'href="/my/{first}/bills/{number}"' in listed
    assert "still open" in listed
    shown = looked(client, f"/my/{first}/bills/{number}")
    assert "180.0" in shown
    assert "kWh" in shown
    assert "ऊर्जा" in looked(client, f"/my/{first}/bills/{number}?lang=hi")
    paper = client.get(f"/my/{first}/bills/{number}.pdf")
    assert paper.content.startswith(b"%PDF")
    assert paper["Content-Disposition"] == f'attachment; filename="bill-{number}.pdf"'
    # Somebody else's bill is as unknown as none.
    for path in (f"bills/202507-{second}", f"bills/202507-{second}.pdf", "bills/x", "bills/%00"):
        assert client.get(f"/my/{first}/{path}").status_code == 404
    assert Client().get(f"{link(second)}/bills/{number}").status_code == 404


def test_a_receipt_is_checked_by_anybody_who_holds_it(two: list[int]) -> None:
    first, second = two
    receipt = pay(first)
    client = signed_in(first)
    assert f"/my/{first}/receipts/{receipt}.pdf" in looked(client, f"/my/{first}/bills")
    assert client.get(f"/my/{first}/receipts/{receipt}.pdf").content.startswith(b"%PDF")
    for path in (f"/my/{second}/receipts/{receipt}.pdf", "/my/1/receipts/x.pdf"):
        assert signed_in(second).get(path).status_code == 404
    stranger = Client()
    shown = looked(stranger, f"/receipt/{receipt}/{receipt_code(receipt)}?lang=en")
    assert "This receipt is valid" in shown
    assert "₹50,000.00" in shown
    assert str(first) not in shown
    typed = {"receipt": f" {receipt.lower()} ", "code": receipt_code(receipt).upper(), "lang": "en"}
    assert "This receipt is valid" in looked(stranger, "/receipt/", data=typed)
    for wrong in (f"{receipt}/{receipt_code(receipt)[:-1]}0x", f"{receipt}/é", f"X/{receipt_code('X')}", "%00/1"):
        refused = stranger.get(f"/receipt/{wrong}?lang=en")
        assert refused.status_code == 404
        assert "not valid" in refused.content.decode()
    assert "<form" in looked(stranger, "/receipt/")


def test_a_cancelled_receipt_says_so(two: list[int], database: Database) -> None:
    first, _ = two
    receipt = pay(first)
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO payments_proposal (kind, payment, connection, paise, reason, proposed_by, proposed_at,"
            " decided_by, decided_at, accepted) SELECT 'cancel', id, connection, paise, 'x', 'ee', now(), 'se', now(),"
            " true FROM payments_payment"
        )
    assert "रसीद रद्द है" in looked(Client(), f"/receipt/{receipt}/{receipt_code(receipt)}")
    assert "रसीद रद्द है" in looked(signed_in(first), f"/my/{first}/bills")


def test_days_beside_the_month_before_with_a_table(
    two: list[int], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = two
    client = signed_in(first)
    assert "खपत के आँकड़े अभी उपलब्ध नहीं" in looked(client, f"/my/{first}/days")
    now = datetime.now(UTC)
    yesterday = (now + timedelta(hours=5, minutes=30)).date() - timedelta(days=1)
    month = yesterday.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    lake = lay_lake(database.home.path / "lake")
    for each in {yesterday, month, before}:
        validated(lake, each, {f"M{first}": np.arange(48, dtype=np.int32) * 10}, estimated={f"M{first}": [3]})
    text = looked(client, f"/my/{first}/days?lang=en")
    assert text.count('<rect class="before"') == 2  # its bar and its key
    assert text.count("<svg") == 4
    assert text.count('role="img"') == 2
    assert "1 half hours are estimated." in text
    assert '<th scope="row">23:30</th><td class="figure">0.47</td>' in text
    assert "11.3" in text
    other = looked(client, f"/my/{first}/days?day={before.isoformat()}&lang=en")
    assert f'value="{before.isoformat()}" selected>{before:%d-%m-%Y}<' in other
    for wrong in ("x", "1999-01-01", "9999-12-31"):
        assert f'value="{yesterday.isoformat()}" selected' in looked(client, f"/my/{first}/days?day={wrong}")


def test_a_complaint_is_closed_by_its_consumer_alone(two: list[int], database: Database) -> None:
    first, second = two
    client = signed_in(first)
    sent = client.post(f"/my/{first}/complaints", {"kind": "bill", "text": "  बिल ज़्यादा है <script> "})
    assert sent.status_code == 303
    number = int(sent["Location"].rpartition("/")[2])
    at = f"/my/{first}/complaints/{number}"
    text = looked(client, at)
    assert "बिल ज़्यादा है &lt;script&gt;" in text
    assert 'value="reopen"' not in text
    answer_complaint(complaint=number, taken_up=True, text="", officer="ee", **TIMES)
    answer_complaint(complaint=number, taken_up=False, text="मीटर जाँचा गया", officer="ee", **TIMES)
    assert "मीटर जाँचा गया" in looked(client, at)
    assert client.post(at, {"act": "reopen", "text": " "}).status_code == 422
    assert client.post(at, {"act": "reopen", "text": "नहीं"}).status_code == 303
    # Nobody else sees or closes it, and a link only looks.
    other = signed_in(second)
    assert other.get(f"/my/{second}/complaints/{number}").status_code == 404
    assert other.post(f"/my/{second}/complaints/{number}", {"act": "close"}).status_code == 404
    assert Client().post(f"{link(first)}/complaints/{number}", {"act": "close"}).status_code == 404
    assert Client().post(f"{link(first)}/complaints", {"kind": "bill", "text": "x"}).status_code == 404
    assert 'value="close"' not in looked(Client(), f"{link(first)}/complaints/{number}")
    assert client.get(f"/my/{first}/complaints/99999999999999999999").status_code == 404
    assert client.post(at, {"act": "close"}).status_code == 303
    assert "उपभोक्ता ने बंद की" in looked(client, at)
    assert client.post(at, {"act": "close"}).status_code == 422
    with database.connect("app") as app:
        for tried in ("UPDATE complaints_complaint SET id = id", "DELETE FROM complaints_step"):
            with pytest.raises(psycopg.Error):
                app.execute(tried)
        with pytest.raises(psycopg.Error):
            app.execute(*_step(number, "answered"))


def test_what_may_follow_is_the_same_in_the_database(two: list[int], database: Database) -> None:
    first, _ = two
    path = {"raised": (), "taken_up": ("taken_up",), "answered": ("answered",), "reopened": ("answered", "reopened"),
            "closed": ("closed",)}  # fmt: skip
    with database.connect("app", autocommit=False) as app:
        for state, steps in path.items():
            for event in EVENTS:
                row = app.execute(
                    "INSERT INTO complaints_complaint (connection, kind, text, raised_at, business_at)"
                    " VALUES (%s, 'bill', 'x', now(), now()) RETURNING id",
                    [first],
                ).fetchone()
                assert row is not None
                for step in ("raised", *steps):
                    app.execute(*_step(row[0], step))
                try:
                    with app.transaction():
                        app.execute(*_step(row[0], event))
                    went = True
                except psycopg.errors.RaiseException:
                    went = False
                except psycopg.Error as failure:
                    went = failure.sqlstate != "BH058"
                assert went == (event in FOLLOWS[state]), (state, event)
        app.rollback()


def _step(complaint: object, event: str) -> tuple[str, list[object]]:
    side = "office" if event in ("taken_up", "answered") else "consumer"
    return (
        "INSERT INTO complaints_step (complaint, event, side, actor, at, business_at)"
        " VALUES (%s, %s, %s, 'x', now(), now())",
        [complaint, event, side],
    )


def test_the_office_cannot_close_and_a_form_fills_no_table(two: list[int], database: Database) -> None:
    first, _ = two
    client = signed_in(first)
    for _ in range(5):
        complain(connection=first, kind="supply", text="x", **TIMES)
    for kind, text in (("supply", "one too many"), ("nonsense", "x"), ("bill", ""), ("bill", "x" * 2001)):
        assert client.post(f"/my/{first}/complaints", {"kind": kind, "text": text}).status_code == 422
    with database.connect("app") as app, pytest.raises(psycopg.errors.CheckViolation):
        app.execute(
            "INSERT INTO complaints_step (complaint, event, side, actor, at, business_at)"
            " SELECT min(id), 'closed', 'office', 'ee', now(), now() FROM complaints_complaint"
        )


def test_the_deposit_under_protest_is_told_in_figures(two: list[int]) -> None:
    text = looked(signed_in(two[0]), f"/my/{two[0]}/complaints?lang=en")
    claim = value("SELECT due_paise FROM ledger_balance WHERE connection = %s", two[0])
    assert f"the claim of ₹{claim // 100:,}.{claim % 100:02d}" in text


def test_the_language_of_messages_is_his_to_choose(two: list[int]) -> None:
    first, _ = two
    client = signed_in(first)
    assert client.post(f"/my/{first}/settings", {"language": "en"}).status_code == 303
    assert value("SELECT language FROM consumers_consumer WHERE id = %s", first) == "en"
    assert "My electricity account" in looked(client, f"/my/{first}/")
    assert client.post(f"/my/{first}/settings", {"language": "fr"}).status_code == 200
    assert value("SELECT language FROM consumers_consumer WHERE id = %s", first) == "en"
    assert Client().get(f"{link(first)}/settings").status_code == 404


def test_his_own_data_runs_in_no_spreadsheet(two: list[int], database: Database) -> None:
    first, second = two
    for text in ("=cmd|'/c calc'!A1", "\t+1", "@SUM(1)"):
        complain(connection=first, kind="other", text=text, **TIMES)
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_consumer SET name = '=1+1' WHERE id = %s", [first])
    pay(first)
    client = signed_in(first)
    assert client.get(f"/my/{first}/data.csv").status_code == 303
    taken = json.loads(client.post(f"/my/{first}/data.json").content)
    assert taken["consumer"] == first
    assert taken["payments"][0]["paise"] == 5_000_000
    assert len(taken["complaints"]) == 3
    assert str(second) not in json.dumps(taken)
    rows = list(csv.reader(io.StringIO(client.post(f"/my/{first}/data.csv").content.decode("utf-8-sig"))))
    assert rows[0] == ["part", "row", "name", "value"]
    assert ["consumer", "1", "name", "'=1+1"] in rows
    for *_, cell in rows:
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
        assert cell[:1] != "-" or cell[1:].isdigit(), cell
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'consumer.data_taken'") == 2
    assert [harmless(each) for each in (-5, "-5", " =1", None)] == ["-5", "'-5", "' =1", ""]
    assert as_table({"a": "\rx"}).splitlines()[1:] != []
    assert client.post(f"/my/{second}/data.json").status_code == 404


def test_every_page_asks_few_questions_is_small_and_has_no_script(two: list[int], database: Database) -> None:
    first, _ = two
    pay(first)
    complain(connection=first, kind="bill", text="x", **TIMES)
    number = value("SELECT id FROM complaints_complaint")
    lay_lake(database.home.path / "lake")
    client = signed_in(first)
    sheet = len(Client().get("/pay/style.css").content)
    pages = ("", "bills", f"bills/202507-{first}", "days", "complaints", f"complaints/{number}", "settings")
    for path in pages:
        with CaptureQueriesContext(django_connection) as asked:
            answer = client.get(f"/my/{first}/{path}")
        assert answer.status_code == 200, path
        assert len(asked) <= MOST_QUERIES, (path, len(asked))
        assert len(answer.content) + sheet < 100_000
        text = answer.content.decode()
        assert not re.search(r"<script|\son\w+=|\sstyle=|<style|javascript:", text)
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["Referrer-Policy"] == "same-origin"
        for label in re.findall(r'<(?:input|select|textarea)[^>]* id="(\w+)"', text):
            assert f'for="{label}"' in text, (path, label)


def test_forms_from_elsewhere_do_nothing_here_either(two: list[int]) -> None:
    first, _ = two
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in(first).cookies
    for path in ("complaints", "settings", "data.json"):
        assert strict.post(f"/my/{first}/{path}", {"kind": "bill", "text": "x", "language": "en"}).status_code == 403
    assert value("SELECT count(*) FROM complaints_complaint") == 0

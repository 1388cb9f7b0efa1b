"""The cash counter in a browser: find, explain, take once, and the clock that runs until the relay is read back."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from bahal.domains.ledger.queries import balance
from bahal.domains.payments.errors import DayNotOpen, PaymentMalformed
from bahal.foundation.rows import many, value
from bahal.journeys import keep_counter
from bahal.journeys.confirm_relay import confirm_relay
from tests.edges import staff
from tests.journeys import interlock, town
from tests.plugin.databases import Database

HOSTILE = '"><script>alert(1)</script><svg onload=alert(2)>'
RTL = "\u202eمحمد\u202c " + "अ" * 300
FIRST = town.number(0)


@pytest.fixture
def counter(database: Database) -> town.Town:
    made = town.found(connections=2)
    staff.enrol()
    keep_counter.add_counter(code="BSP1", office=300, actor="ee", **staff.TIMES)
    return made


def opened() -> Client:
    client = staff.browser("cashier")
    assert client.post("/office/counter/open", {"counter": "BSP1", "count": "500x2"}).status_code == 303
    return client


def form_of(client: Client, connection: int = FIRST) -> dict[str, str]:
    """The form as the page gave it, with what a cashier would leave as it is."""
    text = client.get(f"/office/counter/{connection}").content.decode()
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', text) for name in ("key", "rupees")}
    return {name: each[1] for name, each in found.items() if each} | {"instrument": "cash"}


def test_a_day_is_opened_before_money_is_taken(counter: town.Town) -> None:
    client = staff.browser("cashier")
    assert "Open your day first" in client.get("/office/counter/").content.decode()
    refused = client.post(f"/office/counter/{FIRST}/take", {"key": "k", "rupees": "10", "instrument": "cash"})
    assert refused.status_code == 422
    assert DayNotOpen(counter="—", cashier="cashier1").text("en") in refused.content.decode()
    wrong = client.post("/office/counter/open", {"counter": "BSP1", "count": "five hundred"})
    assert wrong.status_code == 422
    client.post("/office/counter/open", {"counter": "BSP1", "count": "500x2"})
    text = client.get("/office/counter/").content.decode()
    assert "₹1,000.00" in text
    assert 'id="q"' in text


@pytest.mark.parametrize(
    "text", [str(FIRST), f"M{FIRST}", f"m{FIRST}", f"70000{FIRST % 100000:05d}", f"Consumer {FIRST}"]
)
def test_one_box_finds_by_number_meter_mobile_and_name(counter: town.Town, text: str) -> None:
    sent = opened().get("/office/counter/", {"q": text})
    assert (sent.status_code, sent["Location"]) == (303, f"/office/counter/{FIRST}")


def test_what_is_due_stands_line_by_line(counter: town.Town) -> None:
    client = opened()
    text = client.get(f"/office/counter/{FIRST}").content.decode()
    assert 'value="6000.00"' in text
    assert f"B{FIRST}-7" in text
    assert text.count("₹3,000.00") == 2
    assert "counts" in text
    hindi = client.get(f"/office/counter/{FIRST}?lang=hi").content.decode()
    assert "क्या-क्या देय है" in hindi
    assert "गिना गया" in hindi
    assert f"उपभोक्ता {FIRST}" in hindi


def test_a_form_sent_twice_is_one_payment(counter: town.Town) -> None:
    client = opened()
    form = form_of(client)
    first = client.post(f"/office/counter/{FIRST}/take", form)
    again = client.post(f"/office/counter/{FIRST}/take", form)
    assert first.status_code == 303
    assert first["Location"] == again["Location"]
    assert many("SELECT paise, channel, instrument FROM payments_payment") == [(town.DUE, "counter", "cash")]
    other = client.post(f"/office/counter/{FIRST}/take", {**form, "rupees": "1"})
    assert other.status_code == 422
    assert balance(connection=FIRST).due_paise == 0
    assert "6,000.00" in client.get(first["Location"]).content.decode()


@pytest.mark.parametrize("rupees", ["", "abc", "-5", "0", "1.234"])
def test_an_amount_that_is_none_is_refused_and_the_form_keeps_its_key(counter: town.Town, rupees: str) -> None:
    client = opened()
    form = form_of(client)
    refused = client.post(f"/office/counter/{FIRST}/take", {**form, "rupees": rupees})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert 'role="alert"' in text
    assert form["key"] in text
    assert value("SELECT count(*) FROM payments_payment") == 0


def test_a_cheque_needs_its_number_bank_and_day(counter: town.Town) -> None:
    client = opened()
    form = form_of(client) | {"instrument": "cheque"}
    today = datetime.now(UTC).date() - timedelta(days=2)
    right = {"number": "123456", "bank": "SBI", "dated_on": today.isoformat()}
    for wrong in ({"number": "12"}, {"bank": ""}, {"dated_on": "x"}, {"dated_on": "2020-01-01"}):
        refused = client.post(f"/office/counter/{FIRST}/take", {**form, **right, **wrong})
        assert refused.status_code == 422, wrong
        assert "<details open>" in refused.content.decode()
    assert client.post(f"/office/counter/{FIRST}/take", {**form, **right}).status_code == 303
    assert many("SELECT number, bank FROM payments_cheque") == [("123456", "SBI")]
    assert "Cheques not yet cleared: ₹6,000.00" in client.get(f"/office/counter/{FIRST}").content.decode()


def test_the_clock_runs_until_the_relay_is_read_back(counter: town.Town, database: Database) -> None:
    counter.drive()
    interlock.lend(database)
    interlock.cut(database, order=value("SELECT id FROM supply_order WHERE connection = %s", FIRST))
    confirm_relay(at=counter.wall, business_at=town.TEN)
    client = opened()
    page = client.get(f"/office/counter/{FIRST}").content.decode()
    assert "The supply is cut: order" in page
    receipt = client.post(f"/office/counter/{FIRST}/take", form_of(client))["Location"]
    waiting = client.get(receipt).content.decode()
    assert "Reconnecting" in waiting
    assert f'data-part="{receipt}/clock" data-every="1"' in waiting
    assert 'http-equiv="refresh"' in waiting, "without a script the page asks anew by itself"
    part = client.get(f"{receipt}/clock")
    assert "Reconnecting" in part.content.decode()
    assert "X-Part-Over" not in part.headers
    interlock.restore(database, order=value("SELECT id FROM supply_order WHERE kind = 'restore'"))
    confirm_relay(at=counter.wall, business_at=town.TEN)
    lit = client.get(f"{receipt}/clock")
    assert "The lamp is on." in lit.content.decode()
    assert lit["X-Part-Over"] == "1"
    over = client.get(f"{receipt}?lang=hi").content.decode()
    assert "बिजली आ गई।" in over
    assert "data-part" not in over
    assert "http-equiv" not in over
    assert "The supply is on: restore" in client.get(f"/office/counter/{FIRST}?lang=en").content.decode()


@pytest.mark.parametrize(("paper", "least"), [("a4", 5_000), ("roll", 5_000)])
def test_the_receipt_is_printed(counter: town.Town, paper: str, least: int) -> None:
    client = opened()
    receipt = client.post(f"/office/counter/{FIRST}/take", form_of(client))["Location"]
    pdf = client.get(f"{receipt}/{paper}.pdf")
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    assert len(pdf.content) > least


def test_the_day_closes_with_a_count_and_a_reason_for_what_is_missing(counter: town.Town) -> None:
    client = opened()
    client.post(f"/office/counter/{FIRST}/take", form_of(client))
    missing = client.post("/office/counter/close", {"counter": "BSP1", "count": "500x13"})
    assert missing.status_code == 422
    text = client.post("/office/counter/close", {"counter": "BSP1", "count": "500x14"}).content.decode()
    assert "The day is closed" in text
    assert text.count("₹7,000.00") == 2


@pytest.mark.parametrize("name", [HOSTILE, RTL, "=HYPERLINK(1)", "{{ 7|add:7 }}", "x" * 5_000])
def test_a_name_is_never_more_than_a_name(counter: town.Town, database: Database, name: str) -> None:
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_consumer SET name = %s, name_hi = %s WHERE id = %s", [name, name, FIRST])
    client = opened()
    for url in (f"/office/counter/{FIRST}", f"/office/consumers/{FIRST}", f"/office/counter/?q={FIRST}", "/office/"):
        text = client.get(url, follow=True).content.decode()
        assert "<script>alert" not in text
        assert "<svg" not in text
        assert "{{" not in text or "{{ 7|add:7 }}" in text
        assert text.count("<script") == 1
    searched = client.get("/office/counter/", {"q": HOSTILE}).content.decode()
    assert "<script>alert" not in searched


def test_a_forged_form_takes_no_money(counter: town.Town) -> None:
    client = opened()
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = client.cookies
    refused = forged.post(f"/office/counter/{FIRST}/take", form_of(client))
    assert refused.status_code == 403
    assert value("SELECT count(*) FROM payments_payment") == 0


def test_a_malformed_amount_says_what_is_wrong(counter: town.Town) -> None:
    client = opened()
    refused = client.post(f"/office/counter/{FIRST}/take", {**form_of(client), "instrument": "gold"})
    assert refused.status_code == 422
    assert PaymentMalformed.en.partition("{")[0] in refused.content.decode()

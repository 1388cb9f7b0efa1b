"""The pay page: no login, no script, both languages; and nothing that a browser says marks anything paid."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from django.test import Client

from bahal.domains.ledger.queries import balance
from bahal.edges.portal import pay as door
from bahal.edges.portal.words import WORDS
from bahal.foundation.rows import many, value
from bahal.journeys.hear_gateway import poll_gateway
from bahal.journeys.pay_online import make_link
from tests.journeys import town
from tests.journeys.gateway import Gateway
from tests.plugin.databases import Database

NOW = datetime.now(UTC)
TIMES = {"at": NOW, "business_at": town.TEN}


@pytest.fixture
def gateway(database: Database, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr(door, "gateway", lambda: made)
    database.home.keep_secret("bank", {"vpa": "cg.bijli@upi", "payee": "CG Bijli"})
    return made


def page_of(connection: int) -> str:
    return f"/pay/{make_link(connection=connection, **TIMES)}"


def begin(url: str, rupees: str = "6000") -> str:
    """Press the button; where the browser is sent to."""
    sent = Client().post(f"{url}?lang=en", {"rupees": rupees})
    assert sent.status_code == 303
    there = str(sent["Location"])
    assert there.endswith("?lang=en")
    return there


def test_it_shows_what_is_due_in_his_language_and_the_other(database: Database, gateway: Gateway) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    shown = Client().get(page_of(first))
    hindi = shown.content.decode()
    english = Client().get(f"{page_of(first)}?lang=en").content.decode()
    assert '<html lang="hi">' in hindi
    assert '<html lang="en">' in english
    for text in ("देय राशि", "बिजली बिल", "यूपीआई से भुगतान करें", str(first)):
        assert text in hindi
    for text in ("Due", "Electricity bills", "Pay by UPI", "6,000.00"):
        assert text in english
    assert 'value="6000.00"' in english
    policy = shown["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (shown["Referrer-Policy"], shown["Cache-Control"]) == ("no-referrer", "no-store")
    for text in (hindi, english):
        assert "<script" not in text
        assert not re.search(r"\son\w+=|style=|javascript:", text)
    assert Client().get("/pay/style.css")["Content-Type"] == "text/css"


def test_a_code_waits_until_the_gateway_itself_has_said_so(database: Database, gateway: Gateway) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    there = begin(page_of(first))
    ((tr, order),) = many("SELECT tr, gateway_order FROM payments_attempt")
    waiting = Client().get(there).content.decode()
    assert "<svg" in waiting
    assert f"upi://pay?pa=cg.bijli@upi&amp;pn=CG%20Bijli&amp;tr={tr}" in waiting
    assert "am=6000.00&amp;cu=INR" in waiting
    assert 'http-equiv="refresh"' in waiting
    # A browser that says that it has paid, as a gateway's return page would let it.
    told = {"razorpay_payment_id": "pay_1", "razorpay_order_id": order, "status": "captured"}
    assert Client().get(there, told).status_code == 200
    assert Client().post(there, told).status_code == 405
    Client().post(page_of(first), {**told, "rupees": "6000"})
    assert balance(connection=first).due_paise == town.DUE
    assert "Receipt" not in Client().get(there).content.decode()
    gateway.pay(order)
    assert poll_gateway(gateway, **TIMES) == 1
    paid = Client().get(there).content.decode()
    receipt = value("SELECT receipt FROM payments_payment")
    assert f"Payment received. Receipt {receipt}" in paid
    assert 'http-equiv="refresh"' not in paid
    assert "<svg" not in paid
    assert "Nothing is due" in Client().get(f"{page_of(first)}?lang=en").content.decode()


def test_a_code_ends(database: Database, gateway: Gateway) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    there = begin(page_of(first))
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE payments_attempt DISABLE TRIGGER keep_rows")
        owner.execute("UPDATE payments_attempt SET expires_at = %s", [NOW - timedelta(minutes=1)])
    over = Client().get(there).content.decode()
    assert "The time of this code is over" in over
    assert "<svg" not in over


@pytest.mark.parametrize("spoil", ["edited", "other", "nothing", "late"])
def test_a_link_that_is_not_ours_or_is_over_opens_nothing(database: Database, gateway: Gateway, spoil: str) -> None:
    first, second = town.found(connections=2, reminded=False).connections
    url = page_of(first)
    tr = begin(url).partition("?")[0].rpartition("/")[2]
    wrong = {
        "edited": url[:-2] + ("AA" if url[-2:] != "AA" else "BB"),
        "other": f"{page_of(second)}/{tr}",  # somebody else's attempt under one's own link
        "nothing": "/pay/x",
        "late": f"/pay/{make_link(connection=first, at=NOW - timedelta(hours=73), business_at=town.TEN)}",
    }[spoil]
    refused = Client().get(f"{wrong}?lang=en")
    assert refused.status_code == 410
    text = refused.content.decode()
    assert "not valid" in text
    assert str(first) not in unquote(text)


@pytest.mark.parametrize("rupees", ["", "abc", "12.345", "-5", "0", "0.99", "9" * 13])
def test_an_amount_that_is_none_is_refused_in_words(database: Database, gateway: Gateway, rupees: str) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    refused = Client().post(f"{page_of(first)}?lang=en", {"rupees": rupees})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert "is not an amount" in text or "The payment is malformed" in text
    assert value("SELECT count(*) FROM payments_attempt") == 0


def test_while_the_bank_is_away_it_says_so_and_not_where_the_bank_is(database: Database, gateway: Gateway) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway.away = True
    refused = Client().post(f"{page_of(first)}?lang=en", {"rupees": "6000"})
    assert refused.status_code == 503
    text = refused.content.decode()
    assert WORDS["away"][1] in text
    assert "url" not in text
    assert value("SELECT count(*) FROM payments_attempt") == 0

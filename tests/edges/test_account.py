"""The consumer's own door: a code to his mobile, a session that ends, a link for one connection; no page of another."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.db import connection as django_connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bahal.domains.consumers import sign_in
from bahal.edges.portal import account_words, page
from bahal.foundation.rows import many, value
from bahal.gateways.sms.interface import Answer, Outgoing
from bahal.journeys.deliver_messages import deliver_messages
from bahal.journeys.sign_in_consumer import make_view_link
from tests.journeys import town
from tests.plugin.databases import Database

MOST_QUERIES = 25
HOSTILE = (
    "<script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202eएक उल्टा नाम\u202c",
    "لیلا",
    "अ" * 300,
    "=cmd|'/c calc'!A1",
)


class Phones:
    """An SMS centre that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Take all."""
        self.sent += messages
        return [Answer(each.reference, f"R{each.reference}") for each in messages]

    def code(self) -> str:
        """What stands in the latest message to a mobile."""
        deliver_messages(self, business_at=town.TEN)
        return re.findall(r"\d{6}", self.sent[-1].text)[0]


@pytest.fixture
def there(database: Database, open_door: Callable[..., None]) -> town.Town:
    """A town of three who owe, and pages that may be opened over plain HTTP."""
    open_door(rehearsal=True)
    return town.found(connections=3, reminded=False)


def asked(client: Client, number: object) -> str:
    """Ask for a code; the sign-in that the page holds."""
    sent = client.post("/my/enter", {"number": str(number)})
    assert sent.status_code == 200, sent.content.decode()
    return re.findall(r'name="sign_in" value="([^"]+)"', sent.content.decode())[0]


def signed_in(number: object) -> Client:
    """A browser in which a consumer has signed in."""
    client, phones = Client(), Phones()
    waiting = asked(client, number)
    opened = client.post("/my/code", {"sign_in": waiting, "code": phones.code()})
    assert opened.status_code == 303
    assert opened["Location"] == "/my/"
    return client


def looked(client: Client, path: str, **more: object) -> str:
    """A page, which must have come."""
    answer = client.get(path, **more)
    assert answer.status_code == 200, answer.content.decode()
    return str(answer.content.decode())


def test_a_code_opens_the_account_and_leaving_ends_it(there: town.Town) -> None:
    first = there.connections[0]
    client = signed_in(first)
    assert client.get("/my/")["Location"] == f"/my/{first}/"
    hindi = looked(client, f"/my/{first}/")
    assert "₹6,000.00" in hindi
    assert f"उपभोक्ता क्रमांक {first}" in hindi
    cookie = client.cookies[page.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/my")
    assert not value("SELECT EXISTS (SELECT FROM consumers_session WHERE token_sha256 = %s)", cookie.value)
    kept = cookie.value
    assert client.post("/my/leave").status_code == 303
    client.cookies[page.COOKIE] = kept
    assert client.get(f"/my/{first}/")["Location"] == "/my/enter?over=1"


def test_by_mobile_all_connections_of_it_are_opened(there: town.Town, database: Database) -> None:
    first, second, third = there.connections
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_consumer SET phone = '+919876543210' WHERE id IN (%s, %s)", [first, second])
    for written in ("9876543210", "+91 98765 43210", "०९८७६५४३२१०"):
        client = signed_in(written)
        assert f'href="/my/{second}/"' in looked(client, f"/my/{first}/")
        looked(client, f"/my/{second}/")
        assert client.get(f"/my/{third}/").status_code == 404
        with database.connect("owner") as owner:
            owner.execute("UPDATE consumers_signin SET asked_at = asked_at - interval '1 hour'")


def test_whoever_asks_is_told_the_same(there: town.Town) -> None:
    pages = {}
    for number in (there.connections[0], 2_299_999_999):
        sent = Client().post("/my/enter?lang=en", {"number": str(number)})
        text = sent.content.decode()
        pages[sent.status_code, re.sub(r'value="[^"]+"', "", text)] = number
    assert len(pages) == 1
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'sign_in'") == 1
    # Nor by the code: that of nobody's sign-in opens nothing, and says what a wrong one says.
    nobody = str(value("SELECT id FROM consumers_signin WHERE connections = '{}'"))
    refused = Client().post("/my/code?lang=en", {"sign_in": nobody, "code": sign_in.code_of(nobody)})
    assert refused.status_code == 422
    assert "This code is wrong or over" in refused.content.decode()


def test_the_code_stands_nowhere_in_the_database(there: town.Town) -> None:
    client, phones = Client(), Phones()
    waiting = asked(client, there.connections[0])
    code = phones.code()
    assert code == sign_in.code_of(waiting)
    rows = many("SELECT to_jsonb(m) - 'id' - 'phone' - 'connection' FROM notices_message m WHERE kind = 'sign_in'")
    rows += many("SELECT to_jsonb(s) - 'connections' - 'id' FROM consumers_signin s")
    kept = re.sub(r"[0-9a-f-]{36}|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[\d:.+]+", "", str(rows))
    assert code not in kept
    assert phones.sent[-1].variables == (code,)


def test_a_code_lives_five_minutes_and_five_tries_and_once(there: town.Town, database: Database) -> None:
    first = there.connections[0]
    client = Client()
    waiting = asked(client, first)
    right = sign_in.code_of(waiting)
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        assert client.post("/my/code", {"sign_in": waiting, "code": wrong}).status_code == 422
    assert client.post("/my/code", {"sign_in": waiting, "code": right}).status_code == 422
    late = asked(client, first)
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_signin SET expires_at = now() WHERE id = %s", [late])
    assert client.post("/my/code", {"sign_in": late, "code": sign_in.code_of(late)}).status_code == 422
    once = asked(client, first)
    assert client.post("/my/code", {"sign_in": once, "code": sign_in.code_of(once)}).status_code == 303
    assert Client().post("/my/code", {"sign_in": once, "code": sign_in.code_of(once)}).status_code == 422
    assert Client().post("/my/code", {"sign_in": "x", "code": "1"}).status_code == 422


def test_codes_are_few_for_a_number_and_from_an_address(there: town.Town) -> None:
    first = there.connections[0]
    for number in (first, 2_299_999_999):
        for _ in range(sign_in.MOST_OF_A_NUMBER):
            asked(Client(REMOTE_ADDR="10.0.0.1"), number)
        refused = Client(REMOTE_ADDR="10.0.0.2").post("/my/enter", {"number": str(number)})
        assert refused.status_code == 429
        assert "कोड" in refused.content.decode()
    # To the telephone too, by whatever number it is asked for: silently, for the number's owner is nobody's business.
    asked(Client(REMOTE_ADDR="10.0.0.3"), str(value("SELECT phone FROM consumers_consumer WHERE id = %s", first)))
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'sign_in'") == sign_in.MOST_OF_A_NUMBER
    for nth in range(sign_in.MOST_OF_AN_ADDRESS):
        asked(Client(REMOTE_ADDR="10.0.0.9"), 9_000_000_000 + nth)
    assert Client(REMOTE_ADDR="10.0.0.9").post("/my/enter", {"number": "9111111111"}).status_code == 429


@pytest.mark.parametrize("given", ["", "12", "abc", "22000000012345", "' OR 1=1 --", "२२०"])
def test_what_is_no_number_is_said(there: town.Town, given: str) -> None:
    refused = Client().post("/my/enter?lang=en", {"number": given})
    assert refused.status_code == 422
    assert "Write the ten digits" in refused.content.decode()


def test_a_session_that_is_not_used_closes_by_itself(there: town.Town, database: Database) -> None:
    first = there.connections[0]
    client = signed_in(first)
    looked(client, f"/my/{first}/")
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_session SET seen_at = seen_at - interval '16 minutes'")
    assert client.get(f"/my/{first}/")["Location"] == "/my/enter?over=1"
    client = signed_in(there.connections[1])
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_session SET opened_at = opened_at - interval '13 hours'")
    assert client.get("/my/").status_code == 303


def test_no_page_of_anybody_else_and_no_forged_session(there: town.Town) -> None:
    first, second, _ = there.connections
    client = signed_in(first)
    other = client.get(f"/my/{second}/?lang=en")
    assert other.status_code == 404
    assert str(second) not in other.content.decode()
    for forged in ("", "x" * 43, "' OR true --"):
        stranger = Client()
        stranger.cookies[page.COOKIE] = forged
        assert stranger.get(f"/my/{first}/").status_code == 303


def test_a_form_from_elsewhere_does_nothing(there: town.Town) -> None:
    strict = Client(enforce_csrf_checks=True)
    for path in ("/my/enter", "/my/code", "/my/leave"):
        assert strict.post(path, {"number": str(there.connections[0])}).status_code == 403
    assert value("SELECT count(*) FROM consumers_signin") == 0
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', strict.get("/my/enter").content.decode())[0]
    sent = strict.post("/my/enter", {"number": str(there.connections[0]), "csrfmiddlewaretoken": token})
    assert sent.status_code == 200
    assert strict.get("/my/enter")["Referrer-Policy"] == "same-origin"  # or a browser says `Origin: null`


def link(connection: int, *, at: datetime | None = None) -> str:
    """The pages behind a signed link."""
    return f"/see/{make_view_link(connection=connection, at=at or datetime.now(UTC), business_at=town.TEN)}"


def test_a_link_shows_one_connection_and_changes_nothing(there: town.Town) -> None:
    first = there.connections[0]
    root = link(first)
    text = looked(Client(), f"{root}/?lang=en")
    assert "₹6,000.00" in text
    assert f'href="{root}/bills"' in text
    assert f'href="{root}/settings"' not in text
    assert Client().post(f"{root}/").status_code in (404, 405)
    late = link(first, at=datetime.now(UTC) - timedelta(hours=73))
    for wrong in (root[:-2] + ("AA" if root[-2:] != "AA" else "BB"), "/see/x", late):
        refused = Client().get(f"{wrong}/?lang=en")
        assert refused.status_code == 410
        assert str(first) not in refused.content.decode()
    # A pay link is no view link, nor the other way round.
    pay = re.findall(r'href="/pay/([^"?]+)', text)[0]
    assert Client().get(f"/see/{pay}/").status_code == 410
    assert Client().get(f"/pay/{root.rpartition('/')[2]}").status_code == 410


def test_the_first_page_says_why(there: town.Town) -> None:
    text = looked(Client(), f"{link(there.connections[0])}/?lang=en")
    bill = value("SELECT number FROM billing_bill WHERE connection = %s", there.connections[0])
    assert f"Bill {bill}" in text
    assert "For a cut: counts" in text
    assert "over more than ₹5,000.00; today that is ₹6,000.00" in text
    assert "The supply is on" in text
    assert "written notice" in text


class Read(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_a_name(there: town.Town, database: Database, name: str) -> None:
    first = there.connections[0]
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_consumer SET name = %s, name_hi = '' WHERE id = %s", [name, first])
    text = looked(Client(), f"{link(first)}/")
    # As a browser reads it: the name is text, whole, and no tag or attribute came of it.
    read = Read()
    read.feed(text)
    assert not read.names & {"script", "svg", "img", "iframe", "object", "style"}
    assert not [each for each in read.attributes if each.startswith("on") or each in ("style", "src")]
    assert name in read.text


def test_pages_ask_few_questions_and_carry_no_script(there: town.Town) -> None:
    first = there.connections[0]
    client = signed_in(first)
    for path in (f"/my/{first}/",):
        with CaptureQueriesContext(
            django_connection,
        ) as asked_:
            answer = client.get(path)
        assert answer.status_code == 200
        assert len(asked_) <= MOST_QUERIES, [each["sql"] for each in asked_]
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["Cache-Control"] == "no-store"
        text = answer.content.decode()
        assert not re.search(r"<script|\son\w+=|\sstyle=|<style|javascript:", text)


def test_every_word_is_there_in_both_languages_and_used() -> None:
    folder = Path(page.__file__).parent
    templates = "".join(
        each.read_text("utf-8") for each in (folder / "templates" / "portal").glob("*.html") if each.name != "pay.html"
    )
    asked_ = set(re.findall(r"words\.(\w+)", templates))
    assert asked_ <= account_words.WORDS.keys()
    code = "".join(each.read_text("utf-8") for each in folder.glob("*.py") if "words" not in each.name)
    made = tuple(re.findall(r'say\(f"(\w+_)\{', code))
    said = set(re.findall(r'"(\w+)"', code))
    for name, (hindi, english) in account_words.WORDS.items():
        assert name in asked_ or name in said or name.startswith(made), name
        if name != "other_language":
            assert re.search("[\u0900-\u097f]", hindi), name
            assert not re.search("[\u0900-\u097f]", english), name
            assert set(re.findall(r"\{\w+\}", hindi)) == set(re.findall(r"\{\w+\}", english)), name

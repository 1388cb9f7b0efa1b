"""Signing in to the office: a password and a code that works once; sessions that end; forms that cannot be forged."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from bahal.domains.staff.errors import SignInRefused
from bahal.domains.staff.totp import code_of, step_of
from bahal.edges import gate
from bahal.foundation.rows import many, value
from bahal.journeys import sign_in as journey
from tests.edges import staff
from tests.journeys import town
from tests.plugin.databases import Database

# RFC 6238, appendix B, SHA-1: the secret is "12345678901234567890"; the last six of its eight digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}


@pytest.fixture
def people(database: Database) -> Iterator[None]:
    town.found(connections=1, reminded=False, due=0)
    staff.found_other_circle()
    staff.enrol()
    with staff.FAST:
        yield


def enter(
    client: Client, role: str = "cashier", *, password: str = staff.PASSWORD, code: str | None = None, **more: str
):
    return client.post(
        "/office/sign-in?lang=en",
        {
            "login": staff.login_of(role),
            "password": password,
            "code": staff.code_now() if code is None else code,
            **more,
        },
    )


@pytest.mark.parametrize(("second", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_standard(second: int, code: str) -> None:
    assert code_of(RFC_SECRET, second // 30) == code


def test_a_code_of_the_step_before_and_after_is_taken_and_no_other() -> None:
    at = datetime(2025, 11, 24, 4, 30, 15, tzinfo=UTC)
    step = int(at.timestamp()) // 30
    taken = [step_of(code_of(RFC_SECRET, step + by), secret=RFC_SECRET, at=at) for by in range(-3, 4)]
    assert taken == [None, None, step - 1, step, step + 1, None, None]
    assert step_of("", secret=RFC_SECRET, at=at) is None
    assert step_of(code_of(RFC_SECRET, step), secret="", at=at) is None
    assert step_of(code_of(RFC_SECRET, step), secret="not base32!", at=at) is None


def test_who_proves_himself_is_in_and_comes_to_the_page_he_wanted(people: None) -> None:
    client = Client()
    sent = client.get("/office/?a=1")
    assert sent.status_code == 303
    assert sent["Location"] == "/office/sign-in?next=%2Foffice%2F%3Fa%3D1"
    entered = enter(client, next="/office/?a=1")
    assert (entered.status_code, entered["Location"]) == (303, "/office/?a=1")
    cookie = entered.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == ""
    assert client.get("/office/").status_code == 200
    assert many("SELECT actor, data->>'role' FROM audit_entry WHERE act = 'staff.signed_in'") == [
        ("cashier1", "cashier")
    ]
    assert client.post("/office/sign-out").status_code == 303
    assert client.get("/office/").status_code == 303
    assert value("SELECT count(*) FROM django_session") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "guess"},
        {"password": ""},
        {"code": "000000x"},
        {"code": ""},
        {"role": "nobody"},
        {"role": "cashier' OR 1=1 --"},
        {"password": "x" * 5_000, "code": "y" * 5_000},
    ],
)
def test_whatever_is_wrong_is_refused_in_the_same_words(people: None, wrong: dict[str, str]) -> None:
    client = Client()
    refused = enter(client, **wrong)
    assert refused.status_code == 422
    text = refused.content.decode()
    assert SignInRefused.en in text
    assert "guess" not in text
    assert client.get("/office/").status_code == 303
    assert value("SELECT count(*) FROM staff_signin WHERE outcome = 'wrong'") == 1


def test_a_code_works_once_and_an_older_one_not_after_it(people: None) -> None:
    code, before = staff.code_now(), staff.code_now(-1)
    assert enter(Client(), code=code).status_code == 303
    assert enter(Client(), code=code).status_code == 422
    assert enter(Client(), code=before).status_code == 422


def test_after_five_wrong_tries_nothing_is_looked_at_for_a_while(people: None) -> None:
    for _ in range(journey.AT_MOST_HERE):
        assert enter(Client(), code="1").status_code == 422
    refused = enter(Client())
    assert refused.status_code == 429
    assert "try again in 15 minutes" in refused.content.decode()
    assert enter(Client(), "vigilance").status_code == 303, "others are not shut out"
    assert enter(Client(REMOTE_ADDR="198.51.100.7")).status_code == 303, "nor he himself from elsewhere"


def test_many_tries_at_once_are_counted_like_many_in_a_row(people: None) -> None:
    def guess(_nth: int) -> int:
        try:
            return int(enter(Client(), code="1").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(guess, range(12)))
    assert sorted(told) == [422] * 5 + [429] * 7
    assert value("SELECT count(*) FROM staff_signin") == journey.AT_MOST_HERE


def test_a_session_ends_when_nobody_is_there_and_a_page_that_asks_by_itself_is_nobody(people: None) -> None:
    long_ago = datetime.now(UTC) - gate.IDLE + timedelta(minutes=1)
    client = staff.browser("cashier", at=long_ago)
    assert client.get("/office/").status_code == 200
    assert datetime.fromisoformat(client.session["seen"]) > long_ago
    gone = staff.browser("cashier", at=datetime.now(UTC) - gate.IDLE - timedelta(seconds=1))
    assert gone.get("/office/").status_code == 303
    assert gone.get("/office/").status_code == 303


def test_a_session_ends_after_twelve_hours_in_any_case(people: None) -> None:
    client = staff.browser("cashier", at=datetime.now(UTC) - gate.LONGEST - timedelta(minutes=1))
    session = client.session
    session["seen"] = datetime.now(UTC).isoformat()
    session.save()
    assert client.get("/office/").status_code == 303


def test_signing_in_begins_a_new_session(people: None) -> None:
    client = staff.browser("auditor")
    before = client.session.session_key
    assert enter(client).status_code == 303
    assert client.session.session_key != before
    assert client.session["login"] == "cashier1"
    assert value("SELECT count(*) FROM django_session WHERE session_key = %s", before) == 0


@pytest.mark.parametrize("forged", ["x", "0123456789abcdefghijklmnopqrstuv", "../../etc", "a" * 4_000])
def test_a_session_that_we_did_not_give_opens_nothing(people: None, forged: str) -> None:
    client = Client()
    client.cookies["sessionid"] = forged
    assert client.get("/office/").status_code == 303


def test_who_left_the_company_is_out_at_once(people: None, database: Database) -> None:
    client = staff.browser("cashier")
    assert client.get("/office/").status_code == 200
    with database.connect("owner") as owner:
        owner.execute("DELETE FROM staff_officer WHERE login = 'cashier1'")
    assert client.get("/office/").status_code == 303
    assert value("SELECT count(*) FROM django_session") == 0


@pytest.mark.parametrize("path", ["/office/sign-in", "/office/sign-out"])
def test_a_form_without_its_pages_mark_does_nothing(people: None, path: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": "en"})
    refused = client.post(path, {"login": "cashier1", "password": staff.PASSWORD, "code": staff.code_now()})
    assert refused.status_code == 403
    assert gate.PageStale.en in refused.content.decode()
    assert value("SELECT count(*) FROM staff_signin") == 0


@pytest.mark.parametrize(
    "there", ["https://example.com/", "//example.com/office/", "/pay/x", "javascript:alert(1)", ""]
)
def test_after_signing_in_nobody_is_sent_elsewhere(people: None, there: str) -> None:
    assert enter(Client(), next=there)["Location"] == "/office/"


def test_a_byte_that_no_text_holds_is_refused_in_words(people: None) -> None:
    client = staff.browser("auditor")
    for url in ("/office/?x=%00", "/office/consumers/?q=a%00b", "/office/receipts/R%00", "/office/bills/%00"):
        assert client.get(url).status_code == 400, url
    assert Client().post("/office/sign-in", {"login": "a\0", "password": "x", "code": "1"}).status_code == 400


def test_pages_say_what_a_browser_may_do_with_them(people: None) -> None:
    for asked in (Client().get("/office/sign-in?lang=hi"), staff.browser("auditor").get("/office/?lang=hi")):
        policy = asked["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert asked["Cache-Control"] == "no-store"
        assert asked["X-Frame-Options"] == "DENY"
        text = asked.content.decode()
        assert '<html lang="hi">' in text
        assert not re.search(r"\son\w+=|style=|javascript:|<style", text)
        assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL) == [""]


def test_the_language_that_was_chosen_is_kept(people: None) -> None:
    client = Client(headers={"Accept-Language": "en"})
    assert '<html lang="en">' in client.get("/office/sign-in").content.decode()
    assert '<html lang="hi">' in client.get("/office/sign-in?lang=hi").content.decode()
    assert '<html lang="hi">' in client.get("/office/sign-in").content.decode()


def test_what_proves_an_officer_is_not_for_the_reader(people: None, database: Database) -> None:
    with database.connect("reader") as reader:
        assert reader.execute("SELECT count(*) FROM (SELECT login, role, office FROM staff_officer) o").fetchone()
        for hidden in ("password FROM staff_officer", "totp_secret FROM staff_officer", "* FROM django_session"):
            with pytest.raises(Exception, match="permission denied"):
                reader.execute(f"SELECT {hidden}")

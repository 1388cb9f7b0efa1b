"""Every page of the office, every role, two circles: nobody sees what is not for him or of another circle.

What is another circle's and what does not exist get the same answer.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bahal.domains.staff.errors import NotInYourCircle
from bahal.domains.staff.models import ROLES
from bahal.edges.gate import Door
from bahal.edges.office import DOORS, urlpatterns
from bahal.foundation.rows import value
from bahal.journeys import keep_counter
from bahal.journeys.admit_officer import LIES_IN
from bahal.journeys.dry_run import dry_run
from tests.edges import staff
from tests.journeys import town
from tests.plugin.databases import Database

FORMS = {
    "counter-open",
    "counter-close",
    "counter-take",
    "dry-run",
    "drive-propose",
    "drive-run",
    "drive-pause",
    "drive-stop",
}
"""Doors that take a form and nothing else."""
MOST_QUERIES = 25
FIRST = town.number(0)


@pytest.fixture
def here(database: Database) -> dict[str, Any]:
    """Of everything that a path may name one, all of the town's circle, beside another circle."""
    stands = town.found(connections=6)
    staff.found_other_circle()
    staff.enrol()
    keep_counter.add_counter(code="BSP1", office=300, actor="ee", **staff.TIMES)
    keep_counter.open_day(counter="BSP1", cashier="cashier1", count="0", **staff.TIMES)
    drive = stands.drive()
    paid = keep_counter.take_at_open_day(
        cashier="cashier1", key="k1", connection=FIRST, paise=100_00, instrument="cash", cheque=None,
        business_at=town.TEN,
    )  # fmt: skip
    return {
        "connection": FIRST,
        "receipt": paid.receipt,
        "bill": value("SELECT number FROM billing_bill WHERE connection = %s LIMIT 1", FIRST),
        "order": value("SELECT id FROM supply_order WHERE connection = %s LIMIT 1", FIRST),
        "drive": drive,
        "circle": town.CIRCLE,
        "run": dry_run(office=town.CIRCLE, maker="ee", cut_at=town.TEN, **staff.TIMES).run,
    }


def about(door: Door) -> list[str]:
    return re.findall(r"<\w+:(\w+)>", door.route)


def ask(client: Client, door: Door, things: Mapping[str, Any]):
    url = reverse(door.name, kwargs={name: things[name] for name in about(door)})
    return client.post(url) if door.name in FORMS else client.get(url)


def expected(door: Door) -> tuple[int, ...]:
    """How a page answers whom it is for; the town's bills came in with the books and have no lines to show."""
    return (200, 303, 422) if door.name in FORMS else (404,) if door.name == "bill" else (200,)


def test_every_page_stands_in_the_table_and_says_what_it_is_about() -> None:
    assert {each.name for each in urlpatterns} == {door.name for door in DOORS} | {"sign-in", "sign-out"}
    for door in DOORS:
        assert set(about(door)) <= LIES_IN.keys(), door.name
        assert door.roles


def test_every_page_every_role_two_circles(here: dict[str, Any]) -> None:
    for door in DOORS:
        stranger = ask(Client(), door, here)
        assert stranger.status_code == (401 if door.quiet else 303), door.name
        assert "sign-in" in stranger.headers.get("Location", "sign-in")
        for role in ROLES:
            told = ask(staff.browser(role), door, here)
            if role not in door.roles:
                assert told.status_code == 403, (door.name, role)
                assert f"Consumer {FIRST}" not in told.content.decode()
            else:
                # A form that was sent empty is refused in words; nothing else stops who may come in.
                assert told.status_code in expected(door), (door.name, role)
            theirs = ask(staff.browser(role, other=True), door, here)
            if role not in door.roles:
                assert theirs.status_code == 403, (door.name, role)
            elif about(door):
                assert theirs.status_code == 404, (door.name, role)
                assert NotInYourCircle.en.partition("}")[2] in theirs.content.decode()
            assert f"Consumer {FIRST}" not in theirs.content.decode(errors="replace"), (door.name, role)


def test_what_does_not_exist_is_answered_like_what_is_another_circles(here: dict[str, Any]) -> None:
    client = staff.browser("auditor", other=True)
    theirs = client.get(f"/office/consumers/{FIRST}")
    nobodys = client.get("/office/consumers/2299999999")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.content.decode().replace(str(FIRST), "N") == nobodys.content.decode().replace("2299999999", "N")


def test_the_search_finds_nobody_of_another_circle(here: dict[str, Any]) -> None:
    for text in ("Consumer", str(FIRST), f"M{FIRST}", f"70000{FIRST % 100000:05d}", "%", "___"):
        page = staff.browser("call_centre", other=True).get("/office/consumers/", {"q": text}, follow=True)
        assert f"Consumer {FIRST}" not in page.content.decode(), text
    assert staff.browser("call_centre").get("/office/consumers/", {"q": str(FIRST)}).status_code == 303


def test_no_page_asks_the_database_too_often(here: dict[str, Any]) -> None:
    for door in DOORS:
        if door.name in FORMS:
            continue
        client = staff.browser(sorted(door.roles)[0])
        with CaptureQueriesContext(connection) as asked:
            assert ask(client, door, here).status_code in expected(door)
        assert len(asked) <= MOST_QUERIES, (door.name, len(asked))
    many = staff.browser("call_centre")
    with CaptureQueriesContext(connection) as asked:
        assert many.get("/office/consumers/", {"q": "Consumer"}).content.decode().count("<tr>") > 6
    assert len(asked) <= MOST_QUERIES


def test_pages_are_marked_up_for_those_who_do_not_see_them(here: dict[str, Any]) -> None:
    for door in DOORS:
        if door.name in FORMS or door.quiet or door.name.startswith("receipt-"):
            continue
        text = ask(staff.browser(sorted(door.roles)[0]), door, here).content.decode()
        assert text.count("<h1") == 1, door.name
        assert text.count("<main") == 1
        assert re.search(r"<title>\s*\S", text)
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for kind, rest in re.findall(r"<(input|select|textarea)\b([^>]*)>", text):
            if 'type="hidden"' not in rest:
                named = re.search(r'id="([^"]+)"', rest)
                assert named is not None, (door.name, kind, rest)
                assert named[1] in labelled, (door.name, kind, rest)
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), door.name
        assert text.count("<table") == text.count("<caption"), door.name
        assert all('scope="' in cell for cell in re.findall(r"<th\b[^>]*>", text)), door.name
        assert not re.search(r"\son\w+=|style=|javascript:|<style", text), door.name

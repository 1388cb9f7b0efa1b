"""The control room's page: both languages, a strict policy for its content, and the figures of the drive."""

from collections.abc import Callable
from pathlib import Path

import polib
import pytest
from django.test import Client

import bahal
from bahal.edges.control_room import views
from bahal.shared.home import write_private
from tests.journeys import town
from tests.plugin.databases import Database

CATALOGUE = Path(bahal.__file__).parent / "locale" / "hi" / "LC_MESSAGES" / "django.po"


def test_before_the_first_drive(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)
    page = Client().get("/?lang=en").content.decode()
    assert "There is no drive yet." in page
    assert '<html lang="en">' in page


def test_a_drive_by_division(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)
    write_private(database.home.run / "endpoints.json", {"live": "http://localhost:8801"})
    town.found(connections=6).drive()
    page = Client().get("/?lang=hi")
    text = page.content.decode()
    assert "संभागवार आदेश" in text
    assert "पेंड्रा रोड" in text
    assert '<strong data-cell="state">चालू</strong>' in text
    assert text.count("</tr>") == 5
    assert '<td data-cell="total.orders">6</td>' in text
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src http://localhost:8801;" in policy
    assert "unsafe" not in policy
    assert "<style" not in text
    assert "style=" not in text
    assert "onclick" not in text


def test_it_is_for_those_who_may_come_in(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=False)
    assert Client().get("/").status_code == 401


@pytest.mark.parametrize("name", sorted(views.ASSETS))
def test_its_own_files_are_served_and_no_others(database: Database, name: str) -> None:
    served = Client().get(f"/assets/{name}")
    assert served.status_code == 200
    assert served["X-Content-Type-Options"] == "nosniff"
    assert Client().get("/assets/views.py").status_code == 404


def test_every_text_of_the_page_has_its_hindi() -> None:
    catalogue = {entry.msgid: entry.msgstr for entry in polib.pofile(str(CATALOGUE))}
    assert all(any("\u0900" <= letter <= "\u097f" for letter in text) for text in catalogue.values())
    template = (Path(views.__file__).parent / "templates" / "control_room" / "latest_drive.html").read_text("utf-8")
    asked = {piece.split('"')[1] for piece in template.split("{% translate ")[1:]}
    assert asked <= catalogue.keys()

"""The import says how a meter is reached, to both rooms alike; what does not go together is refused by its line."""

import csv
import io
from datetime import UTC, datetime

import pytest

from bahal.journeys.import_meters import Imported, import_meters
from tests.journeys import town
from tests.journeys.test_import_meters import HEADEND, INTERLOCK, refusals, row, unmetered
from tests.plugin.databases import Database


def load(*rows: dict[str, str]) -> Imported:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*row(0), "link", "gateway", "wport"], restval="")
    writer.writeheader()
    writer.writerows(rows)
    text.seek(0)
    return import_meters(
        rows=text,
        interlock_public=INTERLOCK.public_key().public_bytes_raw(),
        headend_public=HEADEND.public_key().public_bytes_raw(),
        actor="ee",
        at=datetime.now(UTC),
        business_at=town.TEN,
    )


def test_each_way_is_kept_in_both_rooms(database: Database) -> None:
    unmetered(database, 3)
    done = load(row(0), row(1, link="dial_in"), row(2, link="gateway", gateway="127.15.0.1:4059", wport="7"))
    assert (done.loaded, refusals(done)) == (3, [])
    with database.connect("owner") as owner:
        for room in ("interlock", "headend"):
            kept = owner.execute(f"SELECT link, gateway, wport FROM {room}_meter ORDER BY meter").fetchall()  # noqa: S608
            assert kept == [("dial_out", None, 1), ("dial_in", None, 1), ("gateway", "127.15.0.1:4059", 7)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"link": "carrier pigeon"}, "link"),
        ({"link": "gateway"}, "gateway"),
        ({"link": "gateway", "gateway": "nowhere:4059", "wport": "1"}, "gateway"),
        ({"link": "gateway", "gateway": "127.15.0.1", "wport": "1"}, "gateway"),
        ({"link": "dial_in", "gateway": "127.15.0.1:4059"}, "gateway"),
        ({"link": "gateway", "gateway": "127.15.0.1:4059"}, "wport"),
        ({"link": "gateway", "gateway": "127.15.0.1:4059", "wport": "65536"}, "wport"),
        ({"wport": "3"}, "wport"),
    ],
)
def test_what_does_not_go_together_is_refused(database: Database, given: dict[str, str], field: str) -> None:
    unmetered(database, 1)
    done = load(row(0, **given))
    assert (done.loaded, refusals(done)) == (0, [(2, "meter_row_malformed")])
    assert done.refused[0].refusal.data["field"] == field

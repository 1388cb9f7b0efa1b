"""Drives in a browser: the dry run with reasons, the funnel whose numbers open, pause and stop with a reason."""

import csv
import io
import re

import pytest

from bahal.domains.supply.queries import drive_of
from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.take_payment import take_payment
from bahal.journeys.watch_drive import STAGES, open_stage, watch_drive
from bahal.shared.home import write_private
from tests.edges import staff
from tests.journeys import interlock, town
from tests.plugin.databases import Database


@pytest.fixture
def place(database: Database) -> town.Town:
    made = town.found(connections=6)
    staff.enrol()
    return made


def order_of(connection: int, kind: str = "cut") -> int:
    return int(value("SELECT max(id) FROM supply_order WHERE connection = %s AND kind = %s", connection, kind))


def pay(connection: int) -> None:
    take_payment(
        key=f"k{connection}", connection=connection, paise=town.DUE, channel="upi", actor="test", business_at=town.TEN
    )


def lived(place: town.Town, database: Database) -> int:
    """One pays before the cut, two are cut of whom one pays and is lit, one is unknown, one waits for a lineman."""
    drive = place.drive()
    first, cut, lit, unknown, field, _ = place.connections
    interlock.lend(database)
    pay(first)
    for each in (cut, lit):
        interlock.cut(database, order=order_of(each))
    interlock.step(database, order=order_of(unknown), states=("claimed", "sent", "unknown"))
    interlock.step(database, order=order_of(field), states=("claimed", "sent", "unknown", "field_task"))
    confirm_relay(at=place.wall, business_at=town.TEN)
    pay(lit)
    interlock.restore(database, order=order_of(lit, "restore"))
    confirm_relay(at=place.wall, business_at=town.TEN)
    return drive


def test_the_funnel_tells_everybody_once_where_he_is_and_each_number_opens_to_its_list(
    place: town.Town, database: Database
) -> None:
    drive = lived(place, database)
    assert watch_drive(drive=drive).funnel == {
        "listed": 6, "notified": 6, "paid": 2, "excluded": 0, "waiting": 1, "sent": 4, "confirmed": 2, "unknown": 1,
        "field": 1, "restored": 1, "dark": 1,
    }  # fmt: skip
    client = staff.browser("executive_engineer")
    text = client.get(f"/office/drives/{drive}").content.decode()
    for stage, count in watch_drive(drive=drive).funnel.items():
        assert len(open_stage(drive=drive, stage=stage).rows) == count, stage
        assert f'people?stage={stage}"><span class="big">{count}</span>' in text
        listed = client.get(f"/office/drives/{drive}/people?stage={stage}").content.decode()
        assert listed.count("/office/consumers/2") == count
    assert "₹12,000.00" in text, "what came in"
    assert f'data-part="/office/drives/{drive}/funnel"' in text


def test_a_long_list_is_turned_page_by_page_and_loses_nobody(place: town.Town) -> None:
    drive = place.drive()
    seen: list[int] = []
    after: int | None = -1
    while after is not None:
        stage = open_stage(drive=drive, stage="listed", after=after, limit=4)
        seen += [row.connection for row in stage.rows]
        after = stage.after
    assert sorted(seen) == place.connections


def test_the_dry_run_gives_everybody_his_reasons_and_orders_nothing(place: town.Town) -> None:
    pay(place.connections[0])
    client = staff.browser("revenue_officer")
    sent = client.post(f"/office/circles/{town.CIRCLE}/dry-run")
    assert sent.status_code == 303
    text = client.get(sent["Location"]).content.decode()
    assert value("SELECT count(*) FROM supply_order") == 0
    counts = {code: int(count) for code, count in re.findall(r"reason=(\w+)\">(?:<[^>]*>)?(\d+)", text)}
    assert counts["due_below_minimum"] >= 1
    for code, count in counts.items():
        people = client.get(f"{sent['Location']}/people?reason={code}").content.decode()
        assert people.count("/office/consumers/2") == count, code
    first = client.get(f"{sent['Location']}/people?reason=due_below_minimum").content.decode()
    assert str(place.connections[0]) in first
    assert "enforceable due not over the minimum" in first


def test_what_is_no_stage_and_no_reason_is_refused_in_words(place: town.Town) -> None:
    drive = place.drive()
    client = staff.browser("auditor")
    for url in (
        f"/office/drives/{drive}/people?stage=x'--",
        f"/office/drives/{drive}/people?stage=listed&after={'9' * 40}",
        f"/office/drives/{drive}/people?stage=listed&after=-1",
        "/office/queue?name=users",
    ):
        assert client.get(url).status_code in (200, 422), url
    assert client.get(f"/office/drives/{drive}/people?stage=x'--").status_code == 422


@pytest.mark.parametrize(("act", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_pausing_and_stopping_need_a_reason(place: town.Town, act: str, state: str) -> None:
    drive = place.drive()
    client = staff.browser("superintending_engineer")
    for reason in ("", "   "):
        assert client.post(f"/office/drives/{drive}/{act}", {"reason": reason}).status_code == 422
    assert drive_of(drive=drive).state == "running"
    assert client.post(f"/office/drives/{drive}/{act}", {"reason": "a storm"}).status_code == 303
    assert drive_of(drive=drive).state == state
    ((actor, why),) = many("SELECT actor, data->>'reason' FROM audit_entry WHERE act = %s", f"supply.drive.{state}")
    assert (actor, why) == ("superintending_engineer1", "a storm")
    again = client.post(f"/office/drives/{drive}/{act}", {"reason": "a storm"})
    assert again.status_code == 422
    assert 'role="alert"' in again.content.decode()


def test_before_its_signatures_a_drive_leads_to_the_interlocks_page_and_cannot_run(
    place: town.Town, database: Database
) -> None:
    proposed = town.propose(town.draft_at_nine()).drive
    write_private(database.home.run / "endpoints.json", {"interlock": "http://localhost:8802"})
    client = staff.browser("executive_engineer")
    text = client.get(f"/office/drives/{proposed}").content.decode()
    assert f'href="http://localhost:8802/warrants/{drive_of(drive=proposed).warrant}"' in text
    assert "/run" not in text
    assert client.post(f"/office/drives/{proposed}/run").status_code == 422
    assert drive_of(drive=proposed).state == "proposed"


def test_lists_are_given_out_as_sheets_in_which_no_name_is_a_formula(place: town.Town, database: Database) -> None:
    drive = place.drive()
    with database.connect("owner") as owner:
        owner.execute(
            "UPDATE consumers_consumer SET name = '=HYPERLINK(\"http://x\")' WHERE id = %s", [place.connections[0]]
        )
    client = staff.browser("auditor")
    sheet = client.get(f"/office/drives/{drive}/people?stage=listed&as=csv")
    assert sheet["Content-Type"].startswith("text/csv")
    assert sheet["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert len(rows) == 6
    names = {int(row["consumer"]) if "consumer" in row else int(row["connection"]): row["name"] for row in rows}
    assert names[place.connections[0]] == '\'=HYPERLINK("http://x")'


def test_every_stage_has_a_name_on_the_page(place: town.Town) -> None:
    drive = place.drive()
    for language in ("hi", "en"):
        client = staff.browser("auditor", language=language)
        heads = {
            re.search(r"<h1>(.*?)</h1>", client.get(f"/office/drives/{drive}/people?stage={stage}").content.decode())[1]
            for stage in STAGES
        }
        assert len(heads) == len(STAGES)

"""A lineman's task, from what could not be done from afar to his report, sent twice, contradicted, settled."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from bahal.domains.fieldwork.errors import (
    ReporterMaySettleNot,
    ReportMalformed,
    ReportReused,
    ReportStands,
    WrongRole,
)
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, one, value
from bahal.gateways.photos.store import PhotoAltered, PhotoRefused, Photos
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.field_round import field_round, field_task
from bahal.journeys.report_task import Told, report_task, settle_report
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database

AFTER = town.TEN + timedelta(minutes=30)


class Place:
    """A town with a lineman, and the interlock's step lent."""

    def __init__(self, database: Database, *, connections: int = 1) -> None:
        self.town = town.found(connections=connections)
        times = {"actor": "test", "at": self.town.wall, "business_at": town.NINE}
        enrol_officers([town.officer("lineman", "lineman"), town.officer("second", "lineman")], **times)
        self.town.drive()
        interlock.lend(database)
        self.database = database

    def lose(self, nth: int = 0, *, reason: str = "not_moved") -> int:
        """A cut of the drive ends with a lineman; its task."""
        order = value("SELECT id FROM supply_order WHERE kind = 'cut' ORDER BY position OFFSET %s LIMIT 1", nth)
        interlock.step(self.database, order=order, states=("claimed", "sent", "unknown", "field_task"))
        return self.task_of(order, reason)

    def dark(self, nth: int = 0) -> tuple[int, int]:
        """A cut that worked, a payment, and a restore that did not: the connection and the restore's task."""
        cut, connection = one(
            "SELECT id, connection FROM supply_order WHERE kind = 'cut' ORDER BY position OFFSET %s LIMIT 1", nth
        ) or (0, 0)
        interlock.cut(self.database, order=cut)
        self.confirm()
        paid = take_payment(
            key=f"k{nth}", connection=connection, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN
        )
        assert paid.order is not None
        interlock.step(self.database, order=paid.order, states=("claimed", "sent", "unknown", "field_task"))
        return connection, self.task_of(paid.order, "unreachable")

    def task_of(self, order: int, reason: str) -> int:
        interlock.result(self.database, order=order, outcome="field_task", reason=reason)
        self.confirm()
        return int(value('SELECT id FROM fieldwork_task WHERE "order" = %s', order))

    def confirm(self) -> int:
        return confirm_relay(at=self.town.wall, business_at=town.TEN)

    def read(self, wh: int, *, before: timedelta = timedelta(days=1)) -> None:
        """The first meter's register as it was read last."""
        with self.database.connect("owner") as owner:
            owner.execute(
                "INSERT INTO readings_reading (meter, register, at, value, received_at)"
                " VALUES (%s, '1.0.1.8.0.255', %s, %s, now())",
                [f"M{self.town.connections[0]}", AFTER - before, wh],
            )

    def report(self, told: Told) -> tuple[bool, list[str]]:
        taken = report_task(told, at=self.town.wall, business_at=AFTER)
        return taken.closed, list(taken.against)


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def told(task: int, **more: object) -> Told:
    first = Told(id=str(uuid.uuid4()), task=task, lineman="lineman", at=AFTER, outcome="done", supply="on")
    return replace(first, **more)  # type: ignore[arg-type]


def test_the_same_transaction_that_finds_it_sends_a_lineman(place: Place) -> None:
    task = place.lose(reason="control_mode_0")
    assert many("SELECT kind, reason FROM fieldwork_task") == [("cut", "control_mode_0")]
    (stop,) = field_round(office=town.CIRCLE)
    assert (stop.task.id, stop.task.connection, stop.leg_m) == (task, place.town.connections[0], None)
    assert stop.position is not None
    assert (stop.position.latitude, stop.position.longitude) == (22.0, 82.1)
    assert stop.sentence("hi") == "अनुमति लेकर हाथ से काटें: इस मीटर की रिले दूर से नहीं चलती"
    assert stop.sentence("en") == "cut by hand, by leave asked on the spot: this meter's relay does not move by remote"
    assert field_round(office=301) == []


@pytest.mark.parametrize(
    ("reason", "kind"), [("unreachable", "cut"), ("already_off", "visit"), ("held", "visit"), ("paid", "visit")]
)
def test_what_took_the_right_to_cut_sends_nobody_to_cut(place: Place, reason: str, kind: str) -> None:
    place.lose(reason=reason)
    assert value("SELECT kind FROM fieldwork_task") == kind


def test_ready_for_reconnection_is_a_task_until_somebody_was_there(place: Place) -> None:
    first = place.town.connections[0]
    interlock.cut(place.database, order=value("SELECT id FROM supply_order"))
    place.confirm()
    paid = take_payment(key="k", connection=first, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN)
    assert paid.order is not None
    interlock.step(place.database, order=paid.order, states=("claimed", "sent", "confirmed"))
    interlock.result(place.database, order=paid.order, outcome="confirmed", reason="press_button")
    place.confirm()
    (stop,) = field_round()
    assert (stop.task.kind, stop.task.order) == ("restore", paid.order)
    assert "press" in stop.sentence("en")
    assert place.report(told(stop.task.id)) == (True, [])
    assert field_round() == []


def test_a_report_of_a_restore_lights_and_says_so_once(place: Place) -> None:
    connection, task = place.dark()
    assert value("SELECT desired FROM supply_fence") == "on"
    mine = told(task, seal="CG-77", wh=1_234_500, latitude=22.0, longitude=82.1)
    assert place.report(mine) == (True, [])
    assert place.report(mine) == (True, [])  # the phone had no line and sent it again
    assert value("SELECT count(*) FROM fieldwork_report") == 1
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'restored'") == 1
    assert one("SELECT closed_how FROM fieldwork_task WHERE id = %s", task) == ("report",)
    assert [each.act for each in story_of(connection=connection, language="en")][-2:] == [
        "fieldwork.reported",
        "fieldwork.closed",
    ]
    story = field_task(task=task)
    assert [(each.seal, each.wh, each.closes) for each in story.reports] == [("CG-77", 1_234_500, True)]


def test_the_same_id_with_other_words_is_refused(place: Place) -> None:
    _, task = place.dark()
    mine = told(task, outcome="not_done", supply="off")
    assert place.report(mine) == (False, [])
    with pytest.raises(ReportReused):
        place.report(replace(mine, seal="CG-1"))
    assert value("SELECT count(*) FROM fieldwork_report") == 1


def test_not_done_leaves_the_task_open(place: Place) -> None:
    _, task = place.dark()
    assert place.report(told(task, outcome="not_done", supply="off", note="house locked")) == (False, [])
    assert len(field_round()) == 1


def test_a_reading_below_the_last_register_wins_nothing(place: Place) -> None:
    _, task = place.dark()
    place.read(1_240_000)
    mine = told(task, wh=1_200_000)
    assert place.report(mine) == (False, ["reading_below_last"])
    assert len(field_round()) == 1
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'restored'") == 0
    assert many("SELECT kind, report::text, closed_at FROM meters_mismatch") == [("reading_below_last", mine.id, None)]
    times = {"at": place.town.wall, "business_at": AFTER}
    taken = settle_report(report=mine.id, officer="ee", accepted=True, reason="read again by the engineer", **times)
    assert taken.closed
    assert field_round() == []
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'restored'") == 1
    assert one("SELECT closed_by, outcome FROM meters_mismatch") == ("ee", "accepted")
    with pytest.raises(ReportStands):
        settle_report(report=mine.id, officer="ee", accepted=True, reason="again", **times)


def test_the_meter_against_the_report_is_queued_and_declined(place: Place) -> None:
    connection, task = place.dark()
    with place.database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO meters_relay (meter, closed, source, seen_at) VALUES (%s, false, 'push', %s)",
            [f"M{connection}", place.town.wall + timedelta(minutes=1)],
        )
    mine = told(task, lineman="ee")
    assert place.report(mine) == (False, ["relay_open"])
    times = {"at": place.town.wall, "business_at": AFTER}
    with pytest.raises(ReporterMaySettleNot):
        settle_report(report=mine.id, officer="ee", accepted=True, reason="mine", **times)
    assert not settle_report(report=mine.id, officer="se", accepted=False, reason="go again", **times).closed
    assert len(field_round()) == 1
    assert value("SELECT count(*) FROM meters_mismatch WHERE closed_at IS NULL") == 0


def test_one_seal_and_one_photo_are_of_one_place(database: Database) -> None:
    place = Place(database, connections=3)
    tasks = [place.lose(nth, reason="already_off") for nth in range(3)]
    look = {"supply": "unknown", "seal": "CG-1", "photo": "a" * 64}
    assert place.report(told(tasks[0], **look)) == (True, [])
    assert place.report(told(tasks[1], **look)) == (False, ["seal_elsewhere", "photo_elsewhere"])
    assert place.report(told(tasks[2], supply="unknown", latitude=22.1, longitude=82.1)) == (False, ["far_away"])


def test_a_cut_that_nobody_allowed_is_no_cut(place: Place) -> None:
    task = place.lose()
    assert place.report(told(task, supply="off")) == (False, ["cut_without_leave"])
    assert value("SELECT desired FROM supply_fence") == "on"


def test_who_and_what_cannot_report(place: Place) -> None:
    _, task = place.dark()
    with pytest.raises(WrongRole):
        place.report(told(task, lineman="cashier"))
    wrong = (
        {"id": "7"}, {"outcome": "perhaps"}, {"supply": "half"}, {"at": AFTER + timedelta(minutes=11)}, {"wh": -1},
        {"latitude": 22.0}, {"latitude": 91.0, "longitude": 82.0}, {"note": "x" * 2001}, {"seal": "मुहर"},
    )  # fmt: skip
    for each in wrong:
        with pytest.raises(ReportMalformed):
            place.report(told(task, **each))
    assert value("SELECT count(*) FROM fieldwork_report") == 0


def test_a_round_goes_to_the_dark_first_and_then_to_the_nearest(database: Database) -> None:
    place = Place(database, connections=3)
    cuts = [place.lose(1), place.lose(2)]
    _, restore = place.dark(0)
    with database.connect("owner") as owner:
        for nth, north in enumerate((22.3, 22.2, 22.1)):
            owner.execute(
                "UPDATE network_connection SET latitude = %s WHERE id = %s", [north, place.town.connections[nth]]
            )
    walk = field_round(start=(22.0, 82.1))
    assert [stop.task.id for stop in walk] == [restore, *cuts]
    assert [round((stop.leg_m or 0) / 1000) for stop in walk] == [33, 11, 11]


def test_what_was_reported_stays(place: Place) -> None:
    _, task = place.dark()
    place.report(told(task))
    with place.database.connect("app") as app:
        for statement in (
            "UPDATE fieldwork_report SET seal = 'x'",
            "DELETE FROM fieldwork_report",
            "DELETE FROM fieldwork_task",
            "DELETE FROM meters_mismatch",
            "TRUNCATE fieldwork_report",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(statement)


def test_a_photo_is_a_file_by_what_it_holds(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos")
    jpeg = b"\xff\xd8\xff" + b"meter" * 100
    kept = photos.keep(jpeg)
    assert photos.keep(jpeg) == kept
    assert [each.name for each in photos.place(kept).parent.iterdir()] == [kept]
    assert photos.fetch(kept) == jpeg
    photos.place(kept).write_bytes(jpeg + b"!")
    for gone in (kept, "0" * 64):
        with pytest.raises(PhotoAltered):
            photos.fetch(gone)
    for wrong in (b"GIF89a", b"", b"\xff\xd8\xff" + bytes(8 * 1024 * 1024)):
        with pytest.raises(PhotoRefused):
            photos.keep(wrong)

"""The recovery report adds up from stored facts."""

from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.recovery_report import recovery_report
from bahal.journeys.show_order import show_order
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def test_a_monday_in_small(database: Database) -> None:
    place = town.found(connections=6)
    payer, racer, dark, lost, dropout, waiting = place.connections

    def pay(connection: int, paise: int = town.DUE) -> int | None:
        return take_payment(
            key=f"{connection}-{paise}", connection=connection, paise=paise, channel="counter", actor="x",
            business_at=town.TEN,
        ).order  # fmt: skip

    pay(dropout)
    drive = place.drive()
    orders = dict(many("SELECT connection, id FROM supply_order"))
    interlock.lend(database)
    pay(racer)
    for connection in (payer, dark):
        interlock.cut(database, order=orders[connection])
    interlock.step(database, order=orders[lost], states=("claimed", "sent", "unknown", "field_task"))
    interlock.result(database, order=orders[lost], outcome="field_task", reason="no_answer")
    confirm_relay(at=place.wall, business_at=town.TEN)
    restore = pay(payer, town.DUE + 50)
    assert restore is not None
    interlock.restore(database, order=restore)
    confirm_relay(at=place.wall, business_at=town.TEN)
    town.deliver_all(town.TEN)
    report = recovery_report(drive=drive)
    assert report["proposed"] == 5
    assert report["dropped_out"] == 1
    assert report["cancelled_paid"] == 1
    assert report["not_sent"] == [{"state": "authorised", "reason": "", "count": 1}]
    assert (report["cut"]["sent"], report["cut"]["confirmed"], report["cut"]["field_tasks"]) == (3, 2, 1)
    assert sum(each["sent"] for each in report["cut"]["by_division"].values()) == 3
    assert report["paid"] == {"count": 1, "rupees": 6000, "raced": {"count": 1, "rupees": 6000}}
    assert report["restored"]["confirmed"] == 1
    assert 0 <= report["restored"]["p50_s"] == report["restored"]["p99_s"] < 60
    assert report["still_dark"] == 1
    assert report["sms"]["by_kind"] == {"cut": 2, "payment": 3, "reminder": 18, "restored": 1}
    assert report["funnel"]["proposed"] == 5
    assert report["alerts"] == []
    assert report["list_sha256"] == value("SELECT list_sha256 FROM supply_drive")
    story = show_order(order=orders[payer])
    assert (story["state"], [each["outcome"] for each in story["evidence"]]) == ("confirmed", ["confirmed"])
    assert waiting in orders

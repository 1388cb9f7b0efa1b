"""A consumer's page: one timeline of everything, why it is dark and why it is on, and who looked."""

import re

import pytest

from bahal.foundation.rows import value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.take_payment import take_payment
from tests.edges import staff
from tests.journeys import interlock, town
from tests.plugin.databases import Database

FIRST = town.number(0)


@pytest.fixture
def place(database: Database) -> town.Town:
    made = town.found(connections=2)
    staff.enrol()
    interlock.lend(database)
    return made


def page(language: str = "en", role: str = "call_centre") -> str:
    return staff.browser(role, language=language).get(f"/office/consumers/{FIRST}").content.decode()


def test_it_says_why_it_is_dark_and_then_why_it_is_on(place: town.Town, database: Database) -> None:
    assert "there was no order" in page()
    place.drive()
    cut = value("SELECT id FROM supply_order WHERE connection = %s", FIRST)
    assert f"Cut {cut} (non-payment, section 56) is under way" in page()
    interlock.cut(database, order=cut)
    confirm_relay(at=place.wall, business_at=town.TEN)
    dark = page()
    assert f"The supply is cut: order {cut}, non-payment, section 56. Due ₹6,000.00" in dark
    assert "बिजली कटी है" in page("hi")
    taken = take_payment(key="k", connection=FIRST, paise=town.DUE, channel="upi", actor="test", business_at=town.TEN)
    assert f"Restore {taken.order} is under way" in page()
    interlock.restore(database, order=taken.order or 0)
    confirm_relay(at=place.wall, business_at=town.TEN)
    lit = page()
    assert f"The supply is on: restore {taken.order} is done." in lit
    assert "Nothing is due" in lit


def test_a_relay_that_no_order_explains_is_named(place: town.Town, database: Database) -> None:
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO meters_relay (meter, closed, source, seen_at) VALUES (%s, false, 'read', now())", [f"M{FIRST}"]
        )
    assert "there is no order of ours" in page()


def test_one_timeline_holds_bills_notices_messages_acts_and_who_looked(place: town.Town) -> None:
    take_payment(key="k", connection=FIRST, paise=100_00, channel="upi", actor="test", business_at=town.TEN)
    page("en", "auditor")
    page("en", "auditor")
    text = page()
    for told in (
        f"Bill B{FIRST}-7: ₹3,000.00",
        "Written notice issued: ₹6,000.00",
        "SMS, delivered:",
        "₹100.00 received",
    ):
        assert told in text, told
    assert text.count("looked at this account") == 1, "once a day, and whoever looks now is not told of himself"
    days = re.findall(r"<time>(\d\d)-(\d\d)-(\d{4})", text)
    order = [(year, month, date) for date, month, year in days]
    assert order == sorted(order, reverse=True)
    hindi = page("hi")
    assert "यह खाता देखा" in hindi
    assert "लिखित सूचना जारी: ₹6,000.00" in hindi


def test_a_telephone_is_shown_by_its_last_digits_alone(place: town.Town) -> None:
    assert f"+9170000{FIRST % 100000:05d}" not in page()
    assert f"70000{FIRST % 100000:05d}" not in page()

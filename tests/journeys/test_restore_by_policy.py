"""Emergency days and the ladder of part payments: given by the policy, as often as it says, and held for those days."""

from datetime import date, timedelta

import pytest

from bahal.domains.supply.errors import EmergencyUsed, NotCutForDebt
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, one, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.restore_by_policy import climb_ladder, restore_in_emergency
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database

LADDER = "[[50, 75, 3], [75, 100, 7]]"


def cut_down(database: Database, *, connections: int = 1, **rules: object) -> town.Town:
    place = town.found(connections=connections)
    if rules:
        town.set_policy(town.policy("laddered", effective_from=date(2025, 8, 2), **rules))
    place.drive()
    interlock.lend(database)
    for (order,) in many("SELECT id FROM supply_order"):
        interlock.cut(database, order=order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    return place


def pay(connection: int, percent: int, key: str) -> None:
    paise = town.DUE * percent // 100
    take_payment(key=key, connection=connection, paise=paise, channel="upi", actor="x", business_at=town.TEN)


def climb(place: town.Town) -> int:
    return climb_ladder(at=place.wall, business_at=town.TEN)


def test_emergency_days_are_given_once_a_year_and_held(database: Database) -> None:
    place = cut_down(database)
    first = place.connections[0]
    times = {"actor": "consumer", "at": place.wall, "business_at": town.TEN}
    granted = restore_in_emergency(connection=first, **times)
    assert granted.until == town.TEN + timedelta(days=5)
    assert one("SELECT kind, ground, need, recall FROM supply_order WHERE id = %s", granted.order) == (
        "restore", "emergency", 1, None
    )  # fmt: skip
    assert one("SELECT kind, expires_at FROM arrears_hold WHERE id = %s", granted.hold) == ("emergency", granted.until)
    with pytest.raises(NotCutForDebt):
        restore_in_emergency(connection=first, **times)
    interlock.restore(database, order=granted.order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    assert "supply.restore.granted" in [each.act for each in story_of(connection=first, language="hi")]
    with database.connect("owner") as owner:  # cut again, lawfully, a month later
        owner.execute("ALTER TABLE supply_order DISABLE TRIGGER USER")
        owner.execute(
            "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends, sent_at) SELECT meter, connection, 'cut', ground,"
            " 'confirmed', '', '', 9, 0, due_paise, '', '', now(), 1, 1, now() FROM supply_order WHERE kind = 'cut'"
        )
        owner.execute("ALTER TABLE supply_order ENABLE TRIGGER USER")
    later = times | {"business_at": town.TEN + timedelta(days=40)}
    with pytest.raises(EmergencyUsed):
        restore_in_emergency(connection=first, **later)
    assert restore_in_emergency(connection=first, **(times | {"business_at": town.TEN + timedelta(days=366)}))


def test_no_ladder_no_light_for_a_part(database: Database) -> None:
    place = cut_down(database)
    pay(place.connections[0], 90, "a")
    assert climb(place) == 0
    assert value("SELECT count(*) FROM supply_order WHERE kind = 'restore'") == 0


def test_a_part_payment_gives_the_days_of_its_rung_once(database: Database) -> None:
    place = cut_down(database, connections=4, ladder=LADDER)
    little, half, most, whole = place.connections
    for connection, percent in ((little, 49), (half, 50), (most, 80), (whole, 100)):
        pay(connection, percent, f"k{connection}")
    assert climb(place) == 2
    assert climb(place) == 0
    orders = many("SELECT connection, ground FROM supply_order WHERE kind = 'restore' ORDER BY connection")
    assert orders == [(half, "part_payment"), (most, "part_payment"), (whole, "nonpayment_s56")]
    holds = many("SELECT connection, expires_at FROM arrears_hold ORDER BY connection")
    assert holds == [(half, town.TEN + timedelta(days=3)), (most, town.TEN + timedelta(days=7))]
    pay(little, 10, "more")  # now 59 in a hundred
    assert climb(place) == 1
    pay(half, 30, "again")
    assert climb(place) == 0


def test_a_payment_seen_late_is_not_passed_over(database: Database) -> None:
    place = cut_down(database, connections=2, ladder=LADDER)
    first, second = place.connections
    early = value("SELECT nextval('payments_payment_id_seq')")  # drawn, and committed only after a later one was seen
    pay(second, 60, "b")
    assert climb(place) == 1
    pay(first, 60, "a")
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE payments_payment DISABLE TRIGGER USER")
        owner.execute("UPDATE payments_payment SET id = %s WHERE connection = %s", (early, first))
        owner.execute("ALTER TABLE payments_payment ENABLE TRIGGER USER")
    assert climb(place) == 1

"""A meter closed by force is told at once; a relay that an order moved is no alarm."""

from bahal.domains.protection.rules import LOAD_DISCONNECTED
from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.raise_alerts import raise_alerts
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database

CONNECTED = "0" * 32


def esw(*bits: int) -> str:
    return f"{sum(1 << (127 - bit) for bit in bits):032x}"


def push(database: Database, meter: str, word: str, counter: int) -> None:
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO protection_event (meter, esw, counter, received_at, business_at)"
            " VALUES (%s, %s, %s, clock_timestamp(), %s)",
            [meter, word, counter, town.TEN],
        )


def judge(place: town.Town) -> list[tuple[str, int, str]]:
    while raise_alerts(at=place.wall, business_at=town.TEN):
        pass
    return [tuple(row) for row in many("SELECT meter, connection, kind FROM protection_alert ORDER BY id")]


def dark_town(database: Database) -> tuple[town.Town, int, str]:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.cut(database, order=value("SELECT id FROM supply_order"))
    return place, first, f"M{first}"


def test_a_forced_close_is_an_alert_before_the_cut_is_even_handled(database: Database) -> None:
    place, first, meter = dark_town(database)
    push(database, meter, esw(LOAD_DISCONNECTED), 1)
    assert judge(place) == []
    assert many("SELECT closed, source FROM meters_relay") == [(False, "push")]
    push(database, meter, CONNECTED, 2)
    assert judge(place) == [(meter, first, "forced_close")]
    assert many("SELECT closed, source FROM meters_relay") == [(True, "push")]
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'protection.alert' AND connection = %s", first) == 1


def test_a_word_from_before_the_cut_is_no_alert(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    meter = f"M{place.connections[0]}"
    push(database, meter, CONNECTED, 1)
    interlock.lend(database)
    interlock.cut(database, order=value("SELECT id FROM supply_order"))
    confirm_relay(at=place.wall, business_at=town.TEN)
    assert judge(place) == []


def test_a_restored_meter_may_say_so(database: Database) -> None:
    place, first, meter = dark_town(database)
    paid = take_payment(key="k", connection=first, paise=town.DUE, channel="upi", actor="x", business_at=town.TEN)
    push(database, meter, CONNECTED, 1)
    assert judge(place) == []
    assert paid.order is not None
    interlock.restore(database, order=paid.order)
    push(database, meter, CONNECTED, 2)
    assert judge(place) == []


def test_a_tamper_is_told_when_it_begins(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    first = place.connections[0]
    meter = f"M{first}"
    for counter, word in enumerate((esw(), esw(83), esw(81, 83), esw(), esw(83))):
        push(database, meter, word, counter)
    push(database, "unknown-meter", esw(81), 1)
    assert [kind for _, _, kind in judge(place)] == ["cover_open", "magnet", "cover_open"]
    assert value("SELECT count(*) FROM protection_event WHERE handled_at IS NULL") == 0

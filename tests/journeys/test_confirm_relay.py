"""What the interlock found is drawn into desired state, messages, tasks and sentences, once."""

from bahal.domains.supply.operations import take_outcomes
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, one, value
from bahal.foundation.transactions import transaction
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.order_restore import order_restore
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def confirm(place: town.Town) -> int:
    return confirm_relay(at=place.wall, business_at=town.TEN)


def kinds(connection: int) -> list[str]:
    rows = many(
        "SELECT kind FROM notices_message WHERE connection = %s AND kind NOT IN ('reminder', 'statutory') ORDER BY id",
        connection,
    )
    return [row[0] for row in rows]


def test_from_cut_to_light(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    cut = value("SELECT id FROM supply_order")
    interlock.cut(database, order=cut)
    assert confirm(place) == 1
    assert value("SELECT desired FROM supply_fence") == "off"
    paid = take_payment(key="k", connection=first, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN)
    assert paid.order is not None
    interlock.restore(database, order=paid.order)
    assert confirm(place) == 1
    assert confirm(place) == 0
    assert value("SELECT desired FROM supply_fence") == "on"
    assert kinds(first) == ["cut", "payment", "restored"]
    restored = one("SELECT text, \"order\" FROM notices_message WHERE kind = 'restored'")
    assert restored == (f"क्र. {first}: आपकी बिजली 10:00 बजे बहाल कर दी गई है। धन्यवाद।", paid.order)
    assert [told.act for told in story_of(connection=first, language="en")] == [
        "notice.served",
        "supply.cut.confirmed",
        "payment.taken",
        "supply.restore.ordered",
        "supply.restore.confirmed",
    ]


def test_who_must_press_the_button_is_told_so(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.cut(database, order=value("SELECT id FROM supply_order"))
    confirm(place)
    paid = take_payment(key="k", connection=first, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN)
    assert paid.order is not None
    interlock.step(database, order=paid.order, states=("claimed", "sent", "confirmed"))
    interlock.result(database, order=paid.order, outcome="confirmed", reason="press_button")
    assert confirm(place) == 1
    told = one("SELECT template, text FROM notices_message WHERE kind = 'restored'")
    assert told == (
        "BAHAL-RES-HI-2", f"क्र. {first}: 10:00 बजे बहाली का आदेश मीटर तक पहुँचा। बिजली चालू करने को मीटर का बटन दबाएँ।"
    )  # fmt: skip


def test_a_cut_overtaken_by_a_payment_leaves_the_supply_wanted(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    cut = value("SELECT id FROM supply_order")
    interlock.step(database, order=cut, states=("claimed", "sent"))
    paid = take_payment(key="k", connection=first, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN)
    assert paid.order is not None
    interlock.step(database, order=cut, states=("confirmed",))
    interlock.result(database, order=cut, outcome="confirmed")
    assert confirm(place) == 1
    assert value("SELECT desired FROM supply_fence") == "on"
    assert kinds(first) == ["payment"]


def test_a_lost_order_becomes_one_field_task(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    interlock.lend(database)
    cut = value("SELECT id FROM supply_order")
    interlock.step(database, order=cut, states=("claimed", "sent", "unknown", "field_task"))
    for outcome in ("unknown", "field_task", "field_task"):
        interlock.result(database, order=cut, outcome=outcome, reason="no_answer")
    assert confirm(place) == 3
    assert many('SELECT connection, "order", reason FROM fieldwork_task') == [(place.connections[0], cut, "no_answer")]
    assert value("SELECT desired FROM supply_fence") == "on"


def test_what_ended_at_the_interlock_is_told(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    interlock.lend(database)
    cut = value("SELECT id FROM supply_order")
    interlock.step(database, order=cut, states=("claimed", "refused"))
    interlock.result(database, order=cut, outcome="refused", reason="fence_moved")
    assert confirm(place) == 1
    assert story_of(connection=place.connections[0], language="en")[-1].sentence == (
        f"Order {cut} ended as refused at the interlock: the account changed after the signatures."
    )


def test_workers_side_by_side_handle_each_result_once(database: Database) -> None:
    place = town.found(connections=4)
    place.drive()
    interlock.lend(database)
    for row in many("SELECT id FROM supply_order"):
        interlock.cut(database, order=row[0])
    with database.connect("app", autocommit=False) as other:
        other.execute("SELECT FROM supply_result ORDER BY id LIMIT 2 FOR UPDATE")
        assert confirm(place) == 2
        with transaction():
            assert take_outcomes(limit=10) == []
        other.rollback()
    assert confirm(place) == 2
    assert value("SELECT count(*) FROM notices_message WHERE kind = 'cut'") == 4


def test_an_officers_restore_cancels_the_waiting_cut(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    times = {"at": place.wall, "business_at": town.TEN}
    order = order_restore(connection=first, officer="se", ground="safety", reason="hospital ward", **times)
    assert one("SELECT state, reason FROM supply_order WHERE kind = 'cut'") == ("cancelled", "restore_ordered")
    again = order_restore(connection=first, officer="ee", ground="own_request", reason="asked", **times)
    assert again == order

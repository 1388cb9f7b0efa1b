"""The three truths of a relay are kept apart; what does not agree is queued, and leaves by itself when it agrees."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.meters.errors import MismatchUnknown
from bahal.domains.meters.models import MISMATCHES
from bahal.domains.meters.queries import open_mismatches, truths_of
from bahal.domains.meters.truths import SETTLES, Facts, mismatches
from bahal.foundation.rows import many, one, value
from bahal.journeys.close_mismatch import close_mismatch
from bahal.journeys.compare_truths import compare_truths
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.see_again import see_again
from bahal.journeys.take_payment import take_payment
from tests.journeys import interlock, town
from tests.plugin.databases import Database

AFTER = town.TEN + timedelta(hours=2)
WALL = datetime(2026, 1, 1, tzinfo=UTC)
CUT = Facts(
    cut=True, confirmed=True, by_hand=False, acknowledged=False, acknowledged_at=WALL, closed=False, seen_at=WALL,
    load=False,
)  # fmt: skip
LIT = replace(CUT, cut=False, confirmed=False, acknowledged=True, closed=True, load=None)


def test_truths_that_agree_are_no_mismatch() -> None:
    for each in (
        CUT,
        LIT,
        replace(CUT, load=None),
        replace(LIT, closed=False),
        Facts(False, False, False, *[None] * 5),
    ):
        assert mismatches(each) == ()


def test_each_pair_that_does_not_agree_has_its_name() -> None:
    later = WALL + SETTLES + timedelta(seconds=1)
    each = {
        "off_said_on_read": replace(CUT, confirmed=False, closed=True),
        "off_said_load_flows": replace(CUT, confirmed=False, closed=None, seen_at=None, load=True),
        "off_read_load_flows": replace(CUT, load=True),
        "on_without_order": replace(CUT, closed=True),
        "on_said_off_read": replace(LIT, closed=False, seen_at=later),
    }
    assert tuple(each) == MISMATCHES[: len(each)]
    for code, facts in each.items():
        assert mismatches(facts) == (code,)
    assert mismatches(replace(CUT, by_hand=True, acknowledged=None, closed=True, load=True)) == ("on_without_order",)
    assert mismatches(replace(LIT, closed=False, seen_at=later, lineman_comes=True)) == ()
    # A relay that was read before it was told to open says nothing.
    before = replace(CUT, confirmed=False, closed=True, seen_at=WALL - timedelta(seconds=1))
    assert mismatches(before) == ()


instants = st.none() | st.sampled_from([WALL, WALL + timedelta(seconds=1), WALL + timedelta(minutes=6)])
maybe = st.none() | st.booleans()
facts = st.builds(
    Facts, cut=st.booleans(), confirmed=st.booleans(), by_hand=st.booleans(), acknowledged=maybe,
    acknowledged_at=instants, closed=maybe, seen_at=instants, load=maybe, lineman_comes=st.booleans(),
)  # fmt: skip


@given(facts)
def test_a_house_that_is_lit_in_every_way_accuses_nobody(asked: Facts) -> None:
    found = mismatches(asked)
    assert set(found) <= set(MISMATCHES)
    if not asked.cut:
        assert set(found) <= {"on_said_off_read"}
    if asked.cut and not asked.closed and not asked.load:
        assert found == ()


class Cut:
    """One connection, cut and read back open."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.town = town.found(connections=1)
        self.town.drive()
        self.connection = self.town.connections[0]
        self.meter = f"M{self.connection}"
        interlock.lend(database)
        self.order = value("SELECT id FROM supply_order")
        interlock.cut(database, order=self.order)
        confirm_relay(at=self.town.wall, business_at=town.TEN)
        self.say("acknowledged = false, acknowledged_at = now(), closed = false, source = 'order', seen_at = now()")

    def say(self, truths: str) -> None:
        with self.database.connect("owner") as owner:
            owner.execute("INSERT INTO meters_relay (meter) VALUES (%s) ON CONFLICT DO NOTHING", [self.meter])
            owner.execute(f"UPDATE meters_relay SET {truths} WHERE meter = %s", [self.meter])  # noqa: S608

    def compare(self) -> int:
        return compare_truths(at=datetime.now(UTC), business_at=AFTER)

    def read(self, *registers: tuple[int, int]) -> None:
        """The register in Wh, so many minutes after ten."""
        with self.database.connect("owner") as owner:
            for minutes, wh in registers:
                owner.execute(
                    "INSERT INTO readings_reading (meter, register, at, value, received_at)"
                    " VALUES (%s, '1.0.1.8.0.255', %s, %s, now())",
                    [self.meter, town.TEN + timedelta(minutes=minutes), wh],
                )


@pytest.fixture
def cut(database: Database) -> Cut:
    return Cut(database)


def queue() -> list[str]:
    return [each.kind for each in open_mismatches()]


def alerts() -> list[tuple[object, ...]]:
    return many("SELECT kind, role, closed_at IS NULL FROM protection_alert ORDER BY id")


def test_a_dark_house_is_compared_and_nothing_is_queued(cut: Cut) -> None:
    cut.read((-60, 5_000), (1, 7_000), (60, 7_020))  # what it used before ten is its own
    assert cut.compare() == 0
    truths = truths_of(meter=cut.meter)
    assert (truths.acknowledged, truths.closed, truths.load) == (False, False, False)
    assert truths.load_at == town.TEN + timedelta(minutes=60)


def test_energy_behind_an_open_relay_is_queued_and_told_to_vigilance(cut: Cut) -> None:
    cut.read((1, 7_000), (60, 7_500))
    assert cut.compare() == 1
    assert cut.compare() == 0
    assert queue() == ["off_read_load_flows"]
    (found,) = open_mismatches()
    assert (found.facts["load"], found.facts["closed"]) == (True, False)
    assert alerts() == [("forced_close", "vigilance", True)]
    # Before it is held against anybody the meter is asked again by the interlock, in an association that proves itself.
    see_again(at=datetime.now(UTC), business_at=AFTER)
    assert value("SELECT count(*) FROM interlock_look WHERE register = '0.0.96.3.10.255'") == 1


def test_intervals_after_the_cut_count_and_those_before_do_not(cut: Cut) -> None:
    with cut.database.connect("owner") as owner:
        owner.execute("SELECT readings_partitions(ARRAY['2025-11-24']::date[], '{}')")
        for batch, late in ((1, 0), (2, 300)):
            wh = [400] * 20 + [late] * 4  # half hours: ten o'clock is the 21st
            owner.execute(
                "INSERT INTO readings_load (day, meter, batch, at, slots, have, asked, wh, noted)"
                " VALUES ('2025-11-24', %s, %s, now(), 48, repeat('0', 96)::bit(96), repeat('0', 96)::bit(96), %s, 0)",
                [cut.meter, batch, wh],
            )
            cut.compare()
            assert queue() == ([] if not late else ["off_read_load_flows"])
    assert truths_of(meter=cut.meter).load_at == town.TEN + timedelta(hours=2)


def test_a_push_alone_queues_and_accuses_nobody_and_an_authenticated_read_decides(cut: Cut) -> None:
    with cut.database.connect("owner") as owner:
        owner.execute("INSERT INTO interlock_import VALUES (gen_random_uuid(), '')")
        owner.execute(
            "INSERT INTO interlock_meter (meter, connection, make, system_title, host, port, cell, phase, import,"
            " sealed) SELECT %s, %s, 'arpa', '12345678', 'h', 1, 'c', 1, id, '' FROM interlock_import",
            [cut.meter, cut.connection],
        )
    cut.say("closed = true, source = 'push', seen_at = now()")
    assert cut.compare() == 1
    assert queue() == ["on_without_order"]
    assert alerts() == []
    look = value("SELECT look FROM meters_mismatch")
    with cut.database.connect("owner") as owner:
        owner.execute("UPDATE interlock_look SET value = 0, done_at = clock_timestamp() WHERE id = %s", [look])
    assert cut.compare() == 1  # the relay is open: the push was older than the cut
    assert queue() == []
    assert one("SELECT closed_by, outcome FROM meters_mismatch") == ("worker", "agreed")
    cut.say("closed = true, source = 'push', seen_at = now()")
    cut.compare()
    with cut.database.connect("owner") as owner:
        owner.execute("UPDATE interlock_look SET value = 1, done_at = clock_timestamp() WHERE value IS NULL")
    assert cut.compare() == 0
    assert queue() == ["on_without_order"]
    assert alerts() == [("forced_close", "vigilance", True)]
    assert truths_of(meter=cut.meter).closed is True


def test_who_pays_is_no_mismatch(cut: Cut) -> None:
    cut.say("closed = true, source = 'push', seen_at = now()")
    cut.compare()
    assert queue() == ["on_without_order"]
    paid = take_payment(
        key="k", connection=cut.connection, paise=town.DUE, channel="upi", actor="cashier", business_at=AFTER
    )
    assert paid.order is not None
    assert cut.compare() == 1
    assert queue() == []


def test_a_person_closes_with_what_it_was(cut: Cut) -> None:
    cut.read((1, 7_000), (60, 7_500))
    cut.compare()
    (found,) = open_mismatches()
    times = {"at": cut.town.wall, "business_at": AFTER}
    close_mismatch(mismatch=found.id, officer="ee", outcome="bypass found, FIR 12/2025", **times)
    assert queue() == []
    with pytest.raises(MismatchUnknown):
        close_mismatch(mismatch=found.id, officer="ee", outcome="again", **times)
    cut.compare()  # it still draws: it comes back for the next look
    assert queue() == ["off_read_load_flows"]


def test_a_relay_that_lies_is_told_apart_from_one_that_was_closed(cut: Cut) -> None:
    with cut.database.connect("owner") as owner:
        owner.execute("ALTER TABLE supply_order DISABLE TRIGGER ALL")
        owner.execute("UPDATE supply_order SET state = 'field_task', reason = 'not_moved', sent_at = now()")
        owner.execute("DELETE FROM supply_result")
    cut.say("closed = true, source = 'order', seen_at = now()")
    cut.compare()
    assert queue() == ["off_said_on_read"]
    assert alerts() == []


def test_a_task_that_the_meter_overtook_is_closed(cut: Cut) -> None:
    paid = take_payment(
        key="k", connection=cut.connection, paise=town.DUE, channel="upi", actor="cashier", business_at=town.TEN
    )
    assert paid.order is not None
    interlock.step(cut.database, order=paid.order, states=("claimed", "sent", "confirmed"))
    interlock.result(cut.database, order=paid.order, outcome="confirmed", reason="press_button")
    confirm_relay(at=datetime.now(UTC), business_at=town.TEN)
    cut.compare()
    assert value("SELECT closed_at FROM fieldwork_task") is None
    cut.say("closed = true, source = 'push', seen_at = clock_timestamp()")
    cut.compare()
    assert value("SELECT closed_how FROM fieldwork_task") == "agreed"


def test_the_application_says_nothing_for_the_meter(database: Database) -> None:
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("UPDATE meters_relay SET acknowledged = true")

"""A look reads one object as client 48, moves nothing, gives way to orders, and is tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
import uvloop

from bahal.domains.protection.errors import FactUnread
from bahal.domains.protection.kinds import read_kinds, shipped_kinds
from bahal.domains.protection.queries import facts_against
from bahal.foundation.rows import many, value
from bahal.journeys.raise_alerts import raise_alerts
from bahal.journeys.see_again import judge, see_again
from tests.interlock import facts
from tests.interlock.world import World, until
from tests.journeys.pushing import esw

RELAY, CONTROL, COVER = "0.0.96.3.10.255", "0.0.96.11.6.255", "0.0.96.11.5.255"


def ask(world: World, *looks: tuple[str, str]) -> None:
    for meter, register in looks:
        world.app.execute("INSERT INTO interlock_look (meter, register) VALUES (%s, %s)", (meter, register))


def answers(world: World) -> list[tuple[int | None, str, bool]]:
    rows = world.owner.execute("SELECT value, reason, done_at IS NOT NULL FROM interlock_look ORDER BY id").fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def look(world: World, *, done: int, seconds: float = 60.0) -> None:
    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: sum(each[2] for each in answers(world)) >= done, seconds=seconds)

    uvloop.run(scenario())


@pytest.mark.parametrize("make", ["arpa", "kharun", "shivnath"])
def test_a_look_reads_and_moves_nothing(make_world: Callable[..., World], make: str) -> None:
    world = make_world(make=make, count=2)
    first, second = world.serials[:2]
    ask(world, (first, RELAY), (second, CONTROL), (first, COVER))
    look(world, done=3)
    assert [each[0] for each in answers(world)] == [1, 0, 0]
    assert [world.meters.movements(serial) for serial in (first, second)] == [[], []]
    assert world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL") == 0
    assert world.one("SELECT min(meter_counter) FROM interlock_meter") >= 0  # authenticated, so kept


def test_nothing_else_can_be_looked_at(make_world: Callable[..., World]) -> None:
    world = make_world(count=1)
    for register in ("1.0.1.8.0.255", "0.0.96.11.7.255", "0.0.43.1.3.255", ""):
        with pytest.raises(psycopg.errors.CheckViolation):
            ask(world, (world.serials[0], register))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        world.app.execute("UPDATE interlock_look SET value = 1")


def test_an_order_goes_first(make_world: Callable[..., World]) -> None:
    world = make_world(count=1)
    facts.propose(world.app, world.keys, count=1)
    world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER USER")
    world.owner.execute("UPDATE supply_order SET state = 'authorised', not_until = now() + interval '1 hour'")
    ask(world, (world.serials[0], RELAY))
    claimed = world.another("interlock").execute("SELECT count(*) FROM interlock_looks('w', 9, 5, 8)").fetchone()
    assert claimed == (0,)


def test_a_meter_that_is_away_is_looked_at_again_and_then_no_more(make_world: Callable[..., World]) -> None:
    world = make_world(count=1)
    ask(world, (world.serials[0], RELAY))
    interlock = world.another("interlock")
    for tries in range(1, 6):
        world.owner.execute("UPDATE interlock_look SET not_until = '-infinity'")
        row = interlock.execute("SELECT look, token, tries FROM interlock_looks('w', 9, 5, 8)").fetchone()
        assert row is not None
        assert row[2] == tries
        # Somebody else's answer, or one under an older lease, does not count.
        for worker, token in (("other", row[1]), ("w", row[1] - 1)):  # type: ignore[operator]
            counted = interlock.execute(
                "SELECT interlock_looked(%s, %s, %s, %s::bigint[], %s, %s)",
                (worker, [row[0]], [token], [7], [""], [5]),
            ).fetchone()
            assert counted == (0,)
        interlock.execute(
            "SELECT interlock_looked('w', %s, %s, %s::bigint[], %s, %s)",
            ([row[0]], [row[1]], [None], ["connect_timeout"], [-1]),
        )
    assert answers(world) == [(None, "connect_timeout", True)]


def test_only_what_was_read_again_is_held_against_anybody(make_world: Callable[..., World]) -> None:
    world = make_world(count=2)
    first, second = world.serials[:2]
    for nth, meter in enumerate((first, second)):
        world.owner.execute(
            "INSERT INTO protection_event (meter, esw, counter, received_at, business_at)"
            " VALUES (%s, %s, %s, clock_timestamp(), %s)",
            (meter, esw(83), nth, facts.TEN_O_CLOCK),
        )
    at = datetime.now(UTC)
    raise_alerts(at=at, business_at=facts.TEN_O_CLOCK)
    alerts = [row[0] for row in many("SELECT id FROM protection_alert ORDER BY id")]
    with pytest.raises(FactUnread) as unread:
        facts_against(alerts=alerts)
    assert unread.value.data["kinds"] == ", ".join(f"cover_open #{each}" for each in alerts)
    # The second meter's log says what its push said, the first meter's says that nothing was.
    world.meters.circle.columns.add_event(world.meters.row(second), int(facts.TEN_O_CLOCK.timestamp()), 251)
    assert see_again(at=at, business_at=facts.TEN_O_CLOCK) == 2
    look(world, done=2)
    assert see_again(at=at, business_at=facts.TEN_O_CLOCK) == 2
    said = dict(many("SELECT meter, seen_again FROM protection_alert"))
    assert said == {first: "not_seen", second: "confirmed"}
    confirmed = value("SELECT id FROM protection_alert WHERE meter = %s", second)
    assert [each.meter for each in facts_against(alerts=[confirmed])] == [second]
    with pytest.raises(FactUnread, match=f"cover_open #{alerts[0]}"):
        facts_against(alerts=alerts)
    with pytest.raises(FactUnread, match="#999"):
        facts_against(alerts=[confirmed, 999])
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'protection.seen_again'") == 2


def test_what_a_read_says_of_an_alert() -> None:
    kinds = read_kinds(shipped_kinds()).by_name
    assert [judge(kinds["magnet"], number) for number in (201, 202, 203, 0)] == [
        "confirmed", "confirmed", "other", "not_seen",
    ]  # fmt: skip
    assert [judge(kinds["forced_close"], closed) for closed in (1, 0)] == ["confirmed", "not_seen"]

"""Cuts on other grounds at the interlock's door: derived again by their own rule, under their own cap."""

import pytest

from tests.interlock import facts
from tests.interlock.door import Door
from tests.interlock.world import World

AT = facts.TEN_O_CLOCK


def on_ground(world: World, ground: str, *, count: int) -> Door:
    """A registered drive on a ground, its relays read and ready."""
    door = Door(world, profile={"canary": 0})
    drive = facts.propose(world.app, world.keys, count=count)
    with world.owner.transaction():
        world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER ALL")
        world.owner.execute("UPDATE supply_order SET ground = %s", (ground,))
        world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER ALL")
    door.register(drive)
    door.pass_canary(drive)
    return door


def hazard(world: World, nth: int) -> None:
    world.app.execute(
        "INSERT INTO supply_hazard (connection, kind, evidence, reported_by, reported_at)"
        " VALUES (%s, 'fire', 'call', 'ee', %s)",
        (facts.FIRST + nth, AT),
    )


def test_each_is_derived_by_its_own_rule_and_not_by_what_is_owed(world: World) -> None:
    door = on_ground(world, "safety", count=3)
    hazard(world, 0)
    hazard(world, 1)
    leases = door.claim()
    world.app.execute("UPDATE supply_hazard SET ended_at = now() WHERE connection = %s", (facts.FIRST + 1,))
    assert door.send_cuts(leases) == [("send", "cut"), ("refuse", "hazard_over"), ("refuse", "no_hazard")]
    assert world.one("SELECT count(*) FROM interlock_sending") == 1


def test_the_day_has_a_cap_for_each_ground(world: World) -> None:
    door = on_ground(world, "safety", count=3)
    for nth in range(3):
        hazard(world, nth)
    world.owner.execute("UPDATE authority_ground_cap SET circle_day = 2 WHERE ground = 'safety'")
    said = door.send_cuts(door.claim())
    assert said == [("send", "cut"), ("send", "cut"), ("quarantine", "cap_ground")]
    assert world.one("SELECT counted FROM interlock_cap WHERE scope LIKE 'ground:safety:%%'") == 2


@pytest.mark.parametrize("ground", ["prepaid", "spite"])
def test_a_ground_without_a_cap_or_a_rule_cuts_nobody(world: World, ground: str) -> None:
    door = on_ground(world, ground, count=1)
    ((what, why),) = door.send_cuts(door.claim())
    assert what == "refuse"
    assert why in ("not_prepaid", "ground_unknown")
    assert world.one("SELECT count(*) FROM interlock_sending") == 0

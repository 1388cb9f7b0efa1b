"""The interlock's own sessions over real sockets with every make: what copes, copes; what cannot be is named."""

from collections.abc import Callable

import pytest

from bahal.dlms.objects.model import SETTING_SAP
from tests.interlock.test_sessions import drive, restore
from tests.interlock.world import World

MAKES = ("arpa", "hasdeo", "kharun", "mand", "shivnath")


@pytest.mark.parametrize("make", MAKES)
def test_every_make_is_cut_and_lit(make_world: Callable[..., World], make: str) -> None:
    world = make_world(make=make, count=2)
    assert drive(world, count=2) == dict.fromkeys(world.serials, ("confirmed", ""))
    assert restore(world) == ("confirmed", "")
    assert [world.meters.movements(serial) for serial in world.serials] == [["off", "on"], ["off"]]
    assert not world.meters.circle.stats.refusals


def test_a_meter_whose_first_counter_is_nothing(world: World) -> None:
    counters = world.meters.circle.columns.counters[SETTING_SAP]
    for serial in world.serials:
        counters[world.meters.row(serial)] = 0
    assert drive(world, count=6) == dict.fromkeys(world.serials, ("confirmed", ""))
    assert world.one("SELECT min(meter_counter) > 0 FROM interlock_meter")


def test_a_meter_that_answers_another_question_is_left_alone(make_world: Callable[..., World]) -> None:
    world = make_world(make="lilagar", count=2)
    assert drive(world, count=2) == dict.fromkeys(world.serials, ("field_task", "invoke_id_mismatch"))
    assert all(world.meters.closed(serial) for serial in world.serials)
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_a_make_taken_for_another_is_refused_by_name(make_world: Callable[..., World]) -> None:
    world = make_world(make="shivnath", count=2)
    world.owner.execute("UPDATE interlock_meter SET make = 'arpa'")
    assert drive(world, count=2) == dict.fromkeys(world.serials, ("field_task", "association_rejected"))
    assert all(world.meters.closed(serial) for serial in world.serials)

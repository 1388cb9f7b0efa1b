"""From a meter to a line of a bill and back: a month is collected over DLMS, validated, billed by its registers, and
each line opens to the half hours that the meter itself counted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.open_line import open_line
from bahal.journeys.show_bill import show_bill
from bahal.journeys.take_meter_reads import take_meter_reads
from bahal.lake.vee.rules import Parameters
from bahal.lake.vee.run import validate_day
from bahal.shared.clock import move_rehearsal
from bahal.shared.wanted import Wanted
from tests.headend.collecting import LOAD_AND_DAILY, collect, lake_of, true_load, true_register, want
from tests.interlock.world import World
from tests.journeys import town
from tests.journeys.billed import NEVER_UNUSUAL, accept_all, bill

NOVEMBER, DECEMBER = date(2025, 11, 1), date(2025, 12, 1)
DAYS = [NOVEMBER + timedelta(days=nth) for nth in range(30)]
MORNING = datetime(2025, 12, 1, 4, 30, tzinfo=UTC)


def test_a_month_read_over_dlms_opens_from_its_bill(make_world: Callable[..., World]) -> None:
    world = make_world(count=1)
    move_rehearsal(world.clock, business_at=MORNING)
    want(world, LOAD_AND_DAILY | Wanted.BILLING, back_days=30)
    collect(world)
    lake = lake_of(world)
    for day in DAYS:
        validate_day(lake, day=day, run=1, parameters=Parameters())
    assert take_meter_reads(actor="test", at=MORNING, business_at=MORNING).new == 12
    officer = town.officer("ee", "executive_engineer")._replace(office=1)
    enrol_officers([officer], actor="test", at=MORNING, business_at=MORNING)
    accept_all()
    assert bill(NOVEMBER, date(2025, 12, 6), centres=[1111], rates=NEVER_UNUSUAL).bills == 2  # October too
    (connection,) = world.owner.execute("SELECT connection FROM meters_meter").fetchone() or (0,)
    number = f"202511-{connection}"
    first = open_line(number=number, line=1, lake=lake)
    assert [each.wh for each in first.days] == [true_load(world, 0, day) for day in DAYS]
    assert {each.status for each in first.days} == {"m" * 48}
    (stretch,) = first.stretches
    used = true_register(world, 0, DECEMBER) - true_register(world, 0, NOVEMBER)
    assert (stretch.register_wh, stretch.half_hours_wh, stretch.unknown) == (used, used, 0)
    shown = show_bill(number=number)
    energy = [nth for nth, way in shown.opening.items() if way == "slab"]
    opened = [open_line(number=number, line=nth, lake=lake) for nth in energy]
    assert [each.behind_total for each in opened] == [each.told.line.quantity for each in opened]
    assert sum(each.behind_total for each in opened) == used == shown.bill.consumption_wh

"""A line of a bill opens down to the half hours behind it; the register is billed, and what differs is said."""

from datetime import date, timedelta

import numpy as np
import pytest

from bahal.domains.billing.errors import BillUnknown
from bahal.domains.billing.intake import Came, write
from bahal.domains.billing.registers import Stand
from bahal.domains.readings.edits import taken
from bahal.domains.tariffs.determinants import Facts
from bahal.foundation.rows import value
from bahal.foundation.transactions import transaction
from bahal.journeys.bill_so_far import NothingSoFar, bill_so_far, open_so_far
from bahal.journeys.change_terms import change_terms
from bahal.journeys.edit_readings import accept_edit, propose_edit
from bahal.journeys.open_line import LineDayUnknown, LineOfNoUse, LineUnknown, Opened, open_line
from bahal.journeys.show_bill import show_bill
from bahal.lake.layout import Lake
from bahal.lake.vee.rules import Rule
from bahal.shared.locks import ConnectionUnknown
from tests.journeys.billed import (
    AUGUST,
    JULY,
    NEVER_UNUSUAL,
    OCTOBER,
    SEPTEMBER,
    accept_all,
    at,
    bill,
    found,
    read,
    times,
)
from tests.journeys.lakes import lay_lake, validated
from tests.plugin.databases import Database

HALF_HOUR = 168
"""Wh: 31 days of them are 249,984 Wh, 16 Wh less than 250 units."""


@pytest.fixture
def lake(database: Database) -> Lake:
    return lay_lake(database.home.path / "lake")


def august(lake: Lake, *meters: str, without: tuple[int, ...] = (), wh: int = HALF_HOUR) -> None:
    """August day by day, the same in every half hour, beside a neighbour; days of the month may be left out."""
    for nth in range(31):
        if nth + 1 not in without:
            flat = np.full(48, wh, np.int32)
            validated(lake, AUGUST + timedelta(days=nth), dict.fromkeys(meters, flat) | {"NEIGHBOUR": flat + 999})


def billed() -> int:
    """250 units in August: 100 at the first rate, 100 at the second, 50 at the third."""
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 180, SEPTEMBER: 430})
    bill(JULY, date(2025, 8, 6))
    bill(AUGUST, date(2025, 9, 6))
    return connection


def opened(connection: int, lake: Lake, line: int) -> Opened:
    return open_line(number=f"202508-{connection}", line=line, lake=lake)


def test_each_slab_opens_to_the_half_hours_in_which_it_was_used(database: Database, lake: Lake) -> None:
    """100,000 / 168 is 595 half hours and 40 Wh: the 596th is the 13th of August from 9:30. 200,000 / 168 is 1,190 and
    80 Wh: the 1,191st is the 25th from 19:00."""
    connection = billed()
    august(lake, f"M{connection}")
    first, second, third = (opened(connection, lake, nth) for nth in (1, 2, 3))
    assert [each.way for each in (first, second, third)] == ["slab"] * 3
    assert [each.behind_total for each in (first, second, third)] == [100_000, 100_000, 49_984]
    assert [(str(at.day), at.hours) for each in (first, second, third) for at in each.span or ()] == [
        ("2025-08-01", "00:00-00:30"), ("2025-08-13", "09:30-10:00"),
        ("2025-08-13", "09:30-10:00"), ("2025-08-25", "19:00-19:30"),
        ("2025-08-25", "19:00-19:30"), ("2025-08-31", "23:30-24:00"),
    ]  # fmt: skip
    (stretch,) = first.stretches
    assert (stretch.register_wh, stretch.half_hours_wh, stretch.difference_wh) == (250_000, 249_984, 16)
    assert (stretch.measured, stretch.estimated, stretch.edited, stretch.unknown) == (31 * 48, 0, 0, 0)
    assert "180 → 430 = 250 kWh. The half hours come to 249.984 kWh, 0.016 kWh less than billed" in first.text("en")
    assert "0.016 kWh कम" in first.text("hi")
    assert "earlier" not in first.text("en")
    assert first.text("en").count("|") == 2 * 13  # of the other days nothing is behind the line
    assert first.days[12].behind[19] == 40
    assert second.days[12].behind[19] == 128
    assert "09:30-10:00     168 Wh |     40 Wh | measured" in first.day_text(date(2025, 8, 13), "en")


def test_each_half_hour_says_what_it_is(database: Database, lake: Lake) -> None:
    """The 2nd was estimated in its first hour, officers put in the 3rd's, the 4th never came, the 5th ran again."""
    connection = billed()
    meter = f"M{connection}"
    august(lake, meter, without=(2, 4))
    flat = np.full(48, HALF_HOUR, np.int32)
    validated(lake, date(2025, 8, 2), {meter: flat}, estimated={meter: [0, 1]})
    edit = propose_edit(
        lake=lake, meter=meter, day=date(2025, 8, 3), first=10, wh=[100, 100], reason="seen on site", officer="ee",
        **times(SEPTEMBER),
    )  # fmt: skip
    line = opened(connection, lake, 1)
    assert "x" not in line.days[2].status  # proposed by one: nothing stands in the lake yet
    accept_edit(edit=edit, officer="se", reason="agreed", **times(SEPTEMBER))
    changed = flat.copy()
    changed[10:12] = 100
    validated(lake, date(2025, 8, 3), {meter: changed}, run=2, estimated={meter: [10, 11]}, flags=int(Rule.EDITED))
    with transaction():
        taken(ids=[edit], in_run=2)
    validated(lake, date(2025, 8, 5), {meter: flat + 1}, run=2)
    line = opened(connection, lake, 1)
    days = {each.day.day: each for each in line.days}
    assert days[1].status == "m" * 48
    assert days[2].status == "ee" + "m" * 46
    assert days[3].status == "m" * 10 + "xx" + "m" * 36
    assert days[3].wh[9:13] == [168, 100, 100, 168]
    assert (days[4].status, days[4].wh, days[4].behind) == ("-" * 48, [None] * 48, [None] * 48)
    assert days[5].wh == [169] * 48
    (stretch,) = line.stretches
    assert (stretch.measured, stretch.estimated, stretch.edited, stretch.unknown) == (31 * 48 - 52, 2, 2, 48)
    assert stretch.half_hours_wh == 249_984 - 2 * 68 - 48 * 168 + 48
    assert "48 are not known" in line.text("en")
    assert "48 ज्ञात नहीं" in line.text("hi")
    assert "the slab may have begun earlier" in line.text("en")
    assert "|" + "·" * 48 + "|" in line.text("en")
    assert "  2 put in by two officers" in line.text("en")


def test_where_nothing_is_known_that_is_said_and_the_bill_stands(database: Database, lake: Lake) -> None:
    connection = billed()
    line = opened(connection, lake, 1)
    assert line.said("en")[0] == "No half hour behind this line is known."
    assert line.stretches[0].unknown == 31 * 48
    assert line.told.line.paise == 410_00
    assert "01-08-2025 – 31-08-2025: not known" in line.text("en")


def test_zones_and_demand_of_a_shop_open(database: Database, lake: Lake) -> None:
    """12 kW, 600 Wh each half hour of August: 10 half hours of peak and 16 of sun a day. One half hour of 6,500 Wh is
    13 kW, and the meter's own highest demand 13.2."""
    (connection,) = found()
    accept_all()
    shop = Facts("LV-2", 3, 12_000)
    change_terms(connection=connection, effective_from=JULY, facts=shop, reason="shop", actor="ee", **times(JULY))
    meter = f"M{connection}"
    zones = (("normal", 400_000), ("peak", 190_000), ("solar", 310_000))
    with transaction():
        write(
            [
                Came(connection, Stand(AUGUST, meter, 0, zones=(("normal", 0), ("peak", 0), ("solar", 0))), "test"),
                Came(connection, Stand(SEPTEMBER, meter, 900_000, demand_w=13_200, zones=zones), "test"),
            ]
        )
    bill(AUGUST, date(2025, 9, 6), rates=NEVER_UNUSUAL)
    august(lake, meter, wh=600)
    spiked = np.full(48, 600, np.int32)
    spiked[39] = 6_500
    validated(lake, date(2025, 8, 20), {meter: spiked}, run=2)
    every: dict[str, list[Opened]] = {}
    shown = show_bill(number=f"202508-{connection}")
    for nth, way in shown.opening.items():
        every.setdefault(way, []).append(opened(connection, lake, nth))
    peak, solar = sorted(every["zone"], key=lambda each: each.zone)
    assert (peak.zone, peak.behind_total) == ("peak", 31 * 10 * 600 + 5_900)
    assert (solar.zone, solar.behind_total) == ("solar", 31 * 16 * 600)
    assert "191.9 kWh by half hours. The meter counted 190 of 900 kWh" in peak.said("en")[0]
    (demand,) = every["demand"]
    assert demand.behind_total == 1_000
    assert (str(demand.highest[0][0].day), demand.highest[0][0].hours, demand.highest[0][1]) == (
        "2025-08-20", "19:30-20:00", 13_000,
    )  # fmt: skip
    assert "highest demand is 13.2 kW" in demand.said("en")[0]
    assert "13.2 kW" in demand.text("hi")


def test_both_meters_of_an_exchange_stand_with_their_own_half_hours(database: Database, lake: Lake) -> None:
    (connection,) = found()
    accept_all()
    exchanged = date(2025, 8, 11)
    read(connection, {AUGUST: 100, exchanged: 180}, meter="OLD")
    read(connection, {exchanged: 0, SEPTEMBER: 170}, meter="NEW")
    bill(AUGUST, date(2025, 9, 6))
    august(lake, "OLD", "NEW")
    line = opened(connection, lake, 1)
    assert [(each.meter, each.measured // 48, each.register_wh) for each in line.stretches] == [
        ("OLD", 10, 80_000), ("NEW", 21, 170_000),
    ]  # fmt: skip
    assert [each.day for each in line.days] == [AUGUST + timedelta(days=nth) for nth in range(31)]


def test_an_estimated_bill_says_that_no_register_was_billed(database: Database, lake: Lake) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 180})
    bill(JULY, date(2025, 8, 6))
    bill(AUGUST, date(2025, 9, 6))
    august(lake, f"M{connection}")
    line = opened(connection, lake, 1)
    assert line.as_json()["billed_by"] == "estimate"
    assert line.stretches[0].register_wh is line.stretches[0].difference_wh is None
    assert "billed by an estimate" in line.said("en")[1]


def test_an_estimate_that_was_adjusted_opens_by_its_share_of_the_register(database: Database, lake: Lake) -> None:
    """August is estimated by July's 180; 500 units of 61 days are read later, 254.098 of them August's 31."""
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 180})
    bill(JULY, date(2025, 8, 6))
    bill(AUGUST, date(2025, 9, 6))
    read(connection, {OCTOBER: 680})
    assert bill(SEPTEMBER, date(2025, 10, 6)).trued_up == 1
    august(lake, f"M{connection}")
    (stretch,) = open_line(number=f"202508-{connection}", line=1, lake=lake).stretches
    assert stretch.register_wh is None
    adjusted = open_line(number=f"202508-{connection}-1", line=1, lake=lake)
    (stretch,) = adjusted.stretches
    assert (stretch.start, stretch.end, stretch.register_wh) == (AUGUST, SEPTEMBER, 254_098)
    assert "254.098 kWh are the share of these days and are billed" in adjusted.text("en")
    assert "254.098 kWh" in adjusted.text("hi")


def test_what_does_not_open_names_what_does(database: Database, lake: Lake) -> None:
    connection = billed()
    shown = show_bill(number=f"202508-{connection}")
    told = shown.as_json()["lines"]
    assert [each["number"] for each in told] == list(range(1, len(told) + 1))
    assert {each["component"] for each in told if each["opens"]} == {"energy"}
    (duty,) = (each["number"] for each in told if each["component"] == "duty")
    with pytest.raises(LineOfNoUse, match="these open: 1, 2, 3"):
        opened(connection, lake, duty)
    for line in (0, len(told) + 1):
        with pytest.raises(LineUnknown, match=f"give 1 to {len(told)}"):
            opened(connection, lake, line)
    with pytest.raises(BillUnknown):
        open_line(number="nothing", line=1, lake=lake)
    with pytest.raises(LineDayUnknown):
        opened(connection, lake, 1).day_text(OCTOBER, "en")


def test_this_month_until_now_is_rated_and_opens_as_a_bill_does(database: Database, lake: Lake) -> None:
    """Ten days of September, the 4th unknown: nine days of 8,064 Wh. Ten of thirty days have a first slab of 33.333
    units, 136.67 at 4.10; 33.333 or 33.334 more at 4.20 are 140.00; the rest of 72.576, 5.909, at 5.60 is 33.09."""
    connection = billed()
    now = at(date(2025, 9, 11))
    for nth in range(10):
        if nth != 3:
            day = SEPTEMBER + timedelta(days=nth)
            validated(lake, day, {f"M{connection}": np.full(48, HALF_HOUR, np.int32)})
    far = bill_so_far(connection=connection, lake=lake, business_at=now)
    assert (far.start, far.end, far.wh, far.known, far.register) == (SEPTEMBER, date(2025, 9, 11), 72_576, 9, None)
    assert [each.line.paise for each in far.lines][:3] == [136_67, 140_00, 33_09]
    assert "72.576 units by the half hours of 9 of 10 days" in far.text("en")
    assert "यह बिल नहीं है" in far.text("hi")
    first = open_so_far(connection=connection, line=1, lake=lake, business_at=now)
    assert (first.behind_total, first.stretches[0].unknown) == (33_333, 48)
    # The meter's registers at both ends count more than the half hours that are known.
    read(connection, {date(2025, 9, 11): 430 + 81})
    far = bill_so_far(connection=connection, lake=lake, business_at=now)
    assert (far.wh, far.as_json()["by"]) == (81_000, "register")
    third = open_so_far(connection=connection, line=3, lake=lake, business_at=now)
    assert third.stretches[0].difference_wh == 81_000 - 72_576
    assert value("SELECT count(*) FROM billing_bill") == 2  # nothing was issued
    with pytest.raises(NothingSoFar):
        bill_so_far(connection=connection, lake=lake, business_at=at(SEPTEMBER))
    with pytest.raises(ConnectionUnknown, match="ten digits"):
        bill_so_far(connection=1, lake=lake, business_at=now)

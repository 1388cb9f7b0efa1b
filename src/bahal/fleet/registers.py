"""What a simulated meter shows: each object of the model by name, and the rows of its profiles.

All of it is computed at the moment of asking, from the meter's seed, its dark periods and its few events.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bahal.dlms import clock, india
from bahal.dlms.axdr import BitString
from bahal.dlms.objects.model import Column
from bahal.dlms.objects.profile import Between, RowChoice
from bahal.fleet import clocks, consumption
from bahal.fleet.consumption import BLOCK, DAY

if TYPE_CHECKING:
    from bahal.fleet.meter import SimulatedMeter

_BLOCKS_KEPT: Final = clocks.KEPT["block_profile"]
_DAYS_KEPT: Final = clocks.KEPT["daily_profile"]
_MONTHS_KEPT: Final = clocks.KEPT["billing_profile"]

DEFAULT_LIMIT: Final = 5_000
"""Load limit in W."""

_NEVER = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00\xff"

_LDN_HEAD: Final = b"BHL"
_ZONES: Final = ((0, 6), (6, 9), (9, 18), (18, 24))


@lru_cache(maxsize=8192)
def twelve_bytes(moment: int) -> bytes:
    """UTC seconds as the 12 bytes of Indian time."""
    return clock.encode(datetime.fromtimestamp(moment, india.IST))


def _zone_energy(meter: "SimulatedMeter", zone: int, moment: int) -> int:
    """Energy of one time-of-use zone: a fixed share, so that the four add up to the total."""
    total = meter.energy(moment)
    shares = [2, 2, 4, 4] if meter.seed & 1 else [2, 1, 4, 5]
    parts = [total * share // sum(shares) for share in shares]
    parts[0] += total - sum(parts)
    return parts[zone - 1]


def _month_start(moment: int) -> int:
    return consumption.month_starts(before=moment, count=1)[0]


def _demand(meter: "SimulatedMeter", moment: int) -> tuple[int, int]:
    """Maximum demand of the month that contains the second before `moment`, up to it."""
    return meter.peak(_month_start(moment - 1), moment)


def _status(meter: "SimulatedMeter") -> BitString:
    mask = int(meter.setting("tampers", 0))
    bits = [bit for bit in range(india.STATUS_BITS) if mask >> bit & 1]
    return india.status_word(*bits, *(() if meter.connected else (india.LOAD_DISCONNECTED_BIT,)))


def _last_event(family: str) -> Callable[["SimulatedMeter", int], int]:
    def read(meter: "SimulatedMeter", moment: int) -> int:
        codes = [event for _, event in meter.events if india.events()[event].family == family]
        return codes[-1] if codes else 0

    return read


def _billing_count(meter: "SimulatedMeter", moment: int) -> int:
    at = datetime.fromtimestamp(moment, india.IST)
    return (at.year - 2020) * 12 + at.month


def _tampers(meter: "SimulatedMeter", moment: int) -> int:
    return sum(india.events()[event].family in ("current", "other", "non_rollover") for _, event in meter.events)


def _settings_made(meter: "SimulatedMeter", moment: int) -> int:
    return sum(india.events()[event].family == "transaction" for _, event in meter.events)


def _amperes(meter: "SimulatedMeter", moment: int) -> int:
    return consumption.current(meter.apparent(meter.power(moment)), consumption.voltage(meter.seed, moment))


_Quantity = Callable[["SimulatedMeter", int], Any]

# Attribute 2 of each object whose value is more than a setting: (meter, UTC second of business time) -> value.
QUANTITIES: Final[dict[str, _Quantity]] = {
    "clock": lambda meter, moment: twelve_bytes(moment + meter.clock_offset),
    "logical_device_name": lambda meter, moment: _LDN_HEAD + meter.serial.encode(),
    "serial_number": lambda meter, moment: meter.serial,
    "manufacturer": lambda meter, moment: meter.manufacturer,
    "device_id": lambda meter, moment: meter.serial.encode(),
    "year_of_manufacture": lambda meter, moment: 2024,
    "firmware_version": lambda meter, moment: "1.0.0",
    "meter_type": lambda meter, moment: 6,
    "meter_category": lambda meter, moment: "D1",
    "current_rating": lambda meter, moment: "5-30A",
    "counter_reading": lambda meter, moment: max(meter.counter_floor(32) - 1, 0),
    "counter_setting": lambda meter, moment: max(meter.counter_floor(48) - 1, 0),
    "counter_push": lambda meter, moment: meter.next_counter(64),
    "tamper_count": _tampers,
    "billing_count": _billing_count,
    "programming_count": _settings_made,
    "billing_date": lambda meter, moment: twelve_bytes(_month_start(moment)),
    "power_on_minutes": lambda meter, moment: (moment - consumption.day_start(0)) // 60,
    "voltage": lambda meter, moment: consumption.voltage(meter.seed, moment),
    "phase_current": _amperes,
    "neutral_current": _amperes,
    "power_factor": lambda meter, moment: consumption.power_factor(meter.seed),
    "frequency": lambda meter, moment: consumption.frequency(moment),
    "active_power": lambda meter, moment: meter.power(moment),
    "apparent_power": lambda meter, moment: meter.apparent(meter.power(moment)),
    "energy_import": lambda meter, moment: meter.energy(moment),
    "apparent_import": lambda meter, moment: meter.apparent(meter.energy(moment)),
    "energy_export": lambda meter, moment: 0,
    "apparent_export": lambda meter, moment: 0,
    "energy_import_t1": lambda meter, moment: _zone_energy(meter, 1, moment),
    "energy_import_t2": lambda meter, moment: _zone_energy(meter, 2, moment),
    "energy_import_t3": lambda meter, moment: _zone_energy(meter, 3, moment),
    "energy_import_t4": lambda meter, moment: _zone_energy(meter, 4, moment),
    "demand_active": lambda meter, moment: _demand(meter, moment)[0],
    "demand_apparent": lambda meter, moment: meter.apparent(_demand(meter, moment)[0]),
    "block_voltage": lambda meter, moment: consumption.voltage(meter.seed, moment - 1),
    "block_current": lambda meter, moment: _amperes(meter, moment - 1) // 10,
    "block_energy_import": lambda meter, moment: meter.energy(moment) - meter.energy(moment - BLOCK),
    "block_apparent_import": lambda meter, moment: meter.apparent(meter.energy(moment) - meter.energy(moment - BLOCK)),
    "block_energy_export": lambda meter, moment: 0,
    "block_apparent_export": lambda meter, moment: 0,
    "demand_period": lambda meter, moment: BLOCK,
    "block_period": lambda meter, moment: BLOCK,
    "event_voltage": _last_event("voltage"),
    "event_current": _last_event("current"),
    "event_power": _last_event("power"),
    "event_transaction": _last_event("transaction"),
    "event_other": _last_event("other"),
    "event_non_rollover": _last_event("non_rollover"),
    "event_control": _last_event("control"),
    "relay": lambda meter, moment: meter.connected,
    "metering_mode": lambda meter, moment: 0,
    "payment_mode": lambda meter, moment: 0,
    "status_word": lambda meter, moment: _status(meter),
    "status_filter": lambda meter, moment: BitString(india.STATUS_BITS, meter.setting("status_filter", b"\xff" * 16)),
}

# Other attributes than 2.
ATTRIBUTES: Final[dict[tuple[str, int], _Quantity]] = {
    ("relay", 3): lambda meter, moment: int(meter.control_state),
    ("relay", 4): lambda meter, moment: meter.control_mode,
    ("limit", 3): lambda meter, moment: meter.setting("limit", DEFAULT_LIMIT),
    ("limit", 4): lambda meter, moment: meter.setting("limit", DEFAULT_LIMIT),
    ("limit", 5): lambda meter, moment: 0,
    # No emergency profile and no script: the limiter only knows its thresholds.
    ("limit", 6): lambda meter, moment: 0,
    ("limit", 7): lambda meter, moment: 0,
    ("limit", 8): lambda meter, moment: (0, _NEVER, 0),
    ("limit", 9): lambda meter, moment: [],
    ("limit", 10): lambda meter, moment: False,
    ("limit", 11): lambda meter, moment: ((bytes(6), 0), (bytes(6), 0)),
    ("demand_active", 4): lambda meter, moment: 0,
    ("demand_active", 5): lambda meter, moment: twelve_bytes(_demand(meter, moment)[1]),
    ("demand_apparent", 4): lambda meter, moment: 0,
    ("demand_apparent", 5): lambda meter, moment: twelve_bytes(_demand(meter, moment)[1]),
    ("security_reading", 2): lambda meter, moment: 2,
    ("security_setting", 2): lambda meter, moment: 3,
    ("security_push", 2): lambda meter, moment: 2,
    ("security_reading", 4): lambda meter, moment: b"",
    ("security_setting", 4): lambda meter, moment: b"",
    ("security_push", 4): lambda meter, moment: b"",
    ("push_instant", 3): lambda meter, moment: meter.push_destination,
    ("push_alert", 3): lambda meter, moment: meter.push_destination,
}

_BLOCK_QUANTITIES: Final = frozenset(
    name for name in QUANTITIES if name.startswith("block_") and name != "block_period"
)


def value(meter: "SimulatedMeter", name: str, attribute: int) -> Any:
    """One attribute now. Block quantities are those of the last finished block."""
    moment = meter.now
    if name in _BLOCK_QUANTITIES:
        moment -= moment % BLOCK
    if attribute == 2 and name in QUANTITIES:
        return QUANTITIES[name](meter, moment)
    return ATTRIBUTES[name, attribute](meter, moment)


def _cell(meter: "SimulatedMeter", column: Column, moment: int) -> Any:
    if column.attribute == 2:
        return QUANTITIES[column.source.name](meter, moment)
    return ATTRIBUTES[column.source.name, column.attribute](meter, moment)


def _times(meter: "SimulatedMeter", name: str) -> Sequence[int]:
    """The moments of a profile's rows, oldest first."""
    now, since = meter.now, meter.since
    if name == "block_profile":
        last = now - now % BLOCK
        return range(max(last - (_BLOCKS_KEPT - 1) * BLOCK, since + BLOCK), last + 1, BLOCK)
    if name == "daily_profile":
        last = consumption.day_start(consumption.day_of(now))
        return range(max(last - (_DAYS_KEPT - 1) * DAY, since), last + 1, DAY)
    if name == "billing_profile":
        months = consumption.month_starts(before=now, count=_MONTHS_KEPT)
        return [month for month in months if month >= since and meter.kept(month)]
    return (now,)


def _family_events(meter: "SimulatedMeter", name: str) -> list[tuple[int, int]]:
    family = name.removeprefix("events_")
    return [(moment, event) for moment, event in meter.events if india.events()[event].family == family]


def entries(meter: "SimulatedMeter", name: str) -> int:
    """How many rows a profile holds now."""
    if meter.eras and name in clocks.KEPT:
        return len(clocks.captures(meter, name))
    return len(_family_events(meter, name) if name.startswith("events_") else _times(meter, name))


def _bounds(times: Sequence[int], choice: RowChoice) -> tuple[int, int]:
    if isinstance(choice, Between):
        # Both ends belong to the range; a row's moment is a whole second.
        start = -int(-choice.from_at.timestamp() // 1)
        return bisect_left(times, start), bisect_right(times, int(choice.to_at.timestamp()))
    return choice.first - 1, len(times) if not choice.last else min(choice.last, len(times))


def rows(meter: "SimulatedMeter", name: str, choice: RowChoice) -> Sequence[Sequence[Any]]:
    """The chosen rows of a profile, oldest first, with all its columns."""
    columns = india.single_phase()[name].columns
    if name.startswith("events_"):
        return _event_rows(meter, name, choice)
    if meter.eras and name in clocks.KEPT:
        return _rows_by_its_clock(meter, name, choice)
    times = _times(meter, name)
    start, end = _bounds(times, choice)
    if name == "block_profile":
        return _blocks(meter, times[start:end])
    return [[_cell(meter, column, moment) for column in columns] for moment in times[start:end]]


def _event_rows(meter: "SimulatedMeter", name: str, choice: RowChoice) -> list[list[Any]]:
    """Rows of an event log, stamped by the meter's own clock as it stood then."""
    found = [(moment + clocks.offset_at(meter.eras, moment), moment, event) for moment, event in
             _family_events(meter, name)]  # fmt: skip
    if isinstance(choice, Between):
        first, last = choice.from_at.timestamp(), choice.to_at.timestamp()
        found = [each for each in found if first <= each[0] <= last]
    else:
        found = found[choice.first - 1 : choice.last or None]
    return [
        [
            event if column.source.name.startswith("event_")
            else twelve_bytes(stamp) if column.source.name == "clock"
            else _cell(meter, column, moment)
            for column in india.single_phase()[name].columns
        ]
        for stamp, moment, event in found
    ]  # fmt: skip


def _rows_by_its_clock(meter: "SimulatedMeter", name: str, choice: RowChoice) -> list[list[Any]]:
    """Rows of a profile of a meter whose clock was, or is, off."""
    captured = clocks.chosen(meter, name, choice)
    if name == "block_profile":
        return clocks.blocks(meter, captured)
    found = []
    for each in captured:
        cells = []
        for column in india.single_phase()[name].columns:
            at = clocks.stamped(column, each)
            cells.append(at if isinstance(at, bytes) else _cell(meter, column, at))
        found.append(cells)
    return found


def _blocks(meter: "SimulatedMeter", times: Sequence[int]) -> list[list[Any]]:
    """Rows of the block load profile: the commonest long answer, so each cumulative figure is computed once."""
    found: list[list[Any]] = []
    if not times:
        return found
    stands = meter.energies(times[0] - BLOCK, len(times) + 1)
    seed, factor = meter.seed, consumption.power_factor(meter.seed)
    for moment, before, after in zip(times, stands, stands[1:], strict=False):
        used, volts = after - before, consumption.voltage(seed, moment - 1)
        # Wh of half an hour, doubled, is the mean power in W.
        amperes = consumption.current(used * 2 * 1000 // factor, volts) // 10
        found.append([twelve_bytes(moment), volts, used, used * 1000 // factor, 0, 0, amperes])
    return found

"""What a probe asks of a meter, and the answers as plain data: names, values with their scaler, units.

Every answer is a dictionary for `--json`; `bahal.entry.verbs.probe.showing` makes tables of the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from bahal.dlms import apdu, axdr, clock, rows
from bahal.dlms.association.client import CURRENT_ASSOCIATION
from bahal.dlms.captures import Capture, captures_of
from bahal.dlms.errors import DlmsError, MalformedApdu
from bahal.dlms.india import CLOCK_LN, IST, single_phase
from bahal.dlms.objects import classes
from bahal.dlms.objects.classes import CLASSES, UNITS
from bahal.dlms.objects.model import CosemObject, ModelError, obis, obis_text
from bahal.dlms.objects.profile import between
from bahal.dlms.objects.reading import read_object_list
from bahal.entry.verbs.probe.refusals import MeterRefusesRead, ProfileUnknown
from bahal.entry.verbs.probe.session import Session
from bahal.entry.verbs.probe.trace import octets
from bahal.shared.text import language_of

PLATE: Final = (
    "logical_device_name", "serial_number", "manufacturer", "firmware_version", "year_of_manufacture",
    "counter_reading", "counter_setting", "counter_push",
)  # fmt: skip
VALUE: Final = 2
SCALER: Final = 3
CAPTURE_OBJECTS: Final = 3
CAPTURE_PERIOD: Final = 4
_REGISTERS: Final = (classes.REGISTER, classes.EXTENDED_REGISTER)
_SUFFIX: Final = "_profile"
_RIGHTS: Final = {1: "r", 2: "w", 3: "rw", 4: "w", 5: "r", 6: "rw"}

Answer = dict[str, Any]


def plate(session: Session) -> Answer:
    """The nameplate and the invocation counters; None for what the meter does not give."""
    model = single_phase()
    told: Answer = {}
    for name in PLATE:
        try:
            told[name] = plain(axdr.decode(session.get(model[name].interface.id, model[name].ln, VALUE)))
        except MeterRefusesRead:
            told[name] = None
    return told


def attribute(session: Session, class_id: int, ln: bytes, number: int, selection: bytes | None) -> Answer:
    """One attribute, with its name where the catalogue knows it and its scaler and unit where it is a register."""
    data = session.get(class_id, ln, number, selection)
    value = axdr.decode(data)
    told: Answer = {
        "class": class_id,
        "obis": obis_text(ln),
        "attribute": number,
        "name": _named(single_phase().find(class_id, ln)),
        "attribute_name": _attribute_name(class_id, number),
        "value": _moment_or(value, Capture(class_id, ln, number)),
    }
    if class_id in _REGISTERS and number == VALUE and type(value) is int:
        power, unit = _scaler(session, Capture(class_id, ln, number)) or (0, "")
        told |= {"value": scaled(value, power), "raw": value, "power": power, "unit": unit}
    return told


def objects(session: Session) -> Answer:
    """The object list of the current association, in the meter's order, with the catalogue's names."""
    value = axdr.decode(session.get(classes.ASSOCIATION_LN, CURRENT_ASSOCIATION, 2))
    listed = read_object_list(value, single_phase())
    assert isinstance(value, list)
    return {
        "objects": [
            {
                "class": each.class_id,
                "class_name": CLASSES[each.class_id].name if each.class_id in CLASSES else None,
                "version": each.version,
                "obis": obis_text(each.ln),
                "name": _named(each.known),
                "rights": _rights(element),
            }
            for each, element in zip(listed, value, strict=True)
        ]
    }


def meter_clock(session: Session, now: Callable[[], datetime]) -> Answer:
    """The meter's time and how far it is from this computer's, in seconds; `now` is asked before and after the read."""
    before = now()
    data = session.get(classes.CLOCK_CLASS, CLOCK_LN, VALUE)
    after = now()
    raw = axdr.decode(data)
    if not isinstance(raw, bytes):
        raise MalformedApdu("a clock that is no date-time")
    there = clock.decode(raw, zone=IST)
    here = before + (after - before) / 2
    return {
        "meter": there.isoformat(),
        "computer": here.astimezone(IST).isoformat(timespec="milliseconds"),
        "drift_s": round((there - here).total_seconds(), 2),
        "round_trip_s": round((after - before).total_seconds(), 3),
        "status": clock.status_of(raw),
    }


def profile(session: Session, ln: bytes, selection: bytes | None) -> Answer:
    """A profile by its own capture objects: columns with names and units, rows with scalers applied.

    Scalers come from the profile of scalers where the catalogue knows one and the meter has it, else from each
    register. A cell that is no number stays as the meter sent it; a null clock is the row before plus the period.
    """
    captures = captures_of(axdr.decode(session.get(classes.PROFILE_GENERIC, ln, CAPTURE_OBJECTS)))
    period_s = _period(session, ln)
    scalers = _scalers(session, ln, captures)
    found = rows.generic_rows(session.get(classes.PROFILE_GENERIC, ln, VALUE, selection))
    model = single_phase()
    table: list[list[Any]] = []
    earlier: list[Any] = []
    for row in found:
        if len(row) != len(captures):
            raise MalformedApdu(f"a row of {len(row)} values for {len(captures)} capture objects")
        cells = [
            _next(earlier[n] if earlier else None, period_s)
            if cell is None and capture[:3:2] == (classes.CLOCK_CLASS, VALUE)
            else _cell(cell, capture, scalers[n])
            for n, (cell, capture) in enumerate(zip(row, captures, strict=True))
        ]
        table.append(cells)
        earlier = cells
    return {
        "obis": obis_text(ln),
        "name": _named(model.find(classes.PROFILE_GENERIC, ln)),
        "period_s": period_s,
        "columns": [
            {
                "class": capture.class_id,
                "obis": obis_text(capture.ln),
                "attribute": capture.attribute,
                "name": _named(model.find(capture.class_id, capture.ln)),
                "unit": "" if scaler is None else scaler[1],
            }
            for capture, scaler in zip(captures, scalers, strict=True)
        ],
        "rows": table,
    }


def profile_name(given: str) -> bytes:
    """The logical name of a profile given as A.B.C.D.E.F or by the catalogue's name, with or without `_profile`.

    :raises ProfileUnknown: neither.
    """
    known = {each.name: each.ln for each in single_phase() if each.interface.id == classes.PROFILE_GENERIC}
    for name in (given, given + _SUFFIX):
        if name in known:
            return known[name]
    try:
        return obis(given)
    except ModelError:
        names = [name.removesuffix(_SUFFIX) for name in known if not name.endswith("_scalers")]
        raise ProfileUnknown(given=given, known=", ".join(names)) from None


def rows_between(from_at: datetime, to_at: datetime) -> bytes:
    """The selection of rows in [from_at, to_at], both ends included."""
    return between(from_at=from_at, to_at=to_at)


def rows_numbered(first: int, last: int) -> bytes:
    """The selection of rows by number, from 1, the oldest; 0 as last for the newest."""
    return apdu.by_entry(first, last)


def plain(value: axdr.Value) -> Any:
    """A value as JSON has it: octet-strings as logical name or text where they look so, else hex; bit-strings as their
    positions."""
    if isinstance(value, bytes):
        if len(value) == 6 and value[5] == 0xFF:
            return obis_text(value)
        printable = value and value.isascii() and value.decode("ascii").isprintable()
        return value.decode("ascii") if printable else value.hex()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, axdr.BitString):
        return {"bits": value.positions(), "length": len(value)}
    return None if isinstance(value, axdr.DontCare) else value


def scaled(value: int, power: int) -> int | float:
    """A register's value times ten to the power, exact in its decimal digits."""
    exact = Decimal(value).scaleb(power)
    return int(exact) if power >= 0 else float(exact)


def _named(found: CosemObject | None) -> str | None:
    if found is None:
        return None
    return found.hi if language_of() == "hi" else found.en


def _attribute_name(class_id: int, number: int) -> str | None:
    known = CLASSES.get(class_id)
    found = None if known is None else known.attributes.get(number)
    return None if found is None else found.name


def _rights(element: axdr.Value) -> str:
    """What a client may do, as the meter's list says: "1-3 r, 4 rw, method 1"; empty where it says it otherwise."""
    match element:
        case (_, _, _, (list() as attributes, list() as methods)):
            modes: list[str] = []
            for each in attributes:
                match each:
                    case (int() as number, int() as mode, *_) if mode in _RIGHTS:
                        modes.append(f"{number}{_RIGHTS[mode]}")
            calls = [f"m{each[0]}" for each in methods if isinstance(each, tuple) and len(each) > 1 and each[1]]
            return " ".join(modes + calls)
    return ""


def _moment_or(value: axdr.Value, capture: Capture) -> Any:
    """A date-time as text in its own zone, where the capture or the catalogue says it is one; else the plain value."""
    known = single_phase().find(capture.class_id, capture.ln)
    moment = capture.is_moment or isinstance(value, axdr.DateTime)
    if known is not None and capture.attribute in known.interface.attributes:
        moment = moment or known.type_of(capture.attribute) == classes.CLOCK
    if moment and isinstance(value, bytes) and len(value) == clock.LENGTH:
        try:
            return clock.decode(value, zone=IST).isoformat()
        except DlmsError:
            return octets(value)
    return plain(value)


def _cell(cell: axdr.Value, capture: Capture, scaler: tuple[int, str] | None) -> Any:
    if scaler is not None and type(cell) is int:
        return scaled(cell, scaler[0])
    return _moment_or(cell, capture)


def _next(earlier: Any, period_s: int) -> str | None:
    """The moment one period after an earlier cell; None where that is none or there is no period."""
    if not isinstance(earlier, str) or not period_s:
        return None
    try:
        return (datetime.fromisoformat(earlier) + timedelta(seconds=period_s)).isoformat()
    except ValueError:
        return None


def _period(session: Session, ln: bytes) -> int:
    """The capture period in seconds; 0 where the meter does not tell it."""
    try:
        value = axdr.decode(session.get(classes.PROFILE_GENERIC, ln, CAPTURE_PERIOD))
    except MeterRefusesRead:
        return 0
    return value if type(value) is int else 0


def _scalers(session: Session, ln: bytes, captures: tuple[Capture, ...]) -> list[tuple[int, str] | None]:
    """(Power of ten, unit) for each column; None for what is no register."""
    known = _scaler_profile(session, ln)
    found: list[tuple[int, str] | None] = []
    asked: dict[tuple[int, bytes], tuple[int, str] | None] = {}
    for capture in captures:
        key = (capture.class_id, capture.ln)
        if capture.class_id not in _REGISTERS or capture.attribute != VALUE:
            found.append(None)
            continue
        if key not in known and key not in asked:
            asked[key] = _scaler(session, capture)
        found.append(known.get(key) or asked.get(key))
    return found


def _scaler_profile(session: Session, ln: bytes) -> dict[tuple[int, bytes], tuple[int, str]]:
    """What the profile of scalers that belongs to a profile of the catalogue says, by class and logical name."""
    model = single_phase()
    scaled_profile = model.find(classes.PROFILE_GENERIC, ln)
    scales = next((each for each in model if each.scales is not None and each.scales.ln == ln), None)
    if scaled_profile is None or scales is None:
        return {}
    try:
        captures = captures_of(axdr.decode(session.get(classes.PROFILE_GENERIC, scales.ln, CAPTURE_OBJECTS)))
        (row,) = rows.generic_rows(session.get(classes.PROFILE_GENERIC, scales.ln, VALUE))
    except (MeterRefusesRead, ValueError, MalformedApdu):
        return {}
    told: dict[tuple[int, bytes], tuple[int, str]] = {}
    for capture, cell in zip(captures, row, strict=False):
        pair = _scaler_of(cell)
        if pair is not None:
            told[capture.class_id, capture.ln] = pair
    return told


def _scaler(session: Session, capture: Capture) -> tuple[int, str] | None:
    """Attribute 3 of a register; None where the meter does not give it."""
    try:
        return _scaler_of(axdr.decode(session.get(capture.class_id, capture.ln, SCALER)))
    except MeterRefusesRead:
        return None


def _scaler_of(value: axdr.Value) -> tuple[int, str] | None:
    match value:
        case (int() as power, int() as unit) if -20 <= power <= 20:
            return power, UNITS.get(unit, f"unit {unit}")
    return None


def wall() -> datetime:
    """This computer's time."""
    return datetime.now(UTC)


def moment(given: str, zone: timezone = IST) -> datetime:
    """A moment as a person writes it, 2025-11-24 or 2025-11-24T18:00, in Indian time unless it says otherwise.

    :raises ValueError: it is none.
    """
    found = datetime.fromisoformat(given)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)

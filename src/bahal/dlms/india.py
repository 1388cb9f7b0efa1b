"""IS 15959 for a single-phase whole-current meter: its objects, its status word and its events, as data.

The data stand in `is15959/*.toml`, versioned, in English and Hindi. They come from working code and published
summaries; no capture of an Indian meter was found anywhere, so nothing here claims conformance.
"""

import tomllib
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from bahal.dlms import axdr, clock
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects.model import ObjectModel, load_model, obis
from bahal.dlms.objects.serving import Answers

IST: Final = timezone(timedelta(minutes=330), "IST")

RELAY_LN: Final = obis("0.0.96.3.10.255")
CLOCK_LN: Final = obis("0.0.1.0.0.255")
ALERT_LN: Final = obis("0.4.25.9.0.255")
ENERGY_IMPORT_LN: Final = obis("1.0.1.8.0.255")
COUNTER_LN: Final = {
    32: obis("0.0.43.1.2.255"),
    48: obis("0.0.43.1.3.255"),
    64: obis("0.0.43.1.4.255"),
}

STATUS_BITS: Final = 128
LOAD_DISCONNECTED_BIT: Final = 84
LOAD_DISCONNECTED_EVENT: Final = 301
LOAD_CONNECTED_EVENT: Final = 302

EVENT_FAMILIES: Final = ("voltage", "current", "power", "transaction", "other", "non_rollover", "control")


class StatusBit(NamedTuple):
    """One bit of the event status word."""

    bit: int
    name: str
    en: str
    hi: str


class Event(NamedTuple):
    """One event id; `family` is one of `EVENT_FAMILIES`, in the order of the profiles 0.0.99.98.{0..6}."""

    id: int
    family: str
    name: str
    en: str
    hi: str


def _text(name: str) -> str:
    return (files("bahal.dlms") / "is15959" / name).read_text(encoding="utf-8")


@cache
def single_phase() -> ObjectModel:
    """The object list of a single-phase meter, loaded once."""
    return load_model(_text("objects.toml"))


@cache
def single_phase_answers() -> Answers:
    """The same list ready for a server."""
    return Answers(single_phase(), zone=IST)


@cache
def status_bits() -> dict[int, StatusBit]:
    """The named bits of the event status word; others vary by vendor."""
    return {row[0]: StatusBit(*row) for row in tomllib.loads(_text("esw.toml"))["bits"]}


@cache
def events() -> dict[int, Event]:
    """Events by id."""
    return {row[0]: Event(*row) for row in tomllib.loads(_text("events.toml"))["events"]}


def status_word(*bits: int) -> BitString:
    """An event status word with only these bits set.

    :raises ValueOutOfRange: a bit outside 0 to 127.
    """
    return BitString.of(STATUS_BITS, *bits)


class Alert(NamedTuple):
    """The body of an alert push: who, which push setup (6 bytes), when, and the event status word."""

    device_id: bytes
    push_ln: bytes
    at: datetime
    status: BitString


def read_alert(body: bytes) -> Alert:
    """Read the body of a DataNotification that the alert push setup 0.4.25.9.0 makes.

    :raises MalformedApdu: another form.
    """
    match axdr.decode(body):
        case (bytes() as device_id, bytes() as push_ln, bytes() as at, BitString() as status) if (
            push_ln == ALERT_LN and len(status) == STATUS_BITS
        ):
            return Alert(device_id, push_ln, clock.decode(at, zone=IST), status)
    raise MalformedApdu("not the body of an alert")


def conditions(word: BitString) -> list[StatusBit]:
    """The conditions that hold, with a plain name for a vendor's own bit."""
    known = status_bits()
    return [
        known.get(bit) or StatusBit(bit, f"vendor_{bit}", f"Vendor bit {bit}", f"निर्माता बिट {bit}")
        for bit in word.positions()
    ]

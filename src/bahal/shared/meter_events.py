"""What meters say by themselves, in words: the bits of the event status word and the ids of the event logs (IS 15959).

The tables stand in `is15959/*.toml`, versioned, in English and Hindi, with what is not verified said beside it. They
come from working code and published summaries; no capture of an Indian meter was found anywhere. The machine rooms and
the business read the same tables, so that a bit has one name and one pair of words everywhere.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

STATUS_BITS = 128
"""Bits of an event status word, 0.0.94.91.18, bit 0 leftmost."""
CLOCK_SET_EVENT = 151


class StatusBit(NamedTuple):
    """One bit of the event status word."""

    bit: int
    name: str
    en: str
    hi: str


class Event(NamedTuple):
    """One event id; `family` is that of the profile 0.0.99.98.{0..6} that holds it."""

    id: int
    family: str
    name: str
    en: str
    hi: str


@cache
def status_bits() -> dict[int, StatusBit]:
    """The named bits of the event status word; others vary by vendor."""
    return {row[0]: StatusBit(*row) for row in tomllib.loads(_text("esw.toml"))["bits"]}


@cache
def events() -> dict[int, Event]:
    """Events by id."""
    return {row[0]: Event(*row) for row in tomllib.loads(_text("events.toml"))["events"]}


def status_bit(bit: int) -> StatusBit:
    """A bit of the event status word, with a plain name for a vendor's own."""
    return status_bits().get(bit) or StatusBit(bit, f"vendor_{bit}", f"Vendor bit {bit}", f"निर्माता बिट {bit}")


def event_of(number: int) -> Event:
    """An event of a log, with a plain name for an id that the table does not have."""
    return events().get(number) or Event(number, "", f"event_{number}", f"Event {number}", f"घटना {number}")


def _text(name: str) -> str:
    return (files("bahal.shared") / "is15959" / name).read_text(encoding="utf-8")

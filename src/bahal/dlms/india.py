"""IS 15959 for a single-phase whole-current meter: its objects, its status word and its events, as data.

The objects stand in `is15959/objects.toml`, versioned, in English and Hindi; the words of the status word and of the
events in `shared.meter_events`, for the business too. They come from working code and published
summaries; no capture of an Indian meter was found anywhere, so nothing here claims conformance.
"""

from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from bahal.dlms import axdr, clock
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects.model import ObjectModel, load_model, obis
from bahal.dlms.objects.serving import Answers
from bahal.shared.meter_events import STATUS_BITS as STATUS_BITS
from bahal.shared.meter_events import Event as Event
from bahal.shared.meter_events import StatusBit as StatusBit
from bahal.shared.meter_events import events as events
from bahal.shared.meter_events import status_bit
from bahal.shared.meter_events import status_bits as status_bits

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

LOAD_DISCONNECTED_BIT: Final = 84
LOAD_DISCONNECTED_EVENT: Final = 301
LOAD_CONNECTED_EVENT: Final = 302

EVENT_FAMILIES: Final = ("voltage", "current", "power", "transaction", "other", "non_rollover", "control")


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
    return [status_bit(bit) for bit in word.positions()]

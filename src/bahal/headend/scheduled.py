"""Pushes by schedule: what a meter tells of itself without being asked and without alarm.

The body of a scheduled push is a structure of its device id, the logical name of its push setup, its time, and what
that setup captures. The instantaneous push (0.0.25.9.0) carries registers by themselves; an array of structures as wide
as a profile that is known of this make is rows of that profile, and taken as if they had been read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from bahal.dlms import axdr, clock, india
from bahal.dlms.apdu import DataNotification
from bahal.dlms.errors import DlmsError, MalformedApdu
from bahal.headend.asking import Collected, Part
from bahal.headend.intake import Intake
from bahal.headend.layouts import Layouts
from bahal.shared.clock import Clock
from bahal.shared.wanted import Wanted

PUSH_LN: Final = india.single_phase()["push_instant"].ln
_HEAD: Final = 3
_COLUMNS: Final = india.single_phase()["push_instant"].columns[_HEAD:]
_LN_LENGTH: Final = 6
_AHEAD_S: Final = 86_400
_PROFILES: Final = (Wanted.DAILY, Wanted.LOAD)


def scheduled_of(
    notification: DataNotification,
    *,
    meter: str,
    make: str,
    firmware: str,
    counter: int,
    at: datetime,
    layouts: Layouts,
) -> Collected:
    """What a scheduled push brings.

    :raises MalformedApdu: not the body of one, or nothing in it that is known.
    """
    body = notification.body
    parts = list(_elements(body))
    values = [axdr.decode(each) for each in parts]
    match values[:_HEAD]:
        case [bytes(), bytes() as ln, bytes() as stamp] if len(ln) == _LN_LENGTH and len(stamp) == clock.LENGTH:
            pass
        case _:
            raise MalformedApdu("not the body of a scheduled push")
    came = Collected(meter, make, at, push_counter=counter)
    try:
        told_at = clock.decode(stamp, zone=india.IST)
        came.drift_s = round((told_at - at).total_seconds())
    except DlmsError:
        told_at = at
    if abs((told_at - at).total_seconds()) > _AHEAD_S:
        told_at = at  # a clock that stands elsewhere dates nothing
    rest = values[_HEAD:]
    if ln == PUSH_LN and len(rest) == len(_COLUMNS):
        shown: dict[str, Any] = {}
        for column, value in zip(_COLUMNS, rest, strict=True):
            if isinstance(value, bool) or not isinstance(value, int):
                raise MalformedApdu(f"{column.name} is no number")
            power = (column.source.scaler or (0, 0))[0]
            shown[column.name] = value * 10**power if power >= 0 else round(value * 10.0**power, -power)
        came.shown.append(("now", told_at, shown))
    for raw, value in zip(parts[_HEAD:], rest, strict=True):
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            for kind in _PROFILES:
                layout = layouts.get(make, firmware, kind)
                if layout is not None and len(layout.captures) == len(value[0]):
                    came.parts.append(Part(kind, layout, raw, None))
    if not came.parts and not came.shown:
        raise MalformedApdu("nothing in it is known")
    return came


class ScheduledPushes:
    """Takes scheduled pushes into the intake."""

    def __init__(self, *, layouts: Layouts, intake: Intake, clock: Clock) -> None:
        self._layouts = layouts
        self._intake = intake
        self._clock = clock

    async def meet(self, make: str, firmware: str) -> None:
        """Learn what is known of this firmware.

        :raises psycopg.Error: the database failed.
        """
        await self._layouts.fetch([(make, firmware)])

    def take(
        self,
        notification: DataNotification,
        *,
        meter: str,
        make: str,
        firmware: str,
        counter: int,
        told: Callable[[bool], None],
    ) -> None:
        """Take one in; `told` hears whether it was new, once it is stored.

        :raises MalformedApdu: not the body of a scheduled push, or nothing in it that is known.
        """
        came = scheduled_of(
            notification,
            meter=meter,
            make=make,
            firmware=firmware,
            counter=counter,
            at=self._clock.now(),
            layouts=self._layouts,
        )
        came.told = told
        self._intake.came.put(came)


def _elements(body: bytes) -> Iterator[bytes]:
    """The encoded elements of a structure.

    :raises MalformedApdu: it is none.
    """
    if body[:1] != bytes((axdr.STRUCTURE,)):
        raise MalformedApdu("not a structure")
    count, at = axdr.read_length(body, 1)
    for _ in range(count):
        _, after = axdr.decode_prefix(body, at)
        yield bytes(body[at:after])
        at = after
    if at != len(body):
        raise MalformedApdu("more than a structure")

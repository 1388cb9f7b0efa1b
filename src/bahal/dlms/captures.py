"""What a profile captures: attribute 3 of class 7 as the meter lists it, known to our object model or not."""

from __future__ import annotations

from typing import Final, NamedTuple

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects import classes

COLUMNS_LIMIT: Final = 0x80
"""A profile has fewer columns than this, so that the count of a row takes one byte."""


class Capture(NamedTuple):
    """One capture object definition: class, logical name (6 bytes), attribute and data index (0: the whole)."""

    class_id: int
    ln: bytes
    attribute: int
    data_index: int = 0

    @property
    def is_moment(self) -> bool:
        """Whether 12 bytes here are a date-time: the clock's time, or when an extended register was captured."""
        return (self.class_id, self.attribute) in _MOMENTS


_MOMENTS: Final = ((classes.CLOCK_CLASS, 2), (classes.EXTENDED_REGISTER, 5))


def captures_of(value: axdr.Value) -> tuple[Capture, ...]:
    """Attribute 3 of class 7 as a meter gives it, decoded.

    :raises MalformedApdu: not an array of capture object definitions, none, or more than 127.
    """
    if not isinstance(value, list) or not 1 <= len(value) < COLUMNS_LIMIT:
        raise MalformedApdu("capture objects are not an array of 1 to 127")
    captures: list[Capture] = []
    for each in value:
        match each:
            case (int() as class_id, bytes() as ln, int() as attribute, int() as part) if len(ln) == 6:
                captures.append(Capture(class_id, ln, attribute, part))
            case _:
                raise MalformedApdu("not a capture object definition")
    return tuple(captures)

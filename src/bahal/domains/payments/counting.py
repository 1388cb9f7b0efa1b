"""Counting cash: notes and coins by value, and what they come to."""

import re
from collections.abc import Mapping

from bahal.domains.payments.errors import CountWrong
from bahal.shared.money import rupees

VALUES = (200_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50)
"""Notes and coins that are legal tender, in paise: two thousand rupees down to half a rupee."""

MOST = 100_000

_PART = re.compile(r"(?P<rupees>[0-9]{1,4}(?:\.5)?)x(?P<many>[0-9]{1,6})")


def read_count(text: str) -> dict[int, int]:
    """How many of each note or coin, by its value in paise, from text such as `500x12,100x3,0.5x1`; none is `0`.

    :raises CountWrong: not written so, no such note or coin, or named twice.
    """
    counted: dict[int, int] = {}
    parts = [] if text.strip() in ("", "0") else text.replace(" ", "").split(",")
    for part in parts:
        found = _PART.fullmatch(part)
        value = 0 if found is None else round(float(found["rupees"]) * 100)
        if found is None or value not in VALUES or value in counted or int(found["many"]) > MOST:
            raise CountWrong(given=text[:80])
        counted[value] = int(found["many"])
    return counted


def total(counted: Mapping[int, int]) -> int:
    """What a count comes to, in paise."""
    return sum(value * many for value, many in counted.items())


def shown(counted: Mapping[int, int]) -> str:
    """A count as it is printed on the day's sheet, the largest first."""
    return ", ".join(f"{rupees(value)} x {many}" for value, many in sorted(counted.items(), reverse=True) if many)

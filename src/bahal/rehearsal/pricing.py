"""What the rehearsal's people are billed for their units, by the very engine that bills them, and the way back: which
units make a bill of so many rupees. People are invented by what they owe; their meters must have counted it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Facts, steady
from bahal.domains.tariffs.rating import rate
from bahal.rehearsal.layout import Connection
from bahal.shared.money import PAISE_IN_RUPEE
from bahal.shared.periods import next_month

_HOURS = 24
_TIMES_THE_MEAN = 4
_LOAD_STEP_W = 500
_LEAST_SHOP_W = 2_000
_SHOP_RUPEES_A_KWH = 6
"""A shop's cheapest unit, about: its load is chosen before the bill, because the fixed charge follows the load."""
_SHIFT = 37
_SHIFTS = 200


def price(connection: Connection, month: date, wh: int, *, read: bool = True) -> int:
    """What a whole month's bill for so many Wh comes to, in paise; `read` from the meter, which counts VAh as well."""
    facts = Facts(connection.category, connection.phase, connection.load_w)
    determinants = steady(facts, start=month, end=next_month(month), wh=wh)
    if read and connection.power_factor:
        use = determinants.uses[0]._replace(vah=connection.vah(wh))
        determinants = replace(determinants, uses=(use,))
    return rate(determinants, shipped()).total_paise


def wh_for(connection: Connection, month: date, rupees: int) -> int:
    """The most Wh whose bill is at most so many rupees; 0 where even none cost more."""
    most = rupees * PAISE_IN_RUPEE
    low, high = 0, 64_000
    if price(connection, month, 0) > most:
        return 0
    while price(connection, month, high) <= most:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if price(connection, month, middle) <= most:
            low = middle
        else:
            high = middle
    return low


def parted(
    connection: Connection, months: Sequence[date], total: int, weights: Sequence[float]
) -> list[tuple[date, int, int]]:
    """Bills of these months that come to exactly `total` rupees together, by weight: month, Wh and paise of each.

    :raises ValueError: no such bills were found.
    """
    whole = sum(weights)
    for shift in range(0, _SHIFT * _SHIFTS, _SHIFT):
        rest = total
        parts: list[tuple[date, int, int]] = []
        for month, weight in zip(months[:-1], weights[:-1], strict=True):
            wh = wh_for(connection, month, int(total * weight / whole) - (shift if not parts else 0))
            paise = price(connection, month, wh)
            parts.append((month, wh, paise))
            rest -= paise // PAISE_IN_RUPEE
        wh = wh_for(connection, months[-1], rest)
        if price(connection, months[-1], wh) == rest * PAISE_IN_RUPEE:
            return [*parts, (months[-1], wh, rest * PAISE_IN_RUPEE)]
    raise ValueError(f"no bills of {len(months)} months make {total} rupees for {connection.number}")


def with_load_for(connection: Connection, *, rupees: int = 0, wh: int = 0) -> Connection:
    """The connection with a load that draws a month's bill, or a month's Wh, in a quarter of the hours.

    Nobody's demand then passes his sanctioned load: the busiest half hour of a simulated household is some two and a
    half times the mean, and on some days a third more.
    """
    if connection.category == "LV-2":
        wh = max(wh, rupees * 1000 // _SHOP_RUPEES_A_KWH)
        least = _LEAST_SHOP_W
    else:
        least = connection.load_w
    needed = -(-wh * _TIMES_THE_MEAN // (_HOURS * 28 * _LOAD_STEP_W)) * _LOAD_STEP_W
    return connection._replace(load_w=max(least, needed))

"""Money is an integer number of paise. No float and no Decimal holds an amount; both only pass through here.

Halves round away from zero, so that a credit note rounds like the charge it undoes.
"""

import re
from decimal import Decimal

from bahal.shared.text import grouped

PAISE_IN_RUPEE = 100

_WRITTEN = re.compile(r"(?P<sign>-?)(?:₹|Rs\.?)?\s*(?P<rupees>[0-9][0-9,]*)(?:\.(?P<paise>[0-9]{1,2}))?")


def rupees(paise: int) -> str:
    """An amount as it is printed: 280000000 paise is ₹28,00,000.00."""
    sign = "-" if paise < 0 else ""
    whole, rest = divmod(abs(paise), PAISE_IN_RUPEE)
    return f"{sign}₹{grouped(whole)}.{rest:02d}"


def read_rupees(text: str) -> int:
    """Paise from an amount as people write it: `28,00,000`, `₹1,234.5`, `Rs 99.05`, `-3`.

    :raises ValueError: it is no amount, or finer than a paisa.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not an amount in rupees: {text!r}")
    paise = int(found["rupees"].replace(",", "")) * PAISE_IN_RUPEE + int((found["paise"] or "0").ljust(2, "0"))
    return -paise if found["sign"] else paise


def divided(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to an integer, halves away from zero: rates times quantities become paise.

    :raises ZeroDivisionError: the denominator is zero.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    whole, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        whole += 1
    return -whole if numerator < 0 else whole


def to_paise(rupee_amount: Decimal) -> int:
    """A decimal amount of rupees, as a bank or a tariff sheet states it, rounded half-up to the paisa.

    :raises ValueError: it is not finite.
    """
    if not rupee_amount.is_finite():
        raise ValueError(f"not an amount: {rupee_amount}")
    numerator, denominator = rupee_amount.as_integer_ratio()
    return divided(numerator * PAISE_IN_RUPEE, denominator)


def to_whole_rupees(paise: int) -> tuple[int, int]:
    """A bill's total rounded half-up to the rupee, and the rounding line that was added, both in paise."""
    rounded = divided(paise, PAISE_IN_RUPEE) * PAISE_IN_RUPEE
    return rounded, rounded - paise

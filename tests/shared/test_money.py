"""Money: integer paise, Indian grouping, halves away from zero."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.shared import money

AMOUNTS = st.integers(min_value=-(10**15), max_value=10**15)


@pytest.mark.parametrize(
    ("paise", "printed"),
    [
        (0, "₹0.00"),
        (5, "₹0.05"),
        (99999, "₹999.99"),
        (100000, "₹1,000.00"),
        (280000000, "₹28,00,000.00"),
        (832000000000, "₹8,32,00,00,000.00"),
        (-123456, "-₹1,234.56"),
    ],
)
def test_printed(paise: int, printed: str) -> None:
    assert money.rupees(paise) == printed


@given(AMOUNTS)
def test_what_is_printed_is_read_again(paise: int) -> None:
    assert money.read_rupees(money.rupees(paise)) == paise


@pytest.mark.parametrize(
    ("written", "paise"),
    [
        ("512345", 51234500),
        ("Rs 99.05", 9905),
        ("Rs.7", 700),
        ("₹1,234.5", 123450),
        (" 28,00,000 ", 280000000),
        ("-3", -300),
    ],
)
def test_amounts_as_people_write_them(written: str, paise: int) -> None:
    assert money.read_rupees(written) == paise


@pytest.mark.parametrize("written", ["", "₹", "1.234", "1.", ".5", "१२", "1e3", "12 34", "--1", "NaN", "=1"])
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not an amount in rupees"):
        money.read_rupees(written)


@given(AMOUNTS, st.integers(min_value=-(10**9), max_value=10**9).filter(bool))
def test_division_rounds_half_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    result = money.divided(numerator, denominator)
    error = abs(result - exact)
    assert error < Fraction(1, 2) or (error == Fraction(1, 2) and abs(result) > abs(exact))
    assert money.divided(-numerator, denominator) == -result


@given(st.decimals(min_value=-(10**10), max_value=10**10, allow_nan=False, places=5))
def test_decimals_round_as_banks_do(amount: Decimal) -> None:
    assert money.to_paise(amount) == int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_no_amount_is_infinite(amount: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        money.to_paise(Decimal(amount))


@given(AMOUNTS)
def test_a_bill_is_rounded_with_a_line_of_its_own(paise: int) -> None:
    rounded, line = money.to_whole_rupees(paise)
    assert paise + line == rounded
    assert rounded % 100 == 0
    assert abs(line) <= 50

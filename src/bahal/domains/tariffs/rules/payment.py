"""Percentages for money that waits: surcharge on what is paid late, a rebate on an advance, interest on a deposit.

They belong to the bill and not to its days. The surcharge is for each month or part of one since the due date, on the
due without earlier surcharge, at the rate in force when that month begins.
"""

from __future__ import annotations

from dataclasses import dataclass

from bahal.domains.tariffs.rules.contract import Closing
from bahal.domains.tariffs.table import Table


@dataclass(frozen=True, slots=True)
class Percent:
    """Ten-thousandths, signed as on the bill."""

    percent: int
    path: str


def _read(table: Table) -> Percent:
    return Percent(table.percent("percent"), table.record())


def _read_credit(table: Table) -> Percent:
    return Percent(-table.percent("percent"), table.record())


DELAYED_PAYMENT = Closing(
    name="delayed_payment",
    read=_read,
    hi="{component}: {base} पर {percent} प्रति माह या उसके भाग × {numerator} = {paise}",
    en="{component}: {percent} a month or part of it on {base} x {numerator} = {paise}",
)
ADVANCE_REBATE = Closing(
    name="advance_rebate",
    read=_read_credit,
    hi="{component}: अग्रिम {base} पर {percent} प्रति माह × {months} = {paise}",
    en="{component}: {percent} a month on the advance of {base} x {months} = {paise}",
)
DEPOSIT_INTEREST = Closing(
    name="deposit_interest",
    read=_read_credit,
    hi="{component}: जमा {base} पर {percent} वार्षिक × {numerator} दिन / {denominator} = {paise}",
    en="{component}: {percent} a year on the deposit of {base} x {numerator} days / {denominator} = {paise}",
)
RULES = (DELAYED_PAYMENT, ADVANCE_REBATE, DEPOSIT_INTEREST)

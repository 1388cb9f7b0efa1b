"""A receipt as the payer holds it: what came, by what, and what it settled; in Hindi and English, 32 columns wide.

Thirty-two columns are a 58 mm thermal printer's; a screen shows the same lines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bahal.domains.billing.queries import numbers_of
from bahal.domains.payments.queries import Receipt, find_receipt
from bahal.shared.money import rupees
from bahal.shared.text import Language, instant
from bahal.shared.words import word

_SETTLED: Mapping[str, tuple[str, str]] = {
    "receivable": ("बिल", "Bill"),
    "surcharge": ("अधिभार", "Surcharge"),
    "expenses": ("व्यय", "Expenses"),
    "advance": ("अग्रिम", "Advance"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """What of the money settled one thing; `bill` is the bill's printed number."""

    account: str
    bill: str | None
    paise: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A receipt with the printed numbers of its bills."""

    receipt: Receipt
    lines: Sequence[Line]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        found = self.receipt
        return {
            "receipt": found.receipt,
            "consumer": found.connection,
            "paise": found.paise,
            "channel": found.channel,
            "instrument": found.instrument,
            "cheque": found.cheque,
            "acknowledged_at": found.acknowledged_at.isoformat(),
            "allocation": [{"account": each.account, "bill": each.bill, "paise": each.paise} for each in self.lines],
            "policy": found.policy,
            "order": found.order,
            "cancelled": found.cancelled,
            "bounced": found.bounced,
        }

    def text(self, language: Language) -> str:
        """The printed receipt."""
        nth = 0 if language == "hi" else 1
        found = self.receipt
        head = ("रसीद", "Receipt")[nth]
        rows = [
            f"{head} {found.receipt}",
            f"{('उपभोक्ता', 'Consumer')[nth]} {found.connection}",
            instant(found.business_at),
            f"{word('instruments', found.instrument, language)}{'' if found.cheque is None else ' ' + found.cheque}",
            f"{('प्राप्त', 'Received')[nth]} {rupees(found.paise)}",
        ]
        for each in self.lines:
            name = _SETTLED[each.account][nth] if each.account in _SETTLED else each.account
            rows.append(f"  {name}{'' if each.bill is None else ' ' + each.bill}: {rupees(each.paise)}")
        if found.cancelled:
            rows.append(("*** रद्द ***", "*** CANCELLED ***")[nth])
        elif found.bounced:
            rows.append(("*** चेक वापस ***", "*** CHEQUE RETURNED ***")[nth])
        elif found.cheque is not None and not found.cleared:
            rows.append(("चेक जमा होने पर मान्य", "Subject to the cheque's clearing")[nth])
        return "\n".join(rows)


def show_receipt(*, receipt: str) -> Shown:
    """A receipt by its number.

    :raises ReceiptUnknown: no such one.
    """
    found = find_receipt(receipt=receipt)
    numbers = numbers_of(bills=[share.bill for share in found.allocation if share.bill is not None])
    lines = [
        Line(each.account, None if each.bill is None else numbers.get(each.bill), each.paise)
        for each in found.allocation
    ]
    return Shown(found, lines)

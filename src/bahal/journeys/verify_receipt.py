"""Whether a receipt is ours and stands: anybody who holds it may ask, by its number and the code in its QR.

The code is an HMAC of the number by the instance's own key, so that numbers cannot be tried one after another.
"""

from dataclasses import dataclass
from datetime import date

from django.utils.crypto import constant_time_compare, salted_hmac

from bahal.domains.payments.errors import ReceiptUnknown
from bahal.domains.payments.queries import find_receipt
from bahal.shared.clock import day_in_india
from bahal.shared.errors import Refusal

CODE_LENGTH = 12
SHOWN_DIGITS = 4


class ReceiptNotOurs(Refusal):
    """No such receipt, or its code is another."""

    code = "receipt_not_ours"
    hi = "यह रसीद मान्य नहीं: इस क्रमांक और कोड की कोई रसीद हमने नहीं दी। रसीद देखकर दोनों फिर लिखें।"
    en = "This receipt is not valid: we gave none with this number and code. Type both again as the receipt has them."


@dataclass(frozen=True, slots=True)
class Verified:
    """What a stranger with the receipt in hand may see. `state` is valid, cancelled, bounced or uncleared; `ends` are
    the last digits of the consumer number."""

    receipt: str
    state: str
    paise: int
    instrument: str
    day: date
    ends: str


def receipt_code(receipt: str) -> str:
    """The code of a receipt number."""
    return salted_hmac("bahal.receipt", receipt, algorithm="sha256").hexdigest()[:CODE_LENGTH]


def receipt_address(receipt: str, *, site: str) -> str:
    """Where anybody may ask whether a receipt stands; `site` is the address of the pages."""
    return f"{site}/receipt/{receipt}/{receipt_code(receipt)}"


def verify_receipt(*, receipt: str, code: str) -> Verified:
    """What we know of a receipt.

    :raises ReceiptNotOurs: there is none of this number and code.
    """
    wanted = receipt.strip().upper()
    if not constant_time_compare(code.strip().lower(), receipt_code(wanted)):
        raise ReceiptNotOurs()
    try:
        found = find_receipt(receipt=wanted)
    except ReceiptUnknown:
        raise ReceiptNotOurs() from None
    state = "valid"
    if found.cancelled:
        state = "cancelled"
    elif found.bounced:
        state = "bounced"
    elif found.cheque is not None and not found.cleared:
        state = "uncleared"
    ends = str(found.connection)[-SHOWN_DIGITS:]
    return Verified(found.receipt, state, found.paise, found.instrument, day_in_india(found.business_at), ends)

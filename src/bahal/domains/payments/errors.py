"""What the payments refuse."""

from bahal.shared.errors import Refusal


class KeyReusedWithOtherBody(Refusal):
    """The same key stands for one request for ever."""

    code = "key_reused_with_other_body"
    hi = "यह कुंजी ({key}) दूसरे भुगतान, रसीद {receipt}, के लिए प्रयोग हो चुकी है।"
    en = "This key ({key}) was used for another payment, receipt {receipt}."


class PaymentMalformed(Refusal):
    """No amount, no such channel, or no key."""

    code = "payment_malformed"
    hi = "भुगतान ठीक नहीं ({field}): {given}"
    en = "The payment is malformed ({field}): {given}"

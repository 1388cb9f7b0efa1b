"""What billing refuses."""

from bahal.shared.errors import Refusal


class BillMalformed(Refusal):
    """A bill without an amount, or due before it is issued."""

    code = "bill_malformed"
    hi = "बिल {number} ठीक नहीं: राशि {paise}, जारी {issued_on}, देय {due_on}।"
    en = "Bill {number} is malformed: {paise}, issued on {issued_on}, due on {due_on}."


class BillNumberTaken(Refusal):
    """A bill's number is its identity for ever."""

    code = "bill_number_taken"
    hi = "बिल क्रमांक {number} पहले से है।"
    en = "There is a bill {number} already."


class BillUnknown(Refusal):
    """No such bill."""

    code = "bill_unknown"
    hi = "बिल {number} नहीं मिला।"
    en = "There is no bill {number}."

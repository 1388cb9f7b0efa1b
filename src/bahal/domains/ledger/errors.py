"""What the ledger refuses."""

from bahal.shared.errors import Refusal


class Unbalanced(Refusal):
    """Debits and credits of one transaction differ."""

    code = "ledger_unbalanced"
    hi = "लेखा {reference} का योग शून्य नहीं: {sum_paise}।"
    en = "The postings of {reference} do not sum to zero: {sum_paise}."


class ReferencePosted(Refusal):
    """One act of money is posted once."""

    code = "ledger_reference_posted"
    hi = "{kind} {reference} पहले ही दर्ज है।"
    en = "The {kind} {reference} is posted already."

"""What the staff refuses."""

from bahal.shared.errors import Refusal


class OfficerUnknown(Refusal):
    """No such officer."""

    code = "officer_unknown"
    hi = "अधिकारी `{login}` नहीं मिला।"
    en = "There is no officer `{login}`."


class OfficerMayNotSign(Refusal):
    """Only an executive or a superintending engineer signs a drive."""

    code = "officer_may_not_sign"
    hi = "{login} ({role}) अभियान पर हस्ताक्षर नहीं कर सकते।"
    en = "{login} ({role}) may not sign a drive."


class OfficerMalformed(Refusal):
    """An officer has a role of the list and an Ed25519 key."""

    code = "officer_malformed"
    hi = "अधिकारी `{login}` का विवरण ठीक नहीं ({field})।"
    en = "The particulars of officer `{login}` are malformed ({field})."

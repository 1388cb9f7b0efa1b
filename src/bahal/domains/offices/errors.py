"""What the offices refuse."""

from bahal.shared.errors import Refusal


class OfficeUnknown(Refusal):
    """No such office."""

    code = "office_unknown"
    hi = "कार्यालय {office} नहीं मिला।"
    en = "There is no office {office}."


class NotACircle(Refusal):
    """Drives are held by circles."""

    code = "office_not_a_circle"
    hi = "{name} वृत्त नहीं है ({kind}): अभियान वृत्त चलाता है।"
    en = "{name} is a {kind}, not a circle: a drive is held by a circle."

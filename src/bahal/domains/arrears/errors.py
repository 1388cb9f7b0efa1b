"""What the arrears refuse."""

from bahal.shared.errors import Refusal


class HoldKindUnknown(Refusal):
    """A hold has one of the named kinds."""

    code = "hold_kind_unknown"
    hi = "रोक का प्रकार `{kind}` नहीं है; ये हैं: {kinds}।"
    en = "There is no hold of the kind `{kind}`; the kinds are: {kinds}."


class HoldWithoutEvidence(Refusal):
    """A hold stands on evidence, and expires later than it begins."""

    code = "hold_malformed"
    hi = "रोक के लिए प्रमाण और आगे की समाप्ति चाहिए ({field})।"
    en = "A hold needs evidence and an expiry that lies ahead ({field})."


class HoldUnknown(Refusal):
    """No such hold."""

    code = "hold_unknown"
    hi = "रोक {hold} नहीं मिली।"
    en = "There is no hold {hold}."


class HoldLifted(Refusal):
    """A hold is lifted once."""

    code = "hold_lifted_already"
    hi = "रोक {hold} {lifted_at} को {lifted_by} ने हटा दी थी।"
    en = "Hold {hold} was lifted at {lifted_at} by {lifted_by}."


class NoPolicy(Refusal):
    """Nobody may be recovered from without a policy in force."""

    code = "no_policy"
    hi = "{day} को कोई वसूली नीति लागू नहीं।"
    en = "No recovery policy is in force on {day}."


class PolicyVersionTaken(Refusal):
    """A version of the policy is set once; a change is a new version."""

    code = "policy_version_taken"
    hi = "नीति का संस्करण {version} पहले से है: बदलाव नए संस्करण में करें।"
    en = "There is a policy version {version} already: a change is a new version."

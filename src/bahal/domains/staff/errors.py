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


class AmendmentUnknown(Refusal):
    """No such act."""

    code = "amendment_unknown"
    hi = "बदलाव {number} नहीं मिला।"
    en = "There is no amendment {number}."


class AmendmentOver(Refusal):
    """The interlock has judged it."""

    code = "amendment_over"
    hi = "बदलाव {number} पर निर्णय हो चुका है: {outcome}।"
    en = "Amendment {number} was judged already: {outcome}."


class AmendmentMalformed(Refusal):
    """Not an act of the charter."""

    code = "amendment_malformed"
    hi = "बदलाव ठीक नहीं: {why}"
    en = "The amendment is malformed: {why}"


class CandidateUnknown(Refusal):
    """No such passkey was made on the page."""

    code = "candidate_unknown"
    hi = "पहचान संख्या {fingerprint} की कोई पासकी नहीं बनी।"
    en = "No passkey with number {fingerprint} was made."


class OfficerMalformed(Refusal):
    """An officer has a role of the list and an Ed25519 key."""

    code = "officer_malformed"
    hi = "अधिकारी `{login}` का विवरण ठीक नहीं ({field})।"
    en = "The particulars of officer `{login}` are malformed ({field})."


class SignInRefused(Refusal):
    """The login, its password or its code is wrong; which of them is nobody's business."""

    code = "sign_in_refused"
    hi = "नाम, पासवर्ड या कोड ठीक नहीं है। हर कोड एक ही बार चलता है: अगले कोड की प्रतीक्षा करें।"
    en = "The name, the password or the code is wrong. Each code works once: wait for the next one."


class TooManyTries(Refusal):
    """Signing in waits after so many wrong tries."""

    code = "too_many_tries"
    hi = "बहुत अधिक असफल प्रयास: {minutes} मिनट बाद फिर प्रयास करें।"
    en = "Too many wrong tries: try again in {minutes} minutes."


class RoleNotAdmitted(Refusal):
    """The page is not for this role."""

    code = "role_not_admitted"
    hi = "यह पृष्ठ {login} ({role}) के लिए नहीं है।"
    en = "This page is not for {login} ({role})."


class NotInYourCircle(Refusal):
    """What was asked for is not in the officer's circle, or does not exist: which of both is not told."""

    code = "not_in_your_circle"
    hi = "{number} आपके वृत्त में नहीं है।"
    en = "{number} is not in your circle."

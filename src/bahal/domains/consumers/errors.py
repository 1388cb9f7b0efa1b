"""Refusals of consumers at their own door. None says whether somebody is a consumer."""

from bahal.shared.errors import Refusal


class NotANumber(Refusal):
    """Neither a consumer number nor a mobile: not ten digits."""

    code = "sign_in_not_a_number"
    hi = "दस अंकों का उपभोक्ता क्रमांक या मोबाइल नंबर लिखें।"
    en = "Write the ten digits of your consumer number or mobile."


class TooManyCodes(Refusal):
    """Codes were asked for too often."""

    code = "sign_in_too_many_codes"
    hi = "बहुत बार कोड माँगा गया: {minutes} मिनट बाद फिर प्रयास करें।"
    en = "Codes were asked for too often: try again in {minutes} minutes."


class CodeWrong(Refusal):
    """The code opens nothing."""

    code = "sign_in_code_wrong"
    hi = "यह कोड सही नहीं, या उसका समय बीत गया। कोड {minutes} मिनट और {tries} प्रयासों तक मान्य है; नया कोड माँगें।"
    en = "This code is wrong or over. A code is good for {minutes} minutes and {tries} tries; ask for a new one."


class SignedOut(Refusal):
    """No session, or it is over."""

    code = "consumer_signed_out"
    hi = "आप बाहर हैं: {minutes} मिनट उपयोग न होने पर खाता अपने आप बंद हो जाता है। फिर प्रवेश करें।"
    en = "You are signed out: an account that is not used for {minutes} minutes closes by itself. Sign in again."


class NotYours(Refusal):
    """A connection that this session or link does not open."""

    code = "connection_not_yours"
    hi = "यह पृष्ठ यहाँ नहीं खुलता।"
    en = "There is no such page here."


class ViewLinkWrong(Refusal):
    """The link to look at an account is not ours, or its time is over."""

    code = "view_link_wrong"
    hi = "यह लिंक मान्य नहीं है या इसका समय समाप्त हो गया: अपने मोबाइल पर आए कोड से प्रवेश करें।"
    en = "This link is not valid, or its time is over: sign in by a code sent to your mobile."

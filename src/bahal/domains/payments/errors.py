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


class ReceiptUnknown(Refusal):
    """No such receipt."""

    code = "receipt_unknown"
    hi = "रसीद {receipt} नहीं मिली।"
    en = "There is no receipt {receipt}."


class ReceiptCancelled(Refusal):
    """A cancelled receipt is good for nothing more."""

    code = "receipt_cancelled"
    hi = "रसीद {receipt} रद्द की जा चुकी है: इसका फिर उपयोग नहीं हो सकता।"
    en = "Receipt {receipt} was cancelled: it cannot be used again."


class NotOfACounter(Refusal):
    """Only a receipt of a counter's open day can be cancelled; other money is paid back."""

    code = "receipt_not_cancellable"
    hi = "रसीद {receipt} रद्द नहीं हो सकती: वह किसी खुले काउंटर-दिन की नहीं है; राशि वापसी का प्रस्ताव करें।"
    en = "Receipt {receipt} cannot be cancelled: it is not of a counter's open day; propose a refund."


class CounterUnknown(Refusal):
    """No such counter."""

    code = "counter_unknown"
    hi = "काउंटर `{counter}` नहीं मिला।"
    en = "There is no counter `{counter}`."


class CounterTaken(Refusal):
    """A counter's code is used once, and is short."""

    code = "counter_code_wrong"
    hi = "काउंटर कोड `{counter}` नहीं चल सकता: 1 से 8 बड़े अक्षर और अंक, और पहले से प्रयोग न हुआ हो।"
    en = "The counter code `{counter}` cannot be used: 1 to 8 capital letters and digits, not used before."


class DayOpenAlready(Refusal):
    """One day at a time."""

    code = "day_open_already"
    hi = "काउंटर {counter} का दिन {cashier} ने {opened_at} से खोल रखा है।"
    en = "The day of counter {counter} is open already, by {cashier} since {opened_at}."


class DayNotOpen(Refusal):
    """The counter takes money only from its cashier, between opening and closing."""

    code = "day_not_open"
    hi = "काउंटर {counter} पर {cashier} का दिन खुला नहीं है।"
    en = "No day of {cashier} is open at counter {counter}."


class CountWrong(Refusal):
    """A count names notes and coins that exist, and how many."""

    code = "count_wrong"
    hi = "गिनती ठीक नहीं: {given}। 500x12,100x3 जैसा लिखें।"
    en = "The count is malformed: {given}. Write it like 500x12,100x3."


class VarianceUnexplained(Refusal):
    """What was counted is not what must be there."""

    code = "variance_unexplained"
    hi = "गिनती {counted_paise}, होना चाहिए {expected_paise}: अंतर {variance_paise} का कारण लिखें।"
    en = "Counted {counted_paise}, expected {expected_paise}: give the reason for the difference of {variance_paise}."


class ChequeMalformed(Refusal):
    """A cheque has six digits, a bank, and a date that is neither stale nor ahead."""

    code = "cheque_malformed"
    hi = "चेक/ड्राफ्ट ठीक नहीं ({field}): {given}"
    en = "The cheque or draft is malformed ({field}): {given}"


class ChequeTaken(Refusal):
    """The same cheque was taken before and not given back."""

    code = "cheque_taken"
    hi = "{bank} का चेक {number} पहले ही लिया जा चुका है।"
    en = "Cheque {number} of {bank} was taken before."


class ChequeEnded(Refusal):
    """A cheque clears or bounces once, and only a receipt by cheque can."""

    code = "cheque_ended"
    hi = "रसीद {receipt} के पीछे कोई लंबित चेक नहीं है।"
    en = "No cheque is outstanding behind receipt {receipt}."


class ProposalUnknown(Refusal):
    """No such proposal."""

    code = "proposal_unknown"
    hi = "प्रस्ताव {proposal} नहीं मिला।"
    en = "There is no proposal {proposal}."


class ProposalDecided(Refusal):
    """A proposal is decided once; of one thing there is one proposal at a time."""

    code = "proposal_decided"
    hi = "{subject} पर प्रस्ताव {proposal} पहले से है या निर्णय हो चुका है।"
    en = "There is a proposal {proposal} on {subject} already, or it was decided."


class SamePerson(Refusal):
    """Who proposes does not decide."""

    code = "same_person"
    hi = "{login} ने ही प्रस्ताव रखा है: निर्णय दूसरा अधिकारी करेगा।"
    en = "{login} made the proposal: another officer decides."


class ReasonNotGiven(Refusal):
    """A proposal and a bounce say why."""

    code = "reason_not_given"
    hi = "कारण लिखें।"
    en = "Give the reason."


class NothingToPayBack(Refusal):
    """Only money held in advance is paid back."""

    code = "nothing_to_pay_back"
    hi = "कनेक्शन {connection} का अग्रिम {advance_paise} है: {paise} वापस नहीं हो सकते।"
    en = "Connection {connection} holds {advance_paise} in advance: {paise} cannot be paid back."


class NotToPayOut(Refusal):
    """Only a refund that two people agreed on is paid out, and once."""

    code = "not_to_pay_out"
    hi = "प्रस्ताव {proposal} पर भुगतान नहीं हो सकता: वह स्वीकृत राशि-वापसी नहीं है, या राशि दी जा चुकी है।"
    en = "Proposal {proposal} cannot be paid out: it is no accepted refund, or the money was sent."


class SuspenseUnknown(Refusal):
    """No such money in suspense."""

    code = "suspense_unknown"
    hi = "उचंत राशि {suspense} नहीं मिली।"
    en = "There is no money {suspense} in suspense."


class ConsumerNumberWrong(Refusal):
    """A consumer number has ten digits."""

    code = "consumer_number_wrong"
    hi = "`{given}` उपभोक्ता क्रमांक नहीं है: 10 अंक चाहिए, जैसे 2200000001; दिए गए {digits}।"
    en = "`{given}` is no consumer number: 10 digits are expected, such as 2200000001; {digits} were given."


class SettlementLoaded(Refusal):
    """The same content is loaded once."""

    code = "settlement_loaded"
    hi = "यह निपटान फ़ाइल ({name}) {loaded_at} को लोड हो चुकी है।"
    en = "This settlement file ({name}) was loaded on {loaded_at}."


class LinkWrong(Refusal):
    """A pay link is signed and lasts for a while."""

    code = "link_wrong"
    hi = "यह भुगतान लिंक मान्य नहीं है या इसका समय समाप्त हो गया है।"
    en = "This pay link is not valid, or its time is over."


class FetchUnknown(Refusal):
    """A BBPS payment refers to a bill that was fetched."""

    code = "fetch_unknown"
    hi = "refId {ref} से कोई बिल नहीं निकाला गया, या राशि मेल नहीं खाती।"
    en = "No bill was fetched under refId {ref}, or the amount differs."


class DifferenceUnknown(Refusal):
    """No such open difference."""

    code = "difference_unknown"
    hi = "अंतर {difference} खुला नहीं है।"
    en = "There is no open difference {difference}."


class MayNotDecide(Refusal):
    """A revenue officer or an engineer decides, not every role."""

    code = "may_not_decide"
    hi = "{login} ({role}) यह निर्णय नहीं कर सकते।"
    en = "{login} ({role}) may not decide this."


class TooManyAttempts(Refusal):
    """Attempts to pay online are counted by the hour."""

    code = "too_many_attempts"
    hi = "उपभोक्ता {connection} के लिए एक घंटे में {most} प्रयास हो चुके: थोड़ी देर बाद फिर प्रयास करें।"
    en = "There were {most} attempts for consumer {connection} within an hour: try again later."

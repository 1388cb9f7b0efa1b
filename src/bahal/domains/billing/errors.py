"""What billing refuses."""

from bahal.shared.errors import USAGE, Refusal


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
    hi = "बिल क्रमांक {number} नहीं मिला: क्रमांक ऐसा होता है, 202510-2200000001।"
    en = "There is no bill {number}: a number looks like 202510-2200000001."


class BillHasNoLines(Refusal):
    """The bill came in with the books: its lines are not known here."""

    code = "bill_has_no_lines"
    hi = "बिल {number} पुरानी बहियों से आया है: उसकी पंक्तियाँ यहाँ नहीं हैं।"
    en = "Bill {number} came in with the old books: its lines are not kept here."


class ExplanationUnreadable(Refusal):
    """What is kept of a bill's lines is not in a form known here."""

    code = "bill_explanation_unreadable"
    hi = "बिल का विवरण पढ़ा नहीं जा सका: {why}।"
    en = "The bill's explanation cannot be read: {why}."


class RegisterBackwards(Refusal):
    """A register went back, and not by rolling over."""

    code = "register_backwards"
    hi = (
        "मीटर {meter} का पठन पीछे गया: {day} को {kwh} kWh, पहले {before_kwh} kWh; {days} दिन में अधिकतम {most_kwh} kWh "
        "संभव है।"
    )
    en = (
        "Meter {meter} went back: {kwh} kWh on {day}, {before_kwh} kWh before; {days} days allow {most_kwh} kWh at "
        "most."
    )


class RegisterBeyondLoad(Refusal):
    """A register went further than the sanctioned load can draw."""

    code = "register_beyond_load"
    hi = (
        "मीटर {meter} का पठन असंभव है: {day} को {kwh} kWh, पहले {before_kwh} kWh; स्वीकृत भार से {days} दिन में अधिकतम "
        "{most_kwh} kWh संभव है।"
    )
    en = (
        "Meter {meter} cannot have gone from {before_kwh} kWh to {kwh} kWh on {day}: the sanctioned load draws "
        "{most_kwh} kWh at most in {days} days."
    )


class RegisterOtherwise(Refusal):
    """The meter's register of that day is here already, with another value: a reading is corrected, never replaced."""

    code = "register_otherwise"
    hi = "मीटर {meter} का {day} का पठन {there_kwh} kWh पहले से है; {kwh} kWh के लिए सुधार करें।"
    en = "Meter {meter} has {there_kwh} kWh for {day} already; correct it if it is {kwh} kWh."


class RegisterFuture(Refusal):
    """A register cannot have stood so on a day that has not begun."""

    code = "register_future"
    hi = "मीटर {meter} का पठन {day} का है, जो अभी आया नहीं।"
    en = "The reading of meter {meter} is of {day}, which has not begun."


class RegisterMeterUnknown(Refusal):
    """No connection has this meter."""

    code = "register_meter_unknown"
    hi = "मीटर {meter} किसी कनेक्शन पर दर्ज नहीं है।"
    en = "No connection has a meter {meter}."


class RegisterFileMalformed(Refusal):
    """The file's first line does not name the columns."""

    code = "register_file_malformed"
    exit_code = USAGE
    hi = "फ़ाइल की पहली पंक्ति में ये स्तंभ नहीं हैं: {missing}।"
    en = "The first line of the file lacks the columns: {missing}."


class RegisterRowMalformed(Refusal):
    """A row's field is not what it should be."""

    code = "register_row_malformed"
    hi = "स्तंभ `{field}` में `{given}` ठीक नहीं: {want} चाहिए।"
    en = "The column `{field}` has `{given}`: it should be {want}."


class RegisterUnknown(Refusal):
    """There is no such register to correct or to bill by."""

    code = "register_unknown"
    hi = "कनेक्शन {connection} के मीटर का {day} का पठन नहीं है।"
    en = "There is no reading of connection {connection}'s meter for {day}."


class DoubtUnknown(Refusal):
    """No such row waits to be settled."""

    code = "billing_doubt_unknown"
    hi = "संदिग्ध पठन {doubt} प्रतीक्षा में नहीं है।"
    en = "No doubtful reading {doubt} waits to be settled."


class DraftUnknown(Refusal):
    """No such bill is held."""

    code = "bill_draft_unknown"
    hi = "रोका हुआ बिल {draft} नहीं मिला या उस पर निर्णय हो चुका है।"
    en = "No bill {draft} is held, or it was decided already."


class DraftRateNotAccepted(Refusal):
    """A rate that decided the bill is neither verified nor accepted."""

    code = "bill_draft_rate_not_accepted"
    hi = "रोके हुए बिल {draft} की दर {path} सत्यापित नहीं: पहले दर स्वीकार करें।"
    en = "The rate {path} of held bill {draft} is not verified: accept the rate first."


class ReasonWanted(Refusal):
    """An officer's decision on a bill needs a reason."""

    code = "billing_reason_wanted"
    exit_code = USAGE
    hi = "कारण लिखें।"
    en = "Give a reason."


class PeriodNotBilled(Refusal):
    """Nothing was billed for that period, so nothing can be revised."""

    code = "period_not_billed"
    hi = "कनेक्शन {connection} का {day} से शुरू अवधि का कोई बिल नहीं है।"
    en = "Connection {connection} has no bill for a period from {day}."


class NothingToRevise(Refusal):
    """Rated again the period comes to what was billed."""

    code = "nothing_to_revise"
    hi = "बिल {number} की दोबारा गणना वही आती है: {paise}।"
    en = "Bill {number} comes to the same again: {paise}."


class NothingToBill(Refusal):
    """No readings cover days that were not billed yet."""

    code = "nothing_to_bill"
    hi = "कनेक्शन {connection} के {day} तक के पठन नहीं हैं, या वहाँ तक बिल बन चुका है।"
    en = "Connection {connection} has no readings up to {day}, or was billed so far already."


class DraftHeld(Refusal):
    """A bill of this connection is held: it must be decided before another is made."""

    code = "bill_draft_held"
    hi = "कनेक्शन {connection} का एक बिल ({draft}) जाँच में रुका है: पहले उस पर निर्णय करें।"
    en = "A bill of connection {connection} ({draft}) is held for review: decide it first."


class TermsMalformed(Refusal):
    """A change of category, load or owner that cannot be."""

    code = "terms_malformed"
    hi = "शर्तें ठीक नहीं: {field}।"
    en = "The terms are wrong: {field}."


class DepositMalformed(Refusal):
    """No amount."""

    code = "deposit_malformed"
    hi = "प्रतिभूति की राशि {paise} ठीक नहीं।"
    en = "A deposit of {paise} is none."


class DepositRateUnknown(Refusal):
    """No rate of interest on deposits is in force, or nobody answers for it."""

    code = "deposit_rate_unknown"
    hi = "{day} को प्रतिभूति ब्याज की कोई स्वीकृत दर लागू नहीं।"
    en = "No accepted rate of interest on deposits is in force on {day}."


class GroupMalformed(Refusal):
    """A billing group needs a day that every month has, and days to pay."""

    code = "billing_group_malformed"
    exit_code = USAGE
    hi = "वितरण केंद्र {centre}: जारी दिन {issue_day} (1 - 28) या भुगतान के दिन {days_to_pay} ठीक नहीं।"
    en = "Centre {centre}: day of issue {issue_day} (1 - 28) or days to pay {days_to_pay} will not do."


class CycleNotDue(Refusal):
    """The month is not over: its last registers cannot have been read."""

    code = "billing_cycle_not_due"
    hi = "{month} का माह {day} को पूरा होगा: उससे पहले बिल नहीं बनते।"
    en = "The month {month} ends on {day}: it is not billed before."

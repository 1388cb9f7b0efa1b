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


class BillDisputed(Refusal):
    """A bill has one open dispute at a time."""

    code = "bill_disputed_already"
    hi = "बिल {bill} पर विवाद पहले से खुला है।"
    en = "Bill {bill} is under dispute already."


class DisputeUnknown(Refusal):
    """No such open dispute."""

    code = "dispute_unknown"
    hi = "खुला विवाद {dispute} नहीं मिला।"
    en = "There is no open dispute {dispute}."


class ReasonMissing(Refusal):
    """What touches a consumer's due states its reason."""

    code = "arrears_reason_missing"
    hi = "कारण लिखें।"
    en = "State the reason."


class NothingOwed(Refusal):
    """There is nothing to pay by instalments, to give up or to contest."""

    code = "nothing_owed"
    hi = "कनेक्शन {connection} पर कुछ बकाया नहीं।"
    en = "Connection {connection} owes nothing."


class PlanMalformed(Refusal):
    """A plan has at least two parts, begins on a day ahead and ends within what the policy calls stale."""

    code = "plan_malformed"
    hi = "किस्त योजना ठीक नहीं: {why}।"
    en = "The instalment plan is malformed: {why}."


class PlanOpen(Refusal):
    """A connection has one open plan at a time."""

    code = "plan_open_already"
    hi = "कनेक्शन {connection} की किस्त योजना पहले से चल रही है।"
    en = "Connection {connection} has an open instalment plan already."


class DepositTooSmall(Refusal):
    """A deposit under protest stays the cut when it is the lesser of the claim and months times average (s.56(1))."""

    code = "protest_deposit_too_small"
    hi = "विरोध सहित जमा के लिए {needed_paise} चाहिए: दावा {claim_paise}, {months} माह × औसत {average_paise}।"
    en = "A deposit under protest takes {needed_paise}: claim {claim_paise}, {months} months x average {average_paise}."


class WriteOffTooLarge(Refusal):
    """No more is given up than is owed."""

    code = "write_off_too_large"
    hi = "{paise} नहीं छोड़े जा सकते: बकाया {due_paise} है।"
    en = "{paise} cannot be written off: {due_paise} is due."


class WriteOffOpen(Refusal):
    """One proposal at a time."""

    code = "write_off_open_already"
    hi = "कनेक्शन {connection} का छूट प्रस्ताव पहले से खुला है।"
    en = "A write-off for connection {connection} is proposed already."


class WriteOffUnknown(Refusal):
    """No such open proposal."""

    code = "write_off_unknown"
    hi = "छूट प्रस्ताव {write_off} खुला नहीं।"
    en = "There is no open write-off {write_off}."


class SameOfficer(Refusal):
    """Two people: nobody decides what he proposed."""

    code = "decided_by_its_maker"
    hi = "{officer} अपने ही प्रस्ताव पर निर्णय नहीं दे सकते: दूसरा अधिकारी चाहिए।"
    en = "{officer} may not decide his own proposal: it takes a second officer."


class StepNotDue(Refusal):
    """A step after a cut has its day, and those before it."""

    code = "step_not_due"
    hi = "कनेक्शन {connection} पर कदम `{step}` अभी देय नहीं।"
    en = "The step `{step}` is not due for connection {connection}."


class PolicyWrong(Refusal):
    """A policy's document is read whole or not at all."""

    code = "policy_wrong"
    hi = "नीति {file} पढ़ी नहीं जा सकी: {what} ({why})।"
    en = "The policy {file} cannot be read: {what} ({why})."


class PolicyUnlawful(Refusal):
    """No policy asks for less than the law."""

    code = "policy_unlawful"
    hi = "नीति कानून से कम नहीं माँग सकती: {rule} = {given} ({law})।"
    en = "A policy may not ask for less than the law: {rule} = {given} ({law})."


class PolicyUnknown(Refusal):
    """No such version."""

    code = "policy_unknown"
    hi = "नीति का संस्करण {version} नहीं मिला।"
    en = "There is no policy version {version}."


class PolicyAccepted(Refusal):
    """A version is accepted once."""

    code = "policy_accepted_already"
    hi = "नीति {version} पहले ही स्वीकृत है।"
    en = "Policy {version} was accepted before."


class PolicyBackdated(Refusal):
    """What was decided under a policy stays decided: a new one begins ahead, unless nothing was in force."""

    code = "policy_backdated"
    hi = "नीति {version} बीते दिन {effective_from} से लागू नहीं हो सकती।"
    en = "Policy {version} may not begin on {effective_from}, which is past."


class OfficerMayNotSetPolicy(Refusal):
    """Engineers and revenue officers set the policy."""

    code = "officer_may_not_set_policy"
    hi = "{login} ({role}) नीति तय नहीं कर सकते।"
    en = "{login} ({role}) may not set the policy."


class AreaWrong(Refusal):
    """A hold of an area names one office or one feeder, a known kind, its evidence, and an expiry ahead."""

    code = "area_hold_malformed"
    hi = "क्षेत्र की रोक ठीक नहीं ({field}: {given})।"
    en = "The hold of an area is malformed ({field}: {given})."


class AreaHoldUnknown(Refusal):
    """No such open hold of an area."""

    code = "area_hold_unknown"
    hi = "क्षेत्र की खुली रोक {hold} नहीं मिली।"
    en = "There is no open hold {hold} of an area."


class NeedUnknown(Refusal):
    """The register knows these needs."""

    code = "need_unknown"
    hi = "`{need}` पंजी में नहीं; ये हैं: {needs}।"
    en = "The register has no need `{need}`; it has: {needs}."


class RegisteredAlready(Refusal):
    """A connection stands once in the register."""

    code = "vulnerable_registered_already"
    hi = "कनेक्शन {connection} पहले से पंजी में है।"
    en = "Connection {connection} is in the register already."


class NotRegistered(Refusal):
    """The connection is not in the register."""

    code = "vulnerable_not_registered"
    hi = "कनेक्शन {connection} पंजी में नहीं।"
    en = "Connection {connection} is not in the register."


class ConversionUnknown(Refusal):
    """No such conversion that waits to be reconciled, or its noter would reconcile it himself."""

    code = "conversion_unknown"
    hi = "कनेक्शन {connection} का मिलान {officer} नहीं कर सकते।"
    en = "{officer} may not reconcile connection {connection}: nothing waits, or he noted it himself."

"""What protection refuses."""

from bahal.shared.errors import Refusal


class RulesWrong(Refusal):
    """A version of a rulebook cannot be read."""

    code = "rules_wrong"
    hi = "नियम-पुस्तिका `{name}` ठीक नहीं: {why}।"
    en = "The rulebook `{name}` is wrong: {why}."


class RulebookUnknown(Refusal):
    """There is no rulebook of this name."""

    code = "rulebook_unknown"
    hi = "`{name}` नाम की नियम-पुस्तिका नहीं है: {names}।"
    en = "There is no rulebook `{name}`: {names}."


class RulesUnknown(Refusal):
    """No proposed version has this number."""

    code = "rules_unknown"
    hi = "नियमों का संस्करण {id} नहीं है।"
    en = "There is no version {id} of rules."


class RulesTaken(Refusal):
    """The version's name is used already."""

    code = "rules_taken"
    hi = "`{name}` में `{version}` संस्करण पहले से है।"
    en = "The rulebook `{name}` has a version `{version}` already."


class RulesAccepted(Refusal):
    """A version is accepted once."""

    code = "rules_accepted"
    hi = "संस्करण {id} को {accepted_by} पहले ही स्वीकार कर चुके हैं।"
    en = "Version {id} was accepted by {accepted_by} already."


class SameRulesOfficer(Refusal):
    """Rules need two people."""

    code = "same_rules_officer"
    hi = "{officer} ने ही ये नियम प्रस्तावित किए; स्वीकार कोई दूसरा अधिकारी करे।"
    en = "{officer} proposed these rules; another officer accepts them."


class OfficerMayNotSetRules(Refusal):
    """His role sets no rules."""

    code = "officer_may_not_set_rules"
    hi = "{login} ({role}) नियम नहीं बदल सकते।"
    en = "{login} ({role}) may not change these rules."


class ReasonMissing(Refusal):
    """A decision without a reason."""

    code = "protection_reason_missing"
    hi = "कारण लिखें।"
    en = "State the reason."


class AlertUnknown(Refusal):
    """There is no such alert."""

    code = "alert_unknown"
    hi = "चेतावनी {alert} नहीं है।"
    en = "There is no alert {alert}."


class AlertClosed(Refusal):
    """It was closed before."""

    code = "alert_closed"
    hi = "चेतावनी {alert} बंद हो चुकी है।"
    en = "Alert {alert} is closed already."


class WarningUnknown(Refusal):
    """There is no such warning."""

    code = "warning_unknown"
    hi = "खपत-चेतावनी {warning} नहीं है।"
    en = "There is no consumption warning {warning}."


class WarningClosed(Refusal):
    """It was closed before."""

    code = "warning_closed"
    hi = "खपत-चेतावनी {warning} बंद हो चुकी है: {outcome}।"
    en = "Consumption warning {warning} is closed already: {outcome}."


class OutcomeUnknown(Refusal):
    """Not an outcome that is counted."""

    code = "outcome_unknown"
    hi = "`{outcome}` परिणाम मान्य नहीं: {outcomes}।"
    en = "`{outcome}` is no outcome: {outcomes}."


class FactUnread(Refusal):
    """A push proves nothing. What is held against a person was read again, authenticated, and the meter said the same.

    IS 15959 encrypts pushes without a tag (security control 0x20); `kinds` names the facts that nobody read again.
    """

    code = "fact_unread"
    hi = "मीटर {meter} पर ये बातें प्रमाणित संवाद में दोबारा नहीं पढ़ी गईं: {kinds}। इन्हें किसी के विरुद्ध नहीं रखा जा सकता।"
    en = (
        "On meter {meter} these facts were not read again in an authenticated association: {kinds}. They may not be"
        " held against anybody."
    )

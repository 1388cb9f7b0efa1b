"""What fieldwork refuses."""

from bahal.shared.errors import USAGE, Refusal, filled
from bahal.shared.text import Language
from bahal.shared.words import CAUSES


class TaskUnknown(Refusal):
    """No such task."""

    code = "task_unknown"
    hi = "लाइनमैन कार्य {task} नहीं मिला।"
    en = "There is no field task {task}."


class ReportMalformed(Refusal):
    """A report lacks what it must say, or says what cannot be."""

    code = "field_report_malformed"
    exit_code = USAGE
    hi = "रिपोर्ट ठीक नहीं: {why}"
    en = "The report is malformed: {why}"


class ReportReused(Refusal):
    """A report's id stands for another report."""

    code = "field_report_reused"
    hi = "रिपोर्ट {report} पहले ही दूसरी बातों के साथ दर्ज है।"
    en = "Report {report} was taken before and said something else."


class ReportUnknown(Refusal):
    """No such report."""

    code = "field_report_unknown"
    hi = "रिपोर्ट {report} नहीं मिली।"
    en = "There is no report {report}."


class ReportStands(Refusal):
    """Nothing contradicts the report: there is nothing to settle."""

    code = "field_report_stands"
    hi = "रिपोर्ट {report} में कोई विरोध खुला नहीं है।"
    en = "Nothing open contradicts report {report}."


class ReporterMaySettleNot(Refusal):
    """Who reported does not settle what contradicts his report."""

    code = "reporter_settles"
    hi = "{officer} ने ही यह रिपोर्ट दी है: विरोध कोई और निपटाए।"
    en = "{officer} made this report: somebody else settles what contradicts it."


class WrongRole(Refusal):
    """Field tasks are a lineman's or an engineer's."""

    code = "field_role_wrong"
    hi = "{login} ({role}) यह लाइनमैन कार्य नहीं कर सकते।"
    en = "{login} ({role}) may not do this field work."


class LeaveRefused(Refusal):
    """The connection may not be cut by hand now; `reason` is the first word against it."""

    code = "leave_refused"
    hi = "कार्य {task}: काटने की अनुमति नहीं — {against}। मत काटें।"
    en = "Task {task}: no leave to cut: {against}. Do not cut."

    def text(self, language: Language) -> str:
        """The sentence in one language, the reason in its words."""
        reason = str(self.data["reason"])
        against = CAUSES[reason][language != "hi"] if reason in CAUSES else reason
        return filled(self.hi if language == "hi" else self.en, self.data | {"against": against})

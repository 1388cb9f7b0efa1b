"""What the readings refuse."""

from bahal.shared.errors import Refusal


class MeterNotRead(Refusal):
    """The head-end knows no such meter."""

    code = "meter_not_read"
    hi = "मीटर {meter} हेड-एंड में दर्ज नहीं है।"
    en = "The head-end knows no meter {meter}."


class NobodyToRead(Refusal):
    """There is no meter in what was asked for."""

    code = "nobody_to_read"
    hi = "पढ़ने को कोई मीटर नहीं: {what}।"
    en = "There is no meter to read: {what}."


class ScheduleOfOne(Refusal):
    """A schedule is made by one person and accepted by another."""

    code = "schedule_of_one"
    hi = "पठन-कार्यक्रम {made_by} ने बनाया है: स्वीकृति किसी और की चाहिए।"
    en = "{made_by} made this schedule: somebody else has to accept it."


class ScheduleUnknown(Refusal):
    """No schedule has this number."""

    code = "reading_schedule_unknown"
    hi = "पठन-कार्यक्रम {schedule} नहीं है।"
    en = "There is no reading schedule {schedule}."


class ScheduleAccepted(Refusal):
    """A schedule is accepted once."""

    code = "schedule_accepted"
    hi = "पठन-कार्यक्रम {schedule} को {accepted_by} पहले ही स्वीकार कर चुके हैं।"
    en = "Reading schedule {schedule} was accepted by {accepted_by} already."


class ScheduleWrong(Refusal):
    """A number of a schedule that cannot be."""

    code = "schedule_wrong"
    hi = "पठन-कार्यक्रम में `{field}` = {given} नहीं हो सकता: {want}।"
    en = "A reading schedule cannot have {field} = {given}: {want}."


class ScheduleReasonMissing(Refusal):
    """A schedule is accepted with a reason."""

    code = "schedule_reason_missing"
    hi = "स्वीकृति का कारण लिखें।"
    en = "State the reason for accepting."


class OfficerMayNotSchedule(Refusal):
    """His role sets no reading schedules."""

    code = "officer_may_not_schedule"
    hi = "{login} ({role}) पठन-कार्यक्रम नहीं बदल सकते।"
    en = "{login} ({role}) may not change reading schedules."


class RegisterMalformed(Refusal):
    """A register is named by six numbers of OBIS."""

    code = "register_malformed"
    hi = "`{register}` रजिस्टर का OBIS नाम नहीं है (जैसे 1.0.1.8.0.255)।"
    en = "`{register}` is not the OBIS name of a register (such as 1.0.1.8.0.255)."


class EditWrong(Refusal):
    """Values that cannot stand in a day."""

    code = "edit_wrong"
    hi = "मीटर {meter}, {day}: ये मान नहीं रखे जा सकते: {why}।"
    en = "Meter {meter}, {day}: these values cannot stand there: {why}."


class EditUnknown(Refusal):
    """No edit has this number."""

    code = "edit_unknown"
    hi = "मान-संशोधन {edit} नहीं है।"
    en = "There is no edit {edit}."


class EditAccepted(Refusal):
    """An edit is accepted once."""

    code = "edit_accepted"
    hi = "मान-संशोधन {edit} को {accepted_by} पहले ही स्वीकार कर चुके हैं।"
    en = "Edit {edit} was accepted by {accepted_by} already."


class EditOfOne(Refusal):
    """A value is edited by two people."""

    code = "edit_of_one"
    hi = "मान-संशोधन {proposed_by} का है: स्वीकृति किसी और की चाहिए।"
    en = "{proposed_by} proposed this edit: somebody else has to accept it."


class EditReasonMissing(Refusal):
    """An edit is proposed and accepted with a reason."""

    code = "edit_reason_missing"
    hi = "कारण लिखें।"
    en = "State the reason."


class OfficerMayNotEdit(Refusal):
    """His role edits no readings."""

    code = "officer_may_not_edit"
    hi = "{login} ({role}) पठन नहीं बदल सकते।"
    en = "{login} ({role}) may not edit readings."

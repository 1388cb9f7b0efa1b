"""What the audit refuses to answer."""

from bahal.shared.errors import ENVIRONMENT, Refusal


class ActUnknown(Refusal):
    """The audit has no such entry."""

    code = "act_unknown"
    hi = "लेखा-परीक्षा में प्रविष्टि {entry} नहीं है।"
    en = "The audit has no entry {entry}."


class ActNotRooted(Refusal):
    """No root covers the entry yet: one is made each minute."""

    code = "act_not_rooted"
    hi = "प्रविष्टि {entry} अभी किसी मूल में नहीं है; एक मिनट बाद फिर माँगें।"
    en = "No root covers entry {entry} yet; ask again in a minute."


class AuditAltered(Refusal):
    """An audit is not what was sealed; `findings` name each row and batch."""

    code = "audit_altered"
    hi = "लेखा-परीक्षा बदली गई है: {count} निष्कर्ष, पहला {first}।"
    en = "The audit was altered: {count} findings, the first {first}."


class SecondPlaceSilent(Refusal):
    """The second place did not take a root: nothing proves the last minutes until it does."""

    code = "second_place_silent"
    exit_code = ENVIRONMENT
    hi = "दूसरे स्थान {place} ने मूल नहीं लिया: {why}"
    en = "The second place {place} did not take a root: {why}"


class DayNotRooted(Refusal):
    """No root was made on that day."""

    code = "day_not_rooted"
    hi = "{day} का कोई मूल नहीं है।"
    en = "There is no root of {day}."

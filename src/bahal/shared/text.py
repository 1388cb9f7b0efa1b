"""Words and figures as people in Chhattisgarh read them: two languages, Indian grouping, Indian time, 24 hours."""

import os
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

Language = Literal["hi", "en"]
LANGUAGES: tuple[Language, ...] = ("hi", "en")

INDIA = ZoneInfo("Asia/Kolkata")

MONTHS: Mapping[Language, tuple[str, ...]] = {
    "hi": (
        "जनवरी", "फ़रवरी", "मार्च", "अप्रैल", "मई", "जून",
        "जुलाई", "अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip


def language_of(environ: Mapping[str, str] | None = None) -> Language:
    """The language chosen by `BAHAL_LANG`; Hindi if it is unset or names no language of ours."""
    chosen = (os.environ if environ is None else environ).get("BAHAL_LANG", "hi")[:2].lower()
    return "en" if chosen == "en" else "hi"


def grouped(number: int) -> str:
    """An integer in Indian grouping: 2800000 is 28,00,000."""
    sign, digits = ("-", str(-number)) if number < 0 else ("", str(number))
    head, tail = digits[:-3], digits[-3:]
    groups: list[str] = []
    while head:
        head, group = head[:-2], head[-2:]
        groups.insert(0, group)
    return sign + ",".join([*groups, tail])


def day(value: date) -> str:
    """A calendar day in figures, the same in both languages: 24-11-2025."""
    return f"{value:%d-%m-%Y}"


def day_in_words(value: date, language: Language) -> str:
    """A calendar day with its month's name: 24 नवंबर 2025."""
    return f"{value.day} {MONTHS[language][value.month - 1]} {value.year}"


def instant(value: datetime) -> str:
    """An aware instant in Indian time, 24 hours: 24-11-2025 10:00:00.

    :raises ValueError: the instant has no zone.
    """
    if value.tzinfo is None:
        raise ValueError(f"an instant without a zone: {value!r}")
    return f"{value.astimezone(INDIA):%d-%m-%Y %H:%M:%S}"

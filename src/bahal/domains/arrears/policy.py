"""The recovery policy as a document: each rule a table with its value, its legal source and whether it was checked.

Who may be cut is data, and the law bounds the data: a document that asks for less than the law is refused and never
stored. Only a what-if may step below it, to show what that would do; it is read by `read_what_if` and stored nowhere.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from importlib.resources import files
from typing import Any

from bahal.domains.arrears.errors import PolicyUnlawful, PolicyWrong

HEAD = frozenset({"version", "effective_from", "effective_until", "office", "category"})


@dataclass(frozen=True, slots=True)
class Field:
    """A rule: how its value reads, its words, and the law's bound on it with its source."""

    read: Callable[[Any], Any]
    hi: str
    en: str
    lawful: Callable[[Any], bool] = lambda _: True
    law: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a document states it."""

    value: Any
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy read whole: in force `[effective_from, effective_until)`, for an office and a category or for all."""

    version: str
    effective_from: date
    effective_until: date | None
    office: int | None
    category: str | None
    rules: Mapping[str, Rule]
    text: str

    @property
    def unverified(self) -> Sequence[str]:
        """The rules whose source nobody has checked."""
        return [name for name, rule in self.rules.items() if not rule.verified]

    def columns(self) -> dict[str, Any]:
        """The row's columns. One source stands for all that share it; the document keeps each."""
        sources = dict.fromkeys(rule.source for rule in self.rules.values())
        values = {name: json.dumps(r.value) if name == "ladder" else r.value for name, r in self.rules.items()}
        return {
            "version": self.version,
            "effective_from": self.effective_from,
            "effective_until": self.effective_until,
            "office": self.office,
            "category": self.category,
            **values,
            "source": "; ".join(sources),
            "verified": not self.unverified,
            "document": self.text,
        }


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Another policy to ask about: what it changes, and which reasons it would not heed."""

    version: str
    values: Mapping[str, Any]
    waived: Sequence[str]

    def over(self, present: Mapping[str, Any]) -> str:
        """The present policy's row with these changes, as JSON."""
        changed = {**present, **self.values, "version": self.version, "waived": list(self.waived)}
        return json.dumps(changed, default=str)


def shipped_policy() -> str:
    """The document that comes with the product: every rule with its source; what nobody has checked says so."""
    return (files(__package__) / "policies" / "cg-2025-1.toml").read_text(encoding="utf-8")


def read_policy(text: str, *, file: str) -> PolicyDocument:
    """Read a document whole. `file` is how refusals name it.

    :raises PolicyWrong: not TOML, a rule missing or unknown, a value or a source that does not read.
    :raises PolicyUnlawful: a rule asks for less than the law.
    """
    told = _toml(text, file)
    for name in FIELDS.keys() - told.keys():
        raise PolicyWrong(file=file, what=name, why="missing")
    rules = {}
    for name, field in FIELDS.items():
        stated = told[name]
        if not isinstance(stated, dict) or not str(stated.get("source", "")).strip():
            raise PolicyWrong(file=file, what=name, why="no source")
        if stated.keys() - {"value", "source", "verified"} or not isinstance(stated.get("verified"), bool):
            raise PolicyWrong(file=file, what=name, why="value, source, verified")
        value = _value(field, stated.get("value"), file=file, name=name)
        if not field.lawful(value):
            raise PolicyUnlawful(rule=name, given=str(stated["value"]), law=field.law)
        rules[name] = Rule(value, str(stated["source"]).strip(), stated["verified"])
    if not rules["window_from"].value < rules["window_to"].value:
        raise PolicyWrong(file=file, what="window_to", why="window_from < window_to")
    start, end = told.get("effective_from"), told.get("effective_until")
    office, category = told.get("office"), told.get("category")
    version = told.get("version")
    if not isinstance(version, str) or not version.strip():
        raise PolicyWrong(file=file, what="version", why=repr(version))
    if type(start) is not date or not (end is None or (type(end) is date and end > start)):
        raise PolicyWrong(file=file, what="effective_from", why=f"{start} - {end}")
    if not (office is None or type(office) is int) or not (category is None or isinstance(category, str)):
        raise PolicyWrong(file=file, what="office", why=f"{office!r} {category!r}")
    return PolicyDocument(version.strip(), start, end, office, category, rules, text)


def read_what_if(text: str, *, file: str, reasons: Sequence[str]) -> WhatIf:
    """Read a what-if: `waive`, a list out of `reasons`, and any rules, each a value or a table with one.

    :raises PolicyWrong: not TOML, an unknown rule or reason, a value that does not read.
    """
    told = _toml(text, file)
    waived = told.pop("waive", [])
    for reason in waived if isinstance(waived, list) else [waived]:
        if reason not in reasons:
            raise PolicyWrong(file=file, what="waive", why=repr(reason))
    values = {
        name: _value(FIELDS[name], stated.get("value") if isinstance(stated, dict) else stated, file=file, name=name)
        for name, stated in told.items()
        if name in FIELDS
    }
    return WhatIf(str(told.get("version") or file), values, tuple(waived))


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise PolicyWrong(file=file, what="TOML", why=str(wrong)) from wrong
    for name in told.keys() - FIELDS.keys() - HEAD - {"waive"}:
        raise PolicyWrong(file=file, what=name, why="unknown")
    return told


def _value(field: Field, given: Any, *, file: str, name: str) -> Any:
    try:
        return field.read(given)
    except (TypeError, ValueError) as wrong:
        raise PolicyWrong(file=file, what=name, why=repr(given)) from wrong


def _number(least: int, most: int) -> Callable[[Any], int]:
    def read(given: Any) -> int:
        if type(given) is not int or not least <= given <= most:
            raise ValueError(given)
        return given

    return read


def _clock(given: Any) -> time:
    if not isinstance(given, time):
        raise TypeError(given)
    return given


def _yes(given: Any) -> bool:
    if not isinstance(given, bool):
        raise TypeError(given)
    return given


def _numbers(least: int, most: int) -> Callable[[Any], list[int]]:
    each = _number(least, most)
    return lambda given: [each(one) for one in _list(given)]


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise TypeError(given)
    return given


def _names(given: Any) -> list[str]:
    if not all(isinstance(each, str) and each for each in _list(given)):
        raise TypeError(given)
    return list(given)


def _by(*channels: str) -> Callable[[Any], list[str]]:
    def read(given: Any) -> list[str]:
        if not _list(given) or len(set(given)) != len(given) or not set(given) <= set(channels):
            raise ValueError(given)
        return list(given)

    return read


def _ladder(given: Any) -> list[list[int]]:
    return [[_number(1, 100)(each[0]), _number(1, 100)(each[1]), _number(1, 365)(each[2])] for each in _list(given)]


def _bill(given: Any) -> str:
    if given != "bill":
        raise ValueError(given)
    return "bill"


CHANNELS = ("sms", "whatsapp", "letter", "hand")
IN_WRITING = ("letter", "hand")
"""By what a notice is served: paper whose delivery somebody acknowledges."""

_MONEY, _DAYS = _number(0, 10**12), _number(0, 3650)

FIELDS: Mapping[str, Field] = {
    "notice_clear_days": Field(
        _number(-1, 365), "लिखित सूचना के स्पष्ट दिन", "clear days of written notice", lambda days: days >= 15, "s.56(1)"
    ),
    "reminders": Field(_number(0, 30), "लगातार दिनों के स्मरण", "reminders on days running", lambda n: n >= 1, "promise"),
    "last_reminder_within_days": Field(_DAYS, "अंतिम स्मरण, दिन पहले", "last reminder, days before"),
    "window_from": Field(_clock, "विच्छेदन का समय, से", "window for cuts from"),
    "window_to": Field(_clock, "विच्छेदन का समय, तक", "window for cuts to"),
    "quiet_from": Field(_clock, "शांत समय, से", "quiet hours from"),
    "quiet_to": Field(_clock, "शांत समय, तक", "quiet hours to"),
    "no_cut_weekdays": Field(_numbers(1, 7), "विच्छेदन-रहित वार (7 रविवार)", "weekdays without cuts (7 is Sunday)"),
    "second_saturday_free": Field(_yes, "दूसरा शनिवार विच्छेदन-रहित", "no cut on second Saturdays"),
    "minimum_paise": Field(_MONEY, "न्यूनतम बकाया, पैसे", "minimum arrears, paise"),
    "protest_months": Field(
        _number(1, 24),
        "विरोध सहित जमा: औसत के माह",
        "deposit under protest: months averaged",
        lambda n: n == 6,
        "s.56(1)",
    ),
    "cutting_paise": Field(_MONEY, "विच्छेदन व्यय, पैसे", "expense of cutting, paise"),
    "reconnection_paise": Field(_MONEY, "पुनर्संयोजन व्यय, पैसे", "expense of reconnecting, paise"),
    "stale_after_months": Field(
        _number(1, 600), "पुराना बकाया, माह", "a due is stale after months", lambda n: n <= 24, "s.56(2)"
    ),
    "prepaid_cut_after_days": Field(_number(0, 30), "प्रीपेड शून्य: कार्यदिवस बाद", "prepaid at zero: working days after"),
    "emergency_days": Field(_DAYS, "आपात बहाली, दिन", "emergency restore, days"),
    "emergency_times": Field(_number(0, 12), "आपात बहाली, बार", "emergency restore, times"),
    "conversion_grace_days": Field(_DAYS, "प्रीपेड होने के बाद छूट, दिन", "grace after becoming prepaid, days"),
    "low_balance_percents": Field(_numbers(0, 100), "कम शेष की चेतावनी, %", "low balance warnings, %"),
    "promise_minutes": Field(_number(1, 10_080), "बहाली का वचन, मिनट", "promise of reconnection, minutes"),
    "part_payment_percent": Field(_number(1, 100), "बहाली हेतु भुगतान, %", "part to pay before reconnection, %"),
    "ladder": Field(_ladder, "आंशिक भुगतान की सीढ़ी", "ladder of part payments"),
    "overload": Field(_bill, "अधिक भार: केवल बिल", "overload: billed, never cut"),
    "canary": Field(_number(1, 1000), "पहली टोली", "canary", lambda n: n <= 50, "UP, 12-08-2020"),
    "notice_channels": Field(
        _by(*CHANNELS),
        "लिखित सूचना के माध्यम, क्रम से",
        "channels of a written notice, in order",
        lambda order: bool(set(order) & set(IN_WRITING)),
        "s.56(1), in writing",
    ),
    "notice_serves": Field(
        _by(*CHANNELS),
        "जिनसे लिखित सूचना तामील होती है",
        "channels that serve a written notice",
        lambda order: set(order) <= set(IN_WRITING),
        "s.56(1), in writing",
    ),
    "reminder_channels": Field(_by(*CHANNELS), "स्मरण के माध्यम, क्रम से", "channels of a reminder, in order"),
    "receipt_hours": Field(_number(1, 72), "रसीद की प्रतीक्षा, घंटे", "wait for a receipt, hours"),
    "letter_days": Field(_number(1, 60), "डाक की प्रतीक्षा, दिन", "wait for the post, days"),
    "channels": Field(_names, "जिनसे बकाया दिखे और चुके", "channels by which a due is seen and paid"),
    "channel_minutes": Field(_number(1, 1440), "रास्ता पुराना, मिनट", "a channel is stale after minutes"),
}
"""Every rule of a policy."""

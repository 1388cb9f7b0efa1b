"""Refusals speak: a named error with data and a sentence in Hindi and English.

A refusal is declared beside what raises it::

    class StillUnpaid(Refusal):
        code = "still_unpaid"
        hi = "कनेक्शन {connection} पर {due_paise} बकाया है।"
        en = "Connection {connection} still owes {due_paise}."

    raise StillUnpaid(connection=2200000001, due_paise=512300)

In a sentence a name ending in `paise` is shown in rupees, an instant in Indian time and a day in figures.
"""

import string
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar

from bahal.shared.money import rupees
from bahal.shared.text import Language, day, instant

REFUSED = 1
USAGE = 2
ENVIRONMENT = 3

_registered: "dict[str, type[Refusal]]" = {}


class Refusal(Exception):
    """The base of all refusals. `data` is what the sentence names; `exit_code` is the command line's.

    :raises KeyError: on making one without a datum that its sentence names, so that it fails where it is raised.
    """

    code: ClassVar[str]
    hi: ClassVar[str]
    en: ClassVar[str]
    exit_code: ClassVar[int] = REFUSED

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "code" not in cls.__dict__:
            return  # a family of refusals, never raised itself
        other = _registered.setdefault(cls.code, cls)
        if other is not cls and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"two refusals are called {cls.code}: {other!r}, {cls!r}")

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(self.text("en"))

    def text(self, language: Language) -> str:
        """The sentence in one language."""
        return filled(self.hi if language == "hi" else self.en, self.data)

    def as_json(self) -> dict[str, Any]:
        """The shape that `--json` and the API answer with: error, data, hi, en."""
        return {
            "error": self.code,
            "data": {name: _plain(value) for name, value in self.data.items()},
            "hi": self.text("hi"),
            "en": self.text("en"),
        }


def registered() -> Mapping[str, type[Refusal]]:
    """Every refusal declared by the modules imported so far, by code."""
    return dict(_registered)


def filled(template: str, data: Mapping[str, Any]) -> str:
    """A sentence with its data as people read them: paise as rupees, instants in Indian time, days in figures.

    :raises KeyError: the sentence names a datum that is not given.
    """
    return template.format_map({name: _shown(name, value) for name, value in data.items()})


def names_in(template: str) -> frozenset[str]:
    """The data that a sentence names."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def _shown(name: str, value: Any) -> str:
    if name.endswith("paise") and isinstance(value, int):
        return rupees(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return day(value)
    return str(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value)

"""Refusals speak both languages, from stored data."""

import importlib
import pkgutil
from datetime import UTC, date, datetime

import pytest

import bahal
from bahal.shared.errors import Refusal, names_in, registered


class StillOwes(Refusal):
    """A refusal as a domain declares one."""

    code = "test_still_owes"
    hi = "कनेक्शन {connection} पर {due_paise} बकाया है, {on} तक।"
    en = "Connection {connection} owes {due_paise} as of {on}, asked at {asked_at}."


def test_a_refusal_speaks() -> None:
    refusal = StillOwes(
        connection=2200000001,
        due_paise=51230050,
        on=date(2025, 11, 24),
        asked_at=datetime(2025, 11, 24, 4, 30, tzinfo=UTC),
    )
    assert str(refusal) == "Connection 2200000001 owes ₹5,12,300.50 as of 24-11-2025, asked at 24-11-2025 10:00:00."
    assert refusal.text("hi") == "कनेक्शन 2200000001 पर ₹5,12,300.50 बकाया है, 24-11-2025 तक।"
    assert refusal.as_json() == {
        "error": "test_still_owes",
        "data": {
            "connection": 2200000001,
            "due_paise": 51230050,
            "on": "2025-11-24",
            "asked_at": "2025-11-24T04:30:00+00:00",
        },
        "hi": refusal.text("hi"),
        "en": refusal.text("en"),
    }


def test_a_missing_datum_fails_where_it_is_raised() -> None:
    with pytest.raises(KeyError, match="due_paise"):
        StillOwes(connection=1)


def test_a_code_means_one_thing() -> None:
    with pytest.raises(TypeError, match="test_still_owes"):
        type("Another", (Refusal,), {"code": "test_still_owes", "hi": "", "en": ""})


def test_every_refusal_of_the_product_speaks_both_languages() -> None:
    for module in pkgutil.walk_packages(bahal.__path__, "bahal."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [refusal for refusal in registered().values() if refusal.__module__.startswith("bahal.")]
    assert len(ours) >= 10
    for refusal in ours:
        assert any("\u0900" <= letter <= "\u097f" for letter in refusal.hi), refusal
        assert refusal.en.isascii(), refusal
        assert refusal.en[0].isupper() or refusal.en[0] in "{`", refusal
        # A datum may have its own Hindi form, `reason_hi` for `reason`; otherwise both sentences tell the same.
        hindi, english = {name.removesuffix("_hi") for name in names_in(refusal.hi)}, set(names_in(refusal.en))
        assert hindi <= english or english <= hindi, refusal
        assert refusal.exit_code in (1, 2, 3), refusal

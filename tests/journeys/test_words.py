"""Every refusal of the business speaks Hindi and English, and both name the same things."""

import importlib
import pkgutil

import pytest

import bahal
from bahal.domains.arrears.verdict import REASONS
from bahal.domains.protection.rules import KINDS
from bahal.domains.supply.life import STATES
from bahal.shared.errors import Refusal, names_in, registered

ROOMS = ("shared", "foundation", "gateways", "domains", "journeys", "edges")


def refusals() -> list[type[Refusal]]:
    for room in ROOMS:
        package = importlib.import_module(f"bahal.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"bahal.{room}."):
            if ".migrations" not in module.name:
                importlib.import_module(module.name)
    return [
        each for each in registered().values() if each.__module__.startswith(tuple(f"bahal.{room}." for room in ROOMS))
    ]


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.code)
def test_a_refusal_speaks_both_languages(refusal: type[Refusal]) -> None:
    assert any("\u0900" <= letter <= "\u097f" for letter in refusal.hi)
    assert not any("\u0900" <= letter <= "\u097f" for letter in refusal.en)
    assert names_in(refusal.hi) == names_in(refusal.en)
    assert refusal.__doc__


def test_every_reason_and_alert_is_written_in_both_languages() -> None:
    for words in (REASONS, KINDS):
        for hindi, english in words.values():
            assert any("\u0900" <= letter <= "\u097f" for letter in hindi)
            assert english


def test_every_word_of_the_table_is_there() -> None:
    from pathlib import Path

    table = (Path(bahal.__file__).parents[2] / "docs" / "words.md").read_text("utf-8")
    for word in (*STATES, *REASONS, *KINDS):
        assert f"`{word}`" in table, word

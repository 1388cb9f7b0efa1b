"""Every refusal of the business speaks Hindi and English, and both name the same things."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import bahal
from bahal.domains.arrears.models import AREA_KINDS, HOLD_KINDS, NEEDS
from bahal.domains.billing.models import HELD_FOR
from bahal.domains.complaints.models import EVENTS as COMPLAINT_EVENTS
from bahal.domains.complaints.models import KINDS as COMPLAINT_KINDS
from bahal.domains.fieldwork.models import KINDS
from bahal.domains.fieldwork.rules import CONTRADICTIONS
from bahal.domains.incidents.grouping import SCOPES
from bahal.domains.meters.models import MISMATCHES
from bahal.domains.notices.models import DELIVERIES, MESSAGE_KINDS
from bahal.domains.offices.models import Office
from bahal.domains.payments.models import CHANNELS, DIFFERENCES, INSTRUMENTS, PROPOSALS
from bahal.domains.protection.kinds import read_kinds, shipped_kinds
from bahal.domains.protection.operations import ALERT_OUTCOMES, WARNING_OUTCOMES
from bahal.domains.staff.models import ROLES
from bahal.domains.supply.clock import CAUSES
from bahal.domains.supply.eligibility import CUT, REASONS
from bahal.domains.supply.life import RESTORE_GROUNDS, STATES
from bahal.domains.supply.models import Drive
from bahal.domains.supply.restoring import BOUNDS
from bahal.journeys.bill_cycle import BUSY, CREDIT_BALANCE
from bahal.journeys.determine import WHY_NOT
from bahal.journeys.open_line import NAMES
from bahal.shared.errors import Refusal, names_in, registered
from bahal.shared.words import WORDS

LAYERS = ("shared", "foundation", "gateways", "domains", "journeys", "edges")


def refusals() -> list[type[Refusal]]:
    for room in LAYERS:
        package = importlib.import_module(f"bahal.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"bahal.{room}."):
            if ".migrations" not in module.name:
                importlib.import_module(module.name)
    return [
        each for each in registered().values() if each.__module__.startswith(tuple(f"bahal.{room}." for room in LAYERS))
    ]


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.code)
def test_a_refusal_speaks_both_languages(refusal: type[Refusal]) -> None:
    assert any("\u0900" <= letter <= "\u097f" for letter in refusal.hi)
    assert not any("\u0900" <= letter <= "\u097f" for letter in refusal.en)
    assert names_in(refusal.hi) == names_in(refusal.en)
    assert refusal.__doc__


def codes() -> dict[str, set[str]]:
    """Every code that the business uses, by the section of the table where it must stand."""
    return {
        "order states": set(STATES),
        "drive states": {state for state, _ in Drive._meta.get_field("state").choices or ()},
        "grounds": set(RESTORE_GROUNDS),
        "rules of restoring": set(BOUNDS),
        "delays": set(CAUSES),
        "verdicts": {CUT, *REASONS},
        "holds": set(HOLD_KINDS),
        "area holds": set(AREA_KINDS),
        "needs": set(NEEDS),
        "alerts": set(read_kinds(shipped_kinds()).alerts()),
        "incidents": set(read_kinds(shipped_kinds()).incidents()),
        "scopes": set(SCOPES),
        "task kinds": set(KINDS),
        "mismatches": {*MISMATCHES, *CONTRADICTIONS},
        "ends of alerts": {"restored", "same_cause", *ALERT_OUTCOMES},
        "ends of warnings": set(WARNING_OUTCOMES),
        "held bills": set(HELD_FOR),
        "half hours": set(NAMES.values()),
        "unbilled": {*WHY_NOT, BUSY, CREDIT_BALANCE},
        "channels": set(CHANNELS),
        "instruments": set(INSTRUMENTS),
        "proposals": set(PROPOSALS),
        "differences": set(DIFFERENCES),
        "roles": set(ROLES),
        "message kinds": set(MESSAGE_KINDS),
        "complaint kinds": set(COMPLAINT_KINDS),
        "complaint states": set(COMPLAINT_EVENTS),
        "deliveries": set(DELIVERIES),
        "offices": {kind for kind, _ in Office._meta.get_field("kind").choices or ()},
    }


@pytest.mark.parametrize("section", sorted(codes()))
def test_every_code_has_its_words(section: str) -> None:
    assert WORDS[section].keys() == codes()[section]


def test_what_the_interlock_says_has_its_words() -> None:
    sql = (Path(bahal.__file__).parent / "journeys" / "sql" / "50_interlock.sql").read_text("utf-8")
    said = set(re.findall(r"THEN\s+'((?:cap_)?[a-z_0-9]+)'", sql)) & {*re.findall(r"'(cap_[a-z_]+)'", sql)}
    words = sql.split("AS word", maxsplit=1)[0].rsplit("CASE", maxsplit=2)[1:]
    said |= set(re.findall(r"'([a-z]+_[a-z_0-9]+)'", "".join(words)))
    assert said
    assert said <= WORDS["reasons"].keys() | WORDS["verdicts"].keys()


def test_words_are_hindi_and_english() -> None:
    for section in WORDS.values():
        for hindi, english in section.values():
            assert any("\u0900" <= letter <= "\u097f" for letter in hindi)
            assert english.isascii()


def test_the_table_in_the_documents_is_this_table() -> None:
    table = (Path(bahal.__file__).parents[2] / "docs" / "words.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| `(.+?)` \|$", table, re.MULTILINE)
    assert rows == [(hindi, english, code) for section in WORDS.values() for code, (hindi, english) in section.items()]
    assert re.findall(r"^## (.+)$", table, re.MULTILINE) == [section.capitalize() for section in WORDS]

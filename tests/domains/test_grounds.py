"""Cuts on other grounds than a due: one rule for each, in Python and in SQL, and every single fact is a reason."""

from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.supply import eligibility
from bahal.domains.supply.grounds import GROUNDS, REASONS, OwnRequest, Prepaid, Safety, Theft, reasons
from bahal.shared.words import CAUSES
from tests.plugin.databases import Database

HOURS = ("no_cut_day", "outside_window", "quiet_hours")
maybe = st.none() | st.booleans()
good, bad = st.just(True) | maybe, st.just(False) | maybe
names = st.just([]) | st.lists(st.sampled_from(["hospital", "court_stay", "complaint"]), max_size=2)
hours = st.just([]) | st.none() | st.sets(st.sampled_from(HOURS)).map(lambda some: [h for h in HOURS if h in some])
meters = st.just(None) | st.sampled_from([None, "no_meter", "no_relay"])
needs = st.just(None) | st.sampled_from([None, "dialysis"])
sums = st.none() | st.integers(-2, 2) | st.just(5)
facts = {
    "own_request": st.builds(
        OwnRequest, asked=good, identified=good, withdrawn=bad, wished=good, held=names, vulnerable=needs, hours=hours,
        off=bad, meter=meters,
    ),
    "safety": st.builds(
        Safety, reported=good, over=bad, fresh=good, evidence=good, vulnerable=needs, off=bad, meter=meters
    ),
    "theft_s135": st.builds(
        Theft, found=good, answered=good, rests_on_meter=bad,
        seen_again=st.sampled_from([None, "confirmed", "not_seen", "other"]), paid=bad, fresh=good, held=names,
        vulnerable=needs, hours=hours, off=bad, meter=meters,
    ),
    "prepaid": st.builds(
        Prepaid, policy=st.sampled_from(["p", "p", None]), hours=hours, held=names, area_held=names, vulnerable=needs,
        pending=names, prepaid=good,
        conversion=st.sampled_from([[], [], ["conversion_grace"], ["conversion_unreconciled", "conversion_grace"]]),
        stale_channels=names, balance_paise=sums, at_midnight_paise=sums, told=good, off=bad, meter=meters,
    ),
}  # fmt: skip
ASK = {
    "own_request": "SELECT authority_own_request(%s::boolean, %s::boolean, %s::boolean, %s::boolean, %s::text[],"
    " %s::text, %s::text[], %s::boolean, %s::text)",
    "safety": "SELECT authority_safety(%s::boolean, %s::boolean, %s::boolean, %s::boolean, %s::text, %s::boolean,"
    " %s::text)",
    "theft_s135": "SELECT authority_theft(%s::boolean, %s::boolean, %s::boolean, %s::text, %s::boolean, %s::boolean,"
    " %s::text[], %s::text, %s::text[], %s::boolean, %s::text)",
    "prepaid": "SELECT authority_prepaid(%s::text, %s::text[], %s::text[], %s::text[], %s::text, %s::text[],"
    " %s::boolean, %s::text[], %s::text[], %s::bigint, %s::bigint, %s::boolean, %s::boolean, %s::text)",
}


def test_python_and_sql_agree_on_every_ground(database: Database) -> None:
    assert facts.keys() == GROUNDS.keys() == ASK.keys()
    with database.connect("interlock") as interlock:

        @given(st.lists(st.one_of(*(st.tuples(st.just(name), each) for name, each in facts.items())), max_size=20))
        def agree(asked: list[tuple[str, Any]]) -> None:
            for ground, each in asked:
                row = interlock.execute(ASK[ground], list(astuple(each))).fetchone()
                assert row is not None
                assert tuple(row[0]) == reasons(each), (ground, each)

        agree()


WANTED: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {
    "own_request": (
        OwnRequest(True, True, False, True, [], None, ["outside_window"], False, None),
        {
            "no_request": {"asked": None}, "not_identified": {"identified": False},
            "request_withdrawn": {"withdrawn": True}, "not_wished_yet": {"wished": False},
            "held": {"held": ["hospital"]}, "vulnerable": {"vulnerable": "dialysis"}, "quiet_hours": {"hours": None},
            "no_cut_day": {"hours": ["no_cut_day"]}, "off_already": {"off": None}, "no_relay": {"meter": "no_relay"},
        },
    ),
    "safety": (
        Safety(True, False, True, True, None, False, None),
        {
            "no_hazard": {"reported": False}, "hazard_over": {"over": None}, "hazard_stale": {"fresh": False},
            "no_evidence": {"evidence": None}, "vulnerable": {"vulnerable": "dialysis"}, "off_already": {"off": True},
            "no_meter": {"meter": "no_meter"},
        },
    ),
    "theft_s135": (
        Theft(True, True, True, "confirmed", False, True, [], None, ["outside_window"], False, None),
        {
            "no_finding": {"found": False}, "one_officer": {"answered": False},
            "not_read_again": {"seen_again": "other"}, "assessment_paid": {"paid": True},
            "finding_stale": {"fresh": None}, "held": {"held": ["court_stay"]},
            "vulnerable": {"vulnerable": "dialysis"}, "quiet_hours": {"hours": ["quiet_hours"]},
            "off_already": {"off": True}, "no_meter": {"meter": "no_meter"},
        },
    ),
    "prepaid": (
        Prepaid("p", [], [], [], None, [], True, [], [], 1, 1, True, False, None),
        {
            "no_policy": {"policy": None}, "outside_window": {"hours": None}, "held": {"held": ["hospital"]},
            "area_held": {"area_held": ["examination"]}, "vulnerable": {"vulnerable": "dialysis"},
            "payment_pending": {"pending": ["cheque"]}, "not_prepaid": {"prepaid": None},
            "conversion_grace": {"conversion": ["conversion_grace"]}, "due_not_visible": {"stale_channels": ["portal"]},
            "balance_left": {"balance_paise": 0}, "zero_only_today": {"at_midnight_paise": 0},
            "zero_not_told": {"told": False}, "off_already": {"off": True}, "no_meter": {"meter": "no_meter"},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("ground", GROUNDS)
def test_each_single_fact_is_a_reason_with_its_words(ground: str) -> None:
    clean, against = WANTED[ground]
    assert reasons(clean) == ()
    for code, changed in against.items():
        assert reasons(replace(clean, **changed)) == (code,)
        assert code in CAUSES
    assert set(against) <= {*REASONS, *eligibility.REASONS}


def test_every_reason_of_a_ground_is_met() -> None:
    assert {code for _, against in WANTED.values() for code in against} >= set(REASONS)


def test_theft_that_no_meter_told_needs_no_second_read() -> None:
    clean, _ = WANTED["theft_s135"]
    assert reasons(replace(clean, rests_on_meter=False, seen_again=None)) == ()

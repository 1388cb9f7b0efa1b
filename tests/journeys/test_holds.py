"""A hold stops a cut from the moment it is placed; lifting it starts nothing."""

from datetime import timedelta

import pytest

from bahal.domains.arrears.errors import HoldKindUnknown, HoldLifted, HoldUnknown, HoldWithoutEvidence
from bahal.domains.arrears.queries import holds_of
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import one, value
from bahal.journeys.lift_hold import lift_hold
from bahal.journeys.place_hold import place_hold
from bahal.shared.locks import ConnectionUnknown
from tests.journeys import town
from tests.plugin.databases import Database


def test_a_hold_cancels_the_waiting_cut_and_raises_the_fence(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    hold = place_hold(
        connection=first,
        kind="life_support",
        evidence="certificate 12",
        actor="se",
        expires_at=town.TEN + timedelta(days=30),
        at=place.wall,
        business_at=town.TEN,
    )
    assert one("SELECT state, reason FROM supply_order WHERE connection = %s", first) == ("cancelled", "held")
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == 2
    assert one("SELECT held FROM authority_facts(ARRAY[%s]::bigint[], %s)", first, town.TEN) == (["life_support"],)
    sentences = [told.sentence for told in story_of(connection=first, language="hi")]
    assert f"रोक {hold} (जीवन-रक्षक उपकरण) लगाई गई, प्रमाण: certificate 12; अवधि 24-12-2025 10:00:00 तक।" in sentences


def test_a_lifted_hold_is_over_and_cuts_nothing(database: Database) -> None:
    place = town.found(connections=1)
    first = place.connections[0]
    times = {"at": place.wall, "business_at": town.TEN}
    hold = place_hold(connection=first, kind="complaint", evidence="no. 4", actor="se", expires_at=None, **times)
    assert lift_hold(hold=hold, actor="ee", **times) == first
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == 3
    assert value("SELECT count(*) FROM supply_order") == 0
    assert one("SELECT held FROM authority_facts(ARRAY[%s]::bigint[], %s)", first, town.TEN) == ([],)
    assert [each.lifted_by for each in holds_of(connection=first)] == ["ee"]
    with pytest.raises(HoldLifted) as refused:
        lift_hold(hold=hold, actor="se", **times)
    assert refused.value.data["lifted_by"] == "ee"
    with pytest.raises(HoldUnknown):
        lift_hold(hold=hold + 1, actor="se", **times)


def test_a_hold_needs_a_kind_evidence_and_a_future(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    usual = {
        "connection": place.connections[0],
        "kind": "hospital",
        "evidence": "letter",
        "actor": "se",
        "expires_at": None,
        "at": place.wall,
        "business_at": town.TEN,
    }
    for wrong, refusal in (
        ({"kind": "friend"}, HoldKindUnknown),
        ({"evidence": " "}, HoldWithoutEvidence),
        ({"expires_at": town.TEN}, HoldWithoutEvidence),
        ({"connection": 1}, ConnectionUnknown),
    ):
        with pytest.raises(refusal):
            place_hold(**{**usual, **wrong})  # type: ignore[arg-type]  # one of them wrong on purpose
    assert value("SELECT count(*) FROM arrears_hold") == 0
    assert value("SELECT max(generation) FROM supply_fence") == 1

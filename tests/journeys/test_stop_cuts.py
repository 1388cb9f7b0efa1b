"""One officer stops all cuts, two ask that they go out again; the business can neither arm nor forge a second name."""

import pytest

from bahal.domains.supply.errors import (
    ArmingOver,
    CutsNotStopped,
    CutsStoppedAlready,
    ReasonMissing,
    SameOfficer,
    SignatureWrong,
)
from bahal.domains.supply.queries import arming_of, switch
from bahal.foundation.rows import value
from bahal.journeys.arm_cuts import ask_to_arm, draft_arming, second_to_arm
from bahal.journeys.attend_drives import attend_drives
from bahal.journeys.stop_cuts import stop_cuts
from bahal.shared.warrant import sign_arming
from tests.journeys import town
from tests.plugin.databases import Database


def test_one_stops_and_two_ask(database: Database) -> None:
    place = town.found(connections=1)
    times = {"at": place.wall, "business_at": town.TEN}
    with pytest.raises(CutsNotStopped):
        draft_arming(reason="x", at=place.wall)
    with pytest.raises(ReasonMissing):
        stop_cuts(actor="ee", reason=" ", **times)
    assert stop_cuts(actor="ee", reason="smoke", **times) == 1
    found = switch()
    assert (found.stopped_by, found.stopped_why, found.stops) == ("ee", "smoke", 1)
    with pytest.raises(CutsStoppedAlready) as refused:
        stop_cuts(actor="se", reason="again", **times)
    assert "smoke" in refused.value.text("en")
    document = draft_arming(reason="toast", at=place.wall)
    with pytest.raises(SignatureWrong):
        ask_to_arm(document=document, officer="ee", signature=sign_arming(town.key_of("se"), document), **times)
    first = sign_arming(town.key_of("ee"), document)
    arming = ask_to_arm(document=document, officer="ee", signature=first, **times)
    with pytest.raises(SameOfficer):
        second_to_arm(arming=arming, officer="ee", signature=first, **times)
    second_to_arm(arming=arming, officer="se", signature=sign_arming(town.key_of("se"), document), **times)
    with pytest.raises(ArmingOver):
        second_to_arm(arming=arming, officer="se", signature=sign_arming(town.key_of("se"), document), **times)
    # Two signatures alone arm nothing: the interlock has not judged.
    assert (arming_of(arming=arming).outcome, switch().stops) == ("", 1)
    assert switch().stopped_at is not None
    acts = value("SELECT array_agg(act ORDER BY id) FROM audit_entry WHERE act LIKE 'supply.cuts.%%'")
    assert acts == ["supply.cuts.stopped", "supply.cuts.arming_asked", "supply.cuts.arming_signed"]


def test_who_is_there_says_so(database: Database) -> None:
    town.found(connections=1)
    with database.connect("owner") as owner:
        owner.execute("UPDATE interlock_heartbeat SET at = now() - interval '1 hour'")
    attend_drives(officer="ee")
    with database.connect("owner") as owner:
        row = owner.execute("SELECT at > now() - interval '1 minute', officer FROM interlock_heartbeat").fetchone()
    assert row == (True, "ee")

"""A cut that rests on something else than a due: noted once, judged by its own rule, signed by two, derived again."""

from datetime import date, datetime, timedelta

import psycopg
import pytest

from bahal.domains.supply.errors import GroundRefused, GroundUnknown, ListChanged, ReasonMissing, SameOfficer
from bahal.foundation.rows import many, one, value
from bahal.journeys.cut_on_ground import (
    answer_for_finding,
    draft_on_ground,
    end_ground,
    judge_ground,
    note_finding,
    note_hazard,
    propose_on_ground,
    take_request,
)
from bahal.journeys.sign_drive import sign_drive
from bahal.shared.warrant import sign
from tests.journeys import town
from tests.plugin.databases import Database

AT = town.TEN + timedelta(minutes=5)
FIRST = town.FIRST


@pytest.fixture
def place(database: Database) -> town.Town:
    return town.found(connections=2, due=0)


def times(place: town.Town, at: datetime = AT) -> dict[str, datetime]:
    return {"at": place.wall, "business_at": at}


def against(ground: str, *, at: datetime = AT) -> list[str]:
    return list(judge_ground(ground=ground, connections=[FIRST], business_at=at)[FIRST].reasons)


def test_a_consumer_who_asks_is_cut_on_his_day_and_not_after_he_thinks_better(place: town.Town) -> None:
    nothing = ["no_request", "not_identified", "not_wished_yet"]
    assert against("own_request") == nothing
    asked = {"evidence": "letter 12, identity seen", "actor": "cashier", **times(place)}
    take_request(connection=FIRST, wished_on=date(2025, 11, 25), **asked)
    assert against("own_request") == ["not_wished_yet"]
    assert against("own_request", at=AT + timedelta(days=1)) == []
    assert against("own_request", at=AT + timedelta(days=1, hours=10)) == ["quiet_hours"]
    fence = value("SELECT generation FROM supply_fence WHERE connection = %s", FIRST)
    assert end_ground(ground="own_request", connection=FIRST, actor="cashier", reason="moves back", **times(place)) == 1
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", FIRST) == fence + 1
    assert against("own_request", at=AT + timedelta(days=1)) == ["request_withdrawn"]
    with pytest.raises(ReasonMissing):
        take_request(connection=FIRST, wished_on=date(2025, 11, 25), **{**asked, "evidence": " "})


def test_a_danger_needs_no_hour_and_is_good_for_a_day(place: town.Town) -> None:
    assert against("safety") == ["no_hazard", "hazard_stale", "no_evidence"]
    night = AT + timedelta(hours=13)
    note_hazard(connection=FIRST, kind="broken_line", evidence="photo 4", actor="ee", **times(place, night))
    assert against("safety", at=night) == []
    assert against("safety", at=night + timedelta(hours=24)) == ["hazard_stale"]
    end_ground(ground="safety", connection=FIRST, actor="ee", reason="line repaired", **times(place, night))
    assert against("safety", at=night) == ["hazard_over"]


def test_theft_takes_two_officers_and_a_meter_that_was_asked_again(database: Database, place: town.Town) -> None:
    with database.connect("owner") as owner:
        row = owner.execute(
            "INSERT INTO protection_alert (meter, connection, kind, role, accuses, kinds, verified, doubtful,"
            " occurred_at, latest_at, told, outcome, closed_by, seen_again, raised_at, business_at) VALUES ('M1', %s,"
            " 'magnet', 'vigilance', true, 'k', false, false, now(), now(), 1, '', '', '', now(), now()) RETURNING id",
            [FIRST],
        ).fetchone()
    assert row is not None
    finding = note_finding(connection=FIRST, evidence="report 7", alert=int(row[0]), actor="ee", **times(place))  # type: ignore[call-overload]
    assert against("theft_s135") == ["one_officer", "not_read_again"]
    with pytest.raises(SameOfficer):
        answer_for_finding(finding=finding, officer="ee", **times(place))
    answer_for_finding(finding=finding, officer="se", **times(place))
    with pytest.raises(GroundUnknown):
        answer_for_finding(finding=finding, officer="se", **times(place))
    assert against("theft_s135") == ["not_read_again"]
    with database.connect("owner") as owner:
        owner.execute("UPDATE protection_alert SET seen_again = 'confirmed', seen_again_at = now()")
    assert against("theft_s135") == []
    end_ground(ground="theft_s135", connection=FIRST, actor="cashier", reason="assessment paid", **times(place))
    assert against("theft_s135") == ["assessment_paid"]


def test_prepaid_is_judged_and_nobody_is_listed_on_it(place: town.Town) -> None:
    assert against("prepaid") == ["not_prepaid", "balance_left", "zero_only_today", "zero_not_told"]
    with pytest.raises(GroundUnknown):
        draft(["prepaid"])
    with pytest.raises(GroundUnknown):
        judge_ground(ground="spite", connections=[FIRST], business_at=AT)


def draft(grounds: list[str], *, connections: tuple[int, ...] = (FIRST,)) -> str:
    return draft_on_ground(
        ground=grounds[0], office=town.CIRCLE, connections=connections, maker="ee", not_before=AT,
        expires_at=AT + timedelta(hours=4), business_at=AT,
    )  # fmt: skip


def test_two_officers_sign_a_list_on_a_ground(place: town.Town) -> None:
    with pytest.raises(GroundRefused) as refused:
        draft(["safety"])
    assert "ख़तरा" in refused.value.text("hi")
    note_hazard(connection=FIRST, kind="fire", evidence="call 101", actor="ee", **times(place))
    document = draft(["safety"])
    signature = sign(town.key_of("ee"), document, "maker")
    how = {"document": document, "signature": signature, "reason": "fire in the lane", **times(place)}
    note_hazard(connection=FIRST + 1, kind="fire", evidence="call 101", actor="ee", **times(place))
    with pytest.raises(ListChanged):
        propose_on_ground(connections=[FIRST, FIRST + 1], **how)  # type: ignore[arg-type]
    drive = propose_on_ground(connections=[FIRST], **how)  # type: ignore[arg-type]
    signed = sign(town.key_of("se"), document, "checker")
    assert sign_drive(drive=drive, checker="se", signature=signed, at=place.wall, business_at=AT) == 1
    assert one("SELECT ground, state, due_paise FROM supply_order") == ("safety", "authorised", 0)
    assert many("SELECT act FROM audit_entry WHERE act LIKE 'supply.drive.on_%%'") == [("supply.drive.on_ground",)]


def test_what_a_cut_rests_on_stays_as_it_was_noted(database: Database, place: town.Town) -> None:
    note_hazard(connection=FIRST, kind="fire", evidence="call 101", actor="ee", **times(place))
    end_ground(ground="safety", connection=FIRST, actor="ee", reason="out", **times(place))
    with database.connect("app") as app:
        for statement in (
            "UPDATE supply_hazard SET evidence = ''",
            "UPDATE supply_hazard SET ended_at = NULL",
            "DELETE FROM supply_hazard",
            "UPDATE authority_ground_cap SET circle_day = 9",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(statement)

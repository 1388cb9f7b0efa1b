"""A drive undone: who may ask, who is ordered back in which order, once, whoever dies on the way."""

import threading
from datetime import date

import psycopg
import pytest

from bahal.domains.supply.errors import (
    CauseUnknown,
    DriveNotInState,
    EvidenceMissing,
    EvidenceWrong,
    GroundNotForOfficers,
    ReasonMissing,
    RecallOpen,
    RecallOver,
    RecallUnknown,
    SameOfficer,
)
from bahal.domains.supply.queries import drive_of
from bahal.domains.supply.recalls import File
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.keep_register import register
from bahal.journeys.order_restore import order_restore
from bahal.journeys.place_hold import place_hold
from bahal.journeys.restore_drive import ask_recall, recall_progress, second_recall, work_recalls
from bahal.journeys.take_payment import take_payment
from bahal.shared.errors import Refusal
from tests.journeys import interlock, town
from tests.plugin.databases import Database

PAPER = File("order-17.pdf", b"%PDF the court's order")


def ask(
    place: town.Town,
    drive: int,
    *,
    cause: str = "emergency",
    officer: str = "ee",
    reason: str = "line fell",
    evidence: File | None = None,
) -> int:
    return ask_recall(
        drive=drive, officer=officer, cause=cause, reason=reason, evidence=evidence, at=place.wall, business_at=town.TEN
    )


def work(place: town.Town, *, limit: int = 300) -> int:
    return work_recalls(at=place.wall, business_at=town.TEN, limit=limit)


def cut_down(database: Database, *, connections: int = 6) -> tuple[town.Town, int, list[int]]:
    """A town whose drive cut everybody; the cuts."""
    place = town.found(connections=connections)
    drive = place.drive()
    interlock.lend(database)
    cuts = [row[0] for row in many("SELECT id FROM supply_order ORDER BY position")]
    for cut in cuts:
        interlock.cut(database, order=cut)
    confirm_relay(at=place.wall, business_at=town.TEN)
    return place, drive, cuts


def restores() -> list[tuple[int, str, int]]:
    return many("SELECT connection, state, need FROM supply_order WHERE kind = 'restore' ORDER BY need, id")


def test_an_emergency_brings_everyone_back_on_one_word_the_vulnerable_first(database: Database) -> None:
    place, drive, _ = cut_down(database)
    times = {"at": place.wall, "business_at": town.TEN}
    held, ward, *rest = reversed(place.connections)
    place_hold(connection=held, kind="complaint", evidence="7", actor="ee", expires_at=None, **times)
    register(connection=ward, need="dialysis", evidence="letter", review_on=date(2026, 5, 1), actor="ee", **times)
    recall = ask(place, drive)
    assert drive_of(drive=drive).state == "stopped"
    assert work(place) == 6
    assert work(place) == 1  # finds nobody left, and ends it
    assert work(place) == 0
    assert [(connection, need) for connection, _, need in restores()] == [
        (ward, 0), (held, 2), *((connection, 3) for connection in sorted(rest))
    ]  # fmt: skip
    assert {row[0] for row in many("SELECT desired FROM supply_fence")} == {"on"}
    found = recall_progress(recall=recall, business_at=town.TEN)
    assert (found.left, found.queued, found.lit, found.in_force) == (0, 6, 0, True)
    assert found.minutes is not None
    for (order,) in many("SELECT id FROM supply_order WHERE kind = 'restore'"):
        interlock.restore(database, order=order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    found = recall_progress(recall=recall, business_at=town.TEN)
    assert (found.queued, found.lit, found.minutes) == (0, 6, None)
    told = [each.act for each in story_of(connection=ward, language="en")]
    assert told[-2:] == ["supply.restore.ordered", "supply.restore.confirmed"]


def test_another_cause_wants_a_file_and_a_second_officer_but_the_drive_stops_at_once(database: Database) -> None:
    place, drive, _ = cut_down(database, connections=2)
    with pytest.raises(EvidenceMissing):
        ask(place, drive, cause="court_order")
    recall = ask(place, drive, cause="court_order", reason="WP 17", evidence=PAPER)
    assert drive_of(drive=drive).state == "stopped"
    assert work(place) == 0
    with pytest.raises(RecallOpen):
        ask(place, drive)
    with pytest.raises(SameOfficer):
        second_recall(recall=recall, officer="ee", at=place.wall, business_at=town.TEN)
    second_recall(recall=recall, officer="se", at=place.wall, business_at=town.TEN)
    with pytest.raises(RecallOver):
        second_recall(recall=recall, officer="se", at=place.wall, business_at=town.TEN)
    assert work(place) == 2
    assert {row[0] for row in many("SELECT ground FROM supply_order WHERE kind = 'restore'")} == {"court_order"}
    kept = value(
        "SELECT encode(f.sha256, 'hex') = encode(sha256(%s), 'hex') FROM supply_recall r"
        " JOIN supply_evidencefile f ON f.id = r.evidence",
        PAPER.content,
    )
    assert kept is True


def test_what_has_not_gone_out_is_cancelled_and_what_was_paid_is_left_alone(database: Database) -> None:
    place = town.found(connections=5)
    drive = place.drive()
    interlock.lend(database)
    unsent, sent, paid, task, _ = (row[0] for row in many("SELECT id FROM supply_order ORDER BY position"))
    interlock.step(database, order=sent, states=("claimed", "sent"))
    interlock.cut(database, order=paid)
    interlock.step(database, order=task, states=("claimed", "field_task"))
    interlock.result(database, order=task, outcome="field_task", reason="not_moved")
    confirm_relay(at=place.wall, business_at=town.TEN)
    payer = place.connections[2]
    before = take_payment(
        key="k", connection=payer, paise=town.DUE, channel="upi", actor="x", business_at=town.TEN
    ).order
    ask(place, drive)
    while work(place):
        pass
    assert dict(many("SELECT id, state FROM supply_order WHERE kind = 'cut'"))[unsent] == "cancelled"
    back = {connection: state for connection, state, _ in restores()}
    assert back == dict.fromkeys(place.connections[1:4], "authorised")
    assert value("SELECT count(*) FROM supply_order WHERE kind = 'restore' AND recall IS NULL") == 1
    assert value("SELECT id FROM supply_order WHERE kind = 'restore' AND recall IS NULL") == before
    assert value("SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL") == 0


def test_it_goes_on_after_a_worker_died_and_nobody_is_ordered_twice(database: Database) -> None:
    place, drive, _ = cut_down(database, connections=6)
    recall = ask(place, drive)
    assert work(place, limit=2) == 2
    # A worker that holds a fence is killed: what it did not commit did not happen.
    with database.connect("app", autocommit=False) as dying:
        dying.execute("SELECT 1 FROM supply_recall FOR UPDATE")
        assert work(place) == 0  # another one passes by what it holds
        dying.rollback()
    workers = [threading.Thread(target=_drain, args=(place,)) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    while work(place, limit=2):
        pass
    orders = many("SELECT connection, count(*) FROM supply_order WHERE kind = 'restore' GROUP BY connection")
    assert sorted(orders) == [(connection, 1) for connection in place.connections]
    assert recall_progress(recall=recall, business_at=town.TEN).left == 0


def _drain(place: town.Town) -> None:
    from django.db import connection

    try:
        while work(place, limit=2):
            pass
    finally:
        connection.close()


def test_who_pays_while_everybody_is_restored_is_not_kept_waiting(database: Database) -> None:
    place, drive, _ = cut_down(database, connections=3)
    ask(place, drive)
    work(place)
    payer = place.connections[1]
    paid = take_payment(key="k", connection=payer, paise=town.DUE, channel="upi", actor="x", business_at=town.TEN)
    assert value("SELECT need FROM supply_order WHERE id = %s AND connection = %s", paid.order, payer) == 1
    assert [need for _, _, need in restores()] == [1, 3, 3]


def test_what_is_refused(database: Database) -> None:
    place, drive, _ = cut_down(database, connections=1)
    attempts: list[tuple[type[Refusal], dict[str, object]]] = [
        (CauseUnknown, {"cause": "whim"}),
        (ReasonMissing, {"reason": " "}),
        (EvidenceWrong, {"cause": "mistake", "evidence": File("empty", b"")}),
    ]
    for refusal, given in attempts:
        with pytest.raises(refusal):
            ask(place, drive, **given)  # type: ignore[arg-type]
    with pytest.raises(RecallUnknown):
        second_recall(recall=99, officer="se", at=place.wall, business_at=town.TEN)
    assert value("SELECT count(*) FROM supply_recall") == 0
    assert drive_of(drive=drive).state == "running"
    recall = ask(place, drive, cause="mistake", reason="wrong list", evidence=PAPER)
    with database.connect("app", autocommit=True) as app:
        for statement in (
            "UPDATE supply_recall SET reason = 'other'",
            "DELETE FROM supply_recall",
            "UPDATE supply_evidencefile SET name = 'other'",
            "UPDATE supply_recall SET seconded_by = 'ee', seconded_at = now()",
            "UPDATE supply_recall SET ended_at = now()",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(statement)
    with database.connect("reader", autocommit=True) as reader:
        assert reader.execute("SELECT name FROM supply_evidencefile").fetchone() == (PAPER.name,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT content FROM supply_evidencefile")
    assert not recall_progress(recall=recall, business_at=town.TEN).in_force


def test_a_drive_that_never_ran_has_nobody_to_bring_back(database: Database) -> None:
    place = town.found(connections=1)
    drive = place.drive(run=False)
    with pytest.raises(DriveNotInState):
        ask(place, drive)


def test_an_officer_undoes_one_cut_by_a_courts_order_or_for_a_mistake(database: Database) -> None:
    place, _, cuts = cut_down(database, connections=2)
    first, second = place.connections
    times = {"at": place.wall, "business_at": town.TEN}
    with pytest.raises(EvidenceMissing):
        order_restore(connection=first, officer="ee", ground="court_order", reason="WP 3", **times)
    with pytest.raises(GroundNotForOfficers):
        order_restore(connection=first, officer="ee", ground="nonpayment_s56", reason="WP 3", **times)
    order = order_restore(connection=first, officer="ee", ground="court_order", reason="WP 3", evidence=PAPER, **times)
    other = order_restore(
        connection=second, officer="se", ground="mistake", reason="neighbour's bill", evidence=PAPER, **times
    )
    rows = many("SELECT order_id, ground, officer, reason, undoes FROM supply_restoration ORDER BY order_id")
    assert rows == [
        (order, "court_order", "ee", "WP 3", cuts[0]), (other, "mistake", "se", "neighbour's bill", cuts[1])
    ]  # fmt: skip

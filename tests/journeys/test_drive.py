"""From the draft to two signatures: who is listed, what refuses, and what the database itself refuses."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bahal.domains.arrears.errors import NoPolicy
from bahal.domains.offices.errors import NotACircle
from bahal.domains.staff.errors import OfficerMayNotSign, OfficerUnknown
from bahal.domains.supply.errors import (
    DriveExpired,
    DriveNotInState,
    ListChanged,
    NobodyToCut,
    ReasonMissing,
    SameOfficer,
    SignatureWrong,
    WarrantMalformed,
    WarrantUsed,
)
from bahal.domains.supply.queries import drive_of
from bahal.foundation.rows import many, value
from bahal.journeys.close_drives import close_drives
from bahal.journeys.draft_drive import draft_drive
from bahal.journeys.drive_progress import drive_progress, latest_progress
from bahal.journeys.pause_drive import pause_drive
from bahal.journeys.place_hold import place_hold
from bahal.journeys.propose_drive import propose_drive
from bahal.journeys.run_drive import run_drive
from bahal.journeys.sign_drive import sign_drive
from bahal.journeys.stop_drive import stop_drive
from bahal.journeys.take_payment import take_payment
from bahal.shared.errors import Refusal
from bahal.shared.warrant import Document, Line, list_sha256, sign
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def second_signature(drive: int, *, checker: str = "se", key: str | None = None, role: str = "checker") -> int:
    return sign_drive(
        drive=drive,
        checker=checker,
        signature=sign(town.key_of(key or checker), drive_of(drive=drive).document, role),
        at=datetime.now(UTC),
        business_at=town.NINE,
    )


def states(drive: int) -> dict[str, int]:
    return dict(many("SELECT state, count(*) FROM supply_order WHERE drive = %s GROUP BY state", drive))


def test_the_list_and_the_reasons(database: Database) -> None:
    place = town.found(connections=6)
    held, paid, low, cut, listed, other = place.connections
    times = {"at": place.wall, "business_at": town.NINE}
    place_hold(connection=held, kind="hospital", evidence="letter 7", actor="ee", expires_at=None, **times)
    take_payment(key="p1", connection=paid, paise=town.DUE, channel="upi", actor="x", business_at=town.NINE)
    take_payment(key="p2", connection=low, paise=town.DUE - 5_000_00, channel="upi", actor="x", business_at=town.NINE)
    with database.connect("owner") as owner:
        owner.execute("UPDATE supply_fence SET desired = 'off' WHERE connection = %s", [cut])
    draft = town.draft_at_nine()
    assert draft.orders == 2
    assert draft.sum_paise == 2 * town.DUE
    assert draft.left_out == {held: ("held",), cut: ("off_already",)}
    assert draft.funnel.as_json() == {
        "connections": 6,
        "owing": 5,
        "over_minimum": 4,
        "excluded": {"held": 1, "off_already": 1},
        "proposed": 2,
    }
    proposed = town.propose(draft)
    rows = many(
        "SELECT position, meter, connection, due_paise, bills, notice_sha256, fence FROM supply_order"
        " WHERE drive = %s AND state = 'proposed' ORDER BY position",
        proposed.drive,
    )
    assert [row[2] for row in rows] == [listed, other]
    assert list_sha256(Line(*row) for row in rows) == draft.list_sha256 == proposed.list_sha256
    assert rows[0][4] == f"B{listed}-7,B{listed}-8"
    assert Document.parse(drive_of(drive=proposed.drive).document).orders == 2


def test_reminders_must_have_been_delivered(database: Database) -> None:
    town.found(connections=2, reminded=False)
    town.remind((3, 2))
    with pytest.raises(NobodyToCut) as refused:
        town.draft_at_nine()
    assert refused.value.data == {"circle": "Bilaspur"}


def test_two_officers_authorise_and_one_runs(database: Database) -> None:
    place = town.found(connections=3)
    drive = town.propose(town.draft_at_nine()).drive
    with pytest.raises(DriveNotInState):
        run_drive(drive=drive, actor="ee", at=place.wall, business_at=town.TEN)
    assert second_signature(drive) == 3
    assert states(drive) == {"authorised": 3}
    run_drive(drive=drive, actor="ee", at=place.wall, business_at=town.TEN)
    pause_drive(drive=drive, actor="se", reason="rain", at=place.wall, business_at=town.TEN)
    run_drive(drive=drive, actor="ee", at=place.wall, business_at=town.TEN)
    progress = drive_progress(drive=drive)
    assert progress["state"] == "running"
    assert progress["total"]["waiting"] == 3
    assert [division["orders"] for division in progress["divisions"]] == [1, 1, 1]
    assert latest_progress() == progress


def test_a_second_signature_that_is_none(database: Database) -> None:
    town.found(connections=1)
    drive = town.propose(town.draft_at_nine()).drive
    attempts: list[tuple[dict[str, str], type[Refusal]]] = [
        ({"checker": "ee"}, SameOfficer),
        ({"key": "ee"}, SignatureWrong),
        ({"role": "maker"}, SignatureWrong),
        ({"checker": "cashier"}, OfficerMayNotSign),
        ({"checker": "nobody"}, OfficerUnknown),
    ]
    for wrong, refusal in attempts:
        with pytest.raises(refusal):
            second_signature(drive, **wrong)
    assert states(drive) == {"proposed": 1}
    assert drive_of(drive=drive).checker is None


def test_a_drive_is_signed_once_and_in_time(database: Database) -> None:
    place = town.found(connections=1)
    drive = town.propose(town.draft_at_nine()).drive
    late = town.TEN + timedelta(hours=4)
    document = drive_of(drive=drive).document
    with pytest.raises(DriveExpired):
        sign_drive(
            drive=drive,
            checker="se",
            signature=sign(town.key_of("se"), document, "checker"),
            at=place.wall,
            business_at=late,
        )
    second_signature(drive)
    with pytest.raises(DriveNotInState):
        second_signature(drive)
    with pytest.raises(DriveExpired):
        run_drive(drive=drive, actor="ee", at=place.wall, business_at=late)


def test_what_changed_since_the_draft_is_not_proposed(database: Database) -> None:
    place = town.found(connections=2)
    draft = town.draft_at_nine()
    take_payment(key="p", connection=place.connections[0], paise=1, channel="upi", actor="x", business_at=town.NINE)
    with pytest.raises(ListChanged):
        town.propose(draft)
    assert value("SELECT count(*) FROM supply_drive") == 0
    assert value("SELECT count(*) FROM supply_order") == 0


def test_a_warrant_is_proposed_once(database: Database) -> None:
    town.found(connections=2)
    draft = town.draft_at_nine()
    drive = town.propose(draft).drive
    with pytest.raises(WarrantUsed) as refused:
        town.propose(draft)
    assert refused.value.data == {"drive": drive}


def test_a_document_altered_after_signing_is_refused(database: Database) -> None:
    town.found(connections=2)
    draft = town.draft_at_nine()
    signature = sign(town.key_of("ee"), draft.document, "maker")
    altered = draft.document.replace('"cap":2', '"cap":9')
    assert altered != draft.document
    for document, refusal in ((altered, SignatureWrong), (draft.document + " ", WarrantMalformed)):
        with pytest.raises(refusal):
            propose_drive(document=document, signature=signature, name="x", at=datetime.now(UTC), business_at=town.NINE)


def test_another_officers_signature_does_not_propose(database: Database) -> None:
    town.found(connections=1)
    with pytest.raises(SignatureWrong):
        town.propose(town.draft_at_nine(), signer="se")


def test_what_cannot_be_drafted(database: Database) -> None:
    town.found(connections=2)
    usual: dict[str, object] = {
        "office": town.CIRCLE,
        "maker": "ee",
        "not_before": town.TEN,
        "expires_at": town.TEN + timedelta(hours=4),
        "business_at": town.NINE,
    }
    wrongs: list[tuple[dict[str, object], type[Refusal]]] = [
        ({"office": 100}, NotACircle),
        ({"maker": "cashier"}, OfficerMayNotSign),
        ({"cap": 1}, WarrantMalformed),
        ({"expires_at": town.TEN + timedelta(hours=5)}, WarrantMalformed),
        ({"expires_at": town.TEN}, WarrantMalformed),
        ({"business_at": town.TEN + timedelta(hours=6)}, WarrantMalformed),
        ({"business_at": datetime(2019, 1, 1, tzinfo=UTC)}, NoPolicy),
    ]
    for wrong, refusal in wrongs:
        with pytest.raises(refusal):
            draft_drive(**{**usual, **wrong})  # type: ignore[arg-type]  # one of them wrong on purpose


def test_a_stop_cancels_what_has_not_gone_out_and_leaves_the_fences(database: Database) -> None:
    place = town.found(connections=4)
    drive = place.drive()
    interlock.lend(database)
    gone = value("SELECT min(id) FROM supply_order")
    interlock.step(database, order=gone, states=("claimed", "sent"))
    fences = many("SELECT connection, generation FROM supply_fence ORDER BY connection")
    with pytest.raises(ReasonMissing):
        stop_drive(drive=drive, actor="se", reason=" ", at=place.wall, business_at=town.TEN)
    assert stop_drive(drive=drive, actor="se", reason="flood", at=place.wall, business_at=town.TEN) == 3
    assert states(drive) == {"sent": 1, "cancelled": 3}
    assert drive_of(drive=drive).state == "stopped"
    assert many("SELECT connection, generation FROM supply_fence ORDER BY connection") == fences
    with pytest.raises(DriveNotInState):
        stop_drive(drive=drive, actor="se", reason="again", at=place.wall, business_at=town.TEN)


def test_a_drive_closes_when_its_cuts_are_over_or_its_time_is(database: Database) -> None:
    place = town.found(connections=2)
    drive = place.drive()
    assert close_drives(at=place.wall, business_at=town.TEN) == 0
    interlock.lend(database)
    first, second = (row[0] for row in many("SELECT id FROM supply_order ORDER BY id"))
    interlock.step(database, order=first, states=("claimed", "sent"))
    late = town.TEN + timedelta(hours=4)
    assert close_drives(at=place.wall, business_at=late) == 0  # one is sent: it is read back first
    assert states(drive) == {"sent": 1, "expired": 1}
    assert value("SELECT reason FROM supply_order WHERE id = %s", second) == "warrant_expired"
    interlock.step(database, order=first, states=("confirmed",))
    assert close_drives(at=place.wall, business_at=late) == 1
    assert drive_of(drive=drive).state == "finished"


def test_a_drive_that_never_ran_expires(database: Database) -> None:
    place = town.found(connections=1)
    drive = place.drive(run=False)
    assert close_drives(at=place.wall, business_at=town.TEN + timedelta(hours=4)) == 1
    assert drive_of(drive=drive).state == "expired"
    assert states(drive) == {"expired": 1}


CUT = (
    "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive, position,"
    " due_paise, bills, notice_sha256, made_at, tries, sends)"
    " VALUES ('Mx', 1, 'cut', 'nonpayment_s56', %s, 'x', '', 1, %s, 0, 0, '', '', now(), 0, 0)"
)


def test_the_app_role_cannot_make_or_send_a_cut_by_itself(database: Database) -> None:
    place = town.found(connections=1)
    drive = town.propose(town.draft_at_nine()).drive
    with database.connect("app") as app:
        refused: list[tuple[str, list[object]]] = [
            (CUT, ["authorised", drive]),
            (CUT, ["sent", drive]),
            (CUT, ["authorised", None]),
            ("UPDATE supply_order SET state = 'authorised' WHERE drive = %s", [drive]),
            ("UPDATE supply_order SET state = 'sent' WHERE drive = %s", [drive]),
            ("UPDATE supply_order SET state = 'confirmed' WHERE drive = %s", [drive]),
            ("UPDATE supply_order SET sent_at = now() WHERE drive = %s", [drive]),
            ("UPDATE supply_order SET fence = 99 WHERE drive = %s", [drive]),
            ("UPDATE supply_order SET connection = 1 WHERE drive = %s", [drive]),
            ("DELETE FROM supply_order WHERE drive = %s", [drive]),
            ("UPDATE supply_drive SET document = 'x' WHERE id = %s", [drive]),
            ("UPDATE supply_fence SET generation = generation - 1", []),
            ("DELETE FROM supply_fence", []),
            (
                "INSERT INTO supply_result (\"order\", outcome, at, business_at) VALUES (1, 'confirmed', now(), now())",
                [],
            ),
            ("SELECT * FROM interlock_send_cuts('w', ARRAY[1]::bigint[], now(), '{}')", []),
            ("SELECT sealed FROM interlock_meter", []),
            ("SELECT sealed FROM headend_meter", []),
            ("UPDATE interlock_switch SET stopped_at = NULL", []),
        ]
        for statement, values in refused:
            with pytest.raises(psycopg.Error) as failure:
                app.execute(statement, values)
            assert failure.value.sqlstate in ("42501", "BH010", "BH011", "BH012", "BH014", "BH015"), statement
    assert place.connections

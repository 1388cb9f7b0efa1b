"""From one channel to the next until a notice is served or a reminder has arrived; letters, doors, texts, and proof."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pypdfium2
import pytest

from bahal.domains.notices.errors import (
    HandMalformed,
    LetterAnswerWrong,
    LetterListPosted,
    LetterListUnknown,
    NothingToHand,
    OfficerMayNotSetWording,
    ProofMissing,
    WordingAccepted,
    WordingBackdated,
    WordingBySame,
    WordingUnknown,
    WordingWrong,
)
from bahal.domains.notices.operations import Report
from bahal.domains.notices.queries import chain_of
from bahal.domains.notices.wordings import book_on
from bahal.foundation.rows import many, one, value
from bahal.journeys import set_wordings
from bahal.journeys.deliver_messages import deliver_messages
from bahal.journeys.explain_notices import explain_notices
from bahal.journeys.hand_over import Visit, hand_over
from bahal.journeys.issue_notices import issue
from bahal.journeys.post_letters import list_letters, note_answers, note_posting
from bahal.journeys.send_reminders import send_reminders
from bahal.journeys.take_delivery_reports import take_delivery_reports
from bahal.journeys.take_payment import take_payment
from bahal.journeys.try_next_channel import try_next_channel
from bahal.journeys.verify_notices import verify_notices
from tests.journeys import town
from tests.journeys.test_messages import Centre
from tests.plugin.databases import Database

FRIDAY = town.MONDAY - timedelta(days=3)
ELEVEN = town.TEN - timedelta(days=3) + timedelta(hours=1)
HOUR = timedelta(hours=1)
PHOTO = "ab" * 32


def times(at: datetime) -> dict[str, Any]:
    return {"actor": "worker", "at": datetime.now(UTC), "business_at": at}


def remind() -> None:
    send_reminders(business_day=FRIDAY, **times(ELEVEN))


def went(connection: int, machine: str = "reminder") -> list[tuple[str, str]]:
    return [(each.channel, each.event) for each in chain_of(connection=connection) if each.machine == machine]


def report(connection: int, channel: str, at: datetime, *, delivered: bool = True, code: str = "") -> int:
    id_, receipt = one(
        "SELECT id, receipt FROM notices_message WHERE connection = %s AND channel = %s ORDER BY id DESC LIMIT 1",
        connection, channel,
    )  # fmt: skip
    return take_delivery_reports([Report(id_, receipt or f"R{id_}", delivered, at, code)])


def visit(at: datetime, **changed: Any) -> Visit:
    told: dict[str, Any] = {
        "by": "lineman", "to": "Consumer", "latitude": 22.001, "longitude": 82.1, "at": at, "photo_sha256": PHOTO,
    }  # fmt: skip
    return Visit(**{**told, **changed})


def test_a_reminder_goes_from_channel_to_channel_until_it_arrives(database: Database) -> None:
    place = town.found(connections=3, reminded=False)
    failing, silent, reached = place.connections
    remind()
    deliver_messages(Centre(), business_at=ELEVEN)
    report(failing, "sms", ELEVEN, delivered=False, code="absent")
    report(reached, "sms", ELEVEN)
    assert try_next_channel(**times(ELEVEN)) == 1  # what failed need not wait
    centre = Centre()
    assert deliver_messages(centre, business_at=ELEVEN, channel="whatsapp") == 1
    report(failing, "whatsapp", ELEVEN)
    assert try_next_channel(**times(ELEVEN + 3 * HOUR - timedelta(seconds=1))) == 0
    assert try_next_channel(**times(ELEVEN + 3 * HOUR)) == 1
    assert try_next_channel(**times(ELEVEN + 3 * HOUR)) == 0
    assert went(reached) == [("sms", "asked"), ("sms", "taken"), ("sms", "delivered")]
    assert went(failing) == [
        ("sms", "asked"), ("sms", "taken"), ("sms", "failed"), ("whatsapp", "asked"), ("whatsapp", "taken"),
        ("whatsapp", "delivered"),
    ]  # fmt: skip
    assert went(silent) == [("sms", "asked"), ("sms", "taken"), ("sms", "expired"), ("whatsapp", "asked")]
    sent = next(iter(centre.taken.values()))
    assert (sent.template, sent.language, sent.variables[1]) == ("bahal_reminder_1", "hi", "₹6,000.00")
    asked = [each for each in chain_of(connection=failing) if each.event == "asked" and each.channel == "whatsapp"]
    assert (asked[0].template, asked[0].template_version, asked[0].next_channel) == (
        "reminder-whatsapp-hi",
        1,
        "letter",
    )
    assert asked[0].address == "•" * 9 + str(failing)[-4:]
    # Late, but true: the SMS that was given up arrives after all.
    assert report(silent, "sms", ELEVEN + 4 * HOUR) == 1
    assert went(silent)[-1] == ("sms", "delivered")
    assert verify_notices().wrong == []


def test_nobody_is_told_by_another_channel_who_has_paid(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    paid, owes = place.connections
    remind()
    take_payment(key="k", connection=paid, paise=town.DUE, channel="upi", actor="x", business_at=ELEVEN)
    assert try_next_channel(**times(ELEVEN + 3 * HOUR)) == 2
    assert went(paid) == [("sms", "asked"), ("sms", "expired")]
    assert went(owes)[-1] == ("whatsapp", "asked")


def test_a_reminder_of_a_day_that_is_over_goes_to_no_telephone(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    remind()
    assert try_next_channel(**times(ELEVEN + timedelta(days=1))) == 1
    assert went(place.connections[0]) == [("sms", "asked"), ("sms", "expired")]


def test_only_reminders_that_arrived_on_their_days_count(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    punctual, late = place.connections
    for back in (3, 2, 1):
        day = town.MONDAY - timedelta(days=back)
        at = town.TEN - timedelta(days=back)
        send_reminders(business_day=day, **times(at))
        report(punctual, "sms", at)
        report(late, "sms", at + (timedelta(days=1) if back == 2 else timedelta()))
    told = explain_notices(connection=punctual, business_at=town.TEN)
    assert (told.reminded, told.reasons) == (True, [])
    missed = explain_notices(connection=late, business_at=town.TEN)
    assert missed.reminded_on == [date(2025, 11, 21), date(2025, 11, 23)]
    assert (missed.reminded, missed.reasons) == (False, ["reminders_not_delivered"])


def test_who_has_no_telephone_gets_a_letter(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    with database.connect("owner") as owner:
        owner.execute("UPDATE consumers_consumer SET phone = ''")
    remind()
    assert went(place.connections[0]) == [("letter", "asked")]


def owing(connections: int = 2) -> town.Town:
    """A town that owes on two bills each, and to which no notice was written."""
    place = town.found(connections=connections, due=0)
    town.bill(place.connections, due=town.DUE)
    return place


ISSUED = datetime(2025, 10, 1, 6, tzinfo=UTC)


def test_letters_are_listed_posted_and_answered_and_what_came_back_goes_by_hand(database: Database) -> None:
    place = owing(3)
    arrived, returned, lost = place.connections
    made = issue(**times(ISSUED))
    assert (made.notices, made.paise) == (3, 3 * town.DUE)
    assert issue(**times(ISSUED)).notices == 0
    listed = list_letters(**times(ISSUED))
    assert listed is not None
    assert list_letters(**times(ISSUED)) is None
    rows = list(csv.DictReader(io.StringIO(listed.csv.decode())))
    assert [int(row["consumer"]) for row in rows] == place.connections
    document = pypdfium2.PdfDocument(listed.pdf)
    assert len(document) == 4  # the list and three letters
    page = "".join(document[1].get_textpage().get_text_range().split())
    assert f"L{listed.list}-00001" in page
    assert str(arrived) in page
    with pytest.raises(ProofMissing):
        note_posting(number=listed.list, posted_on=date(2025, 10, 3), proof=" ", **times(ISSUED))
    with pytest.raises(LetterListUnknown):
        note_posting(number=99, posted_on=date(2025, 10, 3), proof="r", **times(ISSUED))
    posted = ISSUED + timedelta(days=2)
    assert note_posting(number=listed.list, posted_on=date(2025, 10, 3), proof="RL 77", **times(posted)) == 3
    with pytest.raises(LetterListPosted):
        note_posting(number=listed.list, posted_on=date(2025, 10, 3), proof="RL 77", **times(posted))
    refs = [row["reference"] for row in rows]
    text = (
        f"reference,outcome,on,proof\n{refs[0]},delivered,2025-10-08,AD 1\n{refs[1]},returned,2025-10-09,refused\n"
        "L999-1,delivered,2025-10-08,AD 9\n"
    )
    answered = times(ISSUED + timedelta(days=9))
    assert note_answers(text=text, file="post.csv", **answered) == (1, 1)
    assert note_answers(text=text, file="post.csv", **answered) == (0, 0)
    for wrong in ("reference,outcome\n", "reference,outcome,on,proof\nL1-1,eaten,2025-10-08,x\n",
                  "reference,outcome,on,proof\nL1-1,delivered,2035-10-08,x\n"):  # fmt: skip
        with pytest.raises(LetterAnswerWrong):
            note_answers(text=wrong, file="post.csv", **answered)
    assert try_next_channel(**answered) == 1
    assert try_next_channel(**times(datetime(2025, 10, 13, 6, 29, tzinfo=UTC))) == 0
    assert try_next_channel(**times(datetime(2025, 10, 13, 6, 30, tzinfo=UTC))) == 1  # ten days after the posting
    assert went(arrived, "statutory") == [("letter", "asked"), ("letter", "taken"), ("letter", "delivered")]
    assert went(returned, "statutory")[2:] == [("letter", "failed"), ("hand", "asked")]
    assert went(lost, "statutory")[2:] == [("letter", "expired"), ("hand", "asked")]
    # Fifteen clear days lie between the 8th and the 24th, not between the 3rd, on which it was posted, and any day.
    for day, enough in ((23, False), (24, True)):
        told = explain_notices(connection=arrived, business_at=datetime(2025, 10, day, 4, 30, tzinfo=UTC))
        assert [(each.served_on, each.enough) for each in told.notices] == [(date(2025, 10, 8), enough)]
        assert ("notice_not_served" in told.reasons) is not enough
    assert verify_notices().wrong == []


def test_a_paper_is_handed_over_with_photo_person_place_and_time(database: Database) -> None:
    place = owing(2)
    by_hand, by_post = place.connections
    issue(**times(ISSUED))
    at = ISSUED + timedelta(days=20)
    now = times(at)
    for field, wrong in (
        ("by", {"by": " "}), ("to", {"to": ""}), ("place", {"latitude": 91.0}), ("photo", {"photo_sha256": ""}),
        ("at", {"at": at + HOUR}), ("at", {"at": ISSUED - timedelta(days=1)}), ("outcome", {"outcome": "x"}),
    ):  # fmt: skip
        with pytest.raises(HandMalformed) as refused:
            hand_over(connection=by_hand, visit=visit(**{"at": at, **wrong}), **now)
        assert refused.value.as_json()["data"]["field"] == field
    assert went(by_hand, "statutory") == [("letter", "asked")]  # what was refused left nothing
    locked = hand_over(connection=by_hand, visit=visit(at - HOUR, outcome="locked", to=""), **now)
    assert explain_notices(connection=by_hand, business_at=at).notices[0].served_on is None
    done = hand_over(connection=by_hand, visit=visit(at), **now)
    assert done.attempt != locked.attempt
    assert done.distance_m == 111
    steps = chain_of(connection=by_hand)
    assert [(each.channel, each.event, each.code) for each in steps] == [
        ("letter", "asked", None), ("hand", "asked", None), ("hand", "failed", "locked"), ("hand", "asked", None),
        ("hand", "delivered", None),
    ]  # fmt: skip
    assert json.loads(steps[-1].evidence or "") == {
        "by": "lineman", "to": "Consumer", "latitude": "22.001000", "longitude": "82.100000", "distance_m": 111,
        "photo_sha256": PHOTO,
    }  # fmt: skip
    assert explain_notices(connection=by_hand, business_at=at).notices[0].served_on == date(2025, 10, 21)
    with pytest.raises(NothingToHand):
        hand_over(connection=by_hand, visit=visit(at), **now)
    with pytest.raises(NothingToHand):
        hand_over(connection=by_post, visit=visit(at), kind="reminder", **now)
    acts = many("SELECT data ->> 'outcome' FROM audit_entry WHERE act = 'notice.handed' ORDER BY id")
    assert acts == [("locked",), ("handed",)]


def test_a_text_is_changed_by_two_officers_and_what_was_sent_stays(database: Database) -> None:
    place = town.found(connections=1, reminded=False)
    remind()
    new = {
        "template": "reminder-sms-hi", "text": "क्र. {consumer}: {amount} बकाया, आज ही भरें।", "registered_as": "DLT-2",
        "verified": True, "effective_from": FRIDAY + timedelta(days=1), "at": datetime.now(UTC), "business_at": ELEVEN,
    }  # fmt: skip
    for change, refusal in (
        ({"text": "{consumer}"}, WordingWrong), ({"text": "{consumer} {amount} {name}"}, WordingWrong),
        ({"text": "{consumer} {amount} {"}, WordingWrong), ({"template": "reminder-fax-hi"}, WordingWrong),
        ({"text": "{consumer!r} {amount}"}, WordingWrong), ({"registered_as": ""}, WordingWrong),
        ({"effective_from": FRIDAY - timedelta(days=1)}, WordingBackdated),
    ):  # fmt: skip
        with pytest.raises(refusal):
            set_wordings.propose(**{**new, **change}, officer="ee")
    with pytest.raises(OfficerMayNotSetWording):
        set_wordings.propose(**new, officer="cashier")
    version = set_wordings.propose(**new, officer="ee")
    assert version == 2
    of_day = book_on(FRIDAY + timedelta(days=1)).of("reminder", "sms", "hi")
    assert of_day.version == 1  # nobody has accepted the other
    both = {"template": "reminder-sms-hi", "at": datetime.now(UTC), "business_at": ELEVEN}
    for officer, number, reason, refusal in (
        ("ee", 2, "x", WordingBySame), ("se", 9, "x", WordingUnknown), ("se", 1, "x", WordingAccepted),
        ("se", 2, " ", ProofMissing),
    ):  # fmt: skip
        with pytest.raises(refusal):
            set_wordings.accept(**both, version=number, officer=officer, reason=reason)
    set_wordings.accept(**both, version=2, officer="se", reason="shorter")
    send_reminders(business_day=FRIDAY + timedelta(days=1), **times(ELEVEN + timedelta(days=1)))
    told = [(each.template_version, each.text) for each in chain_of(connection=place.connections[0])
            if each.machine == "reminder" and each.event == "asked"]  # fmt: skip
    assert [each[0] for each in told] == [1, 2]
    assert told[1][1] == f"क्र. {place.connections[0]}: ₹6,000.00 बकाया, आज ही भरें।"
    with database.connect("app") as app:
        for statement in (
            "UPDATE notices_template SET accepted_by = 'x', accepted_at = now()", "DELETE FROM notices_template",
            "UPDATE notices_template SET text = 'x'",
            "INSERT INTO notices_template (id, version, kind, channel, language, registered_as, text, effective_from,"
            " proposed_by, proposed_at, accepted_by, accepted_at) VALUES ('a', 1, 'a', 'sms', 'hi', '', '', now(), 'a',"
            " now(), 'b', now())",
        ):  # fmt: skip
            with pytest.raises(psycopg.Error):
                app.execute(statement)


def test_whatever_is_altered_under_the_guard_is_named(database: Database) -> None:
    place = town.found(connections=3)
    one_of = place.connections[1]
    assert verify_notices().wrong == []
    assert verify_notices(connection=one_of).steps == 8
    changes = (
        ("UPDATE notices_step SET text = 'x' WHERE connection = {c} AND position = 3", "reminder", "altered"),
        ("UPDATE notices_step SET effective_on = '2025-10-01' WHERE connection = {c} AND machine = 'statutory'"
         " AND event = 'delivered'", "statutory", "altered"),
        ("DELETE FROM notices_step WHERE connection = {c} AND machine = 'reminder' AND position = 2",
         "reminder", "missing"),
        ("DELETE FROM notices_step WHERE connection = {c} AND machine = 'reminder' AND position = 6", "batch", "there"),
        ("DELETE FROM notices_step WHERE connection = {c}", "batch", "there"),
        ("UPDATE notices_writtennotice SET paise = 1 WHERE connection = {c}", "statutory", "is another"),
        ("DELETE FROM notices_noticedbill WHERE notice = (SELECT min(id) FROM notices_writtennotice WHERE connection"
         " = {c})", "statutory", "is another"),
        ("DELETE FROM audit_entry WHERE act = 'notice.steps' AND (data ->> 'batch')::bigint = (SELECT max(batch)"
         " FROM notices_step WHERE connection = {c})", "batch", "not in the audit"),
    )  # fmt: skip
    tables = ("notices_step", "notices_noticedbill", "notices_writtennotice", "audit_entry")
    with database.connect("owner") as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            owner.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        for change, machine, why in changes:
            assert owner.execute(change.format(c=one_of)).rowcount > 0, change
            found = verify_notices().wrong
            assert any(each.machine == machine and why in each.why for each in found), (change, found)
            for table in tables:
                owner.execute(f"DELETE FROM {table}")  # noqa: S608
            for table in reversed(tables):
                owner.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept_{table}")
            assert verify_notices().wrong == []


def test_many_notices_are_one_batch_of_the_chain(database: Database) -> None:
    owing(100)
    assert issue(**times(ISSUED)).notices == 100
    assert value("SELECT count(*) FROM notices_step WHERE machine = 'statutory'") == 100
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'notice.steps'") == 1

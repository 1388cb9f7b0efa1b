"""Reminders go to those who still owe, once a day; messages go out once, whatever fails in between."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bahal.domains.notices.operations import Report
from bahal.domains.notices.wordings import book_on
from bahal.foundation.rows import many, value
from bahal.gateways.sms.interface import Answer, Outgoing, SmsCentreUnreachable
from bahal.journeys import send_reminders as journey
from bahal.journeys.deliver_messages import deliver_messages
from bahal.journeys.send_reminders import Reminded, send_reminders
from bahal.journeys.take_delivery_reports import take_delivery_reports
from bahal.journeys.take_payment import take_payment
from tests.journeys import town
from tests.plugin.databases import Database

FRIDAY = town.MONDAY - timedelta(days=3)
AT = town.TEN - timedelta(days=3)
SENT = "FROM notices_message WHERE kind <> 'statutory'"


class Centre:
    """An SMS centre in memory: keeps each reference once, and may fail before or after it took a batch."""

    def __init__(self, *, fail: str = "") -> None:
        self.taken: dict[str, Outgoing] = {}
        self.fail = fail
        self.refuse: set[str] = set()

    def send(self, messages: Sequence[Outgoing]) -> list[Answer]:
        if self.fail == "before":
            raise SmsCentreUnreachable(url="memory", why="test")
        for each in messages:
            if each.to not in self.refuse:
                self.taken.setdefault(each.reference, each)
        if self.fail == "after":
            raise SmsCentreUnreachable(url="memory", why="test")
        return [self._answer(each) for each in messages]

    def _answer(self, message: Outgoing) -> Answer:
        if message.to in self.refuse:
            return Answer(message.reference, None, "refused")
        return Answer(message.reference, f"R{message.reference}")


def remind() -> Reminded:
    return send_reminders(business_day=FRIDAY, actor="ee", at=datetime.now(UTC), business_at=AT)


def pay(connection: int, paise: int = town.DUE) -> None:
    take_payment(
        key=f"{connection}-{paise}", connection=connection, paise=paise, channel="upi", actor="x", business_at=AT
    )


def test_each_who_owes_is_reminded_once_a_day_in_hindi(database: Database) -> None:
    place = town.found(connections=3, reminded=False)
    assert remind() == Reminded(FRIDAY, 3, 3 * town.DUE)
    assert remind() == Reminded(FRIDAY, 0, 0)
    texts = [row[0] for row in many("SELECT text FROM notices_message WHERE kind = 'reminder' ORDER BY connection")]
    assert texts[0] == book_on(FRIDAY).of("reminder", "sms", "hi").filled(
        consumer=str(place.connections[0]), amount="₹6,000.00"
    )
    next_day = send_reminders(
        business_day=FRIDAY + timedelta(days=1), actor="ee", at=place.wall, business_at=AT + timedelta(days=1)
    )
    assert next_day.messages == 3


def test_who_owes_little_or_was_served_no_notice_is_left_alone(database: Database) -> None:
    place = town.found(connections=3, reminded=False)
    pay(place.connections[0], town.DUE - 5_000_00)
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE notices_step DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM notices_step WHERE connection = %s", [place.connections[1]])
    assert remind().messages == 1


def test_who_pays_while_the_day_is_being_queued_gets_none(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    place = town.found(connections=3, reminded=False)
    whole, part, _ = place.connections
    owing = journey._owing

    def pay_meanwhile(*args: object) -> object:
        found = owing(*args)  # type: ignore[arg-type]  # handed on as they came
        if not value("SELECT count(*) FROM payments_payment"):
            with database.connect("app") as other:
                for connection, paise in ((whole, town.DUE), (part, 500_00)):
                    other.execute(
                        "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
                        " VALUES ('payment', %s, now(), now()) RETURNING id)"
                        " INSERT INTO ledger_posting (transaction, account, connection, paise)"
                        " SELECT id, 'receivable', %s::bigint, %s::bigint FROM act"
                        " UNION ALL SELECT id, 'cash', NULL, %s::bigint FROM act",
                        [f"p{connection}", connection, -paise, paise],
                    )
            monkeypatch.setattr(journey, "_owing", owing)
        return found

    monkeypatch.setattr(journey, "_owing", pay_meanwhile)
    assert remind() == Reminded(FRIDAY, 2, 2 * town.DUE - 500_00)
    told = dict(many("SELECT connection, text FROM notices_message WHERE kind = 'reminder'"))
    assert whole not in told
    assert "₹5,500.00" in told[part]


def test_a_reminder_paid_for_before_it_went_out_is_withdrawn(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    remind()
    pay(place.connections[0])
    centre = Centre()
    while deliver_messages(centre, business_at=AT):
        pass
    sent = [each.template for each in centre.taken.values()]
    assert sorted(sent) == ["BAHAL-PAY-HI-1", "BAHAL-REM-HI-1"]
    assert value(
        "SELECT delivery FROM notices_message WHERE connection = %s AND kind = 'reminder'", place.connections[0]
    ) == "withdrawn"  # fmt: skip


def test_what_the_centre_took_before_a_crash_is_not_sent_twice(database: Database) -> None:
    town.found(connections=3, reminded=False)
    remind()
    centre = Centre(fail="after")
    with pytest.raises(SmsCentreUnreachable):
        deliver_messages(centre, business_at=AT)
    assert deliver_messages(centre, business_at=AT) == 0  # given back for a pause
    with database.connect("owner") as owner:
        owner.execute("UPDATE notices_message SET taken_until = NULL")
    centre.fail = ""
    assert deliver_messages(centre, business_at=AT) == 3
    assert len(centre.taken) == 3
    assert many(f"SELECT DISTINCT delivery, sent_at IS NOT NULL {SENT}") == [("sent", True)]
    assert deliver_messages(centre, business_at=AT) == 0


def test_two_workers_do_not_take_the_same_message(database: Database) -> None:
    town.found(connections=4, reminded=False)
    remind()

    class Meanwhile(Centre):
        def send(self, messages: Sequence[Outgoing]) -> list[Answer]:
            assert deliver_messages(other, business_at=AT, limit=100) == 2
            return super().send(messages)

    first, other = Meanwhile(), Centre()
    assert deliver_messages(first, business_at=AT, limit=2) == 2
    assert not first.taken.keys() & other.taken.keys()
    assert len(first.taken) + len(other.taken) == 4


def test_the_urgent_go_first(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    remind()
    pay(place.connections[0], 1)
    centre = Centre()
    deliver_messages(centre, business_at=AT, limit=1)
    assert [each.template for each in centre.taken.values()] == ["BAHAL-PAY-HI-1"]


def test_what_the_centre_refuses_is_given_up_after_five_tries(database: Database) -> None:
    town.found(connections=1, reminded=False)
    remind()
    centre = Centre()
    centre.refuse = {row[0] for row in many(f"SELECT phone {SENT}")}
    for _ in range(5):
        assert deliver_messages(centre, business_at=AT) == 1
        with database.connect("owner") as owner:
            owner.execute("UPDATE notices_message SET taken_until = NULL")
    assert many(f"SELECT delivery, tries {SENT}") == [("failed", 5)]
    assert deliver_messages(centre, business_at=AT) == 0


def test_reports_may_be_early_late_or_repeated(database: Database) -> None:
    town.found(connections=2, reminded=False)
    remind()
    early, late = (row[0] for row in many(f"SELECT id {SENT} ORDER BY id"))
    assert take_delivery_reports([Report(early, f"R{early}", True, AT)]) == 1
    assert deliver_messages(Centre(), business_at=AT) == 1  # the early one is delivered already
    reports = [Report(early, f"R{early}", True, AT), Report(late, f"R{late}", False, AT), Report(10**9, "R", True, AT)]
    assert take_delivery_reports(reports) == 1
    assert take_delivery_reports([Report(late, "other", True, AT)]) == 0
    assert many(f"SELECT delivery {SENT} ORDER BY id") == [("delivered",), ("failed",)]

"""Bills become due, and an advance settles them at once."""

from datetime import UTC, date, datetime

import pytest

from bahal.domains.billing.errors import BillMalformed, BillNumberTaken
from bahal.domains.billing.operations import NewBill
from bahal.domains.ledger.queries import balance
from bahal.domains.notices.errors import NoticeMalformed
from bahal.domains.notices.issuing import NewNotice
from bahal.foundation.rows import value
from bahal.journeys.post_bills import post_bills
from bahal.journeys.serve_written_notices import serve_written_notices
from bahal.journeys.take_payment import take_payment
from tests.journeys import town
from tests.plugin.databases import Database

TIMES = {"actor": "test", "at": datetime(2025, 11, 24, tzinfo=UTC), "business_at": town.TEN}


def bill(connection: int, paise: int, serial: str) -> NewBill:
    return NewBill(connection, serial, date(2025, 11, 1), date(2025, 11, 5), date(2025, 11, 20), 10_000, paise)


def test_an_advance_settles_bills_in_their_order(database: Database) -> None:
    first = town.found(connections=1, due=0).connections[0]
    take_payment(key="k", connection=first, paise=250_00, channel="upi", actor="x", business_at=town.TEN)
    assert balance(connection=first) == (0, 250_00)
    post_bills([bill(first, 200_00, "A"), bill(first, 300_00, "B")], **TIMES)  # type: ignore[arg-type]
    assert balance(connection=first) == (250_00, 0)
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    assert (
        value("SELECT paise FROM ledger_posting WHERE bill IS NULL AND account = 'receivable' ORDER BY paise")
        == -200_00
    )


def test_a_wrong_bill_posts_none(database: Database) -> None:
    first = town.found(connections=1, due=0).connections[0]
    for wrong, refusal in (
        (bill(first, 0, "B"), BillMalformed),
        (bill(first, 1, "B")._replace(due_on=date(2025, 11, 5)), BillMalformed),
        (bill(first, 1, "A"), BillNumberTaken),
    ):
        with pytest.raises(refusal):
            post_bills([bill(first, 100, "A"), wrong], **TIMES)  # type: ignore[arg-type]
    assert value("SELECT count(*) FROM billing_bill") == 0
    post_bills([bill(first, 100, "A")], **TIMES)  # type: ignore[arg-type]
    with pytest.raises(BillNumberTaken):
        post_bills([bill(first, 100, "A")], **TIMES)  # type: ignore[arg-type]


def test_a_wrong_notice_is_refused(database: Database) -> None:
    first = town.found(connections=1, due=0).connections[0]
    for bills, paise, served in (((), 1, date(2025, 10, 9)), ((1,), 0, date(2025, 10, 9)), ((1,), 1, date(2025, 9, 1))):
        with pytest.raises(NoticeMalformed):
            serve_written_notices([NewNotice(first, bills, paise, date(2025, 10, 1), served, "post")], **TIMES)  # type: ignore[arg-type]

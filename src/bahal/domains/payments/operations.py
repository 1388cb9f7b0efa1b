"""What a request to pay is, and booking it: once per key, in one statement."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import DatabaseError

from bahal.domains.payments.errors import ChequeMalformed, ChequeTaken, KeyReusedWithOtherBody, PaymentMalformed
from bahal.domains.payments.models import CHANNELS, HELD_IN
from bahal.domains.payments.queries import receipt_of
from bahal.foundation.rows import one
from bahal.foundation.statements import Statement
from bahal.foundation.transactions import transaction_required
from bahal.shared.clock import day_in_india
from bahal.shared.locks import SupplyBusy, refused_a_lock

LONGEST_KEY = 200
LARGEST_PAISE = 10**13

_CARRIED: Mapping[str, tuple[str, ...]] = {
    "counter": ("cash", "cheque", "draft", "card"),
    "bank": ("bank", "netbanking", "suspense"),
}
"""What comes by a channel; by each other one, what it is called."""
CHEQUE_GOOD_FOR = timedelta(days=92)
"""A cheque is stale three months after its date (Reserve Bank of India, 2012; not checked again)."""


_TAKE = Statement(
    "payment_take",
    "SELECT * FROM payment_take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
)
_DURABLE = Statement("payment_durable", "SELECT payment_durable()")


class Cheque(NamedTuple):
    """A cheque or a draft: its six digits, its bank and the day written on it."""

    number: str
    bank: str
    dated_on: date

    def check(self, *, on: date) -> None:
        """Refuse what no bank would take.

        :raises ChequeMalformed: not six digits, no bank, stale, or dated ahead.
        """
        if len(self.number) != 6 or not (self.number.isascii() and self.number.isdigit()):
            raise ChequeMalformed(field="number", given=self.number[:20])
        if not self.bank.strip() or len(self.bank) > 80:
            raise ChequeMalformed(field="bank", given=self.bank[:20])
        if not on - CHEQUE_GOOD_FOR <= self.dated_on <= on:
            raise ChequeMalformed(field="dated_on", given=self.dated_on.isoformat())


class Asked(NamedTuple):
    """A request to take a payment: what the key stands for."""

    key: str
    connection: int
    paise: int
    channel: str
    instrument: str
    cheque: Cheque | None = None

    def sha256(self) -> str:
        """The hash of the request without its key; what the channel alone would have said is left out."""
        body: dict[str, object] = {"channel": self.channel, "consumer": self.connection, "paise": self.paise}
        if self.instrument != instrument_of(self.channel):
            body["instrument"] = self.instrument
        if self.cheque is not None:
            body["cheque"] = [self.cheque.bank, self.cheque.number, self.cheque.dated_on.isoformat()]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def check(self, *, business_at: datetime) -> None:
        """Refuse what is no payment.

        :raises PaymentMalformed: no key, an overlong key, no positive amount, an unknown channel, or money that does
            not come by it.
        :raises ChequeMalformed: a cheque or draft that no bank would take.
        """
        if not self.key or len(self.key) > LONGEST_KEY or not self.key.isprintable():
            raise PaymentMalformed(field="Idempotency-Key", given=self.key[:40])
        if not 0 < self.paise <= LARGEST_PAISE:
            raise PaymentMalformed(field="paise", given=str(self.paise))
        if self.channel not in CHANNELS:
            raise PaymentMalformed(field="channel", given=self.channel[:40])
        if self.instrument not in _CARRIED.get(self.channel, (self.channel,)):
            raise PaymentMalformed(field="instrument", given=self.instrument[:40])
        if (self.cheque is not None) != (self.instrument in ("cheque", "draft")):
            raise ChequeMalformed(field="number", given="")
        if self.cheque is not None:
            self.cheque.check(on=day_in_india(business_at))


def instrument_of(channel: str) -> str:
    """By what money comes if nothing else is said: cash at the counter, else what the channel is called."""
    return "cash" if channel == "counter" else channel


class Booked(NamedTuple):
    """What `book` answered; see `payment_take` in journeys/sql/12_payments.sql for each outcome."""

    outcome: str
    id: int
    receipt: str
    acknowledged_at: datetime
    order: int | None
    body_sha256: str | None
    due_paise: int | None
    restores: bool | None
    durable: bool


class Settled(NamedTuple):
    """What the caller did about the orders before it books: the receipt it drew for them, and the restore."""

    id: int
    receipt: str
    order: int | None


def book(
    asked: Asked,
    *,
    actor: str,
    business_at: datetime,
    texts: str,
    day: int | None,
    alone: bool,
    lock_timeout_ms: int,
    settled: Settled | None = None,
) -> Booked:
    """Book a payment: receipt, postings, fence, message and audit in one statement.

    `texts` is the message by language, as JSON. With `alone` the statement is a transaction of its own; unless the
    answer says `durable`, it may not be on the disk when this returns, and `wait_for_disk` waits for that.

    :raises SupplyBusy: the fence was not given in time; nothing was booked.
    :raises KeyReusedWithOtherBody: another connection's request with this key was booked in the meantime.
    :raises ChequeTaken: this cheque was taken before.
    """
    cheque = asked.cheque
    try:
        row = _TAKE.one(
            asked.key,
            asked.sha256(),
            asked.connection,
            asked.paise,
            asked.channel,
            asked.instrument,
            HELD_IN[asked.instrument],
            actor,
            business_at,
            texts,
            day,
            None if cheque is None else json.dumps(cheque._asdict(), default=str),
            alone,
            lock_timeout_ms,
            settled is not None,
            None if settled is None else settled.order,
            None if settled is None else settled.receipt,
            None if settled is None else settled.id,
        )
    except DatabaseError as failure:
        if refused_a_lock(failure):
            raise SupplyBusy(connections=str(asked.connection)) from failure
        diagnosis = getattr(failure.__cause__, "diag", None)
        constraint = None if diagnosis is None else diagnosis.constraint_name
        if cheque is not None and constraint == "cheque_once":
            raise ChequeTaken(bank=cheque.bank, number=cheque.number) from failure
        if constraint == "payment_key_once":
            # Only another connection's: this one's fence was locked before the key was looked up.
            raise KeyInUse(asked.key) from failure
        raise
    assert row is not None
    return Booked(*row)


class KeyInUse(Exception):
    """Another request took this key while this one was being booked; the caller's transaction is over."""


def key_in_use(key: str) -> KeyReusedWithOtherBody:
    """The refusal for a key that another request took."""
    return KeyReusedWithOtherBody(key=key, receipt=str(receipt_of(key=key)))


def wait_for_disk() -> None:
    """Return when all that was committed before is on the disk. A transaction of its own."""
    _DURABLE.one()


@transaction_required
def draw_receipt(*, day: int | None, business_at: datetime) -> tuple[int, str, datetime]:
    """Draw a receipt before it is booked: its id, its number, and the database's instant now."""
    row = one(
        "SELECT d.id, payment_receipt(d.id, (SELECT counter FROM payments_day WHERE id = %s), %s), clock_timestamp()"
        " FROM nextval('payments_payment_id_seq') AS d (id)",
        day,
        business_at,
    )
    assert row is not None
    return row[0], row[1], row[2]

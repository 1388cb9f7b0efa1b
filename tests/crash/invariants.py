"""I1 to I5 over one crash run, judged from the outside world's logs.

What happened is taken from the meters' log, the bank's, the SMS centre's and from what the payers were answered, at
which instant of this machine's clock; the product's own rows are what is judged. `violations` names everything wrong;
an empty list is the verdict that a crash did no harm.

Every meter of these runs is healthy and every fault passes, so more is asked than the law of orders needs: no field
task at all, no frame that a meter had to refuse.
"""

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.monday.recount import Movement, Recount

IN_FLIGHT = timedelta(seconds=2)
"""How long after a payment's answer a frame may still arrive that was committed before it: 250 ms to write, one reply's
delay, and a machine that is busy."""

ENDS = ("confirmed", "cancelled", "refused", "expired")
HARMLESS_SENDINGS = 2
_MEMBER = struct.Struct(">q16s")


@dataclass(frozen=True, slots=True)
class Answered:
    """A payer, and when he had his 201 in hand."""

    connection: int
    number: str
    paise: int
    at: datetime
    clears: bool
    """Whether it settled everything: a part payment changes the account and does not bring the light."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a run left. Rows of the product's tables are mappings by column."""

    counted: Recount
    connection_of: Mapping[str, int]
    listed: Sequence[int]
    """Connections on the signed list."""
    touched: Sequence[int]
    """Listed connections whose account changed after the signatures and before the hour, without being settled."""
    answered: Sequence[Answered]
    forced: Sequence[str]
    """Meters that somebody closed with his own hands."""
    unheard: Sequence[str]
    """Those of them whose push died with the process that had just received it: nothing tells of it twice."""
    asked: Sequence[str]
    """Meters whose register was asked for."""
    cash_before_paise: int
    cash_paise: int
    unbalanced: int
    """Ledger transactions whose postings do not sum to zero."""
    orders: Sequence[Mapping[str, Any]]
    sendings: Sequence[Mapping[str, Any]]
    payments: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    readings: Sequence[Mapping[str, Any]]
    tasks: int
    leases: int
    """Leases that somebody still holds."""
    entries: Sequence[Mapping[str, Any]]
    batches: Sequence[Mapping[str, Any]]
    seals: Sequence[Mapping[str, Any]]
    complaints: Mapping[str, int]
    """What the meters themselves refused or could not read, by name."""

    def meter_of(self) -> dict[int, str]:
        """The meter of each connection."""
        return {connection: meter for meter, connection in self.connection_of.items()}


def violations(seen: Evidence) -> list[str]:
    """Everything wrong, in sentences that begin with the invariant's name."""
    return [
        *(f"I1: {each}" for each in authority(seen)),
        *(f"I2: {each}" for each in _ends(seen)),
        *(f"I3: {each}" for each in _money(seen)),
        *(f"I4: {each}" for each in _audit(seen)),
        *(f"I5: {each}" for each in _supply(seen)),
        *(f"messages: {each}" for each in _messages(seen)),
        *(f"head-end: {each}" for each in _headend(seen)),
    ]


def authority(seen: Evidence) -> Iterator[str]:
    """No off-frame without authority, none sent after the money was acknowledged."""
    listed, touched = set(seen.listed), set(seen.touched)
    cleared = {each.connection: each.at for each in seen.answered if each.clears}
    sent: dict[str, list[datetime]] = {}
    for row in seen.sendings:
        if row["kind"] == "cut":
            sent.setdefault(row["meter"], []).append(row["sent_at"])
            answered = cleared.get(row["connection"])
            if answered is not None and answered < row["sent_at"]:
                yield f"meter {row['meter']} was marked sent at {row['sent_at']}, its payer had his 201 at {answered}"
    for move in _cuts(seen):
        connection = seen.connection_of[move.meter]
        if connection not in listed:
            yield f"meter {move.meter} was cut and is on no signed list"
        if connection in touched:
            yield f"meter {move.meter} was cut though its account changed after the signatures"
        if not any(at <= move.at for at in sent.get(move.meter, ())):
            yield f"meter {move.meter} was cut before any commit said so"
        answered = cleared.get(connection)
        if answered is not None and move.at - answered > IN_FLIGHT:
            yield f"meter {move.meter} was cut at {move.at}, its payer had his 201 at {answered}"
        yield from _window(move)


def _window(move: Movement) -> Iterator[str]:
    local = move.business_at.astimezone(UTC) + timedelta(hours=5, minutes=30)
    if not 10 <= local.hour < 14:
        yield f"meter {move.meter} was cut at {local:%H:%M}, outside the window"


def _ends(seen: Evidence) -> Iterator[str]:
    """Every order ends, verified by the relay's state outside; sent twice at most, and not once it has moved."""
    now = {each.meter: each.on for each in seen.counted.movements}
    restored = {row["meter"] for row in seen.orders if row["kind"] == "restore" and row["state"] == "confirmed"}
    for row in seen.orders:
        if row["state"] == "field_task":
            yield f"order {row['id']} became a field task ({row['reason']}) and its meter is healthy"
        elif row["state"] not in ENDS:
            yield f"order {row['id']} ({row['kind']}) is still {row['state']}"
        elif row["state"] == "confirmed":
            expected = row["kind"] == "restore" or row["meter"] in restored or row["meter"] in seen.forced
            if now.get(row["meter"], True) != expected:
                yield f"order {row['id']} ({row['kind']}) is confirmed and the relay of {row['meter']} says otherwise"
        elif not now.get(row["meter"], True) and row["meter"] not in _confirmed_cuts(seen):
            yield f"order {row['id']} is {row['state']} and the relay of {row['meter']} is open"
    if seen.tasks:
        yield f"{seen.tasks} field tasks are open and every meter is healthy"
    if seen.leases:
        yield f"{seen.leases} leases are still held"
    yield from repeats(seen)


def repeats(seen: Evidence) -> Iterator[str]:
    """An order is sent twice at most, not again once it has moved its relay, and no relay moves twice one way."""
    for row in seen.orders:
        # Its own count leaves out a sending that came too late to be written: no byte of that left the house.
        if row["sends"] > HARMLESS_SENDINGS:
            yield f"order {row['id']} was sent {row['sends']} times"
    for (order, meter), count in Counter((row["order_id"], row["meter"]) for row in seen.sendings).items():
        if count > 1:
            yield from _needless(seen, order, meter)
    for (meter, on), count in Counter((each.meter, each.on) for each in seen.counted.movements).items():
        if count > 1:
            yield f"meter {meter} was turned {'on' if on else 'off'} {count} times"


def _confirmed_cuts(seen: Evidence) -> set[str]:
    return {row["meter"] for row in seen.orders if row["kind"] == "cut" and row["state"] == "confirmed"}


def _needless(seen: Evidence, order: int, meter: str) -> Iterator[str]:
    """A second sending, though the first had moved the relay: nobody read it before."""
    first, second = sorted(row["sent_at"] for row in seen.sendings if row["order_id"] == order)[:2]
    on = next(row["kind"] == "restore" for row in seen.sendings if row["order_id"] == order)
    if any(each.meter == meter and each.on == on and first <= each.at < second for each in seen.counted.movements):
        yield f"order {order} was sent again though the relay of {meter} had moved"


def _money(seen: Evidence) -> Iterator[str]:
    """What the bank took is what was posted, each payment once."""
    posted = Counter(row["idempotency_key"] for row in seen.payments)
    paise = {row["idempotency_key"]: row["paise"] for row in seen.payments}
    for each in seen.counted.payments:
        if posted[each.number] != 1:
            yield f"payment {each.number} was posted {posted[each.number]} times"
        elif paise[each.number] != each.paise:
            yield f"payment {each.number}: {each.paise} paise taken, {paise[each.number]} posted"
    taken = sum(each.paise for each in seen.counted.payments)
    if seen.cash_paise - seen.cash_before_paise != taken:
        yield f"{taken} paise taken, {seen.cash_paise - seen.cash_before_paise} in the ledger's cash"
    if seen.unbalanced:
        yield f"{seen.unbalanced} ledger transactions do not balance"
    missing = {each.number for each in seen.counted.payments} - {each.number for each in seen.answered}
    if missing:
        yield f"{len(missing)} payers were never answered: {', '.join(sorted(missing))}"


def _supply(seen: Evidence) -> Iterator[str]:
    """Who paid has light, also if his cut was in flight; cuts of the others went on after the crash."""
    now = {each.meter: each.on for each in seen.counted.movements}
    meter_of = seen.meter_of()
    cleared = {each.connection for each in seen.answered if each.clears}
    for connection in sorted(cleared):
        if not now.get(meter_of[connection], True):
            yield f"connection {connection} has paid and is dark"
    for connection in seen.listed:
        meter = meter_of[connection]
        if connection not in cleared and connection not in set(seen.touched) and meter not in seen.counted.cut:
            yield f"connection {connection} owes, was signed for and was never cut"
    for meter in seen.counted.restored:
        if seen.connection_of[meter] not in cleared:
            yield f"meter {meter} was lit and nobody paid for it"


def _audit(seen: Evidence) -> Iterator[str]:
    """The chain computed again by a second way, against the rows and against the seals kept outside."""
    previous, sealed_to = "0" * 64, 0
    held = {}
    for batch in seen.batches:
        members = bytes(batch["members"])
        if batch["previous_sha256"] != previous or batch["sha256"] != _sha256(previous, members):
            yield f"audit batch {batch['id']} breaks the chain"
        wanted = dict(_MEMBER.iter_unpack(members))
        inside = [row for row in seen.entries if sealed_to < row["id"] <= batch["last_entry"]]
        for row in inside:
            if wanted.pop(row["id"], None) != _digest(row):
                yield f"audit entry {row['id']} is not what was sealed"
        for number in wanted:
            yield f"audit entry {number} is gone"
        previous, sealed_to, held[batch["id"]] = batch["sha256"], batch["last_entry"], batch["sha256"]
    if not seen.batches:
        yield "the audit was never sealed"
    for seal in seen.seals:
        if held.get(seal["batch"]) != seal["sha256"]:
            yield f"audit batch {seal['batch']} is not the one sealed outside"
    acts = Counter((row["act"], row["subject"]) for row in seen.entries)
    for each in seen.payments:
        if acts["payment.taken", f"payment {each['receipt']}"] != 1:
            yield f"payment {each['receipt']} has {acts['payment.taken', 'payment ' + each['receipt']]} sentences"
    for row in seen.orders:
        if row["state"] == "confirmed" and acts[f"supply.{row['kind']}.confirmed", f"order {row['id']}"] != 1:
            yield f"order {row['id']} is confirmed without its one sentence in the audit"


def _messages(seen: Evidence) -> Iterator[str]:
    """Nobody is told twice, everybody who has to be told is."""
    for (to, _, text), count in Counter((each.to, each.day, each.text) for each in seen.counted.messages).items():
        if count > 1:
            yield f"{to} was told {count} times: {text}"
    for receipt, count in Counter(each.receipt for each in seen.counted.messages).items():
        if count > 1:
            yield f"receipt {receipt} was given {count} times"
    told = {kind: Counter(m.consumer for m in seen.counted.messages if m.kind == kind) for kind in ("cut", "restored")}
    lit = {seen.connection_of[meter] for meter in seen.counted.restored}
    for connection in sorted(lit):
        if told["restored"][connection] != 1:
            yield f"connection {connection} was lit and told so {told['restored'][connection]} times"
    for meter in sorted(seen.counted.cut - seen.counted.restored):
        if told["cut"][seen.connection_of[meter]] != 1:
            yield f"meter {meter} is cut and its consumer was told {told['cut'][seen.connection_of[meter]]} times"
    thanked = Counter(each.consumer for each in seen.counted.messages if each.kind == "payment")
    for connection, count in Counter(each.connection for each in seen.answered).items():
        if thanked[connection] != count:
            yield f"connection {connection} paid {count} times and was thanked {thanked[connection]} times"
    queued = [
        (row["id"], row["kind"], row["delivery"], row["tries"])
        for row in seen.messages
        if row["delivery"] not in ("delivered", "withdrawn")
    ]
    if queued:
        yield f"messages {queued} never arrived"


def _headend(seen: Evidence) -> Iterator[str]:
    """The alarm is raised once, every read asked for is answered, no meter had to refuse a frame."""
    raised = Counter((row["meter"], row["kind"]) for row in seen.alerts)
    heard = Counter((meter, "forced_close") for meter in seen.forced)
    if not heard - Counter((meter, "forced_close") for meter in seen.unheard) <= raised <= heard:
        yield f"alerts {dict(raised)}, and {', '.join(seen.forced) or 'nobody'} was closed by force"
    read = {row["meter"] for row in seen.readings}
    for meter in seen.asked:
        if meter not in read:
            yield f"meter {meter} was asked for its register and never read"
    for name, count in seen.complaints.items():
        yield f"meters complained {count} times: {name}"


def _cuts(seen: Evidence) -> list[Movement]:
    return [each for each in seen.counted.movements if each.cause == "remote_disconnect"]


def _sha256(previous: str, members: bytes) -> str:
    return hashlib.sha256(previous.encode() + members).hexdigest()


def _digest(row: Mapping[str, Any]) -> bytes:
    plain = [
        row["id"], _utc(row["at"]), _utc(row["business_at"]), row["actor"], row["act"], row["subject"],
        row["connection"], row["data"],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).digest()[:16]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")

"""The one function that locks supply, and the written order of all locks.

Whoever needs several of these takes them in this order, and each once in a transaction:

1. `interlock_switch`: the single row (the interlock alone, before a batch of cuts)
2. `supply_fence`: rows in rising order of the connection, all in one statement (`lock_supply`)
3. `supply_drive`: one row
4. `supply_order`: rows of the connections locked in 2, or of the drive locked in 3
5. `fieldwork_task`: one row, or the tasks of the orders in 4
6. inserts of money: `payments_payment`, `ledger_transaction`, whose unique keys may wait for one another
   before them a counter's open day (`payments_day`, shared by its receipts) and its series (`payments_series`)

6. the chains of notices (`notices_hold`): one lock, taken before the rows of attempts that have a chain

Queues (`supply_result`, `protection_event`, `notices_message`) are taken by SKIP LOCKED, so that nobody waits for them.
A wait is short: who cannot have a lock within `LOCK_TIMEOUT_MS` is refused and may come again.
`payment_take` (journeys/sql/12_payments.sql) locks its one fence in the database, by the same order and limit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bahal.shared.errors import Refusal

LOCK_TIMEOUT_MS = 3000

_LOCK_NOT_AVAILABLE = "55P03"
_DEADLOCK = "40P01"


class SupplyBusy(Refusal):
    """Somebody else is changing this connection's supply; nothing was done."""

    code = "supply_busy"
    hi = "कनेक्शन {connections} पर इस समय दूसरा काम चल रहा है: थोड़ी देर में फिर प्रयास करें।"
    en = "Another act on connection {connections} is under way: try again in a moment."


class ConnectionUnknown(Refusal):
    """No such connection."""

    code = "connection_unknown"
    hi = "उपभोक्ता क्रमांक {connection} का कोई कनेक्शन नहीं है: क्रमांक दस अंकों का होता है, जैसे 2200000001।"
    en = "There is no connection with the consumer number {connection}: it has ten digits, such as 2200000001."


class Cursor(Protocol):
    """As much of a database cursor as a lock needs."""

    def execute(self, sql: str, params: Any = None, /) -> Any:
        """Run one statement."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows of the last statement."""
        ...


@dataclass(frozen=True, slots=True)
class Fence:
    """A locked connection: its generation and what its supply should be."""

    connection: int
    generation: int
    desired: Literal["on", "off"]


def lock_supply(
    cursor: Cursor, connections: Iterable[int], *, timeout_ms: int = LOCK_TIMEOUT_MS
) -> Mapping[int, Fence]:
    """Lock the fences of these connections until the transaction ends, in rising order, and return them.

    The caller is in a transaction (READ COMMITTED) and has taken no later lock of the written order. What it reads in
    later statements is what was committed before the lock was given.

    :raises SupplyBusy: a lock was not given in time, or a deadlock was broken; the transaction must be rolled back.
    :raises ConnectionUnknown: one of them has no fence.
    """
    wanted = sorted(set(connections))
    try:
        # The limit is set by the same statement: the join is read before its first row is locked.
        cursor.execute(
            "SELECT f.connection, f.generation, f.desired FROM set_config('lock_timeout', %s, true) AS set,"
            " supply_fence f WHERE f.connection = ANY(%s::bigint[]) ORDER BY f.connection FOR UPDATE OF f",
            [str(int(timeout_ms)), wanted],
        )
    except Exception as failure:
        if _state_of(failure) in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
            raise SupplyBusy(connections=_named(wanted)) from failure
        raise
    locked = {row[0]: Fence(*row) for row in cursor.fetchall()}
    for connection in wanted:
        if connection not in locked:
            raise ConnectionUnknown(connection=connection)
    return locked


def refused_a_lock(failure: BaseException) -> bool:
    """Whether a statement failed because a lock was not given in time, or because a deadlock was broken."""
    return _state_of(failure) in (_LOCK_NOT_AVAILABLE, _DEADLOCK)


def _state_of(failure: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, also of one that Django has wrapped."""
    for each in (failure, failure.__cause__):
        state = getattr(each, "sqlstate", None)
        if state is not None:
            return str(state)
    return None


def _named(connections: list[int]) -> str:
    few = ", ".join(map(str, connections[:3]))
    return f"{few} …" if len(connections) > 3 else few

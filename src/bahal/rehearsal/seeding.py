"""Writes a circle into the database as the business role, by COPY, past none of the triggers that guard the money."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from datetime import time as hour
from itertools import islice
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from bahal.domains.arrears.policy import shipped_policy
from bahal.rehearsal.almanac import POLICY, no_cut_days
from bahal.rehearsal.circle import Circle
from bahal.rehearsal.dues import Account, Notice, Payment, notice_text, notice_wording
from bahal.rehearsal.officers import Officer
from bahal.shared.errors import REFUSED, Refusal

Each = TypeVar("Each")
Rows = Iterable[Sequence[object]]

_LINES_A_WRITE = 2_000
_CHANNEL = "counter"
_DIGITS = 9
_SERVICE = "registered post, acknowledged"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
SEEDED_TABLES = (
    "offices_office", "network_feeder", "network_transformer", "network_connection", "consumers_consumer",
    "meters_meter", "supply_fence", "billing_bill", "ledger_transaction", "ledger_posting", "payments_payment",
    "notices_writtennotice", "notices_noticedbill", "notices_message", "notices_step", "arrears_hold",
    "arrears_dispute", "billing_register", "billing_explanation",
)  # fmt: skip


class CircleThere(Refusal):
    """The database already holds connections: a second circle would mix with the first."""

    code = "rehearsal_circle_there"
    exit_code = REFUSED
    hi = "डेटाबेस में पहले से {connections} कनेक्शन हैं: नए BAHAL_HOME से शुरू करें।"
    en = "The database already holds {connections} connections: start from a new BAHAL_HOME."


@dataclass(slots=True)
class Seeded:
    """How many rows went into each table and how many seconds each step took."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def seed_circle(
    connection: "psycopg.Connection[Any]",
    circle: Circle,
    *,
    officers: Sequence[Officer] = (),
    progress: Callable[[str, int, int], None] | None = None,
    read: Callable[[], None] | None = None,
    by_hand: bool = False,
) -> Seeded:
    """Write the circle. `connection` is the role `app`'s; it is used in transactions of its own.

    The network and the officers come first, then the registers of all meters: `read` has the meters themselves read;
    without it, or `by_hand` before it, they are written as if somebody had gone there. The months are billed from them
    by the product's own cycles, with the payments between (`past`); last the notices, the calendar and the policy
    without which nobody may be cut: a seeding that stops half-way leaves nothing that a drive could use. `progress` is
    told the step, how much of it is done and how much there is. Django works on the same database.

    :raises PastDiffers: the product billed something else than the circle says.
    :raises CircleThere: the database is not empty.
    :raises psycopg.Error: the database refused.
    """
    # The past is lived by journeys, which need Django; who only writes rows by this module does not.
    from bahal.rehearsal.past import live_past

    (there,) = connection.execute("SELECT count(*) FROM network_connection").fetchone() or (0,)
    if there:
        raise CircleThere(connections=there)
    connection.commit()
    tell = progress or (lambda step, done, total: None)
    seeded = Seeded()
    # argon2 takes its time, and lets the COPY work beside it
    with ThreadPoolExecutor(1) as hashing:
        passwords = [hashing.submit(officer.password_hash) for officer in officers]
        with _timed(seeded, "network"), connection.transaction(), connection.cursor() as cursor:
            _network(cursor, circle, seeded)
        tell("network", len(circle.connections), len(circle.connections))
        with _timed(seeded, "officers"), connection.transaction(), connection.cursor() as cursor:
            _officers(cursor, zip(officers, (each.result() for each in passwords), strict=True), seeded)
        with _timed(seeded, "registers"):
            if read is None or by_hand:
                with connection.transaction(), connection.cursor() as cursor:
                    _registers(cursor, circle.accounts, seeded)
            if read is not None:
                read()
        with _timed(seeded, "past"):
            live_past(
                circle,
                officer=officers[0].login if officers else None,
                pay=lambda payments: _pay(connection, payments, seeded),
                progress=lambda done, total: tell("accounts", done, total),
            )
        with _timed(seeded, "authority"), connection.transaction(), connection.cursor() as cursor:
            _notices(cursor, circle.accounts, seeded)
            seeded.rows["arrears_nocutday"], seeded.rows["arrears_policy"] = write_calendar(cursor, circle.monday)
        for table in ("billing_bill", "ledger_transaction", "ledger_posting"):
            (seeded.rows[table],) = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            ).fetchone() or (0,)
        connection.commit()
        tell("authority", 1, 1)
    return seeded


def analyse(owner: "psycopg.Connection[Any]") -> None:
    """Let the planner know the seeded tables. `owner` is the tables' owner's connection; the business role may not."""
    with owner.transaction():
        owner.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.Identifier, SEEDED_TABLES))))


def copy_rows(cursor: "psycopg.Cursor[Any]", table: str, columns: str, rows: Rows) -> int:
    """COPY rows into a table. `columns` is a list of names parted by blanks. Returns how many were written."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns.split()))
    )
    written = 0
    with cursor.copy(statement) as copy:
        for lines in _chunks(("\t".join(map(_text, row)) for row in rows), _LINES_A_WRITE):
            copy.write("\n".join(lines) + "\n")
            written += len(lines)
    return written


def write_calendar(cursor: "psycopg.Cursor[Any]", monday: date) -> tuple[int, int]:
    """Write the days without cuts and the policy; returns how many rows of each."""
    days = copy_rows(cursor, "arrears_nocutday", "day reason reason_hi", no_cut_days(monday))
    policy = {**asdict(POLICY), "proposed_by": "ee", "document": shipped_policy(), "proposed_at": datetime.now(UTC)}
    written = copy_rows(cursor, "arrears_policy", " ".join(policy), [tuple(policy.values())])
    cursor.execute(
        "UPDATE arrears_policy SET accepted_by = 'se', accepted_at = now(), reason = 'rehearsal' WHERE version = %s",
        [POLICY.version],
    )
    return days, written


def next_ids(cursor: "psycopg.Cursor[Any]", table: str, count: int) -> list[int]:
    """`count` new ids of a table, from its own sequence."""
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count], binary=True
    )
    return [row[0] for row in cursor]


@contextmanager
def _timed(seeded: Seeded, step: str) -> Iterator[None]:
    """Count the time to the commit as well: there the money's triggers do their work."""
    started = time.perf_counter()
    yield
    seeded.seconds[step] = seeded.seconds.get(step, 0.0) + time.perf_counter() - started


def _network(cursor: "psycopg.Cursor[Any]", circle: Circle, seeded: Seeded) -> None:
    def put(table: str, columns: str, rows: Rows) -> None:
        seeded.rows[table] = copy_rows(cursor, table, columns, rows)

    everyone = circle.connections
    put("offices_office", "id kind name name_hi parent_id", circle.offices)
    put("network_feeder", "id name substation subdivision setting", circle.feeders)
    put("network_transformer", "id code feeder_id kva latitude longitude", circle.transformers)
    put(
        "network_connection",
        "id transformer_id centre category phase sanctioned_load_w connected_on latitude longitude",
        (each[:9] for each in everyone),
    )
    put(
        "consumers_consumer",
        "id name name_hi phone language",
        ((each.number, each.name, each.name_hi, each.phone, "hi") for each in everyone),
    )
    put(
        "meters_meter",
        "serial make phase connection installed_on",
        (
            (
                account.connection.meter,
                account.connection.make,
                account.connection.phase,
                account.connection.number,
                account.registers[0][0],
            )
            for account in circle.accounts
        ),
    )
    put("supply_fence", "connection generation desired", ((each.number, 1, "on") for each in everyone))


def _registers(cursor: "psycopg.Cursor[Any]", accounts: Sequence[Account], seeded: Seeded) -> None:
    seeded.rows["billing_register"] = copy_rows(
        cursor,
        "billing_register",
        "connection read_on meter wh vah digits source",
        (
            (
                account.connection.number, day, account.connection.meter, wh, account.connection.vah(wh), _DIGITS,
                "rehearsal",
            )
            for account in accounts
            for day, wh in account.registers
        ),
    )  # fmt: skip


def _pay(connection: "psycopg.Connection[Any]", payments: Sequence[Payment], seeded: Seeded) -> None:
    """Book payments of the past, oldest dues first, as credits without a bill."""
    with connection.transaction(), connection.cursor() as cursor:
        acts = next_ids(cursor, "ledger_transaction", len(payments))
        paid = [f"{payment.at:%Y-%m-%d %H:%M:%S}+00" for payment in payments]
        copy_rows(
            cursor,
            "ledger_transaction",
            "id kind reference posted_at business_at",
            (
                (act, "payment", payment.reference, at, at)
                for act, payment, at in zip(acts, payments, paid, strict=True)
            ),
        )
        copy_rows(
            cursor,
            "ledger_posting",
            "transaction account connection bill paise",
            (
                line
                for act, payment in zip(acts, payments, strict=True)
                for line in (
                    (act, "cash", None, None, payment.paise),
                    (act, "receivable", payment.connection, None, -payment.paise),
                )
            ),
        )
        written = copy_rows(
            cursor,
            "payments_payment",
            "idempotency_key receipt body_sha256 connection paise channel acknowledged_at business_at",
            (
                (each.reference, each.reference, _request_sha256(each), each.connection, each.paise, _CHANNEL, at, at)
                for each, at in zip(payments, paid, strict=True)
            ),
        )
    seeded.rows["payments_payment"] = seeded.rows.get("payments_payment", 0) + written


def _notices(cursor: "psycopg.Cursor[Any]", accounts: Sequence[Account], seeded: Seeded) -> None:
    def put(table: str, columns: str, rows: Rows) -> None:
        seeded.rows[table] = seeded.rows.get(table, 0) + copy_rows(cursor, table, columns, rows)

    notices = [account.notice for account in accounts if account.notice is not None]
    disputed = [bill for account in accounts for bill in account.bills if bill.disputed]
    numbers = [number for each in notices for number in each.bills] + [bill.number for bill in disputed]
    cursor.execute("SELECT number, id FROM billing_bill WHERE number = ANY(%s)", [numbers])
    id_of_bill = dict(cursor.fetchall())
    notice_ids = next_ids(cursor, "notices_writtennotice", len(notices))
    put(
        "notices_writtennotice",
        "id connection paise issued_on sha256",
        (
            (notice_id, each.connection, each.paise, each.issued_on, each.sha256)
            for notice_id, each in zip(notice_ids, notices, strict=True)
        ),
    )
    put(
        "notices_noticedbill",
        "notice bill",
        (
            (notice_id, id_of_bill[number])
            for notice_id, each in zip(notice_ids, notices, strict=True)
            for number in each.bills
        ),
    )
    _chain(cursor, list(zip(notice_ids, notices, strict=True)), accounts, id_of_bill, put)
    put("arrears_hold", "connection kind evidence owner placed_at",
        (account.hold for account in accounts if account.hold is not None))  # fmt: skip
    put(
        "arrears_dispute",
        "connection bill reason raised_by raised_at",
        (
            (bill.connection, id_of_bill[bill.number], "meter runs fast", "consumer", f"{bill.due_on} 06:00:00+00")
            for bill in disputed
        ),
    )


def _chain(
    cursor: "psycopg.Cursor[Any]",
    notices: Sequence[tuple[int, Notice]],
    accounts: Sequence[Account],
    id_of_bill: Mapping[str, int],
    put: Callable[[str, str, Rows], None],
) -> None:
    """The steps of the notices: each asked for when it was issued, and arrived by post where it was served."""
    attempts = next_ids(cursor, "notices_message", len(notices))
    wording = notice_wording()
    bills = {bill.number: bill for account in accounts for bill in account.bills}
    issued = {
        attempt: datetime.combine(each.issued_on, hour(6), UTC)
        for attempt, (_, each) in zip(attempts, notices, strict=True)
    }
    put(
        "notices_message",
        "id connection kind channel phone template text notice business_on queued_at tries delivery language made_from"
        " made_version next_channel",
        (
            (attempt, each.connection, "statutory", "letter", "", "",
             notice_text([bills[number] for number in each.bills], each.issued_on), notice_id, each.issued_on,
             issued[attempt], 0, "sent" if each.served_on is None else "delivered", "hi", wording.id, wording.version,
             "hand")
            for attempt, (notice_id, each) in zip(attempts, notices, strict=True)
        ),
    )  # fmt: skip
    evidence = [
        json.dumps({"bills": [id_of_bill[number] for number in each.bills], "paise": each.paise, "sha256": each.sha256})
        for _, each in notices
    ]
    now = datetime.now(UTC)
    first = min(issued.values(), default=now)
    cursor.execute(
        "SELECT notices_asked(%s::bigint[], %s, %s::text[], 'ee', %s, %s)",
        [attempts, POLICY.version, evidence, now, first],
    )
    served = [
        (attempt, "delivered", f"RL{attempt}", None, json.dumps({"service": _SERVICE}), now,
         datetime.combine(each.served_on, hour(6, 30), UTC))
        for attempt, (_, each) in zip(attempts, notices, strict=True)
        if each.served_on is not None
    ]  # fmt: skip
    if served:
        cursor.execute(
            "SELECT notices_heard(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],"
            " %s::timestamptz[], 'ee', %s, %s)",
            [*([*column] for column in zip(*served, strict=True)), now, first],
        )


def _officers(cursor: "psycopg.Cursor[Any]", staff: Iterable[tuple[Officer, str]], seeded: Seeded) -> None:
    seeded.rows["staff_officer"] = copy_rows(
        cursor,
        "staff_officer",
        "login name name_hi role office password totp_secret public_key",
        (
            (o.login, o.name, o.name_hi, o.role, o.office, password, o.totp_secret, o.public_key)
            for o, password in staff
        ),
    )


def _text(value: object) -> str:
    """A value as COPY's text format has it."""
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPED)
    if value is None:
        return "\\N"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def _request_sha256(payment: Payment) -> str:
    """The hash that a request for this payment would have had."""
    body = json.dumps({"channel": _CHANNEL, "consumer": payment.connection, "paise": payment.paise}, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _chunks(items: Iterable[Each], size: int) -> Iterator[list[Each]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk

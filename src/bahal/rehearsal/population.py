"""A large population for measurements: millions of postings and thousands who may be cut, made inside the database.

Nothing is switched off: every transaction balances at its commit and every posting joins its own, as in the product.
The people have no names of their own and the history is even: each connection was billed and paid every month. The
months of a whole range of connections are one act of money each, as a billing run or a bank's collection file is; what
the candidates still owe is posted bill by bill.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from bahal.rehearsal import almanac
from bahal.rehearsal.layout import CONNECTIONS_PER_FEEDER, circle_offices
from bahal.rehearsal.seeding import SEEDED_TABLES, CircleThere, copy_rows, write_calendar

FIRST_CONNECTION = 2_300_000_001
FIRST_SERIAL = 10_000_001
_CONNECTIONS_PER_TRANSFORMER = 14
_CONNECTIONS_A_COMMIT = 4_000
_UNPAID_MONTHS = 2

_NETWORK = """
INSERT INTO network_feeder (id, name, substation, subdivision)
SELECT f, 'feeder ' || f, 'substation ' || f, %(subdivisions)s[1 + f %% %(subdivision_count)s]
FROM generate_series(1, %(feeders)s) f;

INSERT INTO network_transformer (id, code, feeder_id, kva, latitude, longitude)
SELECT t, 'TR-' || t, 1 + (t - 1) %% %(feeders)s, 63, 22.1, 82.1 FROM generate_series(1, %(transformers)s) t;
"""

_PEOPLE = """
WITH them AS MATERIALIZED (SELECT n, %(first)s + n AS number FROM generate_series(%(low)s, %(high)s - 1) n),
connections AS (
    INSERT INTO network_connection (id, transformer_id, centre, category, phase, sanctioned_load_w, connected_on,
                                    latitude, longitude)
    SELECT number, 1 + n / %(per_transformer)s,
           %(centres)s[1 + (n / %(per_transformer)s) %% %(centre_count)s], 'LV-1', 1, 1000, '2015-01-01', 22.1, 82.1
    FROM them
), consumers AS (
    INSERT INTO consumers_consumer (id, name, name_hi, phone, language)
    SELECT number, 'Consumer ' || n, 'उपभोक्ता ' || n, (5550000001 + n)::text, 'hi' FROM them
)
INSERT INTO supply_fence (connection, generation, desired) SELECT number, 1, 'on' FROM them
"""

_METERS = """
INSERT INTO meters_meter (serial, make, phase, connection, installed_on)
SELECT 'CG' || %(serial)s + n, %(make)s, 1, %(first)s + n, '2025-01-01' FROM generate_series(%(low)s, %(high)s - 1) n
"""

# `month` 0 is the newest; bills are issued on the 5th of the month after and are due on the 20th.
_HISTORY = """
WITH months AS MATERIALIZED (
    SELECT m, (%(newest)s::date - make_interval(months => m))::date AS month,
           (%(newest)s::date - make_interval(months => m - 1) + interval '4 days')::date AS issued
    FROM generate_series(%(unpaid)s, %(unpaid)s + %(months)s - 1) m
), made AS (
    INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated, disputed,
                              supplementary)
    SELECT %(first)s + n, to_char(month, 'YYYYMM') || '-' || %(first)s + n, month, issued, issued + 15, 90000,
           100 * (300 + (n * 7 + m * 13) %% 600), false, false, false
    FROM months, generate_series(%(low)s, %(high)s - 1) n
    RETURNING id, connection, month, paise
), acts AS (
    INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
    SELECT kind, 'run-' || month || '-' || %(low)s, issued + days, issued + days
    FROM months, (VALUES ('bill', 0), ('payment', 12)) AS k (kind, days)
    RETURNING id, kind, reference
)
INSERT INTO ledger_posting (transaction, account, connection, bill, paise)
SELECT a.id, 'receivable', b.connection, CASE a.kind WHEN 'bill' THEN b.id END,
       CASE a.kind WHEN 'bill' THEN b.paise ELSE -b.paise END
FROM made b JOIN acts a ON a.reference = 'run-' || b.month || '-' || %(low)s
UNION ALL
SELECT a.id, CASE a.kind WHEN 'bill' THEN 'revenue' ELSE 'cash' END, NULL, NULL,
       sum(CASE a.kind WHEN 'bill' THEN -b.paise ELSE b.paise END)
FROM made b JOIN acts a ON a.reference = 'run-' || b.month || '-' || %(low)s
GROUP BY a.id, a.kind
"""

_CANDIDATES = """
WITH them AS MATERIALIZED (
    SELECT n, %(first)s + n AS number FROM generate_series(%(low)s::bigint, %(high)s - 1) n
    WHERE (n + 1) * %(candidates)s / %(connections)s > n * %(candidates)s / %(connections)s
), made AS (
    INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated, disputed,
                              supplementary)
    SELECT number, to_char(month, 'YYYYMM') || '-' || number, month, issued, issued + 15, 500000,
           100 * (2600 + (n * 31 + m * 7) %% 4000), false, false, false
    FROM them, (
        SELECT m, (%(newest)s::date - make_interval(months => m))::date AS month,
               (%(newest)s::date - make_interval(months => m - 1) + interval '4 days')::date AS issued
        FROM generate_series(0, %(unpaid)s - 1) m
    ) AS months
    RETURNING id, connection, number, issued_on, paise
), acts AS (
    INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
    SELECT 'bill', number, issued_on, issued_on FROM made RETURNING id, reference
), postings AS (
    INSERT INTO ledger_posting (transaction, account, connection, bill, paise)
    SELECT a.id, side.account, CASE side.account WHEN 'receivable' THEN b.connection END,
           CASE side.account WHEN 'receivable' THEN b.id END, side.sign * b.paise
    FROM made b JOIN acts a ON a.reference = b.number,
         (VALUES ('receivable', 1), ('revenue', -1)) AS side (account, sign)
), notices AS (
    INSERT INTO notices_writtennotice (connection, paise, issued_on, sha256)
    SELECT connection, sum(paise), max(issued_on) + 17,
           encode(sha256(convert_to(string_agg(number, ',' ORDER BY number), 'UTF8')), 'hex')
    FROM made GROUP BY connection RETURNING id, connection, issued_on
), named AS (
    INSERT INTO notices_noticedbill (notice, bill) SELECT s.id, b.id FROM made b JOIN notices s USING (connection)
), attempts AS (
    SELECT connection, 'statutory' AS machine, id AS notice, issued_on AS day, issued_on + 3 AS arrived,
           'letter' AS channel, nextval('notices_message_id_seq') AS attempt
    FROM notices
    UNION ALL
    SELECT number, 'reminder', NULL, day, day, 'sms', nextval('notices_message_id_seq')
    FROM them, unnest(%(reminder_days)s::date[]) AS day
)
INSERT INTO notices_message (id, connection, kind, channel, phone, template, text, business_on, queued_at, tries,
                             sent_at, receipt, delivery, delivered_at, notice)
SELECT attempt, connection, machine, channel, '', machine, '', day, day, 1, day, 'population-' || attempt, 'delivered',
       arrived, notice
FROM attempts
"""

# The chains of these people's notices, as the owner may write them: appended, each batch would leave an act of audit
# that nobody seals here. They are there to be judged, not to be verified, so their hashes are left out.
_STEPS = """
INSERT INTO notices_step (batch, connection, machine, position, attempt, event, notice, day, channel, template,
                          template_version, text, provider, at, business_at, effective_on, previous, hash)
SELECT 0, m.connection, m.kind, row_number() OVER (PARTITION BY m.connection, m.kind ORDER BY m.business_on, e.nth),
       m.id, e.event, m.notice, m.business_on, m.channel, m.template, 1, '', m.receipt, m.sent_at, m.sent_at,
       CASE e.event WHEN 'delivered' THEN m.delivered_at::date END, '', ''
FROM notices_message m, (VALUES (1, 'asked'), (2, 'delivered')) AS e (nth, event)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What was made, and the seconds it took until the last commit, and until the tables were vacuumed."""

    connections: int
    candidates: int
    postings: int
    bills: int
    made_s: float
    vacuumed_s: float


def populate(
    *,
    app_dsn: str,
    owner_dsn: str,
    connections: int,
    candidates: int,
    postings: int,
    monday: date,
    meters: Sequence[Mapping[str, str]] = (),
    workers: int = 2,
) -> Population:
    """Make `connections` with about `postings` ledger lines, `candidates` of whom may be cut on `monday` at ten.

    Each candidate owes two bills, together more than the minimum, under a served notice, with three delivered
    reminders; the candidates are spread evenly, `candidate_numbers` names them. `meters` are rows of a roster (`meter`,
    `make`); without them serials are as the fleet invents them. Rows are written as the role `app`; `owner_dsn` is for
    the chains of notices and for VACUUM.

    :raises ValueError: fewer connections than candidates, or fewer meters than connections.
    :raises CircleThere: the database is not empty.
    :raises psycopg.Error: the database refused.
    """
    if candidates > connections or (meters and len(meters) < connections):
        raise ValueError(f"{connections} connections, {candidates} candidates, {len(meters)} meters do not go together")
    started = time.perf_counter()
    months = max(0, round((postings - 2 * _UNPAID_MONTHS * candidates) / (2 * connections)))
    values = _values(connections, candidates, months, monday)
    with psycopg.connect(app_dsn) as app:
        (there,) = app.execute("SELECT count(*) FROM network_connection").fetchone() or (0,)
        if there:
            raise CircleThere(connections=there)
        with app.cursor() as cursor:
            offices, _, _ = circle_offices()
            copy_rows(cursor, "offices_office", "id kind name name_hi parent_id", offices)
            write_calendar(cursor, monday)
            for statement in _NETWORK.split(";\n")[:-1]:
                cursor.execute(statement, values)
            if meters:
                copy_rows(
                    cursor,
                    "meters_meter",
                    "serial make phase connection installed_on",
                    ((row["meter"], row["make"], 1, FIRST_CONNECTION + n, monday - timedelta(days=300))
                     for n, row in enumerate(meters[:connections])),
                )  # fmt: skip
    statements = [_PEOPLE, *([] if meters else [_METERS]), *([_HISTORY] if months else []), _CANDIDATES]
    starts = list(range(0, connections, _CONNECTIONS_A_COMMIT))

    def work(mine: Sequence[int]) -> None:
        with psycopg.connect(app_dsn) as app:
            for low in mine:
                high = min(connections, low + _CONNECTIONS_A_COMMIT)
                with app.transaction():
                    for statement in statements:
                        app.execute(statement, values | {"low": low, "high": high})

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, [starts[n::workers] for n in range(workers)]))
    with psycopg.connect(owner_dsn) as owner:
        owner.execute(_STEPS)
    made = time.perf_counter()
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.SQL(", ").join(map(sql.Identifier, SEEDED_TABLES))))
        counted = owner.execute("SELECT (SELECT count(*) FROM ledger_posting), (SELECT count(*) FROM billing_bill)")
        lines, bills = counted.fetchone() or (0, 0)
    return Population(
        connections=connections,
        candidates=candidates,
        postings=lines,
        bills=bills,
        made_s=made - started,
        vacuumed_s=time.perf_counter() - made,
    )


def candidate_numbers(*, connections: int, candidates: int) -> list[int]:
    """The connection numbers of those who may be cut, rising."""
    return [
        FIRST_CONNECTION + n
        for n in range(connections)
        if (n + 1) * candidates // connections > n * candidates // connections
    ]


def _values(connections: int, candidates: int, months: int, monday: date) -> dict[str, Any]:
    offices, _, _ = circle_offices()
    centres = [office.id for office in offices if office.kind == "centre"]
    subdivisions = [office.id for office in offices if office.kind == "subdivision"]
    return {
        "connections": connections,
        "candidates": candidates,
        "months": months,
        "unpaid": _UNPAID_MONTHS,
        "newest": almanac.billing_months(monday, 1)[0],
        "first": FIRST_CONNECTION,
        "serial": FIRST_SERIAL,
        "make": "simulated",
        "centres": centres,
        "centre_count": len(centres),
        "subdivisions": subdivisions,
        "subdivision_count": len(subdivisions),
        "feeders": max(1, connections // CONNECTIONS_PER_FEEDER),
        "transformers": (connections - 1) // _CONNECTIONS_PER_TRANSFORMER + 1,
        "per_transformer": _CONNECTIONS_PER_TRANSFORMER,
        "reminder_days": list(almanac.reminder_days(monday)),
    }

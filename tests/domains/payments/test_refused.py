"""What is written about money stays: no role of the product changes, deletes or empties it, and none invents it."""

import psycopg
import pytest
from psycopg import sql

from bahal.shared.database import ROLES, Role
from tests.journeys import town
from tests.journeys.test_take_payment import pay
from tests.plugin.databases import Database

KEPT = (
    "payments_payment", "ledger_transaction", "ledger_posting", "payments_policy", "payments_counter",
    "payments_suspense", "payments_attempt", "payments_bbpsfetch", "payments_settlement", "payments_settlementline",
    "audit_entry",
)  # fmt: skip
"""Tables of which no row ever changes."""

NEVER_EMPTIED = ("payments_cheque", "payments_proposal")
"""Tables whose rows take a step of their life, once, and are never taken away."""


def refused(connection: "psycopg.Connection[tuple[object, ...]]", statement: sql.Composable) -> str:
    with pytest.raises(psycopg.Error) as failure:
        connection.execute(statement)
    return str(failure.value.sqlstate)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_no_role_of_the_product_touches_what_is_written(database: Database, role: Role) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    pay(first, 100)
    with database.connect("owner") as owner:
        columns = dict(
            owner.execute(
                "SELECT relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
                " WHERE relname = ANY(%s) AND attnum = 1",
                [[*KEPT, *NEVER_EMPTIED]],
            ).fetchall()
        )
    with database.connect(role) as connection:
        for table in (*KEPT, *NEVER_EMPTIED):
            name, column = sql.Identifier(table), sql.Identifier(str(columns[table]))
            for statement in (
                sql.SQL("UPDATE {} SET {} = {}").format(name, column, column),
                sql.SQL("DELETE FROM {}").format(name),
                sql.SQL("TRUNCATE {} CASCADE").format(name),
            ):
                assert refused(connection, statement) == "42501", statement  # no right to it at all


@pytest.mark.parametrize("table", [*KEPT, *NEVER_EMPTIED])
def test_the_owner_himself_is_stopped_by_the_tables_own_rule(database: Database, table: str) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    pay(first, 100)
    with database.connect("owner") as owner:
        triggers = owner.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table]
        ).fetchall()
        assert ("keep_rows",) in triggers
        (rows,) = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() or (0,)
        if rows:
            assert refused(owner, sql.SQL("DELETE FROM {}").format(sql.Identifier(table))) == "BH001"


@pytest.mark.parametrize("paise", [0, -1, -(2**63)])
def test_a_payment_of_nothing_or_less_is_refused_by_the_table_too(database: Database, paise: int) -> None:
    with database.connect("app") as app, pytest.raises(psycopg.errors.CheckViolation):
        app.execute(
            "INSERT INTO payments_payment (idempotency_key, body_sha256, connection, paise, channel, receipt,"
            " acknowledged_at, business_at) VALUES ('k', 's', 1, %s, 'upi', 'r', now(), now())",
            [paise],
        )


def test_the_receipts_series_neither_jumps_nor_goes_back(database: Database) -> None:
    with database.connect("app") as app:
        app.execute("INSERT INTO payments_series (counter, year, latest) VALUES (1, 2025, 7)")
        for latest in (6, 7, 9):
            with pytest.raises(psycopg.DatabaseError) as failure:
                app.execute("UPDATE payments_series SET latest = %s", [latest])
            assert failure.value.sqlstate == "BH020"
        app.execute("UPDATE payments_series SET latest = 8")


def test_a_decision_is_made_once(database: Database) -> None:
    with database.connect("app") as app:
        app.execute(
            "INSERT INTO payments_proposal (kind, connection, paise, reason, proposed_by, proposed_at)"
            " VALUES ('refund', 1, 5, 'x', 'cashier', now())"
        )
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute("UPDATE payments_proposal SET decided_by = 'cashier', decided_at = now(), accepted = true")
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute("UPDATE payments_proposal SET decided_by = 'ee'")
        app.execute("UPDATE payments_proposal SET decided_by = 'ee', decided_at = now(), accepted = false")
        with pytest.raises(psycopg.DatabaseError) as failure:
            app.execute("UPDATE payments_proposal SET accepted = true")
        assert failure.value.sqlstate == "BH021"

"""What stands in the books stays: no role of the application edits, deletes or empties it; nor may the owner."""

import psycopg
import pytest
from psycopg import sql

from bahal.foundation.rows import many
from bahal.shared.database import ROLES, Role
from tests.journeys import town
from tests.journeys.test_pay_counter import open_counter, take
from tests.plugin.databases import Database

APPLICATION: tuple[Role, ...] = tuple(role for role in ROLES if role != "owner")

FORGOTTEN = {
    "payments_difference", "payments_gatewayevent", "payments_gatewaypayment", "payments_poll", "payments_series",
}  # fmt: skip
"""What the outside told, queues and counters: no money. Their rows may be tidied up by the owner."""

ENDS = {
    "payments_cheque": {"cleared_at", "bounced_at", "decided_by", "reason"},
    "payments_day": {"closed_at", "expected_paise", "counted_paise", "denominations", "reason"},
    "payments_difference": {"closed_at", "closed_by", "how"},
    "payments_gatewayevent": {"handled_at", "outcome", "tries", "not_before"},
    "payments_gatewaypayment": {"status", "paise", "asked_at"},
    "payments_poll": {"asked_until"},
    "payments_proposal": {"decided_by", "decided_at", "accepted"},
    "payments_series": {"latest"},
}
"""What `app` may change at all: how something that is open ends. No amount of the ledger or of a payment is here."""

MONEY = ("ledger_transaction", "ledger_posting", "payments_payment")


def books() -> list[str]:
    rows = many(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND (relname LIKE 'ledger\\_%%' OR relname LIKE 'payments\\_%%') ORDER BY 1"
    )
    return [row[0] for row in rows]


def refused(connection: "psycopg.Connection[tuple[object, ...]]", statement: str, *names: str) -> str:
    """The SQLSTATE with which it is refused; nothing if it is not."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]
    except psycopg.DatabaseError as refusal:
        return refusal.sqlstate or "?"
    return ""


def one_payment() -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    take(first, 100_00)


@pytest.mark.parametrize("role", APPLICATION)
def test_no_role_of_the_application_changes_the_books(database: Database, role: Role) -> None:
    one_payment()
    tables = books()
    assert {*MONEY, "payments_settlementline"} <= set(tables)
    columns: dict[str, set[str]] = {}
    with database.connect(role) as entered:
        for table in tables:
            assert refused(entered, "DELETE FROM {}", table) == "42501", table
            assert refused(entered, "TRUNCATE {} CASCADE", table) == "42501", table
        for table, column in many(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name = ANY(%s::text[])",
            tables,
        ):
            if refused(entered, "UPDATE {} SET {} = {} WHERE false", table, column, column) != "42501":
                columns.setdefault(table, set()).add(column)
        for table in MONEY:
            assert refused(entered, "UPDATE {} SET id = id", table) == "42501"
    assert columns == (ENDS if role == "app" else {})


def test_the_owner_is_stopped_by_a_trigger(database: Database) -> None:
    one_payment()
    with database.connect("owner") as owner:
        for table in (*MONEY, "payments_counter", "payments_policy"):
            key = "version" if table == "payments_policy" else "id"
            assert refused(owner, "UPDATE {} SET {} = {}", table, key, key) == "BH001", table
            assert refused(owner, "DELETE FROM {}", table) == "BH001", table
        for table in set(books()) - {"payments_poll"}:
            assert refused(owner, "TRUNCATE {} CASCADE", table) == "BH001", table


def test_what_may_be_forgotten_is_no_money(database: Database) -> None:
    guarded = {
        row[0]
        for row in many(
            "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgname = 'keep_rows' AND (c.relname LIKE 'ledger\\_%%' OR c.relname LIKE 'payments\\_%%')"
        )
    }
    assert set(books()) - guarded == FORGOTTEN | {"payments_day"}

"""The database keeps bills whoever writes: none without its lines, none changed, whatever the role."""

import psycopg
import pytest

from bahal.shared.database import ROLES
from tests.plugin.databases import Database

KEPT = (
    "billing_bill", "billing_explanation", "billing_creditnote", "billing_fragment", "billing_register",
    "billing_terms", "billing_draft", "billing_doubt",
)  # fmt: skip
BILL = (
    "INSERT INTO billing_bill (id, connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,"
    " disputed, supplementary, kind, period_from, period_to) VALUES (%s, %s, %s, '2025-09-01', '2025-10-06',"
    " '2025-10-21', 1, %s, false, false, false, 'regular', '2025-09-01', '2025-10-01')"
)
LINES = "INSERT INTO billing_explanation (bill, amounts, body) VALUES (%s, %s, '{}')"


def test_a_bill_is_what_its_lines_sum_to_or_is_not_written(database: Database) -> None:
    with database.connect("app") as app:
        app.execute(LINES, [1, [100, -1]])
        app.execute(BILL, [1, 1, "A", 99])
        app.execute(LINES, [2, [100]])
        for number, paise in ((2, 99), (3, 5)):  # another sum; no lines at all
            with pytest.raises(psycopg.Error) as refused:
                app.execute(BILL, [number, number, f"B{number}", paise])
            assert refused.value.sqlstate == "BH020"
        with pytest.raises(psycopg.errors.UniqueViolation):
            app.execute(LINES, [1, [99]])
        app.execute(LINES, [4, [7]])
        with pytest.raises(psycopg.errors.UniqueViolation):  # the period was billed
            app.execute(BILL, [4, 1, "C", 7])


def test_a_credit_note_or_a_draft_with_other_lines_is_not_written(database: Database) -> None:
    with database.connect("app") as app:
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute(
                "INSERT INTO billing_creditnote (number, connection, bill, period_from, sequence, issued_on, paise,"
                " reason, consumption_wh, amounts, body)"
                " VALUES ('N', 1, 1, '2025-09-01', 1, '2025-10-01', 5, 'x', 1, '{5}', '{}')"
            )
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute(
                "INSERT INTO billing_draft (connection, month, period_from, period_to, kind, consumption_wh, paise,"
                " estimated, reasons, basis, amounts, body, made_at)"
                " VALUES (1, '2025-09-01', '2025-09-01', '2025-10-01', 'regular', 1, 5, false, '{}', '{}', '{4}', '{}',"
                " now())"
            )


def test_no_role_changes_what_was_billed_or_what_it_rests_on(database: Database) -> None:
    for role in ROLES:
        with database.connect(role) as connection:
            for table in KEPT:
                for form in ("TRUNCATE {} CASCADE", "UPDATE {} SET connection = 0", "DELETE FROM {}"):
                    if table in ("billing_explanation", "billing_fragment"):
                        form = form.replace("connection = 0", "body = ''")
                    if role == "owner" and not form.startswith("TRUNCATE"):
                        continue  # a row trigger needs a row, and the owner's right is shown by the others
                    with pytest.raises(psycopg.Error) as refused:
                        connection.execute(form.format(table))
                    assert refused.value.sqlstate in ("42501", "BH001"), (role, form, table)

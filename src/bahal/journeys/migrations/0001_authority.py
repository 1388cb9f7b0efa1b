"""Triggers, views, the machine rooms' tables and functions, and what each database role may do."""

from pathlib import Path

from django.db import migrations

from bahal.domains.notices.wordings import shipped_wordings
from bahal.domains.supply.life import TRANSITIONS
from bahal.domains.supply.restoring import read_restoring, shipped_restoring

SQL = Path(__file__).parent.parent / "sql"


def lay(apps, schema_editor):
    """Runs the SQL files by their numbers, and loads the order's life, the rules of restoring and the texts of notices."""
    for path in sorted(SQL.glob("*.sql")):
        schema_editor.execute(path.read_text(encoding="utf-8"), params=None)
        if path.name.startswith("15_"):
            with schema_editor.connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO notices_template (id, version, kind, channel, language, registered_as, text, verified,"
                    " effective_from, proposed_by, accepted_by, proposed_at, accepted_at, reason)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now(), 'shipped')",
                    shipped_wordings(),
                )
        if path.name.startswith("20_"):
            with schema_editor.connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO supply_transition (source, target, role) VALUES (%s, %s, %s)", TRANSITIONS
                )
        if path.name.startswith("45_"):
            shipped = read_restoring(shipped_restoring(), file="shipped")
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO supply_restoring (version, effective_from, document, rules, shipped, proposed_by)"
                    " VALUES (%s, %s, %s, %s::jsonb, true, 'product')",
                    [shipped.version, shipped.effective_from, shipped.text, shipped.as_json()],
                )


class Migration(migrations.Migration):
    dependencies = [
        (label, "0001_initial")
        for label in (
            "offices", "network", "consumers", "meters", "billing", "ledger", "payments", "arrears", "notices",
            "supply", "protection", "readings", "fieldwork", "staff", "audit", "tariffs", "incidents", "complaints",
        )
    ] + [
        ("meters", "0003_truths"), ("network", "0002_inputs"), ("staff", "0002_sign_in"), ("sessions", "0001_initial"),
    ]  # fmt: skip

    operations = [migrations.RunPython(lay, migrations.RunPython.noop)]

"""Statements that no application may run: each is tried, and each that goes through is named."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from bahal.rehearsal.hostile.material import Material

STATEMENTS: Final = (
    # The interlock's own door.
    "SELECT * FROM interlock_claim('drill', 'cut', 1000, 60, 32, now())",
    "SELECT * FROM interlock_send_cuts('drill', ARRAY(SELECT id FROM supply_order LIMIT 5), now(), '{}'::jsonb)",
    "SELECT interlock_pass_canary(id) FROM supply_drive",
    "SELECT interlock_register(1, gen_random_uuid(), '', '', '', '', '', '{}', now(), now(), now(), '{}', '{}', '{}',"
    " '{}', '{}', '{}')",
    "SELECT interlock_results('drill', now(), '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    # Its tables and the meters' keys.
    "SELECT sealed FROM interlock_meter LIMIT 1",
    "SELECT host FROM interlock_meter LIMIT 1",
    "UPDATE interlock_meter SET next_counter = 1",
    "INSERT INTO interlock_warrant SELECT * FROM interlock_warrant",
    "UPDATE interlock_warrant SET expires_at = 'infinity'",
    "INSERT INTO interlock_line SELECT * FROM interlock_line",
    "UPDATE interlock_line SET connection = connection + 1",
    "UPDATE interlock_cap SET counted = 0",
    "DELETE FROM interlock_cap",
    "TRUNCATE interlock_cap",
    "UPDATE interlock_switch SET stopped_at = NULL",
    "DELETE FROM interlock_sending",
    # The life of an order and the authority of a drive.
    "UPDATE supply_order SET state = 'claimed' WHERE state = 'authorised'",
    "UPDATE supply_order SET state = 'sent', sent_at = now()",
    "UPDATE supply_order SET meter = 'X'",
    "UPDATE supply_order SET sends = 0",
    "UPDATE supply_drive SET document = 'x'",
    "UPDATE supply_drive SET expires_at = 'infinity'",
    "INSERT INTO supply_transition VALUES ('new', 'sent', 'app')",
    "DELETE FROM supply_order",
    "UPDATE supply_fence SET generation = 0",
    # What a right to cut rests on, rewritten.
    "UPDATE ledger_posting SET paise = 100000000",
    "DELETE FROM payments_payment",
    "UPDATE billing_bill SET paise = 100000000",
    "UPDATE arrears_policy SET minimum_paise = 0",
    "DELETE FROM arrears_nocutday",
    "UPDATE notices_writtennotice SET issued_on = '2020-01-01'",
    "UPDATE notices_step SET effective_on = '2020-01-01'",
    "DELETE FROM notices_step",
    "INSERT INTO notices_step (batch, connection, machine, position, attempt, event, day, channel, at, business_at,"
    " effective_on, previous, hash)"
    " SELECT 1, id, 'reminder', 1, 1, 'delivered', now(), 'sms', now(), now(), now(), '', '' FROM network_connection",
    "DELETE FROM audit_entry",
    # The database itself.
    "ALTER TABLE supply_order DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "SET ROLE interlock",
    "SET ROLE owner",
    "SET SESSION AUTHORIZATION interlock",
    "GRANT interlock TO app",
    "ALTER ROLE app SUPERUSER",
    "CREATE FUNCTION public.authority_verdict() RETURNS text LANGUAGE sql AS 'SELECT ''cut'''",
    "CREATE OR REPLACE FUNCTION public.authority_window(timestamptz, arrears_policy) RETURNS boolean LANGUAGE sql"
    " AS 'SELECT true'",
    "CREATE TABLE public.supply_shadow (id bigint)",
    "CREATE TEMPORARY TABLE supply_fence (connection bigint, generation bigint)",
    "COPY supply_order TO PROGRAM 'cat'",
    "SELECT pg_read_file('interlock/profile.json')",
    "ALTER SYSTEM SET fsync = off",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'interlock'",
)


def try_doors(material: Material) -> dict[str, Any]:
    """Run each, undone at once if it goes through; how many were tried, and which opened."""
    opened = []
    with psycopg.connect(material.app_dsn) as app:
        for statement in STATEMENTS:
            try:
                if app.execute(statement).rowcount != 0:  # an UPDATE that finds nothing changes nothing
                    opened.append(statement)
            except psycopg.Error:
                pass
            app.rollback()
    return {"tried": len(STATEMENTS), "opened": opened}

"""Statements straight to libpq: the same values, the same refusals, and a lost server by its name."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection

from bahal.foundation.rows import one, run, value
from bahal.foundation.statements import Statement
from bahal.foundation.transactions import transaction
from tests.plugin.databases import Database

AT = datetime(2025, 11, 24, 4, 30, 0, 123456, tzinfo=UTC)
ECHO = Statement("echo", "SELECT $1::text, $2::bigint, $3::boolean, $4::timestamptz, $5::jsonb ->> 'क', $6::bigint")
GIVEN = ("रसीद 'x' \\ %s", 2**62, False, AT, '{"क": "ख"}', None)


@pytest.mark.parametrize("within", [False, True])
def test_values_go_in_and_come_out_as_they_are(database: Database, within: bool) -> None:
    for _ in range(2):
        if within:
            with transaction():
                told = ECHO.one(*GIVEN)
        else:
            told = ECHO.one(*GIVEN)
        assert told == (*GIVEN[:4], "ख", None)
    assert Statement("none", "SELECT 1 WHERE $1::boolean").one(False) is None


def test_types_of_every_kind_come_out_as_the_driver_reads_them(database: Database) -> None:
    """The common ones are read here, the others by the driver: both must agree with it."""
    common = (
        "SELECT true, false, -5::integer, 7::bigint, ''::text, timestamptz '1999-12-31 23:59:59+05:30', NULL::bigint"
    )
    other = "SELECT ARRAY[1, 2], date '2025-11-24', 1.50::numeric, true"
    for nth, text in enumerate((common, other)):
        told = Statement(f"kinds-{nth}", text).one()
        assert told == one(text)
        assert [type(each) for each in told or ()] == [type(each) for each in one(text) or ()]


def test_a_new_connection_prepares_anew(database: Database) -> None:
    assert ECHO.one(*GIVEN) is not None
    connection.close()
    assert ECHO.one(*GIVEN) is not None


def test_it_is_a_transaction_of_its_own_or_part_of_the_callers(database: Database) -> None:
    add = Statement("add", "INSERT INTO payments_series (counter, year, latest) VALUES ($1, 2025, 1) RETURNING latest")
    assert add.one(1) == (1,)

    def two_at_once() -> None:
        with transaction():
            assert add.one(2) == (1,)
            add.one(1)

    with pytest.raises(IntegrityError):
        two_at_once()
    assert value("SELECT array_agg(counter) FROM payments_series") == [1]


def test_what_the_server_refuses_is_told_as_django_tells_it(database: Database) -> None:
    add = Statement("add", "INSERT INTO payments_series (counter, year, latest) VALUES ($1, 2025, 1) RETURNING latest")
    add.one(1)
    with pytest.raises(IntegrityError) as refused:
        add.one(1)
    assert refused.value.__cause__.diag.constraint_name == "series_once"  # type: ignore[union-attr]
    with pytest.raises(DataError):
        add.one("many")
    with pytest.raises(ValueError, match="NUL"):
        ECHO.one("a\0b", 1, True, AT, "{}", None)
    assert run("UPDATE payments_series SET latest = 2") == 1  # the connection is as good as before


def test_a_server_that_was_lost_is_an_operational_error(database: Database) -> None:
    assert ECHO.one(*GIVEN) is not None
    with database.connect("app") as app:
        app.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    with pytest.raises(OperationalError):
        ECHO.one(*GIVEN)
    connection.close()
    assert ECHO.one(*GIVEN) is not None

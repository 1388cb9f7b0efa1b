"""The databases that tests stand on are the product's: migrated as owner, entered as the five roles."""

import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from bahal.shared.database import ROLES
from tests.plugin.databases import Database


@pytest.mark.django_db
def test_django_works_as_app() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('TimeZone')")
        assert cursor.fetchone() == ("app", "UTC")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_enters(database: Database, role: str) -> None:
    with database.connect(role) as entered:  # type: ignore[arg-type]
        assert entered.execute("SELECT current_user").fetchone() == (role,)


def test_only_owner_makes_tables(database: Database) -> None:
    for role in ROLES[1:]:
        with database.connect(role) as entered, pytest.raises(psycopg.errors.InsufficientPrivilege):
            entered.execute("CREATE TABLE stray ()")
    with database.connect("owner") as entered:
        entered.execute("CREATE TABLE stray ()")


def test_commits_reach_a_process_and_no_other_test(database: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        assert cursor.fetchone() == (database.name, "app")
    ask = "import psycopg, bahal.shared.database as d; print(psycopg.connect(d.dsn_of('reader')).info.dbname)"
    told = subprocess.run(
        [sys.executable, "-c", ask], env=database.environ(), capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == database.name

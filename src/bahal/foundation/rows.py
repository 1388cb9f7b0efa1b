"""Rows in and out of PostgreSQL by SQL, in few round trips: arrays by `unnest`, bulk by COPY.

The business's own tables are written by the statements that the database's rules were written for, not by the ORM:
a batch is one statement, a lock is visible in the text, and what a role may do decides the rest.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from psycopg import Cursor, sql

Row = tuple[Any, ...]


def many(statement: str, *params: Any) -> list[Row]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        rows: list[Row] = cursor.fetchall()
    return rows


def named(statement: str, *params: Any) -> list[dict[str, Any]]:
    """All rows of a statement, each by the names of its columns; jsonb comes as text, as everywhere here."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(statement: str, *params: Any) -> Row | None:
    """The first row of a statement, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        row: Row | None = cursor.fetchone()
    return row


def value(statement: str, *params: Any) -> Any:
    """The first column of the first row of a statement, or None."""
    row = one(statement, *params)
    return None if row is None else row[0]


def prepared_many(statement: str, *params: Any) -> list[Row]:
    """All rows of a statement that is run all day; over many partitions planning it costs more than running it."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement.encode(), params, prepare=True, binary=True)
        rows: list[Row] = cursor.fetchall()
    return rows


def run(statement: str, *params: Any) -> int:
    """Run a statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        return int(cursor.rowcount)


def copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """COPY rows into a table; how many there were. The table's triggers and constraints see each of them."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    written = 0
    with connection.cursor() as cursor, cursor.cursor.copy(statement) as stream:
        for row in rows:
            stream.write_row(row)
            written += 1
    return written


def columns(rows: Sequence[Row]) -> list[list[Any]]:
    """Rows turned into columns, as `unnest` takes them. There must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]


def next_ids(table: str, count: int) -> list[int]:
    """`count` new ids of a table, in rising order: for rows that refer to one another in one batch."""
    return [row[0] for row in many(f"SELECT nextval('{table}_id_seq') FROM generate_series(1, %s)", count)]  # noqa: S608

"""Statements that are run all day, given to libpq without the driver's own machinery between.

The driver's cursor costs a tenth of a millisecond of Python a call, and several times that where sixteen workers on two
cores find their caches cold: more than what it asks the database to do. Whoever pays waits for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import errors, pq
from psycopg.adapt import Transformer

from bahal.foundation.rows import Row

Param = str | int | bool | datetime | None

_ready: "WeakKeyDictionary[psycopg.Connection[Row], set[bytes]]" = WeakKeyDictionary()
"""Which statements each connection has prepared."""


class Statement:
    """One statement under a name of its own; its parameters are `$1`, `$2` and so on, of types that the server infers.

    Outside a transaction it is one of its own, in one round trip.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name.encode()
        self._text = text.encode()

    def one(self, *params: Param) -> Row | None:
        """The first row.

        :raises django.db.DatabaseError: the database refused, or was lost; whether it was done is not known then.
        """
        connection = connections[DEFAULT_DB_ALIAS]  # looked up once: the proxy looks it up at every word
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            driver = connection.connection
            if not driver.autocommit:
                # The driver begins the transaction; it must see the statement.
                with psycopg.RawCursor(driver) as cursor:
                    cursor.execute(self._text, params, prepare=True)
                    row: Row | None = cursor.fetchone()
                return row
            return self._straight(driver, params)

    def _straight(self, driver: "psycopg.Connection[Row]", params: tuple[Param, ...]) -> Row | None:
        server = driver.pgconn
        ready = _ready.setdefault(driver, set())
        if self._name not in ready:
            _checked(server, server.prepare(self._name, self._text))
            ready.add(self._name)
        written = [_written(each) for each in params]
        result = _checked(server, server.exec_prepared(self._name, written))  # type: ignore[arg-type]  # None is NULL
        if not result.ntuples:
            return None
        return _read(driver, result)


def _checked(server: pq.abc.PGconn, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return result
    if server.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError(server.get_error_message())
    raise errors.error_from_result(result)


_READERS: Mapping[int, Callable[[bytes], object]] = {
    16: b"t".__eq__,
    20: int,
    23: int,
    25: bytes.decode,
    1184: lambda given: datetime.fromisoformat(given.decode()),
}
"""bool, bigint, integer, text and timestamptz, as the server writes them (its date style is ISO: the driver's too)."""


def _read(driver: "psycopg.Connection[Row]", result: pq.abc.PGresult) -> Row:
    """The first row. The driver's own machinery is made anew for each result; what is common goes without it."""
    readers = [_READERS.get(result.ftype(place)) for place in range(result.nfields)]
    if None in readers:
        machinery = Transformer(driver)
        machinery.set_pgresult(result)
        row: Row = machinery.load_row(0, tuple)
        return row
    given = [result.get_value(0, place) for place in range(len(readers))]
    return tuple(
        None if value is None else reader(value)  # type: ignore[misc]  # None is not among them
        for reader, value in zip(readers, given, strict=True)
    )


def _written(param: Param) -> bytes | None:
    """A parameter as text, as the server reads it.

    :raises ValueError: a NUL, which would end the text where it stands.
    """
    if param is None:
        return None
    if param is True or param is False:
        return b"t" if param else b"f"
    text = (param.isoformat() if isinstance(param, datetime) else str(param)).encode()
    if b"\0" in text:
        raise ValueError("a NUL in a parameter")
    return text

"""The one lock: in order, in time, and blind to nothing that committed before it was given."""

import threading

import pytest
from django.db import connection

from bahal.foundation.rows import run, value
from bahal.foundation.transactions import transaction
from bahal.shared.locks import ConnectionUnknown, Fence, SupplyBusy, lock_supply
from tests.plugin.databases import Database


def fences(database: Database, *numbers: int) -> None:
    with database.connect("app") as app:
        for each in numbers:
            app.execute("INSERT INTO supply_fence (connection, generation, desired) VALUES (%s, 1, 'on')", [each])


def test_it_locks_each_once_and_returns_them(database: Database) -> None:
    fences(database, 1, 2, 3)
    with transaction(), connection.cursor() as cursor:
        locked = lock_supply(cursor, [3, 1, 3])
        assert locked == {1: Fence(1, 1, "on"), 3: Fence(3, 1, "on")}
        with database.connect("app", autocommit=False) as other:
            free = other.execute("SELECT connection FROM supply_fence FOR UPDATE SKIP LOCKED").fetchall()
    assert free == [(2,)]


def test_it_names_a_connection_that_is_none(database: Database) -> None:
    fences(database, 1)
    with pytest.raises(ConnectionUnknown) as refused, transaction(), connection.cursor() as cursor:
        lock_supply(cursor, [1, 5])
    assert refused.value.data == {"connection": 5}


def test_it_does_not_wait_for_ever_and_says_for_whom(database: Database) -> None:
    fences(database, 1, 2, 3, 4)
    with database.connect("app", autocommit=False) as other:
        other.execute("SELECT FROM supply_fence WHERE connection = 4 FOR UPDATE")
        with pytest.raises(SupplyBusy) as refused, transaction(), connection.cursor() as cursor:
            lock_supply(cursor, [1, 2, 3, 4], timeout_ms=30)
        other.rollback()
    assert refused.value.data == {"connections": "1, 2, 3 …"}
    with transaction(), connection.cursor() as cursor:
        lock_supply(cursor, [4], timeout_ms=30)


def test_the_limit_ends_with_the_transaction(database: Database) -> None:
    fences(database, 1)
    with transaction(), connection.cursor() as cursor:
        lock_supply(cursor, [1], timeout_ms=77)
        assert value("SHOW lock_timeout") == "77ms"
    assert value("SHOW lock_timeout") == "0"


def test_crossing_sets_do_not_deadlock(database: Database) -> None:
    """Whoever asks in whatever order is served in one order: many at once all come through."""
    fences(database, *range(1, 9))
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for nth in range(20):
                wanted = [1 + (seed * 3 + nth * step) % 8 for step in (5, 3, 1)]
                with transaction(), connection.cursor() as cursor:
                    lock_supply(cursor, wanted)
                    run("UPDATE supply_fence SET generation = generation + 1 WHERE connection = ANY(%s)", wanted)
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

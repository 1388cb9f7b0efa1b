"""A journey owns its transaction; an operation demands its caller's; what follows comes after the commit."""

import contextlib
from collections.abc import Collection

import pytest

from bahal.foundation.bell import Listener, ring
from bahal.foundation.rows import columns, copy, many, next_ids, run, value
from bahal.foundation.transactions import run_after_commit, transaction, transaction_required
from tests.plugin.databases import Database


@transaction_required
def operation(value: int) -> int:
    return value + 1


def test_an_operation_needs_a_transaction(database: Database) -> None:
    with pytest.raises(RuntimeError, match="operation needs its caller's transaction"):
        operation(1)
    with transaction():
        assert operation(1) == 2


def test_a_journey_does_not_run_within_a_journey(database: Database) -> None:
    with transaction(), pytest.raises(RuntimeError), transaction():
        pass


def test_what_fails_leaves_nothing_and_tells_nobody(database: Database) -> None:
    told: list[str] = []

    def fail() -> None:
        with transaction():
            copy("supply_fence", ("connection", "generation", "desired"), [(1, 1, "on")])
            run_after_commit(lambda: told.append("undone"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with transaction():
        copy("supply_fence", ("connection", "generation", "desired"), [(2, 1, "on")])
        run_after_commit(lambda: told.append("done"))
        assert told == []
    assert told == ["done"]
    assert many("SELECT connection FROM supply_fence") == [(2,)]


def test_ids_are_drawn_in_order_and_rows_turn_into_columns(database: Database) -> None:
    ids = next_ids("supply_order", 5)
    assert ids == sorted(set(ids))
    assert columns([(1, "a"), (2, "b")]) == [[1, 2], ["a", "b"]]
    assert run("UPDATE supply_fence SET desired = 'on'") == 0
    assert value("SELECT NULL") is None


def test_a_bell_is_heard_when_its_transaction_commits(database: Database) -> None:
    listener = Listener(database.dsn("app"), "bahal_orders", "bahal_results")
    try:
        assert listener.wait(0.01) == set()
        with transaction():
            ring("bahal_orders")
            assert listener.wait(0.05) == set()
        assert listener.wait(5) == {"bahal_orders"}
        with contextlib.suppress(ZeroDivisionError), transaction():
            ring("bahal_results")
            raise ZeroDivisionError
        assert listener.wait(0.05) == set()
    finally:
        listener.close()


def test_a_bell_needs_a_name_and_a_transaction(database: Database) -> None:
    with pytest.raises(RuntimeError):
        ring("bahal_orders")
    with pytest.raises(ValueError, match="dinner"), transaction():
        ring("dinner")  # type: ignore[arg-type]


def test_a_listener_comes_back_after_its_connection_was_lost(database: Database) -> None:
    listener = Listener(database.dsn("app"), "bahal_orders")
    try:
        listener.wait(0.01)
        with database.connect("app") as app:
            app.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'app' AND query LIKE 'LISTEN%' AND datname = current_database()"
            )
        heard: Collection[str] = ()
        for _ in range(50):  # the loss is noticed by a wait, the next one listens anew
            with transaction():
                ring("bahal_orders")
            heard = listener.wait(0.1)
            if heard:
                break
        assert heard == {"bahal_orders"}
    finally:
        listener.close()

"""The interlock as the business sees it: it steps orders in its own role and leaves results."""

from datetime import datetime

from tests.journeys.town import TEN
from tests.plugin.databases import Database


def step(database: Database, *, order: int, states: tuple[str, ...]) -> None:
    """Take an order through states, as the owner's functions do for the interlock."""
    with database.connect("interlock", autocommit=False) as connection:
        for state in states:
            # The trigger judges by session_user, and the interlock may only write through functions: so the owner's
            # right is lent for one statement, as SECURITY DEFINER does.
            connection.execute("SELECT tests_step(%s, %s)", [order, state])


def lend(database: Database) -> None:
    """Give this test database the door that `step` goes through."""
    with database.connect("owner") as owner:
        owner.execute(
            "CREATE FUNCTION tests_step(p_order bigint, p_state text) RETURNS void LANGUAGE sql SECURITY DEFINER"
            " SET search_path = public AS $$ UPDATE supply_order SET state = p_state,"
            " sent_at = CASE WHEN p_state = 'sent' THEN clock_timestamp() ELSE sent_at END,"
            " confirmed_at = CASE WHEN p_state = 'confirmed' THEN clock_timestamp() ELSE confirmed_at END"
            " WHERE id = p_order $$"
        )
        owner.execute("GRANT EXECUTE ON FUNCTION tests_step TO interlock")


def result(database: Database, *, order: int, outcome: str, reason: str = "", business_at: datetime = TEN) -> None:
    """Leave a result for the worker."""
    with database.connect("owner") as owner:
        owner.execute(
            'INSERT INTO supply_result ("order", outcome, reason, at, business_at)'
            " VALUES (%s, %s, %s, clock_timestamp(), %s)",
            [order, outcome, reason, business_at],
        )


def cut(database: Database, *, order: int) -> None:
    """The interlock cuts: sent, read back open, and the result is there."""
    step(database, order=order, states=("claimed", "sent", "confirmed"))
    result(database, order=order, outcome="confirmed")


def restore(database: Database, *, order: int) -> None:
    """The interlock restores: sent, read back closed, and the result is there."""
    step(database, order=order, states=("claimed", "sent", "confirmed"))
    result(database, order=order, outcome="confirmed")

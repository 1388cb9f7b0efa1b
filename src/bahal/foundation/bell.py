"""The bell: a NOTIFY says that there are rows to look at, and nothing more.

A bell is rung inside the transaction that made the rows, and heard when it commits. It costs that commit (PostgreSQL
serialises them), so it is rung for orders, not for everything. Whoever listens also polls: a bell rung to nobody is
lost. The listener has a connection of its own; one that listens and works stalled in trial.
"""

import contextlib
import time
from collections.abc import Collection
from typing import Any, Literal, get_args

import psycopg
from psycopg import sql

from bahal.foundation.rows import run
from bahal.foundation.transactions import transaction_required

Channel = Literal["bahal_orders", "bahal_results", "bahal_messages", "bahal_events", "bahal_reads", "bahal_wakeups"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)


@transaction_required
def ring(channel: Channel) -> None:
    """Ring when this transaction commits.

    :raises ValueError: no such bell.
    """
    if channel not in CHANNELS:
        raise ValueError(channel)
    run(f"NOTIFY {channel}")


class Listener:
    """Hears bells. A lost connection is made again on the next wait; meanwhile waiting is polling."""

    def __init__(self, dsn: str, *channels: Channel) -> None:
        self._dsn = dsn
        self._channels = channels
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def wait(self, seconds: float) -> Collection[str]:
        """Wait until a bell rings, but not longer than this; which bells rang."""
        began = time.monotonic()
        try:
            if self._connection is None:
                self._connection = self._listening()
            # The first bell ends the wait; those that came with it are told with it.
            return {each.channel for each in self._connection.notifies(timeout=seconds, stop_after=1)}
        except psycopg.OperationalError:
            self.close()
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
            return ()

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _listening(self) -> "psycopg.Connection[tuple[Any, ...]]":
        connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
        for channel in self._channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return connection

"""The dead-man: looks once a second whether cuts may go on, and lets two officers arm the switch that it threw.

Each cause has a name: the operator is silent for a quarter of an hour, a clock is off by more than two seconds,
payments come in late, the audit is not sealed, messages are not sent, relays answer and do not move. The database
holds the causes (`interlock_watch`), so that they outlive this process; only its own clock a process must judge itself.
Without this process or the database nothing is sent at all. Reconnections ask nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from bahal.headend.database import FAILURES, Database
from bahal.interlock.officers import Officer
from bahal.shared.clock import Clock
from bahal.shared.warrant import ARMING_LASTS, ArmingDocument, arming_verified

EVERY_S: Final = 1.0
CLOCK_OFF_S: Final = 2.0
_LOOK: Final = "SELECT why, thrown FROM interlock_watch(%s, %s, %s)"
_ASKED: Final = """
    SELECT id, stop, document, first, first_signature, second, second_signature FROM interlock_arming
    WHERE outcome = '' AND second_signature IS NOT NULL ORDER BY id LIMIT 20
"""


class Watch:
    """The round of one interlock.

    :param wall: seconds since the epoch; the machine's clock unless a test turns it.
    :param cleared: called when cuts may be claimed: after the first look, and when what was waited for has come.
    """

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        wall: Callable[[], float] = time.time,
        cleared: Callable[[], object] = lambda: None,
    ) -> None:
        self._database = database
        self._worker = worker
        self._wall = wall
        self._offset = wall() - time.monotonic()
        self._cleared = cleared
        self._waits: str | None = ""
        self.looked = False
        """Whether there was a look yet: before it no cut is claimed."""
        self._log = structlog.get_logger().bind(part="watch")

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except FAILURES as error:
                # Nothing is sent without the database either.
                self._database.metrics.failures.labels("watch").inc()
                self._log.warning("watch_failed", error=type(error).__name__)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> str | None:
        """One look: the cause for which cuts do not go on, or None.

        :raises psycopg.Error: the database failed.
        """
        async with self._database.transaction() as connection:
            # Read inside, so that waiting for a connection is not taken for a clock that is off.
            local = "clock_off" if self._jumped() else ""
            at = datetime.fromtimestamp(self._wall(), UTC)
            cursor = await connection.execute(_LOOK, (self._worker, at, local))
            row = await cursor.fetchone()
        why, thrown = row or (None, False)
        waits = None if thrown else why
        self.looked = True
        if waits != self._waits:
            if waits is None:
                self._cleared()
            else:
                self._log.warning("cuts_wait", reason=waits)
        self._waits = waits
        if thrown:
            self._log.error("dead_man", reason=why)
        return None if why is None else str(why)

    def _jumped(self) -> bool:
        """Whether the wall clock was moved since the last look: it and the steady clock went different ways."""
        offset = self._wall() - time.monotonic()
        moved, self._offset = abs(offset - self._offset), offset
        return moved > CLOCK_OFF_S


class Arming:
    """Judges officers' requests to let cuts go out again.

    :param clock: the business clock, by which an officer's key is valid.
    :param armed: called when a request was granted.
    """

    def __init__(
        self, *, database: Database, officers: Mapping[str, Officer], clock: Clock, armed: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._officers = officers
        self._armed = armed
        self._log = structlog.get_logger().bind(part="arming")

    async def tend(self) -> None:
        """Judge what was asked.

        :raises psycopg.Error: the database failed; the next round judges what is left.
        """
        for row in await self._database.rows(_ASKED):
            arming, stop = row[0], row[1]
            refused = self.judge(*row[1:], at=datetime.now(UTC))
            ((said,),) = await self._database.rows("SELECT interlock_arm(%s, %s, %s)", (arming, stop, refused))
            self._log.warning("arming_judged", arming=arming, outcome=said, officers=[row[3], row[5]])
            if said == "armed":
                self._armed()

    def judge(
        self,
        stop: int,
        text: str,
        first: str,
        first_signature: str,
        second: str,
        second_signature: str,
        *,
        at: datetime,
    ) -> str:
        """What is wrong with a request, or '' if two different officers signed exactly this one in time."""
        try:
            document = ArmingDocument.parse(text)
        except ValueError:
            return "arming_not_canonical"
        one, other = self._officers.get(first), self._officers.get(second)
        now = self._clock.now()
        if one is None or other is None or not (one.signs(now) and other.signs(now)):
            return "arming_officer_unknown"
        if one.login == other.login:
            return "arming_one_officer"
        signed: list[tuple[Officer, str]] = [(one, first_signature), (other, second_signature)]
        if not all(arming_verified(each.key_file(now), signature, text) for each, signature in signed):
            return "arming_signature_wrong"
        if document.stop != stop:
            return "arming_of_another_stop"
        if not at < document.expires_at <= at + ARMING_LASTS:
            return "arming_expired"
        return ""

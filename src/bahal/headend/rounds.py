"""What a head-end does by the clock: look at the schedules, count what came of a day, end what was kept long enough.

Any number of head-ends may do it: PostgreSQL lets one plan at a time, and counts a day once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final

import structlog

from bahal.headend.config import HeadendConfig
from bahal.headend.database import FAILURES, Database
from bahal.headend.metrics import IngestMetrics
from bahal.headend.raw import retire_raw
from bahal.shared.clock import Clock, day_in_india
from bahal.shared.text import INDIA

COUNTED_AFTER: Final = (timedelta(hours=8), timedelta(hours=24))
"""After a day's end: the hours by which its values should be in."""
AHEAD: Final = 2
"""Days whose partitions are made before they are needed."""
_PLAN: Final = "SELECT readings_plan(%s)"
_COUNT: Final = "SELECT readings_count_delivery(%s, %s)"
_RETIRE: Final = "SELECT readings_retire(%s)"
_PARTITIONS: Final = "SELECT readings_partitions(%s::date[], %s::date[])"


class Rounds:
    """The rounds of one head-end process."""

    def __init__(
        self,
        *,
        config: HeadendConfig,
        database: Database,
        clock: Clock,
        metrics: IngestMetrics,
        planned: Callable[[], None],
    ) -> None:
        """`planned` is called when meters became due."""
        self._config = config
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._planned = planned
        self._counted: set[tuple[date, timedelta]] = set()
        self._kept_on: date | None = None
        self._log = structlog.get_logger().bind(part="rounds")

    async def run(self) -> None:
        """Go round every `plan_s`, until cancelled."""
        while True:
            await asyncio.sleep(self._config.plan_s)
            try:
                await self.go(self._clock.now())
            except (*FAILURES, OSError) as error:
                self._database.metrics.failures.labels("rounds").inc()
                self._log.warning("round_failed", error=type(error).__name__, why=str(error)[:200])

    async def go(self, at: datetime) -> None:
        """One round.

        :raises psycopg.Error: the database failed; the next round does it.
        :raises OSError: old files cannot be taken away.
        """
        ((planned,),) = await self._database.rows(_PLAN, (at,))
        if planned:
            self._metrics.planned.inc(planned)
            self._log.info("planned", meters=planned)
            self._planned()
        today = day_in_india(at)
        for back in (1, 2):
            day = today - timedelta(days=back)
            ended = datetime.combine(day + timedelta(days=1), time(), INDIA)
            for after in COUNTED_AFTER:
                if at >= ended + after and (day, after) not in self._counted:
                    await self._database.rows(_COUNT, (day, at))
                    self._counted.add((day, after))
        if self._kept_on != today:
            ahead = [today + timedelta(days=nth) for nth in range(AHEAD + 1)]
            await self._database.rows(_PARTITIONS, (ahead, ahead))
            await self._database.rows(_RETIRE, (today - timedelta(days=self._config.hot_days),))
            if self._config.raw is not None:
                await asyncio.to_thread(retire_raw, self._config.raw, today=today, days=self._config.raw_days)
            self._kept_on = today
            self._counted = {each for each in self._counted if each[0] >= today - timedelta(days=2)}

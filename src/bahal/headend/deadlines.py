"""Deadlines of thousands of sessions for the price of one timer.

A session carries its deadline in an attribute and moves it as it goes on, which costs an assignment. It stands in the
bucket of the tick at which it was put there; when the tick comes, a session whose deadline has moved on is put into a
later bucket, any other has expired. So a deadline is met within one tick after its time, and most sessions are touched
once or never.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_S = 0.05
_LAG_KEPT = 0.8


class Timed(Protocol):
    """What can be watched: `due` in the loop's time, `bucket` for the watch's own use."""

    due: float
    bucket: int

    def expire(self) -> None:
        """The deadline has passed."""
        ...


class Deadlines:
    """One watch for all sessions of a process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, tick_s: float = TICK_S) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._buckets: dict[int, set[Timed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.lag = 0.0
        """How late ticks have come lately, in seconds: what a busy loop makes everybody wait."""
        self._seen = self._tick_of(loop.time())

    def watch(self, timed: Timed) -> None:
        """Watch until `forget` or the deadline. Its `due` may then be moved freely, but only to a later time."""
        timed.bucket = max(self._tick_of(timed.due) + 1, self._seen + 1)
        self._buckets.setdefault(timed.bucket, set()).add(timed)
        if self._timer is None:
            self._seen = max(self._seen, self._tick_of(self._loop.time()) - 1)
            self._set_timer()

    def forget(self, timed: Timed) -> None:
        """No longer watch it; harmless if it is not watched."""
        bucket = self._buckets.get(timed.bucket)
        if bucket is not None:
            bucket.discard(timed)
            if not bucket:
                del self._buckets[timed.bucket]

    def _tick_of(self, moment: float) -> int:
        return int(moment / self._tick_s)

    def _pass(self) -> None:
        self._timer = None
        now = self._loop.time()
        self.lag = max(now - self._timer_at, self.lag * _LAG_KEPT)
        before, self._seen = self._seen, self._tick_of(now)
        for tick in range(before + 1, self._seen + 1):
            for timed in self._buckets.pop(tick, ()):
                if timed.due <= now:
                    timed.expire()
                else:
                    self.watch(timed)
        if not self._buckets:
            self.lag = 0.0
        elif self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer_at = self._loop.time() + self._tick_s
        self._timer = self._loop.call_at(self._timer_at, self._pass)

"""Two judges of what relays do: the canary of a drive, and the dead-man over all cuts.

The canary is the first orders of a drive. Nothing else of the drive is claimed until each of them has come to an end
and few enough ended as field tasks. The dead-man counts cuts that were acknowledged and whose relay did not move: more
than 2 % of at least 200 stops all cuts, for two people to start again. Reconnections go on.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

COUNTED_AT_LEAST: Final = 200
COUNTED_AT_MOST: Final = 1000
WRONG_SHARE: Final = 0.02


class CanaryVerdict(Enum):
    """What is known of a canary."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"


def judge_canary(*, open_orders: int, confirmed: int, failed: int, wrong_share: float) -> CanaryVerdict:
    """The verdict over a canary's orders; those that were cancelled, refused or capped say nothing about relays."""
    if open_orders:
        return CanaryVerdict.OPEN
    judged = confirmed + failed
    if judged and failed > wrong_share * judged:
        return CanaryVerdict.FAILED
    return CanaryVerdict.PASSED


class DeadMan:
    """Counts the latest cuts that were acknowledged and read back."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque()
        self._wrong = 0

    def count(self, *, as_ordered: bool) -> bool:
        """Count one; True when there are now too many wrong ones."""
        self._latest.append(as_ordered)
        self._wrong += not as_ordered
        if len(self._latest) > COUNTED_AT_MOST:
            self._wrong -= not self._latest.popleft()
        counted = len(self._latest)
        return counted >= COUNTED_AT_LEAST and self._wrong > WRONG_SHARE * counted

"""By which channel a notice or a reminder goes, and by which next: the order is a policy's, the rest follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bahal.domains.notices.kinds import TO_A_PHONE


@dataclass(frozen=True, slots=True)
class Way:
    """The channels in order, those that end the matter when one of them arrives, and how long each is waited for."""

    policy: str
    order: Sequence[str]
    serves: Sequence[str]
    receipt_hours: int
    letter_days: int

    def first(self, phone: str) -> str | None:
        """The first channel that can be used; a telephone may be none."""
        return next((each for each in self.order if phone or each not in TO_A_PHONE), None)

    def after(self, channel: str, phone: str) -> str | None:
        """The next channel after one, or None: it was the last. One that this order does not know has none after it."""
        if channel not in self.order:
            return None
        rest = self.order[self.order.index(channel) + 1 :]
        return next((each for each in rest if phone or each not in TO_A_PHONE), None)

    def waits_until(self, channel: str, at: datetime, *, last: bool) -> datetime | None:
        """Until when a receipt is waited for. Who is to hand over the last paper is waited for without an end."""
        if channel in TO_A_PHONE:
            return at + timedelta(hours=self.receipt_hours)
        return None if last and channel == "hand" else at + timedelta(days=self.letter_days)

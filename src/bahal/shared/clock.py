"""The clock: read at the edge, passed in. UTC inside, Asia/Kolkata where people read it.

Two times exist. *Wall* time is the world's; leases, deadlines and every figure use it. *Business* time is the calendar
that the law and the bill live in. In production they are equal; in a rehearsal the business clock can be moved, by a
file that states one moment in both. Which clock an instance has is fixed when the instance is made.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from bahal.shared.text import INDIA


class Clock(Protocol):
    """What every room asks for the time."""

    def now(self) -> datetime:
        """Business time, UTC."""
        ...

    def wall(self) -> datetime:
        """The world's time, UTC."""
        ...


class WallClock:
    """The production clock: business time is the world's time."""

    def now(self) -> datetime:
        """Business time, UTC."""
        return datetime.now(UTC)

    def wall(self) -> datetime:
        """The world's time, UTC."""
        return datetime.now(UTC)


class RehearsalClock:
    """A business clock that runs with the world's but stands elsewhere: business_at + (wall now - wall_at).

    The file is `{"business_at": ISO, "wall_at": ISO}`. It is read again when it was replaced, so that one process moves
    the clock of all.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at once: a rehearsal without its clock must not start.

        :raises OSError: no such file.
        :raises ValueError: not a clock file, or an instant without a zone.
        """
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._business_at = self._wall_at = datetime.now(UTC)
        self._read()

    def now(self) -> datetime:
        """Business time, UTC."""
        self._read()
        return self._business_at + (datetime.now(UTC) - self._wall_at)

    def wall(self) -> datetime:
        """The world's time, UTC."""
        return datetime.now(UTC)

    def _read(self) -> None:
        status = self._path.stat()
        seen = (status.st_ino, status.st_mtime_ns)
        if seen == self._seen:
            return
        stated = json.loads(self._path.read_text(encoding="utf-8"))
        try:
            business_at = datetime.fromisoformat(stated["business_at"])
            wall_at = datetime.fromisoformat(stated["wall_at"])
        except (KeyError, TypeError) as wrong:
            raise ValueError(f"not a clock file: {self._path}") from wrong
        if business_at.tzinfo is None or wall_at.tzinfo is None:
            raise ValueError(f"an instant without a zone in {self._path}")
        self._business_at, self._wall_at, self._seen = business_at.astimezone(UTC), wall_at.astimezone(UTC), seen


def move_rehearsal(path: Path, *, business_at: datetime) -> None:
    """State that it is `business_at` now, for every process whose clock is this file. Replaced in one step."""
    stated = {"business_at": business_at.astimezone(UTC).isoformat(), "wall_at": datetime.now(UTC).isoformat()}
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(stated), encoding="utf-8")
    beside.replace(path)


def clock_of(environ: Mapping[str, str] | None = None) -> Clock:
    """The rehearsal clock that `BAHAL_CLOCK` names, or the wall clock if it is unset."""
    path = (os.environ if environ is None else environ).get("BAHAL_CLOCK")
    return RehearsalClock(Path(path)) if path else WallClock()


def day_in_india(at: datetime) -> date:
    """The calendar day of an instant in India, on which bills, notices and windows are reckoned."""
    return at.astimezone(INDIA).date()

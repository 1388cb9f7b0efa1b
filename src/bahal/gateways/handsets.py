"""The telephones of a rehearsal: which of them are off, silent, late or unknown to a channel. For the stand-ins alone.

`run/handsets.json` holds, by telephone and channel, what happens to a message: `failed:CODE` is reported as not
delivered, `expired` as given up, `silent` is never reported, `late:SECONDS` is delivered so much later, `refused:CODE`
is not even taken. Whoever is not named takes everything at once. The file is read again when it was replaced.
"""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a message: a status to be reported, if any, so many seconds later; or a refusal."""

    status: str = "delivered"
    code: str = ""
    after_s: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether it is not even taken."""
        return self.status == "refused"

    @property
    def reported(self) -> bool:
        """Whether anything is ever heard of it."""
        return self.status not in ("silent", "refused")


class Handsets:
    """Every telephone, by a file that may be there or not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._told: dict[str, dict[str, str]] = {}

    def fate(self, phone: str, channel: str) -> Fate:
        """What becomes of a message to this telephone now."""
        self._read()
        kind, _, rest = self._told.get(phone, {}).get(channel, "delivered").partition(":")
        if kind == "late":
            return Fate(after_s=float(rest or 0))
        return Fate(kind, rest)

    def _read(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            self._seen, self._told = None, {}
            return
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            self._told, self._seen = json.loads(self._path.read_text(encoding="utf-8")), seen

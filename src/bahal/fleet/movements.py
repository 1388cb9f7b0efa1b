"""The log of relay movements: the truth from outside, with which the product's own tables are compared.

One JSON line a movement, in the file before the meter's reply leaves the process: `at` and `business_at` (UTC,
microseconds), meter, relay `on` or `off`, cause, and for a remote movement the client's `sap`, its invocation `counter`
and the `frame` (hex of the APDU as it came) that caused it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bahal.dlms.objects.disconnect import Move
from bahal.dlms.objects.serving import Origin

_NULL: Final = "null"

CAUSES: Final = {
    Move.REMOTE_DISCONNECT: "remote_disconnect",
    Move.REMOTE_RECONNECT: "remote_reconnect",
    Move.MANUAL_DISCONNECT: "manual",
    Move.MANUAL_RECONNECT: "manual",
    Move.LOCAL_DISCONNECT: "limiter",
    Move.LOCAL_RECONNECT: "limiter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One line of the log, as far as a meter must remember it."""

    meter: str
    business_at: datetime
    on: bool
    cause: str
    sap: int | None
    counter: int | None


class MovementLog:
    """Appends to the log, one `write` a line; nothing is buffered."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only.

        :raises OSError: it cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(
        self, *, at: datetime, business_at: datetime, meter: str, on: bool, cause: str, origin: Origin | None
    ) -> None:
        """Write one movement.

        :raises OSError: the line is not, or not wholly, in the file; the relay must not move then.
        """
        sap, counter, frame = (None, None, None) if origin is None else (origin.sap, origin.counter, origin.frame.hex())
        # Only the serial can hold a character that JSON writes otherwise.
        line = (
            f'{{"at":"{at.isoformat(timespec="microseconds")}",'
            f'"business_at":"{business_at.isoformat(timespec="microseconds")}",'
            f'"meter":{json.dumps(meter)},"relay":"{"on" if on else "off"}","cause":"{cause}",'
            f'"sap":{_NULL if sap is None else sap},"counter":{_NULL if counter is None else counter},'
            f'"frame":{_NULL if frame is None else json.dumps(frame)}}}\n'
        ).encode()
        if os.write(self._file, line) != len(line):
            raise OSError("a movement was not written whole")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_movements(path: Path) -> Iterator[Movement]:
    """The movements in a log, oldest first; a line cut short by a crash is passed over.

    :raises OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                entry = json.loads(line)
                movement = Movement(
                    meter=entry["meter"],
                    business_at=datetime.fromisoformat(entry["business_at"]),
                    on=entry["relay"] == "on",
                    cause=entry["cause"],
                    sap=entry["sap"],
                    counter=entry["counter"],
                )
            except (ValueError, KeyError, TypeError):
                continue
            yield movement

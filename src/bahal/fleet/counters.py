"""Invocation counters of every meter: in memory, or in a file mapped into it, so that they survive a process's death.

A meter that is killed in the middle of a session forgets neither its own next counter nor the smallest it takes from a
client; what a file holds is what the last instruction wrote, whether or not the process came to an end in order. A
power cut is another matter: nothing is flushed. The file belongs to one roster; another roster's is made anew.
"""

import hashlib
import mmap
import os
from array import array
from collections.abc import Mapping, MutableSequence
from pathlib import Path
from typing import Final

FLOOR_SAPS: Final = (32, 48)
"""Clients whose counters a meter checks."""
COUNTER_SAPS: Final = (32, 48, 64)
"""Keys under which a meter counts itself."""

Counters = Mapping[int, MutableSequence[int]]


def in_memory(count: int, *, first_counter: int) -> tuple[Counters, Counters]:
    """Floors and counters of `count` meters, by SAP: no floor yet, every counter at `first_counter`."""
    floors = {sap: array("Q", bytes(8 * count)) for sap in FLOOR_SAPS}
    return floors, {sap: array("I", [first_counter]) * count for sap in COUNTER_SAPS}


def in_file(path: Path, count: int, *, first_counter: int, roster: bytes) -> tuple[Counters, Counters]:
    """The same, kept in a file that is made where it is missing or belongs to another roster.

    :param roster: what tells this roster from another; its hash heads the file.
    :raises OSError: the file cannot be used.
    """
    head = hashlib.sha256(roster).digest()
    size = len(head) + count * (8 * len(FLOOR_SAPS) + 4 * len(COUNTER_SAPS))
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        kept = os.fstat(file).st_size == size and os.pread(file, len(head), 0) == head
        if not kept:
            os.ftruncate(file, 0)
            os.ftruncate(file, size)
        view = memoryview(mmap.mmap(file, size))
    finally:
        os.close(file)
    at = len(head)
    floors: dict[int, MutableSequence[int]] = {}
    counters: dict[int, MutableSequence[int]] = {}
    for sap in FLOOR_SAPS:
        floors[sap] = view[at : at + 8 * count].cast("Q")  # type: ignore[assignment]  # items are read and written alike
        at += 8 * count
    for sap in COUNTER_SAPS:
        part = view[at : at + 4 * count]
        at += 4 * count
        if not kept:
            part[:] = array("I", [first_counter] * count).tobytes()
        counters[sap] = part.cast("I")  # type: ignore[assignment]
    # Last: a file that was being made when its process died is made again.
    view[: len(head)] = head
    return floors, counters

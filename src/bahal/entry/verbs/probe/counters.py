"""Invocation counters of a probe: a nonce is never used twice under a key, whatever crashes.

Beside FILE.toml stands FILE.toml.counter (mode 0600) with the next counter that was never used. A block is written
there as used before the first one of it is, and what was not used is given back at the end. While a probe works it
holds the file locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from bahal.dlms.security import COUNTER_LIMIT
from bahal.entry.verbs.probe.refusals import CounterBusy, CounterFileWrong, CounterJumps, CounterSpent

BLOCK = 1 << 14
JUMP_LIMIT = 1 << 20
FIRST_LIMIT = 1 << 31


class Reserved:
    """The counters [first, end); `used` is the first that was not used."""

    def __init__(self, first: int) -> None:
        self.first = self.used = first
        self.end = first + BLOCK


class Counters:
    """The counter file of one meter's file, held."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._file = descriptor
        self.next = self._read()

    def _read(self) -> int:
        text = os.pread(self._file, 256, 0)
        if not text:
            return 0
        try:
            found = json.loads(text)["next"]
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= COUNTER_LIMIT:
            raise CounterFileWrong(file=str(self._path))
        return found

    def _write(self, counter: int) -> None:
        # Padded to one length, so that no crash leaves half of two numbers.
        os.pwrite(self._file, f'{{"next": {counter:>10}}}\n'.encode(), 0)
        os.fsync(self._file)

    def believe(self, told: int) -> int:
        """The counter to go on from where the meter tells `told` as its last, unauthenticated: upward only.

        :raises CounterJumps: too far up to be believed.
        """
        limit = self.next + JUMP_LIMIT if self.next else FIRST_LIMIT
        if told >= limit:
            raise CounterJumps(told=told, used=self.next)
        return max(self.next, told + 1)

    @contextlib.contextmanager
    def reserve(self, floor: int) -> Iterator[Reserved]:
        """A block of counters from `floor` or above, on disk before anybody has them.

        :raises CounterSpent: none left.
        """
        reserved = Reserved(max(self.next, floor))
        if reserved.end > COUNTER_LIMIT:
            raise CounterSpent(used=reserved.first)
        self._write(reserved.end)
        try:
            yield reserved
        finally:
            self.next = reserved.used
            self._write(reserved.used)


@contextlib.contextmanager
def held(path: Path) -> Iterator[Counters]:
    """The counter file, made if need be and locked.

    :raises CounterBusy: another process holds it.
    :raises CounterFileWrong: it holds something else.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CounterBusy(file=str(path)) from None
        yield Counters(path, descriptor)
    finally:
        os.close(descriptor)

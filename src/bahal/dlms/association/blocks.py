"""Long things in pieces: what both ends of an association collect, cut up and send again.

Bounded: a collector holds at most its limit, and a partner that never gets on is given up.
"""

from __future__ import annotations

from typing import Final

from bahal.dlms.apdu import DataBlock, GeneralBlock, general_block
from bahal.dlms.apdu.general import BLOCK_HEAD, WINDOW_LIMIT
from bahal.dlms.errors import LinkLost, MalformedApdu, OversizedApdu, RequestTooLong

STALLS_AT_MOST: Final = 8
_NUMBER_LIMIT: Final = 0xFFFF
_SMALLEST_ROOM: Final = 16


class Collector:
    """Blocks of one long value as they come, each numbered one above the last."""

    __slots__ = ("_limit", "_parts", "_size", "number")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.forget()

    def forget(self) -> None:
        """Nothing is collected."""
        self.number = 0
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, *, last: bool, number: int, raw: bytes) -> bytes | None:
        """Take a block; the whole value with the last one, else None.

        :raises MalformedApdu: another number than the next, or an empty block that is not the last.
        :raises OversizedApdu: more than the limit.
        """
        if number != self.number + 1:
            raise MalformedApdu(f"block {number} after {self.number}")
        if not raw and not last:
            raise MalformedApdu("empty block that is not the last")
        self.number = number
        self._size += len(raw)
        if self._size > self._limit:
            raise OversizedApdu(self._size, self._limit)
        self._parts.append(raw)
        if not last:
            return None
        whole = b"".join(self._parts)
        self.forget()
        return whole


class Upload:
    """A long value on its way: one block at a time, the next when the last is acknowledged."""

    __slots__ = ("_at", "_data", "_size", "number")

    def __init__(self, data: bytes, size: int) -> None:
        """:raises RequestTooLong: no room for a block."""
        if size < 1:
            raise RequestTooLong(len(data), size)
        self._data = data
        self._size = size
        self._at = 0
        self.number = 0

    @property
    def done(self) -> bool:
        """Whether the last block was given."""
        return bool(self.number) and self._at >= len(self._data)

    def next(self, shorter: int = 0) -> DataBlock:
        """The next block, ``shorter`` bytes less than usual where its APDU holds other things too.

        :raises RequestTooLong: no room for it.
        """
        size = self._size - shorter
        if size < 1:
            raise RequestTooLong(len(self._data), self._size)
        raw = self._data[self._at : self._at + size]
        self._at += size
        self.number += 1
        return DataBlock(self._at >= len(self._data), self.number, raw)


class GeneralTransfer:
    """One exchange by general block transfer, either end: an APDU in each direction, request first.

    :param window: how many blocks this end takes in a row, 1 to 63.
    :param room: longest APDU the other end takes.
    :param limit: longest APDU put together here.
    :param requested: the request came by itself, and only its answer goes in blocks.
    """

    __slots__ = (
        "_acks_in",
        "_done_in",
        "_first",
        "_limit",
        "_number",
        "_other_window",
        "_parts",
        "_queue",
        "_received",
        "_room",
        "_size",
        "_stalls",
        "_window",
    )

    def __init__(self, *, window: int, room: int, limit: int, requested: bool = False) -> None:
        self._window = max(1, min(window, WINDOW_LIMIT))
        self._room = max(room - BLOCK_HEAD, _SMALLEST_ROOM)
        self._limit = limit
        self._other_window = 1
        self._queue: list[bytes] = []
        self._first = 1  # the number of the first block in the queue
        self._number = 1  # the number of the next APDU without data
        self._received = 0
        self._acks_in = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._stalls = 0
        self._done_in = requested

    def send(self, apdu: bytes) -> list[bytes]:
        """The blocks that carry an APDU, as many as the other end takes now.

        :raises OversizedApdu: more blocks than can be numbered.
        """
        room = self._room
        self._queue = [apdu[at : at + room] for at in range(0, len(apdu), room)]
        self._first = self._number
        if self._first + len(self._queue) > _NUMBER_LIMIT:
            raise OversizedApdu(len(apdu), _NUMBER_LIMIT * room)
        return self._burst()

    def is_new(self, block: GeneralBlock) -> bool:
        """Whether a block belongs to an exchange after this one: here the request is complete and this is no mere
        acknowledgement."""
        return self._done_in and bool(block.data)

    @property
    def answered(self) -> bool:
        """Whether this end has sent its APDU already."""
        return self._first > 1 or bool(self._queue)

    def receive(self, block: GeneralBlock) -> tuple[bytes | None, list[bytes]]:
        """Take one block: the whole APDU once it is complete, and what to send at once.

        :raises MalformedApdu: a block that no rule allows.
        :raises OversizedApdu: more than the limit.
        :raises LinkLost: the other end never gets on.
        """
        self._other_window = max(1, block.window)
        progress = self._acknowledge(block.acknowledged)
        was_done = self._done_in
        progress = (not was_done and self._take(block)) or progress
        self._stalls = 0 if progress else self._stalls + 1
        if self._stalls > STALLS_AT_MOST:
            raise LinkLost(self._stalls)
        whole = None
        if self._done_in and not was_done:
            whole = b"".join(self._parts)
            self._parts = []
            # Whoever answers has the request, whatever he acknowledged.
            self._queue = []
        if block.streaming and not block.last:
            return whole, []
        if self._queue:
            return whole, self._burst()
        return whole, [] if self._done_in else [self._ready()]

    def _take(self, block: GeneralBlock) -> bool:
        """Keep the data of the block that is awaited; whether it was."""
        if not block.data and not self._parts:
            # An acknowledgement by an end that has nothing to send, or nothing yet.  Some number these too, so that
            # their data begins after them; others do not.
            self._acks_in = max(self._acks_in, block.number)
            return False
        expected = (self._received + 1,) if self._parts else (1, self._acks_in + 1)
        if block.number not in expected or not (block.data or block.last):
            return False
        self._received = block.number
        self._size += len(block.data)
        if self._size > self._limit:
            raise OversizedApdu(self._size, self._limit)
        self._parts.append(block.data)
        self._done_in = block.last
        return True

    def _acknowledge(self, number: int) -> bool:
        """Forget the blocks up to a number; whether any was new."""
        done = number - self._first + 1
        if done <= 0 or not self._queue:
            return False
        if done > len(self._queue):
            raise MalformedApdu(f"block {number} acknowledged and never sent")
        del self._queue[:done]
        self._first += done
        self._number = max(self._number, self._first)
        return True

    def _burst(self) -> list[bytes]:
        count = min(self._other_window, len(self._queue))
        sent = []
        for n, data in enumerate(self._queue[:count]):
            last = n == len(self._queue) - 1
            block = GeneralBlock(last, n < count - 1, self._window, self._first + n, self._received, data)
            sent.append(general_block(block))
        self._number = max(self._number, self._first + count)
        return sent

    def _ready(self) -> bytes:
        """Nothing to send: say what was received and let the other end go on."""
        block = GeneralBlock(True, False, self._window, self._number, self._received, b"")
        self._number = min(self._number + 1, _NUMBER_LIMIT)
        return general_block(block)

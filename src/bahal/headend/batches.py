"""Batches: what comes singly is written together, a few milliseconds later at most.

While one batch is being written the next one collects, so that a busy writer makes bigger batches by itself and an
idle one writes at once or after `linger_s`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """Collects items for one writer.

    :param write: takes a batch; it must deal with its own failures.
    :param most: items in a batch.
    :param linger_s: how long the first item may wait for company; 0 writes at once.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[None]], *, most: int, linger_s: float) -> None:
        self._write = write
        self._most = most
        self._linger_s = linger_s
        self._items: list[Item] = []
        self._since = 0.0
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Items that are not being written yet."""
        return len(self._items)

    def put(self, item: Item) -> None:
        """Add one item."""
        if not self._items:
            self._since = asyncio.get_running_loop().time()
            self._some.set()
            self._idle.clear()
        self._items.append(item)
        if len(self._items) >= self._most:
            self._full.set()

    async def run(self) -> None:
        """Write batches until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._some.wait()
            left = self._since + self._linger_s - clock()
            if left > 0 and len(self._items) < self._most:
                self._full.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._full.wait()
            batch = self._items[: self._most]
            del self._items[: self._most]
            if self._items:
                self._since = clock()
            else:
                self._some.clear()
            await self._write(batch)
            if not self._items:
                self._idle.set()

    async def settled(self) -> None:
        """Wait until everything put so far is written."""
        await self._idle.wait()

"""A second place for the audit's roots: a file on another disk, or another host that takes a POST.

A root is a true statement for ever, since what it covers is sealed; so a place may get one twice, and keeps the order.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import httpx

TIMEOUT_S = 5.0


class PlaceSilent(Exception):
    """The place did not take it; `place` names it."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


class Witness(Protocol):
    """Takes one line and keeps it for ever."""

    def keep(self, line: str) -> None:
        """Keep it; when this returns it is kept.

        :raises PlaceSilent: it is not, as far as we know.
        """
        ...


class FileWitness:
    """Appends to a file, which reached the disk before `keep` returns. The folder must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, line: str) -> None:
        """Append it."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as failure:
            raise PlaceSilent(str(self._path), failure.strerror or type(failure).__name__) from failure


class HttpWitness:
    """Posts to another host, which answers 2xx when it has kept the line."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    def keep(self, line: str) -> None:
        """Post it."""
        try:
            answered = self._client.post(self._url, content=line, headers={"Content-Type": "application/json"})
            answered.raise_for_status()
        except httpx.HTTPError as failure:
            raise PlaceSilent(self._url, type(failure).__name__) from failure


def witness_at(place: str) -> Witness:
    """The witness that a place names: an address that begins with http:// or https://, or else a file's path."""
    return HttpWitness(place) if place.startswith(("http://", "https://")) else FileWitness(Path(place))

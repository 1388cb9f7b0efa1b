"""Starts a stand-in as the supervisor does, and waits until it says that it listens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in that runs."""

    url: str
    log: Path
    process: "subprocess.Popen[str]"

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]


@contextmanager
def running(name: str, *arguments: str, home: Path) -> Iterator[StandIn]:
    """Run `bahal.entry.rooms NAME 0 ...` until the block ends, then SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bahal.entry.rooms", name, "0", *arguments],
        env={**os.environ, "BAHAL_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        yield StandIn(f"http://127.0.0.1:{ready['port']}", home / "logs" / f"{name}.jsonl", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()

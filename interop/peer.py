"""A peer's driver: another interpreter in another environment, one JSON line each way.

The contract stands in `interop/peers/README.md`. Nothing of a peer is ever imported here.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any, Final

TOP: Final = Path(__file__).resolve().parent.parent
SCRIPTS: Final = TOP / "interop" / "peers"
PEERS: Final = Path(os.environ.get("BAHAL_PEERS") or TOP / "var" / "peers")
DEADLINE_S: Final = 15.0
_ENDING_S: Final = 5.0


def installed(peer: str) -> bool:
    """Whether `make peers` has laid its environment."""
    return (PEERS / peer / ".ready").exists()


class Driver:
    """One process of a peer, started when it is first asked, and again after it died or fell silent.

    :param peer: the peer's name: of its environment and of its folder.
    :param script: `client.py` or `meter.py`.
    """

    def __init__(self, peer: str, script: str) -> None:
        self._command = [str(PEERS / peer / "bin" / "python"), "-I", str(SCRIPTS / peer / script)]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """One verb with its settings; the driver's answer has `ok`, `refused` or `error`."""
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"do": do} | asked).encode() + b"\n")
            process.stdin.flush()
            line = self._line(process)
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            self.end()
            return {"error": f"the driver said nothing for {DEADLINE_S:.0f} s, or ended"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        number = process.stdout.fileno()
        line, end = b"", time.monotonic() + DEADLINE_S
        with selectors.DefaultSelector() as ready:
            ready.register(number, selectors.EVENT_READ)
            while not line.endswith(b"\n") and (left := end - time.monotonic()) > 0:
                if ready.select(left):
                    received = os.read(number, 1 << 20)
                    if not received:
                        break
                    line += received
        return line

    def end(self) -> None:
        """End its process, if one runs."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            process.wait(_ENDING_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

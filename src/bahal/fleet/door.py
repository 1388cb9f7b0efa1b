"""The admin door: what a person at the meter would do, over a Unix socket with one JSON object a line.

`{"do": "close_by_force", "meter": SERIAL}`, `press_button`, `trip_limiter`, `relay`, `call` with a meter; `count_off`
and `stats` without; `{"do": "wake", "msisdn": NUMBER}` is what an SMS to that SIM does, `{"do": "call_all",
"within_s": 60}` what the return of a feeder does to all that call, and `begun` tells when each of them first did.
`{"do": "live", "file": PATH}` lets the meters have counted what a file of lives says. Every answer has `ok`; a refusal
has `error` and its data.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bahal.dlms.objects.disconnect import Move
from bahal.fleet.calling import Caller
from bahal.fleet.circle import AlreadyConnected, Circle
from bahal.fleet.link import Links
from bahal.fleet.lives import LivesError
from bahal.fleet.store import UnknownMeter
from bahal.fleet.tampers import KINDS, AlreadySo, TamperUnknown, tamper

_LINE_AT_MOST: Final = 4096
_IDLE_DEADLINE_S: Final = 120.0


class AdminDoor:
    """Answers admin lines for one circle."""

    def __init__(self, circle: Circle, links: Links, caller: Caller | None = None) -> None:
        """`caller` lets meters call; without one none does."""
        self._caller = caller
        self._circle = circle
        self._links = links
        self._at_meter: dict[str, Callable[[int], None]] = {
            "relay": lambda row: None,
            "close_by_force": circle.close_by_force,
            "press_button": lambda row: self._move(row, Move.MANUAL_RECONNECT),
            "call": self._call,
            "wake": self._call,
            "trip_limiter": lambda row: self._move(row, Move.LOCAL_DISCONNECT),
        }
        self._of_circle: dict[str, Callable[[], dict[str, Any]]] = {
            "count_off": self._count_off,
            "stats": self._stats,
            "begun": self._begun,
        }

    async def open(self, path: Path) -> asyncio.Server:
        """Listen at `path`, for its owner only; a socket left by a dead process is replaced.

        :raises OSError: the path cannot be used.
        """
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._serve, path=path, limit=_LINE_AT_MOST)
        finally:
            os.umask(mask)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_IDLE_DEADLINE_S):
                    line = await reader.readline()
                if not line:
                    break
                writer.write(json.dumps(self.answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            # Silent for too long, gone, or a line beyond the limit: the connection ends, nothing else.
            self._circle.stats.errors["admin"] += 1
        finally:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one line."""
        try:
            asked = json.loads(line)
            do = asked["do"]
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": "not_understood"}
        if do == "call_all" and self._caller is not None:
            return {"ok": True, "calling": self._caller.call_all(float(asked.get("within_s", 0)))}
        if do in ("tamper", "restore"):
            return self._tamper(asked, on=do == "tamper")
        if do == "live":
            return self._live(str(asked.get("file", "")))
        if do in self._of_circle:
            return {"ok": True} | self._of_circle[do]()
        act = self._at_meter.get(do) if isinstance(do, str) else None
        if act is None:
            return {"ok": False, "error": "unknown_verb", "do": do}
        try:
            row = self._row(asked)
            act(row)
        except UnknownMeter as refusal:
            return {"ok": False, "error": "unknown_meter", "meter": refusal.asked}
        except AlreadyConnected as refusal:
            return {"ok": False, "error": "already_connected", "meter": refusal.meter}
        except OSError as failure:
            return {"ok": False, "error": "movement_log", "why": str(failure)}
        return {"ok": True} | self._relay(row)

    def _tamper(self, asked: dict[str, Any], *, on: bool) -> dict[str, Any]:
        """`{"do": "tamper", "meter": SERIAL, "kind": "magnet"}` is what somebody does to a meter, `restore` its end."""
        try:
            row = self._row(asked)
            tamper(self._circle, row, str(asked.get("kind", "")), on=on)
        except UnknownMeter as refusal:
            return {"ok": False, "error": "unknown_meter", "meter": refusal.asked}
        except TamperUnknown as refusal:
            return {"ok": False, "error": "unknown_tamper", "kind": refusal.asked, "kinds": list(KINDS)}
        except AlreadySo as refusal:
            return {"ok": False, "error": "already_so", "meter": refusal.meter, "kind": refusal.tamper}
        return {"ok": True, "kind": asked["kind"], "on": on} | self._relay(row)

    def _row(self, asked: dict[str, Any]) -> int:
        """The meter that is named, by its serial or by its SIM."""
        columns = self._circle.columns
        if "msisdn" not in asked:
            return columns.with_serial(str(asked.get("meter", "")))
        return columns.with_sim(str(asked["msisdn"]))

    def _call(self, row: int) -> None:
        if self._caller is not None:
            self._caller.call(row)

    def _move(self, row: int, move: Move) -> None:
        self._circle.move(row, move, None)

    def _relay(self, row: int) -> dict[str, Any]:
        meter = self._circle.meter(row)
        return {
            "meter": meter.serial,
            "relay": "on" if meter.connected else "off",
            "control_state": int(meter.control_state),
            "control_mode": meter.control_mode,
        }

    def _live(self, file: str) -> dict[str, Any]:
        try:
            return {"ok": True, "lives": self._circle.live(Path(file))}
        except LivesError as wrong:
            return {"ok": False, "error": "lives", "line": wrong.line, "why": wrong.reason}
        except OSError as failure:
            return {"ok": False, "error": "lives", "why": str(failure)}

    def _count_off(self) -> dict[str, Any]:
        off = self._circle.columns.count_off()
        return {"off": off, "on": len(self._circle.columns) - off}

    def _begun(self) -> dict[str, Any]:
        begun = {} if self._caller is None else self._caller.begun or {}
        return {"begun": {self._circle.columns.serial_of(row): at for row, at in begun.items()}}

    def _stats(self) -> dict[str, Any]:
        return (
            {"meters": len(self._circle.columns), "open": len(self._links.open)}
            | {"on_the_line": 0 if self._caller is None else self._caller.on_the_line}
            | self._circle.stats.figures()
        )

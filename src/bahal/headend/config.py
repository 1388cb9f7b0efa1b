"""What the head-end is told: its database role's address, its folder with the sealing key, its ports and its limits."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bahal.shared.clock import Clock, RehearsalClock, WallClock
from bahal.shared.errors import ENVIRONMENT, Refusal

READING_SAP = 32
PUSH_SAP = 64


class HeadendMisconfigured(Refusal):
    """A file of the head-end's own folder is missing or wrong: it does not start."""

    code = "headend_misconfigured"
    exit_code = ENVIRONMENT
    hi = "हेड-एंड की फ़ाइल {file} सही नहीं है: {why}"
    en = "The head-end's file {file} is wrong: {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadendConfig:
    """Everything the head-end is told. Seconds are wall time; `session_s` stays below `lease_s`, which is not renewed.

    `dial_in` and `metrics` are ports: the next free one if taken, any for 0. `links` is the Unix socket over which the
    interlock borrows lines; None lends none.

    Of callers at most `dial_in_most` are open; whoever has not proved himself goes after `dial_in_idle_s` of silence or
    `dial_in_total_s` in all, one who says nothing is asked who he is after `identify_s`. A call that nobody needs stays
    open for later only while fewer than `lines_idle` do, and for `line_idle_s` at most.

    A call that collects has `collect_s` in all, of a lease of `collect_lease_s`, which also holds its wait for room and
    for being written. Schedules are looked at every `plan_s`. `lake` is the address of the interval tables, None for a
    head-end that only reads on demand; `raw` the folder for what meters said, kept for `raw_days`. Intervals stay in
    PostgreSQL for `hot_days`; a batch waits `lake_every_s` for company on its way to the lake, `lake_rows` go at once;
    a process that has shown no life for `lane_s` is followed in what it left open.
    """

    dsn: str
    folder: Path
    dial_in: int = 4060
    dial_in_host: str = "127.0.0.1"
    metrics: int = 9100
    clock: Path | None = None
    links: Path | None = None
    concurrency: int = 2_000
    per_cell: int = 8
    per_gateway: int = 16
    reply_s: float = 8.0
    connect_s: float = 8.0
    session_s: float = 25.0
    lease_s: float = 40.0
    counter_block: int = 32
    poll_s: float = 0.5
    drain_s: float = 10.0
    connections: int = 4
    dial_in_most: int = 5_000
    dial_in_idle_s: float = 15.0
    dial_in_total_s: float = 60.0
    identify_s: float = 0.5
    lines_idle: int = 2_000
    line_idle_s: float = 300.0
    collect_s: float = 120.0
    collect_lease_s: float = 240.0
    collect_counters: int = 256
    plan_s: float = 60.0
    lake: str | None = None
    raw: Path | None = None
    raw_days: int = 30
    hot_days: int = 35
    lake_every_s: float = 20.0
    lake_rows: int = 20_000
    lane_s: float = 60.0
    intake_most: int = 500
    intake_linger_s: float = 0.5
    system_title: bytes = b"BHL\x00\x00\x00\x00\x20"

    @staticmethod
    def read(
        folder: Path,
        *,
        dsn: str,
        dial_in: int,
        metrics: int,
        clock: Path | None = None,
        links: Path | None = None,
        lake: str | None = None,
    ) -> HeadendConfig:
        """With what `headend.json` in the folder changes, if there is one: any of the limits, `dial_in_host`, `links`.

        :raises HeadendMisconfigured: no JSON object, a name that is not known, or a value of another kind.
        """
        try:
            stated: Any = json.loads((folder / "headend.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            stated = {}
        except (OSError, ValueError) as wrong:
            raise HeadendMisconfigured(file="headend.json", why=str(wrong)) from wrong
        config = HeadendConfig(
            dsn=dsn, folder=folder, dial_in=dial_in, metrics=metrics, clock=clock, links=links, lake=lake,
            raw=folder / "raw",
        )  # fmt: skip
        if not isinstance(stated, dict):
            raise HeadendMisconfigured(file="headend.json", why="not a JSON object")
        changed: dict[str, Any] = {}
        for name, value in stated.items():
            if name == "links" and isinstance(value, str) and value:
                changed[name] = Path(value)
                continue
            kind = type(getattr(config, name, None))
            wanted = str if name == "dial_in_host" else (int, float) if kind is float else int
            if (
                kind not in (int, float, str)
                or name == "dsn"
                or isinstance(value, bool)
                or not isinstance(value, wanted)
            ):
                raise HeadendMisconfigured(file="headend.json", why=f"{name}: {value!r}")
            if not isinstance(value, str) and value <= 0:
                raise HeadendMisconfigured(file="headend.json", why=f"{name} must be above zero")
            changed[name] = value
        return replace(config, **changed)

    def business_clock(self) -> Clock:
        """The clock that pushes and readings are dated by.

        :raises HeadendMisconfigured: the clock file cannot be read.
        """
        if self.clock is None:
            return WallClock()
        try:
            return RehearsalClock(self.clock)
        except (OSError, ValueError) as wrong:
            raise HeadendMisconfigured(file=str(self.clock), why=str(wrong)) from wrong

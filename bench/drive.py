"""A drive from `running` to the last relay that fell, by the meters' own log; the database and every check included.

`make bench NAME=drive` cuts 796 meters that take 0.5 s for each reply; `ARGS="--meters 40000"` a state's morning;
`ARGS="--faults field"` 10,000 meters with a fifth of all links lost and workers killed (`bench.field`). The
reference for 796 is what the meters' own slowness costs: two waves (canary, main) of `ROUND_TRIPS`, one after another.
The fleet, the interlock and the database share this machine's cores.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import datetime
from pathlib import Path

import psycopg

from bahal.entry.instance import Profile
from bench.field import GOAL_S, LOST_LINKS, drive_in_the_field
from bench.figures import closing, median_of
from bench.stage import Stage, say, stage

ROUND_TRIPS = (
    "AARQ", "HLS pass 3 and 4", "GET output_state", "GET control_state", "GET control_mode",
    "ACTION remote_disconnect", "GET output_state", "RLRQ",
)  # fmt: skip
WAITED = len(ROUND_TRIPS) - 1
"""Nobody waits for the release: a wave ends with the last read-back."""
WAVES = 2
STORY = 796
STORY_GOAL = 1.15
STATE_GOAL_S = 75.0
STATE_FROM = 10_000
LIMIT_S = 600.0


def fell(log: Path) -> list[datetime]:
    """When relays fell, by the meters' log; each meter must have fallen once."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    off = [line for line in lines if line["relay"] == "off" and line["cause"] == "remote_disconnect"]
    if len({line["meter"] for line in off}) != len(off):
        raise SystemExit("a meter was cut twice")
    return [datetime.fromisoformat(line["at"]) for line in off]


def one_run(the_stage: Stage, meters: int, reply_delay: float) -> float:
    """Seconds of one drive over everybody who may be cut."""
    drive = the_stage.signed_drive()
    the_stage.vacuum()
    the_stage.start(the_stage.fleet(reply_delay=reply_delay), the_stage.interlock(), *the_stage.business())
    interlock, fleet = the_stage.process("interlock"), the_stage.process("fleet")
    before = interlock.cpu_s(), fleet.cpu_s()
    the_stage.run(drive)
    with psycopg.connect(the_stage.dsn("reader"), autocommit=True) as reader:
        begun = time.monotonic()
        told = begun
        while True:
            row = reader.execute(
                "SELECT count(*) FILTER (WHERE state = 'confirmed'), count(*) FILTER (WHERE state NOT IN"
                " ('authorised', 'claimed', 'sent', 'unknown')) FROM supply_order WHERE drive = %s",
                [drive],
            ).fetchone()
            assert row is not None
            if row[1] == meters:
                break
            now = time.monotonic()
            if now - begun > LIMIT_S:
                raise SystemExit(f"after {LIMIT_S:.0f} s only {row[1]} of {meters} orders had ended")
            if now - told > 10:
                told = now
                say(f"  {now - begun:.0f} s: {row[0]} confirmed")
            # Looking costs the database too: seldom for a long drive.
            time.sleep(0.1 if meters <= STORY else 1.0)
        started, confirmed = reader.execute(
            "SELECT d.started_at, max(o.confirmed_at) FROM supply_drive d JOIN supply_order o ON o.drive = d.id"
            " WHERE d.id = %s GROUP BY d.started_at",
            [drive],
        ).fetchone() or (None, None)
    if row[0] != meters:
        raise SystemExit(f"{row[0]} of {meters} cuts were confirmed")
    falls = fell(the_stage.movements())
    if len(falls) != meters:
        raise SystemExit(f"the meters' log tells of {len(falls)} cuts, the orders of {meters}")
    last = (max(falls) - started).total_seconds()
    seconds = (confirmed - started).total_seconds()
    say(
        f"run: {seconds:.2f} s to the last read-back ({last:.2f} s to the last relay); CPU: interlock"
        f" {interlock.cpu_s() - before[0]:.1f} s, fleet {fleet.cpu_s() - before[1]:.1f} s"
    )
    return seconds


def in_the_field(meters: int, reply_delay: float, faults: str) -> None:
    """One drive with all that goes wrong, and the verdict over it."""
    connections = max(10_000, meters * 2)
    with stage() as the_stage:
        the_stage.build(Profile.rehearsal(connections=connections, defaulters=meters, faults=faults))
        the_stage.fill(connections=connections, candidates=meters, postings=connections * 8)
        met = drive_in_the_field(the_stage, reply_delay=reply_delay, faults=faults)
    say(f"faults, by the meters' own log: {', '.join(f'{kind} {n}' for kind, n in sorted(met.faults.items()))}")
    for end, number in sorted(met.ends.items()):
        say(f"  {number:6} {end}")
    for each in met.wrong[:20]:
        say(f"WRONG {each}")
    say(f"I1, I2 and I5 by the meters' own log: {len(met.wrong)} violations; {met.paid} paid, {met.held} were held")
    closing(
        "drive", round(met.drained_s, 1), "s", reference=f"{meters} meters drained within 15 minutes",
        ratio=met.drained_s / GOAL_S, goal=GOAL_S, met=met.drained_s <= GOAL_S and not met.wrong, meters=meters,
        faults=faults, lost_links=LOST_LINKS, kills=met.kills, violations=len(met.wrong), ends=dict(met.ends),
    )  # fmt: skip


def main() -> None:
    """Build the stage once for each run: a meter is cut once in 24 hours."""
    parser = argparse.ArgumentParser(prog="make bench NAME=drive")
    parser.add_argument("--meters", type=int, default=STORY)
    parser.add_argument("--reply-delay", type=float, default=0.5)
    parser.add_argument("--runs", type=int, default=0, help="3 for a short drive, 1 for a long one")
    parser.add_argument("--faults", default="none", help="field: links lost, meters failing, workers killed")
    asked = parser.parse_args()
    if asked.faults != "none":
        in_the_field(asked.meters if asked.meters != STORY else STATE_FROM, asked.reply_delay, asked.faults)
        return
    meters, long = asked.meters, asked.meters >= STATE_FROM
    connections = max(10_000, meters * 2)
    profile = Profile.rehearsal(connections=connections, defaulters=meters)
    runs = []
    for _ in range(asked.runs or (1 if long else 3)):
        with stage() as the_stage:
            the_stage.build(profile)
            the_stage.fill(connections=connections, candidates=meters, postings=connections * 8)
            runs.append(one_run(the_stage, meters, asked.reply_delay))
    say(f"{len(ROUND_TRIPS)} round trips: {', '.join(ROUND_TRIPS)}")
    value = median_of(f"drive of {meters}, {asked.reply_delay} s a reply", runs, unit="s", digits=2)
    if long:
        closing(
            "drive", round(value, 2), "s", reference=f"{meters} meters, the issue's limit", ratio=value / STATE_GOAL_S,
            goal=STATE_GOAL_S, met=value <= STATE_GOAL_S, meters=meters,
        )  # fmt: skip
        return
    slowness = WAVES * len(ROUND_TRIPS) * asked.reply_delay
    closing(
        "drive",
        round(value, 2),
        "s",
        reference=f"{WAVES} waves x {len(ROUND_TRIPS)} round trips x {asked.reply_delay} s = {slowness:.1f} s",
        ratio=value / slowness,
        goal=round(STORY_GOAL * slowness, 2),
        met=value <= STORY_GOAL * slowness,
        meters=meters,
        round_trips=list(ROUND_TRIPS),
        ratio_without_release=round(value / (WAVES * WAITED * asked.reply_delay), 3),
    )


if __name__ == "__main__":
    main()

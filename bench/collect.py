"""A night's reading: a hundred thousand meters over a poor net, as fast as pacing and the links allow.

Every meter is due at once for yesterday's load profile and both its midnights. Its link takes 0.5 to 7 s a reply, each
meter its own, and one connection in twenty is lost at some frame; a lost one is tried again by the table of waits. The
head-end runs as its users run it, with limits that are printed; the fleet is a process of its own.

The bound is what nobody can beat: each cell has room for so many calls at once, and each call takes its replies times
its meter's delay, without any loss. The longest cell's total over its room is the bound, or that of all over the
head-end's own. Measured is the time from the moment all are due until 99.9 % are in PostgreSQL, and the lake's rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from datetime import date
from typing import Final

import psycopg

from bahal.entry.instance import Profile
from bahal.fleet.faults import PROFILES, link_delay
from bahal.fleet.roster import read_roster
from bahal.lake.layout import open_lake
from bench.figures import closing
from bench.stage import SEED, TEN_O_CLOCK, Process, Stage, say, stage

METERS: Final = 100_000
SHARE: Final = 0.999
GOAL: Final = 1.3
LIMIT_S: Final = 3_000.0
CONCURRENCY: Final = 4_000
PER_CELL: Final = 8
REPLIES: Final = 7
"""Of one call: AARE, clock, midnights, a day of the load profile in three blocks, RLRE."""
YESTERDAY: Final = date(2025, 11, 23)
_WANTS: Final = 6


def settle(the_stage: Stage) -> None:
    """The head-end's limits for such a net, and meters whose nameplate was read before."""
    limits = {
        "concurrency": CONCURRENCY, "per_cell": PER_CELL, "reply_s": 20.0, "collect_s": 150.0,
        "collect_lease_s": 400.0, "plan_s": 3600.0,
    }  # fmt: skip
    (the_stage.home.path / "headend" / "headend.json").write_text(json.dumps(limits))
    say(f"head-end: {limits}")
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        owner.execute("SELECT readings_plan(%s)", (TEN_O_CLOCK,))
        owner.execute("UPDATE readings_meter SET firmware = '1.0.0'")
        owner.execute("SELECT readings_partitions(ARRAY[%s::date], ARRAY[%s::date])", (YESTERDAY, YESTERDAY))
        owner.execute("VACUUM (ANALYZE) readings_meter, headend_meter")


def bound_s(the_stage: Stage) -> float:
    """Seconds that no pacing can beat."""
    cells: defaultdict[str, float] = defaultdict(float)
    for row in read_roster(the_stage.home.path / "demo" / "roster.csv"):
        cells[row.cell] += REPLIES * link_delay(PROFILES["far"], seed=SEED, serial=row.meter)
    longest, total = max(cells.values()) / PER_CELL, sum(cells.values()) / CONCURRENCY
    say(f"bound: the longest of {len(cells)} cells {longest:.0f} s, the head-end's own room {total:.0f} s")
    return max(longest, total)


def bound_mean_s(the_stage: Stage) -> float:
    """Seconds of an average call without loss."""
    rows = list(read_roster(the_stage.home.path / "demo" / "roster.csv"))
    return REPLIES * sum(link_delay(PROFILES["far"], seed=SEED, serial=row.meter) for row in rows) / len(rows)


def learn(the_stage: Stage) -> None:
    """One meter of each make is called beforehand: what its profiles hold is known from any night before."""
    begun = time.monotonic()
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        owner.execute(
            "UPDATE readings_meter SET wants = %s, back_days = 1, due_at = %s WHERE meter IN"
            " (SELECT DISTINCT ON (make) meter FROM headend_meter ORDER BY make, meter)",
            (_WANTS, TEN_O_CLOCK),
        )
        while owner.execute("SELECT count(*) FROM readings_meter WHERE wants <> 0").fetchone() != (0,):
            if time.monotonic() - begun > LIMIT_S:
                raise SystemExit("the profiles of a make could not be learnt")
            time.sleep(0.5)
        say(f"profiles of every make learnt in {time.monotonic() - begun:.0f} s")
        owner.execute("UPDATE readings_meter SET answered_at = NULL")


def collect(the_stage: Stage, meters: int) -> tuple[float, float]:
    """Seconds until the share is in, and the share at the end."""
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        # Spread as a schedule spreads them, so that no cell is asked for as a whole.
        owner.execute(
            "UPDATE readings_meter SET wants = %s, back_days = 1,"
            " due_at = %s::timestamptz - make_interval(secs => hashtext(meter) & 65535)",
            (_WANTS, TEN_O_CLOCK),
        )
        begun = told = time.monotonic()
        reached = 0.0
        while True:
            time.sleep(0.5)
            row = owner.execute(
                "SELECT count(*) FILTER (WHERE wants = 0 AND answered_at IS NOT NULL),"
                " count(*) FILTER (WHERE wants = 0) FROM readings_meter"
            ).fetchone()
            assert row is not None
            now = time.monotonic() - begun
            if not reached and row[0] >= SHARE * meters:
                reached = now
            if time.monotonic() - told > 30:
                told = time.monotonic()
                say(f"  {now:.0f} s: {row[0]} in, {the_stage.metric('headend', 'bahal_sessions_open'):.0f} calls open")
            if row[1] == meters or (reached and now > reached + 120):
                return reached or now, row[0] / meters
            if now > LIMIT_S:
                raise SystemExit(f"after {LIMIT_S:.0f} s only {row[0]} of {meters} were in")


def judge(the_stage: Stage) -> None:
    """What is in: nobody twice, and both stores alike."""
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        deadline = time.monotonic() + 120
        while owner.execute("SELECT count(*) FROM ingest_batch WHERE done_at IS NULL").fetchone() != (0,):
            if time.monotonic() > deadline:
                raise SystemExit("batches did not come into the lake")
            time.sleep(0.5)
        hot = owner.execute(
            "SELECT count(*), count(DISTINCT meter), sum(bit_count(have)) FROM readings_load WHERE day = %s",
            (YESTERDAY,),
        ).fetchone()
        reasons = owner.execute(
            "SELECT reason, count(*) FROM readings_meter WHERE reason <> '' GROUP BY reason ORDER BY 2 DESC"
        ).fetchall()
        stands = owner.execute("SELECT count(*) FROM readings_register WHERE kind = 'd'").fetchone()
    rows = open_lake(str(the_stage.home.path / "lake")).rows("interval", day=YESTERDAY, columns=["meter"])
    assert hot is not None
    assert stands is not None
    say(f"PostgreSQL: {hot[1]} days, {hot[2]} intervals, {stands[0]} midnights; lake: {rows.num_rows} days; {reasons}")
    if not hot[0] == hot[1] == rows.num_rows == len(set(rows["meter"].to_pylist())):
        raise SystemExit("a day stands twice, or in one store only")


def main() -> None:
    """`make bench NAME=collect [ARGS=METERS]`."""
    meters = int(sys.argv[1]) if len(sys.argv) > 1 else METERS
    with stage() as the_stage:
        the_stage.build(Profile())
        the_stage.fill(connections=meters, candidates=1, postings=0)
        settle(the_stage)
        bound = bound_s(the_stage)
        the_stage.start(the_stage.fleet(faults="far"), the_stage.headend())
        learn(the_stage)
        cpu: dict[str, Process] = {name: the_stage.process(name) for name in ("headend", "fleet")}
        before = {name: each.cpu_s() for name, each in cpu.items()}
        took, share = collect(the_stage, meters)
        used = {name: each.cpu_s() - before[name] for name, each in cpu.items()}
        mean = the_stage.metric("headend", "bahal_session_seconds_sum") / the_stage.metric(
            "headend", "bahal_session_seconds_count"
        )
        judge(the_stage)
        say(f"a call took {mean:.1f} s; {REPLIES} replies of an average link {bound_mean_s(the_stage):.1f} s")
        say(
            f"{share:.4%} in; {SHARE:.1%} after {took:.0f} s; CPU: head-end {used['headend']:.0f} s"
            f" ({1e6 * used['headend'] / meters:.0f} us a meter), fleet {used['fleet']:.0f} s; memory of the head-end"
            f" {cpu['headend'].highest_resident() / 1e6:.0f} MB"
        )
    closing(
        "collect", round(took), "s", reference=f"bound {bound:.0f} s", ratio=took / bound, goal=GOAL,
        met=took <= GOAL * bound and share >= SHARE, share=round(share, 5), meters=meters,
    )  # fmt: skip


if __name__ == "__main__":
    main()

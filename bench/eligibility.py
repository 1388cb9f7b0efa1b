"""A million connections judged, each with every reason against a cut, over their whole ledger; and one by itself.

As the role `app` and by the statement that a dry run uses: the function by which the interlock judges as well, asked in
slices over a few connections at once. The clock runs from the first slice asked until the last reason is here; the
count of each reason is printed. One connection is asked through the journey that explains it, both rules compared.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg

from bahal.entry.instance import Profile
from bahal.rehearsal.almanac import STORY_MONDAY
from bahal.rehearsal.population import populate
from bench.figures import closing, median_of
from bench.stage import TEN_O_CLOCK, Stage, say, stage

GOAL_S = 60.0
ONE_GOAL_MS = 10.0
ASK = "SELECT reasons FROM authority_facts(%s::bigint[], %s, NULL, NULL, NULL, true)"
REFERENCE = "the goal: a million connections with full reasons in a minute on two cores"


def slices(numbers: list[int], size: int) -> list[list[int]]:
    """The connections, so many at a time."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def everybody(the_stage: Stage, parts: list[list[int]], clerks: int) -> tuple[float, Counter[tuple[str, ...]]]:
    """Seconds for all, and how many stand under which reasons."""

    def work(nth: int) -> Counter[tuple[str, ...]]:
        counted: Counter[tuple[str, ...]] = Counter()
        with psycopg.connect(the_stage.dsn("app"), autocommit=True) as app:
            app.execute("SET jit = off")
            for part in parts[nth::clerks]:
                counted.update(tuple(row[0]) for row in app.execute(ASK, (part, TEN_O_CLOCK), binary=True))
        return counted

    begun = time.perf_counter()
    with ThreadPoolExecutor(clerks) as pool:
        found = sum(pool.map(work, range(clerks)), Counter[tuple[str, ...]]())
    return time.perf_counter() - begun, found


def one_by_one(numbers: list[int], asked: int) -> list[float]:
    """Milliseconds for each of so many connections through the journey."""
    from bahal.journeys.explain_eligibility import explain_eligibility

    chosen = random.Random(7).sample(numbers, asked)  # noqa: S311  # which are asked, no secret
    took = []
    for number in chosen:
        begun = time.perf_counter()
        explain_eligibility(connection=number, business_at=TEN_O_CLOCK)
        took.append(1000 * (time.perf_counter() - begun))
    return took


def main() -> None:
    """Make the people, judge them, and print the closing JSON line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--connections", type=int, default=1_000_000)
    asked.add_argument("--candidates", type=int, default=50_000, help="who may be cut")
    asked.add_argument("--postings", type=int, default=5_000_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--clerks", type=int, default=2, help="database connections at once")
    asked.add_argument("--slice", type=int, default=5_000)
    given = asked.parse_args()
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-eligibility"))
        made = populate(
            app_dsn=the_stage.dsn("app"), owner_dsn=the_stage.dsn("owner"), connections=given.connections,
            candidates=given.candidates, postings=given.postings, monday=STORY_MONDAY,
        )  # fmt: skip
        say(f"{made.connections} connections, {made.postings} postings, {made.bills} bills in {made.made_s:.0f} s")
        the_stage.enter()
        with psycopg.connect(the_stage.dsn("app"), autocommit=True) as app:
            numbers = [row[0] for row in app.execute("SELECT id FROM network_connection ORDER BY id")]
        parts = slices(numbers, given.slice)
        runs = []
        for n in range(given.runs):
            seconds, found = everybody(the_stage, parts, given.clerks)
            say(f"run {n + 1}: {seconds:.1f} s, {found[()]} may be cut")
            if sum(found.values()) != given.connections or found[()] != given.candidates:
                raise SystemExit(f"judged {sum(found.values())}, {found[()]} may be cut: not those that were made")
            runs.append(seconds)
        for against, count in found.most_common(5):
            say(f"{count:>9}  {', '.join(against) or 'may be cut'}")
        value = median_of("all judged", runs, unit="s")
        took = one_by_one(numbers, 300)
        high = statistics.quantiles(took, n=20)[-1]
        say(f"one connection: median {statistics.median(took):.2f} ms, p95 {high:.2f} ms")
        closing(
            "eligibility",
            round(value, 1),
            "s",
            reference=REFERENCE,
            ratio=GOAL_S / value,
            goal=GOAL_S,
            met=value <= GOAL_S and high <= ONE_GOAL_MS,
            connections=given.connections,
            one_p95_ms=round(high, 2),
        )


if __name__ == "__main__":
    main()

"""Two thousand have paid at once: each feeder's ramp is held by the meters' own log, and nobody waits for more.

2,100 of 3,300 meters on twenty feeders are cut by a drive. The interlock is stopped; 2,000 pay (by the journey, as fast
as it takes them) and wait; the interlock starts, and the ramp (rules of two officers, printed) lets each feeder take
what it bears. Meanwhile 24 on the twentieth feeder, where nobody else pays, pay one by one over HTTP: they must not
feel the crowd.

The ideal is the ramp alone: the same orders through the same buckets from the interlock's first claim on, and light at
once. What the product adds to it is the figure: p99 from there to the relay's close, over the ideal's p99.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import psycopg

from bahal.domains.supply.restoring import read_restoring, shipped_restoring
from bahal.entry.instance import Profile
from bench.figures import closing, percentile
from bench.light import Counter, cut_all, lit
from bench.stage import Stage, say, stage

FEEDERS = 20
PER_FEEDER = 165
CROWD = 2_000
QUIET = 24
QUIET_RATE = 2.0
QUIET_AFTER_S = 5.0
GOAL = 1.10
QUIET_GOAL_MS = 300.0
LIMIT_S = 600.0
SLACK_KW = 0.5
"""Two clocks are read, the database's and the fleet's: on one machine they agree within a tenth of a second."""

RULES = {"feeder_kw_at_once": 50, "feeder_kw_per_minute": 120, "transformer_percent_at_once": 200}
OWN = {1: (100, 240), 2: (40, 90), 3: (30, 180)}
"""Feeders with limits of their own: kW at once, kW a minute."""


class Restored(NamedTuple):
    """One that was paid for. Kilowatts as the ramp counts them; wall time, `ordered_at` not before the first claim."""

    meter: str
    feeder: int
    kw: float
    ordered_at: datetime
    released_at: datetime


def set_rules(the_stage: Stage) -> None:
    """The ramp by two officers' document."""
    from bahal.journeys.set_restoring import accept, propose

    text = shipped_restoring().replace('"cg-restoring-2025-1"', '"bench"').replace("2020-01-01", "2025-11-01")
    for name, number in RULES.items():
        head, _, rest = text.partition(f"[{name}]\nvalue = ")
        text = f"{head}[{name}]\nvalue = {number}\n{rest.partition(chr(10))[2]}"
    for feeder, (at_once, a_minute) in OWN.items():
        text += f"\n[feeders.{feeder}]\nkw_at_once = {at_once}\nkw_per_minute = {a_minute}\n"
        text += 'source = "bench"\nverified = false\n'
    times = {"at": the_stage.clock.wall(), "business_at": the_stage.clock.now()}
    version = propose(text=text, file="bench", officer="ee", **times)
    accept(version=version, officer="se", reason="bench", **times)
    found = read_restoring(text, file="bench")
    say(f"ramp: {found.version}, proposed by ee and accepted by se: {dict(found.rules)}; feeders {dict(found.feeders)}")


def pay(the_stage: Stage, _meter: str, connection: int, paise: int) -> None:
    """One payment, by its journey.

    :raises SystemExit: it brought no order.
    """
    from bahal.journeys.take_payment import take_payment

    taken = take_payment(
        key=f"crowd-{connection}", connection=connection, paise=paise, channel="upi", actor="bench",
        business_at=the_stage.clock.now(),
    )  # fmt: skip
    if taken.order is None:
        raise SystemExit(f"payment of {connection} brought no order")


def limits_of(feeder: int) -> tuple[float, float]:
    """A feeder's kW at once, and kW a second."""
    at_once, a_minute = OWN.get(feeder, (RULES["feeder_kw_at_once"], RULES["feeder_kw_per_minute"]))
    return float(at_once), a_minute / 60


def ideal(restores: list[Restored]) -> list[float]:
    """Seconds that each of a feeder's restores, in their order, waits in the ramp alone."""
    at_once, per_s = limits_of(restores[0].feeder)
    level, then, waits = at_once, restores[0].ordered_at, []
    for each in restores:
        now = max(then, each.ordered_at)
        level = min(at_once, level + per_s * (now - then).total_seconds())
        wait = max(0.0, (min(each.kw, at_once) - level) / per_s)
        # The next in line comes after this one.
        level += per_s * wait - each.kw
        until = now.timestamp() + wait
        waits.append(until - each.ordered_at.timestamp())
        then = datetime.fromtimestamp(until, tz=now.tzinfo)
    return waits


def held(feeder: int, restores: list[Restored], on: dict[str, datetime]) -> float:
    """How far over its limit a feeder ever was, in kW, by the instants at which its relays closed."""
    at_once, per_s = limits_of(feeder)
    first = min(each.released_at for each in restores)
    taken, most = 0.0, float("-inf")
    for each in sorted(restores, key=lambda restored: on[restored.meter]):
        taken += each.kw
        most = max(most, taken - at_once - per_s * (on[each.meter] - first).total_seconds())
    return most


def main() -> None:
    """Cut, let the crowd pay and a few beside it, and compare with the ramp alone."""
    parser = argparse.ArgumentParser(prog="make bench NAME=restore")
    parser.add_argument("--crowd", type=int, default=CROWD)
    asked = parser.parse_args()
    meters = asked.crowd + asked.crowd // 20
    connections = FEEDERS * PER_FEEDER
    with stage() as the_stage:
        the_stage.build(Profile.rehearsal(connections=connections, defaulters=meters))
        the_stage.fill(connections=connections, candidates=meters, postings=connections * 8)
        set_rules(the_stage)
        the_stage.start(the_stage.fleet(), the_stage.interlock(), *the_stage.business())
        cut_all(the_stage, meters)
        with psycopg.connect(the_stage.dsn("reader"), autocommit=True) as reader:
            dark = reader.execute(
                "SELECT o.meter, o.connection, b.due_paise, t.feeder_id FROM supply_order o"
                " JOIN ledger_balance b ON b.connection = o.connection"
                " JOIN network_connection c ON c.id = o.connection"
                " JOIN network_transformer t ON t.id = c.transformer_id WHERE o.kind = 'cut' ORDER BY o.id"
            ).fetchall()
            crowd = [who[:3] for who in dark if who[3] != FEEDERS][: asked.crowd]
            quiet = [who[:3] for who in dark if who[3] == FEEDERS][:QUIET]
            beside = Counter(the_stage.web)
            the_stage.stop("interlock")
            begun = time.monotonic()
            for who in crowd:
                pay(the_stage, *who)
            say(f"{len(crowd)} paid in {time.monotonic() - begun:.1f} s, the interlock away")
            the_stage.start(the_stage.interlock())
            begun = time.monotonic()
            with ThreadPoolExecutor(4) as few:
                paying: list[Future[None]] = []
                for nth, who in enumerate(quiet):
                    time.sleep(max(0.0, begun + QUIET_AFTER_S + nth / QUIET_RATE - time.monotonic()))
                    paying.append(few.submit(beside.pay, *who))
                for each in paying:
                    each.result()
            count = len(crowd) + len(quiet)
            deadline = time.monotonic() + LIMIT_S
            while len(on := lit(the_stage.movements())) < count and time.monotonic() < deadline:
                time.sleep(1.0)
            rows = reader.execute(
                "SELECT meter, feeder, load_w / 1000.0 * %s / 100, made_at, released_at FROM supply_order"
                " WHERE kind = 'restore' ORDER BY id",
                [read_restoring(shipped_restoring(), file="shipped").rules["cold_load_percent"]],
            ).fetchall()
    if len(on) < count:
        raise SystemExit(f"{count - len(on)} of {count} who paid stayed dark")
    began = min(released_at for *_, released_at in rows)
    by_feeder: dict[int, list[Restored]] = {}
    for meter, feeder, kw, ordered_at, released_at in rows:
        due = max(began, ordered_at)
        by_feeder.setdefault(feeder, []).append(Restored(meter, feeder, float(kw), due, released_at))
    ramp: dict[str, float] = {}
    over: dict[int, float] = {}
    for feeder, restores in sorted(by_feeder.items()):
        ramp |= dict(zip((each.meter for each in restores), ideal(restores), strict=True))
        over[feeder] = held(feeder, restores, on)
        at_once, per_s = limits_of(feeder)
        last = max(on[each.meter] for each in restores)
        seconds = (last - min(each.ordered_at for each in restores)).total_seconds()
        say(
            f"feeder {feeder:>2}: {len(restores)} lit, {sum(each.kw for each in restores):.0f} kW through"
            f" {at_once:.0f} kW and {per_s * 60:.0f} kW a minute in {seconds:.1f} s;"
            f" most over its limit {over[feeder]:+.2f} kW"
        )
    paid = [meter for meter, *_ in crowd]
    waited = [(on[meter] - began).total_seconds() for meter in paid]
    alone = [(on[meter] - at).total_seconds() * 1e3 for meter, at in beside.answered.items()]
    added = [(on[meter] - began).total_seconds() - ramp[meter] for meter in paid]
    bound = percentile([ramp[meter] for meter in paid], 0.99)
    p99, quiet_p99 = percentile(waited, 0.99), percentile(alone, 0.99)
    say(f"the ramp alone: p50 {percentile([ramp[meter] for meter in paid], 0.5):.2f} s, p99 {bound:.2f} s")
    say(f"the crowd: p50 {percentile(waited, 0.5):.2f} s, p99 {p99:.2f} s, most {max(waited):.2f} s")
    say(f"added to the ramp: p50 {percentile(added, 0.5):.3f} s, p99 {percentile(added, 0.99):.3f} s")
    say(f"beside it, on a quiet feeder: p50 {percentile(alone, 0.5):.1f} ms, p99 {quiet_p99:.1f} ms")
    closing(
        "restore",
        round(p99, 2),
        "s",
        reference=f"the ramp alone, {bound:.2f} s",
        ratio=p99 / bound,
        goal=round(GOAL * bound, 2),
        met=p99 <= GOAL * bound and max(over.values()) <= SLACK_KW and quiet_p99 <= QUIET_GOAL_MS,
        most_over_kw=round(max(over.values()), 2),
        quiet_p50_ms=round(percentile(alone, 0.5), 1),
        quiet_p99_ms=round(quiet_p99, 1),
    )


if __name__ == "__main__":
    main()

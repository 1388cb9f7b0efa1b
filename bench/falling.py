"""The falling-consumption warning against a fleet whose causes are known: precision and recall, and each cause apart.

Households of five shapes draw through seven weeks with a season, weekly noise, festivals of a neighbourhood and missing
days. In the last week some are bypassed, some slowed, and many fall for honest reasons: an empty house, a holiday of a
few days, solar panels, a thriftier home. The generator knows nothing of the rules; the seeds were not chosen.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from bahal.lake.signals.falling import WEEK, Caution, Finding, falling
from bahal.lake.vee.rules import MISSING_VALUE
from bench.figures import closing, median_of

SLOTS = 48
GUILTY = ("bypassed in part", "bypassed by night", "slowed")
INNOCENT = ("empty house", "few days away", "solar panels", "thrifty home", "cooler week")
GOAL = 0.85


def shapes() -> np.ndarray:
    """Five kinds of household, the day's energy as shares of half hours."""
    hour = np.arange(SLOTS) / 2
    bump = lambda at, width: np.exp(-(((hour - at + 12) % 24 - 12) ** 2) / (2 * width**2))  # noqa: E731
    raw = np.stack(
        [
            0.4 + 1.0 * bump(7, 1.5) + 1.8 * bump(20, 2.5),
            0.5 + 1.2 * bump(13, 4.0) + 0.5 * bump(20, 2.0),
            0.3 + 2.0 * bump(22, 3.0) + 0.8 * bump(3, 3.0),
            0.6 + 0.7 * bump(10, 3.0) + 1.1 * bump(19, 3.0),
            0.3 + 2.5 * bump(14, 3.5),
        ]
    )
    return raw / raw.sum(axis=1, keepdims=True)


def live(chance: np.random.Generator, meters: int, weeks: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What was measured, and why each meter fell (index into causes, -1 for none)."""
    days = (weeks + 1) * WEEK
    causes = GUILTY + INNOCENT
    kind = chance.integers(0, 5, meters)
    daily = chance.lognormal(np.log(6_000), 0.6, meters)
    season = 1 + 0.25 * np.sin(np.linspace(0, 1.2, days) + chance.uniform(0, 6))
    transformer = np.sort(chance.integers(0, max(1, meters // 40), meters))
    place = chance.normal(0, 0.05, (meters // 40 + 1, days)).cumsum(axis=1) * 0.2
    festival = chance.random((meters // 40 + 1, days)) < 0.02
    steady = np.exp(
        np.repeat(chance.normal(0, 0.06, (meters, weeks + 1)), WEEK, axis=1) + chance.normal(0, 0.15, (meters, days))
    )
    level = daily[:, None] * season[None, :] * np.exp(place[transformer]) * (1 + 0.4 * festival[transformer]) * steady
    cause = np.full(meters, -1)
    fallen = chance.permutation(meters)
    start = 0
    for nth, share in enumerate((0.004, 0.002, 0.004, 0.03, 0.03, 0.01, 0.03)):
        count = int(meters * share)
        cause[fallen[start : start + count]] = nth
        start += count
    cool = np.isin(transformer, chance.choice(transformer.max() + 1, (transformer.max() + 1) // 10, replace=False))
    cause[cool & (cause < 0)] = 7
    measured = shapes()[kind][:, None, :] * level[:, :, None] * np.exp(chance.normal(0, 0.2, (meters, days, SLOTS)))
    week, hour = slice(days - WEEK, days), np.arange(SLOTS) / 2
    for nth, name in enumerate(causes):
        rows = np.flatnonzero(cause == nth)
        if name == "bypassed in part":
            measured[rows, week] *= chance.uniform(0.2, 0.5, (len(rows), 1, 1))
        elif name == "bypassed by night":
            dark = (hour >= 18) | (hour < 6)
            measured[np.ix_(rows, np.arange(days - WEEK, days), np.flatnonzero(dark))] *= 0.15
        elif name == "slowed":
            measured[rows, week] *= chance.uniform(0.4, 0.55, (len(rows), 1, 1))
        elif name == "empty house":
            measured[rows, week] = chance.uniform(20, 45, (len(rows), 1, 1)) * np.exp(
                chance.normal(0, 0.1, (len(rows), WEEK, SLOTS))
            )
        elif name == "few days away":
            measured[rows, days - 3 :] = 30 * np.exp(chance.normal(0, 0.1, (len(rows), 3, SLOTS)))
        elif name == "solar panels":
            sun = np.exp(-((hour - 12.5) ** 2) / 12)
            measured[rows, week] *= 1 - chance.uniform(0.85, 1.0, (len(rows), 1, 1)) * np.minimum(1, 1.6 * sun)
        elif name == "thrifty home":
            measured[rows, week] *= chance.uniform(0.75, 0.92, (len(rows), 1, 1))
        elif name == "cooler week":
            measured[rows, week] *= 0.6
    if (cause == 7).any():
        others = cool & (cause >= 0) & (cause != 7)
        measured[others, week] *= 0.6
    totals = measured.sum(axis=2).astype(np.int64)
    totals[chance.random(totals.shape) < 0.02] = MISSING_VALUE
    return {
        "totals": totals,
        "before": measured[:, : days - WEEK].mean(axis=1),
        "latest": measured[:, week].mean(axis=1),
        "transformer": transformer.astype(np.int64),
    }, cause


def main() -> None:
    """Three fleets, one after the other."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--meters", type=int, default=20_000)
    asked.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    given = asked.parse_args()
    caution = Caution()
    causes = GUILTY + INNOCENT
    precision, recall, rate = [], [], []
    found: Counter[str] = Counter()
    raised: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for seed in given.seeds:
        data, cause = live(np.random.default_rng(seed), given.meters, caution.weeks)
        began = time.perf_counter()
        seen = falling(**data, caution=caution)
        rate.append(given.meters / (time.perf_counter() - began))
        guilty = (cause >= 0) & (cause < len(GUILTY))
        hit = int(guilty[seen.warned].sum())
        precision.append(hit / max(1, len(seen.warned)))
        recall.append(hit / int(guilty.sum()))
        for nth in range(-1, len(causes)):
            name = causes[nth] if nth >= 0 else "nothing"
            there[name] += int((cause == nth).sum())
            raised[name] += int((cause[seen.warned] == nth).sum())
            found[name] += int((seen.finding[cause == nth] == Finding.FALLING).sum())
    print(f"{'cause':<20}{'meters':>9}{'found':>9}{'warned':>9}")
    for name in (*causes, "nothing"):
        print(f"{name:<20}{there[name]:>9}{found[name]:>9}{raised[name]:>9}")
    median_of("meters looked at", rate, unit="a second", digits=0)
    exact = median_of("precision", precision, unit="", digits=3)
    complete = median_of("recall", recall, unit="", digits=3)
    met = exact >= GOAL
    closing("falling", round(exact, 3), "precision", reference="labelled fleet", ratio=None, goal=GOAL, met=met,
            recall=round(complete, 3), budget_per_thousand=caution.per_thousand)  # fmt: skip


if __name__ == "__main__":
    main()

"""How a bench says what it found: every run, their median and spread, and one line of JSON at the end."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any


def median_of(name: str, runs: Sequence[float], *, unit: str, digits: int = 1) -> float:
    """Print the runs with their median and spread; the median."""
    value = statistics.median(runs)
    print(f"{name}: runs {' '.join(f'{each:.{digits}f}' for each in runs)} {unit}")
    print(
        f"{name}: median {value:.{digits}f} {unit}, spread {min(runs):.{digits}f} to {max(runs):.{digits}f}", flush=True
    )
    return value


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -(-int(share * 1000 * len(ranked)) // 1000) - 1))]


def closing(
    bench: str, value: float, unit: str, *, reference: Any, ratio: float | None, goal: float, met: bool, **more: Any
) -> None:
    """The last line of a bench."""
    line = {
        "bench": bench,
        "value": value,
        "unit": unit,
        "reference": reference,
        "ratio": None if ratio is None else round(ratio, 3),
        "goal": goal,
        "met": met,
    }
    print(json.dumps({**line, **more}), flush=True)

"""Once a week the fleet's consumption is looked at, and the few that fell without a reason become warnings.

The lake gives seven weeks, the network who is whose neighbour, the rulebook `falling` how much caution. Whom we cut
ourselves, whose meter was changed within those weeks, and who has an open warning already is passed over; the others
are ranked by the energy at stake, as many as the budget allows.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from bahal.domains.protection.operations import NewWarning, write_run, write_warnings
from bahal.domains.protection.queries import document_in_force
from bahal.domains.protection.rulebook import read_numbers
from bahal.foundation.audit.operations import Act, record, record_many
from bahal.foundation.rows import many, value
from bahal.foundation.transactions import transaction
from bahal.lake.layout import Lake
from bahal.lake.signals.falling import WEEK, Caution, Finding, falling
from bahal.lake.signals.weeks import Weeks, gathered

GROUP = 100_000
"""Meters looked at together; a transformer's are never parted."""


class Looked(NamedTuple):
    """One look: how many meters, how many by finding, and the new warnings."""

    run: int
    looked: int
    found: dict[str, int]
    warnings: int


class _Candidate(NamedTuple):
    at_stake_wh: int
    meter: str
    missing: float
    sigmas: float
    usual_wh: int


def warn_falling(
    *,
    lake: Lake,
    week_end: date,
    actor: str,
    at: datetime,
    business_at: datetime,
    beside: Callable[[Looked], None] | None = None,
) -> Looked:
    """Look at the week that ends before `week_end`; what was found.

    :param beside: called with it inside the transaction, to commit with the warnings.
    :raises RulesWrong: the product cannot read the rules in force any more.
    """
    caution = caution_in_force(week_end)
    everybody = replace(caution, per_thousand=1_000.0)  # the budget is the fleet's, not a group's
    found: Counter[str] = Counter()
    candidates: list[_Candidate] = []
    looked = 0
    groups = int(value("SELECT count(*) FROM meters_meter")) // GROUP + 1
    with tempfile.TemporaryDirectory(prefix="bahal-falling-") as folder:
        for part in gathered(
            lake, end=week_end, weeks=caution.weeks, place_of=transformers, groups=groups, folder=Path(folder)
        ):
            looked += len(part)
            candidates += _candidates(part, everybody, found)
    with transaction():
        passed_over = _passed_over([each.meter for each in candidates], since=week_end - _span(caution))
        found["passed_over"] = len(passed_over)
        ranked = sorted(
            (each for each in candidates if each.meter not in passed_over), key=lambda each: (-each[0], each[1])
        )
        budget = max(1, int(looked * caution.per_thousand / 1_000))
        run = write_run(
            week_end=week_end,
            rules=caution.version,
            looked=looked,
            found=json.dumps(dict(sorted(found.items()))),
            at=at,
        )
        new = write_warnings(_warnings(ranked[:budget]), run_id=run, week_end=week_end, rules=caution.version, at=at)
        missing = {each.meter: round(each.missing * 100) for each in ranked[:budget]}
        record_many(
            [
                Act("protection.warning", f"meter {meter}", connection,
                    {"meter": meter, "warning": warning, "missing_percent": missing[meter]})
                for warning, meter, connection in new
            ],
            actor=actor, at=at, business_at=business_at,
        )  # fmt: skip
        data = {"week_end": week_end, "looked": looked, "warnings": len(new), "rules": caution.version}
        record(actor=actor, act="protection.warned", subject="falling", data=data, at=at, business_at=business_at)
        result = Looked(run, looked, dict(found), len(new))
        if beside is not None:
            beside(result)
    return result


def caution_in_force(on: date) -> Caution:
    """With how much caution warnings are raised: the product's own, or what two officers put in its place."""
    text = document_in_force(name="falling", on=on)
    return Caution() if text is None else read_numbers(Caution, text, name="falling")


def transformers(meters: pa.Array) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The transformer of each meter, -1 for one on no connection."""
    where: dict[str, int] = dict(
        many(
            "SELECT m.serial, c.transformer_id FROM meters_meter m JOIN network_connection c ON c.id = m.connection"
            " WHERE m.serial = ANY(%s::text[])",
            meters.to_pylist(),
        )
    )
    return np.array([where.get(meter, -1) for meter in meters.to_pylist()], np.int64)


def _candidates(part: Weeks, caution: Caution, found: Counter[str]) -> list[_Candidate]:
    seen = falling(part.totals, before=part.before, latest=part.latest, transformer=part.transformer, caution=caution)
    for finding, count in zip(*np.unique(seen.finding, return_counts=True), strict=True):
        found[Finding(int(finding)).name.lower()] += int(count)
    return [
        _Candidate(
            int(seen.at_stake_wh[row]),
            part.meter[row].decode(),
            float(seen.missing[row]),
            float(seen.sigmas[row]),
            round(int(seen.at_stake_wh[row]) / max(float(seen.missing[row]), 0.01)),
        )
        for row in seen.warned.tolist()
    ]


def _passed_over(meters: list[str], *, since: date) -> set[str]:
    """Whose fall has a reason that the business knows, or who has an open warning."""
    return {
        row[0]
        for row in many(
            "SELECT m.serial FROM meters_meter m WHERE m.serial = ANY(%s::text[]) AND (m.installed_on >= %s"
            " OR EXISTS (SELECT FROM interlock_sending s WHERE s.connection = m.connection AND s.kind = 'cut'"
            "   AND s.business_at >= %s)"
            " OR EXISTS (SELECT FROM supply_fence f WHERE f.connection = m.connection AND f.desired = 'off')"
            " OR EXISTS (SELECT FROM protection_warning w WHERE w.meter = m.serial AND w.closed_at IS NULL))",
            meters,
            since,
            since,
        )
    }


def _warnings(ranked: list[_Candidate]) -> list[NewWarning]:
    where: dict[str, int] = dict(
        many(
            "SELECT serial, connection FROM meters_meter WHERE serial = ANY(%s::text[])",
            [each.meter for each in ranked],
        )
    )
    return [
        NewWarning(
            each.meter,
            where[each.meter],
            rank,
            round(each.missing * 1_000),
            round(each.sigmas * 100),
            each.at_stake_wh,
            each.usual_wh,
        )
        for rank, each in enumerate(ranked, 1)
        if each.meter in where
    ]


def _span(caution: Caution) -> timedelta:
    return timedelta(days=WEEK * (caution.weeks + 1))

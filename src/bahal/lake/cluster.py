"""The same run on many machines: each bucket of a day is worked on wherever the cluster has room.

`BAHAL_RAY` is the address of a Ray cluster; without it the run stays in this process. The workers only need the lake's
address: each reads its bucket, and commits what came out by itself, once per run.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from bahal.lake.layout import Lake
from bahal.lake.vee.rules import Parameters
from bahal.lake.vee.run import Edit, Ran, drawing_transformers, total, validate_bucket, validate_day
from bahal.shared.errors import ENVIRONMENT, Refusal


class ClusterSilent(Refusal):
    """The cluster at `BAHAL_RAY` does not answer, or the software for it is not installed."""

    code = "cluster_silent"
    exit_code = ENVIRONMENT
    hi = "क्लस्टर {address} उत्तर नहीं दे रहा: {why}"
    en = "The cluster at {address} does not answer: {why}"


def run_day(
    lake: Lake,
    *,
    day: date,
    run: int,
    parameters: Parameters,
    buckets: Collection[int] | None = None,
    told: Mapping[str, int] | None = None,
    edits: Sequence[Edit] = (),
    address: str | None = None,
) -> Ran:
    """Validate a day on the cluster at `address`, else at `BAHAL_RAY`, else here.

    :param buckets: only these; None for all.
    :param told: what else the business knows of meters on this day, `Rule` bits by serial.
    :param edits: what officers put in the place of intervals, in the order in which they were accepted.
    :raises ClusterSilent: there is no such cluster, or Bahal was installed without its extra `cluster`.
    """
    where = address or os.environ.get("BAHAL_RAY")
    if not where:
        return validate_day(lake, day=day, run=run, parameters=parameters, buckets=buckets, told=told, edits=edits)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as missing:
        raise ClusterSilent(address=where, why=str(missing)) from missing
    try:
        ray.init(address=where, log_to_driver=False, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError) as failure:
        raise ClusterSilent(address=where, why=str(failure)) from failure
    there: Any = ray.remote(validate_bucket)  # type: ignore[arg-type]  # typed for functions without arguments
    drawing = ray.put(drawing_transformers(lake, day=day))
    parts = [
        there.remote(
            lake.uri, day=day, bucket=bucket, run=run, parameters=parameters, drawing=drawing, told=told, edits=edits
        )
        for bucket in (range(lake.buckets) if buckets is None else buckets)
    ]
    return total(ray.get(parts))

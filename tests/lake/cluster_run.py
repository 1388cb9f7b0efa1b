"""Validates a day on a cluster of two nodes on this machine: `python -m tests.lake.cluster_run LAKE DAY RUN`.

A process of its own: a cluster belongs to its process, and its workers outlive no test.
"""

import os
import sys
from datetime import date

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray.cluster_utils import Cluster

from bahal.lake.cluster import run_day
from bahal.lake.layout import open_lake
from bahal.lake.vee.rules import Parameters

STORE = 100_000_000

if __name__ == "__main__":
    uri, day, run = sys.argv[1:]
    node = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        ran = run_day(
            open_lake(uri),
            day=date.fromisoformat(day),
            run=int(run),
            parameters=Parameters(),
            address=cluster.address,
        )
        nodes = sum(1 for each in ray.nodes() if each["Alive"])
        sys.stdout.write(f"{nodes} {ran.meters} {ran.estimated}\n")
    finally:
        ray.shutdown()
        cluster.shutdown()

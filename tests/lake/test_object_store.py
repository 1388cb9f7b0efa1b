"""The lake in an S3-compatible store: a server of its own, two writers at once, and nobody's rows lost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest

from bahal.lake.layout import make_lake, open_lake
from bahal.lake.vee.rules import Parameters
from bahal.lake.vee.run import validate_day
from tests.entry.instance import free_port
from tests.lake.test_tables import DAY, intervals

BATCHES = 8


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket in a store that is a process of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(trust_env=False) as client:
            for _ in range(300):
                try:
                    made = client.put(f"{url}/readings")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            made.raise_for_status()
        yield "s3://readings/lake"
    finally:
        server.kill()
        server.wait()


def test_two_writers_at_once_lose_nothing_and_double_nothing(bucket: str) -> None:
    lake = make_lake(bucket, buckets=2)

    def write(writer: str) -> int:
        mine = open_lake(bucket)
        done = 0
        for batch in range(BATCHES):
            rows = intervals(mine, f"{writer}{batch}", [batch] * 24, batch=batch)
            done += mine.append("interval", rows, writer=writer, batch=batch)
            done += mine.append("interval", rows, writer=writer, batch=batch)
        return done

    with ThreadPoolExecutor(2) as two:
        assert list(two.map(write, ("A", "B"))) == [BATCHES, BATCHES]
    rows = lake.rows("interval", day=DAY)
    assert sorted(rows["meter"].to_pylist()) == sorted(
        f"{writer}{batch}" for writer in "AB" for batch in range(BATCHES)
    )
    assert lake.rows("interval", day=date(2025, 11, 21)).num_rows == 0
    ran = validate_day(lake, day=DAY, run=1, parameters=Parameters())
    assert ran.meters == 2 * BATCHES
    assert lake.rows("validated", day=DAY)["total_wh"].to_pylist() != []

"""A consumer's day by the interface for programs, in both languages; a stranger is not told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
from django.test import Client

from tests.journeys import town
from tests.journeys.lakes import lay_lake, validated
from tests.plugin.databases import Database


def test_a_day_is_told_to_who_may_know(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)
    first = town.found(connections=1, reminded=False, due=0).connections[0]
    today = datetime.now(UTC).date()
    client = Client(REMOTE_ADDR="127.0.0.1")
    away = client.get(f"/api/v1/consumers/{first}/day")
    assert (away.status_code, away.json()["error"]) == (503, "lake_unknown")
    lake = lay_lake(database.home.path / "lake")
    for back in range(30):
        validated(lake, today - timedelta(days=back), {f"M{first}": np.full(48, 100, np.int32)})
    shown = client.get(f"/api/v1/consumers/{first}/day")
    assert shown.status_code == 200, shown.content
    said = shown.json()
    assert (said["wh"], said["half_hours"], said["meter"]) == (4_800, [100] * 48, f"M{first}")
    assert said["projection"]["paise"] > 0
    assert "यूनिट" in said["hi"]
    assert "kWh" in said["en"]
    stranger = client.get("/api/v1/consumers/1/day")
    assert (stranger.status_code, stranger.json()["error"]) == (404, "consumer_day_unknown")
    assert client.get("/api/v1/consumers/12345678901/day").json()["error"] == "body_malformed"
    assert Client(REMOTE_ADDR="10.0.0.9").get(f"/api/v1/consumers/{first}/day").status_code == 401

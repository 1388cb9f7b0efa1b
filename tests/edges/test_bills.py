"""A bill and the half hours behind its lines by the interface for programs."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
from django.test import Client

from tests.journeys.billed import AUGUST, JULY, accept_all, bill, found, read
from tests.journeys.lakes import lay_lake, validated
from tests.plugin.databases import Database


def test_a_bill_is_followed_line_by_line_down_to_half_hours(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 180})
    bill(JULY, date(2025, 8, 6))
    client = Client(REMOTE_ADDR="127.0.0.1")
    at = f"/api/v1/bills/202507-{connection}"
    shown = client.get(at)
    assert shown.status_code == 200, shown.content
    said = shown.json()
    assert said["paise"] == sum(line["paise"] for line in said["lines"])
    assert [line["number"] for line in said["lines"] if line["opens"]] == [1, 2]
    assert client.get(f"{at}/lines/1").json()["error"] == "lake_unknown"

    lake = lay_lake(database.home.path / "lake")
    for nth in range(31):
        validated(lake, JULY + timedelta(days=nth), {f"M{connection}": np.full(48, 121, np.int32)})
    opened = client.get(f"{at}/lines/2")
    assert opened.status_code == 200, opened.content
    line = opened.json()
    assert (line["from"], line["to"], line["opens_by"], line["billed_by"]) == (
        "2025-07-01", "2025-08-01", "slab", "register",
    )  # fmt: skip
    assert line["behind_line"] == 31 * 48 * 121 - 100_000
    assert line["stretches"][0]["difference_wh"] == 180_000 - 31 * 48 * 121
    assert [len(day["wh"]) for day in line["days"]] == [48] * 31

    duty = next(each["number"] for each in said["lines"] if each["component"] == "duty")
    refused = client.get(f"{at}/lines/{duty}")
    assert (refused.status_code, refused.json()["error"]) == (422, "bill_line_of_no_use")
    for path, error in ((f"{at}/lines/99", "bill_line_unknown"), ("/api/v1/bills/1", "bill_unknown")):
        away = client.get(path)
        assert (away.status_code, away.json()["error"]) == (404, error)
    assert Client(REMOTE_ADDR="10.0.0.9").get(at).status_code == 401
    assert Client(REMOTE_ADDR="10.0.0.9").get(f"{at}/lines/1").status_code == 401

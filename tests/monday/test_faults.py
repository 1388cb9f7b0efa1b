"""The Monday with the field's faults: every order verified or a task with its cause, and the meters' log agrees."""

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bahal.fleet.faults import PROFILES, Kind, fault_of
from bahal.rehearsal.recovery.words import cause
from tests.entry.instance import processes_of
from tests.monday.living import Lived, live

SEED = 7
"""A seed whose listed meters meet ten kinds, five of them for good, and none of those that take a minute to give up."""
WISHES = {
    "consumers": 1200,
    "defaulters": 137,
    "payers": 41,
    "rupees": 512345,
    "reply_delay": 0,
    "faults": "field",
    "seed": SEED,
}


@pytest.fixture(scope="module")
def monday() -> Iterator[Lived]:
    folder = Path(tempfile.mkdtemp(prefix="bahal-faults-"))
    folder.chmod(0o711)  # under root the database is `nobody`, who must pass through
    yield live(folder / "field", lang="hi", **WISHES)
    shutil.rmtree(folder)


def faults(lived: Lived) -> list[dict[str, Any]]:
    """The meters' own log of what they did wrong."""
    return [json.loads(line) for line in (lived.home / "logs" / "faults.jsonl").read_text().splitlines()]


def test_it_ends_well_and_leaves_nothing_running(monday: Lived) -> None:
    assert monday.code == 0, monday.told_live
    assert processes_of(monday.home) == []


def test_every_order_is_verified_or_an_open_task(monday: Lived) -> None:
    orders, tasks = monday.told["orders"], monday.told["tasks"]
    assert orders["open"] == orders["refused"] == 0
    assert orders["field_tasks"] == len(tasks) > 0
    cuts = monday.told["cut"]
    assert cuts["unknown"] == 0
    assert cuts["confirmed"] + cuts["field_tasks"] + monday.told["cancelled_paid"] == monday.told["proposed"]
    for each in tasks:
        closed_by_payment = each["kind"] == "cut" and not each["open"]
        assert each["open"] or closed_by_payment


def test_the_meters_own_log_says_the_same(monday: Lived) -> None:
    counted = monday.counted
    assert counted.inconsistencies() == []
    moved = Counter((each.meter, each.on) for each in counted.movements)
    assert max(moved.values()) == 1
    assert len(counted.cut) >= monday.told["cut"]["confirmed"]
    unconfirmed = {each["meter"] for each in monday.told["tasks"] if each["kind"] == "cut"}
    assert len(counted.cut - unconfirmed) == monday.told["cut"]["confirmed"]


def test_who_waits_for_a_lineman_had_something_wrong(monday: Lived) -> None:
    wrong = {each["meter"] for each in faults(monday)}
    assert [each for each in monday.told["tasks"] if each["meter"] not in wrong] == []
    told = monday.told["faults"]
    assert told["profile"] == "field"
    assert {kind: each["times"] for kind, each in told["by_kind"].items()} == Counter(
        each["fault"] for each in faults(monday)
    )


def test_the_terminal_and_the_page_say_which_and_why(monday: Lived) -> None:
    for each in monday.told["tasks"]:
        for text in (monday.reported, monday.page):
            assert each["meter"] in text
            assert str(each["connection"]) in text
            assert cause(each["cause"], "hi") in text
    verified = monday.told["orders"]["verified"]
    assert re.search(rf"\b{verified} रिले पढ़कर पक्के", monday.page)


def test_the_faults_are_those_of_the_seed(monday: Lived) -> None:
    drawn = {Kind.LATENCY, Kind.LOST_LINK}
    for each in faults(monday):
        if each["fault"] in drawn:
            continue
        fault = fault_of(PROFILES["field"], seed=SEED, serial=each["meter"])
        assert fault is not None
        assert fault.kind == each["fault"]

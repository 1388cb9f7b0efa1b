"""`bahal bill`: readings, runs, review, pages, revisions and doubts, as a person and a program use them."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bahal.entry import instance
from bahal.foundation.rows import many, value
from bahal.shared.clock import move_rehearsal
from bahal.shared.errors import REFUSED, USAGE
from tests.journeys import billed
from tests.journeys.billed import accept_all, found
from tests.plugin.databases import Database


class House:
    """An instance on the test's database, and its command line."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.home = database.home.path
        instance.make(database.home, rehearsal=True, business_at=billed.at(date(2025, 10, 6)))

    def on(self, day: date) -> None:
        move_rehearsal(self.database.home.run / "clock.json", business_at=billed.at(day))

    def bahal(self, *words: object, code: int = 0, lang: str = "en") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bahal.entry.cli", *map(str, words)],
            env=self.database.environ(BAHAL_LANG=lang),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def told(self, *words: object, code: int = 0) -> Any:
        return json.loads(self.bahal(*words, "--json", code=code).splitlines()[-1])


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_from_a_file_of_readings_to_a_page(house: House, tmp_path: Path) -> None:
    connections = found(3)
    accept_all()
    file = tmp_path / "registers.csv"
    rows = [f"M{c},2025-09-01,1000\nM{c},2025-10-01,{1250 + nth}" for nth, c in enumerate(connections)]
    file.write_text("meter,read_on,kwh\n" + "\n".join(rows) + "\nNOBODY,2025-10-01,5\n", encoding="utf-8")

    taken = house.told("bill", "readings", file)
    assert (taken["new"], taken["doubted"], taken["rows"][0]["line"]) == (6, 1, 8)
    assert "register_meter_unknown" in house.bahal("bill", "doubts", "list")
    house.bahal("bill", "doubts", "settle", 1, "--reason", "not ours")
    assert house.told("bill", "doubts", "list") == []

    run = house.told("bill", "run", "--month", "2025-09", "--workers", 2)
    assert (run["bills"], run["held"], run["not_billed"]) == (3, {}, {})
    assert "0 बिल जारी" in house.bahal("bill", "run", "--month", "2025-09", lang="hi")

    number = f"202509-{connections[0]}"
    shown = house.told("bill", "show", number)
    assert shown["paise"] == sum(line["paise"] for line in shown["lines"]) == 1_232_00
    assert all(line["hi"] and line["en"] for line in shown["lines"])
    assert "₹1,232.00" in house.bahal("bill", "show", number)

    assert house.told("bill", "show", number, "--line", 1, code=3)["error"] == "lake_unknown"
    house.bahal("lake", "make")
    line = house.told("bill", "show", number, "--line", 1)
    assert (line["billed_by"], line["stretches"][0]["register_wh"], line["stretches"][0]["unknown"]) == (
        "register", 250_000, 30 * 48,
    )  # fmt: skip
    assert "No half hour" in house.bahal("bill", "show", number, "--line", 1)
    assert "00:00-00:30" in house.bahal("bill", "show", number, "--line", 1, "--day", "2025-09-01")

    assert house.told("bill", "so-far", connections[0], code=1)["error"] == "nothing_so_far"

    page = tmp_path / "bill.pdf"
    house.bahal("bill", "pdf", number, "--out", page)
    assert page.read_bytes().startswith(b"%PDF")
    receipt = house.told("pay", connections[0], "1232")["receipt"]
    house.bahal("bill", "receipt", receipt, "--out", page, "--roll")
    assert page.read_bytes().startswith(b"%PDF")

    house.bahal("bill", "correct", connections[0], "2025-10-01", "1300", "--reason", "misread")
    revised = house.told("bill", "revise", connections[0], "--from", "2025-09-01", "--reason", "misread")
    assert revised == {"number": f"{number}-1", "paise": 311_00, "order": None}


def test_held_bills_are_decided_with_a_reason(house: House) -> None:
    (connection, other) = found(2)
    accept_all()
    for each in (connection, other):
        billed.read(each, {date(2025, 9, 1): 0, date(2025, 10, 1): 700})
    assert house.told("bill", "run", "--month", "2025-09")["held"] == {"unusual": 2}
    first, second = (each["draft"] for each in house.told("bill", "review", "list"))
    assert "outside the consumer's own history" in house.bahal("bill", "review", "list")
    assert house.told("bill", "review", "issue", first, "--reason", " ", code=USAGE)["error"] == "billing_reason_wanted"
    assert house.told("bill", "review", "issue", first, "--reason", "seen")["number"] == f"202509-{connection}"
    house.bahal("bill", "review", "drop", second, "--reason", "misread")
    assert (
        house.told("bill", "review", "issue", second, "--reason", "seen", code=REFUSED)["error"] == "bill_draft_unknown"
    )
    assert many("SELECT state FROM billing_draft ORDER BY id") == [("issued",), ("dropped",)]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("bill", "show", "202509-1"), REFUSED, "bill_unknown"),
        (("bill", "run", "--month", "2025-13"), USAGE, "bill_month_wrong"),
        (("bill", "run", "--month", "2025-10"), REFUSED, "billing_cycle_not_due"),
        (("bill", "revise", "2200000001", "--from", "yesterday", "--reason", "x"), USAGE, "billing_day_wrong"),
        (("bill", "revise", "2200000001", "--from", "2025-09-01", "--reason", "x"), REFUSED, "period_not_billed"),
        (("bill", "correct", "2200000001", "2025-10-01", "x", "--reason", "x"), REFUSED, "register_row_malformed"),
        (("bill", "receipt", "R1", "--out", "/dev/null"), REFUSED, "receipt_unknown"),
    ],
)
def test_what_cannot_be_is_refused_by_name(house: House, words: tuple[str, ...], code: int, error: str) -> None:
    found()
    assert house.told(*words, code=code)["error"] == error
    assert value("SELECT count(*) FROM billing_bill") == 0

"""`bahal bill quote` needs nothing but the product's files, and says each line in the reader's language."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def quote(folder: Path, *options: str, lang: str = "en") -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "BAHAL_HOME": str(folder / "nowhere"), "BAHAL_LANG": lang}
    environ.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "bahal.entry.cli", "bill", "quote", *options]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


JUNE = ("--category", "LV-1", "--from", "2019-06-01", "--to", "2019-07-01", "--phase", "1")


def answered(folder: Path, *options: str) -> dict[str, Any]:
    told = quote(folder, *options, "--json")
    assert told.returncode == 0, told.stderr
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def test_the_bill_of_the_issue(tmp_path: Path) -> None:
    bill = answered(tmp_path, *JUNE, "--units", "437")
    assert (bill["fixed_paise"], bill["energy_paise"], bill["before_duty_paise"]) == (125_950, 62_400, 188_350)
    assert (bill["duty_paise"], bill["cess_paise"], bill["rounding_paise"]) == (13_185, 4_370, -5)
    assert bill["total_paise"] == 205_900 == sum(line["paise"] for line in bill["lines"])
    assert bill["lines"][0] == {
        "rule": "telescopic", "component": "fixed", "path": "FY2019-20/LV-1/fixed/1", "unit": "kWh",
        "quantity": 100_000, "rate": 24_000, "numerator": 1, "denominator": 1, "above": 0, "upto": 100_000, "less": 0,
        "paise": 24_000, "version": "FY2019-20", "from": "2019-06-01", "to": "2019-07-01",
        "hi": "नियत प्रभार, 100 यूनिट तक: 100 यूनिट × ₹2.40 = ₹240.00",
        "en": "Fixed charge, units up to 100: 100 units x ₹2.40 = ₹240.00",
    }  # fmt: skip
    assert [each["path"] for each in bill["unverified"]] == [
        "duty-and-cess/LV-1/duty@2018-04-01",
        "duty-and-cess/LV-1+LV-2+LV-3/cess",
    ]
    assert [each["name"] for each in bill["versions"]] == ["FY2019-20", "duty-and-cess"]
    assert not (tmp_path / "nowhere").exists()


def test_every_option_is_a_determinant(tmp_path: Path) -> None:
    options = (
        "--category", "LV-2", "--from", "2025-11-01", "--to", "2025-12-01", "--units", "1,000", "--load-kw", "15",
        "--demand-kw", "17.5", "--pf", "0.82", "--peak-units", "300", "--solar-units", "200", "--export-units", "20",
        "--carried-units", "5", "--kind", "hospital", "--temporary",
    )  # fmt: skip
    bill = answered(tmp_path, *options)
    assert {line["component"] for line in bill["lines"]} >= {
        "net", "fixed", "energy", "demand", "time_of_day", "power_factor", "temporary", "rebate", "fppas", "duty",
    }  # fmt: skip
    assert bill["pieces"][0]["charged_wh"] == 975_000
    pump = answered(
        tmp_path, "--category", "LV-3", "--from", "2018-06-01", "--to", "2018-07-01", "--units", "100", "--hp", "5"
    )
    assert (pump["fixed_paise"], pump["total_paise"]) == (40_000, 88_000)
    poor = answered(
        tmp_path, "--category", "LV-1", "--from", "2025-12-01", "--to", "2026-01-01", "--units", "30", "--bpl"
    )
    assert poor["before_duty_paise"] == 0


def test_people_read_a_table_in_their_language(tmp_path: Path) -> None:
    english = quote(tmp_path, *JUNE, "--units", "437").stdout.splitlines()
    assert english[0] == "LV-1, 01-06-2019 to 01-07-2019 (1 month): 437 units"
    assert "₹2,059.00  Total" in "\n".join(english)
    hindi = quote(tmp_path, *JUNE, "--units", "437", lang="hi").stdout
    assert "ऊर्जा प्रभार, 400 से ऊपर 600 यूनिट तक: 37 यूनिट × ₹2.00 = ₹74.00" in hindi
    assert "₹2,059.00  कुल देय" in hindi
    assert quote(tmp_path, *JUNE, "--units", "437", "--lang", "hi").stdout == hindi


def test_a_period_over_two_schedules_is_split(tmp_path: Path) -> None:
    options = ("--category", "LV-1", "--from", "2025-06-15", "--to", "2025-07-15", "--units", "150")
    bill = answered(tmp_path, *options)
    assert [(piece["from"], piece["charged_wh"]) for piece in bill["pieces"]] == [
        ("2025-06-15", 80_000),
        ("2025-07-01", 70_000),
    ]
    assert [(split["day"], split["what"]) for split in bill["splits"]] == [("2025-07-01", "tariff")]
    by_one = answered(tmp_path, *options, "--schedule", "FY2019-20")
    assert [piece["from"] for piece in by_one["pieces"]] == ["2025-06-15"]
    # 100 x 1.00 + 50 x 1.10
    assert by_one["energy_paise"] == 155_00


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        ((*JUNE, "--units", "-5"), "units_negative", 2),
        ((*JUNE, "--units", "many"), "units_wrong", 2),
        ((*JUNE, "--units", "1.0005"), "units_wrong", 2),
        ((*JUNE, "--units", "5", "--to", "2019-06-01"), "period_empty", 2),
        ((*JUNE, "--units", "5", "--to", "soon"), "bill_day_wrong", 2),
        ((*JUNE, "--units", "5", "--category", "LV-9"), "category_unknown", 2),
        ((*JUNE, "--units", "5", "--schedule", "FY1999-00"), "schedule_unknown", 2),
        ((*JUNE, "--units", "5", "--phase", "2"), "determinant_wrong", 2),
        ((*JUNE, "--units", "5", "--pf", "1.2"), "determinant_wrong", 2),
        ((*JUNE, "--units", "5", "--peak-units", "6"), "units_negative", 2),
        ((*JUNE, "--units", "5", "--lang", "fr"), "language_wrong", 2),
        ((*JUNE, "--units", "5", "--to", "2021-07-01"), "no_tariff", 1),
    ],
)
def test_what_is_refused(tmp_path: Path, options: tuple[str, ...], error: str, code: int) -> None:
    told = quote(tmp_path, *options, "--json")
    refused = json.loads(told.stderr)
    assert (told.returncode, refused["error"]) == (code, error)
    assert any("\u0900" <= letter <= "\u097f" for letter in refused["hi"])
    assert refused["en"].isascii()
    assert told.stdout == ""

"""What the report says of the week's readings: in the terminal and on the page, in both languages."""

import io
from typing import Any

import pytest
from rich.console import Console

from bahal.rehearsal.recovery import page, show
from bahal.shared.text import Language
from tests.rehearsal.test_recovery import RESULT

READINGS: dict[str, Any] = {
    "meters": 1002, "complete": 1001, "meter_days": 7014, "estimated": 3, "found": {"missing": 3},
    "worst": [
        {"transformer": "TR-301-0001", "in_wh": 100_000, "lost_wh": 38_000, "confidence_permille": 1000},
        {"transformer": "TR-301-0002", "in_wh": 100_000, "lost_wh": 9_000, "confidence_permille": 1000},
    ],
    "falling": [{"meter": "CG7", "connection": 2_201_000_007, "missing_percent": 74, "usual_kwh": 6.2}],
}  # fmt: skip


@pytest.mark.parametrize("language", ["hi", "en"])
def test_the_report_names_the_worst_transformer_and_who_falls(language: Language) -> None:
    out = io.StringIO()
    result = RESULT | {"readings": READINGS}
    show(result, language=language, console=Console(file=out, width=200))
    for text in (out.getvalue(), page(result, language=language)):
        for told in ("1,001", "7,014", "TR-301-0001", "38 %", "38.0", "2201000007", "74 %", "6.2"):
            assert told in text
        assert "TR-301-0002" not in text


def test_a_report_without_readings_has_no_such_part() -> None:
    assert "DLMS" not in page({key: value for key, value in RESULT.items() if key != "seed"}, language="en")

"""`bahal lake` from outside: made, filled, validated, compacted, looked at."""

import json
import subprocess
import sys
from pathlib import Path

from bahal.lake.layout import open_lake
from tests.lake.test_tables import intervals

DAY = "2025-11-20"


def bahal(home: Path, *words: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bahal.entry.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"BAHAL_HOME": str(home), "BAHAL_LANG": lang, "PATH": "/usr/bin:/bin"},
    )


def test_a_day_through_all_its_verbs(tmp_path: Path) -> None:
    unknown = bahal(tmp_path, "lake", "verify", "--json")
    assert (unknown.returncode, json.loads(unknown.stderr)["error"]) == (3, "lake_unknown")
    made = bahal(tmp_path, "lake", "make", "--buckets", "2", "--json")
    assert json.loads(made.stdout)["buckets"] == 2
    assert bahal(tmp_path, "lake", "make").returncode == 1
    lake = open_lake(json.loads(made.stdout)["uri"])
    for nth in range(3):
        wh: list[int | None] = [7] * 10 + ([None] if nth == 1 else [8]) + [7] * 13
        rows = intervals(lake, f"M{nth}", wh, batch=nth, open_wh=0, close_wh=169)
        lake.append("interval", rows, writer="w", batch=nth)
    assert bahal(tmp_path, "lake", "verify", "--from", DAY).returncode == 1
    hindi = bahal(tmp_path, "lake", "recompute", "--lake-only", "--from", DAY, lang="hi")
    assert "3 मीटर, 1 में अनुमान" in hindi.stdout
    assert "कुछ अंतराल नहीं आए" in hindi.stdout
    assert bahal(tmp_path, "lake", "verify", "--from", DAY).stdout == "2025-11-20: 3 meters; well\n"
    packed = json.loads(bahal(tmp_path, "lake", "compact", "--from", DAY, "--json").stdout)
    assert packed["before"] > packed["after"] > 0
    ended = bahal(tmp_path, "lake", "retain", "--before", "2025-11-21", "--json")
    assert json.loads(ended.stdout) == {"table": "interval", "rows": 3}


def test_what_is_no_day_or_table_is_named(tmp_path: Path) -> None:
    bahal(tmp_path, "lake", "make")
    assert json.loads(bahal(tmp_path, "lake", "verify", "--from", "20", "--json").stderr)["error"] == "day_wrong"
    assert bahal(tmp_path, "lake", "verify", "--from", DAY, "--to", DAY).returncode == 2
    assert bahal(tmp_path, "lake", "retain", "--before", DAY, "--table", "money").returncode == 2

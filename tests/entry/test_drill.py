"""The drill as a user runs it, smaller: everything is refused, by name, and the lawful drive works before and after."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_hostile_web_process_moves_no_relay(tmp_path: Path) -> None:
    environ = {**os.environ, "BAHAL_HOME": str(tmp_path)}
    ran = subprocess.run(
        [
            sys.executable, "-m", "bahal.entry.cli", "drill", "cut-all", "--listed", "20000", "--warrants", "160",
            "--meters", "400", "--json",
        ],
        env=environ, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.strip().splitlines()[-1])
    assert (found["listed"], found["relays_moved"]) == (20_000, 0)
    assert (found["warrants"]["tried"], found["warrants"]["accepted"]) == (160, 0)
    # Each kind was met by whom it should be: most by the interlock itself, the rest already by the database.
    refused = found["warrants"]["refused_by"]
    assert refused["interlock warrant_officer_unknown"] == 10
    assert refused["interlock warrant_other_circle"] == 10
    assert refused["interlock warrant_expired"] + refused.get("worker finished", 0) == 10
    assert refused["interlock warrant_signature_wrong"] >= 30
    assert refused["interlock warrant_of_another_drive"] == 20
    for point in ("origin", "user_unverified", "challenge", "unknown", "not_taken"):
        assert refused[f"interlock warrant_passkey_{point}"] == 10, point
    assert found["listing"]["refused_by"] == "interlock warrant_signature_wrong"
    assert found["direct_inserts"] == {"tried": 1000, "taken": 0}
    assert found["slipped_in"] == {"slipped_in": 360, "sent": 0}
    assert found["frames"]["tried"] == 600
    assert found["frames"]["opened"] >= 100  # the standard gives everybody the public client
    assert found["frames"]["obeyed"] == 0
    assert found["doors"]["opened"] == []
    assert found["lawful"] == {"cut": 40, "restored": 1}

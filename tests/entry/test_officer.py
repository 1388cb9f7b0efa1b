"""Officers on the command line: what they sign there is what the interlock's charter accepts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from bahal.entry.cli import app
from bahal.interlock.charter import Charter, Signed
from bahal.shared.charter import Act
from bahal.shared.errors import Refusal
from tests.interlock import facts
from tests.interlock.authenticator import PLACE
from tests.plugin.databases import Database

Bahal = Callable[..., tuple[str, dict[str, Any]]]


@pytest.fixture
def keys(database: Database) -> facts.Keys:
    """The officers' key files of this instance."""
    made, folder = facts.Keys(), database.home.path / "demo"
    (database.home.path / "instance.json").write_text(json.dumps({"kind": "production"}))
    folder.mkdir(mode=0o700, exist_ok=True)
    for login, key in made.officers.items():
        (folder / f"{login}.key").write_text(key.private_bytes_raw().hex())
    return made


@pytest.fixture
def bahal(database: Database, monkeypatch: pytest.MonkeyPatch) -> Bahal:
    """Runs a verb with `--json` in this process: its refusal's code, or "", and what it said."""
    monkeypatch.setenv("BAHAL_HOME", str(database.home.path))

    def run(*words: str) -> tuple[str, dict[str, Any]]:
        ran = CliRunner().invoke(app, [*words, "--json"])
        if isinstance(ran.exception, Refusal):
            return ran.exception.code, {}
        assert ran.exit_code == 0, ran.exception
        return "", json.loads(ran.stdout.strip().splitlines()[-1])

    return run


def test_what_two_officers_sign_here_the_charter_accepts(
    database: Database, keys: facts.Keys, bahal: Bahal, tmp_path: Path
) -> None:
    (tmp_path / "officers.json").write_text(json.dumps(facts.officers_file(keys)))
    (tmp_path / "profile.json").write_text(json.dumps(facts.profile_file(keys, facts.PROFILE)))
    new = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    particulars = ("--name", "Asha Verma", "--phone", "9111111111", "--role", "executive_engineer")
    assert bahal("officer", "enrol", "ae", *particulars)[0] == "key_not_named"
    assert bahal("officer", "enrol", "ae", *particulars, "--passkey", "0" * 16)[0] == "candidate_unknown"
    _, asked = bahal("officer", "enrol", "ae", *particulars, "--public", new, "--as", "ee")
    assert asked["needs"] == 2
    assert bahal("officer", "approve", "feedfeed", "--as", "se")[0] == "amendment_unknown"
    assert bahal("officer", "approve", asked["number"][:12], "--as", "se")[0] == ""
    _, listed = bahal("officer", "list")
    assert [each["signed_by"] for each in listed["waiting"]] == [["ee", "se"]]

    with database.connect("owner") as owner:
        stated = json.dumps({"origin": PLACE.origin})
        owner.execute("INSERT INTO interlock_roll (stated, worker) VALUES (%s, 'w')", [stated])
        ends = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        lent = ("--circle", "1", "--cap", "10", "--until", ends, "--as", "ee")
        _, delegated = bahal("officer", "delegate", "ae", *lent)
        assert delegated["needs"] == 1
        _, paged = bahal("officer", "revoke", "ae", "--reason", "left", "--page")
        assert paged["page"] == f"{PLACE.origin}/acts/{paged['number']}"
        rows = owner.execute(
            "SELECT a.document, array_agg(s.officer), array_agg(s.signature) FROM interlock_act a"
            " JOIN interlock_act_signature s ON s.act = a.id GROUP BY a.id ORDER BY a.id"
        ).fetchall()
    charter = Charter(tmp_path, place=PLACE)
    now = datetime.now(UTC)
    for document, officers, signatures in rows:
        signed = [Signed(*each) for each in zip(officers, signatures, strict=True)]  # type: ignore[call-overload]
        charter.ask(str(document), signed, at=now)
    assert [Act.parse(str(row[0])).act for row in rows] == ["enrol", "delegate"]
    assert charter["ae"].key_file(now) == new
    assert [each.officer for each in charter["ae"].delegations] == ["ee"]

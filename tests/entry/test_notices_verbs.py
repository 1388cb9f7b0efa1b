"""Notices on the command line, from the issue to the proof, as an officer types it; in both languages."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bahal.entry import instance
from bahal.entry.cli import app
from bahal.shared.clock import move_rehearsal
from bahal.shared.errors import Refusal
from tests.journeys import town
from tests.plugin.databases import Database

ISSUED = datetime(2025, 10, 1, 6, tzinfo=UTC)


@pytest.fixture
def bahal(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a verb on an instance whose day is the first of October; a refusal is raised."""
    instance.make(database.home, rehearsal=True, business_at=ISSUED)
    monkeypatch.setenv("BAHAL_LANG", "en")

    def run(*words: str, lang: str = "en") -> Result:
        monkeypatch.setenv("BAHAL_LANG", lang)
        done = CliRunner().invoke(app, ["notices", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done

    return run


def test_a_notice_from_its_issue_to_its_proof(bahal: Callable[..., Result], database: Database, tmp_path: Path) -> None:
    def told(*words: str) -> Any:
        return json.loads(bahal(*words, "--json").stdout)

    place = town.found(connections=2, due=0)
    town.bill(place.connections, due=town.DUE)
    by_post, by_hand = map(str, place.connections)
    clock = database.home.run / "clock.json"
    move_rehearsal(clock, business_at=ISSUED)
    assert told("issue", "--office", "10") == {"notices": 2, "paise": 2 * town.DUE}
    (made,) = told("letters", "list", "--out", str(tmp_path))["lists"]
    assert [Path(each).read_bytes()[:4] for each in made["files"]] == [b"refe", b"%PDF"]
    number = str(made["list"])
    posted = bahal("letters", "posted", number, "--on", "2025-10-01", "--proof", "RL 7", lang="hi").stdout
    assert posted == f"पत्र-सूची {number}: 2 पत्र डाक में\n"
    answers = tmp_path / "post.csv"
    answers.write_text(f"reference,outcome,on,proof\nL{number}-00001,delivered,2025-10-06,AD 1\n")
    move_rehearsal(clock, business_at=datetime(2025, 10, 25, 6, tzinfo=UTC))
    assert told("letters", "answered", str(answers)) == {"delivered": 1, "returned": 0}
    photo = tmp_path / "door.jpg"
    photo.write_bytes(b"a photo")
    visit = ("--photo", str(photo), "--by", "lineman", "--to", "Ram", "--place", "22.0,82.1")
    handed = told("hand", by_hand, *visit)
    assert (handed["outcome"], handed["kind"], handed["distance_m"]) == ("handed", "statutory", 0)
    assert (database.home.path / "photos" / handed["photo_sha256"]).read_bytes() == b"a photo"
    english, hindi = (bahal("list", by_post, lang=lang).stdout for lang in ("en", "hi"))
    assert "served on 06-10-2025, 18 clear days (of 15): enough" in english
    assert "06-10-2025 को तामील, 18 स्पष्ट दिन (15 चाहिए): पर्याप्त" in hindi
    assert "letter by post: arrived" in english
    assert "- reminders not all delivered" in english
    found = told("list", by_hand)
    assert found["reasons"] == ["notice_not_served", "reminders_not_delivered"]
    assert [each["event"] for each in found["steps"]] == ["asked", "taken", "asked", "delivered"]
    assert told("open") == {"to_hand": []}
    assert told("verify") == {"whole": True, "steps": 7, "batches": told("verify")["batches"]}
    shown = bahal("templates", "show", "statutory-letter-hi").stdout
    assert "statutory-letter-hi v1" in shown
    assert "[unverified]" in shown
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE notices_step DISABLE TRIGGER USER")
        owner.execute("UPDATE notices_step SET effective_on = '2025-10-02' WHERE event = 'delivered'")
    with pytest.raises(Refusal) as altered:
        bahal("verify")
    assert altered.value.code == "notices_altered"
    assert f"{by_post} statutory 3: altered" in altered.value.text("en")
    for wrong, code in (
        (("hand", by_hand, *visit[:-1], "nowhere"), "place_wrong"),
        (("hand", by_hand, "--photo", str(tmp_path / "none"), *visit[2:]), "notice_file_unreadable"),
        (("letters", "answered", str(photo.with_suffix(".csv"))), "notice_file_unreadable"),
    ):
        with pytest.raises(Refusal) as refused:
            bahal(*wrong)
        assert refused.value.code == code

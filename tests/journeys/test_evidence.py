"""A stranger checks what a cut rested on: with one file, without us; and finds whatever was altered, by its name."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.domains.supply.errors import OrderUnknown
from bahal.foundation.audit.operations import horizon
from bahal.foundation.audit.roots import Tree
from bahal.foundation.rows import many, value
from bahal.gateways.witness.places import FileWitness
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.place_hold import place_hold
from bahal.journeys.root_audit import root_audit
from bahal.journeys.seal_audit import seal_audit
from bahal.journeys.take_payment import take_payment
from bahal.journeys.write_evidence import Pack, write_evidence
from bahal.shared import verify_evidence as checker
from bahal.shared.frames import FROM_METER, TO_METER, Tape
from bahal.shared.words import WORDS
from tests.journeys import billed, interlock, town
from tests.plugin.databases import Database

KEY = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
TAMPERED = 300


@dataclass
class Case:
    """One cut of a drive of three, with its payment afterwards; the second place's roots beside it."""

    pack: Pack
    roots: Path
    keys: dict[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.pack.json)["content"]  # type: ignore[no-any-return]

    def examine(self, raw: bytes | None = None, **changed: Any) -> checker.Examination:
        given: dict[str, Any] = {
            "keys": self.keys, "roots": checker.read_roots(self.roots), "pdf": self.pack.pdf, **changed,
        }  # fmt: skip
        return checker.examine(self.pack.json if raw is None else raw, **given)

    def forged(self, change: Callable[[dict[str, Any]], object], key: Ed25519PrivateKey = KEY) -> bytes:
        """The pack changed, with the whole list of hashes made anew and sealed by a key."""
        pack = json.loads(self.pack.json)
        change(pack["content"])
        pack["manifest"] = checker.manifest_of(pack["content"])
        print_ = checker.fingerprint_of(pack["manifest"])
        pack["seal"] = {
            "fingerprint": print_,
            "public_key": key.public_key().public_bytes_raw().hex(),
            "signature": key.sign(checker.seal_message(print_)).hex(),
        }
        pack["pdf"]["signature"] = key.sign(checker.pdf_message(print_, pack["pdf"]["sha256"])).hex()
        return checker.rendered(pack)


def went_over_the_wire(database: Database, order: int) -> None:
    """What the interlock writes: the sending and the frames of the result."""
    tape = Tape()
    for direction, body in ((TO_METER, b"\xc3\x01"), (FROM_METER, b"\xc7\x01\x00")):
        tape.take(direction, b"\x00\x01\x00\x30\x00\x01" + len(body).to_bytes(2) + body)
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, due_paise, policy, worker,"
            " sent_at, business_at)"
            " SELECT id, kind, meter, connection, fence, due_paise, 'test-1', 'w', clock_timestamp(), %s"
            " FROM supply_order WHERE id = %s",
            [town.TEN + timedelta(minutes=5), order],
        )
        owner.execute(
            "INSERT INTO interlock_frames (result, order_id, frames)"
            ' SELECT max(id), %s, %s FROM supply_result WHERE "order" = %s',
            [order, tape.packed(), order],
        )


@pytest.fixture
def case(database: Database, tmp_path: Path) -> Case:
    """The second line of three: a line with neighbours on both sides."""
    place = town.found(connections=3)
    interlock.lend(database)
    drive = place.drive()
    times = {"at": place.wall, "business_at": town.TEN}
    order = value("SELECT id FROM supply_order WHERE drive = %s AND position = 1", drive)
    interlock.cut(database, order=order)
    went_over_the_wire(database, order)
    confirm_relay(limit=10, **times)
    take_payment(
        key="p", connection=place.connections[1], paise=town.DUE, channel="upi", actor="x", business_at=town.TEN
    )
    seal_audit(horizon(), at=place.wall)
    roots = tmp_path / "roots.jsonl"
    root_audit(Tree(), FileWitness(roots), at=place.wall)
    officers = {login: town.key_of(login).public_key().public_bytes_raw().hex() for login in ("ee", "se")}
    keys = {"evidence": KEY.public_key().public_bytes_raw().hex(), "officers": officers}
    return Case(write_evidence(order=order, key=KEY, at=datetime.now(UTC)), roots, keys)


def test_a_true_pack_agrees_and_says_what_it_proves(case: Case) -> None:
    found = case.examine()
    assert found.wrong == []
    assert found.remarks == []
    said = "\n".join(found.right)
    for proved in (
        "ee signed the warrant as its maker", "se signed the warrant as its checker", "line 2 of the 3",
        "44 clear days", "on 3 days running", "8 steps of notices and reminders are chained", "2 frames",
        "the PDF is this pack's",
        "acts of the audit are in their roots",
    ):  # fmt: skip
        assert proved in said
    content = case.content
    assert [each["event"] for each in content["notice_steps"]] == ["asked", "delivered"]
    assert [each["event"] for each in content["reminder_steps"]] == ["asked", "delivered"] * 3
    assert all(each["provider"].startswith("R") for each in content["reminder_steps"][1::2])
    assert {(each["template"], each["template_version"]) for each in content["reminder_steps"][::2]} == {
        ("reminder-sms-hi", 1)
    }
    assert {each["number"] for each in content["bills"]} == {"B2200000002-7", "B2200000002-8"}
    assert [each["paise"] for each in content["payments"]] == [town.DUE]
    assert content["results"][0]["outcome"] == "confirmed"
    assert content["restores"][0]["cause"].startswith("payment")
    acts = {act["entry"][4] for act in content["audit"]}
    assert acts >= {"supply.drive.proposed", "supply.drive.signed", "supply.cut.confirmed"}
    for words in content["about"]["proves"]:
        assert any("\u0900" <= letter <= "\u097f" for letter in words["hi"])
        assert words["en"].isascii()


def test_a_pack_shows_no_neighbour_and_no_telephone(case: Case) -> None:
    text = case.pack.json.decode()
    assert "+917000" not in text
    for neighbour in (town.number(0), town.number(2)):
        assert str(neighbour) not in text


def test_every_value_altered_is_named(case: Case) -> None:
    pack = json.loads(case.pack.json)
    names = [name for name, _ in checker.leaves(pack["content"])]
    assert len(names) > 150
    for name in names:
        changed = json.loads(case.pack.json)
        *way, last = name.split(".")
        place = changed["content"]
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = "altered"
        assert f"altered: {name}" in case.examine(checker.rendered(changed)).wrong


def test_any_byte_altered_is_refused(case: Case) -> None:
    chance = random.Random(7)
    raw = case.pack.json
    for _ in range(TAMPERED):
        at = chance.randrange(len(raw))
        byte = chance.choice([each for each in range(256) if each != raw[at]])
        changed = raw[:at] + bytes([byte]) + raw[at + 1 :]
        try:
            assert case.examine(changed).wrong
        except checker.NotAPack:
            continue
    for changed in (raw[:-1], raw + b" ", raw.replace(b"\n", b"\r\n", 1)):
        assert any(name.startswith("form altered") for name in case.examine(changed).wrong)


def chained(steps: list[dict[str, Any]], nth: int, **changed: Any) -> None:
    """Change a step, and make the chain anew from there: whoever can do that is caught by what the steps say."""
    steps[nth].update(changed)
    previous = checker.FIRST_STEP
    for step in steps:
        step["previous"] = previous
        previous = step["hash"] = checker.step_hash(step)


FORGERIES: tuple[tuple[Callable[[dict[str, Any]], object], str], ...] = (
    (lambda c: c["warrant"]["line"].update(index=0), "not in the signed list: warrant.line"),
    (
        lambda c: c["warrant"]["line"].update(text=c["warrant"]["line"]["text"].replace("600000", "900000")),
        "not in the signed list: warrant.line",
    ),
    (lambda c: c["order"].update(due_paise=1), "differs from the signed line: order"),
    (lambda c: c["bills"].pop(), "differs from the signed line: bills"),
    (lambda c: c["notices"][0].update(sha256="0" * 64), "differs from the signed line: notices"),
    (lambda c: chained(c["notice_steps"], 1, effective_on="2025-11-09"), "clear days too few: notices"),
    (lambda c: chained(c["notice_steps"], 1, channel="sms"), "clear days too few: notices"),
    (lambda c: chained(c["notice_steps"], 0, evidence='{"sha256": "0"}'), "not the notice of its chain: notices"),
    (lambda c: c["reminder_steps"].pop(), "too few days running: reminders"),
    (lambda c: chained(c["reminder_steps"], 3, event="failed"), "too few days running: reminders"),
    (lambda c: chained(c["reminder_steps"], 3, effective_on="2025-11-23"), "too few days running: reminders"),
    (lambda c: chained(c["reminder_steps"], 5, attempt=10**9), "too few days running: reminders"),
    (lambda c: c["reminder_steps"][0].update(text="x"), "step and hash differ: reminder_steps.0"),
    (lambda c: c["notice_steps"][1].update(effective_on="2025-10-01"), "step and hash differ: notice_steps.1"),
    (lambda c: c["reminder_steps"].pop(2), "not chained to the step before: reminder_steps.2"),
    (lambda c: c["reminder_steps"][1].update(previous="0" * 64), "not chained to the step before: reminder_steps.1"),
    (lambda c: chained(c["reminder_steps"], 0, connection=1), "of another connection: reminder_steps.0"),
    (lambda c: c["policy"].update(version="other"), "differs from the warrant: policy"),
    (lambda c: c["warrant"]["maker"].update(login="se"), "not two officers: warrant"),
    (
        lambda c: c["warrant"].update(document=c["warrant"]["document"].replace('"cap":3', '"cap":9')),
        "signature wrong: warrant.maker",
    ),
    (
        lambda c: c["sendings"][0].update(business_at="2025-11-24T08:30:00.000000+00:00"),
        "outside of the warrant's hours: sendings.0",
    ),
    (lambda c: c["sendings"][0].update(fence=99), "another fence than was signed: sendings.0"),
    (
        lambda c: c["results"][0]["frames"][1].update(bytes="00"),
        "bytes and hash differ: results.0.frames.1",
    ),
    (lambda c: c["results"][0]["frames"].pop(), "bytes and hash differ: results.0.frames_sha256"),
    (lambda c: c["audit"][0]["entry"].__setitem__(3, "nobody"), "not in its root: audit.0"),
    (lambda c: c["audit"][0]["root"].update(at="2020-01-01"), "root not in the second place: audit.0"),
)


def test_whoever_holds_the_evidence_key_still_cannot_forge(case: Case) -> None:
    for change, named in FORGERIES:
        assert named in case.examine(case.forged(change)).wrong


def test_another_key_is_not_the_published_one(case: Case) -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    forged = case.forged(lambda content: content["holds"].append({"kind": "none"}), stranger)
    assert case.examine(forged).wrong == ["key not the published one: seal.public_key"]
    alone = case.examine(forged, keys=None, roots=None, pdf=None)
    assert alone.wrong == []  # it agrees with itself, and says that this is no proof
    assert any("compare evidence key" in remark for remark in alone.remarks)
    officers = {**case.keys, "officers": {"ee": "0" * 64, "se": case.keys["officers"]["se"]}}
    assert case.examine(keys=officers).wrong == ["key not the published one: warrant.maker.public_key"]


def test_another_pdf_is_not_the_packs(case: Case) -> None:
    assert case.examine(pdf=case.pack.pdf + b"\n").wrong == ["altered: the PDF"]


def test_one_file_checks_it_without_us(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "stranger"
    folder.mkdir()
    script = folder / "verify_evidence.py"
    script.write_bytes(Path(checker.__file__).read_bytes())
    (folder / "pack.json").write_bytes(case.pack.json)
    (folder / "pack.pdf").write_bytes(case.pack.pdf)
    (folder / "keys.json").write_text(json.dumps(case.keys))

    def run(file: str) -> "subprocess.CompletedProcess[str]":
        blocked = "import sys; sys.modules['bahal'] = None; sys.argv = sys.argv[1:]; import runpy;"
        return subprocess.run(
            [
                sys.executable, "-I", "-c", blocked + "runpy.run_path(sys.argv[0], run_name='__main__')", str(script),
                file, "--keys", "keys.json", "--roots", str(case.roots),
            ],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    whole = run("pack.json")
    assert (whole.returncode, whole.stdout.splitlines()[-1]) == (0, "everything agrees"), whole.stderr
    (folder / "bad.json").write_bytes(
        case.pack.json.replace(b'"effective_on": "2025-10-10"', b'"effective_on": "2025-10-09"')
    )
    bad = run("bad.json")
    assert bad.returncode == 1
    assert "WRONG altered: notice_steps.1.effective_on" in bad.stdout
    (folder / "none.json").write_text("{}")
    assert run("none.json").returncode == 2


def test_the_page_says_it_in_both_languages(case: Case) -> None:
    document = pypdfium2.PdfDocument(case.pack.pdf)
    text = "".join(page.get_textpage().get_text_range() for page in document).replace("\r\n", "")
    plain = "".join(text.split())
    assert case.pack.fingerprint in plain
    for words in ("Written notice", "Warrant and two signatures", "symmetric key", "B2200000002-7"):
        assert "".join(words.split()) in plain
    assert any("\u0900" <= letter <= "\u097f" for letter in text)
    assert hashlib.sha256(case.pack.pdf).hexdigest() == json.loads(case.pack.json)["pdf"]["sha256"]


def test_the_bills_are_explained_line_by_line_and_their_sums_are_checked(database: Database) -> None:
    (connection,) = billed.found()
    billed.accept_all()
    billed.read(connection, {billed.JULY: 0, billed.AUGUST: 180, billed.SEPTEMBER: 430})
    billed.bill(billed.JULY, date(2025, 8, 6))
    billed.bill(billed.AUGUST, date(2025, 9, 6))
    numbers = f"202507-{connection},202508-{connection}"
    with database.connect("app") as app:
        (order,) = app.execute(
            "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends)"
            " SELECT serial, connection, 'restore', 'mistake', 'authorised', 'officer ee', '', 1, 0, 0, %s, '', now(),"
            " 0, 0 FROM meters_meter WHERE connection = %s RETURNING id",
            [numbers, connection],
        ).fetchone() or (0,)
    pack = write_evidence(order=order, key=KEY, at=datetime.now(UTC))
    found = checker.examine(pack.json, pdf=pack.pdf)
    assert found.wrong == []
    content = json.loads(pack.json)["content"]
    july, august = (each["explanation"] for each in content["bills"])
    assert sum(line["paise"] for line in august["lines"]) == 1_232_00
    assert f"{len(july['lines']) + len(august['lines'])} lines of bills sum to" in "\n".join(found.right)
    assert all(line["hi"] != line["en"] for line in august["lines"])
    assert [(each["from_wh"], each["to_wh"]) for each in august["registers"]] == [(180_000, 430_000)]
    printed = page_text(pack.pdf)
    for line in august["lines"]:
        assert "".join(line["en"].split()) in printed
    # Whoever holds the evidence key and bends a line is caught by the sum.
    content["bills"][1]["explanation"]["lines"][0]["paise"] += 100
    case = Case(pack, Path(), {})
    bent = case.forged(lambda real: real.update(content))
    assert checker.examine(bent).wrong == ["lines and sum differ: bills.1"]


def page_text(pdf: bytes) -> str:
    """What the pages say, without blanks."""
    document = pypdfium2.PdfDocument(pdf)
    return "".join("".join(page.get_textpage().get_text_range() for page in document).split())


CODES = ("nonpayment_s56", "field_task", "found_moved", "supply.drive.proposed", "supply.cut.confirmed", "life_support")


def test_no_code_of_ours_stands_in_print(case: Case) -> None:
    """Every code in words of both languages; acts as their sentences."""
    printed = page_text(case.pack.pdf)
    for code in CODES:
        assert code not in printed
    grounds, states = WORDS["grounds"]["nonpayment_s56"], WORDS["order states"]["confirmed"]
    for _, english in (grounds, states, WORDS["channels"]["upi"], WORDS["roles"]["executive_engineer"]):
        assert "".join(english.split()) in printed


def test_holds_and_acts_without_a_root_are_said(database: Database) -> None:
    place = town.found(connections=2)
    place_hold(
        connection=place.connections[0], kind="hospital", evidence="letter 7", actor="ee", expires_at=None,
        at=place.wall, business_at=town.NINE,
    )  # fmt: skip
    drive = place.drive()
    (order,) = (row[0] for row in many("SELECT id FROM supply_order WHERE drive = %s", drive))
    pack = write_evidence(order=order, key=KEY, at=place.wall)
    found = checker.examine(pack.json)
    assert found.wrong == []
    assert any("was not rooted" in remark for remark in found.remarks)
    with pytest.raises(OrderUnknown):
        write_evidence(order=order + 99, key=KEY, at=place.wall)

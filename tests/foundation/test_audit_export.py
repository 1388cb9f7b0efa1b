"""An export is checked without the database; what was altered in it, or here by the owner, is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bahal.foundation.audit.checking import MEMBER, Root, canonical, chained, check, digest, read_outside
from bahal.foundation.audit.errors import ActNotRooted, ActUnknown, SecondPlaceSilent
from bahal.foundation.audit.operations import Act, horizon, record_many, verify
from bahal.foundation.audit.roots import Tree, export, prove, roots
from bahal.foundation.rows import many, value
from bahal.foundation.transactions import transaction
from bahal.gateways.witness.places import FileWitness, HttpWitness, witness_at
from bahal.journeys.cover_audit import cover_audit
from bahal.journeys.root_audit import root_audit
from bahal.journeys.seal_audit import seal_audit
from bahal.shared.merkle import leaf_hash, root_from
from tests.plugin.databases import Database

AT = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
Lines = list[dict[str, Any]]


def act(count: int, *, at: datetime = AT) -> None:
    with transaction():
        acts = [Act("hold.lifted", f"hold {nth}", 7, {"hold": nth, "kind": "complaint"}) for nth in range(count)]
        record_many(acts, actor="ee", at=at, business_at=at)
    assert seal_audit(horizon(), at=at) is not None


@pytest.fixture
def outside(database: Database, tmp_path: Path) -> Path:
    """Three batches of four entries, the first two rooted on Monday, the last on Tuesday."""
    place, tree = tmp_path / "roots.jsonl", Tree()
    for minutes in (0, 1, 24 * 60):
        act(4)
        assert root_audit(tree, FileWitness(place), at=AT + timedelta(minutes=minutes)) is not None
    return place


def kept(place: Path) -> list[Root]:
    return list(read_outside(place.read_text().splitlines()))


def exported() -> Lines:
    return [json.loads(line) for line in export(at=AT)]


def found(lines: Lines, place: Path) -> set[tuple[str, int | None, int | None]]:
    return {(each.what, each.batch, each.entry) for each in check(map(json.dumps, lines), roots=kept(place))}


def place_of(lines: Lines, entry: int) -> int:
    return next(at for at, line in enumerate(lines) if "entry" in line and line["entry"][0] == entry)


def test_what_was_sealed_is_whole_and_agrees_with_the_second_place(outside: Path) -> None:
    assert found(exported(), outside) == set()
    assert verify(roots=kept(outside)) == []
    assert kept(outside) == roots()
    assert [(root.day, root.first_batch, root.last_batch, root.size) for root in roots()] == [
        ("2025-11-24", 1, 1, 4),
        ("2025-11-24", 1, 2, 8),
        ("2025-11-25", 3, 3, 4),
    ]


def edit(lines: Lines) -> None:
    lines[place_of(lines, 6)]["entry"][3] = "nobody"


def delete(lines: Lines) -> None:
    del lines[place_of(lines, 6)]


def insert(lines: Lines) -> None:
    at = place_of(lines, 8)
    lines.insert(at + 1, {"entry": [9, *lines[at]["entry"][1:]]})


def swap(lines: Lines) -> None:
    one, other = place_of(lines, 5), place_of(lines, 6)
    lines[one], lines[other] = lines[other], lines[one]


def exchange(lines: Lines) -> None:
    """The contents of two rows, under each other's numbers."""
    one, other = lines[place_of(lines, 5)]["entry"], lines[place_of(lines, 6)]["entry"]
    one[1:], other[1:] = other[1:], one[1:]


def truncate(lines: Lines) -> None:
    del lines[next(at for at, line in enumerate(lines) if line.get("batch", {}).get("batch") == 3) :]


def truncate_neatly(lines: Lines) -> None:
    """The last batch gone, and an end that counts what is left."""
    first = next(at for at, line in enumerate(lines) if line.get("batch", {}).get("batch") == 3)
    del lines[first:]
    last = [line["batch"] for line in lines if "batch" in line][-1]
    lines.append({"end": {"batches": 2, "entries": 8, "sha256": last["sha256"]}})


def rewrite(lines: Lines) -> None:
    """An edited row and every hash after it made anew: only the second place knows."""
    edit(lines)
    previous, batch = "0" * 64, None
    entries: list[Any] = []

    def close() -> None:
        nonlocal previous
        if batch is not None:
            members = b"".join(MEMBER.pack(each[0], digest(each)) for each in entries)
            batch.update(members=members.hex(), previous_sha256=previous, sha256=chained(previous, members))
            previous = batch["sha256"]
            entries.clear()

    for line in list(lines):
        if "batch" in line:
            close()
            batch = line["batch"]
        elif "entry" in line:
            entries.append(line["entry"])
        elif "root" in line:
            close()
            batch = None
            lines.remove(line)
    lines[-1]["end"]["sha256"] = previous


@pytest.mark.parametrize(
    ("harm", "names"),
    [
        (edit, {("entry_edited", 2, 6), ("root_differs", 2, None)}),
        (delete, {("entry_deleted", 2, 6), ("cut_off", 3, None), ("root_differs", 2, None)}),
        (insert, {("entry_added", 2, 9), ("entry_moved", 3, 9), ("cut_off", 3, None), ("root_differs", 2, None)}),
        (swap, {("entry_moved", 2, 5), ("root_differs", 2, None)}),
        (exchange, {("entry_edited", 2, 5), ("entry_edited", 2, 6), ("root_differs", 2, None)}),
        (truncate, {("cut_off", 2, None), ("batch_missing", 3, None)}),
        (truncate_neatly, {("batch_missing", 3, None)}),
        (rewrite, {("root_differs", 2, None), ("root_differs", 3, None)}),
    ],
)
def test_what_was_done_to_an_export_is_named(
    outside: Path, harm: Callable[[Lines], None], names: set[tuple[str, int | None, int | None]]
) -> None:
    lines = exported()
    harm(lines)
    assert found(lines, outside) == names


def test_every_altered_byte_of_an_export_is_found(outside: Path) -> None:
    """One character at a time, in a batch, an entry, a root and the end: never silence, and the line is named."""
    lines = list(export(at=AT))
    for at in (1, 3, next(at for at, line in enumerate(lines) if line.startswith('{"root"')), len(lines) - 1):
        for place, letter in enumerate(lines[at]):
            line = lines[at][:place] + ("0" if letter != "0" else "1") + lines[at][place + 1 :]
            findings = check([*lines[:at], line, *lines[at + 1 :]], roots=kept(outside))
            assert findings, (at, line)


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE audit_entry SET actor = 'nobody' WHERE id = 6", {("entry_edited", 2, 6), ("root_differs", 2, None)}),
        ("DELETE FROM audit_entry WHERE id = 6", {("entry_deleted", 2, 6), ("root_differs", 2, None)}),
        (
            "DELETE FROM audit_entry WHERE id > 8; DELETE FROM audit_batch WHERE id = 3;"
            " DELETE FROM audit_root WHERE last_batch = 3",
            {("batch_missing", 3, None)},
        ),
        ("TRUNCATE audit_root", set()),  # the second place has them
    ],
)
def test_what_the_owner_of_the_database_did_is_named(
    database: Database, outside: Path, statement: str, names: set[tuple[str, int | None, int | None]]
) -> None:
    with database.connect("owner") as owner:
        for table in ("audit_entry", "audit_batch", "audit_root"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for each in statement.split(";"):
            owner.execute(each)
    assert {(each.what, each.batch, each.entry) for each in verify(roots=kept(outside))} == names


def test_nobody_unmakes_a_root(database: Database, outside: Path) -> None:
    for role in ("owner", "app"):
        with database.connect(role) as connection:  # type: ignore[arg-type]
            for statement in ("UPDATE audit_root SET size = 1", "DELETE FROM audit_root", "TRUNCATE audit_root"):
                with pytest.raises(psycopg.Error) as refused:
                    connection.execute(statement)
                assert refused.value.sqlstate in ("42501", "BH001")


def test_one_act_is_proved_by_a_short_path(outside: Path) -> None:
    for entry in range(1, 13):
        proof = prove(entry=entry)
        leaf = leaf_hash(canonical(proof.entry))
        path = [bytes.fromhex(each) for each in proof.path]
        assert root_from(leaf, index=proof.index, size=proof.root.size, path=path).hex() == proof.root.sha256
        assert proof.root in kept(outside)
        assert len(path) <= 3
    with pytest.raises(ActUnknown):
        prove(entry=99)
    act(1)
    with pytest.raises(ActNotRooted):
        prove(entry=13)


def test_what_is_there_now_is_covered_at_once_and_never_over_a_late_act(database: Database, tmp_path: Path) -> None:
    place = FileWitness(tmp_path / "roots.jsonl")
    assert cover_audit(place, at=AT)
    assert value("SELECT count(*) FROM audit_root") == 0
    with database.connect("app", autocommit=False) as late:
        late.execute("SELECT pg_current_xact_id()")
        with transaction():
            acts = [Act("hold.lifted", "hold 1", 7, {"hold": 1, "kind": "complaint"})]
            record_many(acts, actor="ee", at=AT, business_at=AT)
        assert not cover_audit(place, at=AT, within_s=0.3)
        late.rollback()
    assert cover_audit(place, at=AT)
    assert prove(entry=1).root in kept(tmp_path / "roots.jsonl")
    assert verify(roots=kept(tmp_path / "roots.jsonl")) == []


def test_a_second_place_that_is_silent_leaves_no_root_here(database: Database, tmp_path: Path) -> None:
    act(2)
    tree = Tree()
    for silent in (FileWitness(tmp_path / "no" / "folder"), HttpWitness("http://127.0.0.1:9/roots")):
        with pytest.raises(SecondPlaceSilent):
            root_audit(tree, silent, at=AT)
    assert value("SELECT count(*) FROM audit_root") == 0
    place = tmp_path / "roots.jsonl"
    root = root_audit(tree, FileWitness(place), at=AT)
    assert root is not None
    assert kept(place) == [root]
    assert root_audit(tree, FileWitness(place), at=AT) is None


def test_another_host_keeps_the_roots(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    act(2)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201)

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=httpx.MockTransport(answer)))
    root = root_audit(Tree(), witness_at("https://witness.example/roots"), at=AT)
    assert root is not None
    assert list(read_outside([asked[0].content.decode()])) == [root]


def test_a_root_kept_outside_alone_is_still_true(database: Database, tmp_path: Path) -> None:
    """Killed between the two places: the next root covers as much, and the lonely one is no finding."""
    place = tmp_path / "roots.jsonl"
    act(3)
    lonely = root_audit(Tree(), FileWitness(place), at=AT)
    assert lonely is not None
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE audit_root DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM audit_root")
    act(2)
    assert root_audit(Tree(), FileWitness(place), at=AT + timedelta(minutes=1)) is not None
    assert verify(roots=kept(place)) == []
    assert verify(roots=[replace(lonely, size=4)]) != []


def test_roots_are_the_same_grown_or_made_anew(outside: Path) -> None:
    assert many("SELECT size, sha256 FROM audit_root WHERE last_batch = 2") == [
        (8, Tree().upto(first_batch=1, last_batch=2).root().hex())
    ]

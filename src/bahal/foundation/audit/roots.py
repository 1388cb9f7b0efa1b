"""The audit's Merkle roots, the export that a stranger can check, and the proof of one act."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bahal.foundation.audit.checking import FORMAT, Root, canonical
from bahal.foundation.audit.errors import ActNotRooted, ActUnknown
from bahal.foundation.rows import many, one, run
from bahal.foundation.transactions import transaction_required
from bahal.shared.merkle import Growing, inclusion, leaf_hash

ENTRIES = "SELECT id, at, business_at, actor, act, subject, connection, data::text FROM audit_entry"
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Proof:
    """That one act is in the audit: its entry, and the way from its leaf to a root. Hashes in hexadecimal."""

    entry: list[Any]
    index: int
    path: list[str]
    root: Root


class Tree:
    """The day's tree between two roots, so that each costs only what came since. One process keeps one."""

    def __init__(self) -> None:
        self._first = self._last = 0
        self._growing = Growing()

    def upto(self, *, first_batch: int, last_batch: int) -> Growing:
        """The tree over the entries of these batches."""
        if self._first != first_batch or self._last > last_batch:
            self._first, self._last, self._growing = first_batch, first_batch - 1, Growing()
        for entry in entries_of(first_batch=self._last + 1, last_batch=last_batch):
            self._growing.add(leaf_hash(canonical(entry)))
        self._last = last_batch
        return self._growing


def plain(row: Sequence[Any]) -> list[Any]:
    """An entry's row as it is hashed and exported."""
    number, at, business_at, actor, act, subject, connection, data = row
    return [number, _utc(at), _utc(business_at), actor, act, subject, connection, json.loads(data)]


def entries_of(*, first_batch: int, last_batch: int) -> Iterator[list[Any]]:
    """The entries of these batches in the order of their numbers."""
    bounds = one(
        "SELECT min(first_entry), max(last_entry) FROM audit_batch WHERE id BETWEEN %s AND %s", first_batch, last_batch
    )
    if bounds is None or bounds[0] is None:
        return
    before, last = bounds[0] - 1, bounds[1]
    while rows := many(f"{ENTRIES} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s", before, last, _PAGE):
        for row in rows:
            yield plain(row)
        before = rows[-1][0]


def next_root(tree: Tree, *, day: str, at: datetime) -> Root | None:
    """The root over what was sealed since the day began, or None: nothing was sealed since the last root."""
    last = one("SELECT day, first_batch, last_batch FROM audit_root ORDER BY id DESC LIMIT 1")
    batch = one("SELECT id, sha256 FROM audit_batch ORDER BY id DESC LIMIT 1")
    if batch is None or (last is not None and last[2] >= batch[0]):
        return None
    first = 1 if last is None else last[1] if last[0] == day else last[2] + 1
    first = one("SELECT min(id) FROM audit_batch WHERE id >= %s", first)[0]  # type: ignore[index]
    growing = tree.upto(first_batch=first, last_batch=batch[0])
    return Root(day, _utc(at), first, batch[0], growing.size, growing.root().hex(), batch[1])


@transaction_required
def keep_root(root: Root) -> None:
    """Write a root down beside the batches."""
    run(
        "INSERT INTO audit_root (day, at, first_batch, last_batch, size, sha256, batch_sha256)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (last_batch) DO NOTHING",  # another process was faster
        *asdict(root).values(),
    )


def roots(*, day: str | None = None) -> list[Root]:
    """The roots, oldest first; of one day if it is named. The last of a day is the day's."""
    rows = many(
        "SELECT day, at, first_batch, last_batch, size, sha256, batch_sha256 FROM audit_root"
        " WHERE %s::text IS NULL OR day = %s ORDER BY id",
        day,
        day,
    )
    return [Root(row[0], _utc(row[1]), *row[2:]) for row in rows]


def export(*, at: datetime) -> Iterator[str]:
    """The whole sealed audit, line by line, as `checking` reads it."""
    yield _line("bahal_audit_export", {"format": FORMAT, "at": _utc(at)})
    batches = entries = 0
    before, sha256 = 0, "0" * 64
    for batch in _batches():
        batches, sha256 = batches + 1, batch["sha256"]
        yield _line("batch", batch)
        while rows := many(
            f"{ENTRIES} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s", before, batch["last_entry"], _PAGE
        ):
            for row in rows:
                yield _line("entry", plain(row))
            entries, before = entries + len(rows), rows[-1][0]
        before = max(before, batch["last_entry"])
    for root in roots():
        yield _line("root", asdict(root))
    yield _line("end", {"batches": batches, "entries": entries, "sha256": sha256})


def prove(*, entry: int) -> Proof:
    """The proof that an act is in the audit, by the latest root that covers it.

    :raises ActUnknown: there is no such entry.
    :raises ActNotRooted: it is not sealed yet, or no root covers it yet; wait a minute.
    """
    return Prover().prove(entry=entry)


class Prover:
    """Proves several acts: those of one day share a root, whose tree is read and hashed once."""

    def __init__(self) -> None:
        self._trees: dict[tuple[int, int], tuple[dict[int, int], list[bytes]]] = {}

    def prove(self, *, entry: int) -> Proof:
        """As the function of this name."""
        row = one(f"{ENTRIES} WHERE id = %s", entry)
        if row is None:
            raise ActUnknown(entry=entry)
        root = _covering(entry)
        places, leaves = self._tree(root.first_batch, root.last_batch)
        path = [beside.hex() for beside in inclusion(leaves, places[entry])]
        return Proof(plain(row), places[entry], path, root)

    def _tree(self, first_batch: int, last_batch: int) -> tuple[dict[int, int], list[bytes]]:
        key = (first_batch, last_batch)
        if key not in self._trees:
            places: dict[int, int] = {}
            leaves: list[bytes] = []
            for each in entries_of(first_batch=first_batch, last_batch=last_batch):
                places[each[0]] = len(leaves)
                leaves.append(leaf_hash(canonical(each)))
            self._trees[key] = places, leaves
        return self._trees[key]


def _covering(entry: int) -> Root:
    row = one(
        "SELECT r.day, r.at, r.first_batch, r.last_batch, r.size, r.sha256, r.batch_sha256 FROM audit_root r"
        " JOIN audit_batch f ON f.id = r.first_batch JOIN audit_batch l ON l.id = r.last_batch"
        " WHERE %s BETWEEN f.first_entry AND l.last_entry ORDER BY r.id DESC LIMIT 1",
        entry,
    )
    if row is None:
        raise ActNotRooted(entry=entry)
    return Root(row[0], _utc(row[1]), *row[2:])


def _batches() -> Iterator[dict[str, Any]]:
    last = 0
    while rows := many(
        "SELECT id, first_entry, last_entry, entries, previous_sha256, sha256, encode(members, 'hex') FROM audit_batch"
        " WHERE id > %s ORDER BY id LIMIT 200",
        last,
    ):
        for batch, first_entry, last_entry, entries, previous, sha256, members in rows:
            last = batch
            yield {
                "batch": batch, "first_entry": first_entry, "last_entry": last_entry, "entries": entries,
                "previous_sha256": previous, "sha256": sha256, "members": members,
            }  # fmt: skip


def _line(kind: str, body: Any) -> str:
    return json.dumps({kind: body}, ensure_ascii=False, separators=(",", ":"))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")

"""Is this audit whole? An export is read line by line and held against itself and against what stands elsewhere.

Nothing here needs a database or Django: the same reading serves the database (as its own export) and a file on a
stranger's machine. What an export holds, one JSON object a line: `bahal_audit_export` first, then each sealed batch
followed by its entries in the order of their numbers, then the roots, then `end` with the counts.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bahal.shared.merkle import Growing, leaf_hash

FORMAT = 1
FIRST_PREVIOUS = "0" * 64
MEMBER = struct.Struct(">q16s")

WHAT = (
    "not_an_export", "line_unreadable", "line_unknown", "chain_broken", "batch_added", "batch_missing",
    "batch_changed", "entry_edited", "entry_deleted", "entry_added", "entry_moved", "root_differs", "cut_off",
)  # fmt: skip
"""Every word a finding may have."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One sealed batch, to be kept outside the database: the anchor against a cut-off end."""

    batch: int
    first_entry: int
    last_entry: int
    entries: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Root:
    """The Merkle root (RFC 6962, SHA-256) over a day's entries so far: those of `first_batch` to `last_batch`.

    `day` is the day in India; `batch_sha256` is the chained hash of the last batch. The last root of a day is the
    day's. Once it stands in a second place it proves that these `size` entries existed at `at`, and no others.
    """

    day: str
    at: str
    first_batch: int
    last_batch: int
    size: int
    sha256: str
    batch_sha256: str

    def line(self) -> str:
        """As one line of JSON for the second place."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the audit. `entry` is the row when one can be named, `line` its line in an export."""

    what: str
    batch: int | None = None
    entry: int | None = None
    line: int | None = None


def canonical(entry: Sequence[Any]) -> bytes:
    """An entry as it is hashed: a JSON array of number, instants (UTC, microseconds), actor, act, subject, connection
    and data with sorted names, without blanks, in ASCII."""
    return json.dumps(list(entry), sort_keys=True, separators=(",", ":")).encode()


def digest(entry: Sequence[Any]) -> bytes:
    """What a batch keeps of an entry: the first 16 bytes of the SHA-256 over `canonical`."""
    return hashlib.sha256(canonical(entry)).digest()[: MEMBER.size - 8]


def chained(previous: str, members: bytes) -> str:
    """A batch's hash: over the hash of the batch before it and its members."""
    return hashlib.sha256(previous.encode() + members).hexdigest()


def root_of_json(fields: Mapping[str, Any]) -> Root:
    """A root out of a line of the second place.

    :raises ValueError: it is none.
    """
    try:
        return Root(**fields)
    except TypeError as wrong:
        raise ValueError(f"not a root: {wrong}") from wrong


def check(lines: Iterable[str], *, seals: Iterable[Seal] = (), roots: Iterable[Root] = ()) -> list[Finding]:
    """Everything wrong with an export; an empty list is a proof as far as the seals and roots reach.

    `seals` and `roots` are those that were kept outside: without them a cut-off end, or an audit that was rewritten
    with all its hashes, cannot be told from a true one.
    """
    reading = _Reading(list(roots))
    for number, text in enumerate(lines, start=1):
        try:
            stated = json.loads(text)
            if not isinstance(stated, dict) or len(stated) != 1:
                raise ValueError(text)
            ((kind, body),) = stated.items()
        except ValueError:
            reading.found("line_unreadable", line=number)
            continue
        try:
            reading.take(kind, body, number)
        except (KeyError, TypeError, ValueError, AttributeError, struct.error, IndexError):
            reading.found("line_unreadable", line=number)
    return reading.end(list(seals))


class _Reading:
    """One pass over an export."""

    def __init__(self, roots: list[Root]) -> None:
        self._findings: list[Finding] = []
        self._outside = sorted(roots, key=lambda root: (root.last_batch, root.first_batch))
        self._begins = {root.first_batch for root in roots}
        self._trees: dict[int, Growing] = {}
        self._states: dict[tuple[int, int], tuple[int, str, str]] = {}
        self._wanted_states: dict[int, set[int]] = {}
        for root in roots:
            self._wanted_states.setdefault(root.last_batch, set()).add(root.first_batch)
        self._held: dict[int, str] = {}
        self._previous = FIRST_PREVIOUS
        self._batch: int | None = None
        self._members: dict[int, bytes] = {}
        self._latest = 0
        self._entries = 0
        self._begun = self._ended = False

    def found(self, what: str, *, batch: int | None = None, entry: int | None = None, line: int | None = None) -> None:
        self._findings.append(Finding(what, batch, entry, line))

    def take(self, kind: str, body: Any, line: int) -> None:
        """One line of the export."""
        if kind == "bahal_audit_export":
            self._begun = line == 1 and body["format"] == FORMAT
        elif kind == "batch":
            self._close_batch()
            self._open_batch(body, line)
        elif kind == "entry":
            self._take_entry(body, line)
        elif kind == "root":
            self._close_batch()
            self._want(root_of_json(body))
        elif kind == "end":
            self._close_batch()
            self._ended = True
            if (body["batches"], body["entries"], body["sha256"]) != (len(self._held), self._entries, self._previous):
                self.found("cut_off", batch=self._batch, line=line)
        else:
            self.found("line_unknown", line=line)

    def _want(self, root: Root) -> None:
        """A root of the audit's own: it proves nothing by itself, but it must agree."""
        rivals = [each for each in self._outside if each.last_batch == root.last_batch]
        if root.batch_sha256 != self._held.get(root.last_batch) or (rivals and root not in rivals):
            self.found("root_differs", batch=root.last_batch)

    def _open_batch(self, body: Mapping[str, Any], line: int) -> None:
        batch, members = int(body["batch"]), bytes.fromhex(body["members"])
        if self._batch is not None and batch <= self._batch:
            self.found("batch_added", batch=batch, line=line)
        stated = str(body["sha256"])
        if body["previous_sha256"] != self._previous or stated != chained(body["previous_sha256"], members):
            self.found("chain_broken", batch=batch, line=line)
        self._members = dict(MEMBER.iter_unpack(members))
        told = (int(body["first_entry"]), int(body["last_entry"]), int(body["entries"]))
        if told != (min(self._members), max(self._members), len(self._members)):
            self.found("batch_changed", batch=batch, line=line)
        self._batch, self._previous, self._held[batch] = batch, stated, stated
        if batch in self._begins:
            self._trees[batch] = Growing()

    def _take_entry(self, body: Sequence[Any], line: int) -> None:
        number = int(body[0])
        self._entries += 1
        if number <= self._latest:
            self.found("entry_moved", batch=self._batch, entry=number, line=line)
        self._latest = max(self._latest, number)
        wanted = self._members.pop(number, None)
        if wanted is None:
            self.found("entry_added", batch=self._batch, entry=number, line=line)
        elif wanted != digest(body):
            self.found("entry_edited", batch=self._batch, entry=number, line=line)
        leaf = leaf_hash(canonical(body))
        for tree in self._trees.values():
            tree.add(leaf)

    def _close_batch(self) -> None:
        if self._batch is None:
            return
        for entry in self._members:
            self.found("entry_deleted", batch=self._batch, entry=entry)
        self._members = {}
        for first in self._wanted_states.pop(self._batch, ()):
            tree = self._trees.get(first)
            if tree is not None:
                self._states[first, self._batch] = (tree.size, tree.root().hex(), self._previous)
        # A day's tree is done with when the next day's has begun and nobody outside asks for more of it.
        waiting = {first for firsts in self._wanted_states.values() for first in firsts}
        for first in [each for each in self._trees if each not in waiting]:
            del self._trees[first]

    def end(self, seals: list[Seal]) -> list[Finding]:
        """What is wrong when all was read."""
        self._close_batch()
        if not self._begun:
            self._findings.insert(0, Finding("not_an_export"))
        if not self._ended:
            self.found("cut_off", batch=self._batch)
        for seal in seals:
            if seal.batch not in self._held:
                self.found("batch_missing", batch=seal.batch)
            elif self._held[seal.batch] != seal.sha256:
                self.found("batch_changed", batch=seal.batch)
        for root in self._outside:
            if root.last_batch not in self._held:
                self.found("batch_missing", batch=root.last_batch)
            elif self._states.get((root.first_batch, root.last_batch)) != (root.size, root.sha256, root.batch_sha256):
                self.found("root_differs", batch=root.last_batch)
        return self._findings


def read_outside(lines: Iterable[str]) -> Iterator[Root]:
    """The roots of a second place's file.

    :raises ValueError: a line is none.
    """
    for text in lines:
        if text.strip():
            yield root_of_json(json.loads(text))

"""Recording acts, sealing them in a chain of batches, and proving that none was edited, deleted or cut off.

An entry is written in the transaction of its act, so that neither exists without the other. Sealing comes later, by
one sealer at a time, and must not seal over the head of a transaction that drew a lower number and has not committed:
`horizon` remembers how far numbers were drawn and who was still running, `seal_batch` seals up to there once all of
those have ended.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bahal.foundation.audit.checking import FIRST_PREVIOUS, MEMBER, Finding, Root, Seal, chained, check, digest
from bahal.foundation.audit.roots import ENTRIES, export, plain
from bahal.foundation.audit.sentences import SENTENCES
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.errors import names_in

LARGEST_BATCH = 5_000

_SEALER = 0x0BA4A1


@dataclass(frozen=True, slots=True)
class Act:
    """One act for the audit. `subject` names a thing as `order 12`; `connection` where the sentence is shown."""

    act: str
    subject: str
    connection: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Numbers up to `upto` were drawn when every transaction before `running` had begun."""

    upto: int
    running: str


@transaction_required
def record(
    *,
    actor: str,
    act: str,
    subject: str,
    at: datetime,
    business_at: datetime,
    connection: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Record one act in the caller's transaction.

    :raises KeyError: no sentence for this act, or its data lacks what the sentence names.
    """
    record_many([Act(act, subject, connection, data or {})], actor=actor, at=at, business_at=business_at)


@transaction_required
def record_many(acts: Sequence[Act], *, actor: str, at: datetime, business_at: datetime) -> None:
    """Record several acts of one actor in one statement.

    :raises KeyError: as `record`.
    """
    if not acts:
        return
    for each in acts:
        missing = (names_in(SENTENCES[each.act][0]) | names_in(SENTENCES[each.act][1])) - each.data.keys()
        if missing:
            raise KeyError(f"{each.act} lacks {', '.join(sorted(missing))}")
    # The filter is evaluated before the first row draws its number: whoever holds a number has a transaction id.
    run(
        "INSERT INTO audit_entry (at, business_at, actor, act, subject, connection, data)"
        " SELECT %s, %s, %s, g.act, g.subject, g.connection, g.data::jsonb"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) AS g (act, subject, connection, data)"
        " WHERE pg_current_xact_id() IS NOT NULL",
        at,
        business_at,
        actor,
        [each.act for each in acts],
        [each.subject for each in acts],
        [each.connection for each in acts],
        [json.dumps(each.data, default=_plain, ensure_ascii=False) for each in acts],
    )


def horizon() -> Horizon:
    """How far the audit has come now."""
    row = one("SELECT coalesce(max(id), 0), pg_snapshot_xmax(pg_current_snapshot())::text FROM audit_entry")
    assert row is not None
    return Horizon(*row)


@transaction_required
def seal_batch(seen: Horizon, *, at: datetime) -> Seal | None:
    """Seal the entries up to a horizon, or None: nothing to seal, or somebody from before it is still at work.

    One sealer works at a time; another waits for its commit.
    """
    value("SELECT pg_advisory_xact_lock(%s)", _SEALER)
    if not value("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", seen.running):
        return None
    last = one("SELECT last_entry, sha256 FROM audit_batch ORDER BY id DESC LIMIT 1")
    sealed_to, previous = last or (0, FIRST_PREVIOUS)
    entries = many(f"{ENTRIES} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s", sealed_to, seen.upto, LARGEST_BATCH)
    if not entries:
        return None
    members = _members(entries)
    sealed = chained(previous, members)
    batch = value(
        "INSERT INTO audit_batch (first_entry, last_entry, entries, members, previous_sha256, sha256, sealed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        entries[0][0],
        entries[-1][0],
        len(entries),
        members,
        previous,
        sealed,
        at,
    )
    return Seal(batch, entries[0][0], entries[-1][0], len(entries), sealed)


def verify(seals: Iterable[Seal] = (), roots: Iterable[Root] = ()) -> list[Finding]:
    """Everything wrong with the sealed part of the audit here; an empty list is a proof, as `check` gives it.

    `seals` and `roots` are those kept outside the database: without them a cut-off end cannot be told from a younger
    audit.
    """
    return check(export(at=datetime.now(UTC)), seals=seals, roots=roots)


def _members(entries: Iterable[Sequence[Any]]) -> bytes:
    return b"".join(MEMBER.pack(entry[0], digest(plain(entry))) for entry in entries)


def _plain(datum: object) -> str:
    return datum.isoformat() if hasattr(datum, "isoformat") else str(datum)

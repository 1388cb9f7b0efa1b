"""Whether the notices are what was written: each chain by its hashes, each batch by the audit, each notice by both.

An altered step differs from its hash, one taken out breaks its chain, one taken off the end is missed by the batch that
the audit keeps; and what a notice names is what its first step said that it names.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bahal.domains.notices.chain import Broken, Step, broken
from bahal.domains.notices.queries import chain_of, every_chain
from bahal.foundation.rows import many


@dataclass(frozen=True, slots=True)
class Verified:
    """How many steps were looked at, in how many batches, and every place where something is wrong."""

    steps: int
    batches: int
    wrong: Sequence[Broken]


def verify_notices(*, connection: int | None = None) -> Verified:
    """Verify the chains of a connection, or of everybody."""
    wrong: list[Broken] = []
    steps = 0
    slices: Iterable[list[Step]] = every_chain() if connection is None else [chain_of(connection=connection)]
    batches: set[int] = set()
    for part in slices:
        steps += len(part)
        wrong += broken(part)
        wrong += _notices(part)
        batches.update(each.batch for each in part)
    batches_looked, missed = _batches(None if connection is None else batches)
    wrong += missed
    return Verified(steps, batches_looked, wrong)


def _notices(steps: Sequence[Step]) -> Iterator[Broken]:
    """Notices that are not what the step that asked for them first says, or that no step asked for."""
    connections = sorted({each.connection for each in steps})
    stated: dict[int, dict[str, object]] = {}
    for each in steps:
        if each.event == "asked" and each.notice is not None and each.evidence:
            told = json.loads(each.evidence)
            if "bills" in told:
                stated.setdefault(each.notice, {**told, "bills": sorted(told["bills"]), "position": each.position})
    rows = many(
        "SELECT n.id, n.connection, n.paise, n.sha256, (SELECT coalesce(array_agg(nb.bill ORDER BY nb.bill), '{}')"
        " FROM notices_noticedbill nb WHERE nb.notice = n.id) FROM notices_writtennotice n"
        " WHERE n.connection = ANY(%s::bigint[]) ORDER BY n.id",
        connections,
    )
    for notice, connection, paise, sha256, bills in rows:
        told = stated.get(notice)
        if told is not None and (told["bills"], told["paise"], told["sha256"]) != (bills, paise, sha256):
            yield Broken(connection, "statutory", int(str(told["position"])), f"notice {notice} is another")


def _batches(only: set[int] | None) -> tuple[int, list[Broken]]:
    """Every batch that the audit knows against the steps that are there; batches that it does not know."""
    rows = many(
        "SELECT coalesce(a.batch, s.batch), a.steps, a.sha256, s.steps, s.sha256 FROM ("
        " SELECT (data ->> 'batch')::bigint AS batch, (data ->> 'steps')::bigint AS steps, data ->> 'sha256' AS sha256"
        " FROM audit_entry WHERE act = 'notice.steps') AS a FULL JOIN ("
        " SELECT batch, count(*) AS steps,"
        " encode(sha256(convert_to(string_agg(hash, '' ORDER BY id), 'UTF8')), 'hex') AS sha256"
        " FROM notices_step WHERE %s::bigint[] IS NULL OR batch = ANY(%s::bigint[]) GROUP BY batch) AS s"
        " ON s.batch = a.batch WHERE %s::bigint[] IS NULL OR s.batch IS NOT NULL ORDER BY 1",
        *[None if only is None else sorted(only)] * 3,
    )
    wrong = []
    for batch, said, said_sha256, found, found_sha256 in rows:
        if said is None:
            wrong.append(Broken(0, "batch", batch, "not in the audit"))
        elif found is None or said != found:
            wrong.append(Broken(0, "batch", batch, f"{said} steps written, {found or 0} there"))
        elif said_sha256 != found_sha256:
            wrong.append(Broken(0, "batch", batch, "not the steps that the audit says"))
    return len(rows), wrong

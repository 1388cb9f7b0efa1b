"""The chain of a connection's notices, and what follows from it: served since when, reminded on which days.

The interlock derives the same for itself in SQL (`authority_facts`); a test asks both about random chains. A chain is
checked by `step_hash`, which a stranger has as well (`bahal.shared.verify_evidence`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from bahal.shared.verify_evidence import FIRST_STEP, step_hash


class Step(NamedTuple):
    """One step as it stands; see the model of the same name."""

    id: int
    batch: int
    connection: int
    machine: str
    position: int
    attempt: int
    event: str
    notice: int | None
    day: date
    channel: str
    template: str | None
    template_version: int | None
    text: str | None
    address: str | None
    next_channel: str | None
    next_at: datetime | None
    policy: str | None
    provider: str | None
    code: str | None
    evidence: str | None
    at: datetime
    business_at: datetime
    effective_on: date | None
    previous: str
    hash: str

    def plain(self) -> dict[str, Any]:
        """The step in values of JSON, as it is hashed."""
        return {name: _plain(datum) for name, datum in self._asdict().items()}


class Broken(NamedTuple):
    """A place where a chain is not what was written."""

    connection: int
    machine: str
    position: int
    why: str


class Served(NamedTuple):
    """A notice that was served: its day of issue and the first day on which it arrived by a channel that serves."""

    issued_on: date
    served_on: date


def served(steps: Iterable[Step], *, serves: Collection[str]) -> Mapping[int, Served]:
    """The notices served, by number. Only the day on which one arrived counts, never that of its posting (s.56(1))."""
    found: dict[int, Served] = {}
    for each in steps:
        if each.machine != "statutory" or each.event != "delivered" or each.channel not in serves:
            continue
        if each.notice is None or each.effective_on is None:
            continue
        before = found.get(each.notice)
        if before is None or each.effective_on < before.served_on:
            found[each.notice] = Served(each.day, each.effective_on)
    return found


def reminded_on(steps: Iterable[Step]) -> set[date]:
    """The days on which a reminder arrived, by whichever channel: without a receipt there is none."""
    return {
        each.effective_on
        for each in steps
        if each.machine == "reminder" and each.event == "delivered" and each.effective_on is not None
    }


def broken(steps: Iterable[Step]) -> Iterator[Broken]:
    """Every place where the chains do not hold; the steps come by connection, machine and position."""
    chain: tuple[int, str] | None = None
    position, previous = 0, FIRST_STEP
    for each in steps:
        if (each.connection, each.machine) != chain:
            chain, position, previous = (each.connection, each.machine), 0, FIRST_STEP
        position += 1
        if each.position != position:
            yield Broken(*chain, position, "missing")
            position = each.position
        elif each.previous != previous:
            yield Broken(*chain, position, "not chained to the step before")
        if step_hash(each.plain()) != each.hash:
            yield Broken(*chain, each.position, "altered")
        previous = each.hash


def _plain(datum: Any) -> Any:
    if isinstance(datum, datetime):
        return datum.astimezone(UTC).isoformat(timespec="microseconds")
    return datum.isoformat() if isinstance(datum, date) else datum

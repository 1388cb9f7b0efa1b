"""Questions about a lineman's tasks and his reports."""

from datetime import datetime
from typing import NamedTuple

from bahal.domains.fieldwork.errors import ReportUnknown, TaskUnknown
from bahal.foundation.rows import many, one, value


class Task(NamedTuple):
    """A task as it stands."""

    id: int
    connection: int
    meter: str
    order: int | None
    kind: str
    reason: str
    opened_at: datetime
    closed_at: datetime | None
    closed_how: str


class Report(NamedTuple):
    """A report as it was taken; `wh` what was read, `photo` the SHA-256 of its file or empty."""

    id: str
    body_sha256: str
    task: int
    connection: int
    meter: str
    lineman: str
    at: datetime
    outcome: str
    supply: str
    seal: str
    wh: int | None
    photo: str
    latitude: float | None
    longitude: float | None
    note: str
    against: list[str]
    closes: bool
    received_at: datetime


_TASK = 'id, connection, meter, "order", kind, reason, opened_at, closed_at, closed_how'
_REPORT = ", ".join(["id::text", *Report._fields[1:]])


def find_task(*, task: int) -> Task:
    """One task.

    :raises TaskUnknown: no such one.
    """
    return _task(f"SELECT {_TASK} FROM fieldwork_task WHERE id = %s", task)  # noqa: S608


def task_locked(*, task: int) -> Task:
    """One task, its row locked until the transaction ends.

    :raises TaskUnknown: no such one.
    """
    return _task(f"SELECT {_TASK} FROM fieldwork_task WHERE id = %s FOR UPDATE", task)  # noqa: S608


def _task(statement: str, task: int) -> Task:
    row = one(statement, task)
    if row is None:
        raise TaskUnknown(task=task)
    return Task(*row)


def open_tasks(*, kind: str | None = None, most: int = 5000) -> list[Task]:
    """The tasks that are open, oldest first; those of one kind, or all."""
    rows = many(
        f"SELECT {_TASK} FROM fieldwork_task WHERE closed_at IS NULL AND (%s::text IS NULL OR kind = %s)"  # noqa: S608
        " ORDER BY id LIMIT %s",
        kind,
        kind,
        most,
    )
    return [Task(*row) for row in rows]


def reports_of(*, task: int) -> list[Report]:
    """The reports on a task, in the order of their coming."""
    rows = many(f"SELECT {_REPORT} FROM fieldwork_report WHERE task = %s ORDER BY received_at, id", task)  # noqa: S608
    return [Report(*row) for row in rows]


def find_report(*, report: str) -> Report:
    """One report.

    :raises ReportUnknown: no such one.
    """
    found = report_if_taken(report=report)
    if found is None:
        raise ReportUnknown(report=report)
    return found


def report_if_taken(*, report: str) -> Report | None:
    """The report with this id, or None."""
    row = one(f"SELECT {_REPORT} FROM fieldwork_report WHERE id = %s", report)  # noqa: S608
    return None if row is None else Report(*row)


def seal_elsewhere(*, seal: str, connection: int) -> bool:
    """Whether this seal was reported on another connection: a seal is put on once."""
    return bool(seal) and bool(
        value("SELECT true FROM fieldwork_report WHERE seal = %s AND connection <> %s LIMIT 1", seal, connection)
    )


def photo_elsewhere(*, photo: str, connection: int) -> bool:
    """Whether this very photo was reported on another connection."""
    return bool(photo) and bool(
        value("SELECT true FROM fieldwork_report WHERE photo = %s AND connection <> %s LIMIT 1", photo, connection)
    )

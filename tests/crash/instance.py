"""A copy of the template with the product up on it, for as long as a block lasts."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bahal.shared.database import Role, dsn_of
from bahal.shared.home import Home, read_json
from tests.crash import template
from tests.entry.instance import processes_of
from tests.monday.living import environment

Rows = dict[str, Any]


class Instance:
    """`bahal up --demo` on a copy of the template; `crash_at` is the variable's value, empty for no strike.

    `code` is the supervisor's exit code and `left` what still ran after the drain, once the block has ended.
    """

    def __init__(self, *, prepared: Path, home: Path, source: Path, crash_at: str = "") -> None:
        self.home = Home(home)
        self.code: int | None = None
        self.left: list[int] = []
        subprocess.run(["cp", "-a", prepared, home], check=True)
        clocked = home / "interlock" / "interlock.json"
        clocked.write_text(json.dumps({**json.loads(clocked.read_text()), "clock": str(self.home.run / "clock.json")}))
        self.facts: dict[str, Any] = json.loads((home / "facts.json").read_text())
        self.meter_of: dict[int, str] = {connection: meter for meter, connection in self.facts["meters"].items()}
        with (home / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                template.UP,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=source,
                env=environment(home, BAHAL_CRASH_AT=crash_at),
            )

    def __enter__(self) -> "Instance":
        """Wait until it is open; the fleet listens elsewhere than the template's did, so the meters move there."""
        try:
            template.until(lambda: self.endpoints or self._up.poll() is not None, what="open", seconds=90)
            if self._up.poll() is not None:
                raise RuntimeError((self.home.path / "up.log").read_text())
            port = int(self.endpoints["fleet"].rpartition(":")[2])
            with self.entered("owner") as owner:
                for room in ("interlock", "headend"):
                    owner.execute(
                        f"UPDATE {room}_meter SET port = %s, gateway = split_part(gateway, ':', 1) || %s",  # noqa: S608
                        [port, f":{port}"],
                    )
        except BaseException:
            self._up.kill()
            self._up.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain it."""
        self._up.terminate()
        self.code = self._up.wait(60)
        self.left = processes_of(self.home.path)

    @property
    def endpoints(self) -> dict[str, Any]:
        """Where its doors are; empty until all are open."""
        return template.endpoints(self.home.path)

    def pids(self) -> dict[str, int]:
        """The process of each room and of the database, as far as they have one."""
        pids = dict(self.endpoints.get("pids", {}))
        stated = read_json(self.home.run / "database.json")
        return pids if stated is None else {**pids, "postgres": stated["pid"]}

    def entered(self, role: Role) -> "psycopg.Connection[Rows]":
        """A connection as one role.

        :raises psycopg.OperationalError: the database is away.
        """
        return psycopg.connect(dsn_of(role, home=self.home, environ={}), row_factory=dict_row, autocommit=True)


def tidy(home: Path) -> None:
    """End what a failed run left and remove its folder."""
    for pid in processes_of(home):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    shutil.rmtree(home, ignore_errors=True)

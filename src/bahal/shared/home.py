"""The folder an instance lives in, `$BAHAL_HOME`: where its secrets, its running state and its logs stand.

- `secrets/` (0700): one JSON file (0600) for each holder, so that a room can be given its own and no other's
- `run/`: what runs now, addresses and process ids
- `logs/`: what the outside world's stand-ins and the rooms write
- `pg/`: the embedded database
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LONGEST_SOCKET_PATH = 100


class Home:
    """One instance's folder; making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.secrets = self.path / "secrets"
        self.run = self.path / "run"
        self.logs = self.path / "logs"

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> "Home":
        """The home that `BAHAL_HOME` names, `./var` if it is unset."""
        return cls(Path((os.environ if environ is None else environ).get("BAHAL_HOME") or "var"))

    def socket(self, name: str) -> Path:
        """Where a Unix socket of this instance stands: under `run/`, or, if that is too deep for the system's 107
        bytes, in a folder of its own under /tmp that the path alone decides."""
        path = self.run / name
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        short = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"bahal-{os.getuid()}-{short}" / name

    def make(self) -> None:
        """Make the folders. Others may pass through the home, as the database's own user must, but not list it."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def keep_secret(self, holder: str, value: Mapping[str, Any]) -> None:
        """Store a holder's secret, replacing what was there in one step."""
        write_private(self.secrets / f"{holder}.json", value)

    def secret(self, holder: str) -> dict[str, Any] | None:
        """A holder's secret, or None if it was never stored.

        :raises PermissionError: it belongs to another room.
        """
        return read_json(self.secrets / f"{holder}.json")


def write_private(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file that only its owner may read (0600), replacing what was there in one step."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file, or None if there is no such file."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return stored

"""What the hostile process is given, as one JSON file, so that nothing else can slip into its hands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bahal.rehearsal.hostile.authenticator import StolenPasskey
from bahal.shared.home import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """A document that two officers really signed, and the connections that it was signed for (meter, connection)."""

    document: str
    maker_signature: str
    checker_signature: str
    lines: list[list[Any]]
    """Position, meter, connection, paise, bills, notice's hash and fence of each line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that it holds. `stolen_key` is the maker's Ed25519 key in hexadecimal, `stolen_passkey` his passkey with its
    private half; `business_at` an ISO instant. `origin` is the interlock's page's, `web` the application's own."""

    app_dsn: str
    secrets: dict[str, dict[str, str]]
    links: str
    stolen_key: str
    stolen_passkey: StolenPasskey
    origin: str
    web: str
    stolen_login: str
    other_login: str
    circle: int
    other_circle: int
    business_at: str
    lawful_drive: int
    genuine: Genuine
    expired: list[Genuine]
    elsewhere: list[Genuine]
    past_the_page: list[Genuine]
    """What both officers' passkeys really signed, for this circle and this hour, but not on the interlock's page."""
    targets: list[list[Any]]
    """Meter, connection, host and port of every meter that is not lawfully on the list."""

    def write(self, path: Path) -> None:
        """For the hostile process alone."""
        write_private(path, asdict(self))

    @staticmethod
    def read(path: Path) -> Material:
        """As it was written."""
        stated = json.loads(path.read_text(encoding="utf-8"))
        stated["genuine"] = Genuine(**stated["genuine"])
        stated["stolen_passkey"] = StolenPasskey(**stated["stolen_passkey"])
        for name in ("expired", "elsewhere", "past_the_page"):
            stated[name] = [Genuine(**each) for each in stated[name]]
        return Material(**stated)

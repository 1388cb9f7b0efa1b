"""The interlock's own messages: each signer is told by SMS how many connections he signs for, and how much they owe.

They go to the telephones of the interlock's own list, through a centre of its own setting, past the application and its
outbox: whoever deceives a signer's screen has not his telephone. What cannot be told is not cut: a drive waits until
the centre has taken both messages, and its warrant runs out meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog

from bahal.headend.database import Database
from bahal.interlock.officers import Officer
from bahal.shared.money import rupees
from bahal.shared.text import grouped
from bahal.shared.warrant import Document

TEMPLATE: Final = "BAHAL-WARRANT-1"
TIMEOUT_S: Final = 5.0
_TELL: Final = "SELECT interlock_tell(%s::uuid, %s, %s, %s)"
_TOLD: Final = "SELECT officer FROM interlock_told WHERE warrant = %s::uuid AND told_at IS NOT NULL"


class Telling:
    """Tells signers, each once a warrant.

    :param centre: an http address, `file:` and a path (a rehearsal's), or None: then nobody can be told.
    """

    def __init__(self, *, database: Database, centre: str | None) -> None:
        self._database = database
        self._centre = centre
        self._log = structlog.get_logger().bind(part="telling")

    async def told(self, warrant: str) -> set[str]:
        """Who was told of this warrant.

        :raises psycopg.Error: the database failed.
        """
        return {row[0] for row in await self._database.rows(_TOLD, (warrant,))}

    async def tell(self, document: Document, officer: Officer, circle: str) -> str:
        """Tell an officer, if he was not; why he could not be told, empty if he was.

        :raises psycopg.Error: the database failed.
        """
        if officer.login in await self.told(document.warrant):
            return ""
        receipt, why = await self._send(document, officer, circle)
        await self._database.rows(_TELL, (document.warrant, officer.login, receipt, why))
        if why:
            self._log.error("signer_not_told", warrant=document.warrant, officer=officer.login, why=why)
        return why

    async def _send(self, document: Document, officer: Officer, circle: str) -> tuple[str | None, str]:
        if not officer.phone:
            return None, "no_phone"
        if self._centre is None:
            return None, "no_centre"
        message = {
            "reference": f"warrant-{document.warrant}-{officer.login}",
            "to": officer.phone,
            "template": TEMPLATE,
            "text": text_of(document, circle),
        }
        if urlsplit(self._centre).scheme == "file":
            return _written(Path(urlsplit(self._centre).path), message)
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answered = await client.post(f"{self._centre}/messages", json=[message])
                answered.raise_for_status()
                (said,) = answered.json()
                receipt = said.get("receipt")
                return (str(receipt), "") if receipt else (None, f"centre_refused {said.get('error')}"[:200])
        except (httpx.HTTPError, ValueError, TypeError, AttributeError) as failure:
            return None, f"centre_away {type(failure).__name__}"


def text_of(document: Document, circle: str) -> str:
    """What a signer reads: which warrant, how many, how much, where; and what to do if it is not his."""
    short, count, money = document.warrant[:8], grouped(document.orders), rupees(document.sum_paise)
    return (
        f"इंटरलॉक: अधिपत्र {short}, {circle}: {count} कनेक्शन काटे जाएँगे, बकाया {money}। आपका नहीं? तुरंत रोकें।"
        f" Interlock: warrant {short}: {count} connections to be cut, {money} owed. Not yours? Stop all cuts now."
    )


def _written(path: Path, message: Mapping[str, str]) -> tuple[str | None, str]:
    """A rehearsal's centre: a file that only grows."""
    line = {"at": datetime.now(UTC).isoformat(timespec="microseconds"), **message}
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as failure:
        return None, f"centre_away {failure.strerror}"
    return message["reference"], ""

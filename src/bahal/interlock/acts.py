"""Acts of the charter as the business carries them: each is judged when it has its signatures, and what it changes
holds in this process at once. Another worker's acceptance is judged again here, by this machine's own record.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import structlog

from bahal.headend.database import Database
from bahal.interlock.charter import ActRefused, Charter, Signed
from bahal.interlock.config import InterlockMisconfigured
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.profile import Profile
from bahal.shared.charter import Act
from bahal.shared.clock import Clock

_ASKED: Final = """
    SELECT a.id, a.document, a.outcome,
           ARRAY(SELECT s.officer FROM interlock_act_signature s WHERE s.act = a.id ORDER BY s.id),
           ARRAY(SELECT s.signature FROM interlock_act_signature s WHERE s.act = a.id ORDER BY s.id)
    FROM interlock_act a WHERE a.outcome IN ('', 'accepted') AND a.sha256 <> ALL (%s::text[]) ORDER BY a.id LIMIT 100
"""
_END: Final = "SELECT interlock_end_act(%s, %s)"
_STATE: Final = "SELECT interlock_state_roll(%s::jsonb, %s)"
_LOWERED: Final = "SELECT interlock_lower_caps(%s::jsonb, %s)"
_HALT: Final = "SELECT interlock_halt(%s, %s)"


class Acts:
    """Looks after what is asked of the charter.

    :param revoked: called with the login of an officer who lost a key.
    :param caps: called with another profile that came into force.
    """

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        charter: Charter,
        clock: Clock,
        metrics: InterlockMetrics,
        revoked: Callable[[str], Awaitable[None]],
        caps: Callable[[Profile, tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._database = database
        self._worker = worker
        self._charter = charter
        self._clock = clock
        self._metrics = metrics
        self._revoked = revoked
        self._caps = caps
        self._in_force: str | None = None
        self._stated = ""
        self._refused: set[int] = set()
        self._log = structlog.get_logger().bind(part="acts")

    async def tend(self) -> None:
        """One round. A record that was altered under this process stops all cuts; reconnections go on.

        :raises psycopg.Error: the database failed; the next round does what is left.
        """
        try:
            self._charter.read()
        except InterlockMisconfigured as altered:
            self._log.error("charter_altered", why=altered.data["why"])
            await self._database.rows(_HALT, (self._worker, "charter_altered"))
            return
        now = self._clock.now()
        for number, document, outcome, officers, signatures in await self._database.rows(_ASKED, (self._charter.acts,)):
            if number not in self._refused:
                signed = [Signed(*each) for each in zip(officers, signatures, strict=True)]
                await self._judge(number, document, outcome, signed, now)
        profile, signers = self._charter.caps(now)
        if profile.name != self._in_force:
            if self._in_force is not None:
                self._log.warning("caps_changed", was=self._in_force, profile=profile.name, signed_by=signers)
            await self._database.rows(_LOWERED, (profile.as_json(), now))
            await self._caps(profile, signers)
            self._in_force = profile.name
        stated = json.dumps(self._charter.stated(), sort_keys=True, ensure_ascii=False)
        if stated != self._stated:
            await self._database.rows(_STATE, (stated, self._worker))
            self._stated = stated

    async def _judge(self, number: int, document: str, outcome: str, signed: list[Signed], now: datetime) -> None:
        try:
            act = self._charter.ask(document, signed, at=now)
        except ActRefused as refused:
            if not refused.final and _waits(document, now):
                return
            self._metrics.acts.labels(refused.name).inc()
            self._log.warning("act_refused", act=number, reason=refused.name)
            if refused.name == "act_used":  # another worker of this machine accepted it
                await self._database.rows(_END, (number, "accepted"))
            elif outcome:
                self._refused.add(number)
            else:
                await self._database.rows(_END, (number, refused.name))
        else:
            await self._database.rows(_END, (number, "accepted"))
            self._metrics.acts.labels("accepted").inc()
            self._log.warning(
                "act_accepted", kind=act.act, sha256=act.sha256, of=_told(act.of), by=[s.login for s in signed]
            )
            if act.act == "revoke":
                # What was signed by a key that is good no more is not sent on.
                await self._revoked(act.of["login"])


def _waits(document: str, now: datetime) -> bool:
    return now < Act.parse(document).expires_at


def _told(of: dict[str, Any]) -> dict[str, Any]:
    """An act's fields as the log may hold them."""
    return {name: value for name, value in of.items() if name not in ("phone", "profile")}

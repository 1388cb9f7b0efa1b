"""Drives: each is verified and registered once, its canary judged, and what ran out of time is ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import class_row

from bahal.headend.database import Database, Ringer
from bahal.interlock.canary import CanaryVerdict, judge_canary
from bahal.interlock.config import Officer
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.profile import Profile
from bahal.interlock.warrant import Drive, WarrantRefused, check_document, verify
from bahal.shared.clock import Clock
from bahal.shared.warrant import Document, Line

_CHUNK: Final = 2000
_EXPIRE_EVERY_S: Final = 5.0
_REFUSED_AT_ONCE: Final = 5000

_UNREGISTERED: Final = """
    SELECT d.id, d.warrant::text, d.office, d.orders, d.sum_paise, d.list_sha256, d.document, d.maker,
           d.maker_signature, d.checker, d.checker_signature, d.not_before, d.expires_at
    FROM supply_drive d
    WHERE d.state = 'running' AND NOT EXISTS (SELECT FROM interlock_warrant w WHERE w.drive = d.id) ORDER BY d.id
"""
_LINES: Final = """
    SELECT id, ground, position, meter, connection, due_paise, bills, notice_sha256, fence
    FROM supply_order WHERE drive = %s AND kind = 'cut' ORDER BY position, id
"""
_REGISTER: Final = """
    SELECT interlock_register(%s, %s::uuid, %s, %s, %s, %s::jsonb, %s, %s, %s,
                              %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])
"""
_IN_CANARY: Final = """
    SELECT w.drive FROM interlock_warrant w JOIN supply_drive d ON d.id = w.drive
    WHERE w.canary_passed_at IS NULL AND w.stopped_at IS NULL AND d.state = 'running' ORDER BY w.drive
"""


class Drives:
    """Looks after all drives of this interlock.

    :param ringer: rings the business's bell when orders were ended.
    :param opened: called when cuts became claimable: a drive was registered or its canary passed.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profile: Profile,
        officers: Mapping[str, Officer],
        metrics: InterlockMetrics,
        ringer: Ringer,
        opened: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._profile = profile
        self._officers = officers
        self._metrics = metrics
        self._ringer = ringer
        self._opened = opened
        self._expired_at = 0.0
        self.canary_open = False
        """Whether some drive waits for its canary."""
        self._log = structlog.get_logger().bind(part="drives")

    async def tend(self) -> None:
        """One round over everything that needs looking after.

        :raises psycopg.Error: the database failed; the next round does what is left.
        """
        async with self._database.transaction() as connection:
            cursor = connection.cursor(row_factory=class_row(Drive))
            drives = await (await cursor.execute(_UNREGISTERED)).fetchall()
        for drive in drives:
            await self._take_in(drive)
        in_canary = await self._database.rows(_IN_CANARY)
        self.canary_open = bool(in_canary)
        for (drive_id,) in in_canary:
            await self.judge(drive_id)
        ((handed,),) = await self._database.rows("SELECT interlock_hand_over(%s)", (self._clock.now(),))
        if handed:
            self._log.info("handed_to_linemen", orders=handed)
            self._ringer.ring()
        if time.monotonic() - self._expired_at > _EXPIRE_EVERY_S:
            self._expired_at = time.monotonic()
            ((expired,),) = await self._database.rows("SELECT interlock_expire(%s)", (self._clock.now(),))
            if expired:
                self._log.info("orders_expired", orders=expired)
                self._ringer.ring()

    async def judge(self, drive: int) -> None:
        """Judge a drive's canary, if all of it has come to an end."""
        ((still_open, confirmed, failed, _),) = await self._database.rows(
            "SELECT * FROM interlock_canary(%s)", (drive,)
        )
        verdict = judge_canary(
            open_orders=still_open,
            confirmed=confirmed,
            failed=failed,
            wrong_share=self._profile.canary_wrong_share,
        )
        if verdict is CanaryVerdict.OPEN:
            return
        self._metrics.drives.labels(f"canary_{verdict.value}").inc()
        self._log.info("canary_judged", drive=drive, verdict=verdict.value, confirmed=confirmed, field_tasks=failed)
        if verdict is CanaryVerdict.PASSED:
            await self._database.rows("SELECT interlock_pass_canary(%s)", (drive,))
            self._opened()
        else:
            await self._stop(drive, "canary_failed")

    async def _take_in(self, drive: Drive) -> None:
        try:
            # Signatures first: a forged list of a million is refused before any of it is read.
            check_document(drive, self._officers)
            orders, lines, grounds = await self._lines(drive.id)
            # Hashing forty thousand lines takes a while, and restores do not wait for it.
            document = await asyncio.to_thread(verify, drive, lines, grounds, self._officers, self._clock.now())
            await self._register(drive, document, orders, lines)
        except WarrantRefused as refusal:
            self._metrics.drives.labels(refusal.name).inc()
            self._log.error("warrant_refused", drive=drive.id, reason=refusal.name, **refusal.data)
            await self._stop(drive.id, refusal.name)
        else:
            self._metrics.drives.labels("registered").inc()
            self._log.info(
                "drive_registered", drive=drive.id, orders=len(lines), maker=drive.maker, checker=drive.checker
            )
            self._opened()

    async def _lines(self, drive: int) -> tuple[list[int], list[Line], set[str]]:
        orders: list[int] = []
        lines: list[Line] = []
        grounds: set[str] = set()
        async with self._database.transaction() as connection, connection.cursor(name="drive_lines") as cursor:
            await cursor.execute(_LINES, (drive,))
            while rows := await cursor.fetchmany(_CHUNK):
                for order, ground, position, meter, connection_id, paise, bills, notice, fence in rows:
                    orders.append(order)
                    grounds.add(ground)
                    lines.append(
                        Line(
                            position=position,
                            meter=meter,
                            connection=connection_id,
                            paise=paise,
                            bills=bills,
                            notice_sha256=notice,
                            fence=fence,
                        )
                    )
                await asyncio.sleep(0)
        return orders, lines, grounds

    async def _register(self, drive: Drive, document: Document, orders: list[int], lines: list[Line]) -> None:
        """Write the verified list down, once.

        :raises WarrantRefused: the warrant was used before, or a line leads to no meter or to another circle.
        """
        columns: list[list[Any]] = [
            orders,
            [line.meter for line in lines],
            [line.connection for line in lines],
            [line.fence for line in lines],
            [line.paise for line in lines],
            [line.position for line in lines],
        ]
        head = (
            drive.id,
            document.warrant,
            document.list_sha256,
            drive.maker,
            drive.checker,
            self._profile.as_json(),
            document.not_before,
            document.expires_at,
            self._clock.now(),
        )
        try:
            async with self._database.transaction() as connection:
                found = await (await connection.execute(_REGISTER, (*head, *columns))).fetchone()
                elsewhere = await (
                    await connection.execute(
                        "SELECT count(*) FROM interlock_line WHERE warrant = %s::uuid AND circle <> %s",
                        (document.warrant, document.circle),
                    )
                ).fetchone()
                if found is None or found[0] != len(lines):
                    raise WarrantRefused("warrant_line_unknown", drive.id, lines=len(lines), known=found and found[0])
                if elsewhere is None or elsewhere[0]:
                    raise WarrantRefused("warrant_other_circle", drive.id, lines=elsewhere and elsewhere[0])
        except psycopg.errors.UniqueViolation as used:
            rows = await self._database.rows(
                "SELECT 1 FROM interlock_warrant WHERE drive = %s AND warrant = %s::uuid", (drive.id, document.warrant)
            )
            if not rows:
                raise WarrantRefused("warrant_used", drive.id) from used
            # Another worker was faster; the drive is registered.

    async def _stop(self, drive: int, why: str) -> None:
        refused, some = 0, _REFUSED_AT_ONCE
        while some == _REFUSED_AT_ONCE:
            # The first round stops the drive; refusing a long list takes longer, and a restore may come between.
            ((some,),) = await self._database.rows(
                "SELECT interlock_stop(%s, %s, %s, %s)", (drive, why, self._clock.now(), _REFUSED_AT_ONCE)
            )
            refused += some
        self._log.error("drive_stopped", drive=drive, reason=why, orders_refused=refused)
        self._ringer.ring()

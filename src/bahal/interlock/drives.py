"""Drives: each is verified and registered once, its canary judged, and what ran out of time is ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import class_row

from bahal.headend.database import Database, Ringer
from bahal.interlock.canary import CanaryVerdict, judge_canary
from bahal.interlock.charter import Charter
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.profile import Profile
from bahal.interlock.telling import Telling
from bahal.interlock.warrant import Authorities, Drive, WarrantRefused, check_document, verify
from bahal.shared.clock import Clock
from bahal.shared.passkey import is_assertion
from bahal.shared.warrant import Document, Line

_CHUNK: Final = 2000
_EXPIRE_EVERY_S: Final = 5.0
_TELL_EVERY_S: Final = 5.0
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
    SELECT interlock_register(%s, %s::uuid, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s,
                              %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])
"""
_TAKEN: Final = "SELECT role, officer, signature FROM interlock_signature WHERE warrant = %s::uuid"
_RESTING_ON: Final = """
    SELECT w.drive FROM interlock_warrant w JOIN supply_drive d ON d.id = w.drive
    WHERE d.state IN ('authorised', 'running', 'paused')
      AND (w.maker = %s OR w.checker = %s OR w.maker_authority = %s OR w.checker_authority = %s) ORDER BY w.drive
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
        charter: Charter,
        telling: Telling,
        metrics: InterlockMetrics,
        ringer: Ringer,
        opened: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self.profile, _ = charter.caps(clock.now())
        """The caps in force."""
        self._charter = charter
        self._telling = telling
        self._told_at: dict[str, float] = {}
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

    def use(self, profile: Profile) -> None:
        """Take in and judge under these caps from now on."""
        self.profile = profile

    async def judge(self, drive: int) -> None:
        """Judge a drive's canary, if all of it has come to an end."""
        ((still_open, confirmed, failed, _),) = await self._database.rows(
            "SELECT * FROM interlock_canary(%s)", (drive,)
        )
        verdict = judge_canary(
            open_orders=still_open,
            confirmed=confirmed,
            failed=failed,
            wrong_share=self.profile.canary_wrong_share,
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
            document, authorities = check_document(
                drive, self._charter, at=self._clock.now(), place=self._charter.place
            )
            await self._check_taken(drive)
            orders, lines, grounds = await read_list(self._database, drive.id)
            # Hashing forty thousand lines takes a while, and restores do not wait for it.
            await asyncio.to_thread(
                verify, drive, lines, grounds, self._charter, self._clock.now(), self._charter.place
            )
            if not await self._both_told(drive, document):
                return
            await self._register(drive, document, authorities, orders, lines)
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

    async def _check_taken(self, drive: Drive) -> None:
        """A passkey's signature counts only as this interlock's own page took it: verified there, counted, and once.

        :raises WarrantRefused: it was not.
        """
        given = {
            (role, login, signature)
            for role, login, signature in (
                ("maker", drive.maker, drive.maker_signature),
                ("checker", drive.checker, drive.checker_signature),
            )
            if is_assertion(signature or "")
        }
        if given:
            taken = set(await self._database.rows(_TAKEN, (drive.warrant,)))
            if not given <= taken:
                raise WarrantRefused("warrant_passkey_not_taken", drive.id)

    async def _both_told(self, drive: Drive, document: Document) -> bool:
        """Whether both signers were told what they signed for; if not, the drive waits and is asked for again."""
        if time.monotonic() < self._told_at.get(drive.warrant, 0.0):
            return False
        rows = await self._database.rows("SELECT name_hi FROM interlock_circle(%s)", (document.circle,))
        circle = str(rows[0][0]) if rows else str(document.circle)
        for login in (drive.maker, drive.checker):
            why = await self._telling.tell(document, self._charter[str(login)], circle)
            if why:
                self._metrics.drives.labels("signer_not_told").inc()
                self._told_at[drive.warrant] = time.monotonic() + _TELL_EVERY_S
                return False
        self._told_at.pop(drive.warrant, None)
        return True

    async def officer_revoked(self, login: str) -> None:
        """Stop every drive that rests on the signature or the authority of an officer who lost a key."""
        for (drive,) in await self._database.rows(_RESTING_ON, (login,) * 4):
            await self._stop(drive, "officer_revoked")

    async def _register(
        self, drive: Drive, document: Document, authorities: Authorities, orders: list[int], lines: list[Line]
    ) -> None:
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
            authorities.maker,
            authorities.checker,
            self.profile.as_json(),
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


async def read_list(database: Database, drive: int) -> tuple[list[int], list[Line], set[str]]:
    """A drive's cuts in order of position, as the order rows have them: their ids, their lines, their grounds.

    :raises psycopg.Error: the database failed.
    """
    orders: list[int] = []
    lines: list[Line] = []
    grounds: set[str] = set()
    async with database.transaction() as connection, connection.cursor(name="drive_lines") as cursor:
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

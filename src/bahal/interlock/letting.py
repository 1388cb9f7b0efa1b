"""Two officers' word over cuts that exceeded a cap: the interlock verifies both, then lets them go or deletes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from bahal.headend.database import Database, Ringer
from bahal.shared.clock import Clock
from bahal.shared.letting import LETTING_LASTS, LettingDocument, letting_verified, orders_sha256

_ASKED: Final = """
    SELECT id, drive, order_ids, document, first, first_signature, second, second_signature FROM interlock_letting
    WHERE outcome = '' AND second_signature IS NOT NULL ORDER BY id
"""


class Letting:
    """Judges what two officers asked over quarantined orders.

    :param key_of: the public key of an officer who may sign, by his login, or None.
    :param opened: called when cuts became claimable.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        ringer: Ringer,
        key_of: Callable[[str], str | None],
        opened: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._ringer = ringer
        self._key_of = key_of
        self._opened = opened
        self._log = structlog.get_logger().bind(part="letting")

    async def tend(self) -> None:
        """Judge what was asked.

        :raises psycopg.Error: the database failed; the next round judges what is left.
        """
        for letting, *asked in await self._database.rows(_ASKED):
            act, refused = self.judge(*asked, at=datetime.now(UTC))
            ((said,),) = await self._database.rows(
                "SELECT interlock_let(%s, %s, %s, %s)", (letting, act, refused, self._clock.now())
            )
            self._log.warning("letting_judged", letting=letting, drive=asked[0], outcome=said)
            self._ringer.ring()
            if said == "released":
                self._opened()

    def judge(
        self,
        drive: int,
        orders: Sequence[int],
        text: str,
        first: str,
        first_signature: str,
        second: str,
        second_signature: str,
        *,
        at: datetime,
    ) -> tuple[str, str]:
        """What is to be done, and what is wrong with it: '' if two different officers signed exactly this in time."""
        try:
            document = LettingDocument.parse(text)
        except ValueError:
            return "", "letting_not_canonical"
        keys = [self._key_of(first), self._key_of(second)]
        if keys[0] is None or keys[1] is None:
            return document.act, "letting_officer_unknown"
        if first == second or keys[0] == keys[1]:
            return document.act, "letting_one_officer"
        if not (letting_verified(keys[0], first_signature, text) and letting_verified(keys[1], second_signature, text)):
            return document.act, "letting_signature_wrong"
        if (document.drive, document.orders, document.orders_sha256) != (
            drive,
            len(set(orders)),
            orders_sha256(orders),
        ):
            return document.act, "letting_of_other_orders"
        if not at < document.expires_at <= at + LETTING_LASTS:
            return document.act, "letting_expired"
        return document.act, ""

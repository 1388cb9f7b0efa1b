"""The interlock's database door, walked through by hand: claim, send, write back, without any meter."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.interlock import facts
from tests.interlock.world import World


@dataclass
class Lease:
    """What a claim gave."""

    order: int
    meter: str
    state: str
    token: int
    counter: int
    sends: int


class Door:
    """One worker at the door, as the role `interlock`."""

    def __init__(self, world: World, *, worker: str = "w1", profile: dict[str, Any] | None = None) -> None:
        self.world = world
        self.worker = worker
        self.caps = facts.PROFILE | (profile or {})
        self.connection = world.another("interlock")

    def register(self, drive: facts.Drive) -> None:
        """As the interlock does after it verified the warrant."""
        lines = drive.lines
        orders = [
            row[0]
            for row in self.world.app.execute(
                "SELECT id FROM supply_order WHERE drive = %s ORDER BY position", (drive.id,)
            ).fetchall()
        ]
        self.connection.execute(
            "SELECT interlock_register(%s, %s::uuid, %s, 'ee', 'se', 'ee', 'se', %s::jsonb, %s, %s, %s, %s::bigint[],"
            " %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])",
            (
                drive.id,
                drive.document.warrant,
                drive.document.list_sha256,
                json.dumps(self.caps),
                drive.document.not_before,
                drive.document.expires_at,
                facts.TEN_O_CLOCK,
                orders,
                [line.meter for line in lines],
                [line.connection for line in lines],
                [line.fence for line in lines],
                [line.paise for line in lines],
                [line.position for line in lines],
            ),
        )

    def claim(
        self, kind: str = "cut", *, limit: int = 100, seconds: float = 30.0, at: datetime = facts.TEN_O_CLOCK
    ) -> list[Lease]:
        """Take leases."""
        rows = self.connection.execute(
            "SELECT order_id, meter, state, token, counter, sends FROM interlock_claim(%s, %s, %s, %s, 32, %s)"
            ' ORDER BY "position", order_id',
            (self.worker, kind, limit, seconds, at),
        ).fetchall()
        return [Lease(*row) for row in rows]

    def send_cuts(self, leases: list[Lease], *, at: datetime = facts.TEN_O_CLOCK) -> list[tuple[str, str]]:
        """Verdict and reason of each, in order."""
        rows = self.connection.execute(
            "SELECT order_id, verdict, reason FROM interlock_send_cuts(%s, %s::bigint[], %s, %s::jsonb)",
            (self.worker, [lease.order for lease in leases], at, json.dumps(self.caps)),
        ).fetchall()
        told = {order: (verdict, reason) for order, verdict, reason in rows}
        return [told.get(lease.order, ("lost", "lost")) for lease in leases]

    def send_restores(self, leases: list[Lease]) -> list[str]:
        """Verdict of each, in order."""
        rows = self.connection.execute(
            "SELECT order_id, verdict FROM interlock_send_restores(%s, %s::bigint[], %s)",
            (self.worker, [lease.order for lease in leases], facts.TEN_O_CLOCK),
        ).fetchall()
        told = dict(rows)
        return [told[lease.order] for lease in leases]

    def result(
        self, leases: list[Lease], state: str | None, *, reason: str = "", after: bool | None = None, retry: float = 0.0
    ) -> set[int]:
        """Write the same result for all; returns the orders whose result counted."""
        n = len(leases)
        rows = self.connection.execute(
            "SELECT interlock_results(%s, %s, %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[],"
            " %s::boolean[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::double precision[],"
            " %s::bytea[])",
            (
                self.worker,
                facts.TEN_O_CLOCK,
                [lease.order for lease in leases],
                [lease.token for lease in leases],
                [state] * n,
                [reason] * n,
                [True] * n,
                [after] * n,
                [0] * n,
                [4] * n,
                [lease.counter + 5 for lease in leases],
                [1000] * n,
                [retry] * n,
                [None] * n,
            ),
        ).fetchall()
        return {row[0] for row in rows}

    def cut(self, leases: list[Lease]) -> None:
        """Send and confirm."""
        assert self.send_cuts(leases) == [("send", "cut")] * len(leases)
        assert len(self.result(leases, "confirmed", after=False)) == len(leases)

    def pass_canary(self, drive: facts.Drive) -> None:
        """The canary's verdict was good."""
        self.connection.execute("SELECT interlock_pass_canary(%s)", (drive.id,))

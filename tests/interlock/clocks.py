"""Clocks that are off in a world of the interlock, and orders for them as the business makes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import uvloop

from bahal.fleet.store import ALWAYS
from bahal.shared.clock import move_rehearsal
from tests.interlock import facts
from tests.interlock.world import World, until

LIMITS: dict[str, int] = {
    "least_s": 60, "most_s": 900, "back_s": 300, "farthest_s": 14_400, "round_trip_s": 10, "margin_s": 60,
    "midnight_s": 3_600, "month_end_s": 43_200, "fresh_s": 93_600, "few": 10, "meter_day": 24, "hour": 5_000,
}  # fmt: skip
MID_INTERVAL = facts.TEN_O_CLOCK + timedelta(minutes=22)
"""10:22 on the Monday: in the middle of a quarter of an hour and of a half."""
OPEN = ("proposed", "authorised", "claimed", "sent", "unknown")


def profile(**changed: int) -> dict[str, Any]:
    """A profile of caps that lets clocks be set, within limits of which some are changed."""
    return {"clock": LIMITS | changed}


def enrol(world: World) -> None:
    """Two engineers who may order, and a clerk who may not."""
    for login, role in facts.ROLES.items():
        world.owner.execute(
            "INSERT INTO staff_officer (login, name, name_hi, role, office, password, totp_secret, public_key)"
            " VALUES (%s, %s, %s, %s, 1, '', '', %s) ON CONFLICT DO NOTHING",
            (login, login, login, role, login),
        )


def at(world: World, moment: datetime) -> None:
    """Let it be this moment for everybody."""
    move_rehearsal(world.clock, business_at=moment)


def off(world: World, number: int, seconds: int) -> str:
    """Let a meter's clock have been off from the first; its serial."""
    serial = world.serials[number]
    row = world.meters.row(serial)
    world.meters.circle.columns.eras.pop(row, None)
    world.meters.circle.columns.move_clock(row, ALWAYS, seconds)
    return serial


def offset(world: World, serial: str) -> int:
    """How far a meter's clock is off now, in truth."""
    return world.meters.circle.meter(world.meters.row(serial)).clock_offset


def measured(world: World, serial: str, seconds: int, *, moment: datetime = MID_INTERVAL) -> None:
    """The head-end measured this drift, at this moment."""
    world.owner.execute(
        "INSERT INTO readings_meter (meter, office, since, drift_s, drift_at) VALUES (%s, 1111, %s, %s, %s)"
        " ON CONFLICT (meter) DO UPDATE SET drift_s = excluded.drift_s, drift_at = excluded.drift_at",
        (serial, facts.TEN_O_CLOCK, seconds, moment),
    )


def order(
    world: World, serial: str, seconds: int, *, by: str = "ee", second: str | None = None,
    moment: datetime = MID_INTERVAL,
) -> int:  # fmt: skip
    """An order as the business writes it down; its id."""
    row = world.app.execute(
        "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING id",
        (serial, by, moment, seconds, moment),
    ).fetchone()
    assert row is not None
    world.app.execute(
        "UPDATE interlock_clock SET state = 'authorised', ordered_by = %s, ordered_at = %s, checked_by = %s"
        " WHERE id = %s",
        (by, moment, second, row[0]),
    )
    return int(row[0])


def ends(world: World) -> list[tuple[str, str]]:
    """State and reason of every order, in the order in which they were made."""
    rows = world.owner.execute("SELECT state, reason FROM interlock_clock ORDER BY id").fetchall()
    return [(state, reason) for state, reason in rows]


def settled(world: World) -> bool:
    """Whether every order came to an end."""
    found = ends(world)
    return bool(found) and not any(state in OPEN for state, _ in found)


def run(world: World, *, seconds: float = 60.0, waits_as: str | None = None) -> list[tuple[str, str]]:
    """Let an interlock work until every order has ended, or the first one waits for this reason."""

    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: settled(world) or ends(world)[0] == ("authorised", waits_as), seconds=seconds)

    uvloop.run(scenario())
    return ends(world)


def sendings(world: World) -> list[tuple[str, int]]:
    """What was sent: whose clock, and by how much."""
    return list(world.owner.execute("SELECT meter, step_s FROM interlock_clock_sending ORDER BY id").fetchall())

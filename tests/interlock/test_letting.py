"""Two officers let go, or delete, what exceeded a cap; nothing less moves it, and nothing more is allowed by it."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import uvloop

from bahal.shared.letting import LETTING_LASTS, LettingDocument, orders_sha256, sign_letting
from tests.interlock import facts
from tests.interlock.world import World, until


def document(drive: int, orders: Sequence[int], *, act: str = "release", **changed: Any) -> str:
    stated = LettingDocument(
        drive=drive, act=act, orders=len(orders), orders_sha256=orders_sha256(orders), reason="flood is over",
        nonce=secrets.token_hex(16), expires_at=datetime.now(UTC) + LETTING_LASTS - timedelta(seconds=1),
    )  # fmt: skip
    fields = {name: getattr(stated, name) for name in LettingDocument.__slots__} | changed
    return LettingDocument(**fields).canonical()


def ask(
    world: World,
    drive: int,
    orders: Sequence[int],
    text: str,
    *,
    by: tuple[str, str] = ("ee", "se"),
    forged: bool = False,
) -> int:
    """Write a request as the application does, signed by these two."""
    first, second = by
    row = world.app.execute(
        "INSERT INTO interlock_letting (drive, order_ids, document, first, first_signature) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING id",
        (drive, list(orders), text, first, sign_letting(world.keys.officers[first], text)),
    ).fetchone()
    assert row is not None
    other = sign_letting(world.keys.officers[first if forged else second], text)
    world.app.execute(
        "UPDATE interlock_letting SET second = %s, second_signature = %s WHERE id = %s", (second, other, row[0])
    )
    world.app.execute("NOTIFY bahal_orders")
    return int(row[0])


def outcome(world: World, letting: int) -> str:
    return str(world.one("SELECT outcome FROM interlock_letting WHERE id = %s", letting))


def waiting(world: World) -> list[int]:
    rows = world.app.execute("SELECT id FROM supply_order WHERE state = 'quarantined' ORDER BY id").fetchall()
    return [row[0] for row in rows]


def test_two_let_go_beyond_the_cap_and_delete_the_rest(make_world: Callable[..., World]) -> None:
    world = make_world(profile={"canary": 0, "drive": 2})

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=6)
        async with world.interlock():
            await until(lambda: world.counts() == {"confirmed": 2, "quarantined": 4})
            excess = waiting(world)
            go, gone = excess[:3], excess[3:]
            payer = world.one("SELECT connection FROM supply_order WHERE id = %s", go[0])
            with world.app.transaction():
                facts.pay(world.app, payer, restore=False)
            assert world.counts()["quarantined"] == 3
            go = go[1:]
            letting = ask(world, drive.id, go, document(drive.id, go))
            await until(lambda: outcome(world, letting) == "released")
            await until(lambda: world.counts().get("confirmed") == 4)
            letting = ask(world, drive.id, gone, document(drive.id, gone, act="delete"))
            await until(lambda: outcome(world, letting) == "deleted")
            letting = ask(world, drive.id, go, document(drive.id, go))
            await until(lambda: outcome(world, letting) == "nothing_quarantined")

    uvloop.run(scenario())
    assert world.counts() == {"confirmed": 4, "cancelled": 2}
    assert world.one("SELECT counted FROM interlock_cap WHERE scope LIKE 'drive:%%'") == 4
    assert world.one("SELECT ceiling FROM interlock_cap WHERE scope LIKE 'drive:%%'") == 2
    assert sum(bool(world.meters.movements(serial)) for serial in world.serials) == 4


def test_nothing_less_than_two_officers_signatures_moves_it(make_world: Callable[..., World]) -> None:
    world = make_world(profile={"canary": 0, "drive": 2})

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=6)
        async with world.interlock():
            await until(lambda: world.counts() == {"confirmed": 2, "quarantined": 4})
            orders = waiting(world)
            late = datetime.now(UTC) - timedelta(seconds=1)
            long = datetime.now(UTC) + 2 * LETTING_LASTS
            wrong = {
                "letting_signature_wrong": ask(world, drive.id, orders, document(drive.id, orders), forged=True),
                "letting_officer_unknown": ask(world, drive.id, orders, document(drive.id, orders), by=("ee", "clerk")),
                "letting_of_other_orders": ask(world, drive.id, orders, document(drive.id, orders[:1])),
                "letting_not_canonical": ask(world, drive.id, orders, document(drive.id, orders) + " "),
                "letting_expired": ask(world, drive.id, orders, document(drive.id, orders, expires_at=late)),
            }
            for word, letting in wrong.items():
                await until(lambda letting=letting: outcome(world, letting))
                assert outcome(world, letting) == word
            longer = ask(world, drive.id, orders, document(drive.id, orders, expires_at=long))
            await until(lambda: outcome(world, longer) == "letting_expired")

    uvloop.run(scenario())
    assert world.counts() == {"confirmed": 2, "quarantined": 4}


def test_the_application_lets_nothing_go_by_itself(world: World) -> None:
    for statement in (
        "UPDATE interlock_letting SET outcome = 'released'",
        "SELECT interlock_let(1, 'release', '', now())",
        "UPDATE interlock_line SET letting = 1",
        "INSERT INTO interlock_letting (drive, order_ids, document, first, first_signature, second, second_signature)"
        " VALUES (1, '{1}', '', 'a', '', 'b', '')",
        "INSERT INTO interlock_letting (drive, order_ids, document, first, first_signature)"
        " VALUES (1, '{}', '', 'a', '')",
    ):
        with pytest.raises(psycopg.Error):
            world.app.execute(statement)
    asked = (
        "INSERT INTO interlock_letting (drive, order_ids, document, first, first_signature)"
        " VALUES (1, '{1}', 'd', 'ee', 's') RETURNING id"
    )
    world.app.execute(asked)
    with pytest.raises(psycopg.errors.CheckViolation):
        world.app.execute("UPDATE interlock_letting SET second = 'ee', second_signature = 's'")

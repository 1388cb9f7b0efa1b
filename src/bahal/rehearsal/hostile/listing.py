"""Listing a whole state: 12.3 lakh cuts that look authorised, and cuts slipped into a drive that two signed."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import psycopg

from bahal.rehearsal.hostile.material import Material
from bahal.rehearsal.hostile.warrants import Forger, write
from bahal.shared.warrant import Line

CHUNK: Final = 30_000
WORKERS: Final = 2

_MANY = """
    INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive, position, due_paise,
        bills, notice_sha256, made_at, tries, sends)
    SELECT coalesce((%(meters)s::text[])[n + 1], 'XX' || n),
           coalesce((%(connections)s::bigint[])[n + 1], 2900000000 + n), 'cut', 'nonpayment_s56', %(state)s, 'drill',
           '', 1, %(drive)s, n, 1000000, '', '', now(), 0, 0
    FROM generate_series(%(low)s::integer, %(high)s - 1) n
"""

_STOPPED = "SELECT reason FROM supply_drive WHERE id = %s AND state = 'stopped'"


def insert_directly(material: Material) -> dict[str, int]:
    """Cuts written straight as authorised, claimed or sent, one by one; how many tried, how many the table took."""
    tried = taken = 0
    with psycopg.connect(material.app_dsn, autocommit=True) as app:
        for meter, connection, *_ in material.targets[:250]:
            for state in ("authorised", "claimed", "sent", "unknown"):
                tried += 1
                values = {"meters": [meter], "connections": [connection], "state": state, "low": 0, "high": 1}
                try:
                    app.execute(_MANY, values | {"drive": material.lawful_drive})
                    taken += 1
                except psycopg.Error:
                    continue
    return {"tried": tried, "taken": taken}


def slip_in(material: Material, *, seconds: float = 4.0) -> dict[str, int]:
    """Every target as a cut of the lawful drive, which is registered and past its canary; how many were marked sent."""
    targets = material.targets
    with psycopg.connect(material.app_dsn, autocommit=True) as app:
        app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (material.lawful_drive,))
        values = {
            "meters": [row[0] for row in targets], "connections": [row[1] for row in targets], "state": "proposed",
            "low": 0, "high": len(targets), "drive": material.lawful_drive,
        }  # fmt: skip
        with app.transaction():
            app.execute(_MANY, values)
            app.execute(
                "UPDATE supply_order SET state = 'authorised' WHERE drive = %s AND state = 'proposed'",
                (material.lawful_drive,),
            )
        app.execute("NOTIFY bahal_orders")
        time.sleep(seconds)
        mine = "FROM supply_order WHERE drive = %s AND cause = 'drill'"
        sent = app.execute(f"SELECT count(*) {mine} AND sends > 0", (material.lawful_drive,)).fetchone()
        app.execute(
            "UPDATE supply_order SET state = 'cancelled' WHERE drive = %s AND cause = 'drill'"
            " AND state IN ('authorised', 'claimed')",
            (material.lawful_drive,),
        )
    return {"slipped_in": len(targets), "sent": int(sent[0]) if sent else -1}


def list_everybody(material: Material, *, count: int) -> dict[str, Any]:
    """A drive of `count` cuts, all of them authorised in the table, with signatures that look like two officers'.

    The real meters stand first. Ends when the interlock has judged the drive, or after a minute of waiting for it.
    """
    forger = Forger(material, seed=2)
    meters = [row[0] for row in material.targets]
    connections = [row[1] for row in material.targets]
    began = time.monotonic()
    with psycopg.connect(material.app_dsn, autocommit=True) as app:
        head = forger.kinds["one_key_two_names"]([Line(0, f"XX-{uuid.uuid4()}", 2_899_999_999, 1, "", "", 1)])
        drive = write(app, head)
        app.execute("UPDATE supply_drive SET state = 'paused' WHERE id = %s", (drive,))

        def some(low: int) -> None:
            high = min(count, low + CHUNK)
            values = {
                "meters": meters, "connections": connections, "state": "proposed", "low": low, "high": high,
                "drive": drive,
            }  # fmt: skip
            with psycopg.connect(material.app_dsn, autocommit=True) as mine, mine.transaction():
                mine.execute(_MANY, values)
                mine.execute(
                    "UPDATE supply_order SET state = 'authorised' WHERE drive = %s AND position >= %s AND position < %s"
                    " AND state = 'proposed'",
                    (drive, low, high),
                )

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(some, range(0, count, CHUNK)))
        listed_s = time.monotonic() - began
        found = app.execute(
            "SELECT count(*) FROM supply_order WHERE drive = %s AND state = 'authorised'", (drive,)
        ).fetchone()
        app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (drive,))
        app.execute("NOTIFY bahal_orders")
        deadline = time.monotonic() + 60
        reason = ""
        while not reason and time.monotonic() < deadline:
            row = app.execute(_STOPPED, (drive,)).fetchone()
            reason = row[0] if row else ""
            time.sleep(0.1)
        judged_s = time.monotonic() - began - listed_s
        sent = app.execute("SELECT count(*) FROM supply_order WHERE drive = %s AND sends > 0", (drive,)).fetchone()
    return {
        "listed": (int(found[0]) - 1) if found else 0, "listed_s": round(listed_s, 1), "judged_s": round(judged_s, 2),
        "refused_by": f"interlock {reason}" if reason else "nobody in time", "sent": int(sent[0]) if sent else -1,
    }  # fmt: skip

"""What meters showed at their billing dates becomes billing registers, without a file and without anybody's hand.

The head-end's batches are taken each once, in the order in which they came, a few a transaction: a worker that dies has
taken whole batches, and two workers take different ones. What does not fit between its neighbours is kept as a doubt,
as a row of a file is. A register of before the meter was put up on its connection is not the consumer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bahal.domains.billing.intake import Came, doubt, take
from bahal.domains.billing.registers import Stand
from bahal.domains.network.queries import loads_of
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many, run
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point

BATCHES = 20
"""Batches a transaction."""

_SOURCE = "meter"
_DIGITS = 9
"""A register that is read counts on in Wh, whatever the display shows: it begins anew far beyond any meter's life."""

_LONGEST = timedelta(hours=1)
"""No transaction that opens a batch lives so long: older numbers than this have all been seen."""


@dataclass(slots=True)
class MeterReads:
    """What came of it: batches looked through, registers taken, known already, in doubt."""

    batches: int = 0
    new: int = 0
    known: int = 0
    doubted: int = 0


def take_meter_reads(*, actor: str, at: datetime, business_at: datetime) -> MeterReads:
    """Take the billing registers of all batches that are there and were not taken; when it returns, all of them are."""
    done = MeterReads()
    while _some(done, actor, at, business_at):
        pass
    return done


def _some(done: MeterReads, actor: str, at: datetime, business_at: datetime) -> int:
    with transaction():
        fresh = [
            row[0]
            for row in many(
                "SELECT b.id FROM ingest_batch b WHERE b.registers > 0"
                " AND b.id > (SELECT coalesce(max(t.batch), 0) FROM billing_batch t WHERE t.all_before)"
                " AND NOT EXISTS (SELECT FROM billing_batch t WHERE t.batch = b.id) ORDER BY b.id LIMIT %s",
                BATCHES,
            )
        ]
        # The batches are the head-end's and cannot be locked: two workers meet in the key, and one waits for the other.
        batches = [
            row[0]
            for row in many(
                "INSERT INTO billing_batch (batch) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING RETURNING batch",
                fresh,
            )
        ]
        if not batches:
            return len(fresh)
        came = [
            Came(connection, Stand(read_on, meter, wh, out_wh, vah, demand_w, digits=_DIGITS), _SOURCE)
            for connection, read_on, meter, wh, out_wh, vah, demand_w in many(
                "SELECT m.connection, r.read_on, r.meter, r.wh, coalesce(r.out_wh, 0), coalesce(r.vah, 0),"
                " coalesce((r.more ->> 'demand_active')::integer, 0)"
                " FROM readings_register r JOIN meters_meter m ON m.serial = r.meter"
                " WHERE r.batch = ANY(%s::bigint[]) AND r.kind = 'b' AND m.connection IS NOT NULL"
                "   AND r.read_on >= m.installed_on",
                batches,
            )
        ]
        loads = loads_of(connections={each.connection for each in came})
        taken = take(came, loads=loads, today=day_in_india(business_at))
        doubt(taken.doubted, at=at)
        run(
            "UPDATE billing_batch SET all_before = true WHERE batch = (SELECT max(t.batch) FROM billing_batch t"
            " JOIN ingest_batch b ON b.id = t.batch WHERE b.made_at < %s) AND NOT all_before",
            at - _LONGEST,
        )
        run("DELETE FROM billing_batch WHERE batch < (SELECT max(t.batch) FROM billing_batch t WHERE t.all_before)")
        if came:
            data = {"registers": taken.new, "known": taken.known, "doubted": len(taken.doubted)}
            record(actor=actor, act="bill.registers_taken", subject="meter reads", data=data, at=at,
                   business_at=business_at)  # fmt: skip
        crash_point("bill.reads_before_commit")
    done.batches += len(batches)
    done.new += taken.new
    done.known += taken.known
    done.doubted += len(taken.doubted)
    return len(fresh)

"""Notices a second: issued, reminded, reported and verified, each step chained, hashed and anchored in the audit.

A circle in which everybody owes. Each gets a bill more that no notice names, and falls due; then one journey issues a
written notice to each, one queues the day's reminders, the SMS centre's reports come in batches of 500, and every chain
is verified. fsync and synchronous_commit on; all locks, checks and triggers; nobody else is at work.

    make bench NAME=notices [ARGS="--connections 100000"]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bahal.entry.instance import Profile
from bahal.rehearsal.almanac import STORY_MONDAY
from bahal.rehearsal.population import populate
from bench.figures import closing
from bench.stage import TEN_O_CLOCK, say, stage

GOAL = 2_000.0
REPORTS = 500
REFERENCE = "the goal: a hundred thousand notices in fifty seconds"

_BILLS = """
WITH made AS (
    INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated, disputed,
                              supplementary)
    SELECT id, 'new-' || id, %(issued)s::date - 30, %(issued)s, %(issued)s::date + 15, 90000, 100000, false, false,
           false
    FROM network_connection RETURNING id, connection, number, paise
), acts AS (
    INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
    SELECT 'bill', number, %(issued)s, %(issued)s FROM made RETURNING id, reference
)
INSERT INTO ledger_posting (transaction, account, connection, bill, paise)
SELECT a.id, side.account, CASE side.account WHEN 'receivable' THEN b.connection END,
       CASE side.account WHEN 'receivable' THEN b.id END, side.sign * b.paise
FROM made b JOIN acts a ON a.reference = b.number, (VALUES ('receivable', 1), ('revenue', -1)) AS side (account, sign)
"""


def timed(name: str, act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    begun = time.perf_counter()
    found = act()
    seconds = time.perf_counter() - begun
    say(f"{name}: {seconds:.1f} s")
    return seconds, found


def main() -> None:
    """Make the people, tell them, and print the closing JSON line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--connections", type=int, default=100_000)
    given = asked.parse_args()
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-notices"))
        populate(
            app_dsn=the_stage.dsn("app"), owner_dsn=the_stage.dsn("owner"), connections=given.connections,
            candidates=given.connections, postings=4 * given.connections, monday=STORY_MONDAY,
        )  # fmt: skip
        the_stage.enter()
        with psycopg.connect(the_stage.dsn("app")) as app:
            app.execute(_BILLS, {"issued": STORY_MONDAY - timedelta(days=30)})
        with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE) billing_bill, ledger_posting, notices_step, notices_message")
        from bahal.domains.notices.operations import Report
        from bahal.foundation.rows import many
        from bahal.journeys.issue_notices import issue
        from bahal.journeys.send_reminders import send_reminders
        from bahal.journeys.take_delivery_reports import take_delivery_reports
        from bahal.journeys.verify_notices import verify_notices

        by: dict[str, Any] = {"actor": "ee", "at": datetime.now(UTC), "business_at": TEN_O_CLOCK}
        issuing, issued = timed("issued", lambda: issue(**by))
        reminding, reminded = timed("reminded", lambda: send_reminders(business_day=STORY_MONDAY, **by))
        if (issued.notices, reminded.messages) != (given.connections, given.connections):
            raise SystemExit(f"{issued.notices} notices and {reminded.messages} reminders: not everybody was told")
        waiting = [
            row[0] for row in many("SELECT id FROM notices_message WHERE kind = 'reminder' AND delivery = 'queued'")
        ]

        def report() -> int:
            return sum(
                take_delivery_reports(
                    [Report(id_, f"R{id_}", True, TEN_O_CLOCK) for id_ in waiting[start : start + REPORTS]]
                )
                for start in range(0, len(waiting), REPORTS)
            )

        reporting, taken = timed("reports taken", report)
        # Who was laid down for the bench has no hashes: his notices are not verified here, all that was told now is.
        verifying, found = timed("verified", lambda: verify_notices())
        anchored = [each for each in found.wrong if each.machine == "batch" and each.position > 0]
        if taken != given.connections or anchored:
            raise SystemExit(f"{taken} reports taken, batches {anchored[:3]}: not what was written")
        value = given.connections / issuing
        closing(
            "notices", round(value), "notices/s", reference=REFERENCE, ratio=value / GOAL, goal=GOAL,
            met=min(value, given.connections / reminding) >= GOAL, connections=given.connections,
            reminders_a_second=round(given.connections / reminding),
            reports_a_second=round(given.connections / reporting),
            steps_verified_a_second=round(found.steps / verifying),
        )  # fmt: skip


if __name__ == "__main__":
    main()

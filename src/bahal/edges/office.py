"""Every door of the office's pages, and whom each is for. What is not written here is not served."""

from django.urls import path

from bahal.edges.control_room import consumers, drives, signing_in, today
from bahal.edges.counter import views as counter
from bahal.edges.gate import EVERYBODY, Door, patterns

CASHIERS = frozenset({"cashier"})
SIGNERS = frozenset({"executive_engineer", "superintending_engineer"})
ANSWERING = EVERYBODY - {"lineman"}
"""Who sees a consumer's account."""
RECOVERING = SIGNERS | {"revenue_officer", "vigilance", "call_centre", "auditor"}
"""Who sees drives."""

DOORS = [
    Door("", today.today, "today", EVERYBODY),
    Door("queue", today.queue, "queue", ANSWERING),
    Door("counter/", counter.desk, "counter", CASHIERS),
    Door("counter/open", counter.open_day, "counter-open", CASHIERS),
    Door("counter/close", counter.close_day, "counter-close", CASHIERS),
    Door("counter/<int:connection>", counter.account, "counter-account", CASHIERS),
    Door("counter/<int:connection>/take", counter.take, "counter-take", CASHIERS),
    Door("receipts/<path:receipt>/clock", counter.receipt_clock, "receipt-clock", ANSWERING, quiet=True),
    Door("receipts/<path:receipt>/a4.pdf", counter.receipt_a4, "receipt-a4", ANSWERING),
    Door("receipts/<path:receipt>/roll.pdf", counter.receipt_roll, "receipt-roll", ANSWERING),
    # A counter's receipt has strokes in it: TIFRA1/2025-26/000001. So its own page comes after those below it.
    Door("receipts/<path:receipt>", counter.receipt, "receipt", ANSWERING),
    Door("consumers/", consumers.consumers, "consumers", ANSWERING),
    Door("consumers/<int:connection>", consumers.consumer, "consumer", ANSWERING),
    Door("bills/<path:bill>", consumers.bill, "bill", ANSWERING),
    Door("drives/", drives.drives, "drives", RECOVERING),
    Door("drives/<int:drive>", drives.drive, "drive", RECOVERING),
    Door("drives/<int:drive>/funnel", drives.drive_funnel, "drive-funnel", RECOVERING, quiet=True),
    Door("drives/<int:drive>/people", drives.drive_people, "drive-people", RECOVERING),
    Door("drives/<int:drive>/run", drives.drive_run, "drive-run", SIGNERS),
    Door("drives/<int:drive>/pause", drives.drive_pause, "drive-pause", SIGNERS),
    Door("drives/<int:drive>/stop", drives.drive_stop, "drive-stop", SIGNERS),
    Door("circles/<int:circle>/dry-run", drives.dry_run, "dry-run", SIGNERS | {"revenue_officer"}),
    Door("dry-runs/", drives.dry_runs, "dry-runs", RECOVERING),
    Door("dry-runs/<int:run>", drives.dry_run_shown, "dry-run-shown", RECOVERING),
    Door("dry-runs/<int:run>/people", drives.dry_run_people, "dry-run-people", RECOVERING),
]

urlpatterns = [
    path("sign-in", signing_in.sign_in, name="sign-in"),
    path("sign-out", signing_in.sign_out, name="sign-out"),
    *patterns(DOORS),
]

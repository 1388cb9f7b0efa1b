"""The life of an order: one table of steps, who may take each, and the drawing made from it.

The same rows are loaded into `supply_transition` by a migration, where a trigger refuses every other step to every
role. A timeout is `unknown`, never failed; a resend is a new sending with the whole derivation again.
"""

GROUNDS = ("nonpayment_s56", "prepaid", "theft_s135", "own_request", "safety")

RESTORE_GROUNDS = (*GROUNDS, "court_order", "mistake", "part_payment", "emergency")
"""Why supply comes back: the ground of the cut is settled, or an order or a policy says so."""

STATES = (
    "proposed", "authorised", "claimed", "sent", "unknown", "confirmed",
    "field_task", "cancelled", "quarantined", "refused", "expired",
)  # fmt: skip

UNSENT = ("proposed", "authorised", "claimed", "quarantined")
"""Where an order stands before any frame of it went out: a payment or a hold still cancels it."""

NEW = "new"

# (from, to, database role that may take the step)
TRANSITIONS: tuple[tuple[str, str, str], ...] = (
    (NEW, "proposed", "app"),
    (NEW, "authorised", "app"),  # restores only: reconnection needs no warrant
    ("proposed", "authorised", "app"),
    ("proposed", "cancelled", "app"),
    ("authorised", "cancelled", "app"),
    ("claimed", "cancelled", "app"),
    ("quarantined", "cancelled", "app"),
    ("proposed", "expired", "app"),
    ("authorised", "expired", "app"),
    ("authorised", "claimed", "interlock"),
    ("authorised", "refused", "interlock"),
    ("authorised", "quarantined", "interlock"),
    ("authorised", "expired", "interlock"),
    ("authorised", "field_task", "interlock"),  # no relay can do it: a lineman goes
    ("claimed", "authorised", "interlock"),
    ("claimed", "sent", "interlock"),
    ("claimed", "confirmed", "interlock"),  # a restore that finds the relay closed
    ("claimed", "refused", "interlock"),
    ("claimed", "cancelled", "interlock"),
    ("claimed", "quarantined", "interlock"),
    ("claimed", "expired", "interlock"),
    ("claimed", "field_task", "interlock"),
    ("quarantined", "authorised", "interlock"),  # two officers let it go
    ("quarantined", "cancelled", "interlock"),  # two officers deleted it
    ("sent", "confirmed", "interlock"),
    ("sent", "unknown", "interlock"),
    ("sent", "field_task", "interlock"),
    ("unknown", "confirmed", "interlock"),
    ("unknown", "sent", "interlock"),  # a resend
    ("unknown", "cancelled", "interlock"),  # found unmoved, and the right to cut is gone
    ("unknown", "field_task", "interlock"),
)

FINAL = frozenset({"confirmed", "field_task", "cancelled", "refused", "expired"})


def drawing() -> str:
    """The life as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for source, target, role in TRANSITIONS:
        lines.append(f"    {'[*]' if source == NEW else source} --> {target}: {role}")
    lines += [f"    {state} --> [*]" for state in STATES if state in FINAL]
    return "\n".join(lines)

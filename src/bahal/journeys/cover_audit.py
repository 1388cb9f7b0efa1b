"""What the audit holds now is sealed and rooted without waiting for the minute: evidence is asked for at once."""

import time
from datetime import datetime

from bahal.foundation.audit.operations import horizon
from bahal.foundation.audit.roots import Tree
from bahal.foundation.rows import value
from bahal.gateways.witness.places import Witness
from bahal.journeys.root_audit import root_audit
from bahal.journeys.seal_audit import seal_audit

_PAUSE_S = 0.1


def cover_audit(witness: Witness, *, at: datetime, within_s: float = 10.0) -> bool:
    """Seal and root what is there now, beside the worker, which does the same; whether a root covers all of it.

    An act whose transaction began before and has not ended keeps the audit from being sealed past it: after `within_s`
    seconds the answer is False, and the next minute's root has what is missing.

    :raises SecondPlaceSilent: the second place did not take the root.
    """
    wanted = horizon()
    tree, until = Tree(), time.monotonic() + within_s
    while True:
        seal_audit(wanted, at=at)
        root_audit(tree, witness, at=at)
        if value(
            "SELECT coalesce(max(b.last_entry), 0) >= %s FROM audit_root r JOIN audit_batch b ON b.id = r.last_batch",
            value("SELECT coalesce(max(id), 0) FROM audit_entry WHERE id <= %s", wanted.upto),
        ):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_S)

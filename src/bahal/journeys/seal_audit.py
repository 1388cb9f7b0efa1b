"""The audit is sealed: a run of entries gets a hash over itself and the run before."""

from datetime import datetime

from bahal.foundation.audit.checking import Seal
from bahal.foundation.audit.operations import Horizon, seal_batch
from bahal.foundation.transactions import transaction


def seal_audit(seen: Horizon, *, at: datetime) -> Seal | None:
    """Seal the entries up to a horizon that was seen before, or None if there is nothing to seal yet."""
    with transaction():
        return seal_batch(seen, at=at)

"""The SMS centre reports what became of messages. A reminder counts towards a cut only once it was delivered."""

from collections.abc import Sequence

from bahal.domains.notices.operations import Report, mark_delivered
from bahal.foundation.transactions import transaction


def take_delivery_reports(reports: Sequence[Report]) -> int:
    """Note a batch of reports; how many were news. Repeated and unknown ones change nothing."""
    with transaction():
        return mark_delivered(reports)

"""An operator shows that he is there: a drive that nobody watches for a quarter of an hour is stopped."""

from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.operations import attend
from bahal.foundation.transactions import transaction


def attend_drives(*, officer: str) -> None:
    """Note it. Nothing is written to the audit: it happens every minute.

    :raises OfficerUnknown: no such officer.
    """
    with transaction():
        find_officer(login=officer)
        attend(officer=officer)

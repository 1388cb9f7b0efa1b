"""Asking the head-end for readings."""

import re
from collections.abc import Iterable
from datetime import datetime

from bahal.domains.readings.errors import RegisterMalformed
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction_required

ENERGY_IMPORT = "1.0.1.8.0.255"

_OBIS = re.compile(r"\d{1,3}(\.\d{1,3}){5}")


@transaction_required
def ask_reads(meters: Iterable[str], *, register: str = ENERGY_IMPORT, at: datetime) -> list[int]:
    """Ask for a register of each meter; the requests' ids. The head-end answers each with a reading or a reason.

    :raises RegisterMalformed: not an OBIS name.
    """
    if not _OBIS.fullmatch(register) or any(int(part) > 255 for part in register.split(".")):
        raise RegisterMalformed(register=register)
    rows = many(
        "INSERT INTO readings_request (meter, register, asked_at, tries, reason)"
        " SELECT m, %s, %s, 0, '' FROM unnest(%s::text[]) AS m RETURNING id",
        register,
        at,
        list(meters),
    )
    return [row[0] for row in rows]

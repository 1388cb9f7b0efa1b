"""What each payer of a drive paid, when he was answered for, and when his meter was read back closed."""

from datetime import datetime
from typing import NamedTuple

from bahal.foundation.rows import many


class Payer(NamedTuple):
    """One of the cut who paid. `division` is its English name; instants are wall time; `lit_at` None: not yet."""

    connection: int
    meter: str
    division: str
    paise: int
    paid_at: datetime
    lit_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """From the acknowledged payment to the relay read back closed."""
        return None if self.lit_at is None else (self.lit_at - self.paid_at).total_seconds()


def details_of(*, drive: int) -> list[Payer]:
    """Everyone whose cut was sent in this drive and who paid after it began, by the instant of the payment."""
    rows = many(
        "SELECT p.connection, o.meter, division.name, p.paise, p.acknowledged_at, r.confirmed_at"
        " FROM supply_drive d JOIN supply_order o ON o.drive = d.id AND o.kind = 'cut' AND o.sent_at IS NOT NULL"
        " JOIN payments_payment p ON p.connection = o.connection"
        " AND p.acknowledged_at >= coalesce(d.started_at, d.proposed_at)"
        " JOIN network_connection c ON c.id = o.connection JOIN offices_office centre ON centre.id = c.centre"
        " JOIN offices_office subdivision ON subdivision.id = centre.parent_id"
        " JOIN offices_office division ON division.id = subdivision.parent_id"
        " LEFT JOIN supply_order r ON r.id = p.\"order\" AND r.kind = 'restore' AND r.state = 'confirmed'"
        " WHERE d.id = %s ORDER BY p.acknowledged_at, p.id",
        drive,
    )
    return [Payer(*row) for row in rows]

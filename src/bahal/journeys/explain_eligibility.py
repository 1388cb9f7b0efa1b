"""Why one connection may, or may not, be cut at an instant: every reason, its facts and the versions used."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bahal.domains.network.queries import existing
from bahal.domains.supply.eligibility import told
from bahal.journeys.eligibility import Judged, judged
from bahal.shared.locks import ConnectionUnknown


@dataclass(frozen=True, slots=True)
class Explained:
    """A connection judged."""

    connection: int
    at: datetime
    judged: Judged

    def as_json(self) -> dict[str, Any]:
        """Plain values, each reason in both languages."""
        facts = self.judged.facts
        return {
            "consumer": self.connection,
            "at": self.at.isoformat(),
            "may_be_cut": not self.judged.reasons,
            "reasons": [
                {"code": code, "hi": told(code, facts, "hi"), "en": told(code, facts, "en")}
                for code in self.judged.reasons
            ],
            "facts": asdict(facts),
        }


def explain_eligibility(*, connection: int, business_at: datetime, cut_at: datetime | None = None) -> Explained:
    """Judge one connection at an instant.

    :raises ConnectionUnknown: no such connection.
    """
    if not existing(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    at = cut_at or business_at
    return Explained(connection, at, judged([connection], business_at=business_at, cut_at=at)[connection])

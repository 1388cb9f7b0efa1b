"""A small town whose meters are read at every month's start, and whose officers answered for every rate."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from bahal.domains.billing.history import Limits
from bahal.domains.billing.intake import Came, write
from bahal.domains.billing.registers import Stand
from bahal.domains.tariffs.book import shipped
from bahal.foundation.transactions import transaction
from bahal.journeys.accept_rate import accept_rate
from bahal.journeys.bill_cycle import Cycle, Rates, bill_cycle
from tests.journeys import town

JULY = date(2025, 7, 1)
AUGUST = date(2025, 8, 1)
SEPTEMBER = date(2025, 9, 1)
OCTOBER = date(2025, 10, 1)


def at(day: date, hour: int = 6) -> datetime:
    """An instant of a day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def times(day: date) -> Mapping[str, datetime]:
    """Both times of an act on a day."""
    return {"at": at(day), "business_at": at(day)}


def found(connections: int = 1) -> list[int]:
    """A town that owes nothing."""
    return town.found(connections=connections, due=0).connections


def read(connection: int, kwh: Mapping[date, int], *, meter: str = "") -> None:
    """Registers of a connection's meter at the starts of days, in kWh."""
    with transaction():
        write(Came(connection, Stand(day, meter or f"M{connection}", each * 1000), "test") for day, each in kwh.items())


def accept_all(day: date = JULY, *, officer: str = "ee") -> int:
    """Answer for every rate of the shipped files that nobody has verified; how many."""
    paths = [rate.path for each in shipped().documents for row in each.rows for rate in row.charge.rates
             if not rate.verified]  # fmt: skip
    for path in paths:
        accept_rate(path=path, officer=officer, reason="for the test", **times(day))
    return len(paths)


def bill(month: date, on: date, *, centres: Sequence[int] = (300, 301, 302), **more: object) -> Cycle:
    """Run the cycle of a month on a day."""
    return bill_cycle(month=month, actor="test", centres=centres, **times(on), **more)  # type: ignore[arg-type]


NEVER_UNUSUAL = Rates(limits=Limits(load_percent=10**6, least_wh=10**12))
"""For tests of something else than the review."""

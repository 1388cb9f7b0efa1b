"""A town on a network of several transformers, and hands that push status words into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from bahal.domains.consumers.operations import NewConsumer
from bahal.domains.meters.operations import NewMeter, add_meters
from bahal.domains.network.operations import NewConnection, NewFeeder, NewTransformer
from bahal.domains.offices.operations import NewOffice
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.follow_outages import follow_outages
from bahal.journeys.raise_alerts import raise_alerts
from bahal.journeys.register_circle import Circle, register_circle
from tests.journeys import town
from tests.plugin.databases import Database

CONNECTED = "0" * 32
NOON = datetime(2025, 11, 20, 6, 30, tzinfo=UTC)


def esw(*bits: int) -> str:
    """A status word with these bits."""
    return f"{sum(1 << (127 - bit) for bit in bits):032x}"


def at(seconds: float) -> datetime:
    """So many seconds after noon of the story's Thursday."""
    return NOON + timedelta(seconds=seconds)


@dataclass
class Grid:
    """The network: `each` connections on every transformer of every feeder, with a meter each."""

    database: Database
    feeders: int
    transformers: int
    each: int
    counters: dict[str, int] = field(default_factory=dict)

    def meter(self, feeder: int, transformer: int, nth: int) -> str:
        """The nth meter of a feeder's transformer, all counted from 0."""
        return f"M{self.connection(feeder, transformer, nth)}"

    def connection(self, feeder: int, transformer: int, nth: int) -> int:
        """The connection of that meter."""
        return town.number((feeder * self.transformers + transformer) * self.each + nth)

    def of(self, feeder: int, transformer: int | None = None) -> list[str]:
        """The meters of a feeder, or of one of its transformers."""
        which = range(self.transformers) if transformer is None else [transformer]
        return [self.meter(feeder, t, nth) for t in which for nth in range(self.each)]

    def push(self, meter: str, word: str, *, when: datetime, stated: datetime | None = None) -> None:
        """A push arrives, and its counter is the next."""
        self.push_many([(meter, word, when, stated)])

    def push_many(self, rows: Iterable[tuple[str, str, datetime, datetime | None]]) -> None:
        """Pushes arrive, in this order."""
        with self.database.connect("owner") as owner, owner.cursor() as cursor:
            for meter, word, when, stated in rows:
                self.counters[meter] = self.counters.get(meter, 0) + 1
                cursor.execute(
                    "INSERT INTO protection_event (meter, esw, counter, meter_at, received_at, business_at)"
                    " VALUES (%s, %s, %s, %s, clock_timestamp(), %s)",
                    [meter, word, self.counters[meter], stated, when],
                )

    def judge(self, *, now: datetime) -> None:
        """The worker's turn: all events judged, all outages followed."""
        while raise_alerts(at=datetime.now(UTC), business_at=now):
            pass
        follow_outages(at=datetime.now(UTC), business_at=now)


def lay(database: Database, *, feeders: int = 2, transformers: int = 3, each: int = 5) -> Grid:
    """Lay the network, with officers ee, se and vigilance."""
    grid = Grid(database, feeders, transformers, each)
    numbers = [
        (f, t, grid.connection(f, t, nth)) for f in range(feeders) for t in range(transformers) for nth in range(each)
    ]
    times = {"actor": "test", "at": datetime.now(UTC), "business_at": datetime(2025, 8, 1, tzinfo=UTC)}
    register_circle(
        Circle(
            name="Bilaspur",
            offices=[
                NewOffice(1, "region", "Bilaspur Region", "बिलासपुर क्षेत्र", None),
                NewOffice(town.CIRCLE, "circle", "Bilaspur", "बिलासपुर", 1),
                NewOffice(100, "division", "Bilaspur", "बिलासपुर", town.CIRCLE),
                NewOffice(200, "subdivision", "Bilaspur", "बिलासपुर", 100),
                NewOffice(300, "centre", "Bilaspur", "बिलासपुर", 200),
            ],
            feeders=[NewFeeder(f + 1, f"Feeder {f + 1}", "Substation", 200) for f in range(feeders)],
            transformers=[
                NewTransformer(f * transformers + t + 1, f"T{f + 1}{t + 1}", f + 1, 100, 22.0, 82.1)
                for f in range(feeders)
                for t in range(transformers)
            ],
            connections=[
                NewConnection(number, f * transformers + t + 1, 300, "LV-1", 1, 1000, date(2020, 1, 1), 22.0, 82.1)
                for f, t, number in numbers
            ],
            consumers=[
                NewConsumer(number, f"Consumer {number}", f"उपभोक्ता {number}", "+917000000001", "hi")
                for _, _, number in numbers
            ],
        ),
        **times,  # type: ignore[arg-type]
    )
    with transaction():
        add_meters(NewMeter(f"M{number}", "arpa", 1, number, date(2024, 1, 1)) for _, _, number in numbers)
    from django.test import override_settings

    roles = {
        "ee": "executive_engineer",
        "se": "superintending_engineer",
        "vigilance": "vigilance",
        "cashier": "cashier",
    }
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        enrol_officers([town.officer(login, role) for login, role in roles.items()], **times)  # type: ignore[arg-type]
    return grid


def alerts() -> list[tuple[str, str, bool, int]]:
    """Meter, kind, whether it is open, how often it was told."""
    return [tuple(row) for row in many("SELECT meter, kind, closed_at IS NULL, told FROM protection_alert ORDER BY id")]


def incidents() -> list[tuple[str, str, int, int, bool]]:
    """Kind, scope, place, meters and whether it is open, of those that were not merged."""
    return [
        tuple(row)
        for row in many(
            "SELECT i.kind, i.scope, i.place, count(t.id), i.closed_at IS NULL FROM incidents_incident i"
            " LEFT JOIN incidents_trouble t ON t.incident = i.id WHERE i.merged_into IS NULL"
            " GROUP BY i.id ORDER BY i.id"
        )
    ]

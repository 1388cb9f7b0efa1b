"""The rehearsal's people: the circle, its consumers and their money, and the meters' keys, laid into an open instance.

`python -m bahal.entry.people` lays them for `bahal up --demo`, in a process that ends when it is done; `bahal demo`
calls `lay` itself. What was laid is kept in `demo/people.json`: an instance that is opened again keeps its meters'
addresses.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING

import psycopg

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.house import lives_path, roster_path, sims_path
from bahal.shared.clock import clock_of, move_rehearsal
from bahal.shared.database import dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json, write_private
from bahal.shared.text import INDIA

if TYPE_CHECKING:
    from bahal.rehearsal.circle import Circle
    from bahal.rehearsal.collecting import Collecting, Read
    from bahal.rehearsal.officers import Officer

REMINDED_FOR = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How many people, who of them owes, pays and races, the day of the cut, and what goes wrong with meters."""

    consumers: int
    defaulters: int
    payers: int
    rupees: int
    race: int
    seed: int
    monday: date
    faults: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Who is there now; `meters` were imported."""

    circle: Circle
    officers: tuple[Officer, ...]
    meters: int
    collecting: Collecting
    read: Read


def lay(home: Home, wishes: Wishes, *, progress: Callable[[int, int], None] = lambda done, of: None) -> Laid:
    """Lay the circle into the instance's empty database, and have its meters read; `progress` is told how many were.

    :raises ImpossibleRehearsal: the numbers do not go together.
    :raises CircleThere: the database holds people already.
    :raises CollectingStalled: meters stopped answering.
    """
    clock = enter()
    from bahal.journeys.import_meters import import_meters
    from bahal.journeys.import_sims import import_sims
    from bahal.journeys.keep_counter import add_counter
    from bahal.lake.layout import lake_uri, make_lake
    from bahal.rehearsal.circle import build_circle
    from bahal.rehearsal.collecting import Collecting
    from bahal.rehearsal.lives import watched
    from bahal.rehearsal.officers import COUNTERS, prepare_officers
    from bahal.rehearsal.seeding import analyse, seed_circle

    with roster_path(home).open(newline="", encoding="utf-8") as rows:
        meters = list(csv.DictReader(rows))
    officers = prepare_officers(home)
    by_hand = wishes.faults != "none"
    circle = build_circle(
        seed=wishes.seed, consumers=wishes.consumers, defaulters=wishes.defaulters, payers=wishes.payers,
        rupees=wishes.rupees, monday=wishes.monday, race=wishes.race,
        meters=meters,
    )  # fmt: skip
    spare = [row["meter"] for row in meters[wishes.consumers :]]
    collecting = Collecting(
        circle=circle, where=watched(circle, spare=spare), clock=clock, door=home.run / "fleet.sock", home=home.path,
        patience=1 if by_hand else 2,
    )  # fmt: skip
    maker, checker = officers[0].login, officers[1].login
    first: list[tuple[int, Read]] = []

    # One piece a day: a circle's half hours are few, and every piece is a commit.
    make_lake(lake_uri(home.path), buckets=1)

    def read() -> None:
        collecting.schedule(maker=maker, checker=checker)
        collecting.live(lives_path(home))
        with roster_path(home).open(newline="", encoding="utf-8") as rows:
            done = import_meters(
                rows=rows,
                interlock_public=bytes.fromhex((home.path / "interlock" / "sealing.pub").read_text()),
                headend_public=bytes.fromhex((home.path / "headend" / "sealing.pub").read_text()),
                actor=maker,
                at=clock.wall(),
                business_at=clock.now(),
            )
        collecting.ask([row["meter"] for row in meters], actor=maker)
        with sims_path(home).open(newline="", encoding="utf-8") as rows:
            import_sims(rows=rows, actor=maker, at=clock.wall(), business_at=clock.now())
        first.append((done.loaded, collecting.first_contact(len(meters), actor=maker, progress=progress)))

    with psycopg.connect(dsn_of("app", home=home)) as connection:
        # Where meters fail on purpose linemen have read the past: some meters never tell it, and some tell wrong days.
        seed_circle(connection, circle, officers=officers, read=read, by_hand=by_hand)
    for counter, office in COUNTERS:
        add_counter(code=counter, office=office, actor=maker, at=clock.wall(), business_at=clock.now())
    with psycopg.connect(dsn_of("owner", home=home)) as owner:
        analyse(owner)
    collecting.wait(len(meters), progress=progress)
    day = datetime.combine(circle.monday - REMINDED_FOR, time_of_day(11), INDIA)
    move_rehearsal(home.run / "clock.json", business_at=day)
    kept = {"consumers": wishes.consumers, "seed": wishes.seed, "port": int(meters[0]["port"])}
    write_private(home.path / "demo" / "people.json", kept)
    ((loaded, told),) = first
    return Laid(circle=circle, officers=officers, meters=loaded, collecting=collecting, read=told)


def laid(home: Home) -> dict[str, int] | None:
    """What was laid here before: `consumers`, `seed` and the fleet's `port`; None if nobody was."""
    return read_json(home.path / "demo" / "people.json")


def main() -> None:
    """`python -m bahal.entry.people CONSUMERS DEFAULTERS SEED MONDAY FAULTS WAKE`, WAKE being friday or monday."""
    consumers, defaulters, seed, monday, faults, wake = sys.argv[1:]
    wishes = Wishes(
        consumers=int(consumers), defaulters=int(defaulters), payers=0, rupees=0, race=0, seed=int(seed),
        monday=date.fromisoformat(monday), faults=faults,
    )  # fmt: skip
    try:
        home = Home.of()
        lay(home, wishes)
        if wake == "monday":
            from bahal.rehearsal.mornings import live_until_morning

            live_until_morning(home=home, monday=wishes.monday, clock=clock_of())
    except Refusal as refusal:
        answering.refuse(refusal, as_json=False)
        sys.exit(refusal.exit_code)


if __name__ == "__main__":
    main()

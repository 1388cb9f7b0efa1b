"""The rehearsal's people: the circle, its consumers and their money, and the meters' keys, laid into an open instance.

`python -m bahal.entry.people` lays them for `bahal up --demo`, in a process that ends when it is done; `bahal demo`
calls `lay` itself. What was laid is kept in `demo/people.json`: an instance that is opened again keeps its meters'
addresses.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import psycopg

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.house import roster_path, sims_path
from bahal.shared.database import dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json, write_private

if TYPE_CHECKING:
    from bahal.rehearsal.circle import Circle
    from bahal.rehearsal.officers import Officer


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How many people, who of them owes, pays and races, and the day of the cut."""

    consumers: int
    defaulters: int
    payers: int
    rupees: int
    race: int
    seed: int
    monday: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Who is there now; `meters` were imported."""

    circle: Circle
    officers: tuple[Officer, ...]
    meters: int


def lay(home: Home, wishes: Wishes) -> Laid:
    """Lay the circle into the instance's empty database.

    :raises ImpossibleRehearsal: the numbers do not go together.
    :raises CircleThere: the database holds people already.
    """
    clock = enter()
    from bahal.journeys.import_meters import import_meters
    from bahal.journeys.import_sims import import_sims
    from bahal.rehearsal.circle import build_circle
    from bahal.rehearsal.officers import prepare_officers
    from bahal.rehearsal.seeding import analyse, seed_circle

    with roster_path(home).open(newline="", encoding="utf-8") as rows:
        meters = list(csv.DictReader(rows))
    officers = prepare_officers(home)
    circle = build_circle(
        seed=wishes.seed, consumers=wishes.consumers, defaulters=wishes.defaulters, payers=wishes.payers,
        rupees=wishes.rupees, monday=wishes.monday, meters=meters, race=wishes.race,
    )  # fmt: skip
    with psycopg.connect(dsn_of("app", home=home)) as connection:
        seed_circle(connection, circle, officers=officers)
    with psycopg.connect(dsn_of("owner", home=home)) as owner:
        analyse(owner)
    with roster_path(home).open(newline="", encoding="utf-8") as rows:
        done = import_meters(
            rows=rows,
            interlock_public=bytes.fromhex((home.path / "interlock" / "sealing.pub").read_text()),
            headend_public=bytes.fromhex((home.path / "headend" / "sealing.pub").read_text()),
            actor="ee",
            at=clock.wall(),
            business_at=clock.now(),
        )
    with sims_path(home).open(newline="", encoding="utf-8") as rows:
        import_sims(rows=rows, actor="ee", at=clock.wall(), business_at=clock.now())
    kept = {"consumers": wishes.consumers, "seed": wishes.seed, "port": int(meters[0]["port"])}
    write_private(home.path / "demo" / "people.json", kept)
    return Laid(circle=circle, officers=officers, meters=done.loaded)


def laid(home: Home) -> dict[str, int] | None:
    """What was laid here before: `consumers`, `seed` and the fleet's `port`; None if nobody was."""
    return read_json(home.path / "demo" / "people.json")


def main() -> None:
    """`python -m bahal.entry.people CONSUMERS DEFAULTERS SEED MONDAY`."""
    consumers, defaulters, seed, monday = sys.argv[1:]
    wishes = Wishes(
        consumers=int(consumers), defaulters=int(defaulters), payers=0, rupees=0, race=0, seed=int(seed),
        monday=date.fromisoformat(monday),
    )  # fmt: skip
    try:
        lay(Home.of(), wishes)
    except Refusal as refusal:
        answering.refuse(refusal, as_json=False)
        sys.exit(refusal.exit_code)


if __name__ == "__main__":
    main()

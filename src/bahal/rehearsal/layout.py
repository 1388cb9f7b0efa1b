"""Where the rehearsal's circle stands: offices, feeders, transformers and connections with their people."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from bahal.fleet.store import power_factor_of
from bahal.rehearsal.names import COMMUNITIES, Pair
from bahal.rehearsal.places import CIRCLE_NAME, DIVISIONS, REGION_NAME, Centre

REGION, CIRCLE = 1, 10
CONNECTIONS_PER_FEEDER = 165
CONNECTIONS_PER_TRANSFORMER = 14.3

_FIRST_PHONE = 5_550_000_001
"""No Indian mobile number begins with 5: an SMS that leaves by mistake reaches nobody."""
_TOWN_WEIGHT = 4
"""A centre with a smaller share of the circle serves the country."""
_KVA = ((25, 5), (63, 8), (100, 10), (200, 14))
_CENTRE_REACH = 0.022  # degrees: some 2.4 km
_TRANSFORMER_REACH = 0.0016


class Office(NamedTuple):
    """A row of the tree of offices."""

    id: int
    kind: str
    name: str
    name_hi: str
    parent: int | None


class Feeder(NamedTuple):
    """An 11 kV feeder; `setting` is urban or rural."""

    id: int
    name: str
    substation: str
    subdivision: int
    setting: str


class Transformer(NamedTuple):
    """A distribution transformer; degrees WGS 84."""

    id: int
    code: str
    feeder: int
    kva: int
    latitude: float
    longitude: float


class Connection(NamedTuple):
    """A connection with its consumer and its meter. `number` has ten digits; `load_w` is the sanctioned load;
    `power_factor` in per mille is what the meter will show, 0 where that is not known."""

    number: int
    transformer: int
    centre: int
    category: str
    phase: int
    load_w: int
    connected_on: date
    latitude: float
    longitude: float
    name: str
    name_hi: str
    phone: str
    meter: str
    make: str
    power_factor: int = 0

    def vah(self, wh: int) -> int:
        """The VAh that its meter shows beside so many Wh; 0 where its power factor is not known."""
        return wh * 1000 // self.power_factor if self.power_factor else 0


class Layout(NamedTuple):
    """The circle without its money. `division_of` gives a centre's division id."""

    offices: tuple[Office, ...]
    feeders: tuple[Feeder, ...]
    transformers: tuple[Transformer, ...]
    connections: tuple[Connection, ...]
    division_of: Mapping[int, int]


def lay(*, seed: int, consumers: int, meters: Sequence[Mapping[str, str]], monday: date) -> Layout:
    """Lay `consumers` connections over the centres by their weight; the n-th connection gets the n-th meter's row."""
    offices, centres, division_of = circle_offices()
    chance = chance_for(seed, "layout")
    people = chance_for(seed, "people")
    weights = [centre.weight for _, centre, _ in centres]
    connections_of = shares(consumers, weights, least=1)
    feeders_of = shares(max(len(centres), round(consumers / CONNECTIONS_PER_FEEDER)), weights, least=1)
    feeders: list[Feeder] = []
    transformers: list[Transformer] = []
    connections: list[Connection] = []
    for place, (office, centre, subdivision) in enumerate(centres):
        first_feeder = len(feeders) + 1
        feeders.extend(
            Feeder(
                first_feeder + n,
                f"{centre.name} feeder {n + 1}",
                f"33/11 kV {centre.name}",
                subdivision,
                "urban" if centre.weight >= _TOWN_WEIGHT else "rural",
            )
            for n in range(feeders_of[place])
        )
        wanted = max(feeders_of[place], round(connections_of[place] / CONNECTIONS_PER_TRANSFORMER))
        sizes = [_KVA[int(chance.random() * len(_KVA))] for _ in range(wanted)]
        counts = shares(connections_of[place], [weight for _, weight in sizes], least=1)
        for n, ((kva, _), count) in enumerate(zip(sizes, counts, strict=True)):
            transformer = Transformer(
                len(transformers) + 1,
                f"TR-{office}-{n + 1:04d}",
                first_feeder + n * feeders_of[place] // len(sizes),
                kva,
                round(centre.latitude + _CENTRE_REACH * _about_zero(chance), 6),
                round(centre.longitude + _CENTRE_REACH * _about_zero(chance), 6),
            )
            transformers.append(transformer)
            for _ in range(count):
                connections.append(
                    _connection(chance, people, office, place + 1, transformer, len(connections), meters, monday)
                )
    return Layout(tuple(offices), tuple(feeders), tuple(transformers), tuple(connections), division_of)


def chance_for(seed: int, matter: str) -> Random:
    """The chances of one matter: each matter has its own run of numbers, so that one does not shift another."""
    return Random(f"{seed}/{matter}")  # noqa: S311  # invented people, no secrets


def shares(total: int, weights: Sequence[int], *, least: int) -> list[int]:
    """Split `total` by weights into whole parts of at least `least` each, if `total` is enough for that."""
    least = least if total >= least * len(weights) else 0
    rest = total - least * len(weights)
    whole = sum(weights)
    parts = [least + rest * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(rest * weights[n] % whole), n))
    for n in by_remainder[: total - sum(parts)]:
        parts[n] += 1
    return parts


def circle_offices() -> tuple[list[Office], list[tuple[int, Centre, int]], dict[int, int]]:
    """The offices, parents first; each centre's id, place and sub-division; the division of each centre."""
    offices = [Office(REGION, "region", *REGION_NAME, None), Office(CIRCLE, "circle", *CIRCLE_NAME, REGION)]
    centres: list[tuple[int, Centre, int]] = []
    division_of: dict[int, int] = {}
    subdivision_id = 201
    for division_id, division in enumerate(DIVISIONS, start=101):
        offices.append(Office(division_id, "division", division.name, division.name_hi, CIRCLE))
        for subdivision in division.subdivisions:
            offices.append(Office(subdivision_id, "subdivision", subdivision.name, subdivision.name_hi, division_id))
            for centre in subdivision.centres:
                office = 301 + len(centres)
                offices.append(Office(office, "centre", centre.name, centre.name_hi, subdivision_id))
                centres.append((office, centre, subdivision_id))
                division_of[office] = division_id
            subdivision_id += 1
    offices.sort(key=lambda office: office.id)  # a parent before its children
    return offices, centres, division_of


def _connection(
    chance: Random,
    people: Random,
    office: int,
    place: int,
    transformer: Transformer,
    n: int,
    meters: Sequence[Mapping[str, str]],
    monday: date,
) -> Connection:
    shop = chance.random() < 0.11
    name, name_hi = _name(people)
    return Connection(
        number=2_200_000_000 + place * 1_000_000 + n + 1,
        transformer=transformer.id,
        centre=office,
        category="LV-2" if shop else "LV-1",
        phase=1,
        load_w=1000 * (2 + int(chance.random() * 4)) if shop else 500 * (1 + int(chance.random() * 6)),
        connected_on=monday - timedelta(days=400 + int(chance.random() * 6000)),
        latitude=round(transformer.latitude + _TRANSFORMER_REACH * _about_zero(chance), 6),
        longitude=round(transformer.longitude + _TRANSFORMER_REACH * _about_zero(chance), 6),
        name=name,
        name_hi=name_hi,
        phone=str(_FIRST_PHONE + n),
        meter=meters[n]["meter"],
        make=meters[n]["make"],
        power_factor=power_factor_of(meters[n]["system_title"]) if "system_title" in meters[n] else 0,
    )


def _name(people: Random) -> Pair:
    drawn = people.random() * 100
    for community in COMMUNITIES:
        drawn -= community.weight
        if drawn < 0:
            break
    first = community.first[int(people.random() * len(community.first))]
    surname = community.surnames[int(people.random() * len(community.surnames))]
    return f"{first[0]} {surname[0]}", f"{first[1]} {surname[1]}"


def _about_zero(chance: Random) -> float:
    """Between -1 and 1, mostly near 0; only `random()` itself gives the same numbers in every Python."""
    return chance.random() - chance.random()

"""Half hours behind a line: slabs part them without loss, a zone has its hours, demand what is above the load."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Determinants, Facts, Span, Use, steady
from bahal.domains.tariffs.document import read_document
from bahal.domains.tariffs.errors import TariffValueWrong
from bahal.domains.tariffs.lines import Line, Rating
from bahal.domains.tariffs.opening import behind, way_of, zone_hours
from bahal.domains.tariffs.rating import rate

START, END = date(2025, 11, 1), date(2025, 12, 1)


def slab(above: int, upto: int) -> Line:
    return Line("telescopic", "energy", "T/energy/1", "kWh", upto - above, 1, 1, 1, above, upto, 0, 0)


def rated(facts: Facts, **use: object) -> Rating:
    given_use = Use(START, END, **use)  # type: ignore[arg-type]
    determinants = Determinants(start=START, end=END, spans=(Span(START, END, facts),), uses=(given_use,))
    return rate(determinants, shipped())


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 900)), max_size=60),
    st.lists(st.integers(1, 30_000), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_the_slabs_of_a_ladder_part_every_half_hour_without_loss(wh: list[int | None], limits: list[int]) -> None:
    edges = [0, *limits]
    parts = [behind("slab", slab(low, high), wh) for low, high in pairwise(edges)]
    parts.append(behind("slab", slab(edges[-1], 0), wh))
    for nth, each in enumerate(wh):
        if each is None:
            assert all(part[nth] is None for part in parts)
        else:
            assert sum(part[nth] or 0 for part in parts) == each
    for (low, high), part in zip(pairwise(edges), parts, strict=False):
        whole = sum(each or 0 for each in wh)
        assert sum(each or 0 for each in part) == max(0, min(whole, high) - low)


def test_a_slab_begins_and_ends_within_a_half_hour() -> None:
    """400 Wh a half hour: the third half hour holds the 1,000th Wh, and 200 of its Wh are on either side."""
    wh: list[int | None] = [400, 400, 400, 400]
    assert behind("slab", slab(0, 1_000), wh) == [400, 400, 200, 0]
    assert behind("slab", slab(1_000, 0), wh) == [0, 0, 200, 400]


def test_a_zone_has_the_hours_of_its_schedule() -> None:
    rating = rated(
        Facts("LV-2", 3, 12_000), wh=1_000_000, zones=(("normal", 600_000), ("peak", 250_000), ("solar", 150_000))
    )
    (piece,) = rating.pieces
    hours = {
        line.path.rpartition("/")[2]: zone_hours(shipped(), line, piece)
        for line in piece.lines
        if way_of(line, piece) == "zone"
    }
    # Counted by hand: 18:00 is the 37th half hour of a day, 9:00 the 19th.
    assert hours == {"peak_percent": frozenset(range(36, 46)), "solar_rebate_percent": frozenset(range(18, 34))}
    day: list[int | None] = [10] * 48
    peak = next(line for line in piece.lines if line.path.endswith("peak_percent"))
    parts = behind("zone", peak, day * 2, hours=hours["peak_percent"] or ())
    assert [nth for nth, part in enumerate(parts) if part] == [*range(36, 46), *range(84, 94)]


def test_demand_is_the_mean_load_above_what_is_sanctioned() -> None:
    """2,600 Wh in half an hour are 5.2 kW: 0.2 kW above 5 kW."""
    (piece,) = rated(Facts("LV-2", 3, 5_000), wh=600_000, demand_w=5_400).pieces
    (line,) = (each for each in piece.lines if way_of(each, piece) == "demand")
    assert behind("demand", line, [2_500, 2_600, None, 0]) == [0, 200, None, 0]


def test_what_rests_on_amounts_or_on_the_load_does_not_open() -> None:
    (piece,) = rate(steady(Facts("LV-2", 1, 5_000), start=START, end=END, wh=300_000), shipped()).pieces
    ways = {line.component: way_of(line, piece) for line in piece.lines}
    assert ways["energy"] is not None
    assert {ways[component] for component in ways if component not in ("energy", "cess")} == {None}


def test_where_energy_given_back_is_set_off_no_slab_has_an_hour() -> None:
    (piece,) = rated(Facts("LV-1", 1, 3_000), wh=300_000, export_wh=120_000).pieces
    assert {way_of(line, piece) for line in piece.lines if line.rule == "telescopic"} == {"all"}


@pytest.mark.parametrize(
    "stated", ['["18:00-17:00"]', '["18:15-19:00"]', '["evening"]', '["24:00-24:30"]', '["10:00-19:00"]']
)
def test_hours_that_are_none_or_of_two_zones_are_refused(stated: str) -> None:
    (document,) = (each for each in shipped().documents if each.name == "FY2025-26")
    text = document.text.replace('peak_hours = ["18:00-23:00"]', f"peak_hours = {stated}")
    assert text != document.text
    with pytest.raises(TariffValueWrong):
        read_document(text, file="next.toml")

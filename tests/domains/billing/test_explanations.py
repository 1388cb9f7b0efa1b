"""What is kept of a bill is the bill: packed and unpacked again it is the very rating, line for line."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.billing.errors import ExplanationUnreadable
from bahal.domains.billing.explanations import Fragments, fragments_in, pack, unpack
from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Determinants, Facts, Span, Use
from bahal.domains.tariffs.lines import Rating, read_stored
from bahal.domains.tariffs.rating import rate

START, MIDDLE, END = date(2025, 9, 1), date(2025, 9, 16), date(2025, 10, 1)


def rated(category: str, wh: int, *, changed: bool = False, export_wh: int = 0) -> Rating:
    first = Facts(category, 1, 5_000, 6_700 if category == "LV-3" else 0)
    spans = (Span(START, END, first),)
    if changed:
        spans = (Span(START, MIDDLE, first), Span(MIDDLE, END, first._replace(category="LV-2", load_mhp=0)))
    use = Use(START, END, wh, export_wh=export_wh)
    return rate(Determinants(start=START, end=END, spans=spans, uses=(use,)), shipped())


def kept(rating: Rating, basis: dict[str, object] | None = None) -> tuple[list[int], str, dict[int, str]]:
    fragments = Fragments()
    bodies = fragments.missing([rating])
    with pytest.raises(KeyError):
        pack(rating, fragments=fragments)
    numbered = dict(enumerate(bodies, start=7))
    fragments.learn(numbered.items())
    assert fragments.missing([rating]) == []
    packed = pack(rating, fragments=fragments, basis=basis)
    return packed.amounts, packed.body, numbered


@given(
    category=st.sampled_from(["LV-1", "LV-2", "LV-3"]),
    wh=st.integers(0, 3_000_000),
    changed=st.booleans(),
)
def test_packed_and_unpacked_it_is_the_same_rating(category: str, wh: int, changed: bool) -> None:
    rating = rated(category, wh, changed=changed)
    amounts, body, fragments = kept(rating)
    assert sum(amounts) == rating.total_paise
    assert read_stored(unpack(body, amounts, fragments=fragments)) == rating
    assert fragments_in(body) == fragments.keys()


def test_the_basis_and_what_is_carried_come_back_too() -> None:
    rating = rated("LV-1", 100_000, export_wh=130_000)
    assert rating.carried_wh == 30_000
    basis = {"registers": [['मीटर "1"', "2025-09-01", 0, "2025-10-01", 5, 5]]}
    amounts, body, fragments = kept(rating, basis)
    stored = unpack(body, amounts, fragments=fragments)
    assert (stored["basis"], stored["carried_wh"]) == (basis, 30_000)


def test_a_household_costs_less_than_half_a_kilobyte() -> None:
    _, body, _ = kept(rated("LV-1", 437_000))
    assert len(body) < 400


def test_what_is_not_readable_is_refused() -> None:
    amounts, body, fragments = kept(rated("LV-1", 100_000))
    with pytest.raises(ExplanationUnreadable):
        unpack(body, amounts[:-1], fragments=fragments)
    with pytest.raises(ExplanationUnreadable):
        unpack(body.replace('"schema":1', '"schema":2'), amounts, fragments=fragments)

"""What the engine promises of every bill, whatever it is made of."""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import bahal.domains.tariffs
from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Arrear, Determinants, Facts, Span, Use, steady
from bahal.domains.tariffs.lines import COMPONENTS, MONTH, Rating, read_stored
from bahal.domains.tariffs.rating import rate
from bahal.domains.tariffs.rules import RULES
from bahal.domains.tariffs.telling import sentence, split_sentence

FIRST, LAST = date(2025, 5, 1), date(2027, 3, 1)
DAY = timedelta(days=1)

facts = st.builds(
    Facts,
    category=st.sampled_from(["LV-1", "LV-2", "LV-3"]),
    phases=st.sampled_from([1, 3]),
    load_w=st.sampled_from([1000, 3000, 5000, 12_500]),
    load_mhp=st.sampled_from([3000, 7500]),
    bpl=st.booleans(),
    temporary=st.booleans(),
    kind=st.sampled_from(["", "hospital"]),
    owner=st.sampled_from(["", "second"]),
)


def household(phases: int, bpl: bool, temporary: bool) -> Facts:
    return Facts("LV-1", phases, bpl=bpl, temporary=temporary)


def cut(draw: Any, start: date, end: date, most: int) -> list[date]:
    inner = draw(st.lists(st.dates(start + DAY, end - DAY), unique=True, max_size=most))
    return [start, *sorted(inner), end]


@st.composite
def determinants(draw: Any) -> Determinants:
    start = draw(st.dates(FIRST, LAST))
    end = start + timedelta(days=draw(st.integers(2, 70)))
    days = cut(draw, start, end, 2)
    spans = [Span(a, b, draw(facts)) for a, b in pairwise(days)]
    households = all(span.facts.category != "LV-3" for span in spans)
    days = cut(draw, start, end, 3)
    uses = []
    for nth, (a, b) in enumerate(pairwise(days)):
        normal, peak = draw(st.integers(0, 900_000)), draw(st.integers(0, 200_000))
        uses.append(
            Use(
                a, b, normal + peak, (("normal", normal), ("peak", peak)), draw(st.integers(0, 99_000)) * households,
                draw(st.integers(0, 20_000)), draw(st.just(0) | st.integers(normal + peak, 2_000_000)), f"M{nth // 2}",
            )
        )  # fmt: skip
    arrear = st.builds(
        Arrear, st.integers(0, 10**7), st.dates(FIRST, LAST), st.just(end), st.integers(0, 3), st.just("")
    )
    arrears = draw(st.lists(arrear, max_size=2))
    return Determinants(
        start=start, end=end, spans=tuple(spans), uses=tuple(uses), arrears=tuple(arrears),
        carried_wh=draw(st.integers(0, 50_000)) * households, advance_paise=draw(st.integers(0, 10**6)),
        deposit_paise=draw(st.integers(0, 10**6)),
    )  # fmt: skip


@given(determinants(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(given_: Determinants, random: Any) -> None:
    def scattered(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        again = [*rows, *random.choices(rows, k=2)] if rows else []
        random.shuffle(again)
        return tuple(again)

    late = replace(
        given_, spans=scattered(given_.spans), uses=scattered(given_.uses), arrears=scattered(given_.arrears)
    )
    assert rate(late, shipped()) == rate(given_, shipped())


@given(determinants(), st.data())
def test_a_cut_without_a_change_changes_nothing(given_: Determinants, data: st.DataObject) -> None:
    book = shipped()
    whole = rate(given_, book)
    spans: list[Span] = []
    for span in given_.spans:
        day = data.draw(st.dates(span.start, span.end - DAY))
        spans += [span._replace(end=day), span._replace(start=day)] if day > span.start else [span]
    edges = [piece.start for piece in whole.pieces[1:]]
    uses: list[Use] = []
    for use in given_.uses:
        day = data.draw(st.dates(use.start, use.end - DAY))
        if day == use.start or any(use.start < edge < use.end for edge in edges):
            uses.append(use)
            continue
        # Any division of what was used within one piece, the parts' zones with it.
        normal = data.draw(st.integers(0, dict(use.zones)["normal"]))
        peak = data.draw(st.integers(0, dict(use.zones)["peak"]))
        exported, apparent = data.draw(st.integers(0, use.export_wh)), use.vah // 2
        first = Use(
            use.start, day, normal + peak, (("normal", normal), ("peak", peak)), exported, use.demand_w, apparent,
            use.meter,
        )  # fmt: skip
        rest = dict(use.zones)
        zones = (("normal", rest["normal"] - normal), ("peak", rest["peak"] - peak))
        second = Use(
            day, use.end, use.wh - first.wh, zones, use.export_wh - exported, use.demand_w, use.vah - apparent,
            use.meter,
        )  # fmt: skip
        uses += [first, second] if min(first.vah, second.vah) or not use.vah else [use]
    assert rate(replace(given_, spans=tuple(spans), uses=tuple(uses)), book) == whole


@given(determinants())
def test_lines_explain_the_bill_to_the_paisa(given_: Determinants) -> None:
    rating = rate(given_, shipped())
    assert rating.total_paise == sum(line.paise for line in rating.lines)
    assert rating.total_paise % 100 == 0
    assert rating.total_paise == sum(rating.paise_of(component) for component in COMPONENTS)
    for line in rating.lines:
        assert line.computed() == line.paise
        for language in ("hi", "en"):
            told = sentence(line, language)  # type: ignore[arg-type]  # one of two words
            assert told
            assert "{" not in told
    for split in rating.splits:
        assert given_.start < split.day < given_.end
        assert split_sentence(split, "hi") != split_sentence(split, "en")
    # Pieces cover the period, and what was used is charged or set off, not a Wh more or less.
    assert [piece.start for piece in rating.pieces] == [given_.start, *(piece.end for piece in rating.pieces[:-1])]
    assert rating.pieces[-1].end == given_.end
    used = sum(use.wh for use in given_.uses)
    given_back = sum(use.export_wh for use in given_.uses) + given_.carried_wh
    assert used - given_back == sum(piece.wh for piece in rating.pieces) - rating.carried_wh


@given(determinants())
def test_what_is_kept_is_integers_and_names_and_reads_back(given_: Determinants) -> None:
    rating = rate(given_, shipped())
    stored = rating.stored()
    assert {type(each) for each in leaves(stored)} <= {int, str, bool}
    assert read_stored(json.loads(json.dumps(stored))) == rating


@given(
    st.builds(household, st.sampled_from([1, 3]), st.booleans(), st.booleans()),
    st.sampled_from([date(2018, 5, 1), date(2019, 3, 11), date(2019, 7, 1), date(2024, 7, 5), date(2025, 11, 20),
                     date(2026, 1, 31), date(2026, 11, 9)]),
    st.integers(1, 62),
    st.integers(0, 900),
    st.integers(0, 50),
)  # fmt: skip
def test_more_units_never_cost_less(of: Facts, start: date, days: int, units: int, more: int) -> None:
    def bill(used: int) -> Rating:
        return rate(steady(of, start=start, end=start + days * DAY, wh=used * 1000), shipped())

    assert bill(units).total_paise <= bill(units + more).total_paise


@given(st.dates(FIRST, LAST), st.integers(1, 24))
def test_whole_months_are_whole(start: date, months: int) -> None:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    end = date(year, month + 1, min(start.day, 28))
    start = start.replace(day=end.day)
    of = Facts("LV-3", load_mhp=1000)
    if end > date(2027, 7, 1):
        return
    rating = rate(steady(of, start=start, end=end, wh=0), shipped())
    assert sum(piece.months for piece in rating.pieces) == months * MONTH


def test_a_month_from_the_last_of_january() -> None:
    of = Facts("LV-3", load_mhp=1000)
    for start, end, months in (
        (date(2026, 1, 31), date(2026, 3, 1), 1),
        (date(2026, 1, 31), date(2026, 3, 31), 2),
        (date(2026, 2, 1), date(2026, 3, 1), 1),
        (date(2025, 12, 29), date(2026, 1, 29), 1),
    ):
        rating = rate(steady(of, start=start, end=end, wh=0), shipped())
        assert [piece.months for piece in rating.pieces] == [months * MONTH]


def test_no_float_and_no_division_but_floor_in_the_engine() -> None:
    folder = Path(bahal.domains.tariffs.__file__).parent
    sources = [*folder.glob("*.py"), *folder.glob("rules/*.py")]
    assert len(sources) > 15
    divisions = []
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), source
            assert not (isinstance(node, ast.Name) and node.id == "float"), source
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                divisions.append(ast.unparse(node))
    assert divisions == ["files('bahal.domains.tariffs') / 'schedules'"]


def test_the_engine_needs_no_django_and_no_clock() -> None:
    folder = Path(bahal.domains.tariffs.__file__).parent
    pure = {*folder.glob("*.py")} - {folder / name for name in ("models.py", "operations.py", "queries.py")}
    for source in (*pure, *folder.glob("rules/*.py")):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith(("django", "time", "bahal.foundation"))], source
            assert not (isinstance(node, ast.Attribute) and node.attr in ("now", "today", "utcnow")), source


def test_every_rule_speaks_both_languages() -> None:
    for rule in RULES.values():
        assert any("\u0900" <= letter <= "\u097f" for letter in rule.hi)
        assert rule.en.isascii()


def leaves(kept: Any) -> Iterator[Any]:
    """Every value of a JSON object that is neither list nor object."""
    if isinstance(kept, dict | list):
        for each in kept.values() if isinstance(kept, dict) else kept:
            yield from leaves(each)
    else:
        yield kept

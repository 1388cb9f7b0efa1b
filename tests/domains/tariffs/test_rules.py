"""Each rule by hand: what it charges, on what, and what splits a bill."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bahal.domains.tariffs.book import Book, shipped
from bahal.domains.tariffs.determinants import Arrear, Determinants, Facts, Span, Use, steady
from bahal.domains.tariffs.document import read_document
from bahal.domains.tariffs.errors import (
    DeterminantWrong,
    ExportNotRated,
    FactsDoNotCover,
    FactsOverlap,
    NoTariff,
    PeriodEmpty,
    UnitsNegative,
    UsesDoNotCover,
    UsesOverlap,
)
from bahal.domains.tariffs.lines import MONTH, Split, read_stored
from bahal.domains.tariffs.rating import rate
from bahal.domains.tariffs.telling import sentence, split_sentence
from bahal.shared.errors import Refusal

HEAD = """schedule = "T"
family = "tariff"
from = 2030-01-01
[sources]
order = "an order"
"""
ENERGY = """[[charge]]
name = "energy"
categories = ["LV-1"]
rule = "telescopic"
component = "energy"
source = "order"
verified = true
slabs = [{ upto = 100, rate = 1 }, { rate = 2 }]
"""


def book(*charges: str) -> Book:
    """A tariff of these charges alone: `rule` and its keys, for LV-1."""
    text = HEAD + ENERGY
    for nth, charge in enumerate(charges):
        text += f'[[charge]]\nname = "c{nth}"\ncategories = ["LV-1"]\nsource = "order"\nverified = true\n{charge}\n'
    return Book([read_document(text, file="t.toml")])


def april(units: int, **facts: object) -> Determinants:
    of = Facts("LV-1", **facts)  # type: ignore[arg-type]  # named facts of the right kinds
    return steady(of, start=date(2030, 4, 1), end=date(2030, 5, 1), wh=units * 1000)


def using(units: int, **more: object) -> Determinants:
    """April with more about its use; a load of 10 kW."""
    given = april(units, load_w=10_000)
    return replace(given, uses=(given.uses[0]._replace(**more),))


def test_non_telescopic_slabs_charge_all_units_at_the_last_rate() -> None:
    rated = book('rule = "non_telescopic"\ncomponent = "fixed"\nslabs = [{ upto = 100, rate = 3 }, { rate = 5 }]')
    assert rate(april(100), rated).paise_of("fixed") == 300_00
    assert rate(april(101), rated).paise_of("fixed") == 505_00


def test_a_charge_for_a_connection_goes_by_phase() -> None:
    rated = book('rule = "per_load"\nunit = "connection"\nsingle_phase = 50\nthree_phase = 150')
    assert rate(april(0), rated).paise_of("fixed") == 50_00
    assert rate(april(0, phases=3), rated).paise_of("fixed") == 150_00


def test_temporary_supply_is_a_quarter_more() -> None:
    # 100 x 1 + 100 x 2 = 300; a quarter of it 75
    rated = book('rule = "temporary"\npercent = 25\non = ["fixed", "energy"]')
    assert rate(april(200, temporary=True), rated).total_paise == 375_00
    assert rate(april(200), rated).total_paise == 300_00


def test_demand_above_the_load_is_charged_for_the_excess() -> None:
    rated = book('rule = "excess_demand"\nrate = 120')
    # 12.5 kW - 10 kW = 2.5 kW x 120
    assert rate(using(0, demand_w=12_500), rated).paise_of("demand") == 300_00
    assert rate(using(0, demand_w=10_000), rated).paise_of("demand") == 0


def test_time_of_day_takes_its_share_of_the_energy_charge() -> None:
    rated = book('rule = "time_of_day"\nabove_kw = 5\npeak_percent = 20\nsolar_rebate_percent = 10')
    zones = (("normal", 100_000), ("peak", 60_000), ("solar", 40_000))
    # energy 300; peak 20 % of 60/200 of it: 18; solar -10 % of 40/200: -6
    rating = rate(using(200, zones=zones), rated)
    assert [line.paise for line in rating.lines if line.rule == "time_of_day"] == [18_00, -6_00]
    told = [sentence(line, "en") for line in rating.lines if line.rule == "time_of_day"]
    assert told[0] == "Time of day charge (peak hours): 20% of 60/200 of the energy charge ₹300.00 = ₹18.00"
    small = replace(using(200, zones=zones), spans=(Span(date(2030, 4, 1), date(2030, 5, 1), Facts("LV-1", 1, 5000)),))
    assert rate(small, rated).paise_of("time_of_day") == 0


def test_power_factor_is_charged_by_hundredths_below_and_rewarded_above() -> None:
    rated = book('rule = "power_factor"\nbelow = 0.85\npenalty_percent = 1\nreward_from = 0.95\nreward_percent = 0.5')
    # 200 / 250 = 0.80: five hundredths below, 5 % of 300
    assert rate(using(200, vah=250_000), rated).paise_of("power_factor") == 15_00
    # 200 / 235.4 = 0.850: neither
    assert rate(using(200, vah=235_294), rated).paise_of("power_factor") == 0
    # 0.849 is a part of a hundredth below, and a part counts whole: 1 %
    assert rate(using(200, vah=235_570), rated).paise_of("power_factor") == 3_00
    # 0.95 is the first hundredth: -0.5 %; 1.00 the sixth: -3 %
    assert rate(using(200, vah=210_526), rated).paise_of("power_factor") == -1_50
    assert rate(using(200, vah=200_000), rated).paise_of("power_factor") == -9_00
    assert rate(using(200), rated).paise_of("power_factor") == 0


def test_duty_and_adjustment_build_on_what_they_name() -> None:
    rated = book(
        'rule = "duty"\npercent = 10\non = ["energy", "fppas"]',
        'rule = "fppas"\npercent = 5\non = ["energy"]',
        'rule = "cess"\nrate = 0.15',
    )
    # 300 + 5 % = 315; 10 % of it 31.50; 200 x 0.15 = 30: 376.50, to the rupee half up 377
    rating = rate(april(200), rated)
    assert [(line.component, line.paise) for line in rating.lines[2:]] == [
        ("fppas", 15_00),
        ("duty", 31_50),
        ("cess", 30_00),
        ("rounding", 50),
    ]
    assert rating.total_paise == 377_00


def test_the_adjustment_of_a_bill_is_that_of_the_month_in_which_it_begins() -> None:
    rows = [
        'rule = "fppas"\nto = 2030-04-15\npercent = 5\non = ["energy"]',
        'rule = "fppas"\nfrom = 2030-04-15\npercent = 50\non = ["energy"]',
    ]
    rating = rate(april(200), book(*rows))
    assert len(rating.pieces) == 1
    assert rating.paise_of("fppas") == 15_00


def test_free_units_and_half_bill() -> None:
    free = 'rule = "free_units"\nunits = 30'
    bands = "{ upto = 200, percent = 50, first = 100 }, { upto = 400, percent = 25, first = 50 }"
    rated = book(free, f'rule = "half_bill"\nbands = [{bands}]')
    # 150 units: 100 + 100 = 200; half of the first 100 units: -50
    assert rate(april(150), rated).total_paise == 150_00
    # BPL: 30 units free, half of the other 70 of the first hundred: 200 - 30 - 35
    assert rate(april(150, bpl=True), rated).total_paise == 135_00
    # 20 units of BPL are all free
    assert rate(april(20, bpl=True), rated).total_paise == 0
    # second band: 300 units are 500; a quarter of the first 50: -12.50, to the rupee 488
    assert rate(april(300), rated).paise_of("scheme") == -12_50
    # above the last band nothing
    assert rate(april(401), rated).paise_of("scheme") == 0
    assert rate(april(150, temporary=True, bpl=True), rated).total_paise == 200_00


@pytest.mark.parametrize(
    ("day", "units", "scheme"),
    [
        (date(2019, 6, 1), 100, 0),  # before the scheme
        (date(2019, 7, 1), 437, -840_00),  # half of the first 400: (1,130 + 550) / 2
        (date(2025, 7, 1), 400, -975_00),  # half of 410 + 420 + 1,120
        (date(2025, 8, 1), 100, -205_00),  # half of 410
        (date(2025, 8, 1), 101, 0),
        (date(2025, 12, 1), 200, -415_00),  # half of 410 + 420
        (date(2025, 12, 1), 201, -415_00),  # the first 200 of up to 400
        (date(2025, 12, 1), 400, -415_00),
        (date(2025, 12, 1), 401, 0),
        (date(2026, 11, 1), 300, -445_00),  # FY2026-27: half of 440 + 450
        (date(2026, 12, 1), 300, 0),  # that band ended on 30-11-2026
        (date(2026, 12, 1), 200, -445_00),
    ],
)
def test_the_half_bill_by_date_and_band(day: date, units: int, scheme: int) -> None:
    after = (day + timedelta(days=32)).replace(day=1)
    rating = rate(steady(Facts("LV-1"), start=day, end=after, wh=units * 1000), shipped())
    assert rating.paise_of("scheme") == scheme


def test_export_is_set_off_and_carried() -> None:
    rated = book('rule = "net_metering"')
    # 100 taken, 40 given, 10 left from before: 50 are charged
    rating = rate(replace(using(100, export_wh=40_000), carried_wh=10_000), rated)
    assert (rating.paise_of("energy"), rating.carried_wh) == (50_00, 0)
    # more given than taken: nothing is charged, 30 are left
    rating = rate(using(100, export_wh=130_000), rated)
    assert (rating.paise_of("energy"), rating.carried_wh) == (0, 30_000)
    with pytest.raises(ExportNotRated):
        rate(using(100, export_wh=1), book())


def test_late_payment_by_month_or_part_and_never_on_surcharge() -> None:
    rated = book('rule = "delayed_payment"\npercent = 1.5')

    def surcharge(due_on: date, until: date, charged: int = 0) -> int:
        given = replace(april(0), arrears=(Arrear(1_000_00, due_on, until, charged),))
        return rate(given, rated).paise_of("surcharge")

    due = date(2030, 1, 20)
    assert surcharge(due, due) == 0
    assert surcharge(due, date(2030, 1, 21)) == 15_00
    assert surcharge(due, date(2030, 2, 20)) == 15_00
    assert surcharge(due, date(2030, 2, 21)) == 30_00
    # two months were on earlier bills: one more, on the same thousand
    assert surcharge(due, date(2030, 4, 1), 2) == 15_00
    assert surcharge(date(2030, 1, 31), date(2030, 3, 1)) == 15_00
    # two dues of one amount are two when their bills have names
    twice = tuple(Arrear(1_000_00, due, date(2030, 1, 21), 0, bill) for bill in ("B1", "B2"))
    assert rate(replace(april(0), arrears=twice), rated).paise_of("surcharge") == 30_00


def test_the_surcharge_of_a_month_is_that_of_its_beginning() -> None:
    # 1.5 % until 31-03-2020, 1 % for April to June 2020: due on 15-03, three months begun by 20-05.
    given = steady(Facts("LV-1"), start=date(2020, 4, 1), end=date(2020, 5, 1), wh=0)
    given = replace(given, arrears=(Arrear(1_000_00, date(2020, 3, 15), date(2020, 5, 20)),))
    lines = [line for line in rate(given, shipped()).lines if line.rule == "delayed_payment"]
    assert [(line.rate, line.numerator, line.paise) for line in lines] == [(150, 1, 15_00), (100, 2, 20_00)]


def test_advance_and_deposit_earn() -> None:
    rated = book('rule = "advance_rebate"\npercent = 1.25', 'rule = "deposit_interest"\npercent = 7.3')
    rating = rate(replace(april(0), advance_paise=1_000_00, deposit_paise=1_000_00), rated)
    # 1.25 % of 1,000; 7.3 % of 1,000 for 30 of 365 days = 6.00
    assert (rating.paise_of("advance_rebate"), rating.paise_of("interest")) == (-12_50, -6_00)


def test_a_tariff_that_changes_splits_the_bill_by_days() -> None:
    # 15-06 to 15-07-2025: 16 days FY2024-25, 14 days FY2025-26; 150 units are 80 and 70.
    given = steady(Facts("LV-1"), start=date(2025, 6, 15), end=date(2025, 7, 15), wh=150_000)
    rating = rate(given, shipped())
    assert [(piece.months * 30, piece.wh) for piece in rating.pieces] == [(16 * MONTH, 80_000), (14 * MONTH, 70_000)]
    energy = [(line.quantity, line.rate, line.paise) for line in rating.lines if line.component == "energy"]
    # limits 100 x 16/30 = 53.333 and 100 x 14/30 = 46.667
    assert energy == [
        (53_333, 39_000, 208_00),
        (26_667, 41_000, 109_33),
        (46_667, 41_000, 191_33),
        (23_333, 42_000, 98_00),
    ]
    assert rating.splits == (Split(date(2025, 7, 1), "tariff", True),)
    assert split_sentence(rating.splits[0], "en").startswith("Tariff changed on 01-07-2025: the bill is in two parts")
    assert "टैरिफ" in split_sentence(rating.splits[0], "hi")
    assert [name for name, _ in rating.versions][:2] == ["FY2024-25", "household-relief"]
    assert read_stored(rating.stored()) == rating


def test_a_reading_on_the_day_of_the_change_is_taken_as_read() -> None:
    start, change, end = date(2025, 6, 15), date(2025, 7, 1), date(2025, 7, 15)
    uses = (Use(start, change, 10_000), Use(change, end, 140_000))
    rating = rate(Determinants(start=start, end=end, spans=(Span(start, end, Facts("LV-1")),), uses=uses), shipped())
    assert [piece.wh for piece in rating.pieces] == [10_000, 140_000]


def test_what_the_tariff_does_not_look_at_splits_nothing() -> None:
    # A household's load changes no rate; a new meter none either; a new owner begins anew.
    start, change, end = date(2019, 6, 1), date(2019, 6, 11), date(2019, 7, 1)

    def bill(before: Facts, after: Facts, meter: str = "A") -> tuple[int, tuple[Split, ...]]:
        given = Determinants(
            start=start, end=end, spans=(Span(start, change, before), Span(change, end, after)),
            uses=(Use(start, change, 100_000, meter="A"), Use(change, end, 200_000, meter=meter)),
        )  # fmt: skip
        rating = rate(given, shipped())
        return len(rating.pieces), rating.splits

    same = Facts("LV-1", load_w=1000)
    assert bill(same, same) == (1, ())
    assert bill(same, same._replace(load_w=2000)) == (1, (Split(change, "load_w", False),))
    assert bill(same, same, "B") == (1, (Split(change, "meter", False),))
    assert bill(same, same._replace(owner="next")) == (2, (Split(change, "owner", True),))
    assert bill(same, same._replace(phases=3)) == (2, (Split(change, "phases", True),))
    assert bill(same, same._replace(category="LV-2")) == (2, (Split(change, "category", True),))
    shop = Facts("LV-2", load_w=1000)
    assert bill(shop, shop._replace(load_w=4000)) == (2, (Split(change, "load_w", True),))


def test_a_tariff_and_a_fact_may_change_on_one_day() -> None:
    start, change, end = date(2025, 6, 15), date(2025, 7, 1), date(2025, 7, 15)
    spans = (Span(start, change, Facts("LV-1")), Span(change, end, Facts("LV-1", 3)))
    rating = rate(Determinants(start=start, end=end, spans=spans, uses=(Use(start, end, 1000),)), shipped())
    assert rating.splits == (Split(change, "tariff, phases", True),)
    assert split_sentence(rating.splits[0], "en").startswith("Tariff, phases changed on 01-07-2025")


def test_a_load_that_grows_is_paid_by_days() -> None:
    # FY2018-19: 10 days of June at 3 kW x 60, 20 days at 5 kW x 120: 60 + 400
    start, change, end = date(2018, 6, 1), date(2018, 6, 11), date(2018, 7, 1)
    given = Determinants(
        start=start, end=end, uses=(Use(start, end, 0),),
        spans=(Span(start, change, Facts("LV-2", load_w=3000)), Span(change, end, Facts("LV-2", load_w=5000))),
    )  # fmt: skip
    rating = rate(given, shipped())
    assert [line.paise for line in rating.lines if line.component == "fixed"] == [60_00, 400_00]
    told = sentence(rating.lines[0], "en")
    assert told == "Fixed charge: 3 kW x ₹60.00 a month x 1/3 month = ₹60.00"


def test_two_months_have_twice_the_slabs() -> None:
    given = steady(Facts("LV-1"), start=date(2019, 5, 1), end=date(2019, 7, 1), wh=200_000)
    assert rate(given, shipped()).paise_of("energy") == 200_00


def test_unverified_rates_are_listed_once_and_only_when_taken() -> None:
    def paths(units: int, phases: int = 1) -> list[str]:
        given = steady(Facts("LV-1", phases), start=date(2019, 6, 1), end=date(2019, 7, 1), wh=units * 1000)
        return [each.path for each in rate(given, shipped()).unverified]

    duty = ["duty-and-cess/LV-1/duty@2018-04-01", "duty-and-cess/LV-1+LV-2+LV-3/cess"]
    assert paths(437) == duty
    assert paths(1) == ["FY2019-20/LV-1/minimum/single_phase", *duty]
    assert paths(1, 3) == ["FY2019-20/LV-1/minimum/three_phase", *duty]
    given = steady(Facts("LV-1"), start=date(2025, 9, 1), end=date(2025, 10, 1), wh=700_000)
    listed = rate(given, shipped()).unverified
    assert len(listed) == len(set(listed))
    assert "FY2025-26/LV-1/energy/5" in [each.path for each in listed]
    assert all(each.source and len(each.sha256) == 64 for each in listed)


START, END = date(2030, 4, 1), date(2030, 5, 1)
MIDDLE = date(2030, 4, 11)
PLAIN = Facts("LV-1")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"end": START}, PeriodEmpty),
        ({"spans": (Span(START, MIDDLE, PLAIN),)}, FactsDoNotCover),
        ({"spans": (Span(MIDDLE, END, PLAIN),)}, FactsDoNotCover),
        ({"spans": ()}, FactsDoNotCover),
        ({"spans": (Span(START, END, PLAIN), Span(MIDDLE, END, PLAIN._replace(phases=3)))}, FactsOverlap),
        ({"spans": (Span(START, date(2030, 6, 1), PLAIN),)}, FactsOverlap),
        ({"spans": (Span(START, START, PLAIN), Span(START, END, PLAIN))}, PeriodEmpty),
        ({"spans": (Span(START, END, PLAIN._replace(phases=2)),)}, DeterminantWrong),
        ({"spans": (Span(START, END, PLAIN._replace(load_w=-1)),)}, DeterminantWrong),
        ({"uses": (Use(START, MIDDLE, 1),)}, UsesDoNotCover),
        ({"uses": (Use(MIDDLE, END, 1),)}, UsesDoNotCover),
        ({"uses": (Use(START, END, 1), Use(START, END, 2))}, UsesOverlap),
        ({"uses": (Use(START, date(2030, 6, 1), 1),)}, UsesOverlap),
        ({"uses": (Use(START, START, 1), Use(START, END, 1))}, PeriodEmpty),
        ({"uses": (Use(START, END, -1),)}, UnitsNegative),
        ({"uses": (Use(START, END, 1, export_wh=-1),)}, UnitsNegative),
        ({"uses": (Use(START, END, 10, (("peak", 11),)),)}, DeterminantWrong),
        ({"uses": (Use(START, END, 10, demand_w=-1),)}, DeterminantWrong),
        ({"carried_wh": -1}, UnitsNegative),
        ({"advance_paise": -1}, DeterminantWrong),
        ({"deposit_paise": -1}, DeterminantWrong),
        ({"arrears": (Arrear(-1, START, END),)}, DeterminantWrong),
    ],
)
def test_what_cannot_be_rated_is_refused(changed: dict[str, object], refusal: type[Refusal]) -> None:
    given = replace(april(1), **changed)  # type: ignore[arg-type]  # one of them wrong on purpose
    with pytest.raises(refusal) as refused:
        rate(given, book('rule = "net_metering"'))
    assert refused.value.text("hi") != refused.value.text("en")


def test_a_day_without_a_tariff_is_named() -> None:
    given = steady(Facts("LV-1"), start=date(2020, 5, 20), end=date(2020, 6, 20), wh=1)
    with pytest.raises(NoTariff) as refused:
        rate(given, shipped())
    assert refused.value.data == {"category": "LV-1", "day": date(2020, 6, 1)}
    # The same days by one schedule on purpose.
    assert rate(given, shipped().pinned("FY2019-20")).paise_of("energy") == 0


def test_a_stored_rating_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 1"):
        read_stored({"schema": 2})

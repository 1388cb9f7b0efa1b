"""Bills worked out by hand from the printed tables, at every edge of every slab.

Each row: units; the slabs' fixed charges in paise; their energy charges; then for one phase and for three: what is
missing to the minimum, the duty, the rounding (paise), and the bill in rupees. Working, for 437 units in FY2019-20:

    fixed   100 x 2.40 + 100 x 2.50 + 200 x 3.20 + 37 x 3.50 = 240 + 250 + 640 + 129.50 = 1,259.50
    energy  100 x 1.00 + 100 x 1.10 + 200 x 1.70 + 37 x 2.00 = 100 + 110 + 340 +  74.00 =   624.00
    duty    7 % of 1,883.50 = 131.845, half up 131.85;  cess 437 x 0.10 = 43.70
    bill    1,883.50 + 131.85 + 43.70 = 2,059.05, rounded 2,059
"""

from datetime import date

import pytest

from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Facts, steady
from bahal.domains.tariffs.lines import Rating
from bahal.domains.tariffs.rating import compile_rater, rate

Row = tuple[int, list[int], list[int], tuple[int, int, int, int], tuple[int, int, int, int]]

# 0-40: 2.55 + 1.15; 41-200: 2.60 + 1.20; 201-600: 3.40 + 1.90; 601 and above: 4.90 + 2.45; minimum fixed 40 and 120
FY2018_19: list[Row] = [
    # 40 x 7 % = 2.80; 42.80 is 43.   120 x 7 % = 8.40; 128.40 is 128
    (0, [0], [0], (4000, 280, 20, 43), (12000, 840, -40, 128)),
    # 41.15 x 7 % = 2.8805; + 0.10 = 44.13 is 44
    (1, [255], [115], (3745, 288, -13, 44), (11745, 848, 27, 130)),
    # 40 x 2.55 = 102, over 40, under 120
    (40, [10200], [4600], (0, 1036, -36, 162), (1800, 1162, 38, 182)),
    # 102 + 2.60 = 104.60; three phases: 120 + 47.20 = 167.20, duty 11.704, cess 4.10: exactly 183.00
    (41, [10200, 260], [4600, 120], (0, 1063, 47, 167), (1540, 1170, 0, 183)),
    (100, [10200, 15600], [4600, 7200], (0, 2632, -32, 412), (0, 2632, -32, 412)),
    (101, [10200, 15860], [4600, 7320], (0, 2659, -49, 416), (0, 2659, -49, 416)),
    # 160 x 2.60 = 416; 160 x 1.20 = 192
    (200, [10200, 41600], [4600, 19200], (0, 5292, 8, 829), (0, 5292, 8, 829)),
    (201, [10200, 41600, 340], [4600, 19200, 190], (0, 5329, 31, 835), (0, 5329, 31, 835)),
    (400, [10200, 41600, 68000], [4600, 19200, 38000], (0, 12712, -12, 1983), (0, 12712, -12, 1983)),
    (401, [10200, 41600, 68340], [4600, 19200, 38190], (0, 12749, 11, 1989), (0, 12749, 11, 1989)),
    # 400 x 3.40 = 1,360; 400 x 1.90 = 760
    (600, [10200, 41600, 136000], [4600, 19200, 76000], (0, 20132, -32, 3137), (0, 20132, -32, 3137)),
    (601, [10200, 41600, 136000, 490], [4600, 19200, 76000, 245], (0, 20183, -28, 3145), (0, 20183, -28, 3145)),
]

# 0-100: 2.40 + 1.00; 101-200: 2.50 + 1.10; 201-400: 3.20 + 1.70; 401-600: 3.50 + 2.00; 601 and above: 4.85 + 2.45
FY2019_20: list[Row] = [
    (0, [0], [0], (4000, 280, 20, 43), (12000, 840, -40, 128)),
    (1, [240], [100], (3760, 287, 3, 44), (11760, 847, 43, 130)),
    (40, [9600], [4000], (0, 952, 48, 150), (2400, 1120, -20, 175)),
    (41, [9840], [4100], (0, 976, -26, 153), (2160, 1127, -37, 176)),
    # 240 + 100 = 340; duty 23.80; cess 10: 373.80 is 374
    (100, [24000], [10000], (0, 2380, 20, 374), (0, 2380, 20, 374)),
    (101, [24000, 250], [10000, 110], (0, 2405, 25, 378), (0, 2405, 25, 378)),
    (200, [24000, 25000], [10000, 11000], (0, 4900, 0, 769), (0, 4900, 0, 769)),
    (201, [24000, 25000, 320], [10000, 11000, 170], (0, 4934, -34, 774), (0, 4934, -34, 774)),
    (400, [24000, 25000, 64000], [10000, 11000, 34000], (0, 11760, 40, 1838), (0, 11760, 40, 1838)),
    (401, [24000, 25000, 64000, 350], [10000, 11000, 34000, 200], (0, 11799, 41, 1844), (0, 11799, 41, 1844)),
    (437, [24000, 25000, 64000, 12950], [10000, 11000, 34000, 7400], (0, 13185, -5, 2059), (0, 13185, -5, 2059)),
    (600, [24000, 25000, 64000, 70000], [10000, 11000, 34000, 40000], (0, 19460, 40, 3035), (0, 19460, 40, 3035)),
    # 1,834.85 + 952.45 = 2,787.30; duty 195.111; cess 60.10: 3,042.51 is 3,043
    (
        601,
        [24000, 25000, 64000, 70000, 485],
        [10000, 11000, 34000, 40000, 245],
        (0, 19511, 49, 3043),
        (0, 19511, 49, 3043),
    ),
]

CASES = [
    (month, phases, row)
    for month, table in ((date(2018, 6, 1), FY2018_19), (date(2019, 6, 1), FY2019_20))
    for phases in (1, 3)
    for row in table
]


def june(year: int, facts: Facts, units: int) -> Rating:
    return rate(steady(facts, start=date(year, 6, 1), end=date(year, 7, 1), wh=units * 1000), shipped())


@pytest.mark.parametrize(("month", "phases", "row"), CASES, ids=lambda each: str(each)[:12])
def test_a_household_at_every_edge(month: date, phases: int, row: Row) -> None:
    units, fixed, energy, single, three = row
    missing, duty, rounding, total = single if phases == 1 else three
    rating = june(month.year, Facts("LV-1", phases), units)
    expected = [("telescopic", "fixed", paise) for paise in fixed]
    expected += [("telescopic", "energy", paise) for paise in energy]
    expected += [("minimum", "fixed", missing)] if missing else []
    expected += [("duty", "duty", duty), ("cess", "cess", units * 10)]
    expected += [("rounding", "rounding", rounding)] if rounding else []
    assert [(line.rule, line.component, line.paise) for line in rating.lines] == expected
    assert rating.total_paise == total * 100
    assert rating.paise_of("fixed") == sum(fixed) + missing
    assert rating.paise_of("energy") == sum(energy)


def test_the_fast_way_gives_the_same_lines() -> None:
    book = shipped()
    for month, phases, row in CASES:
        rater = compile_rater(book, Facts("LV-1", phases), month)
        assert tuple(rater.month(row[0] * 1000)) == june(month.year, Facts("LV-1", phases), row[0]).lines


def test_the_slab_of_each_unit_is_named() -> None:
    lines = [line for line in june(2019, Facts("LV-1"), 437).lines if line.component == "energy"]
    assert [(line.path, line.above, line.upto, line.quantity, line.rate) for line in lines] == [
        ("FY2019-20/LV-1/energy/1", 0, 100_000, 100_000, 10_000),
        ("FY2019-20/LV-1/energy/2", 100_000, 200_000, 100_000, 11_000),
        ("FY2019-20/LV-1/energy/3", 200_000, 400_000, 200_000, 17_000),
        ("FY2019-20/LV-1/energy/4", 400_000, 600_000, 37_000, 20_000),
    ]


def test_a_shop_pays_for_its_load_at_one_rate() -> None:
    # The schedule's own example: 5 kW pays Rs 600 a month, 5 x 120, not 3 x 60 + 2 x 120.
    assert june(2018, Facts("LV-2", load_w=5000), 0).paise_of("fixed") == 600_00
    # 3 kW are in the first slab: 3 x 60.
    assert june(2018, Facts("LV-2", load_w=3000), 0).paise_of("fixed") == 180_00


def test_a_hospital_pays_five_percent_less() -> None:
    # 5 kW: fixed 600; 100 x 5.70 = 570; 5 % of 1,170 = 58.50
    assert june(2018, Facts("LV-2", load_w=5000, kind="hospital"), 100).paise_of("rebate") == -58_50
    assert june(2018, Facts("LV-2", load_w=5000), 100).paise_of("rebate") == 0


def test_a_pump_pays_by_horsepower() -> None:
    # 5 HP x 80 = 400; 100 x 4.70 = 470; cess 10
    rating = june(2018, Facts("LV-3", load_mhp=5000), 100)
    assert (rating.paise_of("fixed"), rating.paise_of("energy"), rating.total_paise) == (400_00, 470_00, 880_00)
    # 7.5 HP x 80 = 600
    assert june(2018, Facts("LV-3", load_mhp=7500), 0).paise_of("fixed") == 600_00

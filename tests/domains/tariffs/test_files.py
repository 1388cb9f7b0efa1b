"""A bad tariff file is refused by name, with file, path and line."""

from datetime import date
from decimal import Decimal

import pytest

from bahal.domains.tariffs.book import Book, shipped, shipped_documents
from bahal.domains.tariffs.document import Document, read_document
from bahal.domains.tariffs.errors import (
    CategoryUnknown,
    ScheduleUnknown,
    TariffFileUnreadable,
    TariffGap,
    TariffKeyMissing,
    TariffKeyUnknown,
    TariffOverlap,
    TariffRuleUnknown,
    TariffSlabsWrong,
    TariffSourceMissing,
    TariffValueWrong,
)
from bahal.domains.tariffs.rules import RULES
from bahal.shared.errors import Refusal

GOOD = """schedule = "Y"
family = "tariff"
from = 2030-04-01
to = 2031-04-01
[sources]
order = "an order"
[[charge]]
name = "energy"
categories = ["LV-1"]
rule = "telescopic"
component = "energy"
source = "order"
verified = true
slabs = [
  { upto = 40, rate = 1.15 },
  { upto = 200, rate = 1.20, verified = false },
  { rate = 2.45 },
]
[[charge]]
name = "duty"
categories = ["LV-1"]
rule = "duty"
to = 2030-10-01
percent = 7
on = ["energy"]
source = "order"
verified = true
[[charge]]
name = "duty"
categories = ["LV-1"]
rule = "duty"
from = 2030-10-01
percent = 11
on = ["energy"]
source = "order"
verified = true
"""


def read(text: str = GOOD) -> Document:
    return read_document(text, file="y.toml")


def test_a_good_file_is_read_to_exact_integers() -> None:
    document = read()
    slabs = document.rows[0].charge.params.slabs
    assert [(slab.upto, slab.value) for slab in slabs] == [(40_000, 11_500), (200_000, 12_000), (None, 24_500)]
    assert [(rate.path, rate.verified) for rate in document.rows[0].charge.rates] == [
        ("Y/LV-1/energy/1", True),
        ("Y/LV-1/energy/2", False),
        ("Y/LV-1/energy/3", True),
    ]
    assert [(row.start, row.end) for row in document.rows[1:]] == [
        (date(2030, 4, 1), date(2030, 10, 1)),
        (date(2030, 10, 1), date(2031, 4, 1)),
    ]
    assert not document.verified
    assert document.sources == "an order"


@pytest.mark.parametrize(
    ("old", "new", "refusal", "line"),
    [
        ("family =", "family", TariffFileUnreadable, 2),
        ('"tariff"', '"tarif"', TariffValueWrong, 2),
        ("from = 2030-04-01\n", "", TariffKeyMissing, 1),
        ("from = 2030-04-01\n", 'from = "April"\n', TariffValueWrong, 3),
        ("to = 2031-04-01", "to = 2030-04-01", TariffValueWrong, 4),
        ('schedule = "Y"', 'schedule = "Y/1"', TariffValueWrong, 1),
        ("to = 2031-04-01", "until = 2031-04-01", TariffKeyUnknown, 4),
        ('"telescopic"', '"telescope"', TariffRuleUnknown, 10),
        ('component = "energy"\n', 'component = "energy"\ncolour = "red"\n', TariffKeyUnknown, 12),
        ('component = "energy"\n', "", TariffKeyMissing, 7),
        ('component = "energy"', 'component = "energie"', TariffValueWrong, 11),
        ('categories = ["LV-1"]\nrule = "tele', 'categories = "LV-1"\nrule = "tele', TariffValueWrong, 9),
        ("{ upto = 200, rate = 1.20, verified = false }", "{ upto = 40, rate = 1.20 }", TariffSlabsWrong, 16),
        ("{ upto = 200, rate = 1.20, verified = false }", "{ rate = 1.20 }", TariffSlabsWrong, 17),
        (
            "{ upto = 200, rate = 1.20, verified = false }",
            "{ upto = 200, rate = 1.20, colour = 1 }",
            TariffKeyUnknown,
            16,
        ),
        ("{ upto = 200, rate = 1.20, verified = false }", "{ upto = 200 }", TariffKeyMissing, 16),
        ("{ rate = 2.45 },\n", "", TariffValueWrong, 14),
        ("rate = 1.15", "rate = 1.15555", TariffValueWrong, 15),
        ("rate = 1.15", "rate = -1.15", TariffValueWrong, 15),
        ("rate = 1.15", 'rate = "1.15"', TariffValueWrong, 15),
        ("rate = 1.15", "rate = nan", TariffValueWrong, 15),
        ("rate = 1.15", "rate = true", TariffValueWrong, 15),
        ('source = "order"\nverified = true\nslabs', "verified = true\nslabs", TariffSourceMissing, 14),
        ('source = "order"\nverified = true\nslabs', 'source = "order"\nslabs', TariffKeyMissing, 14),
        ('source = "order"\nverified = true\nslabs', 'source = "rumour"\nverified = true\nslabs', TariffValueWrong, 12),
        ('source = "order"\nverified = true\nslabs', 'source = "order"\nverified = 1\nslabs', TariffValueWrong, 13),
        ("to = 2030-10-01", "to = 2030-09-01", TariffGap, 28),
        ("from = 2030-10-01", "from = 2030-09-30", TariffOverlap, 28),
        ("to = 2030-10-01", "to = 2032-10-01", TariffValueWrong, 23),
        ("from = 2030-10-01", "from = 2029-10-01", TariffValueWrong, 32),
        ("percent = 7", "percent = 7.125", TariffValueWrong, 24),
        ('on = ["energy"]', 'on = ["everything"]', TariffValueWrong, 25),
    ],
)
def test_a_bad_file_is_refused_with_its_line(old: str, new: str, refusal: type[Refusal], line: int) -> None:
    assert old in GOOD
    with pytest.raises(refusal) as refused:
        read(GOOD.replace(old, new, 1))
    assert refused.value.data["file"] == "y.toml"
    assert refused.value.data["line"] == line
    assert f"{line}" in refused.value.text("hi")


def test_a_file_without_charges_is_no_tariff() -> None:
    with pytest.raises(TariffKeyMissing):
        read(GOOD.partition("[[charge]]")[0])


def test_two_documents_of_a_family_do_not_overlap() -> None:
    later = GOOD.replace('"Y"', '"Z"').replace("2030-", "2031-").replace("to = 2031-04-01", "to = 2032-04-01")
    after = read(later.replace("to = 2031-10-01", "to = 2031-09-01").replace("from = 2031-10-01", "from = 2031-09-01"))
    assert Book([read(), after]).schedules == ("Y", "Z")
    early = GOOD.replace('"Y"', '"Z"').replace("from = 2030-04-01", "from = 2030-06-01")
    for wrong in (early, GOOD.replace('"Y"', '"Z"')):
        with pytest.raises(TariffOverlap) as refused:
            Book([read(), read(wrong)])
        assert refused.value.data["path"] in ("Y", "Z")


def test_a_document_takes_the_place_of_another_from_its_day() -> None:
    stated = GOOD.replace("from = 2030-04-01", 'replaces = "Y"\nfrom = 2030-06-01', 1).replace('"Y"\nfam', '"Z"\nfam')
    book = Book([read(), read(stated)])
    assert [(each.name, each.start, each.end) for each in book.documents] == [
        ("Y", date(2030, 4, 1), date(2030, 6, 1)),
        ("Z", date(2030, 6, 1), date(2031, 4, 1)),
    ]
    with pytest.raises(ScheduleUnknown):
        Book([read(stated)])


def test_an_open_document_ends_where_the_next_begins() -> None:
    opened = GOOD.replace("to = 2031-04-01\n", "")
    after = GOOD.replace('"Y"', '"Z"').replace("from = 2030-04-01", "from = 2030-07-01")
    book = Book([read(opened), read(after)])
    assert [each.end for each in book.documents] == [date(2030, 7, 1), date(2031, 4, 1)]
    assert book.changes("LV-1", date(2030, 4, 1), date(2031, 4, 1)) == [date(2030, 7, 1), date(2030, 10, 1)]


def test_what_ships_is_whole() -> None:
    book = shipped()
    assert book.schedules == ("FY2018-19", "FY2019-20", "FY2024-25", "FY2025-26", "FY2026-27")
    assert book.categories == ("LV-1", "LV-2", "LV-3")
    used = {row.rule.name for document in shipped_documents() for row in document.rows}
    assert used == RULES.keys() - {"non_telescopic"}
    for document in shipped_documents():
        for row in document.rows:
            for rate in row.charge.rates:
                assert rate.source
                found = book.rate_of(rate.path)
                assert found is not None
                assert found[0] == rate
    # Everything from memory says so.
    assert not any(
        rate.verified
        for document in shipped_documents()
        for row in document.rows
        for rate in row.charge.rates
        if "memory" in rate.source or "not seen" in rate.source
    )
    with pytest.raises(CategoryUnknown):
        book.card("LV-9", date(2025, 1, 1))
    with pytest.raises(ScheduleUnknown):
        book.pinned("FY1999-00")


def test_decimals_are_exact() -> None:
    # 0.1 + 0.2 in binary is not 0.3; the file's 2.40 is 24000 ten-thousandths to the last digit.
    text = GOOD.replace("rate = 1.15", "rate = 0.3000")
    assert read(text).rows[0].charge.params.slabs[0].value == Decimal("0.3") * 10_000

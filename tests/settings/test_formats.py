"""Dates, times and months as people in Chhattisgarh read them, in both languages."""

from datetime import UTC, date, datetime, time

import pytest
from django.utils import formats, translation

from bahal.shared.text import LANGUAGES, Language, day, day_in_words, grouped, instant, language_of


@pytest.mark.parametrize("language", LANGUAGES)
def test_django_writes_dates_as_we_do(language: Language) -> None:
    with translation.override(language):
        for month in range(1, 13):
            at = date(2025, month, 24)
            assert formats.date_format(at) == day_in_words(at, language)
            assert formats.date_format(at, "SHORT_DATE_FORMAT") == day(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_midnight_is_not_noon(language: Language) -> None:
    with translation.override(language):
        assert formats.time_format(time(0, 50)) == "00:50"
        assert formats.time_format(time(12, 50)) == "12:50"


def test_the_days_of_the_week_are_spelt_right() -> None:
    with translation.override("hi"):
        week = [formats.date_format(date(2025, 11, 24 + n), "l") for n in range(7)]
    assert week == ["सोमवार", "मंगलवार", "बुधवार", "गुरुवार", "शुक्रवार", "शनिवार", "रविवार"]


def test_instants_are_in_indian_time() -> None:
    assert instant(datetime(2025, 11, 24, 4, 30, tzinfo=UTC)) == "24-11-2025 10:00:00"
    with pytest.raises(ValueError, match="without a zone"):
        instant(datetime(2025, 11, 24, 4, 30))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("number", "written"), [(0, "0"), (999, "999"), (1000, "1,000"), (-100000, "-1,00,000"), (12345678, "1,23,45,678")]
)
def test_figures_are_grouped_as_in_india(number: int, written: str) -> None:
    assert grouped(number) == written


@pytest.mark.parametrize(("chosen", "language"), [("en_IN", "en"), ("hi", "hi"), ("", "hi"), ("fr", "hi")])
def test_hindi_unless_english_is_chosen(chosen: str, language: str) -> None:
    assert language_of({"BAHAL_LANG": chosen}) == language

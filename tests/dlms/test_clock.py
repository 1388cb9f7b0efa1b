"""The 12-byte date-time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import clock
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

IST = timezone(timedelta(hours=5, minutes=30))
zones = st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_indian_time_is_330_minutes_east_and_so_negative() -> None:
    raw = clock.encode(datetime(2025, 11, 24, 10, 0, tzinfo=IST))
    assert raw.hex() == "07e90b18010a000000feb600"
    assert clock.decode(raw, zone=UTC) == datetime(2025, 11, 24, 4, 30, tzinfo=UTC)


@given(moment=st.datetimes(timezones=zones), zone=zones)
def test_there_and_back_to_the_hundredth(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    back = clock.decode(clock.encode(moment), zone=zone)
    assert back == moment
    assert back.utcoffset() == moment.utcoffset()


def test_an_unspecified_deviation_takes_the_given_zone() -> None:
    raw = bytes.fromhex("07e90b18ff0a00ffff800000")
    assert clock.decode(raw, zone=IST) == datetime(2025, 11, 24, 10, 0, tzinfo=IST)


def test_the_status_byte_is_kept() -> None:
    raw = clock.encode(datetime(2025, 11, 24, tzinfo=IST), status=clock.STATUS_DOUBTFUL)
    assert clock.status_of(raw) == clock.STATUS_DOUBTFUL
    with pytest.raises(MalformedApdu):
        clock.status_of(b"\x00")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "07e90b18010a000000feb6",
        "ffff0b18010a000000feb600",
        "07e9ff18010a000000feb600",
        "07e9021e010a000000feb600",
        "07e90b1801ff000000feb600",
        "07e90b18010a00000005a000",
    ],
)
def test_no_moment_is_malformed(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        clock.decode(bytes.fromhex(raw), zone=IST)


@given(raw=st.binary(min_size=12, max_size=12))
def test_any_twelve_bytes_are_a_moment_or_malformed(raw: bytes) -> None:
    try:
        moment = clock.decode(raw, zone=IST)
    except MalformedApdu:
        return
    assert moment.utcoffset() is not None


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueOutOfRange):
        clock.encode(datetime(2025, 11, 24))  # noqa: DTZ001 (the point of this test)
    with pytest.raises(ValueOutOfRange):
        clock.encode(datetime(2025, 11, 24, tzinfo=timezone(timedelta(seconds=61))))

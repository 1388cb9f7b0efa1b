"""The days before the Monday, lived in a rehearsal that stays: reminders that arrive on three days, then morning."""

import time
from datetime import date, datetime, timedelta

from bahal.foundation.rows import one
from bahal.journeys.send_reminders import send_reminders
from bahal.shared.clock import Clock, move_rehearsal
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home
from bahal.shared.text import INDIA

REMINDER_DAYS = 3
MORNING = (9, 45)
STALL_S = 120.0
POLL_S = 0.2


class RemindersStalled(Refusal):
    """The reminders of a day stopped arriving."""

    code = "reminders_stalled"
    exit_code = ENVIRONMENT
    hi = "{day} के {waiting} स्मरण {seconds} सेकंड से नहीं पहुँचे।"
    en = "{waiting} reminders of {day} have not arrived for {seconds} seconds."


def live_until_morning(*, home: Home, monday: date, clock: Clock) -> None:
    """Live the three days before a Monday and stop before its drive, a quarter to ten in India.

    :raises RemindersStalled: reminders stopped arriving.
    """
    for before in range(REMINDER_DAYS, 0, -1):
        day = monday - timedelta(days=before)
        _move(home, day, 11, 0)
        send_reminders(business_day=day, at=clock.wall(), business_at=clock.now(), actor="ee")
        _arrived(day)
    _move(home, monday, *MORNING)


def _arrived(day: date) -> None:
    waiting, since = -1, time.monotonic()
    while True:
        row = one(
            "SELECT count(*) FROM notices_message WHERE kind = 'reminder' AND business_on = %s"
            " AND delivery IN ('queued', 'sent')",
            day,
        )
        assert row is not None
        if row[0] == 0:
            return
        if row[0] != waiting:
            waiting, since = row[0], time.monotonic()
        elif time.monotonic() - since > STALL_S:
            raise RemindersStalled(day=day, waiting=waiting, seconds=round(STALL_S))
        time.sleep(POLL_S)


def _move(home: Home, day: date, hour: int, minute: int) -> None:
    move_rehearsal(
        home.run / "clock.json", business_at=datetime(day.year, day.month, day.day, hour, minute, tzinfo=INDIA)
    )

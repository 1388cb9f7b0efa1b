"""The first page of the account: due and why, light and its clock, what the consumer was told, and the way to pay."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from bahal.edges.clock import clock
from bahal.edges.portal.page import Seen, account_page, shown
from bahal.journeys.show_account import Clock, show_account
from bahal.shared.money import rupees
from bahal.shared.text import day, instant
from bahal.shared.words import word

REFRESH_S = 5
_ENDS = timedelta(minutes=10)
"""So long after a payment the page may be asked to look again by itself."""


@require_safe
def first(request: HttpRequest) -> HttpResponse:
    """To the first connection that the session opens."""
    return account_page(lambda _request, seen: HttpResponseRedirect(f"{seen.root}/", status=HTTPStatus.SEE_OTHER))(
        request
    )


def home(request: HttpRequest, seen: Seen) -> HttpResponse:
    """The account at a glance."""
    at = clock()
    account = show_account(connection=seen.visit.connection, at=at.wall(), business_at=at.now())
    hi = seen.language == "hi"
    waiting = account.clock is not None and account.clock.lit_at is None
    fresh = account.clock is not None and at.wall() - account.clock.paid_at < _ENDS
    # Only for who asked for it: a page that changes by itself is taken from under who reads it aloud.
    watched = "watch" in request.GET and waiting and fresh
    context = {
        "here": "home",
        "refresh": REFRESH_S if watched else None,
        "watch": waiting and fresh and not watched,
        "watched": watched,
        "name": (account.name_hi or account.name) if hi else account.name,
        "meter": account.meter,
        "due": rupees(account.due_paise),
        "owes": account.due_paise > 0,
        "owed": [
            {
                "title": seen.say(f"account_{each.account}") if each.bill is None else each.bill,
                "bill": each.bill,
                "paise": rupees(each.paise),
                "days": seen.say("issued_and_due").format(issued=day(each.issued_on), due=day(each.due_on))
                if each.issued_on and each.due_on
                else "",
                "reason": word("reasons of a bill", each.reason, seen.language) if each.reason else "",
            }
            for each in account.owed
        ],
        "advance": rupees(account.advance_paise) if account.advance_paise > 0 else "",
        "protest": rupees(account.protest_paise) if account.protest_paise > 0 else "",
        "pending": rupees(account.pending_paise) if account.pending_paise else "",
        "cut_over": seen.say("cut_over").format(
            paise=rupees(account.enforceable_paise), minimum=rupees(account.minimum_paise)
        ),
        "supply": seen.say(f"supply_{account.supply}"),
        "supply_code": account.supply,
        "clock": None if account.clock is None else _clock(account.clock, at.wall(), seen),
        "messages": [
            {
                "kind": word("message kinds", each.kind, seen.language),
                "channel": seen.say(f"channel_{each.channel}"),
                "text": each.text,
                "day": day(each.business_on),
                "delivery": word("deliveries", each.delivery, seen.language),
            }
            for each in account.messages
        ],
        "pay": reverse("pay", args=[account.pay_token]),
        "others": [each for each in seen.visit.connections if each != account.connection],
    }
    return shown(request, "home", seen.language, context, seen=seen)


def _clock(told: Clock, now: datetime, seen: Seen) -> dict[str, str]:
    """The clock in words: when it began, and how long it took or has taken."""
    seconds = ((told.lit_at or now) - told.paid_at).total_seconds()
    minutes, rest = divmod(max(0, round(seconds)), 60)
    time = (
        seen.say("seconds").format(seconds=rest)
        if not minutes
        else seen.say("minutes").format(minutes=minutes, seconds=rest)
    )
    return {
        "receipt": told.receipt,
        "paid": instant(told.paid_at.astimezone(UTC)),
        "lit": "" if told.lit_at is None else instant(told.lit_at),
        "said": seen.say("clock_lit" if told.lit_at else "clock_runs").format(time=time),
    }


show_home = account_page(home)

"""The worker's cashbook: what the gateway told is asked about and booked, polled for, and compared three ways.

It has a thread of its own: a gateway that is slow holds up no confirmation and no message.
"""

from collections.abc import Callable

from bahal.edges.clock import clock
from bahal.edges.gateway import GatewayNotSet, gateway
from bahal.gateways.bank.interface import Gateway
from bahal.journeys.decide_proposal import book_all_assigned
from bahal.journeys.hear_gateway import handle_events, poll_gateway
from bahal.journeys.reconcile import ask_about_unknown, close_what_agrees, look_for_unsettled

POLL_S = 0.1
"""How often events are looked for: somebody may sit in the dark while his payment waits."""
GATEWAY_EVERY_S = 10.0
RECONCILE_EVERY_S = 10.0


def duties() -> list[tuple[str, Callable[[], int], float]]:
    """Name, act and pause of each duty; without a gateway only the one that needs none."""
    found: list[tuple[str, Callable[[], int], float]] = [("assigned", _assigned, RECONCILE_EVERY_S)]
    try:
        here = gateway()
    except GatewayNotSet:
        return found
    return [
        ("gateway_events", lambda: handle_events(here, at=clock().wall(), business_at=clock().now()), 0.0),
        ("gateway_poll", lambda: poll_gateway(here, at=clock().wall(), business_at=clock().now()), GATEWAY_EVERY_S),
        ("reconcile", lambda: _reconcile(here), RECONCILE_EVERY_S),
        *found,
    ]


def _assigned() -> int:
    return book_all_assigned(business_at=clock().now())


def _reconcile(here: Gateway) -> int:
    at, business_at = clock().wall(), clock().now()
    done = ask_about_unknown(here, at=at, business_at=business_at)
    done += look_for_unsettled(at=at, business_at=business_at)
    return done + close_what_agrees(at=at, business_at=business_at)

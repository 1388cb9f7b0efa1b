"""Three ways: what our receipts, the gateway and the bank say of one payment, and where they differ. Pure.

Every difference has a reason by name, and none is put right by itself: it is a queue for people, or closed when a later
event, poll or file makes the three agree.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Stands(NamedTuple):
    """What each says of a payment, in paise; None says nothing. `bank` has an amount for each line of a file."""

    ours: int | None
    gateway: int | None
    bank: tuple[int, ...]


class Found(NamedTuple):
    """A difference: its reason, the gateway's payment, and the three amounts."""

    kind: str
    reference: str
    ours: int | None
    gateway: int | None
    bank: int | None


def differences(stands: Mapping[str, Stands], *, settled: bool) -> list[Found]:
    """Where the three differ, by payment. `settled`: the bank should have settled all of these by now.

    - `settled_twice`: the bank named it more than once
    - `unknown_settled`: only the bank knows it
    - `not_posted`: the gateway captured it and we have no receipt, nor is it in suspense
    - `not_at_gateway`: we have a receipt and the gateway does not know it as captured
    - `amount_gateway`, `amount_settled`: an amount is not the receipt's
    - `not_settled`: the bank has not named it
    """
    return [
        Found(kind, payment, each.ours, each.gateway, sum(each.bank) if each.bank else None)
        for payment, each in sorted(stands.items())
        for kind in _reasons(each, settled=settled)
    ]


def _reasons(stands: Stands, *, settled: bool) -> Iterator[str]:
    ours, gateway, bank = stands
    if len(bank) > 1:
        yield "settled_twice"
    if ours is None and gateway is None:
        if bank:
            yield "unknown_settled"
        return
    if ours is None:
        yield "not_posted"
    elif gateway is None:
        yield "not_at_gateway"
    elif ours != gateway:
        yield "amount_gateway"
    if bank and bank[0] != (gateway if ours is None else ours):
        yield "amount_settled"
    if settled and not bank:
        yield "not_settled"

"""Pushes: a DataNotification under general-glo-ciphering, which names its sender (Green Book 9.3.10 and 9.2.7.2).

There is no association behind a push.  Look at :func:`sender_of` first, fetch that meter's keys and last counter, then
open it.
"""

from __future__ import annotations

from typing import NamedTuple

from bahal.dlms import apdu, security
from bahal.dlms.errors import ReplayedCounter
from bahal.dlms.security import Cipher


class Opened(NamedTuple):
    """An opened push: the meter's system title, its invocation counter (the new last one), and what it says."""

    title: bytes
    counter: int
    notification: apdu.DataNotification


def seal_notification(
    *,
    cipher: Cipher,
    system_title: bytes,
    counter: int,
    body: bytes,
    clock: bytes = b"",
    invoke: int = 0,
    security_control: int = security.AUTHENTICATED_ENCRYPTED,
) -> bytes:
    """A ciphered DataNotification APDU (tag 0xDB) with ``body`` as raw A-XDR and ``clock`` of 12 bytes or none."""
    plain = apdu.data_notification(invoke, clock, body)
    content = cipher.seal(security_control, system_title, counter, plain)
    return security.wrap_general(security.GENERAL_GLO, system_title, content)


def sender_of(notification: bytes) -> bytes:
    """The 8-byte system title that a ciphered push claims; nothing is proved yet.

    :raises UnexpectedApdu: no general ciphering.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    return security.unwrap_general(notification)[0]


def open_notification(
    notification: bytes,
    cipher: Cipher,
    last_counter: int,
    *,
    security_control: int = security.AUTHENTICATED_ENCRYPTED,
) -> Opened:
    """Check and open a ciphered DataNotification; ``last_counter`` is the highest seen from this meter, -1 for none.

    ``security_control`` is the least protection accepted; under 0x20 neither sender nor counter is proved.

    :raises UnexpectedApdu: no general ciphering, or no DataNotification inside.
    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises WeakProtection: less protection than required.
    :raises BadTag: wrong key or altered bytes.
    :raises ReplayedCounter: the counter did not rise.
    """
    title, content = security.unwrap_general(notification)
    counter, plain = cipher.open(security_control, title, content)
    if counter <= last_counter:
        raise ReplayedCounter(last_counter, counter)
    return Opened(title, counter, apdu.parse_data_notification(plain))

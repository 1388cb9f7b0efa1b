"""How one end of an association protects what it sends and checks what it receives."""

from __future__ import annotations

import struct
from typing import Final

from bahal.dlms import security
from bahal.dlms.association.states import State
from bahal.dlms.errors import (
    CounterExhausted,
    MalformedApdu,
    ReplayedCounter,
    UnexpectedApdu,
    ValueOutOfRange,
    WrongSystemTitle,
)
from bahal.dlms.framing import Framing
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import LENGTH_LIMIT

OVERHEAD: Final = 32
"""Bytes that ciphering adds at most: tag, length of up to 5, title, security control, counter, authentication tag."""


_HEAD = struct.Struct(">6sHBB")
_SIZE = struct.Struct(">6sH")


class Protected:
    """The client's counters, titles and keys for one association; base of :class:`ClientAssociation`.

    Each invocation counter of the reserved range ``[counter, counter_end)`` is used at most once, whatever fails after.
    """

    __slots__ = (
        "_address",
        "_cipher",
        "_client_sap",
        "_counter_end",
        "_counter_start",
        "_dedicated",
        "_framing",
        "_general_ciphering",
        "_security_control",
        "_server_sap",
        "_title",
        "counter",
        "meter_counter",
        "meter_title",
        "state",
    )

    def __init__(
        self,
        *,
        client_sap: int,
        server_sap: int,
        security_control: int,
        system_title: bytes,
        meter_title: bytes | None,
        cipher: Cipher | None,
        dedicated_key: bytes,
        counter: int,
        counter_end: int,
        last_meter_counter: int,
        general_ciphering: bool,
        framing: Framing,
    ) -> None:
        """:raises ValueOutOfRange: settings that contradict each other."""
        if security_control not in (0, 0x10, 0x20, 0x30):
            raise ValueOutOfRange("security control", security_control)
        if security_control and (cipher is None or len(system_title) != security.TITLE_LENGTH):
            raise ValueOutOfRange("ciphered association", "cipher and 8-byte system title")
        if dedicated_key and not security_control:
            raise ValueOutOfRange("dedicated key", "needs a ciphered association")
        if not 0 <= counter <= counter_end <= security.COUNTER_LIMIT:
            raise ValueOutOfRange("invocation counters", (counter, counter_end))
        if meter_title is not None and len(meter_title) != security.TITLE_LENGTH:
            raise ValueOutOfRange("system title", meter_title)
        self.state = State.IDLE
        self.counter = counter
        self.meter_counter = last_meter_counter
        self.meter_title = meter_title
        self._client_sap = client_sap
        self._server_sap = server_sap
        self._framing = framing
        self._address = framing.address(client_sap, server_sap)
        self._cipher = cipher
        self._counter_start = counter
        self._counter_end = counter_end
        self._dedicated = cipher.with_key(dedicated_key) if cipher is not None and dedicated_key else None
        self._general_ciphering = general_ciphering
        self._security_control = security_control
        self._title = system_title

    @property
    def counters_used(self) -> int:
        """How many invocation counters of the reserved range are spent."""
        return self.counter - self._counter_start

    def _next_counter(self) -> int:
        counter = self.counter
        if counter >= self._counter_end:
            raise CounterExhausted(self._counter_end)
        self.counter = counter + 1
        return counter

    def _framed(self, message: bytes) -> bytes:
        address = self._address
        if address and len(message) <= LENGTH_LIMIT:
            return _SIZE.pack(address, len(message)) + message
        return self._framing.send(self._client_sap, self._server_sap, message)

    def _ciphered_frame(self, plain: bytes, dedicated: Cipher | None) -> bytes:
        """The framed APDU, protected as :meth:`_ciphered` does it."""
        cipher = dedicated or self._cipher
        control = self._security_control
        if not control or cipher is None or self._general_ciphering or not self._address:
            return self._framed(self._ciphered(plain, dedicated))
        content = cipher.seal(control, self._title, self._next_counter(), plain)
        tag = security.GLO[plain[0]] if dedicated is None else security.DED[plain[0]]
        size = len(content)
        if size < 0x80:
            # Nearly every request is short and goes so.
            return _HEAD.pack(self._address, size + 2, tag, size) + content
        return self._framed(security.wrap(tag, content))

    def _ciphered(self, plain: bytes, dedicated: Cipher | None) -> bytes:
        """The APDU to send, under the dedicated key if one is given, else the global one, else plain."""
        cipher = dedicated or self._cipher
        if not self._security_control or cipher is None:
            return plain
        content = cipher.seal(self._security_control, self._title, self._next_counter(), plain)
        if self._general_ciphering:
            tag = security.GENERAL_GLO if dedicated is None else security.GENERAL_DED
            return security.wrap_general(tag, self._title, content)
        return security.wrap(security.GLO[plain[0]] if dedicated is None else security.DED[plain[0]], content)

    def _deciphered(self, frame: bytes) -> bytes:
        """The plaintext of a ciphered APDU, checked for protection, tag, counter and kind."""
        tag = frame[0]
        cipher = self._cipher
        title = self.meter_title
        inner = security.PLAIN_OF_GLO.get(tag)
        if inner is None:
            if tag in (security.GENERAL_GLO, security.GENERAL_DED):
                sender, content = security.unwrap_general(frame)
                if sender != title:
                    raise WrongSystemTitle(title or b"", sender)
                if tag == security.GENERAL_DED:
                    cipher = self._dedicated
            else:
                inner = security.PLAIN_OF_DED.get(tag)
                cipher = self._dedicated
                content = security.unwrap(frame) if inner is not None else b""
        elif len(frame) > 2 and frame[1] == len(frame) - 2 and frame[1] < 0x80:
            content = frame[2:]
        else:
            content = security.unwrap(frame)
        if cipher is None or title is None or not content:
            raise UnexpectedApdu(tag, self.state.name.lower())
        counter, plain = cipher.open(self._security_control, title, content)
        if counter <= self.meter_counter:
            raise ReplayedCounter(self.meter_counter, counter)
        self.meter_counter = counter
        if not plain or (inner is not None and plain[0] != inner):
            raise MalformedApdu("ciphered APDU holds another kind than its tag says")
        return plain

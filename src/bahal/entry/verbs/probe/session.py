"""One association over one connection: read, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Notification, Opened, Refused
from bahal.dlms.association.protected import OVERHEAD
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    DlmsError,
    HlsFailed,
    LinkLost,
    LinkRefused,
    LocalError,
    ServiceException,
    StateError,
)
from bahal.dlms.framing import Framing, WrapperFraming
from bahal.dlms.hdlc import HdlcClient
from bahal.dlms.objects.classes import DATA
from bahal.dlms.objects.model import obis_text
from bahal.dlms.security import Cipher
from bahal.entry.verbs.probe.counters import Reserved, held
from bahal.entry.verbs.probe.file import MeterFile
from bahal.entry.verbs.probe.guard import Opener, ReadOnlyFraming
from bahal.entry.verbs.probe.refusals import (
    CannotAsk,
    CounterUnknown,
    MeterMisspoke,
    MeterRefusesRead,
    MeterRefusesUs,
    MeterSilent,
)
from bahal.entry.verbs.probe.trace import RESULTS, Trace
from bahal.shared.errors import Refusal

FAREWELL_S = 2.0
_LONGEST_AARE = 512
_SERVICE_ERRORS = {5: "it cannot decipher the request", 6: "it does not accept the invocation counter"}


class Session:
    """An open association. `get` is all it can."""

    def __init__(
        self,
        address: tuple[str, int],
        file: MeterFile,
        wire: socket.socket,
        reserved: Reserved | None,
        trace: Trace | None,
    ) -> None:
        self._host = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        self._wire = wire
        self._timeout = wire.gettimeout() or 0.0
        dedicated_key = os.urandom(16) if file.dedicated else b""
        cipher = Cipher(file.ek, file.ak) if file.ciphered else None
        inner: Framing = (
            HdlcClient(physical=file.physical, address_size=file.address_size)
            if file.hdlc
            else WrapperFraming(max(file.max_pdu, _LONGEST_AARE) + OVERHEAD)
        )
        self._gate = ReadOnlyFraming(
            inner,
            Opener(file.security, cipher, dedicated_key),
            file.title,
            hls=file.mechanism >= 2,
            seen=None if trace is None else trace.seen,
        )
        self._client = ClientAssociation(
            client_sap=file.client,
            server_sap=file.server,
            mechanism=file.mechanism,
            security_control=file.security,
            system_title=file.title if file.ciphered else b"",
            meter_title=file.meter_title,
            cipher=cipher,
            secret=file.secret,
            counter=0 if reserved is None else reserved.first,
            counter_end=0 if reserved is None else reserved.end,
            max_pdu=file.max_pdu,
            quirks=file.quirks,
            dedicated_key=dedicated_key,
            framing=self._gate,
        )
        self._reserved = reserved
        self.meter_title = b""

    def get(self, class_id: int, ln: bytes, attribute: int, selection: bytes | None = None) -> bytes:
        """An attribute as raw A-XDR.

        :raises MeterRefusesRead: the meter does not give it.
        """
        event = self._say(lambda: self._client.get(class_id, ln, attribute, selection))
        if isinstance(event, Refused):
            raise MeterRefusesRead(
                what=f"{class_id} {obis_text(ln)} {attribute}",
                result=event.result,
                name=RESULTS.get(event.result, "unknown"),
            )
        assert isinstance(event, Got)
        return event.data

    def open(self) -> None:
        """Associate."""
        event = self._say(self._client.open)
        assert isinstance(event, Opened)
        self.meter_title = event.meter_title

    def release(self) -> None:
        """Say farewell; best effort."""
        with contextlib.suppress(DlmsError, OSError, Refusal):
            self._timeout = min(self._timeout, FAREWELL_S)
            out = self._client.release()
            if out:
                self._exchange(out)

    def _say(self, request: Any) -> Event:
        try:
            return self._exchange(request())
        finally:
            if self._reserved is not None:
                self._reserved.used = self._client.counter

    def _exchange(self, out: bytes) -> Event:
        heard = -1
        deadline = 0.0
        while True:
            if self._gate.heard != heard:
                # Only whole APDUs put the deadline off, not bytes that drip in.
                heard = self._gate.heard
                deadline = time.monotonic() + self._timeout
            if out:
                self._wire.sendall(out)
            left = deadline - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                self._wire.settimeout(left)
                received = self._wire.recv(65536)
            except TimeoutError:
                out = self._client.repeat()
                if not out:
                    raise
                deadline = time.monotonic() + self._timeout
                continue
            if not received:
                raise ConnectionResetError("the meter closed the connection")
            events = [event for event in self._client.receive(received) if not isinstance(event, Notification)]
            out = self._client.outgoing()
            if events:
                if out:
                    self._wire.sendall(out)
                return events[-1]


@contextlib.contextmanager
def session(
    address: tuple[str, int], file: MeterFile, *, timeout: float, trace: Trace | None = None
) -> Iterator[Session]:
    """An open association with the meter at an address, released at the end.

    A ciphered one takes its invocation counters from the file's own counter file, not below what the meter itself tells
    the public client (unless the file names a counter).

    :raises MeterSilent: no connection, or no answer within `timeout` seconds.
    :raises MeterRefusesUs: the association is refused.
    :raises MeterMisspoke: the meter breaks the protocol, or is not the one it should be.
    :raises CannotAsk: the settings contradict each other.
    :raises Refusal: of `bahal.entry.verbs.probe.counters`.
    """
    if not file.ciphered:
        with _connected(address, file, None, timeout=timeout, trace=trace) as opened:
            yield opened
        return
    with held(file.counter_path) as counters:
        if file.counter is None:
            floor = counters.believe(_told_counter(address, file, timeout=timeout, trace=trace, known=counters.next))
        else:
            floor = file.counter
        with (
            counters.reserve(floor) as reserved,
            _connected(address, file, reserved, timeout=timeout, trace=trace) as opened,
        ):
            yield opened


def _told_counter(address: tuple[str, int], file: MeterFile, *, timeout: float, trace: Trace | None, known: int) -> int:
    """The last counter that the meter says it took from this client; what we know ourselves where it says none."""
    assert file.counter_object is not None
    try:
        with _connected(address, file.as_public(), None, timeout=timeout, trace=trace) as public:
            value = Got(public.get(DATA, file.counter_object, 2)).value
    except (MeterRefusesRead, MeterRefusesUs) as refused:
        if known:
            return known - 1
        raise CounterUnknown(why=refused.text("en")) from refused
    if type(value) is not int or value < 0:
        raise CounterUnknown(why=f"{obis_text(file.counter_object)} is no number")
    return value


@contextlib.contextmanager
def _connected(
    address: tuple[str, int], file: MeterFile, reserved: Reserved | None, *, timeout: float, trace: Trace | None
) -> Iterator[Session]:
    where = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    try:
        with socket.create_connection(address, timeout=timeout) as wire:
            made = Session(address, file, wire, reserved, trace)
            made.open()
            try:
                yield made
            finally:
                made.release()
                if reserved is not None:
                    reserved.used = made._client.counter
    except TimeoutError:
        raise MeterSilent(address=where, why=f"{timeout:g} s") from None
    except OSError as failure:
        raise MeterSilent(address=where, why=failure.strerror or str(failure)) from failure
    except DlmsError as wrong:
        raise _refusal(where, wrong) from wrong


def _refusal(address: str, wrong: DlmsError) -> Refusal:
    """What a protocol error means to the person at the bench."""
    if isinstance(wrong, LinkLost):
        return MeterSilent(address=address, why=str(wrong))
    if isinstance(wrong, ServiceException):
        why = _SERVICE_ERRORS.get(wrong.service_error, str(wrong))
        return MeterRefusesUs(address=address, name=wrong.name, why=why)
    if isinstance(wrong, AssociationRejected | HlsFailed | LinkRefused):
        return MeterRefusesUs(address=address, name=wrong.name, why=str(wrong))
    if isinstance(wrong, BadTag):
        return MeterRefusesUs(address=address, name=wrong.name, why=f"{wrong}; ek or ak is another than the meter's")
    if isinstance(wrong, LocalError) and not isinstance(wrong, StateError):
        return CannotAsk(name=wrong.name, why=str(wrong))
    return MeterMisspoke(address=address, name=wrong.name, why=str(wrong))

"""The client's end of an association: requests in, bytes out; bytes in, events out.

The caller owns the socket and the time limits.  It writes what the request methods return, passes whatever it reads to
:meth:`ClientAssociation.receive`, and then writes :meth:`ClientAssociation.outgoing`.

Security rules kept here (Green Book chapter 9, and what a trial taught):

* invocation counters come from a range reserved beforehand and are never used twice, whatever fails;
* the meter's own counter must rise, its system title must be the registered one, and in a ciphered association an
  answer with less protection than agreed ends it;
* an ExceptionResponse cannot be authenticated.  It raises, leaves the association usable, and an ACTION answered so is
  unknown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.association.asking import DATA_LIMIT, GENERAL_BLOCKS, Asking
from bahal.dlms.association.events import Event, Notification, Opened, Released
from bahal.dlms.association.protected import OVERHEAD
from bahal.dlms.association.states import State, Step, receiving, sending
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    DlmsError,
    HlsFailed,
    MalformedApdu,
    OversizedApdu,
    RemoteError,
    ServiceException,
    StateError,
    UnexpectedApdu,
    ValueOutOfRange,
    WrongSystemTitle,
)
from bahal.dlms.framing import Framing, WrapperFraming
from bahal.dlms.quirks import STANDARD, Quirks
from bahal.dlms.security import Cipher

CURRENT_ASSOCIATION: Final = bytes((0, 0, 40, 0, 0, 255))
_ASSOCIATION_CLASS: Final = 15
_REPLY_TO_HLS: Final = 1

_CHALLENGE_SIZES: Final = range(8, 65)
_SMALLEST_PDU: Final = 64
# The AARE is not bound by the size that is only being agreed on.
_LONGEST_AARE: Final = 512

# Members looked up once: the attribute of an enum class costs more than the rest of a transition.
_ASSOCIATING, _PROVING, _AWAITING, _RELEASING = (
    State.ASSOCIATING,
    State.HLS_PROVING,
    State.AWAITING,
    State.RELEASING,
)

_NOTIFICATIONS: Final = frozenset(
    (apdu.DATA_NOTIFICATION, apdu.EVENT_NOTIFICATION, 0xCA, 0xD2, security.GENERAL_GLO, security.GENERAL_DED)
)
_PLAIN_NOTIFICATIONS: Final = frozenset((apdu.DATA_NOTIFICATION, apdu.EVENT_NOTIFICATION))


class ClientAssociation(Asking):
    """One association with one meter, over one connection.

    :param client_sap: our wPort (16 public, 32 reading, 48 setting).
    :param mechanism: 0 none, 1 LLS, 2 HLS with AES-128, 5 HLS with GMAC.
    :param security_control: 0 plain, 0x10 authenticated, 0x20 encrypted, 0x30 both; the least accepted from the meter
        too.
    :param system_title: ours, 8 bytes.
    :param meter_title: the registered one, or None to learn it from the AARE.
    :param cipher: global keys, needed whenever ``security_control`` is not 0 or the mechanism is 5.
    :param secret: password of mechanism 1, AES key of mechanism 2.
    :param counter: first invocation counter of the reserved range.
    :param counter_end: first one beyond the range.
    :param max_pdu: longest APDU taken from the meter, 64 to 65,535 bytes before ciphering.
    :param last_meter_counter: highest authenticated counter seen from this meter, -1 for none.  Under 0x20 the counter
        is not authenticated: do not keep ``meter_counter`` of such an association.
    :param dedicated_key: 16 bytes to cipher services with ded-*; none by default.  HLS always uses the global key.
    :param random: source of the challenge, ``n -> n bytes``.
    :param framing: what carries the APDUs: the wrapper unless an ``HdlcClient`` is given, which then is this
        association's own.
    :raises ValueOutOfRange: settings that contradict each other.
    """

    __slots__ = (
        "_challenge",
        "_initiate",
        "_max_pdu",
        "_mechanism",
        "_meter_challenge",
        "_proposed",
        "_random",
        "_sap",
        "_secret",
    )

    def __init__(
        self,
        *,
        client_sap: int,
        server_sap: int = 1,
        mechanism: int,
        security_control: int,
        system_title: bytes = b"",
        meter_title: bytes | None = None,
        cipher: Cipher | None = None,
        secret: bytes = b"",
        counter: int = 0,
        counter_end: int = 0,
        challenge_length: int | None = None,
        max_pdu: int = 1024,
        last_meter_counter: int = -1,
        quirks: Quirks | None = None,
        dedicated_key: bytes = b"",
        random: Callable[[int], bytes] = os.urandom,
        framing: Framing | None = None,
    ) -> None:
        self._quirks = quirks or STANDARD
        if mechanism not in security.MECHANISMS:
            raise ValueOutOfRange("mechanism", mechanism)
        if mechanism == security.MECHANISM_HLS_GMAC and cipher is None:
            raise ValueOutOfRange("mechanism 5", "no cipher")
        if mechanism in security.WITH_TITLES and len(system_title) != security.TITLE_LENGTH:
            raise ValueOutOfRange(f"mechanism {mechanism}", "a system title that is not 8 bytes")
        if not _SMALLEST_PDU <= max_pdu <= 0xFFFF:
            raise ValueOutOfRange("largest APDU", max_pdu)
        size = self._quirks.challenge_length if challenge_length is None else challenge_length
        if size not in _CHALLENGE_SIZES:
            raise ValueOutOfRange("challenge length", size)
        super().__init__(
            client_sap=client_sap,
            server_sap=server_sap,
            security_control=security_control,
            system_title=system_title,
            meter_title=meter_title,
            cipher=cipher,
            dedicated_key=dedicated_key,
            counter=counter,
            counter_end=counter_end,
            last_meter_counter=last_meter_counter,
            general_ciphering=self._quirks.general_ciphering,
            framing=framing or WrapperFraming(max(max_pdu, _LONGEST_AARE) + OVERHEAD),
        )
        self._begin()
        self._sap = (server_sap, client_sap)
        self._mechanism = mechanism
        self._secret = secret
        self._random = random
        self._challenge = bytes(size)
        self._meter_challenge = b""
        self._max_pdu = max_pdu
        self._proposed = acse.CLIENT_CONFORMANCE | (GENERAL_BLOCKS if self._quirks.block_window else 0)
        self._initiate = acse.initiate_request(conformance=self._proposed, max_pdu=max_pdu, dedicated_key=dedicated_key)

    # --- opening and closing -----------------------------------------------------------------------------------------

    def open(self) -> bytes:
        """The AARQ to write.

        :raises StateError: the association is not idle.
        :raises CounterExhausted: no counter left.
        """
        after = sending(self.state, Step.AARQ)
        initiate = self._sealed_initiate()
        authentication = b""
        if self._mechanism == security.MECHANISM_LLS:
            authentication = self._secret
        elif self._mechanism:
            authentication = self._challenge = self._random(len(self._challenge))
        self.state = after
        self._outgoing = b""
        self._room = sys.maxsize
        self._window = 0
        self._forget_blocks()
        return self._framed(
            acse.aarq(
                context=acse.CONTEXT_CIPHERED if self._security_control else acse.CONTEXT_PLAIN,
                title=self._title if self._security_control or self._mechanism in security.WITH_TITLES else b"",
                mechanism=self._mechanism,
                authentication=authentication,
                initiate=initiate,
            )
        )

    def release(self) -> bytes:
        """The RLRQ to write; for a make that must not get one only what the link says at its end, or nothing: close the
        connection then, the association is closed.

        Best effort: whatever answers, the event is ``Released``.

        :raises StateError: nothing to release, or a request is not answered yet.
        """
        after = sending(self.state, Step.RLRQ)
        if not self._quirks.rlrq_allowed:
            self.state = State.CLOSED
            return self._framing.close()
        bare = not self._security_control or self._quirks.bare_release or self.counter >= self._counter_end
        initiate = b"" if bare else self._sealed_initiate()
        self.state = after
        return self._framed(acse.rlrq(initiate=initiate))

    def lost(self) -> None:
        """The connection is gone: the association is closed."""
        self.state = State.CLOSED

    def outgoing(self) -> bytes:
        """Bytes that the last :meth:`receive` made, to be written now; empty for none.  Given once."""
        out = self._framing.outgoing() + self._outgoing
        self._outgoing = b""
        return out

    def repeat(self) -> bytes:
        """What to write after the meter has been silent: the link repeats itself.  Empty over the wrapper.

        :raises LinkLost: it was repeated often enough; the association is closed.
        """
        try:
            return self._framing.repeat()
        except DlmsError:
            self.state = State.CLOSED
            raise

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come from the connection; HLS and further blocks are answered in :meth:`outgoing`.

        :raises ServiceException: an ExceptionResponse; the association stays open, or may be opened again if it was not
            yet.
        :raises AssociationRejected: the AARE refuses; it may be opened again.
        :raises HlsFailed: the meter refused our proof (may be opened again) or did not give its own (closed).
        :raises DlmsError: any other ends the association; close the connection.  Events of this call are lost with it.
        """
        if self.state is State.CLOSED:
            if not self._framing.closing:
                raise StateError("closed", "receive")
            self._framing.feed(data)
            return []
        events: list[Event] = []
        try:
            for source, destination, frame in self._framing.feed(data):
                event = self._take(source, destination, frame)
                if event is not None:
                    events.append(event)
        except (ServiceException, AssociationRejected):
            # The table has already said where these lead.
            raise
        except RemoteError as error:
            if self.state is _RELEASING:
                events.append(Released(clean=False))
                self.state = State.CLOSED
                return events
            if not isinstance(error, HlsFailed) or self.state is not State.IDLE:
                self.state = State.CLOSED
            raise
        except DlmsError:
            self.state = State.CLOSED
            raise
        if self._transfer is not None and not self._outgoing:
            self._outgoing = self._framing.poll()
        return events

    # --- sending -----------------------------------------------------------------------------------------------------

    def _sealed_initiate(self) -> bytes:
        if not self._security_control or self._cipher is None:
            return self._initiate
        content = self._cipher.seal(self._security_control, self._title, self._next_counter(), self._initiate)
        return security.wrap(0x21, content)

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _take(self, source: int, destination: int, frame: bytes) -> Event | None:
        tag = frame[0]
        if (source, destination) != self._sap:
            if tag not in _NOTIFICATIONS:
                raise UnexpectedApdu(tag, f"wPorts {source} to {destination}")
            return Notification(source, destination, frame, protected=False)
        if tag in _PLAIN_NOTIFICATIONS:
            return Notification(source, destination, frame, protected=False)
        state = self.state
        if state is _RELEASING:
            return self._take_rlre(frame)
        if tag == apdu.EXCEPTION_RESPONSE:
            self._raise_exception(frame)
        if state is _ASSOCIATING:
            return self._take_aare(frame)
        limit = self._max_pdu
        if tag == apdu.GENERAL_BLOCK_TRANSFER:
            whole = self._take_general(frame)
            if whole is None:
                return None
            frame, limit = whole, DATA_LIMIT
        plain = self._deciphered(frame) if self._security_control else frame
        if len(plain) > limit:
            raise OversizedApdu(len(plain), limit)
        if state is _AWAITING:
            if plain[0] == self._expected:
                return self._take_answer(plain)
        elif state is _PROVING and plain[0] == apdu.ACTION_RESPONSE:
            return self._take_proof(plain)
        if plain[0] in _PLAIN_NOTIFICATIONS:
            return Notification(source, destination, plain, protected=True)
        if plain[0] == apdu.EXCEPTION_RESPONSE:
            self._raise_exception(plain)
        raise UnexpectedApdu(plain[0], state.name.lower())

    def _raise_exception(self, frame: bytes) -> None:
        state_error, service_error, counter = apdu.parse_exception(frame)
        self.state = receiving(self.state, Step.EXCEPTION, frame[0])
        self._forget_blocks()
        raise ServiceException(state_error, service_error, counter)

    def _take_aare(self, frame: bytes) -> Event | None:
        reply = acse.parse_aare(frame)
        if reply.result != acse.ACCEPTED:
            self.state = receiving(self.state, Step.AARE_REJECTED, frame[0])
            raise AssociationRejected(reply.result, reply.diagnostic)
        if reply.title:
            if self.meter_title is None:
                if len(reply.title) != security.TITLE_LENGTH:
                    raise MalformedApdu("system title is not 8 bytes")
                self.meter_title = reply.title
            elif reply.title != self.meter_title:
                raise WrongSystemTitle(self.meter_title, reply.title)
        initiate = reply.initiate
        if self._security_control:
            if self.meter_title is None or not initiate:
                raise MalformedApdu("AARE without system title or InitiateResponse")
            initiate = self._deciphered(initiate)
        try:
            response = acse.parse_initiate_response(initiate)
        except AssociationRejected:
            self.state = receiving(self.state, Step.AARE_REJECTED, frame[0])
            raise
        self._agree(response)
        if self._mechanism < security.MECHANISM_HLS_AES:
            if reply.diagnostic == acse.DIAGNOSTIC_AUTHENTICATION_REQUIRED:
                self.state = receiving(self.state, Step.AARE_REJECTED, frame[0])
                raise AssociationRejected(reply.result, reply.diagnostic)
            self.state = receiving(self.state, Step.AARE_ACCEPTED, frame[0])
            return self._opened()
        self.state = receiving(self.state, Step.AARE_CHALLENGE, frame[0])
        self._prove(reply.authentication)
        return None

    def _agree(self, response: acse.InitiateResponse) -> None:
        """What the meter answers to our proposal; more than was proposed does not count."""
        self._conformance = response.conformance & self._proposed
        if self._conformance & GENERAL_BLOCKS:
            self._window = self._quirks.block_window
        self._max_request = response.max_pdu
        if response.max_pdu:
            self._room = security.room(response.max_pdu, self._security_control, self._general_ciphering)

    def _opened(self) -> Opened:
        return Opened(self._conformance, self._max_request, self.meter_title or b"")

    def _prove(self, challenge: bytes) -> None:
        """HLS pass 3: answer StoC, always under the global key."""
        if len(challenge) not in _CHALLENGE_SIZES:
            raise HlsFailed(f"challenge of {len(challenge)} bytes")
        if challenge == self._challenge:
            # A meter's challenge equal to ours would make us compute the very answer it owes us.
            raise HlsFailed("our own challenge came back")
        if self._mechanism == security.MECHANISM_HLS_GMAC and self._cipher is not None:
            proof = self._cipher.gmac_answer(self._title, self._next_counter(), challenge)
        else:
            self._meter_challenge = challenge
            proof = security.answer(
                self._mechanism,
                self._secret,
                own_title=self._title,
                other_title=self.meter_title or b"",
                asked=challenge,
                sent=self._challenge,
            )
        invoke = self._invoke = self._invoke + 1 & 0x0F
        plain = apdu.action_request(invoke, _ASSOCIATION_CLASS, CURRENT_ASSOCIATION, _REPLY_TO_HLS, axdr.octets(proof))
        if len(plain) > self._room:
            self._refuse_long(plain)
        self._outgoing = self._ciphered_frame(plain, None)
        self.state = sending(self.state, Step.HLS_PROOF)

    def _take_proof(self, plain: bytes) -> Event:
        """HLS pass 4: the meter's answer to CtoS."""
        self._check_invoke(plain)
        result, returned = apdu.parse_action_response(plain)
        if result != apdu.SUCCESS:
            self.state = receiving(self.state, Step.HLS_REFUSED, plain[0])
            raise HlsFailed(f"our proof was refused: {result}")
        if not isinstance(returned, bytes) or returned[:1] != b"\x09" or len(returned) < 2:
            raise HlsFailed("no proof returned")
        proof = returned[2:]
        if returned[1] != len(proof):
            raise HlsFailed("no proof returned")
        try:
            if self._mechanism != security.MECHANISM_HLS_GMAC:
                security.check_answer(
                    self._mechanism,
                    self._secret,
                    proof,
                    own_title=self.meter_title or b"",
                    other_title=self._title,
                    asked=self._challenge,
                    sent=self._meter_challenge,
                )
            elif self._cipher is not None and self.meter_title is not None:
                self._cipher.check_gmac(self.meter_title, self._challenge, proof)
            else:
                raise HlsFailed("no system title to check the proof with")
        except BadTag:
            raise HlsFailed("the meter's proof is wrong") from None
        self.state = receiving(self.state, Step.HLS_PROVED, plain[0])
        return self._opened()

    def _take_rlre(self, frame: bytes) -> Released:
        """Release is best effort: any APDU ends it, only a well-formed RLRE of reason normal ends it cleanly."""
        self.state = State.CLOSED
        self._outgoing = self._framing.close()
        try:
            return Released(clean=not acse.parse_release(frame, acse.RLRE).reason)
        except RemoteError:
            return Released(clean=False)

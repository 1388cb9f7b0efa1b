"""The meter's end of an association: bytes in, reply bytes out.

The caller owns the socket and the time limits. It passes whatever it reads to `ServerAssociation.receive` and writes
what that returns. A `DlmsError` ends the association: the caller writes `last_words`, if any, and closes.

What ends it: bytes that follow no encoding, too many of them, a wrong key, a counter that did not rise, less
protection than the client's association asks for. What is answered and goes on: a request before the association
(ExceptionResponse), a service not spoken here (ExceptionResponse), a refused AARQ or HLS proof (at most
`REFUSALS_AT_MOST` a connection).
"""

import os
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Final

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.association.answering import GENERAL_BLOCKS, REQUEST_LIMIT, Answering
from bahal.dlms.association.blocks import GeneralTransfer
from bahal.dlms.association.states import State, Step, receiving, sending
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    DlmsError,
    HlsFailed,
    MalformedApdu,
    ReplayedCounter,
    StateError,
    UnexpectedApdu,
    ValueOutOfRange,
    WeakProtection,
)
from bahal.dlms.framing import ServerFraming, WrapperFraming
from bahal.dlms.objects import classes
from bahal.dlms.objects.model import PUBLIC_SAP, READING_SAP, SETTING_SAP
from bahal.dlms.objects.serving import (
    CURRENT_ASSOCIATION,
    REPLY_TO_HLS,
    SERVER_CONFORMANCE,
    SERVER_MAX_PDU,
    SERVER_SAP,
    Answers,
    Device,
    Keys,
    mechanism_of,
)
from bahal.dlms.security import Cipher

REFUSALS_AT_MOST: Final = 3
_SHORTEST_CHALLENGE: Final = 8

# What ciphering adds to a plain APDU at most.
_OVERHEAD: Final = 32
_SMALLEST_PDU: Final = 64
# An AARQ is not bound by the size that is only being agreed on.
_LONGEST_AARQ: Final = 512

_WINDOW: Final = 8
"""Blocks of a general block transfer that are taken in a row."""

CONTROL: Final = {PUBLIC_SAP: 0, READING_SAP: security.ENCRYPTED, SETTING_SAP: security.AUTHENTICATED_ENCRYPTED}
"""The protection that each client's association asks for, as a security control byte."""

_HLS_TARGET: Final = classes.ASSOCIATION_LN.to_bytes(2, "big") + CURRENT_ASSOCIATION + bytes((REPLY_TO_HLS,))
# Looked up once: an attribute of a module or of an enum class costs more than the step it names.
_GLO, _PLAIN_OF_GLO = security.GLO, security.PLAIN_OF_GLO
_IDLE, _OPEN, _PENDING, _CLOSED = State.IDLE, State.OPEN, State.HLS_PENDING, State.CLOSED


class ServerAssociation(Answering):
    """One meter at the end of one connection; one association after another, one at a time.

    :param device: the meter, which may be shared by several connections.
    :param answers: its kind's object model.
    :param random: source of challenges, `n -> n bytes`.
    :param framing: what carries the APDUs: the wrapper unless an `HdlcServer` is given.
    :param max_pdu: longest APDU taken and sent, 64 to 65,535 bytes; a client may take less.
    :param controls: the least protection that each client's association asks for. Replies have that of their request.
    """

    __slots__ = ()

    def __init__(
        self,
        device: Device,
        *,
        answers: Answers,
        random: Callable[[int], bytes] = os.urandom,
        framing: ServerFraming | None = None,
        max_pdu: int = SERVER_MAX_PDU,
        controls: Mapping[int, int] = CONTROL,
    ) -> None:
        """:raises ValueOutOfRange: no such size of APDU."""
        if not _SMALLEST_PDU <= max_pdu <= 0xFFFF:
            raise ValueOutOfRange("largest APDU", max_pdu)
        self.state = _IDLE
        self.last_words = b""
        self.refusals: list[DlmsError] = []
        self._device = device
        self._answers = answers
        self._quirks = device.quirks
        self._title = device.system_title
        self._random = random
        self._framing = framing or WrapperFraming(max(max_pdu, _LONGEST_AARQ) + _OVERHEAD)
        self._max_pdu = max_pdu
        self._controls = controls
        self._sap = 0
        self._keys: Keys | None = None
        self._cipher: Cipher | None = None
        self._dedicated: Cipher | None = None
        self._forget()

    def receive(self, data: bytes) -> bytes:
        """Take bytes as they come; returns the framed replies, empty while no frame is complete.

        :raises DlmsError: the association has ended; write `last_words` and close the connection.
        """
        if self.state is _CLOSED:
            raise UnexpectedApdu(0, "closed")
        replies = b""
        framing = self._framing
        try:
            for source, destination, frame in framing.feed(data):
                if not frame:
                    self._unlink()
                    continue
                if destination != SERVER_SAP:
                    raise MalformedApdu(f"no logical device at wPort {destination}")
                if frame[0] == apdu.GENERAL_BLOCK_TRANSFER:
                    replies += self._take_general(source, frame)
                    continue
                reply = self._take(source, frame, self._max_pdu)
                if len(reply) > self._reply_limit and self._conformance & GENERAL_BLOCKS and frame[0] != acse.AARQ:
                    replies += self._send_general(source, reply)
                else:
                    replies += framing.send(SERVER_SAP, source, reply)
            replies += framing.outgoing()
        except DlmsError:
            self.state = State.CLOSED
            # Earlier frames of the same bytes were served; their replies are still owed.
            self.last_words = replies + self.last_words
            raise
        return replies

    def _take(self, source: int, frame: bytes, limit: int) -> bytes:
        """One APDU to its answer; a plain one may have `limit` bytes."""
        tag = frame[0]
        if tag == acse.AARQ:
            return self._associate(source, frame)
        if source != self._sap or self.state is _IDLE:
            return apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_OPERATION_NOT_POSSIBLE)
        if tag == acse.RLRQ:
            return self._release(frame)
        if not self._control:
            return self._serve(frame, frame, limit)
        cipher, answer_tags, content = self._cipher, _GLO, b""
        inner = _PLAIN_OF_GLO.get(tag)
        if inner is not None:
            # Nearly every request is short and comes so.
            content = frame[2:] if len(frame) > 2 and frame[1] == len(frame) - 2 < 0x80 else security.unwrap(frame)
        elif tag == security.GENERAL_GLO or tag == security.GENERAL_DED:
            title, content = security.unwrap_general(frame)
            if title != self._client_title:
                raise BadTag
            if tag == security.GENERAL_DED:
                cipher = self._dedicated
        else:
            inner = security.PLAIN_OF_DED.get(tag)
            if inner is None:
                raise WeakProtection(self._control, 0)
            cipher, answer_tags, content = self._dedicated, security.DED, security.unwrap(frame)
        if cipher is None:
            raise UnexpectedApdu(tag, "no dedicated key agreed")
        plain = self._opened(cipher, content)
        if not plain or (inner is not None and plain[0] != inner):
            raise MalformedApdu("ciphered APDU holds another kind than its tag says")
        if (inner is None) is not self._general_ciphering:
            self._limit_replies(self._reply_limit, general=inner is None)
        if self.state is _PENDING and self._quirks.dedicated_proof and self._dedicated is not None:
            cipher, answer_tags = self._dedicated, security.DED
        reply = self._serve(plain, frame, limit)
        if reply[0] == apdu.EXCEPTION_RESPONSE:
            return reply
        if not self._quirks.invoke_echoed:
            reply = reply[:2] + bytes((reply[2] & 0xF0 | reply[2] + 1 & 0x0F,)) + reply[3:]
        sealed = cipher.seal(self._reply_control, self._title, self._device.take_counter(self._sap), reply)
        if inner is None:
            return security.wrap_general(tag, self._title, sealed)
        if len(sealed) < 0x80:
            return bytes((answer_tags[reply[0]], len(sealed))) + sealed
        return security.wrap(answer_tags[reply[0]], sealed)

    def _take_general(self, source: int, frame: bytes) -> bytes:
        """A block of a general block transfer: of a request, or an acknowledgement of our blocks."""
        if source != self._sap or not self._conformance & GENERAL_BLOCKS:
            state = apdu.STATE_SERVICE_UNKNOWN if self.state is _OPEN else apdu.STATE_SERVICE_NOT_ALLOWED
            return self._framing.send(SERVER_SAP, source, apdu.exception_response(state, apdu.SERVICE_NOT_SUPPORTED))
        block = apdu.parse_general_block(frame)
        transfer = self._transfer
        if transfer is None or transfer.is_new(block):
            transfer = self._transfer = self._new_transfer(requested=False)
        whole, blocks = transfer.receive(block)
        if whole is None:
            return b"".join([self._framing.send(SERVER_SAP, source, each) for each in blocks])
        if not whole or whole[0] in (acse.AARQ, acse.RLRQ, apdu.GENERAL_BLOCK_TRANSFER):
            raise MalformedApdu("blocks of something else than a service")
        # Who asks in blocks is answered in blocks.
        return self._send_general(source, self._take(source, whole, REQUEST_LIMIT))

    def _new_transfer(self, *, requested: bool) -> GeneralTransfer:
        limit = REQUEST_LIMIT + _OVERHEAD
        return GeneralTransfer(window=_WINDOW, room=self._reply_limit, limit=limit, requested=requested)

    def _send_general(self, source: int, reply: bytes) -> bytes:
        transfer = self._transfer
        if transfer is None or transfer.answered:
            transfer = self._transfer = self._new_transfer(requested=True)
        return b"".join([self._framing.send(SERVER_SAP, source, each) for each in transfer.send(reply)])

    def notify(self, target: apdu.Target, value: bytes, clock: bytes = b"") -> bytes:
        """The bytes of an EventNotification within the association, protected as it asks for: `value` is raw A-XDR,
        `clock` 12 bytes or none.

        :raises StateError: no association is open.
        :raises RequestTooLong: over HDLC, longer than one frame.
        """
        if self.state is not _OPEN:
            raise StateError(self.state.name.lower(), "notify")
        message = apdu.event_notification(clock, target, value)
        if self._cipher is not None and self._control:
            counter = self._device.take_counter(self._sap)
            sealed = self._cipher.seal(self._control, self._title, counter, message)
            message = security.wrap(_GLO[apdu.EVENT_NOTIFICATION], sealed)
        return self._framing.notify(SERVER_SAP, self._sap, message)

    def _opened(self, cipher: Cipher, content: bytes) -> bytes:
        """The plaintext of a client's content; its counter must rise.

        :raises BadTag: and says so in `last_words`.
        :raises ReplayedCounter: and says so in `last_words`.
        """
        device, sap = self._device, self._sap
        try:
            counter, plain = cipher.open(self._control, self._client_title, content)
        except BadTag:
            self._say(apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_DECIPHERING_ERROR))
            raise
        floor = device.counter_floor(sap)
        if counter < floor:
            self._say(
                apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_INVOCATION_COUNTER_ERROR, floor)
            )
            raise ReplayedCounter(floor - 1, counter)
        device.raise_counter_floor(sap, counter + 1)
        self._counter = counter
        if content[0] != self._reply_control:
            self._reply_control = content[0]
            self._limit_replies(self._reply_limit, general=self._general_ciphering)
        return plain

    def _say(self, last: bytes) -> None:
        self.last_words = self._framing.send(SERVER_SAP, self._sap, last) + self._framing.outgoing()

    # --- opening and closing ------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Nothing of an earlier association remains."""
        self._control = self._reply_control = 0
        self._mechanism = 0
        self._counter = self._keys = self._cipher = self._dedicated = None
        self._client_title = self._client_challenge = self._challenge = b""
        self._conformance = 0
        self._transfer = None
        self._forget_transfers()
        self._limit_replies(self._max_pdu, general=False)

    def _unlink(self) -> None:
        """The link was connected anew or disconnected: what stood on it is gone."""
        self._forget()
        self.state = _IDLE

    def _associate(self, source: int, frame: bytes) -> bytes:
        """AARQ to AARE; within an association it ends that one first, as when a client was lost."""
        self._forget()
        self.state = receiving(_IDLE, Step.AARQ, frame[0])
        self._sap = source
        asked = acse.parse_aarq(frame)
        control = self._controls.get(source)
        keys = self._device.keys(source) if control is not None else None
        if control is None or keys is None:
            return self._reject(acse.CONTEXT_PLAIN, acse.DIAGNOSTIC_NO_REASON)
        context = acse.CONTEXT_CIPHERED if control else acse.CONTEXT_PLAIN
        if asked.context != context:
            return self._reject(context, acse.DIAGNOSTIC_CONTEXT_NOT_SUPPORTED)
        self._control, self._keys = control, keys
        self._mechanism = mechanism_of(source, self._quirks)
        if asked.mechanism != self._mechanism:
            missing = not asked.mechanism
            return self._reject(
                context, acse.DIAGNOSTIC_MECHANISM_REQUIRED if missing else acse.DIAGNOSTIC_MECHANISM_NOT_RECOGNISED
            )
        initiate = asked.initiate
        if control:
            if len(asked.title) != security.TITLE_LENGTH:
                return self._reject(context, acse.DIAGNOSTIC_TITLE_NOT_RECOGNISED)
            if initiate[0] != security.GLO[acse.INITIATE_REQUEST]:
                return self._reject(context, acse.DIAGNOSTIC_AUTHENTICATION_FAILED)
            self._client_title = asked.title
            self._cipher = Cipher(keys.encryption, keys.authentication)
            initiate = self._opened(self._cipher, security.unwrap(initiate))
        elif self._mechanism in security.WITH_TITLES:
            if len(asked.title) != security.TITLE_LENGTH:
                return self._reject(context, acse.DIAGNOSTIC_TITLE_NOT_RECOGNISED)
            self._client_title = asked.title
        agreed = acse.parse_initiate_request(initiate)
        if agreed.version < acse.DLMS_VERSION or 0 < agreed.max_pdu < _SMALLEST_PDU:
            return self._reject(context, acse.DIAGNOSTIC_NO_REASON)
        if self._mechanism == security.MECHANISM_LLS and not compare_digest(asked.authentication, keys.secret):
            return self._reject(context, acse.DIAGNOSTIC_AUTHENTICATION_FAILED)
        if agreed.dedicated_key:
            fits = len(agreed.dedicated_key) == security.KEY_LENGTH and agreed.dedicated_key != keys.encryption
            if self._cipher is None or not fits:
                return self._reject(context, acse.DIAGNOSTIC_NO_REASON)
            self._dedicated = self._cipher.with_key(agreed.dedicated_key)
        self._conformance = agreed.conformance & SERVER_CONFORMANCE
        self._limit_replies(min(agreed.max_pdu or self._max_pdu, self._max_pdu), general=False)
        return self._accept(context, asked)

    def _accept(self, context: int, asked: acse.Aarq) -> bytes:
        response = acse.initiate_response(conformance=self._conformance, max_pdu=self._max_pdu)
        if self._cipher is not None:
            sealed = self._cipher.seal(self._reply_control, self._title, self._device.take_counter(self._sap), response)
            response = security.wrap(security.GLO[acse.INITIATE_RESPONSE], sealed)
        titled = self._control or self._mechanism in security.WITH_TITLES
        title = self._title if titled else b""
        if self._mechanism < security.MECHANISM_HLS_AES:
            self.state = sending(self.state, Step.AARE_ACCEPTED)
            return acse.aare(
                context=context,
                result=acse.ACCEPTED,
                diagnostic=acse.DIAGNOSTIC_NULL,
                title=title,
                initiate=response,
            )
        self._client_challenge = asked.authentication
        self._challenge = self._random(self._quirks.challenge_length)
        fits = _SHORTEST_CHALLENGE <= len(self._client_challenge) <= self._quirks.challenge_limit
        if not fits or self._client_challenge == self._challenge:
            return self._reject(context, acse.DIAGNOSTIC_AUTHENTICATION_FAILED)
        self.state = sending(self.state, Step.AARE_CHALLENGE)
        return acse.aare(
            context=context,
            result=acse.ACCEPTED,
            diagnostic=acse.DIAGNOSTIC_AUTHENTICATION_REQUIRED,
            title=title,
            mechanism=self._mechanism,
            authentication=self._challenge,
            initiate=response,
        )

    def _reject(self, context: int, diagnostic: int) -> bytes:
        self.state = sending(self.state, Step.AARE_REJECTED)
        reply = acse.aare(context=context, result=acse.REJECTED_PERMANENT, diagnostic=diagnostic)
        self._refused(AssociationRejected(acse.REJECTED_PERMANENT, diagnostic), reply)
        return reply

    def _refused(self, error: DlmsError, reply: bytes) -> None:
        self._forget()
        self.refusals.append(error)
        if len(self.refusals) >= REFUSALS_AT_MOST:
            self._say(reply)
            raise error

    def _prove(self, plain: bytes) -> bytes:
        """HLS pass 3 to pass 4."""
        asked = apdu.parse_request(plain)
        self.state = receiving(self.state, Step.HLS_PROOF, plain[0])
        proof = axdr.decode(asked.parameter) if isinstance(asked, apdu.ActionRequest) and asked.parameter else None
        keys, cipher, device = self._keys, self._cipher, self._device
        if keys is None:
            raise UnexpectedApdu(plain[0], "association without keys")
        try:
            if not isinstance(proof, bytes):
                raise MalformedApdu("no proof")
            if self._mechanism == security.MECHANISM_HLS_GMAC and cipher is not None:
                counter = cipher.check_gmac(self._client_title, self._challenge, proof)
                device.raise_counter_floor(self._sap, max(counter + 1, device.counter_floor(self._sap)))
                answer = cipher.gmac_answer(self._title, device.take_counter(self._sap), self._client_challenge)
            else:
                theirs = {"own_title": self._client_title, "other_title": self._title}
                ours = {"own_title": self._title, "other_title": self._client_title}
                sent, received = self._challenge, self._client_challenge
                security.check_answer(self._mechanism, keys.secret, proof, asked=sent, sent=received, **theirs)
                answer = security.answer(self._mechanism, keys.secret, asked=received, sent=sent, **ours)
        except (BadTag, MalformedApdu):
            self.state = sending(self.state, Step.HLS_REFUSED)
            error = HlsFailed("the client's proof is wrong")
            # The refusal leaves ciphered like any reply, so the keys are forgotten by the next AARQ only.
            self.refusals.append(error)
            if len(self.refusals) >= REFUSALS_AT_MOST:
                raise error from None
            return apdu.action_response(asked.invoke, apdu.READ_WRITE_DENIED)
        self.state = sending(self.state, Step.HLS_PROVED)
        return apdu.action_response(asked.invoke, apdu.SUCCESS, axdr.octets(answer))

    def _release(self, frame: bytes) -> bytes:
        """RLRQ to RLRE; a new association may follow on the same connection."""
        if not self._quirks.rlrq_allowed:
            raise UnexpectedApdu(frame[0], "release upsets this make")
        if self._quirks.release_answer == "exception":
            return apdu.exception_response(apdu.STATE_SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)
        if self._quirks.release_answer == "malformed":
            return bytes((acse.RLRE,))
        asked = acse.parse_release(frame, acse.RLRQ)
        self.state = receiving(self.state, Step.RLRQ, frame[0])
        initiate = b""
        cipher = self._cipher
        if asked.initiate and cipher is not None and not self._quirks.bare_release:
            self._opened(cipher, security.unwrap(asked.initiate))
            response = acse.initiate_response(conformance=self._conformance, max_pdu=self._max_pdu)
            sealed = cipher.seal(self._reply_control, self._title, self._device.take_counter(self._sap), response)
            initiate = security.wrap(security.GLO[acse.INITIATE_RESPONSE], sealed)
        sending(self.state, Step.RLRE)
        self.state = _IDLE
        self._forget()
        return acse.rlre(initiate=initiate)

    # --- services -----------------------------------------------------------------------------------------------------

    def _serve(self, plain: bytes, frame: bytes, limit: int) -> bytes:
        """A plain request to a plain reply; `frame` is the APDU as it came."""
        state = self.state
        if state is not _OPEN:
            if state is _PENDING and plain[0] == apdu.ACTION_REQUEST and plain[3:12] == _HLS_TARGET:
                return self._prove(plain)
            if state is not State.BLOCKS:
                self.state = sending(state, Step.EXCEPTION)
                return apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_OPERATION_NOT_POSSIBLE)
        if len(plain) > limit:
            self.state = sending(receiving(state, Step.REQUEST, plain[0]), Step.EXCEPTION)
            return apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_PDU_TOO_LONG)
        return self._answer(plain, frame)

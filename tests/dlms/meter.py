"""A small meter for the codec's own tests: it knows the keys, answers what it is told to, and can be bent."""

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import HEADER_LENGTH, frame

ENCRYPTION_KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
CLIENT_TITLE = b"MMM\x00\x00\x00\x00\x01"
METER_TITLE = b"MMM\x00\x00\xbc\x61\x4e"
SECRET = b"sixteen byte key"
CHALLENGE = b"StoC-StoC-StoC-1"
CLIENT_SAP = 48


def cipher() -> Cipher:
    return Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY)


class Meter:
    """Answers framed requests with framed replies.

    `control` and `mechanism` as in the association; `block` cuts GET answers into blocks of that many bytes; `general`
    wraps in general ciphering; `reply` set to bytes is the next plain service answer instead of the meter's own.
    """

    def __init__(
        self,
        *,
        control: int = 0x30,
        mechanism: int = 5,
        keys: Cipher | None = None,
        title: bytes = METER_TITLE,
        counter: int = 0,
        block: int = 0,
        general: bool = False,
        max_pdu: int = 1024,
    ) -> None:
        self.control = control
        self.mechanism = mechanism
        self.keys = keys or cipher()
        self.title = title
        self.counter = counter
        self.block = block
        self.general = general
        self.max_pdu = max_pdu
        self.agreed = acse.CLIENT_CONFORMANCE
        self.challenge = CHALLENGE
        self.proof: bytes | None = None
        self.reply: bytes | None = None
        self.values: dict[tuple[int, bytes, int], bytes | int] = {}
        self.dedicated: Cipher | None = None
        self.client_counters: list[int] = []
        self.requests: list[apdu.Request] = []
        self._client_title = b""
        self._client_challenge = b""
        self._body = b""

    def seal(self, plain: bytes, keys: Cipher | None = None) -> bytes:
        """A service answer as this meter protects it; spends one of its counters."""
        if not self.control:
            return plain
        keys = keys or self.dedicated or self.keys
        content = keys.seal(self.control, self.title, self.counter, plain)
        self.counter += 1
        dedicated = keys is self.dedicated
        if self.general:
            return security.wrap_general(0xDC if dedicated else 0xDB, self.title, content)
        return security.wrap((security.DED if dedicated else security.GLO)[plain[0]], content)

    def _unseal(self, message: bytes) -> bytes:
        if not self.control:
            return message
        if message[0] in (security.GENERAL_GLO, security.GENERAL_DED):
            _, content = security.unwrap_general(message)
            keys = self.dedicated if message[0] == security.GENERAL_DED else self.keys
        else:
            content = security.unwrap(message)
            keys = self.dedicated if message[0] in security.PLAIN_OF_DED else self.keys
        assert keys is not None
        counter, plain = keys.open(self.control, self._client_title, content)
        self.client_counters.append(counter)
        return plain

    def answer(self, request: bytes) -> bytes:
        """The framed reply to one framed request."""
        return self.framed(self._reply(request[HEADER_LENGTH:]))

    @staticmethod
    def framed(message: bytes) -> bytes:
        return frame(1, CLIENT_SAP, message)

    def _reply(self, message: bytes) -> bytes:
        if message[0] == acse.AARQ:
            return self._associate(acse.parse_aarq(message))
        if message[0] == acse.RLRQ:
            return acse.rlre()
        request = apdu.parse_request(self._unseal(message))
        self.requests.append(request)
        if self.reply is not None:
            reply, self.reply = self.reply, None
            return self.seal(reply)
        if isinstance(request, apdu.ActionRequest) and request.target.class_id == 15:
            return self._prove(request)
        return self.seal(self._serve(request))

    def _associate(self, request: acse.Aarq) -> bytes:
        self._client_title = request.title
        self._client_challenge = request.authentication
        proposed = acse.parse_initiate_request(self._unseal(request.initiate))
        if proposed.dedicated_key:
            self.dedicated = self.keys.with_key(proposed.dedicated_key)
        response = acse.initiate_response(conformance=proposed.conformance & self.agreed, max_pdu=self.max_pdu)
        hls = self.mechanism >= 2
        return acse.aare(
            context=request.context,
            result=acse.ACCEPTED,
            diagnostic=acse.DIAGNOSTIC_AUTHENTICATION_REQUIRED if hls else acse.DIAGNOSTIC_NULL,
            title=self.title if self.control or hls else b"",
            mechanism=self.mechanism,
            authentication=self.challenge if hls else b"",
            initiate=self._initiate(response),
        )

    def _initiate(self, response: bytes) -> bytes:
        if not self.control:
            return response
        content = self.keys.seal(self.control, self.title, self.counter, response)
        self.counter += 1
        return security.wrap(0x28, content)

    def _prove(self, request: apdu.ActionRequest) -> bytes:
        answer = axdr.decode(request.parameter or b"")
        assert isinstance(answer, bytes)
        if self.mechanism == security.MECHANISM_HLS_AES:
            security.check_answer(2, SECRET, answer, own_title=b"", other_title=b"", asked=self.challenge, sent=b"")
            proof = security.aes_answer(SECRET, self._client_challenge)
        else:
            self.client_counters.append(self.keys.check_gmac(self._client_title, self.challenge, answer))
            proof = self.keys.gmac_answer(self.title, self.counter, self._client_challenge)
            self.counter += 1
        proof = proof if self.proof is None else self.proof
        return self.seal(apdu.action_response(request.invoke, apdu.SUCCESS, axdr.octets(proof)), self.keys)

    def _serve(self, request: apdu.Request) -> bytes:
        if isinstance(request, apdu.GetList):
            answers = [self._value(target) for target in request.targets]
            if self.block:
                self._body = apdu.encode_answers(answers)
                return self._next(request.invoke, 1)
            return apdu.get_response_list(request.invoke, answers)
        if isinstance(request, apdu.GetNext):
            return self._next(request.invoke, request.block + 1)
        if isinstance(request, apdu.SetRequest):
            self.values[request.target.class_id, request.target.obis, request.target.number] = request.value
            return apdu.set_response(request.invoke, apdu.SUCCESS)
        if isinstance(request, apdu.ActionRequest):
            return apdu.action_response(request.invoke, apdu.SUCCESS)
        value = self._value(request.target)
        if self.block and isinstance(value, bytes):
            self._body = value
            return self._next(request.invoke, 1)
        return apdu.get_response(request.invoke, value)

    def _value(self, target: apdu.Target) -> bytes | int:
        return self.values.get((target.class_id, target.obis, target.number), apdu.OBJECT_UNDEFINED)

    def _next(self, invoke: int, number: int) -> bytes:
        at = (number - 1) * self.block
        raw = self._body[at : at + self.block]
        return apdu.get_response_block(invoke, last=at + self.block >= len(self._body), number=number, raw=raw)

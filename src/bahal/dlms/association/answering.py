"""What a meter answers once an association stands: GET, SET and ACTION, in blocks where they are long.

One request at a time, and one long transfer at a time: another request ends it. What a client collects here is bounded
by `REQUEST_LIMIT`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bahal.dlms import acse, apdu, security
from bahal.dlms.association.blocks import Collector, GeneralTransfer
from bahal.dlms.association.states import State, Step, receiving, sending
from bahal.dlms.errors import MalformedApdu, OversizedApdu, UnexpectedApdu
from bahal.dlms.framing import ServerFraming
from bahal.dlms.objects import classes
from bahal.dlms.objects.serving import Answers, Device, Keys, Origin
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher

REQUEST_LIMIT: Final = 1 << 16
"""Most bytes of one SET or ACTION that are collected from blocks."""

_BLOCK_GET: Final = acse.conformance("block_get")
_BLOCK_SET: Final = acse.conformance("block_set")
_BLOCK_ACTION: Final = acse.conformance("block_action")
GENERAL_BLOCKS: Final = acse.conformance("general_block_transfer")

# What a response has before its data: tag, kind, invoke-id, result; a block has number, length and more.
_HEAD: Final = 4
_BLOCK_HEAD: Final = 12

_DUPLICATED_CLASSES: Final = frozenset((classes.PROFILE_GENERIC, classes.CLOCK_CLASS))

_OPEN, _PENDING = State.OPEN, State.HLS_PENDING
_REQUEST, _RESPONSE = Step.REQUEST, Step.RESPONSE


class Long(NamedTuple):
    """A SET or ACTION of which blocks are still to come."""

    tag: int
    targets: list[apdu.Target]
    listed: bool
    collector: Collector


class Outgoing(NamedTuple):
    """An answer of which blocks were sent and more remain: the request's tag, what is left, the last number sent."""

    tag: int
    rest: bytes
    number: int


class Answering:
    """The services of `ServerAssociation`."""

    __slots__ = (
        "_answers",
        "_challenge",
        "_cipher",
        "_client_challenge",
        "_client_title",
        "_conformance",
        "_control",
        "_controls",
        "_counter",
        "_dedicated",
        "_device",
        "_framing",
        "_general_ciphering",
        "_keys",
        "_long",
        "_max_pdu",
        "_mechanism",
        "_outgoing",
        "_quirks",
        "_random",
        "_reply_control",
        "_reply_limit",
        "_room",
        "_sap",
        "_title",
        "_transfer",
        "last_words",
        "refusals",
        "state",
    )

    state: State
    _answers: Answers
    _cipher: Cipher | None
    _conformance: int
    _control: int
    _controls: Mapping[int, int]
    _counter: int | None
    _device: Device
    _framing: ServerFraming
    _keys: Keys | None
    _quirks: Quirks
    _random: Callable[[int], bytes]
    _reply_control: int
    _sap: int
    _transfer: GeneralTransfer | None

    def _forget_transfers(self) -> None:
        self._long: Long | None = None
        self._outgoing: Outgoing | None = None

    def _limit_replies(self, limit: int, *, general: bool) -> None:
        """The client takes APDUs of `limit` bytes: how long may a plain one be?"""
        self._reply_limit = limit
        self._general_ciphering = general
        self._room = security.room(limit, self._reply_control, general)

    def _answer(self, plain: bytes, frame: bytes) -> bytes:
        """A plain request of an open association to a plain reply; `frame` is the APDU as it came."""
        tag = plain[0]
        state = self.state
        # The commonest request by far: GET normal of one attribute, no selection.
        if tag == apdu.GET_REQUEST and len(plain) == 13 and plain[1] == apdu.NORMAL and not plain[12]:
            self.state = receiving(state, _REQUEST, tag)
            self._long = self._outgoing = None
            target = plain[3:12]
            return self._got(plain[2], target, self._answers.read(target, self._device, self._sap))
        self.state = receiving(state, _REQUEST, tag)
        try:
            asked = apdu.parse_request(plain)
        except UnexpectedApdu:
            self.state = sending(self.state, Step.EXCEPTION)
            return apdu.exception_response(apdu.STATE_SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)
        if isinstance(asked, apdu.GetNext | apdu.ActionNext):
            return self._next_block(asked)
        self._outgoing = None
        if isinstance(asked, apdu.NextBlock):
            return self._take_block(asked, frame)
        self._long = None
        if isinstance(asked, apdu.GetRequest):
            return self._got(plain[2], plain[3:12], self._answered(asked.target))
        if isinstance(asked, apdu.GetList):
            return self._got_list(asked)
        if isinstance(asked, apdu.FirstBlock):
            return self._begin(asked, frame)
        origin = Origin(self._sap, self._counter, frame)
        if isinstance(asked, apdu.SetRequest):
            self._done()
            return apdu.set_response(asked.invoke, self._written(asked.target, asked.value, origin))
        if isinstance(asked, apdu.SetList):
            results = [self._written(*each, origin) for each in zip(asked.targets, asked.values, strict=True)]
            self._done()
            return apdu.set_response_list(asked.invoke, results)
        if isinstance(asked, apdu.ActionRequest):
            return self._acted(asked.invoke, [asked.target], [asked.parameter], False, origin)
        return self._acted(asked.invoke, asked.targets, asked.parameters, True, origin)

    def _done(self) -> None:
        self.state = sending(self.state, _RESPONSE)

    # --- GET ----------------------------------------------------------------------------------------------------------

    def _answered(self, target: apdu.Target) -> apdu.Answer:
        key = _key(target)
        if target.selection is None:
            return self._answers.read(key, self._device, self._sap)
        return self._answers.select(key, target.selection, self._device, self._sap)

    def _got(self, invoke: int, target: bytes, answer: apdu.Answer) -> bytes:
        if isinstance(answer, int):
            self.state = sending(self.state, _RESPONSE)
            return apdu.get_response(invoke & 0x0F, answer)
        if self._quirks.lenient_duplicate and target[1] in _DUPLICATED_CLASSES and target[8] == 2:
            answer += answer
        if len(answer) + _HEAD <= self._room:
            self.state = sending(self.state, _RESPONSE)
            return bytes((apdu.GET_RESPONSE, apdu.NORMAL, apdu.CONFIRMED_HIGH | invoke & 0x0F, 0)) + answer
        if self._conformance & _BLOCK_GET:
            return self._send_block(invoke & 0x0F, Outgoing(apdu.GET_REQUEST, answer, 0))
        self._done()
        return apdu.get_response(invoke & 0x0F, answer if self._conformance & GENERAL_BLOCKS else apdu.OTHER_REASON)

    def _got_list(self, asked: apdu.GetList) -> bytes:
        answers = [self._answered(target) for target in asked.targets]
        body = apdu.encode_answers(answers)
        if len(body) + _HEAD > self._room and self._conformance & _BLOCK_GET:
            return self._send_block(asked.invoke, Outgoing(apdu.GET_REQUEST, body, 0))
        self._done()
        if len(body) + _HEAD > self._room and not self._conformance & GENERAL_BLOCKS:
            return apdu.get_response_list(asked.invoke, [apdu.OTHER_REASON] * len(answers))
        return apdu.get_response_list(asked.invoke, answers)

    def _next_block(self, asked: apdu.GetNext | apdu.ActionNext) -> bytes:
        tag = apdu.GET_REQUEST if isinstance(asked, apdu.GetNext) else apdu.ACTION_REQUEST
        outgoing, self._outgoing = self._outgoing, None
        self._long = None
        if outgoing is not None and outgoing.tag == tag and outgoing.number == asked.block:
            return self._send_block(asked.invoke, outgoing)
        self._done()
        if tag == apdu.ACTION_REQUEST:
            return apdu.action_response(
                asked.invoke, apdu.LONG_ACTION_ABORTED if outgoing else apdu.NO_LONG_ACTION_IN_PROGRESS
            )
        result = apdu.DATA_BLOCK_NUMBER_INVALID if outgoing else apdu.NO_LONG_GET_IN_PROGRESS
        return apdu.get_response_block(asked.invoke, last=True, number=asked.block, raw=result)

    def _send_block(self, invoke: int, outgoing: Outgoing) -> bytes:
        tag, rest, number = outgoing
        size = self._room - _BLOCK_HEAD
        raw, rest, number = rest[:size], rest[size:], number + 1
        last = not rest
        self._outgoing = None if last else Outgoing(tag, rest, number)
        self.state = sending(self.state, _RESPONSE if last else Step.BLOCK)
        if tag == apdu.GET_REQUEST:
            return apdu.get_response_block(invoke, last=last, number=number, raw=raw)
        return apdu.action_response_block(invoke, last=last, number=number, raw=raw)

    # --- SET and ACTION -----------------------------------------------------------------------------------------------

    def _written(self, target: apdu.Target, value: bytes, origin: Origin) -> int:
        if target.selection is not None:
            return apdu.SCOPE_OF_ACCESS_VIOLATED
        return self._answers.write(_key(target), value, self._device, origin)

    def _acted(
        self,
        invoke: int,
        targets: Sequence[apdu.Target],
        parameters: Sequence[bytes | None],
        listed: bool,
        origin: Origin,
    ) -> bytes:
        acted = [
            self._answers.act(_key(target), parameter, self._device, origin)
            for target, parameter in zip(targets, parameters, strict=True)
        ]
        body = apdu.encode_acted_list(acted) if listed else apdu.encode_acted(acted[0])
        if len(body) + _HEAD > self._room:
            if self._conformance & _BLOCK_ACTION:
                return self._send_block(invoke, Outgoing(apdu.ACTION_REQUEST, body, 0))
            if not self._conformance & GENERAL_BLOCKS:
                # It was done; what it returns does not fit and nothing was agreed that would carry it.
                acted = [apdu.Acted(each.result, apdu.OTHER_REASON) for each in acted]
        self._done()
        if listed:
            return apdu.action_response_list(invoke, acted)
        return apdu.action_response(invoke, *acted[0])

    def _begin(self, asked: apdu.FirstBlock, frame: bytes) -> bytes:
        """The first block of a long SET or ACTION."""
        if not self._conformance & (_BLOCK_SET if asked.tag == apdu.SET_REQUEST else _BLOCK_ACTION):
            self.state = sending(self.state, Step.EXCEPTION)
            return apdu.exception_response(apdu.STATE_SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)
        self._long = Long(asked.tag, asked.targets, asked.listed, Collector(REQUEST_LIMIT))
        return self._take_block(apdu.NextBlock(asked.tag, asked.invoke, asked.block), frame)

    def _take_block(self, asked: apdu.NextBlock, frame: bytes) -> bytes:
        """A block of a long SET or ACTION: the next one may come, or all is there and is done."""
        pending, self._long = self._long, None
        if pending is None or pending.tag != asked.tag:
            return self._abandoned(asked, 1, False, begun=False)
        try:
            whole = pending.collector.take(last=asked.block.last, number=asked.block.number, raw=asked.block.raw)
        except (MalformedApdu, OversizedApdu):
            return self._abandoned(asked, len(pending.targets), pending.listed, begun=True)
        if whole is None:
            self._long = pending
            self.state = sending(self.state, Step.BLOCK)
            taken = apdu.set_block_taken if asked.tag == apdu.SET_REQUEST else apdu.action_block_taken
            return taken(asked.invoke, asked.block.number)
        origin = Origin(self._sap, self._counter, frame)
        values = apdu.parse_values(whole, len(pending.targets)) if pending.listed else [whole]
        if asked.tag == apdu.ACTION_REQUEST:
            return self._acted(asked.invoke, pending.targets, values, pending.listed, origin)
        results = [self._written(*each, origin) for each in zip(pending.targets, values, strict=True)]
        self._done()
        return apdu.set_last_block(asked.invoke, results, asked.block.number, listed=pending.listed)

    def _abandoned(self, asked: apdu.NextBlock, count: int, listed: bool, *, begun: bool) -> bytes:
        """Nothing of a long request was done; say so to each of its targets."""
        self._done()
        if asked.tag == apdu.SET_REQUEST:
            result = apdu.LONG_SET_ABORTED if begun else apdu.NO_LONG_SET_IN_PROGRESS
            return apdu.set_last_block(asked.invoke, [result] * count, asked.block.number, listed=listed)
        result = apdu.LONG_ACTION_ABORTED if begun else apdu.NO_LONG_ACTION_IN_PROGRESS
        if listed:
            return apdu.action_response_list(asked.invoke, [apdu.Acted(result)] * count)
        return apdu.action_response(asked.invoke, result)


def _key(target: apdu.Target) -> bytes:
    """Class, logical name and number as they stand in an APDU."""
    return target.class_id.to_bytes(2, "big") + target.obis + bytes((target.number,))

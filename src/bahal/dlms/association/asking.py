"""What a client asks for once an association stands: GET, SET and ACTION, one at a time, whatever their length.

A request that does not fit the meter's largest APDU goes in the blocks of its service, else by general block transfer,
as far as both are agreed; else it is refused here and nothing is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.association.blocks import Collector, GeneralTransfer, Upload
from bahal.dlms.association.events import (
    ActionDone,
    ActionListDone,
    Event,
    Got,
    GotList,
    Refused,
    SetDone,
    SetListDone,
)
from bahal.dlms.association.protected import Protected
from bahal.dlms.association.states import State, Step, receiving, sending
from bahal.dlms.errors import InvokeIdMismatch, MalformedApdu, RequestTooLong, UnexpectedApdu
from bahal.dlms.quirks import Quirks

DATA_LIMIT: Final = axdr.SIZE_LIMIT
"""Most bytes of one value that is collected from blocks."""

GENERAL_BLOCKS: Final = acse.conformance("general_block_transfer")
_LONG: Final = {
    apdu.SET_REQUEST: acse.conformance("block_set"),
    apdu.ACTION_REQUEST: acse.conformance("block_action"),
}
_RESPONSE_TO: Final = {apdu.SET_REQUEST: apdu.SET_RESPONSE, apdu.ACTION_REQUEST: apdu.ACTION_RESPONSE}

# What stands before the raw bytes of a block: tag, kind, invoke-id, last, number, length of up to 3.
_BLOCK_HEAD: Final = 11
_EMPTY: Final = apdu.DataBlock(False, 1, b"")

# Members looked up once: the attribute of an enum class costs more than the rest of a transition.
_REQUEST, _RESPONSE = Step.REQUEST, Step.RESPONSE
_AWAITING, _PROVING = State.AWAITING, State.HLS_PROVING


class Asking(Protected):
    """The services of :class:`ClientAssociation`."""

    __slots__ = (
        "_collector",
        "_conformance",
        "_count",
        "_expected",
        "_invoke",
        "_max_request",
        "_outgoing",
        "_quirks",
        "_room",
        "_transfer",
        "_upload",
        "_window",
        "duplicates",
    )

    _quirks: Quirks

    def _begin(self) -> None:
        """Nothing was asked or agreed yet."""
        self.duplicates = 0
        self._conformance = 0
        self._max_request = 0
        self._room = sys.maxsize  # longest plain request
        self._invoke = 0
        self._expected = 0
        self._count = 0  # targets of a list, 0 for a request that is none
        self._outgoing = b""
        self._window = 0  # of general block transfer, 0 where that is not agreed
        self._collector: Collector | None = None
        self._upload: Upload | None = None
        self._transfer: GeneralTransfer | None = None

    # --- what the caller asks for ------------------------------------------------------------------------------------

    def get(self, class_id: int, obis: bytes, attribute: int, selection: bytes | None = None) -> bytes:
        """A GET of one attribute; answered by ``Got`` or ``Refused``.

        :raises StateError: not open, or another request is not answered yet.
        :raises CounterExhausted: no counter left.
        :raises RequestTooLong: longer than the meter takes.
        """
        plain = apdu.get_request(self._invoke + 1 & 0x0F, class_id, obis, attribute, selection)
        return self._request(plain, apdu.GET_RESPONSE)

    def get_list(self, targets: Sequence[apdu.Target]) -> bytes:
        """A GET of several attributes in one round trip; answered by ``GotList``.  Raises as :meth:`get`.

        :raises ValueOutOfRange: none, or more targets than a list holds.
        """
        plain = apdu.get_list(self._invoke + 1 & 0x0F, targets)
        return self._request(plain, apdu.GET_RESPONSE, len(targets))

    def set(self, class_id: int, obis: bytes, attribute: int, data: bytes, selection: bytes | None = None) -> bytes:
        """A SET of one attribute to raw A-XDR; answered by ``SetDone``.  Raises as :meth:`get`."""
        plain = apdu.set_request(self._invoke + 1 & 0x0F, class_id, obis, attribute, data, selection)
        if len(plain) > self._room:
            return self._long(plain, [apdu.Target(class_id, obis, attribute, selection)], data, 0)
        return self._request(plain, apdu.SET_RESPONSE)

    def set_list(self, targets: Sequence[apdu.Target], values: Sequence[bytes]) -> bytes:
        """A SET of several attributes, a raw value for each; answered by ``SetListDone``.

        Raises as :meth:`get_list`.
        """
        plain = apdu.set_list(self._invoke + 1 & 0x0F, targets, values)
        if len(plain) > self._room:
            return self._long(plain, targets, apdu.encode_values(values, len(targets)), len(targets))
        return self._request(plain, apdu.SET_RESPONSE, len(targets))

    def action(self, class_id: int, obis: bytes, method: int, data: bytes | None = None) -> bytes:
        """An ACTION with raw A-XDR or nothing; answered by ``ActionDone``.  Raises as :meth:`get`."""
        plain = apdu.action_request(self._invoke + 1 & 0x0F, class_id, obis, method, data)
        if len(plain) > self._room and data is not None:
            return self._long(plain, [apdu.Target(class_id, obis, method)], data, 0)
        return self._request(plain, apdu.ACTION_RESPONSE)

    def action_list(self, targets: Sequence[apdu.Target], parameters: Sequence[bytes | None]) -> bytes:
        """An ACTION of several methods, raw A-XDR or nothing for each; answered by ``ActionListDone``.

        Raises as :meth:`get_list`.
        """
        plain = apdu.action_list(self._invoke + 1 & 0x0F, targets, parameters)
        if len(plain) > self._room:
            values = [axdr.null() if each is None else each for each in parameters]
            return self._long(plain, targets, apdu.encode_values(values, len(targets)), len(targets))
        return self._request(plain, apdu.ACTION_RESPONSE, len(targets))

    # --- sending -----------------------------------------------------------------------------------------------------

    def _request(self, plain: bytes, expected: int, count: int = 0) -> bytes:
        after = sending(self.state, _REQUEST)
        if len(plain) <= self._room:
            frame = self._ciphered_frame(plain, self._dedicated)
        else:
            frame = self._in_general_blocks(plain)
        self._invoke = plain[2] & 0x0F
        self._expected = expected
        self._count = count
        self.state = after
        return frame

    def _refuse_long(self, plain: bytes) -> None:
        size = security.sealed_length(len(plain), self._security_control, self._general_ciphering)
        raise RequestTooLong(size, self._max_request)

    def _in_general_blocks(self, plain: bytes) -> bytes:
        if not self._window:
            self._refuse_long(plain)
        transfer = self._transfer = self._new_transfer()
        return self._framed_all(transfer.send(self._ciphered(plain, self._dedicated)))

    def _framed_all(self, messages: Sequence[bytes]) -> bytes:
        return b"".join([self._framed(message) for message in messages])

    def _new_transfer(self) -> GeneralTransfer:
        return GeneralTransfer(window=self._window, room=self._max_request or 0xFFFF, limit=DATA_LIMIT)

    def _long(self, plain: bytes, targets: Sequence[apdu.Target], body: bytes, count: int) -> bytes:
        """A SET or ACTION in the blocks of its service; `plain` is how it would go in one."""
        tag = plain[0]
        after = sending(self.state, _REQUEST)
        if not self._conformance & _LONG[tag]:
            return self._request(plain, _RESPONSE_TO[tag], count)
        invoke = plain[2] & 0x0F
        described = len(apdu.first_block(tag, invoke, targets, listed=bool(count), block=_EMPTY)) - 9
        upload = Upload(body, self._room - _BLOCK_HEAD)
        first = apdu.first_block(tag, invoke, targets, listed=bool(count), block=upload.next(described))
        frame = self._ciphered_frame(first, self._dedicated)
        self._upload = upload
        self._invoke = invoke
        self._expected = _RESPONSE_TO[tag]
        self._count = count
        self.state = after
        return frame

    def _ask_on(self, plain: bytes, tag: int) -> None:
        """The next block, or the wish for one, goes out by :meth:`outgoing`."""
        self.state = receiving(self.state, Step.BLOCK, tag)
        self._outgoing += self._ciphered_frame(plain, self._dedicated)
        self.state = sending(self.state, Step.NEXT_BLOCK)

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _forget_blocks(self) -> None:
        self._collector = self._upload = self._transfer = None

    def _take_general(self, frame: bytes) -> bytes | None:
        """A block of a general block transfer; the whole APDU with the last one."""
        if not self._window or (self.state is not _AWAITING and self.state is not _PROVING):
            raise UnexpectedApdu(frame[0], self.state.name.lower())
        transfer = self._transfer or self._new_transfer()
        whole, replies = transfer.receive(apdu.parse_general_block(frame))
        self._outgoing += self._framed_all(replies)
        self._transfer = transfer if whole is None else None
        if whole == b"":
            raise MalformedApdu("empty APDU")
        return whole

    def _check_invoke(self, plain: bytes) -> None:
        if len(plain) < 4:
            raise MalformedApdu("response cut short")
        if plain[2] & 0x0F != self._invoke:
            raise InvokeIdMismatch(self._invoke, plain[2] & 0x0F)

    def _take_answer(self, plain: bytes) -> Event | None:
        if len(plain) < 4:
            raise MalformedApdu("response cut short")
        if plain[2] & 0x0F != self._invoke:
            raise InvokeIdMismatch(self._invoke, plain[2] & 0x0F)
        tag, kind = plain[0], plain[1]
        if tag == apdu.GET_RESPONSE:
            if kind == apdu.WITH_BLOCK:
                return self._take_block(plain)
            if kind != (apdu.WITH_LIST if self._count else apdu.NORMAL):
                raise UnexpectedApdu(tag, f"response kind {kind}")
            self.state = receiving(self.state, _RESPONSE, tag)
            if kind == apdu.WITH_LIST:
                return self._got_list(plain[3:])
            if plain[3] == 0 and len(plain) > 4:
                return self._got(plain[4:])
            if plain[3] == 1 and len(plain) == 5:
                return Refused(plain[4])
            raise MalformedApdu("GET response of unusual form")
        if tag == apdu.SET_RESPONSE:
            return self._take_set(plain)
        if kind == apdu.NORMAL and not self._count:
            result, returned = apdu.parse_action_response(plain)
            self._answered(tag)
            return _acted(result, returned)
        return self._take_action(plain)

    def _answered(self, tag: int) -> None:
        self.state = receiving(self.state, _RESPONSE, tag)
        self._upload = None

    def _got(self, data: bytes) -> Got:
        if self._quirks.lenient_duplicate:
            end = axdr.first_copy(data)
            if end != len(data):
                self.duplicates += 1
                data = data[:end]
        return Got(data)

    def _got_list(self, body: bytes) -> GotList:
        answers = apdu.parse_answers(body)
        self._check_count(len(answers))
        return GotList(answers)

    def _check_count(self, count: int) -> None:
        if count != (self._count or 1):
            raise MalformedApdu(f"{count} results for {self._count or 1} targets")

    def _collected(self, *, last: bool, number: int, raw: bytes) -> bytes | None:
        collector = self._collector
        if collector is None:
            collector = self._collector = Collector(DATA_LIMIT)
        return collector.take(last=last, number=number, raw=raw)

    def _take_block(self, plain: bytes) -> Event | None:
        block = apdu.parse_block(plain)
        raw = block.raw
        if isinstance(raw, int):
            self.state = receiving(self.state, _RESPONSE, plain[0])
            self._forget_blocks()
            return Refused(raw)
        data = self._collected(last=block.last, number=block.number, raw=raw)
        if data is None:
            self._ask_on(apdu.get_next(self._invoke, block.number), plain[0])
            return None
        self.state = receiving(self.state, _RESPONSE, plain[0])
        if self._count:
            return self._got_list(data)
        if not data:
            raise MalformedApdu("GET response without data")
        return self._got(data)

    def _send_on(self, number: int, tag: int) -> None:
        """The meter has block `number` of a long request: the next one goes."""
        upload = self._upload
        if upload is None or upload.done:
            raise UnexpectedApdu(tag, "no block is awaited")
        if number != upload.number:
            raise MalformedApdu(f"block {number} acknowledged after {upload.number} was sent")
        request = apdu.SET_REQUEST if tag == apdu.SET_RESPONSE else apdu.ACTION_REQUEST
        self._ask_on(apdu.next_block(request, self._invoke, upload.next()), tag)

    def _take_set(self, plain: bytes) -> Event | None:
        results, block = apdu.parse_set_response(plain)
        if results is None:
            self._send_on(block, plain[0])
            return None
        self._check_count(len(results))
        self._answered(plain[0])
        return SetListDone(results) if self._count else SetDone(results[0])

    def _take_action(self, plain: bytes) -> Event | None:
        tag, kind = plain[0], plain[1]
        if kind == apdu.ACTION_BLOCK_TAKEN:
            if len(plain) != 7:
                raise MalformedApdu("acknowledgement of unusual length")
            self._send_on(int.from_bytes(plain[3:], "big"), tag)
            return None
        if kind == apdu.ACTION_IN_BLOCKS:
            block = apdu.parse_data_block(plain, 3)
            body = self._collected(last=block.last, number=block.number, raw=block.raw)
            if body is None:
                self._ask_on(apdu.action_next(self._invoke, block.number), tag)
                return None
        elif kind == apdu.WITH_LIST and self._count:
            body = plain[3:]
        else:
            raise UnexpectedApdu(tag, f"response kind {kind}")
        if not self._count:
            done: Event = _acted(*apdu.parse_acted(body))
        else:
            acted = apdu.parse_acted_list(body)
            self._check_count(len(acted))
            done = ActionListDone([_acted(*each) for each in acted])
        self._answered(tag)
        return done


def _acted(result: int, returned: apdu.Answer | None) -> ActionDone:
    if isinstance(returned, int):
        return ActionDone(result, data_result=returned)
    return ActionDone(result, returned)

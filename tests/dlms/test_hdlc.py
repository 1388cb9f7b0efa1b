"""HDLC frames and links: the DLMS UA's worked example, what frames survive, and two ends over a bad line."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bahal.dlms.errors import (
    DlmsError,
    LinkLost,
    LinkRefused,
    MalformedApdu,
    OversizedApdu,
    RequestTooLong,
    StateError,
    ValueOutOfRange,
)
from bahal.dlms.hdlc import Address, Deframer, Frame, HdlcClient, HdlcServer, Parameters, frame, frames
from bahal.dlms.hdlc.link import STALLS_AT_MOST
from bahal.dlms.hdlc.parameters import read_parameters
from bahal.dlms.hdlc.primary import REPEATS_AT_MOST, Phase
from bahal.dlms.hdlc.secondary import read_rejection

# The SNRM, UA and AARQ of the DLMS UA's examples of information exchange: client 16, logical device 1, physical 0x11.
SNRM = bytes.fromhex("7EA00A00020023219318717E")
UA = bytes.fromhex("7EA023210002002373F6C58180140502008006020080070400000001080400000001CE6A7E")
AARQ = bytes.fromhex("7EA02E0002002321107ECBE6E600601DA109060760857405080101BE10040E01000000065F1F040000301DFFFFD4C57E")
METER = Address(1, 0x11).encode(4)
CLIENT = frames.client_address(16)
WIDE = Parameters(transmit=200, receive=200, transmit_window=3, receive_window=3)


# --- frames ----------------------------------------------------------------------------------------------------------


def test_the_worked_example() -> None:
    (snrm,) = Deframer().feed(SNRM)
    assert snrm == Frame(METER, b"\x21", frames.SNRM, True, False, b"")
    assert Address.decode(snrm.destination) == Address(1, 0x11)
    assert frame(METER, b"\x21", frames.SNRM) == SNRM
    (ua,) = Deframer().feed(UA)
    assert (ua.control, ua.destination, read_parameters(ua.info)) == (frames.UA, b"\x21", Parameters())
    assert frame(b"\x21", METER, frames.UA, ua.info) == UA
    (aarq,) = Deframer().feed(AARQ)
    assert aarq.is_information
    assert (aarq.sent, aarq.awaited, aarq.poll, aarq.segmented) == (0, 0, True, False)
    assert aarq.info.startswith(b"\xe6\xe6\x00\x60\x1d")
    client = HdlcClient(physical=0x11, address_size=4)
    assert client.send(16, 1, aarq.info[3:]) == SNRM
    assert client.feed(UA) == []
    assert client.outgoing() == AARQ


def _addresses(upper: int, lower: int | None, size: int) -> st.SearchStrategy[tuple[Address, int]]:
    lowers = st.none() if lower is None else st.integers(0, lower)
    return st.tuples(st.tuples(st.integers(0, upper), lowers).map(Address._make), st.just(size))


addresses = st.one_of(
    _addresses(0x7F, None, 1), _addresses(0x3FFF, None, 2), _addresses(0x7F, 0x7F, 2), _addresses(0x3FFF, 0x3FFF, 4)
)
frames_sent = st.tuples(
    addresses.map(lambda each: each[0].encode(each[1])),
    st.integers(0, 0x7F).map(frames.client_address),
    st.sampled_from([0x00, 0x22, 0xEE, frames.RR, frames.RNR, frames.SNRM, frames.UI]),
    st.one_of(st.just(b""), st.binary(max_size=60), st.binary(min_size=1990, max_size=2030)),
    st.booleans(),
    st.booleans(),
)


@given(addresses)
def test_an_address_comes_back(each: tuple[Address, int]) -> None:
    address, size = each
    raw = address.encode(size)
    assert len(raw) == size
    assert [byte & 1 for byte in raw] == [0] * (size - 1) + [1]
    expected = address
    if size == 2 and address.lower is None:
        expected = Address(address.upper >> 7, address.upper & 0x7F)
    assert Address.decode(raw) == expected


@pytest.mark.parametrize(
    ("address", "size"), [(Address(128), 1), (Address(1, 128), 2), (Address(1), 4), (Address(1, 1), 1), (Address(1), 3)]
)
def test_an_address_that_does_not_fit_is_refused(address: Address, size: int) -> None:
    with pytest.raises(ValueOutOfRange):
        address.encode(size)


@given(st.lists(frames_sent, min_size=1, max_size=4), st.randoms(use_true_random=False), st.booleans())
def test_frames_survive_any_cutting_and_shared_flags(
    sent: list[tuple[bytes, bytes, int, bytes, bool, bool]], chance: random.Random, shared: bool
) -> None:
    made = [frame(d, s, control, info, poll=poll, segmented=seg) for d, s, control, info, poll, seg in sent]
    stream = b"".join(each[:-1] if shared else each for each in made) + b"\x7e"
    deframer = Deframer()
    found: list[Frame] = []
    at = 0
    while at < len(stream):
        step = chance.randint(1, 300)
        found += deframer.feed(stream[at : at + step])
        at += step
    assert found == [Frame(d, s, control, poll, seg, info) for d, s, control, info, poll, seg in sent]
    assert deframer.damaged == 0
    assert deframer.pending <= 1


@given(frames_sent, st.binary(max_size=30), st.data())
def test_a_damaged_frame_is_passed_over_and_the_next_one_is_found(
    sent: tuple[bytes, bytes, int, bytes, bool, bool], noise: bytes, data: st.DataObject
) -> None:
    destination, source, control, info, poll, segmented = sent
    good = frame(destination, source, control, info, poll=poll, segmented=segmented)
    at = data.draw(st.integers(1, len(good) - 2))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    deframer = Deframer()
    # Damage may make the length longer than the frame: a frame's worth of flags ends the waiting.
    found = deframer.feed(noise.replace(b"\x7e", b"") + bytes(bad) + b"\x7e" * 2050 + good)
    assert found[-1:] == [Frame(destination, source, control, poll, segmented, info)]
    assert len(found) == 1


@given(st.binary(max_size=400))
@example(b"\x7e\xa7\xff")
@example(b"\x7e" * 50)
@example(b"\x7e\xa0\x07\x03\x21\x93\x7e")
@example(b"\x7e\xa0\x0f" + b"\x02" * 12 + b"\x7e")
def test_noise_never_raises_and_never_piles_up(noise: bytes) -> None:
    deframer = Deframer()
    for _ in range(3):
        deframer.feed(noise)
    assert deframer.pending <= frames.FRAME_LIMIT + 2


def test_a_frame_too_long_is_not_built() -> None:
    with pytest.raises(ValueOutOfRange):
        frame(METER, CLIENT, 0, bytes(2040))


# --- parameters ------------------------------------------------------------------------------------------------------

parameters = st.builds(
    Parameters,
    transmit=st.integers(32, 2030),
    receive=st.integers(32, 2030),
    transmit_window=st.integers(1, 7),
    receive_window=st.integers(1, 7),
)


@given(parameters, parameters)
def test_both_ends_agree_on_the_smaller(ours: Parameters, theirs: Parameters) -> None:
    assert read_parameters(ours.encode()) == ours
    here, there = ours.agreed(theirs), theirs.agreed(ours)
    assert (here.transmit, here.transmit_window) == (there.receive, there.receive_window)
    assert here.transmit == min(ours.transmit, theirs.receive)


@given(
    st.one_of(st.binary(max_size=40), st.binary(max_size=20).map(lambda rest: bytes((0x81, 0x80, len(rest))) + rest))
)
def test_malformed_parameters_only_raise_malformed(info: bytes) -> None:
    try:
        found = read_parameters(info)
    except MalformedApdu:
        return
    assert 32 <= found.transmit <= 2030


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("", Parameters()),
        ("818000", Parameters()),
        ("818003 050140", Parameters(transmit=64)),
        ("818007 050140 09020001", Parameters(transmit=64)),
        ("818003 0601ff f0", Parameters(receive=255)),
        ("818004 0602ffff", Parameters(receive=2030)),
        ("818006 080400000009", Parameters(receive_window=7)),
        ("818003 080103", Parameters(receive_window=3)),
    ],
)
def test_absent_parameters_are_the_defaults_and_unknown_ones_are_passed_over(info: str, expected: Parameters) -> None:
    assert read_parameters(bytes.fromhex(info)) == expected


@pytest.mark.parametrize(
    "info", ["81", "828000", "818101", "818003 0501", "818003 050100", "818003 070100", "818002 0502"]
)
def test_parameters_that_make_no_sense_are_malformed(info: str) -> None:
    with pytest.raises(MalformedApdu):
        read_parameters(bytes.fromhex(info))


def test_more_than_a_frame_can_carry_is_not_proposed() -> None:
    for wrong in ({"transmit_window": 8}, {"receive_window": 0}, {"transmit": 31}, {"receive": 2031}):
        with pytest.raises(ValueOutOfRange):
            Parameters(**wrong)


# --- two ends --------------------------------------------------------------------------------------------------------


class Line:
    """A client and a server, and what happens to each frame between them.

    `bend` maps one frame as it was written to what arrives; the server echoes each request, turned around.
    """

    def __init__(
        self,
        *,
        client: Parameters,
        server: Parameters,
        bend: Callable[[bytes], list[bytes]] = lambda each: [each],
        address_size: int = 1,
    ) -> None:
        physical = None if address_size == 1 else 0x11
        self.client = HdlcClient(physical=physical, address_size=address_size, proposal=client)
        self.server = HdlcServer(physical=physical, proposal=server)
        self.bend = bend
        self.served: list[bytes] = []
        self.silences = 0

    def ask(self, request: bytes) -> bytes:
        """One request and its answer, with as many silences as the line makes."""
        out = self.client.send(16, 1, request)
        for _ in range(400):
            answers = self._reach(out)
            if answers:
                assert len(answers) == 1
                return answers[0]
            out = self.client.outgoing()
            if not out:
                self.silences += 1
                # This line may be bad for longer than anybody would go on.
                self.client._repeats = self.client._stalls = self.server._stalls = 0
                out = self.client.repeat()
        raise AssertionError("no answer")

    def _reach(self, out: bytes) -> list[bytes]:
        answers: list[bytes] = []
        for each in self._bent(out):
            for source, destination, apdu in self.server.feed(each):
                assert (source, destination) == (16, 1)
                if apdu:
                    self.served.append(apdu)
                    self.server.send(1, 16, apdu[::-1])
            for reply in self._bent(self.server.outgoing()):
                answers += [apdu for _, _, apdu in self.client.feed(reply)]
        return answers

    def _bent(self, data: bytes) -> Iterator[bytes]:
        for each in split(data):
            yield from self.bend(each)


def split(data: bytes) -> list[bytes]:
    """The frames in bytes just written, each with its flags."""
    found = []
    while data:
        length = (data[1] << 8 | data[2]) & 0x7FF
        found.append(data[: length + 2])
        data = data[length + 2 :]
    return found


@given(
    st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=3),
    parameters,
    parameters,
    st.sampled_from([1, 2, 4]),
)
def test_every_apdu_arrives_whole_whatever_is_agreed(
    requests: list[bytes], ours: Parameters, theirs: Parameters, size: int
) -> None:
    line = Line(client=ours, server=theirs, address_size=size)
    for request in requests:
        assert line.ask(request) == request[::-1]
    assert line.served == requests
    assert line.silences == 0
    assert line.client.phase is Phase.CONNECTED


@given(
    st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=3),
    parameters,
    parameters,
    st.integers(0, 1 << 32),
)
@settings(deadline=None)
def test_a_bad_line_loses_no_apdu_and_doubles_none(
    requests: list[bytes], ours: Parameters, theirs: Parameters, seed: int
) -> None:
    chance = random.Random(seed)

    def bend(each: bytes) -> list[bytes]:
        lot = chance.random()
        if lot < 0.08:
            return []
        if lot < 0.16:
            at = chance.randrange(1, len(each) - 1)
            return [each[:at] + bytes((each[at] ^ 0x55,)) + each[at + 1 :] + b"\x7e" * 2050]
        if lot < 0.24:
            return [each, each]
        return [each]

    line = Line(client=ours, server=theirs, bend=bend)
    for request in requests:
        assert line.ask(request) == request[::-1]
    assert line.served == requests


def connected(**limits: int) -> tuple[HdlcClient, HdlcServer]:
    client = HdlcClient(proposal=WIDE, **limits)
    server = HdlcServer(proposal=WIDE)
    server.feed(client.send(16, 1, b"first"))
    client.feed(server.outgoing())
    ((_, _, apdu),) = server.feed(client.outgoing())
    server.send(1, 16, apdu)
    assert client.feed(server.outgoing()) == [(1, 16, b"first")]
    return client, server


def test_a_window_of_frames_goes_without_waiting() -> None:
    client, server = connected()
    burst = split(client.send(16, 1, bytes(590)))
    assert len(burst) == 3
    assert [Deframer().feed(each)[0].poll for each in burst] == [False, False, True]
    assert [Deframer().feed(each)[0].segmented for each in burst] == [True, True, False]
    # The second is lost: only it and the third are sent again.
    assert server.feed(burst[0] + burst[2]) == []
    client.feed(server.outgoing())
    again = split(client.outgoing())
    assert [Deframer().feed(each)[0].sent for each in again] == [2, 3]
    assert server.feed(b"".join(again)) == [(16, 1, bytes(590))]


def test_silence_is_answered_by_repeating_and_not_for_ever() -> None:
    client = HdlcClient()
    snrm = client.send(16, 1, b"hello")
    for _ in range(REPEATS_AT_MOST):
        assert client.repeat() == snrm
    with pytest.raises(LinkLost) as caught:
        client.repeat()
    assert caught.value.data == {"tries": REPEATS_AT_MOST + 1}
    assert client.repeat() == b""


def test_frames_never_acknowledged_end_the_link() -> None:
    client, server = connected()
    client.send(16, 1, b"request")
    ready = frame(CLIENT, server._own, 1 << 5 | frames.RR)
    for _ in range(STALLS_AT_MOST):
        assert client.feed(ready) == []
        assert Deframer().feed(client.outgoing())[0].sent == 1
    with pytest.raises(LinkLost):
        client.feed(ready)


def test_a_meter_that_needs_time_is_polled_by_silence_only() -> None:
    client, server = connected()
    server.feed(client.send(16, 1, b"slow"))
    client.feed(server.outgoing())
    assert client.outgoing() == b""
    server.feed(client.repeat())
    server.send(1, 16, b"at last")
    assert client.feed(server.outgoing()) == [(1, 16, b"at last")]


def test_a_busy_meter_gets_nothing_until_it_says_so() -> None:
    client, server = connected()
    client.send(16, 1, bytes(1000))
    client.feed(frame(CLIENT, server._own, 2 << 5 | frames.RNR))
    assert client.outgoing() == b""
    (again,) = split(client.repeat())[:1]
    assert Deframer().feed(again)[0].sent == 2


def test_a_reject_asks_for_frames_again() -> None:
    client, server = connected()
    client.send(16, 1, bytes(500))
    client.feed(frame(CLIENT, server._own, 2 << 5 | frames.REJ))
    assert [Deframer().feed(each)[0].sent for each in split(client.outgoing())] == [2, 3]


def test_a_link_is_closed_and_may_be_opened_again() -> None:
    client, server = connected()
    assert server.feed(client.close()) == [(16, 1, b"")]
    assert client.closing
    with pytest.raises(StateError):
        client.send(16, 1, b"late")
    assert client.feed(server.outgoing()) == []
    assert not client.closing
    assert client.close() == b""
    # The second DISC of a client that missed the UA meets a meter that is disconnected.
    server.feed(frame(server._own, CLIENT, frames.DISC))
    (reply,) = Deframer().feed(server.outgoing())
    assert reply.control == frames.DM
    assert server.feed(client.send(16, 1, b"again")) == [(16, 1, b"")]


def test_a_lost_farewell_is_repeated_and_dm_ends_it() -> None:
    client, server = connected()
    client.close()
    server.feed(client.repeat())
    server.outgoing()
    server.feed(client.repeat())
    assert client.feed(server.outgoing()) == []
    assert client.phase is Phase.DISCONNECTED


def test_a_meter_that_was_reset_refuses() -> None:
    client, _ = connected()
    fresh = HdlcServer()
    fresh.feed(client.send(16, 1, b"request"))
    with pytest.raises(LinkRefused) as caught:
        client.feed(fresh.outgoing())
    assert caught.value.reason == "disconnected mode"
    assert client.phase is Phase.DISCONNECTED


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda own: frame(own, CLIENT, 0x2F), 0x01),
        (lambda own: frame(own, CLIENT, 1 << 5 | frames.RR, b"info"), 0x03),
        (lambda own: frame(own, CLIENT, 1 << 5 | 1 << 1, bytes(201)), 0x04),
        (lambda own: frame(own, CLIENT, 6 << 5 | 1 << 1, b"\xe6\xe6\x00x"), 0x08),
        (lambda own: frame(own, CLIENT, 6 << 5 | frames.RR), 0x08),
    ],
)
def test_a_frame_that_cannot_be_taken_is_rejected_until_the_link_is_set_anew(
    bad: Callable[[bytes], bytes], why: int
) -> None:
    client, server = connected()
    assert server.feed(bad(server._own)) == []
    (told,) = Deframer().feed(server.outgoing())
    assert told.control == frames.FRMR
    assert read_rejection(told.info) == (bad(server._own)[5], why)
    server.feed(client.send(16, 1, b"request"))
    with pytest.raises(LinkRefused) as caught:
        client.feed(server.outgoing())
    assert caught.value.info == told.info
    server.feed(client.send(16, 1, b"request"))
    client.feed(server.outgoing())
    assert server.feed(client.outgoing()) == [(16, 1, b"request")]


def test_others_on_the_line_are_not_heard() -> None:
    server = HdlcServer(physical=0x11)
    assert server.feed(frame(Address(1, 0x12).encode(4), CLIENT, frames.SNRM)) == []
    assert server.outgoing() == b""
    assert server.feed(frame(Address(1, 0x3FFF).encode(4), CLIENT, frames.SNRM)) == [(16, 1, b"")]
    server.outgoing()
    stranger = frames.client_address(32)
    server.feed(frame(Address(1, 0x3FFF).encode(4), stranger, frames.RR))
    (reply,) = Deframer().feed(server.outgoing())
    assert (reply.control, reply.destination) == (frames.DM, stranger)
    client, _ = connected()
    assert client.feed(frame(stranger, Address(1).encode(1), frames.DM)) == []
    assert client.feed(frame(CLIENT, Address(2).encode(1), frames.DM)) == []


def test_a_notification_needs_no_poll() -> None:
    client, server = connected()
    assert client.feed(server.notify(1, 16, b"\xc2alarm")) == [(1, 16, b"\xc2alarm")]
    assert client.outgoing() == b""
    with pytest.raises(RequestTooLong):
        server.notify(1, 16, bytes(198))


def test_more_than_agreed_or_wanted_is_refused_by_the_client() -> None:
    client, server = connected()
    with pytest.raises(MalformedApdu):
        client.feed(frame(CLIENT, server._own, 1 << 5 | 1 << 1, bytes(201)))
    client, server = connected(limit=100)
    client.send(16, 1, b"request")
    server.send(1, 16, bytes(101))
    server._polled = True
    with pytest.raises(OversizedApdu):
        client.feed(server.outgoing())
    client, server = connected()
    with pytest.raises(MalformedApdu):
        client.feed(frame(CLIENT, server._own, 1 << 5 | 1 << 1, b"\xe6\xe7"))


@given(st.lists(st.tuples(st.integers(0, 255), st.booleans(), st.binary(max_size=40)), max_size=12))
def test_frames_of_any_kind_only_raise_dlms_errors_and_never_pile_up(
    kinds: list[tuple[int, bool, bytes]],
) -> None:
    client, server = connected()
    for control, segmented, info in kinds:
        for link, to, back in ((server, server._own, CLIENT), (client, CLIENT, server._own)):
            try:
                link.feed(frame(to, back, control & ~0x10, info, poll=bool(control & 0x10), segmented=segmented))
                out = link.outgoing()
            except DlmsError:
                client, server = connected()
                break
            assert len(out) <= 2 * frames.FRAME_LIMIT

"""A probe can only read, its counters never repeat, and no secret of a meter's file is ever printed."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.errors import DlmsError
from bahal.dlms.framing import WrapperFraming
from bahal.dlms.hdlc import HdlcClient
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from bahal.entry.verbs.probe import counters
from bahal.entry.verbs.probe.counters import BLOCK, FIRST_LIMIT, JUMP_LIMIT, held
from bahal.entry.verbs.probe.file import KEYS, QUIRK_KEYS, read_file, write_template
from bahal.entry.verbs.probe.guard import HLS_REPLY, Opener, ReadOnlyFraming
from bahal.entry.verbs.probe.refusals import (
    CounterBusy,
    CounterFileWrong,
    CounterJumps,
    CounterSpent,
    CounterUnknown,
    FileKeyUnknown,
    FileKeyWrong,
    FileUnreadable,
    MeterRefusesUs,
    MeterSilent,
    NotARead,
)
from bahal.entry.verbs.probe.session import session
from bahal.entry.verbs.probe.trace import HIDDEN, Trace, Veil
from bahal.shared.errors import Refusal
from tests.entry.probing import AK, EK, HLS_KEY, METER_TITLE, PASSWORD, StrangeMeter, ask, strange_file, write

RELAY = bytes((0, 0, 96, 3, 10, 255))
TITLE = b"BHL\x00\x00\x00\x00\x02"
SECRETS = (EK, AK, HLS_KEY, PASSWORD)


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAHAL_LANG", "en")


# --- reads and HLS replies only ---------------------------------------------------------------------------------------


def gate(*, control: int = 0x30, dedicated: bytes = b"", hls: bool = True, hdlc: bool = False) -> ReadOnlyFraming:
    inner = HdlcClient() if hdlc else WrapperFraming()
    return ReadOnlyFraming(inner, Opener(control, Cipher(EK, AK), dedicated), TITLE, hls=hls)


WRITES: dict[str, Callable[[], bytes]] = {
    "disconnect": lambda: apdu.action_request(1, 70, RELAY, 1, axdr.int8(0)),
    "reconnect": lambda: apdu.action_request(1, 70, RELAY, 2, axdr.int8(0)),
    "set clock": lambda: apdu.set_request(1, 8, bytes((0, 0, 1, 0, 0, 255)), 2, axdr.octets(bytes(12))),
    "set list": lambda: apdu.set_list(1, [apdu.Target(1, RELAY, 2)], [axdr.uint8(1)]),
    "action list": lambda: apdu.action_list(1, [apdu.Target(70, RELAY, 1)], [None]),
    "action next": lambda: apdu.action_next(1, 1),
    "change secret": lambda: apdu.action_request(1, 15, HLS_REPLY[1], 2, axdr.octets(bytes(16))),
    "reply to HLS of another association": lambda: apdu.action_request(1, 15, bytes(6), 1, axdr.octets(bytes(17))),
    "first block of a long action": lambda: apdu.first_block(
        apdu.ACTION_REQUEST, 1, [apdu.Target(70, RELAY, 1)], listed=False, block=apdu.DataBlock(True, 1, b"\x0f\x00")
    ),
    "next block of a long set": lambda: apdu.next_block(apdu.SET_REQUEST, 1, apdu.DataBlock(True, 2, b"\x0f\x00")),
    "general block with data": lambda: apdu.general_block(
        apdu.GeneralBlock(True, False, 1, 1, 0, apdu.action_request(1, 70, RELAY, 1, axdr.int8(0)))
    ),
    "access-request": lambda: b"\xd9" + bytes(20),
    "get of an unknown kind": lambda: b"\xc0\x07\xc1" + bytes(10),
}


def ways(plain: bytes) -> dict[str, bytes]:
    """One APDU as it is and under every ciphering."""
    cipher, dedicated = Cipher(EK, AK), Cipher(bytes(16), AK)
    content, under = cipher.seal(0x30, TITLE, 5, plain), dedicated.seal(0x30, TITLE, 6, plain)
    made = {
        "plain": plain,
        "general-glo": security.wrap_general(security.GENERAL_GLO, TITLE, content),
        "general-ded": security.wrap_general(security.GENERAL_DED, TITLE, under),
    }
    if plain[0] in security.GLO:
        made |= {
            "glo": security.wrap(security.GLO[plain[0]], content),
            "ded": security.wrap(security.DED[plain[0]], under),
        }
    return made


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("hdlc", [False, True])
def test_nothing_but_reads_becomes_bytes(name: str, hdlc: bool) -> None:
    for way, message in ways(WRITES[name]()).items():
        closed = gate(dedicated=bytes(16), hdlc=hdlc)
        with pytest.raises(NotARead):
            closed.send(48, 1, message)
        assert closed.outgoing() + closed.poll() + closed.repeat() == b"", way


@pytest.mark.parametrize("hidden", [0xC8, 0xDB])
def test_a_write_does_not_hide_behind_the_tag_of_a_read(hidden: int) -> None:
    content = Cipher(EK, AK).seal(0x30, TITLE, 5, WRITES["disconnect"]())
    wrapped = security.wrap_general(hidden, TITLE, content) if hidden == 0xDB else security.wrap(hidden, content)
    other = security.wrap(0xC8, Cipher(HLS_KEY, AK).seal(0x30, TITLE, 5, apdu.get_request(1, 1, RELAY, 2)))
    # Nor a read behind the tag of a write: what no meter takes is no business of a probe.
    turned = security.wrap(0xCB, Cipher(EK, AK).seal(0x30, TITLE, 5, apdu.get_request(1, 1, RELAY, 2)))
    for message in (wrapped, other, turned):
        with pytest.raises(NotARead):
            gate().send(48, 1, message)


def test_reads_and_one_hls_reply_go_out() -> None:
    open_gate = gate(dedicated=bytes(16))
    reads = [
        apdu.get_request(1, 70, RELAY, 2),
        apdu.get_list(1, [apdu.Target(70, RELAY, 2)]),
        apdu.get_next(1, 3),
    ]
    for plain in reads:
        for message in ways(plain).values():
            assert open_gate.send(48, 1, message).endswith(message)
    for plain in (acse.rlrq(), apdu.general_block(apdu.GeneralBlock(True, False, 1, 1, 0, b""))):
        assert open_gate.send(48, 1, plain)
    reply = apdu.action_request(1, *HLS_REPLY, axdr.octets(bytes(17)))
    assert open_gate.send(48, 1, ways(reply)["glo"])
    with pytest.raises(NotARead):
        open_gate.send(48, 1, ways(reply)["glo"])
    with pytest.raises(NotARead):
        gate(hls=False).send(48, 1, reply)


@given(noise=st.binary(min_size=1, max_size=60))
def test_noise_goes_out_only_as_what_is_listed(noise: bytes) -> None:
    try:
        gate().send(48, 1, noise)
    except NotARead:
        return
    assert noise[0] in (acse.AARQ, acse.RLRQ, apdu.GET_REQUEST, apdu.GENERAL_BLOCK_TRANSFER) or noise[0] == 0xC3


def test_a_write_through_an_open_session_reaches_no_wire(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        host, _, port = meter.address.rpartition(":")
        with session((host, int(port)), read_file(strange_file(tmp_path)), timeout=5) as opened:
            client: ClientAssociation = opened._client
            before = len(meter.received)
            for write_it in (
                lambda: client.action(70, RELAY, 1, axdr.int8(0)),
                lambda: client.set(1, bytes((0, 0, 96, 128, 0, 255)), 2, axdr.uint8(9)),
                lambda: client.action_list([apdu.Target(70, RELAY, 1)], [None]),
                lambda: client.set_list([apdu.Target(1, RELAY, 2)], [axdr.uint8(1)]),
            ):
                with pytest.raises(NotARead):
                    write_it()
            assert opened.get(1, bytes((0, 0, 96, 128, 0, 255)), 2) == b"\x11\x03"
            assert len(meter.received) == before + 1
        assert meter.meter.values["mode", 2] == 3


# --- counters ---------------------------------------------------------------------------------------------------------


def used(meter: StrangeMeter) -> list[int]:
    """Counters of the ciphered APDUs that a meter received from client 48."""
    return [
        int.from_bytes(security.unwrap(data[8:])[1:5], "big")
        for data in meter.received
        if data[2:4] == b"\x00\x30" and data[8] in (0xC8, 0xCB)
    ]


def kept(file: Path) -> Any:
    return json.loads(file.with_name(file.name + ".counter").read_text())["next"]


def test_counters_rise_from_what_the_meter_tells_and_never_repeat(tmp_path: Path) -> None:
    file = strange_file(tmp_path)
    with StrangeMeter(counter=41) as meter:
        for _ in range(3):
            assert ask(meter.address, "--meter", str(file), "clock").refusal is None
        spent = used(meter)
        assert min(spent) > 41
        assert len(spent) == len(set(spent)) == 6
        assert spent == sorted(spent)
        assert kept(file) > max(spent)
    assert file.with_name(file.name + ".counter").stat().st_mode & 0o777 == 0o600


def test_a_meter_that_tells_a_lower_counter_is_not_followed(tmp_path: Path) -> None:
    file = strange_file(tmp_path)
    with StrangeMeter(counter=9_000) as meter:
        ask(meter.address, "--meter", str(file), "clock")
        first = used(meter)
    with StrangeMeter(counter=5) as meter:
        ask(meter.address, "--meter", str(file), "clock")
        assert min(used(meter)) > max(first)


def test_a_counter_in_the_file_is_never_taken_below_what_was_used(tmp_path: Path) -> None:
    file = strange_file(tmp_path, counter=500)
    with StrangeMeter() as meter:
        ask(meter.address, "--meter", str(file), "clock")
        ask(meter.address, "--meter", str(file), "clock")
        spent = used(meter)
        assert min(spent) >= 500
        assert len(spent) == len(set(spent))
        # Nobody asked the public client.
        assert not any(data[2:4] == b"\x00\x10" for data in meter.received)


def test_the_block_is_on_disk_before_its_first_counter_is_used(tmp_path: Path) -> None:
    file = strange_file(tmp_path, counter=100)
    seen: list[int] = []

    def look(reply: bytes) -> bytes | None:
        seen.append(kept(file))
        return None

    with StrangeMeter(bent=look) as meter:
        assert isinstance(ask(meter.address, "--meter", str(file), "clock").refusal, MeterSilent)
    assert seen == [100 + BLOCK]
    # What was sent and not answered counts as used.
    assert kept(file) == 101


def test_a_crash_gives_nothing_back(tmp_path: Path) -> None:
    path = tmp_path / "x.toml.counter"
    crash = (
        "import os, sys; from pathlib import Path; from bahal.entry.verbs.probe.counters import held\n"
        "with held(Path(sys.argv[1])) as state, state.reserve(7): os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", crash, str(path)], check=False)
    assert ended.returncode == 9
    with held(path) as state:
        assert state.next == 7 + BLOCK


def test_two_probes_do_not_share_counters(tmp_path: Path) -> None:
    file = strange_file(tmp_path, counter=1)
    with held(file.with_name(file.name + ".counter")):
        refused = ask("127.0.0.1:9", "--meter", str(file), "clock").refusal
    assert isinstance(refused, CounterBusy)


@pytest.mark.parametrize(
    "text", ["{", "7", '{"next": -1}', '{"next": true}', '{"next": 4294967297}', '{"last": 7}', "\x00"]
)
def test_a_counter_file_that_says_nothing_clear(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.counter"
    path.write_text(text)
    with pytest.raises(CounterFileWrong), held(path):
        raise AssertionError


def test_counters_told_without_proof_are_believed_only_so_far(tmp_path: Path) -> None:
    path = tmp_path / "x.counter"
    with held(path) as state:
        assert state.believe(FIRST_LIMIT - 1) == FIRST_LIMIT
        with pytest.raises(CounterJumps):
            state.believe(FIRST_LIMIT)
        with state.reserve(1_000) as reserved:
            reserved.used = 1_010
        assert state.believe(3) == 1_010
        assert state.believe(1_009 + JUMP_LIMIT) == 1_010 + JUMP_LIMIT
        with pytest.raises(CounterJumps):
            state.believe(1_010 + JUMP_LIMIT)
        with pytest.raises(CounterSpent), state.reserve((1 << 32) - BLOCK + 1):
            raise AssertionError
    assert counters.BLOCK > 10_000


def test_a_forged_counter_does_not_lock_us_out(tmp_path: Path) -> None:
    file = strange_file(tmp_path)
    with StrangeMeter(counter=41) as meter:
        ask(meter.address, "--meter", str(file), "clock")
    before = kept(file)
    with StrangeMeter(counter=41 + 2 * JUMP_LIMIT) as meter:
        assert isinstance(ask(meter.address, "--meter", str(file), "clock").refusal, CounterJumps)
        assert used(meter) == []
    assert kept(file) == before


def test_a_meter_that_tells_no_counter(tmp_path: Path) -> None:
    file = strange_file(tmp_path, counter_object="0.0.43.1.99.255")
    with StrangeMeter() as meter:
        assert isinstance(ask(meter.address, "--meter", str(file), "clock").refusal, CounterUnknown)
        file.write_text(file.read_text() + "counter = 70\n")
        assert ask(meter.address, "--meter", str(file), "clock").refusal is None
        strange_file(tmp_path, counter_object="0.0.43.1.99.255")
        assert ask(meter.address, "--meter", str(file), "clock").refusal is None
        strange_file(tmp_path, counter_object="0.0.128.0.7.255")
        assert isinstance(ask(meter.address, "--meter", str(file), "clock").refusal, CounterUnknown)


# --- no secret is printed ---------------------------------------------------------------------------------------------


def spellings(secret: bytes) -> list[str]:
    """How a secret could stand in a text."""
    found = [secret.hex(), secret.hex(" "), repr(secret)[2:-1], str(list(secret))[1:-1]]
    return found + ([secret.decode()] if secret.isascii() else [])


def assert_silent(text: str, *more: bytes) -> None:
    """No secret in it, in any spelling or case."""
    for secret in (*SECRETS, *more):
        for spelt in spellings(secret):
            assert spelt.lower() not in text.lower()


@pytest.mark.parametrize("ciphering", ["glo", "ded", "general-glo", "general-ded"])
@pytest.mark.parametrize("mechanism", ["hls2", "hls5"])
def test_no_output_of_hls_holds_a_secret(
    tmp_path: Path, ciphering: str, mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bytes] = []
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: drawn.append(real(size)) or drawn[-1])  # type: ignore[func-returns-value]

    def look(reply: bytes) -> bytes:
        if reply[8:9] == bytes((acse.AARE,)):
            drawn.append(acse.parse_aare(reply[8:]).authentication)
        return reply

    with StrangeMeter(quirks=Quirks(hls_mechanism=int(mechanism[3])), bent=look) as meter:
        file = strange_file(tmp_path, ciphering=ciphering, mechanism=mechanism, hls_key=HLS_KEY.hex())
        for words in (["objects"], ["profile", "1.0.99.128.0.255"], ["get", "1", "0.0.128.0.7.255", "2"], ["clock"]):
            for shape in ([], ["--json"]):
                told = ask(meter.address, "--meter", str(file), "--trace", *words, *shape)
                assert told.refusal is None
                # Neither keys nor what was drawn: dedicated keys, the meter's challenges, and ours as the meter got it.
                asked = [acse.parse_aarq(data[8:]) for data in meter.received if data[8] == acse.AARQ]
                challenges = [each.authentication for each in asked if each.authentication]
                assert challenges
                assert_silent(told.out + told.err, *challenges, *(each for each in drawn if each))
                assert "-> AARQ" in told.err
                assert "bytes of challenge not shown" in told.err
    assert any(len(each) == 16 for each in drawn)


def test_no_output_of_lls_holds_a_secret(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        good: dict[str, object] = {"client": 32, "mechanism": "lls", "security": 0x20, "counter": 3}
        file = strange_file(tmp_path, **good, password=PASSWORD.decode())
        told = ask(meter.address, "--meter", str(file), "--trace", "objects")
        assert_silent(told.out + told.err)
        assert f"{len(PASSWORD)} bytes of authentication not shown" in told.err
        wrong = strange_file(tmp_path, **good, password=PASSWORD.decode() + "!")
        refused = ask(meter.address, "--meter", str(wrong), "--trace", "objects")
        assert isinstance(refused.refusal, MeterRefusesUs)
        assert_silent(refused.err + str(refused.refusal.as_json()))


def test_the_secret_of_an_association_is_not_traced() -> None:
    lines: list[str] = []
    trace = Trace(lines.append, Veil(()))
    asked = apdu.get_request(1, 15, HLS_REPLY[1], 7)
    trace.seen(True, asked, asked)
    answer = apdu.get_response(1, axdr.octets(HLS_KEY))
    trace.seen(False, answer, answer)
    assert_silent("\n".join(lines))
    assert "bytes not shown" in lines[1]


def test_the_veil_lies_over_every_spelling() -> None:
    veil = Veil([EK, PASSWORD, b"abc"])
    text = veil.over(f"{EK.hex()} {EK.hex().upper()} {EK.hex(' ')} {PASSWORD.decode()} abc")
    assert_silent(text)
    assert text.count(HIDDEN) == 4
    # Too short to be told from ordinary text.
    assert text.endswith("abc")


@given(noise=st.binary(min_size=1, max_size=80), outward=st.booleans())
def test_a_trace_says_something_of_anything(noise: bytes, outward: bool) -> None:
    lines: list[str] = []
    trace = Trace(lines.append, Veil(SECRETS))
    trace.seen(outward, noise, noise)
    trace.seen(outward, noise, None)
    opener = Opener(0x30, Cipher(EK, AK), b"")
    try:
        trace.seen(outward, noise, opener.plain(noise, METER_TITLE))
    except DlmsError:
        lines.append("refused")
    assert len(lines) == 3
    assert all(lines)


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"client": "48"}, "client"),
        ({"client": 0}, "client"),
        ({"client": True}, "client"),
        ({"server": 70_000}, "server"),
        ({"transport": "serial"}, "transport"),
        ({"mechanism": "hls7"}, "mechanism"),
        ({"mechanism": 7}, "mechanism"),
        ({"mechanism": True}, "mechanism"),
        ({"security": 0x40}, "security"),
        ({"ciphering": "both"}, "ciphering"),
        ({"ek": EK.hex()[:-2]}, "ek"),
        ({"ek": EK.hex()[:-1]}, "ek"),
        ({"ek": 7}, "ek"),
        ({"ek": None}, "ek"),
        ({"ak": None}, "ak"),
        ({"title": None}, "title"),
        ({"title": "BHL00001"}, "title"),
        ({"mechanism": "hls2"}, "hls_key"),
        ({"mechanism": "lls"}, "password"),
        ({"mechanism": "lls", "password_hex": "7"}, "password_hex"),
        ({"password": 1234}, "password"),
        ({"make": "acme"}, "make"),
        ({"quirks": {"challenge_length": "8"}}, "quirks.challenge_length"),
        ({"counter": -1}, "counter"),
        ({"counter_object": "0.0.43"}, "counter_object"),
        ({"client": 49}, "counter_object"),
        ({"max_pdu": 63}, "max_pdu"),
        ({"security": 0, "mechanism": "none", "ciphering": "ded"}, "ciphering"),
        ({"transport": "hdlc", "client": 200}, "client"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_key(tmp_path: Path, changed: dict[str, object], key: str) -> None:
    refused = ask("127.0.0.1:9", "--meter", str(strange_file(tmp_path, **changed)), "clock").refusal
    assert isinstance(refused, FileKeyWrong)
    assert refused.data["key"] == key
    assert refused.exit_code == 2
    assert_silent(str(refused.as_json()))


def test_unknown_keys_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    refused = ask("127.0.0.1:9", "--meter", str(strange_file(tmp_path, passwort="x")), "clock").refusal
    assert isinstance(refused, FileKeyUnknown)
    assert refused.data["key"] == "passwort"
    assert refused.data["known"] == ", ".join(KEYS)
    for text in (refused.text("en"), refused.text("hi")):
        assert "passwort" in text
        assert "hls_key" in text
    quirk = ask("127.0.0.1:9", "--meter", str(strange_file(tmp_path, quirks={"make": "x"})), "clock").refusal
    assert isinstance(quirk, FileKeyUnknown)
    assert quirk.data == {"file": str(tmp_path / "strange.toml"), "key": "quirks.make", "known": ", ".join(QUIRK_KEYS)}


def test_a_file_that_cannot_be_read_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'ek = "{EK.hex()}\nak = {AK.hex()}\n')
    for refused in (
        ask("127.0.0.1:9", "--meter", str(path)).refusal,
        ask("127.0.0.1:9", "--meter", str(tmp_path / "none.toml")).refusal,
    ):
        assert isinstance(refused, FileUnreadable)
        assert_silent(str(refused.as_json()))
    path.write_bytes(b"\xff\xfe")
    assert isinstance(ask("127.0.0.1:9", "--meter", str(path)).refusal, FileUnreadable)


def test_a_make_brings_its_mechanism_and_ciphering_and_quirks_bend_it(tmp_path: Path) -> None:
    made = read_file(strange_file(tmp_path, make="shivnath", mechanism="hls", hls_key=HLS_KEY.hex()))
    assert made.mechanism == 2
    assert made.quirks.lenient_duplicate
    bent = read_file(strange_file(tmp_path, make="kharun", quirks={"rlrq_allowed": False}))
    assert bent.quirks.general_ciphering
    assert not bent.quirks.rlrq_allowed
    assert_silent(repr(made))


def test_the_template_is_a_file_with_every_line_known(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    write_template(path, meter="M1", note="two\nlines", make="arpa")
    with pytest.raises(FileKeyWrong) as refused:
        read_file(path)
    assert refused.value.data["key"] == "password"
    text = path.read_text()
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 11
    assert set(re.findall(r"^(\w+) =", text, re.MULTILINE)) <= set(KEYS)
    filled = text.replace('password = ""', 'password = "x"').replace('ek = ""', f'ek = "{EK.hex()}"')
    write(path, {})
    path.write_text(filled)
    assert read_file(path).quirks.make == "arpa"


def test_the_documentation_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "probe.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in text and f"[{key}]" not in text] == []


def test_every_refusal_speaks_both_languages() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = ask(f"127.0.0.1:{listener.getsockname()[1]}", "--timeout", "0.1")
    assert isinstance(told.refusal, Refusal)
    assert told.refusal.text("hi") != told.refusal.text("en")

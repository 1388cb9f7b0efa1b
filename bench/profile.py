"""A day of load profile from ciphertext to columns: 48 rows of a clock and six registers (IS 15959 block load).

The clock runs on what comes out of the association, a glo-get-response of one meter under its own key: length and
security control, decryption with the meter's kept cipher (and the tag's check under 0x30), the response's head, then
``bahal.dlms.columns`` to seven arrays of 48. One profile at a time, and the profiles of many meters of one make decoded
together; both as encryption only (0x20, India's reading client) and authenticated and encrypted (0x30).

All meters capture at the same 48 moments, as a circle's do, and the decoder remembers such a clock column; "clocks
never seen" gives every profile a day of its own, more of them than are remembered. Beside it the same through the whole
``ClientAssociation``, GET for GET, in one APDU and in blocks of 1,000 bytes. CPU time of this process. The peer is
measured in the same minute by its own script in its own process and environment, to its own list of column values.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bahal.dlms import acse, apdu, axdr, clock, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Got, Opened
from bahal.dlms.columns import Capture, ProfileDecoder, compile_profile, types_of
from bahal.dlms.india import IST, single_phase
from bahal.dlms.objects.profile import BufferWriter
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import frame
from bench.figures import closing, median_of

RUNS = 9
METERS = 256
ROUNDS = 8
GOAL_PER_S = 40_000
WANTED_RATIO = 30.0
BLOCK = 1_000

PEERS = {"dlms-cosem": "dlms-cosem 21.3.2", "dlms-cosem-25": "dlms-cosem 25.1"}

PROFILE = single_phase()["block_profile"]
CAPTURES = tuple(Capture(each.source.interface.id, each.source.ln, each.attribute) for each in PROFILE.columns)
ROWS = 48
CLIENT_SAP = 32
CLIENT_TITLE = b"BHL\x00\x00\x00\x00\x01"
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
MIDNIGHT = datetime(2025, 11, 24, tzinfo=IST)


def day(meter: int, date: int = 0) -> bytes:
    """The buffer of one meter's day, so many days after the first."""
    rows = [
        (
            clock.encode(MIDNIGHT + timedelta(days=date, minutes=30 * n + 30)),
            23_000 + (meter * 7 + n) % 900,
            (meter * 13 + n * 31) % 900,
            (meter * 13 + n * 33) % 990,
            0,
            0,
            (meter + n) % 5_000,
        )
        for n in range(ROWS)
    ]
    return BufferWriter(PROFILE.columns).write(rows)


class Meter:
    """One meter's key, title and counter; the reader's kept cipher is the same object."""

    def __init__(self, number: int) -> None:
        self.title = b"ARP" + number.to_bytes(5, "big")
        self.cipher = Cipher(number.to_bytes(16, "big"), AUTHENTICATION_KEY)
        self.counter = 1_000

    def seal(self, control: int, plain: bytes, tag: int = 0xCC) -> bytes:
        """A ciphered APDU of this meter."""
        self.counter += 1
        return security.wrap(tag, self.cipher.seal(control, self.title, self.counter, plain))


def opened(control: int, meter: Meter, message: bytes) -> bytes:
    """The buffer within one glo-get-response."""
    if message[0] != 0xCC:
        raise SystemExit("not a glo-get-response")
    _, plain = meter.cipher.open(control, meter.title, security.unwrap(message))
    if plain[:2] != b"\xc4\x01" or plain[3]:
        raise SystemExit("not a GET response with data")
    return plain[4:]


def singly(decoder: ProfileDecoder, control: int, meters: list[Meter], messages: list[bytes]) -> None:
    """Every message decrypted and decoded by itself."""
    decode = decoder.decode
    for meter, message in zip(meters, messages, strict=True):
        decode(opened(control, meter, message))


def together(decoder: ProfileDecoder, control: int, meters: list[Meter], messages: list[bytes]) -> None:
    """Every message decrypted by itself, all decoded at once."""
    batch = decoder.decode_batch(
        [opened(control, meter, message) for meter, message in zip(meters, messages, strict=True)]
    )
    if batch.columns.count != ROWS * len(messages):
        raise SystemExit("a batch came apart")


def check(decoder: ProfileDecoder, control: int, meters: list[Meter], messages: list[bytes]) -> None:
    """Both ways give what the generic decoder gives."""
    buffers = [opened(control, meter, message) for meter, message in zip(meters, messages, strict=True)]
    batch = decoder.decode_batch(buffers)
    for n, buffer in enumerate(buffers):
        rows = axdr.decode(buffer)
        assert isinstance(rows, list)
        for columns in (decoder.decode(buffer), batch[n]):
            times = [int(clock.decode(row[0], zone=IST).timestamp()) for row in rows]  # type: ignore[index,arg-type]
            found = [columns.times.tolist() if columns.times is not None else None]
            found += [each.tolist() for each in columns.values[1:]]  # type: ignore[union-attr]
            wanted = [times, *([row[place] for row in rows] for place in range(1, 7))]  # type: ignore[index]
            if found != wanted:
                raise SystemExit("columns differ from the generic decoder")


def per_second(run: Callable[[], None], count: int) -> list[float]:
    """Profiles per second of CPU, one figure a run."""
    run()
    figures = []
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(ROUNDS):
            run()
        figures.append(count * ROUNDS / (time.process_time() - begun))
    return figures


def _frames(control: int, meter: Meter, buffer: bytes, block: int) -> Iterator[bytes]:
    """A meter's half of an LLS association: AARE, then the same day without end, in blocks if `block` is not 0."""
    response = acse.initiate_response(conformance=acse.CLIENT_CONFORMANCE, max_pdu=0xFFFF)
    aare = acse.aare(
        context=acse.CONTEXT_CIPHERED,
        result=acse.ACCEPTED,
        diagnostic=acse.DIAGNOSTIC_NULL,
        title=meter.title,
        initiate=meter.seal(control, response, 0x28),
    )
    yield frame(1, CLIENT_SAP, aare)
    invoke = 0
    while True:
        invoke = invoke + 1 & 0x0F
        if not block:
            yield frame(1, CLIENT_SAP, meter.seal(control, apdu.get_response(invoke, buffer)))
            continue
        for number, at in enumerate(range(0, len(buffer), block), start=1):
            plain = apdu.get_response_block(
                invoke, last=at + block >= len(buffer), number=number, raw=buffer[at : at + block]
            )
            yield frame(1, CLIENT_SAP, meter.seal(control, plain))


def associated(decoder: ProfileDecoder, control: int, block: int, count: int) -> float:
    """Profiles per second of CPU through one association, replies made beforehand."""
    meter = Meter(1)
    buffer = day(1)
    source = _frames(control, meter, buffer, block)
    pieces = -(-len(buffer) // block) if block else 1
    client = ClientAssociation(
        client_sap=CLIENT_SAP,
        mechanism=security.MECHANISM_LLS,
        security_control=control,
        system_title=CLIENT_TITLE,
        meter_title=meter.title,
        cipher=meter.cipher,
        secret=b"reading",
        counter=1,
        counter_end=1 + count * (pieces + 1),
        max_pdu=0xFFFF,
    )
    client.open()
    (event,) = client.receive(next(source))
    assert isinstance(event, Opened)
    replies = [[next(source) for _ in range(pieces)] for _ in range(count)]
    begun = time.process_time()
    for each in replies:
        client.get(7, PROFILE.ln, 2)
        for part in each:
            events = client.receive(part)
            client.outgoing()
        (got,) = events
        assert isinstance(got, Got)
        decoder.decode(got.data)
    return count / (time.process_time() - begun)


def reference(environment: str) -> dict[str, float] | None:
    """What a peer measured of itself in microseconds a profile, by security control; None where it is not installed."""
    top = Path(__file__).resolve().parent
    folder = Path(os.environ.get("BAHAL_PEERS") or top.parent / "var" / "peers")
    interpreter = folder / environment / "bin" / "python"
    if not interpreter.exists():
        return None
    finished = subprocess.run(
        [interpreter, "-I", top / "peers" / "dlms_cosem_profile.py"],
        input=json.dumps(
            {"buffer": day(1).hex(), "captures": [(c.class_id, list(c.ln), c.attribute) for c in CAPTURES]}
        ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if finished.returncode:
        print(f"{environment}: {finished.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    told: dict[str, float] = json.loads(finished.stdout.strip().splitlines()[-1])
    return told


def main() -> None:
    """Print the runs, the peers and the closing JSON line."""
    decoder = compile_profile(CAPTURES, types_of(PROFILE.columns), zone=IST, period_s=PROFILE.period)
    meters = [Meter(n) for n in range(METERS)]
    print(f"{ROWS} rows of {len(CAPTURES)} values, {len(day(0))} bytes; {METERS} meters, each with its own key")
    figures: dict[str, float] = {}
    for control in (0x20, 0x30):
        messages = [meter.seal(control, apdu.get_response(1, day(n))) for n, meter in enumerate(meters)]
        check(decoder, control, meters, messages)
        for name, way in (("one at a time", singly), (f"batches of {METERS}", together)):
            runs = per_second(lambda way=way, c=control, m=messages: way(decoder, c, meters, m), METERS)  # type: ignore[misc]
            figures[f"0x{control:02X} {name}"] = median_of(
                f"0x{control:02X}, {name}", runs, unit="profiles/s", digits=0
            )
        strangers = [meter.seal(control, apdu.get_response(1, day(n, n))) for n, meter in enumerate(meters * 4)]
        runs = per_second(lambda c=control, m=strangers: singly(decoder, c, meters * 4, m), len(strangers))  # type: ignore[misc]
        figures[f"0x{control:02X} one at a time, clocks never seen"] = median_of(
            f"0x{control:02X}, one at a time, clocks never seen", runs, unit="profiles/s", digits=0
        )
        for name, block in (("one APDU", 0), (f"blocks of {BLOCK}", BLOCK)):
            runs = [associated(decoder, control, block, 1_000) for _ in range(RUNS)]
            figures[f"0x{control:02X} association, {name}"] = median_of(
                f"0x{control:02X}, whole association, {name}", runs, unit="profiles/s", digits=0
            )
    value = min(figures[f"0x{control:02X} batches of {METERS}"] for control in (0x20, 0x30))
    alone = min(figures[f"0x{control:02X} one at a time"] for control in (0x20, 0x30))
    peers: dict[str, dict[str, float]] = {}
    for environment, title in PEERS.items():
        told = reference(environment)
        if told is None:
            print(f"{title}: not measured (make peers installs it)")
            continue
        us = told["us"]
        peers[title] = {
            "us": round(us, 1),
            "ratio": round(value * us / 1e6, 1),
            "ratio_one_at_a_time": round(alone * us / 1e6, 1),
        }
        print(
            f"{title}: {us:.0f} us/profile under 0x30, {peers[title]['ratio']} times ours in batches, "
            f"{peers[title]['ratio_one_at_a_time']} times ours one at a time, at least {WANTED_RATIO:.0f} wanted"
        )
    ratio = min((each["ratio"] for each in peers.values()), default=None)
    closing(
        "profile",
        round(value),
        "profiles/s",
        reference=min(peers, key=lambda title: peers[title]["us"]) if peers else None,
        ratio=ratio,
        goal=GOAL_PER_S,
        met=len(peers) == len(PEERS) and value >= GOAL_PER_S and (ratio or 0) >= WANTED_RATIO,
        one_at_a_time=round(alone),
        figures={name: round(figure) for name, figure in figures.items()},
        peers=peers,
    )


if __name__ == "__main__":
    main()

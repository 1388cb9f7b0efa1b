"""Client CPU of one session with a meter, in memory: six round trips under HLS 5, authenticated and encrypted.

AARQ, HLS passes 3 and 4, GET of a register, disconnect ACTION, GET of the relay's output_state, RLRQ; all through the
product's own ``ClientAssociation``, keys expanded anew in every session.  The meter's replies are made once beforehand,
so that only the client's work is on the clock (CPU time of this process).  Peers are measured in the same minute, each
by its own script in its own process and environment; a peer that is not installed is left out and said so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Got, Opened, Released
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import HEADER_LENGTH, frame

RUNS = 9
SESSIONS = 2_000
GOAL_US = 100.0


class Peer(NamedTuple):
    """An independent client: its environment as `make peers` lays it, what it is, how many times faster we must be."""

    environment: str
    title: str
    wanted: float


PEERS = {
    "dlms_cosem": Peer("dlms-cosem-25", "dlms-cosem 25.1", 8.0),
    "gurux": Peer("gurux-dlms", "gurux-dlms", 150.0),
}

ENCRYPTION_KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
CLIENT_TITLE = b"MMM\x00\x00\x00\x00\x01"
METER_TITLE = b"MMM\x00\x00\xbc\x61\x4e"
CHALLENGE = b"K56iVagYK56iVagY"
METER_CHALLENGE = b"P6wRJ21FP6wRJ21F"
CLIENT_SAP = 48
ENERGY = bytes((1, 0, 1, 8, 0, 255))
RELAY = bytes((0, 0, 96, 3, 10, 255))


def _challenge(size: int) -> bytes:
    """The fixed challenge that the replies answer, at the price of a random one."""
    os.urandom(size)
    return CHALLENGE[:size]


def _association() -> ClientAssociation:
    return ClientAssociation(
        client_sap=CLIENT_SAP,
        mechanism=security.MECHANISM_HLS_GMAC,
        security_control=security.AUTHENTICATED_ENCRYPTED,
        system_title=CLIENT_TITLE,
        meter_title=METER_TITLE,
        cipher=Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY),
        counter=1_000,
        counter_end=1_016,
        last_meter_counter=70_000,
        random=_challenge,
    )


def replies() -> tuple[bytes, ...]:
    """What a faultless meter answers to this session, framed."""
    cipher = Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY)
    counter = 70_001

    def seal(tag: int, plain: bytes) -> bytes:
        nonlocal counter
        counter += 1
        return security.wrap(tag, cipher.seal(security.AUTHENTICATED_ENCRYPTED, METER_TITLE, counter, plain))

    response = acse.initiate_response(conformance=acse.CLIENT_CONFORMANCE, max_pdu=1024)
    aare = acse.aare(
        context=acse.CONTEXT_CIPHERED,
        result=acse.ACCEPTED,
        diagnostic=acse.DIAGNOSTIC_AUTHENTICATION_REQUIRED,
        title=METER_TITLE,
        mechanism=security.MECHANISM_HLS_GMAC,
        authentication=METER_CHALLENGE,
        initiate=seal(0x28, response),
    )
    proof = cipher.gmac_answer(METER_TITLE, counter + 100, CHALLENGE)
    answers = (
        aare,
        seal(0xCF, apdu.action_response(1, apdu.SUCCESS, axdr.octets(proof))),
        seal(0xCC, apdu.get_response(2, axdr.uint32(1_234_567))),
        seal(0xCF, apdu.action_response(3, apdu.SUCCESS)),
        seal(0xCC, apdu.get_response(4, axdr.boolean(False))),
        acse.rlre(initiate=seal(0x28, response)),
    )
    return tuple(frame(1, CLIENT_SAP, answer) for answer in answers)


def session(answers: tuple[bytes, ...]) -> None:
    """One whole session; fails unless every step ended as it should."""
    association = _association()
    receive = association.receive
    association.open()
    receive(answers[0])
    association.outgoing()
    (opened,) = receive(answers[1])
    association.get(3, ENERGY, 2)
    (energy,) = receive(answers[2])
    association.action(70, RELAY, 1, b"\x0f\x00")
    (done,) = receive(answers[3])
    association.get(70, RELAY, 2)
    (relay,) = receive(answers[4])
    association.release()
    (released,) = receive(answers[5])
    if not (
        isinstance(opened, Opened)
        and isinstance(energy, Got)
        and energy.value == 1_234_567
        and isinstance(done, ActionDone)
        and done.result == apdu.SUCCESS
        and isinstance(relay, Got)
        and relay.value is False
        and isinstance(released, Released)
        and released.clean
    ):
        raise SystemExit("the session did not go as recorded")


def measure() -> list[float]:
    """Microseconds of CPU per session, one figure per run."""
    answers = replies()
    for _ in range(SESSIONS // 10):
        session(answers)
    figures: list[float] = []
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(SESSIONS):
            session(answers)
        figures.append((time.process_time() - begun) / SESSIONS * 1e6)
    return figures


def reference(name: str) -> dict[str, float] | None:
    """What a peer measured of itself, or None where it is not installed or did not run.

    Runs ``bench/peers/<name>_session.py`` with the interpreter of the peer's environment (under ``BAHAL_PEERS``, by
    default ``var/peers``) in a process of its own; the last line it prints holds ``us``,
    CPU per session, and may hold ``us_loggers_kept``, the same at its fastest.
    """
    top = Path(__file__).resolve().parent
    folder = Path(os.environ.get("BAHAL_PEERS") or top.parent / "var" / "peers")
    interpreter = folder / PEERS[name].environment / "bin" / "python"
    script = top / "peers" / f"{name}_session.py"
    if not interpreter.exists() or not script.exists():
        return None
    finished = subprocess.run([interpreter, script], capture_output=True, text=True, timeout=300, check=False)
    if finished.returncode:
        print(f"{name}: {finished.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    told = json.loads(finished.stdout.strip().splitlines()[-1])
    return {key: float(told[key]) for key in ("us", "us_loggers_kept") if key in told}


def main() -> None:
    """Print the runs, the peers and the closing JSON line."""
    figures = measure()
    value = statistics.median(figures)
    octets = sum(len(answer) - HEADER_LENGTH for answer in replies())
    print(f"6 round trips, {octets} bytes of APDUs received, {SESSIONS} sessions a run")
    print("runs us/session:", " ".join(f"{figure:.1f}" for figure in figures))
    print(f"median {value:.1f}, spread {min(figures):.1f} to {max(figures):.1f}")
    met = value <= GOAL_US
    measured: dict[str, dict[str, float]] = {}
    for name, peer in PEERS.items():
        told = reference(name)
        if told is None:
            print(f"{peer.title}: not measured (make peers installs it)")
            met = False
            continue
        us = told["us"]
        measured[peer.title] = {"us": round(us, 1), "ratio": round(us / value, 1)}
        if "us_loggers_kept" in told:
            least = told["us_loggers_kept"]
            measured[peer.title] |= {"us_loggers_kept": round(least, 1), "ratio_loggers_kept": round(least / value, 1)}
            print(f"{peer.title}, its loggers kept: {least:.0f} us/session, {least / value:.1f} times ours")
        met = met and us / value >= peer.wanted
        print(f"{peer.title}: {us:.0f} us/session, {us / value:.1f} times ours, at least {peer.wanted:.0f} wanted")
    first = PEERS["dlms_cosem"].title
    line = {
        "bench": "session",
        "value": round(value, 1),
        "unit": "us",
        "reference": first if first in measured else None,
        "ratio": measured[first]["ratio"] if first in measured else None,
        "goal": GOAL_US,
        "met": met,
        "peers": measured,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()

"""Client CPU of one session with gurux-dlms, for `bench.session` to compare with.

Runs with the interpreter of that peer's environment, which `make peers` lays; it imports nothing of Bahal. The same six
round trips as ours: AARQ, HLS pass 3, GET of the energy register, disconnect ACTION, GET of the relay's output_state,
RLRQ; HLS 5, authenticated and encrypted, services in their own glo forms; the same keys, titles, challenge lengths and
values; wrapper frames in and out; a new client object for each session, as ours. This library enciphers in pure Python
and does not compare the tag of what it deciphers, so it does a little less than ours.

The meter's replies are made once, before the clock starts, and handed out from memory: only the client is measured (CPU
time of this process). What the library prints as it works goes nowhere. Prints one JSON line.
"""

import gc
import json
import statistics
import sys
import time
from importlib.metadata import version

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.enums import Authentication, Command, Conformance, DataType, InterfaceType, Security
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXSecure import GXSecure
from gurux_dlms.objects import GXDLMSDisconnectControl, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

RUNS = 7
SESSIONS = 25

ENCRYPTION_KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
CLIENT_TITLE = b"MMM\x00\x00\x00\x00\x01"
METER_TITLE = b"MMM\x00\x00\xbc\x61\x4e"
CHALLENGE = b"K56iVagYK56iVagY"
METER_CHALLENGE = b"P6wRJ21FP6wRJ21F"
CLIENT_SAP, METER_SAP = 48, 1
ENERGY_WH = 1_234_567

ENERGY = GXDLMSRegister("1.0.1.8.0.255")
RELAY = GXDLMSDisconnectControl("0.0.96.3.10.255")


def element(tag, contents):
    """One BER element; none here is longer than 127 bytes."""
    return bytes((tag, len(contents))) + contents


def replies():
    """What a faultless meter answers, framed; enciphered by the library itself."""
    counter = 70_000

    def seal(command, plain):
        nonlocal counter
        counter += 1
        used = AesGcmParameter(command, METER_TITLE, ENCRYPTION_KEY, AUTHENTICATION_KEY)
        used.security = Security.AUTHENTICATION_ENCRYPTION
        used.invocationCounter = counter
        return bytes(GXCiphering.encrypt(used, plain))

    def initiate():
        plain = bytes.fromhex("0800065f1f040000101d04000007")
        return element(0xBE, element(0x04, seal(Command.GLO_INITIATE_RESPONSE, plain)))

    name = bytes.fromhex("6085740508")
    aare = element(0xA1, element(0x06, name + b"\x01\x03")) + element(0xA2, b"\x02\x01\x00")
    aare += element(0xA3, element(0xA1, b"\x02\x01\x0e")) + element(0xA4, element(0x04, METER_TITLE))
    aare += element(0x88, b"\x07\x80") + element(0x89, name + b"\x02\x05")
    aare += element(0xAA, element(0x80, METER_CHALLENGE)) + initiate()

    meter = client()
    proof = bytes(GXSecure.secure(meter.settings, meter.ciphering, 70_100, CHALLENGE, METER_TITLE))
    answers = (
        element(0x61, aare),
        seal(Command.GLO_METHOD_RESPONSE, b"\xc7\x01\xc1\x00\x01\x00" + element(0x09, proof)),
        seal(Command.GLO_GET_RESPONSE, b"\xc4\x01\xc1\x00\x06" + ENERGY_WH.to_bytes(4, "big")),
        seal(Command.GLO_METHOD_RESPONSE, b"\xc7\x01\xc1\x00\x00"),
        seal(Command.GLO_GET_RESPONSE, b"\xc4\x01\xc1\x00\x03\x00"),
        element(0x63, b"\x80\x01\x00" + initiate()),
    )
    sizes = (len(answer).to_bytes(2, "big") for answer in answers)
    head = (1).to_bytes(2, "big") + METER_SAP.to_bytes(2, "big") + CLIENT_SAP.to_bytes(2, "big")
    return tuple(head + size + answer for size, answer in zip(sizes, answers, strict=True))


def client():
    """A new client."""
    made = GXDLMSSecureClient(True, CLIENT_SAP, METER_SAP, Authentication.HIGH_GMAC, None, InterfaceType.WRAPPER)
    made.proposedConformance &= ~Conformance.GENERAL_PROTECTION
    made.useProtectedRelease = True
    ciphering = made.ciphering
    ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    ciphering.systemTitle = CLIENT_TITLE
    ciphering.blockCipherKey = ENCRYPTION_KEY
    ciphering.authenticationKey = AUTHENTICATION_KEY
    ciphering.invocationCounter = 1_000
    # The fixed challenge that the replies answer, at the price of a random one.
    GXSecure.generateChallenge()
    made.ctoSChallenge = CHALLENGE
    return made


def session(answers):
    """One whole session; fails unless every step ended as it should."""
    left = iter(answers)
    associated = client()

    def exchange(request):
        if not request:
            raise SystemExit("nothing to send")
        reply = GXReplyData()
        if not associated.getData(GXByteBuffer(next(left)), reply) or reply.error:
            raise SystemExit(f"refused: {reply.error}")
        return reply

    associated.parseAareResponse(exchange(associated.aarqRequest()).data)
    associated.parseApplicationAssociationResponse(exchange(associated.getApplicationAssociationRequest()).data)
    energy = exchange(associated.read(ENERGY, 2)).value
    exchange(associated.method(RELAY, 1, 0, DataType.INT8))
    relay = exchange(associated.read(RELAY, 2)).value
    released = exchange(associated.releaseRequest())
    if energy != ENERGY_WH or relay is not False or released.command != Command.RELEASE_RESPONSE:
        raise SystemExit("the session did not go as recorded")


def main():
    """Measure, and print one JSON line: `us` is the median of `runs`, in microseconds a session."""
    # The package gives the class the name of its module.
    sys.modules["gurux_dlms.GXDLMSChippering"].print = lambda *_: None
    answers = replies()
    session(answers)
    gc.collect()
    runs = []
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(SESSIONS):
            session(answers)
        runs.append((time.process_time() - begun) / SESSIONS * 1e6)
    told = {"us": round(statistics.median(runs), 1), "runs": [round(run, 1) for run in runs]}
    print(json.dumps(told | {"version": version("gurux-dlms")}))


if __name__ == "__main__":
    main()

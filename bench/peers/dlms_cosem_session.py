"""Client CPU of one session with dlms-cosem 25.1, for `bench.session` to compare with.

Runs with the interpreter of that peer's environment, which `make peers` lays; it imports nothing of Bahal. The same six
round trips as ours: AARQ, HLS pass 3, GET of the energy register, disconnect ACTION, GET of the relay's output_state,
RLRQ; HLS 5, authenticated and encrypted; the same keys, titles, challenge lengths and values; wrapper frames in and
out; a new client object for each session, as ours. This client knows ciphered services in their general-glo form only,
so each service APDU is some ten bytes longer than ours.

The meter's replies are made once, before the clock starts, and handed out from memory: only the client is measured (CPU
time of this process). Logging is off. `us` is what it costs with the level raised, which is how logging is switched
off; `us_loggers_kept` is the peer at its fastest, its loggers moreover kept after their first use.
"""

import gc
import json
import logging
import statistics
import time
from importlib.metadata import version

import structlog
from dlms_cosem import dlms_data, security, utils
from dlms_cosem import enumerations as enums
from dlms_cosem.client import DlmsClient
from dlms_cosem.cosem import CosemAttribute, CosemMethod, Obis
from dlms_cosem.io import TcpTransport
from dlms_cosem.protocol import acse, xdlms
from dlms_cosem.protocol.wrappers import WrapperHeader, WrapperProtocolDataUnit
from dlms_cosem.protocol.xdlms.conformance import Conformance

RUNS = 9
SESSIONS = 250

KEYS = {"key": bytes(range(16)), "auth_key": bytes(range(0xD0, 0xE0))}
CLIENT_TITLE = b"MMM\x00\x00\x00\x00\x01"
METER_TITLE = b"MMM\x00\x00\xbc\x61\x4e"
CHALLENGE = b"K56iVagYK56iVagY"
METER_CHALLENGE = b"P6wRJ21FP6wRJ21F"
CLIENT_SAP, METER_SAP = 48, 1
ENERGY_WH = 1_234_567

ENERGY = CosemAttribute(enums.CosemInterface.REGISTER, Obis(1, 0, 1, 8, 0, 255), 2)
RELAY = CosemAttribute(enums.CosemInterface.DISCONNECT_CONTROL, Obis(0, 0, 96, 3, 10, 255), 2)
DISCONNECT = CosemMethod(RELAY.interface, RELAY.instance, 1)
INTEGER_ZERO = b"\x0f\x00"


def replies():
    """What a faultless meter answers, framed."""
    counter = 70_000

    def seal(plain):
        nonlocal counter
        counter += 1
        used = security.SecurityControlField(0, authenticated=True, encrypted=True)
        text = security.encrypt(used, system_title=METER_TITLE, invocation_counter=counter, plain_text=plain, **KEYS)
        return used, counter, text

    def initiate():
        served = Conformance(general_protection=True, get=True, action=True)
        plain = xdlms.InitiateResponse(served, server_max_receive_pdu_size=1024).to_bytes()
        return acse.UserInformation(xdlms.GlobalCipherInitiateResponse(*seal(plain)))

    def service(plain):
        return xdlms.GeneralGlobalCipher(METER_TITLE, *seal(plain)).to_bytes()

    signed = security.SecurityControlField(0, authenticated=True, encrypted=False)
    proof = signed.to_bytes() + (70_100).to_bytes(4, "big")
    proof += security.gmac(signed, system_title=METER_TITLE, invocation_counter=70_100, challenge=CHALLENGE, **KEYS)
    aare = acse.ApplicationAssociationResponse(
        result=enums.AssociationResult.ACCEPTED,
        result_source_diagnostics=enums.AcseServiceUserDiagnostics.AUTHENTICATION_REQUIRED,
        ciphered=True,
        authentication=enums.AuthenticationMechanism.HLS_GMAC,
        system_title=METER_TITLE,
        authentication_value=METER_CHALLENGE,
        user_information=initiate(),
    )
    success = enums.ActionResultStatus.SUCCESS
    answers = (
        aare.to_bytes(),
        service(xdlms.ActionResponseNormalWithData(success, dlms_data.OctetStringData(proof).to_bytes()).to_bytes()),
        service(b"\xc4\x01\xc1\x00\x06" + ENERGY_WH.to_bytes(4, "big")),
        service(xdlms.ActionResponseNormal(success).to_bytes()),
        service(b"\xc4\x01\xc1\x00\x03\x00"),
        acse.ReleaseResponse(enums.ReleaseResponseReason.NORMAL, initiate()).to_bytes(),
    )
    return tuple(
        WrapperProtocolDataUnit(answer, WrapperHeader(METER_SAP, CLIENT_SAP, len(answer))).to_bytes()
        for answer in answers
    )


class Memory:
    """In place of a socket: takes a request, gives the next reply."""

    def __init__(self, answers):
        self.left = iter(answers)
        self.held = b""

    def connect(self):
        """There is nothing to connect."""

    def disconnect(self):
        """There is nothing to disconnect."""

    def send(self, data):
        """Take a request."""
        self.held = next(self.left)

    def recv(self, amount):
        """The next bytes of the reply."""
        part, self.held = self.held[:amount], self.held[amount:]
        return part


def session(answers):
    """One whole session; fails unless every step ended as it should."""
    authentication = security.HighLevelSecurityGmacAuthentication(challenge_length=len(CHALLENGE))
    # The fixed challenge that the replies answer; the price of a random one was paid just now.
    authentication.calling_authentication_value = CHALLENGE
    client = DlmsClient(
        transport=TcpTransport(CLIENT_SAP, METER_SAP, Memory(answers)),
        authentication=authentication,
        encryption_key=KEYS["key"],
        authentication_key=KEYS["auth_key"],
        client_system_title=CLIENT_TITLE,
        client_initial_invocation_counter=1_000,
        meter_initial_invocation_counter=70_000,
        max_pdu_size=1024,
    )
    client.associate()
    energy = utils.parse_as_dlms_data(client.get(ENERGY))
    client.action(DISCONNECT, INTEGER_ZERO)
    relay = utils.parse_as_dlms_data(client.get(RELAY))
    released = client.release_association()
    if energy != ENERGY_WH or relay is not False or not isinstance(released, acse.ReleaseResponse):
        raise SystemExit("the session did not go as recorded")


def measure(answers):
    """Microseconds a session, one figure a run."""
    for _ in range(SESSIONS // 10):
        session(answers)
    gc.collect()
    runs = []
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(SESSIONS):
            session(answers)
        runs.append(round((time.process_time() - begun) / SESSIONS * 1e6, 1))
    return runs


def main():
    """Print one JSON line: `us` is the median of `runs`, in microseconds a session."""
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    answers = replies()
    structlog.configure(wrapper_class=silent)
    anew = measure(answers)
    structlog.configure(wrapper_class=silent, cache_logger_on_first_use=True)
    kept = measure(answers)
    told = {
        "us": statistics.median(anew),
        "runs": anew,
        "us_loggers_kept": statistics.median(kept),
        "version": version("dlms-cosem"),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

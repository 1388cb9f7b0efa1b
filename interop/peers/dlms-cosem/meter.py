# SPDX-License-Identifier: MIT
"""A second independent meter, made of dlms-cosem 21.3.2 (MIT). Runs in an environment and a process of its own.

That package is a client, but most of its APDUs, its BER and its ciphering work both ways. Every byte of the association
is written by it, and every tag is checked by it; this script decides what the objects answer and writes GET responses.
One client: the setting one, HLS with GMAC, authenticated and encrypted, services in general-glo APDUs.

Reads one JSON object from standard input: title, encryption_key, authentication_key (hex), energy_wh. Prints
`{"port": N}` when it listens on 127.0.0.1, then one line a relay movement. Serves one connection at a time until its
standard input ends; a request that it cannot take ends its connection, and the trace goes to standard error.
"""

import json
import os
import selectors
import socket
import sys
import traceback

from dlms_cosem import dlms_data, security, utils
from dlms_cosem import enumerations as enums
from dlms_cosem.cosem import Obis
from dlms_cosem.protocol import acse, xdlms
from dlms_cosem.protocol.wrappers import WrapperHeader, WrapperProtocolDataUnit
from dlms_cosem.protocol.xdlms.conformance import Conformance

SETTING, METER = 48, 1
MAX_PDU = 1024
CHALLENGE_LENGTH = 16
HEADER_LENGTH = 8
GET_RESPONSE, NORMAL = 0xC4, 1

ENERGY = (enums.CosemInterface.REGISTER, Obis.from_string("1.0.1.8.0.255"))
RELAY = (enums.CosemInterface.DISCONNECT_CONTROL, Obis.from_string("0.0.96.3.10.255"))
ASSOCIATION = (enums.CosemInterface.ASSOCIATION_LN, Obis.from_string("0.0.40.0.0.255"))


def control(*, encrypted):
    """Security control of suite 0: authenticated, and encrypted or not."""
    return security.SecurityControlField(0, authenticated=True, encrypted=encrypted)


class Meter:
    """Relay, keys and counters; they outlive a connection."""

    def __init__(self, asked):
        self.title = bytes.fromhex(asked["title"])
        self.keys = {
            "key": bytes.fromhex(asked["encryption_key"]),
            "auth_key": bytes.fromhex(asked["authentication_key"]),
        }
        self.energy_wh = asked["energy_wh"]
        self.closed = True
        self.sent = 0
        self.accepted = -1

    def seal(self, plain):
        """Security control, our next counter and the ciphered text."""
        self.sent += 1
        used = control(encrypted=True)
        text = security.encrypt(
            used, system_title=self.title, invocation_counter=self.sent, plain_text=plain, **self.keys
        )
        return used, self.sent, text

    def open(self, title, sealed):
        """The plain text of a client's APDU; the library checks the tag, we that the counter rises."""
        used, counter = sealed.security_control, sealed.invocation_counter
        plain = security.decrypt(
            used, system_title=title, invocation_counter=counter, cipher_text=sealed.ciphered_text, **self.keys
        )
        if not (used.encrypted and used.authenticated) or counter <= self.accepted:
            raise ValueError(f"{used}, counter {counter} after {self.accepted}")
        self.accepted = counter
        return plain

    def gmac(self, title, counter, challenge):
        """Security control, counter and GMAC over a challenge."""
        used = control(encrypted=False)
        mac = security.gmac(used, system_title=title, invocation_counter=counter, challenge=challenge, **self.keys)
        return used.to_bytes() + counter.to_bytes(4, "big") + mac


class Session:
    """One connection: association, services, release."""

    def __init__(self, meter):
        self.meter = meter
        self.client_title = self.client_challenge = self.challenge = b""
        self.conformance = None
        self.proved = False

    def answer(self, apdu):
        """The reply to one APDU."""
        if apdu[0] == acse.ApplicationAssociationRequest.TAG:
            return self.associate(acse.ApplicationAssociationRequest.from_bytes(apdu))
        if apdu[0] == acse.ReleaseRequest.TAG:
            asked = acse.ReleaseRequest.from_bytes(apdu)
            self.meter.open(self.client_title, asked.user_information.content)
            return acse.ReleaseResponse(enums.ReleaseResponseReason.NORMAL, self.initiate()).to_bytes()
        sealed = xdlms.GeneralGlobalCipher.from_bytes(apdu)
        if bytes(sealed.system_title) != self.client_title:
            raise ValueError("another client's title")
        plain = self.meter.open(self.client_title, sealed)
        if plain[0] == xdlms.GetRequestFactory.TAG:
            reply = self.get(xdlms.GetRequestFactory.from_bytes(plain))
        else:
            reply = self.act(xdlms.ActionRequestFactory.from_bytes(plain)).to_bytes()
        return xdlms.GeneralGlobalCipher(self.meter.title, *self.meter.seal(reply)).to_bytes()

    def associate(self, asked):
        """AARQ to AARE with a challenge."""
        if asked.authentication != enums.AuthenticationMechanism.HLS_GMAC:
            raise ValueError(f"mechanism {asked.authentication}")
        self.proved = False
        self.client_title = asked.system_title
        self.client_challenge = asked.authentication_value
        self.challenge = os.urandom(CHALLENGE_LENGTH)
        initiate = xdlms.InitiateRequest.from_bytes(self.meter.open(self.client_title, asked.user_information.content))
        self.conformance = initiate.proposed_conformance
        return acse.ApplicationAssociationResponse(
            result=enums.AssociationResult.ACCEPTED,
            result_source_diagnostics=enums.AcseServiceUserDiagnostics.AUTHENTICATION_REQUIRED,
            ciphered=True,
            authentication=asked.authentication,
            system_title=self.meter.title,
            authentication_value=self.challenge,
            user_information=self.initiate(),
        ).to_bytes()

    def initiate(self):
        """The ciphered InitiateResponse: what was proposed and is served here."""
        served = Conformance(
            general_protection=self.conformance.general_protection, get=True, action=self.conformance.action
        )
        sealed = self.meter.seal(xdlms.InitiateResponse(served, MAX_PDU).to_bytes())
        return acse.UserInformation(xdlms.GlobalCipherInitiateResponse(*sealed))

    def get(self, asked):
        """GET of one attribute. The response is written here: the library reads them but fails to write one."""
        wanted = asked.cosem_attribute
        target = (wanted.interface, wanted.instance)
        head = bytes((GET_RESPONSE, NORMAL)) + asked.invoke_id_and_priority.to_bytes()
        if not self.proved or wanted.attribute != 2 or target not in (ENERGY, RELAY):
            return head + bytes((1, enums.DataAccessResult.READ_WRITE_DENIED))
        if target == ENERGY:
            return head + b"\x00" + dlms_data.DoubleLongUnsignedData(self.meter.energy_wh).to_bytes()
        return head + bytes((0, dlms_data.BooleanData.TAG, self.meter.closed))

    def act(self, asked):
        """ACTION: the proof of HLS, or the relay."""
        called, method = (asked.cosem_method.interface, asked.cosem_method.instance), asked.cosem_method.method
        if called == ASSOCIATION and method == 1:
            proof = bytes(utils.parse_as_dlms_data(asked.data))
            counter = int.from_bytes(proof[1:5], "big")
            if proof == self.meter.gmac(self.client_title, counter, self.challenge):
                self.proved = True
                self.meter.sent += 1
                answer = self.meter.gmac(self.meter.title, self.meter.sent, self.client_challenge)
                return xdlms.ActionResponseNormalWithData(
                    enums.ActionResultStatus.SUCCESS,
                    dlms_data.OctetStringData(answer).to_bytes(),
                    asked.invoke_id_and_priority,
                )
        elif called == RELAY and method in (1, 2) and self.proved:
            self.meter.closed = method == 2
            told = {"relay": "on" if self.meter.closed else "off", "sap": SETTING, "counter": self.meter.accepted}
            say(told)
            return xdlms.ActionResponseNormal(enums.ActionResultStatus.SUCCESS, asked.invoke_id_and_priority)
        return xdlms.ActionResponseNormal(enums.ActionResultStatus.READ_WRITE_DENIED, asked.invoke_id_and_priority)


def say(told):
    """One JSON line to the test."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def exactly(link, size):
    """So many bytes, or nothing at the end of the connection."""
    held = b""
    while len(held) < size:
        received = link.recv(size - len(held))
        if not received:
            return b""
        held += received
    return held


def serve(meter, link):
    """Answer one connection to its end."""
    session = Session(meter)
    while head := exactly(link, HEADER_LENGTH):
        header = WrapperHeader.from_bytes(head)
        if (header.source_wport, header.destination_wport) != (SETTING, METER):
            raise ValueError(f"wPorts {header.source_wport} to {header.destination_wport}")
        reply = session.answer(exactly(link, header.length))
        link.sendall(WrapperProtocolDataUnit(reply, WrapperHeader(METER, SETTING, len(reply))).to_bytes())


def main():
    """Listen until standard input ends."""
    meter = Meter(json.loads(sys.stdin.readline()))
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        say({"port": listener.getsockname()[1]})
        while True:
            chosen = [key.fileobj for key, _ in ready.select()]
            if sys.stdin in chosen:
                return
            link, _ = listener.accept()
            with link:
                try:
                    serve(meter, link)
                except Exception:
                    traceback.print_exc()


if __name__ == "__main__":
    main()

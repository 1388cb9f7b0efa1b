"""An independent client, gurux-dlms (GPL-2.0-only), talks to a meter. Runs in an environment and a process of its own.

Reads one JSON object from standard input: host, port, title, encryption_key, authentication_key, secret, reading_key,
password (hex), counter (the first invocation counter it may use), mechanism (2 or 5), general (whether services go in
general-glo APDUs), challenge (bytes of its own challenge). Prints one JSON line with what it read and what the relay
did. A failure ends the process with a trace.
"""

import json
import os
import socket
import sys

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, Conformance, DataType, InterfaceType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSData, GXDLMSDisconnectControl, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

PUBLIC, READING, SETTING, METER = 16, 32, 48, 1
DEADLINE_S = 20

SERIAL = GXDLMSData("0.0.96.1.0.255")
COUNTER = GXDLMSData("0.0.43.1.3.255")
CLOCK = GXDLMSClock("0.0.1.0.0.255")
ENERGY = GXDLMSRegister("1.0.1.8.0.255")
RELAY = GXDLMSDisconnectControl("0.0.96.3.10.255")


class Line:
    """A connection to one meter with one client on it."""

    def __init__(self, asked, client):
        self.client = client
        self.socket = socket.create_connection((asked["host"], asked["port"]), timeout=DEADLINE_S)

    def exchange(self, frames):
        """Send request frames; the reply to the last of them."""
        for frame in frames if isinstance(frames, list) else [frames]:
            reply = GXReplyData()
            self.socket.sendall(bytes(frame))
            received = GXByteBuffer()
            while not self.client.getData(received, reply):
                more = self.socket.recv(4096)
                if not more:
                    raise ConnectionError("the meter hung up")
                received.set(more)
            if reply.error:
                raise RuntimeError(f"refused with {reply.error}")
        return reply

    def open(self):
        """Associate, with the four passes of HLS where they are asked for."""
        self.client.parseAareResponse(self.exchange(self.client.aarqRequest()).data)
        if self.client.isAuthenticationRequired:
            proof = self.exchange(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(proof.data)

    def read(self, target, attribute=2):
        """The value of one attribute."""
        reply = self.exchange(self.client.read(target, attribute))
        value = reply.value
        return bytes(value).hex() if isinstance(value, (bytes, bytearray)) else value

    def act(self, method):
        """Call a method of the relay."""
        self.exchange(self.client.method(RELAY, method, 0, DataType.INT8))

    def close(self):
        """Release and hang up."""
        self.exchange(self.client.releaseRequest())
        self.socket.close()


def secured(asked, sap, mechanism, password, encryption_key, authentication_key, security):
    """A client with keys."""
    client = GXDLMSSecureClient(True, sap, METER, mechanism, password, InterfaceType.WRAPPER)
    ciphering = client.ciphering
    ciphering.security = security
    ciphering.systemTitle = bytes.fromhex(asked["title"])
    ciphering.blockCipherKey = encryption_key
    ciphering.authenticationKey = authentication_key
    ciphering.invocationCounter = asked["counter"]
    if not asked["general"]:
        client.proposedConformance &= ~Conformance.GENERAL_PROTECTION
    return client


def public(asked, told):
    """Nameplate and counter without keys."""
    line = Line(asked, GXDLMSSecureClient(True, PUBLIC, METER, Authentication.NONE, None, InterfaceType.WRAPPER))
    line.open()
    told["serial"] = str(line.read(SERIAL))
    told["counter"] = line.read(COUNTER)
    line.close()


def reading(asked, told):
    """The reading client: a password, and encryption without authentication."""
    key, password = (bytes.fromhex(asked[name]) for name in ("reading_key", "password"))
    line = Line(asked, secured(asked, READING, Authentication.LOW, password, key, bytes(16), Security.ENCRYPTION))
    line.open()
    told["read_wh"] = line.read(ENERGY)
    line.close()


def setting(asked, told):
    """The setting client: HLS, authenticated and encrypted; it opens the relay and closes it."""
    encryption_key, authentication_key, secret = (
        bytes.fromhex(asked[name]) for name in ("encryption_key", "authentication_key", "secret")
    )
    client = secured(
        asked,
        SETTING,
        Authentication(asked["mechanism"]),
        secret,
        encryption_key,
        authentication_key,
        Security.AUTHENTICATION_ENCRYPTION,
    )
    client.ctoSChallenge = os.urandom(asked["challenge"])
    line = Line(asked, client)
    line.open()
    told["meter_title"] = bytes(client.sourceSystemTitle).hex()
    told["energy_wh"] = line.read(ENERGY)
    told["scaler_unit"] = list(line.read(ENERGY, 3))
    told["clock"] = line.read(CLOCK)
    told["relay"] = [line.read(RELAY)]
    for method in (1, 2):
        line.act(method)
        told["relay"].append(line.read(RELAY))
    line.close()
    told["next_counter"] = client.ciphering.invocationCounter


def main():
    """One association after another."""
    answered = sys.stdout
    # The library prints as it deciphers.
    sys.stdout = sys.stderr
    asked = json.load(sys.stdin)
    told = {}
    public(asked, told)
    reading(asked, told)
    setting(asked, told)
    json.dump(told, answered)
    answered.write("\n")


if __name__ == "__main__":
    main()

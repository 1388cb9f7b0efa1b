# SPDX-License-Identifier: GPL-2.0-only
"""The client of gurux-dlms behind the matrix's JSON lines; `interop/peers/README.md` has the contract."""

import json
import os
import socket
import sys
from datetime import datetime

from gurux_dlms import GXByteBuffer, GXDateTime, GXReplyData
from gurux_dlms.enums import Authentication, Conformance, DataType, InterfaceType, ObjectType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSProfileGeneric
from gurux_dlms.secure import GXDLMSSecureClient

METER = 1
DEADLINE_S = 4
TYPES = {
    "null": DataType.NONE,
    "array": DataType.ARRAY,
    "structure": DataType.STRUCTURE,
    "uint32": DataType.UINT32,
    "octets": DataType.OCTET_STRING,
    "int8": DataType.INT8,
    "enum": DataType.ENUM,
}
WIDTHS = {"uint32": 4, "int8": 1, "enum": 1}


class Refused(Exception):
    """The meter says no, with this result."""


def encode(kind, value=None):
    """A-XDR of a short value as the contract writes it: the library's methods take lists encoded."""
    tag = bytes((TYPES[kind],))
    if kind in ("array", "structure"):
        return tag + bytes((len(value),)) + b"".join(encode(*each) for each in value)
    if kind == "octets":
        octets = bytes.fromhex(value)
        return tag + bytes((len(octets),)) + octets
    return tag + value.to_bytes(WIDTHS[kind], "big", signed=kind == "int8")


def plain(value):
    """A decoded value as the contract writes it."""
    if isinstance(value, (bytes, bytearray, GXByteBuffer)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, GXDateTime):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


class Driver:
    """One association after another."""

    def __init__(self):
        self.client = None
        self.socket = None
        self.hdlc = False

    def exchange(self, frames):
        """Send request frames one by one; the reply to the last of them, with all its blocks."""
        reply = GXReplyData()
        for frame in frames if isinstance(frames, list) else [frames]:
            reply.clear()
            self.take(frame, reply)
            while reply.isMoreData():
                self.take(self.client.receiverReady(reply), reply)
        return reply

    def take(self, frame, reply):
        """Send one frame and read until the library has enough."""
        self.socket.sendall(bytes(frame))
        received = GXByteBuffer()
        while not self.client.getData(received, reply):
            more = self.socket.recv(4096)
            if not more:
                raise ConnectionError("the meter hung up")
            received.set(more)
        if reply.error:
            raise Refused(int(reply.error))

    def open(self, asked):
        """Connect and associate."""
        self.drop(asked)
        self.hdlc = asked["framing"] == "hdlc"
        self.client = client = GXDLMSSecureClient(
            True,
            asked["sap"],
            METER,
            Authentication(asked["mechanism"]),
            bytes.fromhex(asked["secret"]) or None,
            InterfaceType.HDLC if self.hdlc else InterfaceType.WRAPPER,
        )
        client.maxReceivePDUSize = asked["max_pdu"]
        ciphering = client.ciphering
        ciphering.security = Security(asked["control"])
        ciphering.systemTitle = bytes.fromhex(asked["title"])
        ciphering.blockCipherKey = bytes.fromhex(asked["encryption_key"])
        ciphering.authenticationKey = bytes.fromhex(asked["authentication_key"])
        ciphering.invocationCounter = asked["counter"]
        if asked["form"] == "ded":
            ciphering.dedicatedKey = os.urandom(16)
        if asked["form"] != "general-glo":
            client.proposedConformance &= ~Conformance.GENERAL_PROTECTION
        if asked["mechanism"] > 1:
            client.ctoSChallenge = os.urandom(asked["challenge"])
        self.socket = socket.create_connection((asked["host"], asked["port"]), timeout=DEADLINE_S)
        if self.hdlc:
            client.parseUAResponse(self.exchange(client.snrmRequest()).data)
        try:
            client.parseAareResponse(self.exchange(client.aarqRequest()).data)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as refusal:
            raise Refused(None) from refusal
        if client.isAuthenticationRequired:
            proof = self.exchange(client.getApplicationAssociationRequest())
            client.parseApplicationAssociationResponse(proof.data)
        return {"meter_title": bytes(client.sourceSystemTitle or b"").hex()}

    def target(self, asked):
        """The library's object of a class and logical name."""
        found = self.client.createObject(ObjectType(asked["class"]))
        found.logicalName = asked["ln"]
        return found

    def get(self, asked):
        """One attribute, or a part of a profile."""
        chosen = asked.get("selection")
        if chosen is None:
            return plain(self.exchange(self.client.read(self.target(asked), asked["attribute"])).value)
        profile = GXDLMSProfileGeneric(asked["ln"])
        kind, first, last = chosen
        if kind == "entry":
            request = self.client.readRowsByEntry(profile, first, last - first + 1)
        else:
            profile.captureObjects.append((GXDLMSClock("0.0.1.0.0.255"), None))
            bounds = [GXDateTime(datetime.fromisoformat(each)) for each in (first, last)]
            request = self.client.readRowsByRange(profile, *bounds)
        return plain(self.exchange(request).value)

    def list(self, asked):
        """Several attributes in one request."""
        targets = [(self.target(each), each["attribute"]) for each in asked["targets"]]
        values = []
        for request in self.client.readList(targets):  # a request, of frames, for as many as fit one
            found = self.exchange(list(request)).value
            values += found if isinstance(found, list) else [found]
        return plain(values)

    def set(self, asked):
        """One attribute."""
        kind, value = asked["value"]
        target, attribute = self.target(asked), asked["attribute"]
        value = bytes.fromhex(value) if kind == "octets" else value
        if asked["class"] == ObjectType.LIMITER:
            target.thresholdNormal = value
        elif asked["class"] == ObjectType.CLOCK:
            target.time = value
        else:
            target.value = value
        target.setDataType(attribute, TYPES[kind])
        self.exchange(self.client.write(target, attribute))

    def action(self, asked):
        """One method."""
        kind, value = asked["value"]
        if kind in ("array", "structure"):
            value = encode(kind, value)
        self.exchange(self.client.method(self.target(asked), asked["method"], value, TYPES[kind]))

    def release(self, asked):
        """Release, and end the link."""
        self.exchange(self.client.releaseRequest())
        if self.hdlc:
            self.exchange(self.client.disconnectRequest())
        self.drop(asked)

    def drop(self, asked):
        """Hang up."""
        if self.socket is not None:
            self.socket.close()
        self.client = self.socket = None

    def push(self, asked):
        """Open a notification that came by itself."""
        client = GXDLMSSecureClient(True, asked["sap"], METER, Authentication.NONE, None, InterfaceType.PDU)
        ciphering = client.ciphering
        ciphering.security = Security(asked["control"])
        ciphering.blockCipherKey = bytes.fromhex(asked["encryption_key"])
        ciphering.authenticationKey = bytes.fromhex(asked["authentication_key"])
        reply, notify = GXReplyData(), GXReplyData()
        client.getData(GXByteBuffer(bytes.fromhex(asked["apdu"])), reply, notify)
        return plain(notify.value)


def main():
    """Answer one line after another until standard input ends."""
    answers = sys.stdout
    # The library prints as it deciphers.
    sys.stdout = sys.stderr
    driver = Driver()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": getattr(driver, asked["do"])(asked)}
        except Refused as refusal:
            answer = {"refused": refusal.args[0], "said": str(refusal.__cause__ or "")}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

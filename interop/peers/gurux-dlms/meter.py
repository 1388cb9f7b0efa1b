# SPDX-License-Identifier: GPL-2.0-only
"""An independent meter made of gurux-dlms (GPL-2.0-only). Runs in an environment and a process of its own.

AARQ parser, ciphering, GMAC, responses and A-XDR are the library's. The library's server class cannot be used in this
version: it neither writes an AARE with a system title nor deciphers a request. So the AARE, and the way from a request
to what an object answers, are written here on top of the library's codec.

Reads one JSON object from standard input: title, encryption_key, authentication_key, secret, reading_key, password
(hex), mechanism (2 or 5), energy_wh, serial. Prints `{"port": N}` when it listens on 127.0.0.1, then one line a relay
movement, with the client and the invocation counter that caused it. Serves one connection at a time until its standard
input ends; a request that it cannot take ends its connection, and the trace goes to standard error.
"""

import json
import selectors
import socket
import struct
import sys
import traceback
from datetime import datetime, timedelta, timezone

from gurux_dlms import GXByteBuffer
from gurux_dlms._GXAPDU import _GXAPDU
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.ConnectionState import ConnectionState
from gurux_dlms.enums import Authentication, Command, DataType, ErrorCode, InterfaceType, ObjectType, Security, Unit
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.GXDLMSLNParameters import GXDLMSLNParameters
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.GXSecure import GXSecure
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo

PUBLIC, READING, SETTING = 16, 32, 48
IST = timezone(timedelta(minutes=330))
HEADER = struct.Struct(">HHHH")

SERIAL = (ObjectType.DATA, "0.0.96.1.0.255")
COUNTER = (ObjectType.DATA, "0.0.43.1.3.255")
CLOCK = (ObjectType.CLOCK, "0.0.1.0.0.255")
ENERGY = (ObjectType.REGISTER, "1.0.1.8.0.255")
RELAY = (ObjectType.DISCONNECT_CONTROL, "0.0.96.3.10.255")
ASSOCIATION = (ObjectType.ASSOCIATION_LOGICAL_NAME, "0.0.40.0.0.255")

CONTROL_MODE = 4
NORMAL = 1
ACCEPTED, REJECTED = 0, 1
NO_DIAGNOSTIC, NO_REASON, AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED = 0, 1, 13, 14


def element(tag, contents):
    """One BER element; none here is longer than 127 bytes."""
    return bytes((tag, len(contents))) + contents


class Meter:
    """Relay, counters and keys; they outlive a connection."""

    def __init__(self, asked):
        self.asked = asked
        self.title = bytes.fromhex(asked["title"])
        self.secret = bytes.fromhex(asked["secret"])
        self.closed = True
        self.sent = 0  # our own invocation counter
        self.accepted = {}  # the highest one of each client

    def read(self, target, attribute, client):
        """(type, value) of an attribute, or None where there is none for this client."""
        public = {
            (SERIAL, 2): (DataType.STRING, self.asked["serial"]),
            (COUNTER, 2): (DataType.UINT32, self.accepted.get(SETTING, -1) + 1),
            (CLOCK, 2): (DataType.OCTET_STRING, self.now()),
        }
        others = {
            (ENERGY, 2): (DataType.UINT32, self.asked["energy_wh"]),
            (ENERGY, 3): (DataType.STRUCTURE, [(DataType.INT8, 0), (DataType.ENUM, int(Unit.ACTIVE_ENERGY))]),
            (RELAY, 2): (DataType.BOOLEAN, self.closed),
            (RELAY, 3): (DataType.ENUM, int(self.closed)),
            (RELAY, 4): (DataType.ENUM, CONTROL_MODE),
        }
        asked = (target, attribute)
        return public.get(asked) or (None if client == PUBLIC else others.get(asked))

    def now(self):
        """The moment as the 12 bytes of a date-time in India; its deviation is written from local time to UTC."""
        at = datetime.now(IST)
        return struct.pack(
            ">HBBBBBBBhB", at.year, at.month, at.day, at.isoweekday(), at.hour, at.minute, at.second, 0xFF, -330, 0
        )

    def move(self, method):
        """Open (1) or close (2) the relay."""
        self.closed = method == 2
        say({"relay": "on" if self.closed else "off", "sap": SETTING, "counter": self.accepted[SETTING]})


class Session:
    """One connection: association, services, release."""

    def __init__(self, meter):
        self.meter = meter
        self.client = 0
        self.settings = None
        self.proved = False

    def answer(self, frame):
        """The framed reply to one framed request."""
        client, server = HEADER.unpack_from(frame)[1:3]
        apdu = frame[HEADER.size :]
        if apdu[0] == Command.AARQ:
            self.begin(client)
            reply = self.associate(GXByteBuffer(apdu))
        elif apdu[0] == Command.RELEASE_REQUEST:
            reply = bytes((Command.RELEASE_RESPONSE, 3, 0x80, 1, 0))
        else:
            data = GXByteBuffer(self.decipher(apdu))
            command = data.getUInt8()
            if command not in (Command.GET_REQUEST, Command.METHOD_REQUEST) or data.getUInt8() != NORMAL:
                raise ValueError(f"not served: {apdu.hex()}")
            reply = self.get(data) if command == Command.GET_REQUEST else self.act(data)
        return HEADER.pack(1, server, client, len(reply)) + reply

    def decipher(self, apdu):
        """The plain request, by the library; in a ciphered association none comes plain, and counters rise."""
        settings, cipher = self.settings, self.settings.cipher
        if cipher.security == Security.NONE:
            return apdu
        used = AesGcmParameter(0, settings.sourceSystemTitle, cipher.blockCipherKey, cipher.authenticationKey)
        plain = GXCiphering.decrypt(settings, used, GXByteBuffer(apdu))
        highest = self.meter.accepted.get(self.client, -1)
        if used.security != cipher.security or used.invocationCounter <= highest:
            raise ValueError(f"security {used.security}, counter {used.invocationCounter} after {highest}")
        self.meter.accepted[self.client] = used.invocationCounter
        # What came in the general form is answered in it.
        general = apdu[0] == Command.GENERAL_GLO_CIPHERING
        settings.connected = ConnectionState.DLMS if general else ConnectionState.NONE
        return plain

    def begin(self, client):
        """The library's settings for a new association, with the keys of its client."""
        asked = self.meter.asked
        reading = client == READING
        self.client = client
        self.proved = False
        self.settings = settings = GXDLMSSettings(True, None)
        settings.interfaceType = InterfaceType.WRAPPER
        settings.setUseLogicalNameReferencing(True)
        settings.cipher = cipher = GXCiphering(self.meter.title)
        cipher.blockCipherKey = bytearray.fromhex(asked["reading_key" if reading else "encryption_key"])
        cipher.authenticationKey = bytearray(16) if reading else bytearray.fromhex(asked["authentication_key"])

    def take_counter(self):
        """Use our next invocation counter for what the library ciphers next."""
        self.meter.sent += 1
        self.settings.cipher.invocationCounter = self.meter.sent
        return self.meter.sent

    def associate(self, data):
        """AARQ to AARE."""
        settings = self.settings
        _GXAPDU.parsePDU(settings, settings.cipher, data, None)
        self.take_counter()
        mechanism = Authentication(settings.authentication)
        wanted = {
            PUBLIC: (Authentication.NONE, Security.NONE),
            READING: (Authentication.LOW, Security.ENCRYPTION),
            SETTING: (Authentication(self.meter.asked["mechanism"]), Security.AUTHENTICATION_ENCRYPTION),
        }
        context = 1 if settings.cipher.security == Security.NONE else 3
        if (mechanism, settings.cipher.security) != wanted.get(self.client):
            return self.aare(context, REJECTED, NO_REASON)
        if mechanism == Authentication.LOW and bytes(settings.password) != bytes.fromhex(self.meter.asked["password"]):
            return self.aare(context, REJECTED, AUTHENTICATION_FAILED)
        if mechanism <= Authentication.LOW:
            self.proved = True
            return self.aare(context, ACCEPTED, NO_DIAGNOSTIC)
        settings.setStoCChallenge(GXSecure.generateChallenge())
        return self.aare(context, ACCEPTED, AUTHENTICATION_REQUIRED)

    def aare(self, context, result, diagnostic):
        """The AARE of Green Book 9.5, element by element."""
        settings = self.settings
        name = bytes.fromhex("60857405 08")
        parts = element(0xA1, element(0x06, name + bytes((1, context))))
        parts += element(0xA2, element(0x02, bytes((result,))))
        parts += element(0xA3, element(0xA1, element(0x02, bytes((diagnostic,)))))
        if context == 3:
            parts += element(0xA4, element(0x04, self.meter.title))
        if diagnostic == AUTHENTICATION_REQUIRED:
            parts += element(0x88, b"\x07\x80")
            parts += element(0x89, name + bytes((2, int(settings.authentication))))
            parts += element(0xAA, element(0x80, bytes(settings.stoCChallenge)))
        if result == ACCEPTED:
            parts += element(0xBE, element(0x04, bytes(_GXAPDU.getUserInformation(settings, settings.cipher))))
        return element(0x61, parts)

    def get(self, data):
        """GET normal of one attribute."""
        invoke = data.getUInt8()
        target, attribute = self.target(data), data.getUInt8()
        found = self.meter.read(target, attribute, self.client) if self.proved else None
        body = GXByteBuffer()
        if found is None:
            return self.reply(invoke, Command.GET_RESPONSE, body, ErrorCode.READ_WRITE_DENIED)
        kind, value = found
        if kind == DataType.STRUCTURE:
            body.setUInt8(DataType.STRUCTURE)
            body.setUInt8(len(value))
        for each, plain in value if kind == DataType.STRUCTURE else [found]:
            _GXCommon.setData(self.settings, body, each, plain)
        return self.reply(invoke, Command.GET_RESPONSE, body, ErrorCode.OK)

    def act(self, data):
        """ACTION normal: the proof of HLS, or the relay."""
        invoke = data.getUInt8()
        target, method = self.target(data), data.getUInt8()
        parameter = _GXCommon.getData(self.settings, data, _GXDataInfo()) if data.getUInt8() else None
        body = GXByteBuffer()
        error = ErrorCode.READ_WRITE_DENIED
        if (target, method) == (ASSOCIATION, 1):
            if (proof := self.prove(bytes(parameter))) is not None:
                error = ErrorCode.OK
                body.setUInt8(1)
                body.setUInt8(0)
                _GXCommon.setData(self.settings, body, DataType.OCTET_STRING, proof)
        elif target == RELAY and method in (1, 2) and self.proved and self.client == SETTING:
            self.meter.move(method)
            error = ErrorCode.OK
        if not body:
            body.setUInt8(0)
        return self.reply(invoke, Command.METHOD_RESPONSE, body, error)

    def prove(self, proof):
        """HLS pass 3 to pass 4; None when the proof is wrong."""
        settings = self.settings
        counter = int.from_bytes(proof[1:5], "big")
        if self.secured(counter, settings.stoCChallenge, settings.sourceSystemTitle) != proof:
            return None
        self.proved = True
        return self.secured(self.take_counter(), settings.ctoSChallenge, self.meter.title)

    def secured(self, counter, challenge, title):
        """The library's answer to a challenge: GMAC, or AES-128 under the secret."""
        secret = title if self.settings.authentication == Authentication.HIGH_GMAC else self.meter.secret
        return bytes(GXSecure.secure(self.settings, self.settings.cipher, counter, challenge, secret))

    def target(self, data):
        """Class and logical name of a request."""
        kind = ObjectType(data.getUInt16())
        name = bytearray(6)
        data.get(name)
        return kind, _GXCommon.toLogicalName(name)

    def reply(self, invoke, command, body, error):
        """A response as the library writes and ciphers it."""
        self.take_counter()
        pdu = GXByteBuffer()
        GXDLMS.getLNPdu(GXDLMSLNParameters(self.settings, invoke, command, 1, None, body, error), pdu)
        return bytes(pdu.array())


def say(told):
    """One JSON line to the test."""
    sys.__stdout__.write(json.dumps(told) + "\n")
    sys.__stdout__.flush()


def serve(meter, link):
    """Answer one connection to its end."""
    session = Session(meter)
    held = b""
    while True:
        while len(held) >= HEADER.size and len(held) >= HEADER.size + HEADER.unpack_from(held)[3]:
            size = HEADER.size + HEADER.unpack_from(held)[3]
            link.sendall(session.answer(held[:size]))
            held = held[size:]
        received = link.recv(4096)
        if not received:
            return
        held += received


def main():
    """Listen until standard input ends."""
    # The library prints as it deciphers; only our own lines may reach the test.
    sys.stdout = sys.stderr
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

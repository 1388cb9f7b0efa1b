# SPDX-License-Identifier: MIT
"""The client of dlms-cosem 21.3.2 behind the matrix's JSON lines; `interop/peers/README.md` has the contract."""

import json
import socket
import sys
from datetime import datetime

import attr
from dlms_cosem import cosem, utils
from dlms_cosem import enumerations as enums
from dlms_cosem.clients.blocking_tcp_transport import BlockingTcpTransport
from dlms_cosem.clients.dlms_client import ActionError, DataResultError, DlmsClient, HLSError
from dlms_cosem.clients.hdlc_transport import SerialHdlcTransport
from dlms_cosem.connection import DlmsConnection, XDlmsApduFactory
from dlms_cosem.cosem.attribute_with_selection import CosemAttributeWithSelection
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import EntryDescriptor, RangeDescriptor
from dlms_cosem.exceptions import DlmsClientException
from dlms_cosem.protocol import xdlms

METER = 1
DEADLINE_S = 3
ENDING_S = 1
TAGS = {"null": 0, "array": 1, "structure": 2, "uint32": 6, "octets": 9, "int8": 15, "enum": 22}
WIDTHS = {"uint32": 4, "int8": 1, "enum": 1}


class SocketLine:
    """What the library takes for a serial port: HDLC over a TCP connection."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=DEADLINE_S)
        self.held = b""

    def write(self, data):
        self.socket.sendall(data)
        return len(data)

    def read(self, size=1):
        while len(self.held) < size:
            received = self.socket.recv(4096)
            if not received:
                raise ConnectionError("the meter hung up")
            self.held += received
        read, self.held = self.held[:size], self.held[size:]
        return read

    def read_until(self, expected=b"\n", size=None):
        read = b""
        while not read.endswith(expected):
            read += self.read(1)
        return read

    def patience(self, seconds):
        self.socket.settimeout(seconds)

    def close(self):
        self.socket.close()


class Listening(BlockingTcpTransport):
    """The library's transport reads on for ever when the other end has hung up; this one notices."""

    def _recv_bytes(self, amount):
        data = b""
        while len(data) < amount:
            received = self.tcp_socket.recv(amount - len(data))
            if not received:
                raise ConnectionError("the meter hung up")
            data += received
        return data


class Refused(Exception):
    """The meter says no, with this result."""


def length(size):
    """The length of an A-XDR string or list."""
    return bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")


def encode(kind, value=None):
    """A-XDR of a value as the contract writes it."""
    tag = bytes((TAGS[kind],))
    if kind == "null":
        return tag
    if kind in ("array", "structure"):
        return tag + length(len(value)) + b"".join(encode(*each) for each in value)
    if kind == "octets":
        octets = bytes.fromhex(value)
        return tag + length(len(octets)) + octets
    return tag + value.to_bytes(WIDTHS[kind], "big", signed=kind == "int8")


def plain(value):
    """A decoded value as the contract writes it."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def decoded(raw):
    """Raw A-XDR to a plain value."""
    return plain(utils.parse_as_dlms_data(bytearray(raw)))


def attribute(asked):
    """Class, logical name and attribute of a request."""
    return cosem.CosemAttribute(
        enums.CosemInterface(asked["class"]), cosem.Obis.from_string(asked["ln"]), asked["attribute"]
    )


def selection(asked):
    """The selection of a request, if any."""
    found = asked.get("selection")
    if found is None:
        return None
    kind, first, last = found
    if kind == "entry":
        return EntryDescriptor(first, last)
    clock = cosem.CosemAttribute(enums.CosemInterface.CLOCK, cosem.Obis.from_string("0.0.1.0.0.255"), 2)
    return RangeDescriptor(CaptureObject(clock), datetime.fromisoformat(first), datetime.fromisoformat(last))


class Driver:
    """One association after another."""

    def __init__(self):
        self.client = None
        self.line = None

    def open(self, asked):
        """Connect and associate."""
        self.drop(asked)
        where = {"client_logical_address": asked["sap"], "server_logical_address": METER}
        if asked["framing"] == "hdlc":
            self.line = SocketLine(asked["host"], asked["port"])
            io = SerialHdlcTransport(serial_port=None, serial=self.line, **where)
        else:
            io = Listening(host=asked["host"], port=asked["port"], timeout=DEADLINE_S, **where)
        control = asked["control"]
        settings = {
            "client_system_title": bytes.fromhex(asked["title"]),
            "authentication_method": enums.AuthenticationMechanism(asked["mechanism"]) if asked["mechanism"] else None,
            "password": bytes.fromhex(asked["secret"]) or None,
            "global_encryption_key": bytes.fromhex(asked["encryption_key"]) if control & 0x20 else None,
            "global_authentication_key": bytes.fromhex(asked["authentication_key"]) if control & 0x10 else None,
            "use_dedicated_ciphering": asked["form"] == "ded",
            "use_block_transfer": True,
            "max_pdu_size": asked["max_pdu"],
            "client_invocation_counter": asked["counter"],
            "challenge_length": asked["challenge"],
        }
        connection = DlmsConnection(**settings)
        self.client = DlmsClient(io_interface=io, dlms_connection=connection, **where)
        self.client.connect()
        try:
            self.client.associate()
        except (DlmsClientException, HLSError) as refusal:
            raise Refused(None) from refusal
        title = connection.meter_system_title
        return {"meter_title": title.hex() if title else ""}

    def get(self, asked):
        """One attribute, by the library's way through blocks."""
        try:
            return decoded(self.client.get(attribute(asked), selection(asked)))
        except DataResultError as refusal:
            # The library says the result in words only: "... <DataAccessResult.OBJECT_UNDEFINED: 4>".
            code = str(refusal).rpartition(": ")[2].rstrip(">")
            raise Refused(int(code) if code.isdigit() else None) from refusal

    def list(self, asked):
        """Several attributes in one request."""
        targets = [CosemAttributeWithSelection(attribute(each), None) for each in asked["targets"]]
        response = self.client.get_many(targets)
        return plain(response.result)

    def set(self, asked):
        """One attribute."""
        response = self.client.set(attribute(asked), encode(*asked["value"]))
        self.check(response.result)

    def action(self, asked):
        """One method."""
        method = cosem.CosemMethod(
            enums.CosemInterface(asked["class"]), cosem.Obis.from_string(asked["ln"]), asked["method"]
        )
        try:
            self.client.action(method, encode(*asked["value"]))
        except ActionError as refusal:
            name = str(refusal).rpartition(" ")[2]
            known = enums.ActionResultStatus.__members__
            raise Refused(int(known[name]) if name in known else None) from refusal

    def check(self, result):
        """Raise what the meter refused."""
        if int(result):
            raise Refused(int(result))

    def release(self, asked):
        """Release, and hang up as the library does."""
        self.client.release_association()
        if self.line is not None:
            self.line.patience(ENDING_S)
        self.client.disconnect()
        self.drop(asked)

    def drop(self, asked):
        """Hang up without a word."""
        client, self.client = self.client, None
        line, self.line = self.line, None
        if line is None and client is not None:
            line = client.io_interface.tcp_socket
        if line is not None:
            line.close()

    def push(self, asked):
        """Open a notification that came by itself."""
        apdu = bytearray.fromhex(asked["apdu"])
        keys = [bytes.fromhex(asked[name]) for name in ("encryption_key", "authentication_key")]
        read = XDlmsApduFactory.apdu_from_bytes(apdu)
        if isinstance(read, xdlms.GeneralGlobalCipher):
            read = XDlmsApduFactory.apdu_from_bytes(bytearray(read.to_plain_apdu(*keys)))
        return decoded(read.body)


def main():
    """Answer one line after another until standard input ends."""
    if not attr.has(DlmsClient):
        raise SystemExit("another dlms-cosem than this driver is made for")
    driver = Driver()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": getattr(driver, asked["do"])(asked)}
        except Refused as refusal:
            answer = {"refused": refusal.args[0], "said": str(refusal.__cause__ or "")}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-only
"""The client of pydlms-client behind the matrix's JSON lines; `interop/peers/README.md` has the contract."""

import json
import sys
from datetime import datetime

from pydlms import (
    AssociationError,
    CosemDateTime,
    DlmsClient,
    DlmsData,
    Mechanism,
    PushDecoder,
    SecurityContext,
    ServiceError,
)
from pydlms.apdu import xdlms
from pydlms.security.suites import SecurityPolicy

DEADLINE_S = 4
PROTECTION = {"plain": "glo", "glo": "glo", "ded": "glo", "general-glo": "general-glo"}


class Refused(Exception):
    """The meter says no, with this result."""


def data(kind, value=None):
    """A value as the contract writes it, as the library's."""
    makers = {
        "octets": lambda: DlmsData.octet_string(bytes.fromhex(value)),
        "uint32": lambda: DlmsData.uint32(value),
        "int8": lambda: DlmsData.int8(value),
        "enum": lambda: DlmsData.enum(value),
        "array": lambda: DlmsData.array([data(*each) for each in value]),
        "structure": lambda: DlmsData.structure([data(*each) for each in value]),
        "null": DlmsData.null,
    }
    return makers[kind]()


def plain(value):
    """A decoded value as the contract writes it."""
    if isinstance(value, DlmsData):
        value = value.to_python()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def selection(asked):
    """The selection of a request, if any."""
    found = asked.get("selection")
    if found is None:
        return None
    kind, first, last = found
    if kind == "entry":
        return xdlms.entry_descriptor(first, last)
    bounds = [CosemDateTime.from_datetime(datetime.fromisoformat(each)).to_bytes() for each in (first, last)]
    return xdlms.range_descriptor(*map(DlmsData.octet_string, bounds))


class Driver:
    """One association after another."""

    def __init__(self):
        self.client = None

    def open(self, asked):
        """Connect and associate."""
        self.drop(asked)
        mechanism, control = Mechanism(asked["mechanism"]), asked["control"]
        security = None
        if control or mechanism is Mechanism.HLS_GMAC:
            security = SecurityContext(
                encryption_key=bytes.fromhex(asked["encryption_key"]),
                authentication_key=bytes.fromhex(asked["authentication_key"]),
                client_system_title=bytes.fromhex(asked["title"]),
                invocation_counter=asked["counter"],
                policy=SecurityPolicy(control),
            )
        settings = {
            "mechanism": mechanism,
            "password": bytes.fromhex(asked["secret"]) or None,
            "security": security,
            "use_dedicated_key": asked["form"] == "ded",
            "protection": PROTECTION[asked["form"]],
            "challenge_length": asked["challenge"] if asked["mechanism"] > 1 else None,
            "max_receive_pdu_size": asked["max_pdu"],
            "timeout": DEADLINE_S,
        }
        self.client = DlmsClient.tcp(
            asked["host"], asked["port"], client_sap=asked["sap"], hdlc=asked["framing"] == "hdlc", **settings
        )
        try:
            self.client.connect()
        except AssociationError as refusal:
            raise Refused(None) from refusal
        title = None if security is None else getattr(security, "server_system_title", None)
        return {"meter_title": title.hex() if title else ""}

    def get(self, asked):
        """One attribute."""
        return plain(self.client.get(asked["ln"], asked["class"], asked["attribute"], access=selection(asked)))

    def list(self, asked):
        """Several attributes in one request."""
        targets = [(each["ln"], each["class"], each["attribute"]) for each in asked["targets"]]
        return [plain(each) for each in self.client.get_many(targets)]

    def set(self, asked):
        """One attribute."""
        self.client.set(asked["ln"], asked["class"], asked["attribute"], data(*asked["value"]))

    def action(self, asked):
        """One method."""
        return plain(self.client.action(asked["ln"], asked["class"], asked["method"], data(*asked["value"])))

    def release(self, asked):
        """Release and hang up; the library does both when it closes."""
        client, self.client = self.client, None
        client.close()

    def drop(self, asked):
        """Hang up."""
        client, self.client = self.client, None
        if client is not None:
            try:
                client.close()
            except Exception as error:
                # The connection may be broken already; that was told when it broke.
                sys.stderr.write(f"{error}\n")

    def push(self, asked):
        """Open a notification that came by itself."""
        security = None
        if asked["control"]:
            security = SecurityContext(
                encryption_key=bytes.fromhex(asked["encryption_key"]),
                authentication_key=bytes.fromhex(asked["authentication_key"]),
                policy=SecurityPolicy(asked["control"]),
            )
        (message,) = PushDecoder("raw", security).feed(bytes.fromhex(asked["apdu"]))
        return plain(message.notification.body)


def main():
    """Answer one line after another until standard input ends."""
    driver = Driver()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": getattr(driver, asked["do"])(asked)}
        except Refused as refusal:
            answer = {"refused": refusal.args[0], "said": str(refusal.__cause__ or "")}
        except ServiceError as refusal:
            code = refusal.result
            if isinstance(code, int):
                answer = {"refused": int(code), "said": str(refusal)}
            else:
                answer = {"error": f"{type(refusal).__name__}: {refusal}"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

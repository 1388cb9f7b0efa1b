# SPDX-License-Identifier: GPL-3.0-only
"""The simulator of pydlms-client as a meter for our client; `interop/peers/README.md` has the contract."""

import json
import sys

from pydlms import DlmsData, Mechanism
from pydlms.apdu import xdlms
from pydlms.security.suites import SecurityPolicy
from pydlms.simulator import ClientProfile, MeterSimulator, serve

RELAY = (70, "0.0.96.3.10.255")


def data(kind, value=None):
    """A value as the contract writes it, as the library's."""
    makers = {
        "octets": lambda: DlmsData.octet_string(bytes.fromhex(value)),
        "text": lambda: DlmsData.visible_string(value),
        "uint16": lambda: DlmsData.uint16(value),
        "uint32": lambda: DlmsData.uint32(value),
        "int8": lambda: DlmsData.int8(value),
        "enum": lambda: DlmsData.enum(value),
        "boolean": lambda: DlmsData.boolean(value),
        "array": lambda: DlmsData.array([data(*each) for each in value]),
        "structure": lambda: DlmsData.structure([data(*each) for each in value]),
        "null": DlmsData.null,
    }
    return makers[kind]()


def plain(value):
    """A value as the contract reads it."""
    value = value.to_python() if isinstance(value, DlmsData) else value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


class Driver:
    """One simulator after another."""

    def __init__(self):
        self.server = self.simulator = None
        self.moved = []
        self.asked = []

    def listen(self, asked):
        """A new simulator with the keys, the client and the objects asked for."""
        self.stop(asked)
        control, mechanism = asked["control"], Mechanism(asked["mechanism"])
        keyed = bool(control) or mechanism is Mechanism.HLS_GMAC
        self.simulator = simulator = MeterSimulator(
            system_title=bytes.fromhex(asked["meter_title"]),
            encryption_key=bytes.fromhex(asked["encryption_key"]) if keyed else None,
            authentication_key=bytes.fromhex(asked["authentication_key"]) if keyed else None,
            max_pdu=asked["max_pdu"],
        )
        simulator.clients[asked["sap"]] = ClientProfile(
            mechanism=mechanism,
            secret=bytes.fromhex(asked["secret"]) or None,
            ciphered=bool(control),
        )
        if control:
            simulator.security.policy = SecurityPolicy(control)
        for kind, name, attributes in asked["objects"]:
            simulator.add_object(kind, name, {int(number): data(*value) for number, value in attributes.items()})
        self.moved, self.asked = [], []
        for method, closed in ((1, False), (2, True)):
            simulator.add_method(*RELAY, method, self.mover(closed))
        simulator.add_method(64, "0.0.43.0.3.255", 2, lambda meter, parameter: self.asked.append(parameter))
        self.server = serve(simulator, hdlc=asked["framing"] == "hdlc")
        return {"port": self.server.server_address[1]}

    def mover(self, closed):
        """What a method of the relay does."""

        def move(meter, parameter):
            relay = next(each for key, each in meter.objects.items() if key[0] == RELAY[0])
            relay[2], relay[3] = DlmsData.boolean(closed), DlmsData.enum(int(closed))
            self.moved.append("on" if closed else "off")

        return move

    def told(self, asked):
        """What the relay did and what other methods were called with."""
        return {"moved": self.moved, "asked": [plain(each) for each in self.asked]}

    def push(self, asked):
        """A notification, sealed by the library, as it will go out before the next response."""
        body = data(*asked["body"])
        notification = xdlms.DataNotification(1, body, bytes.fromhex(asked["clock"]))
        sealed = self.simulator.push_before_response(
            notification.to_bytes(), protection="general-glo" if asked["control"] else None
        )
        return sealed.hex()

    def stop(self, asked):
        """End the one that listens."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        self.server = None


def main():
    """Answer one line after another until standard input ends."""
    driver = Driver()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": getattr(driver, asked["do"])(asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    driver.stop({})


if __name__ == "__main__":
    main()

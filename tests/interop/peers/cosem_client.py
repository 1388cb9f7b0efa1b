"""An independent client, dlms-cosem 21.3.2 (MIT), talks to a meter. Runs in an environment of its own.

Reads one JSON object from standard input: host, port, title, encryption_key, authentication_key (hex), counter (the
first invocation counter it may use). Prints one JSON line with what it read and what the relay did. A failure ends the
process with a trace.
"""

import json
import sys

from dlms_cosem import enumerations as enums
from dlms_cosem import utils
from dlms_cosem.clients.dlms_client import DlmsClient
from dlms_cosem.cosem import CosemAttribute, CosemMethod, Obis

PUBLIC, SETTING, METER = 16, 48, 1

SERIAL = (enums.CosemInterface.DATA, "0.0.96.1.0.255")
COUNTER = (enums.CosemInterface.DATA, "0.0.43.1.3.255")
CLOCK = (enums.CosemInterface.CLOCK, "0.0.1.0.0.255")
ENERGY = (enums.CosemInterface.REGISTER, "1.0.1.8.0.255")
RELAY = (enums.CosemInterface.DISCONNECT_CONTROL, "0.0.96.3.10.255")

INTEGER_ZERO = b"\x0f\x00"
VISIBLE_STRING = 0x0A


def get(client, what, attribute=2):
    """One attribute as raw A-XDR."""
    interface, name = what
    return client.get(CosemAttribute(interface, Obis.from_string(name), attribute))


def read(client, what, attribute=2):
    """One attribute, decoded."""
    value = utils.parse_as_dlms_data(get(client, what, attribute))
    return value.hex() if isinstance(value, (bytes, bytearray)) else value


def read_text(client, what):
    """A short visible-string: this version of the peer knows its tag but does not decode it."""
    raw = get(client, what)
    if raw[0] != VISIBLE_STRING or raw[1] != len(raw) - 2:
        raise ValueError(raw.hex())
    return raw[2:].decode("ascii")


def act(client, method):
    """Call a method of the relay; an unsuccessful result raises."""
    interface, name = RELAY
    client.action(CosemMethod(interface, Obis.from_string(name), method), INTEGER_ZERO)


def main():
    """Public association, then HLS with GMAC, authenticated and encrypted: read, open the relay, close it."""
    asked = json.load(sys.stdin)
    told = {}
    public = DlmsClient.with_tcp_transport(
        host=asked["host"], port=asked["port"], client_logical_address=PUBLIC, server_logical_address=METER
    )
    with public.session() as client:
        told["serial"] = read_text(client, SERIAL)
        told["counter"] = read(client, COUNTER)
    setting = DlmsClient.with_tcp_transport(
        host=asked["host"],
        port=asked["port"],
        client_logical_address=SETTING,
        server_logical_address=METER,
        authentication_method=enums.AuthenticationMechanism.HLS_GMAC,
        encryption_key=bytes.fromhex(asked["encryption_key"]),
        authentication_key=bytes.fromhex(asked["authentication_key"]),
        client_system_title=bytes.fromhex(asked["title"]),
        client_initial_invocation_counter=asked["counter"],
    )
    with setting.session() as client:
        told["meter_title"] = client.dlms_connection.meter_system_title.hex()
        told["energy_wh"] = read(client, ENERGY)
        told["scaler_unit"] = read(client, ENERGY, 3)
        told["clock"] = read(client, CLOCK)
        told["relay"] = [read(client, RELAY)]
        for method in (1, 2):
            act(client, method)
            told["relay"].append(read(client, RELAY))
        told["next_counter"] = client.client_invocation_counter
    json.dump(told, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

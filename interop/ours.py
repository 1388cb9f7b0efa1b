"""Our client behind the same verbs as a peer's driver, so that a service is one script whoever speaks."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from bahal.dlms import axdr, clock
from bahal.dlms.apdu import Target
from bahal.dlms.apdu.selection import by_entry, by_range
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import (
    ActionDone,
    Event,
    Got,
    GotList,
    Notification,
    Opened,
    Refused,
    Released,
    SetDone,
)
from bahal.dlms.errors import AssociationRejected, DlmsError, HlsFailed
from bahal.dlms.hdlc import HdlcClient
from bahal.dlms.objects.model import obis
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher

DEADLINE_S: Final = 4.0
COUNTERS: Final = 500
"""Invocation counters that one association may use."""

_LIST: Final[dict[str, Callable[..., bytes]]] = {"array": axdr.array, "structure": axdr.structure}
_SIMPLE: Final[dict[str, Callable[[Any], bytes]]] = {
    "uint16": axdr.uint16,
    "uint32": axdr.uint32,
    "int8": axdr.int8,
    "enum": axdr.enum,
    "boolean": axdr.boolean,
}


class HungUp(Exception):
    """The meter closed the connection instead of an answer."""


def encode(kind: str, value: Any = None) -> bytes:
    """A-XDR of a value as the contract writes it."""
    if kind in _LIST:
        return _LIST[kind](*(encode(*each) for each in value))
    if kind == "octets":
        return axdr.octets(bytes.fromhex(value))
    return axdr.null() if kind == "null" else _SIMPLE[kind](value)


def plain(value: axdr.Value) -> Any:
    """A decoded value as the contract writes it: octets in hex, lists and structures as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, axdr.BitString):
        return [index in set(value.positions()) for index in range(len(value))]
    return value


def selection(found: list[Any] | None) -> bytes | None:
    """The selection of a request, if any."""
    if found is None:
        return None
    kind, first, last = found
    if kind == "entry":
        return by_entry(first, last)
    return by_range(*(axdr.octets(clock.encode(datetime.fromisoformat(each))) for each in (first, last)))


class OurClient:
    """`bahal.dlms` as a client, on one blocking connection at a time."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._client: ClientAssociation | None = None
        self.heard: list[Notification] = []
        self.tape: list[str] = []

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """One verb; never raises what a meter does wrong, but tells it."""
        try:
            answer: dict[str, Any] = getattr(self, f"_{do}")(asked)
        except AssociationRejected as error:
            return {"refused": error.diagnostic, "said": str(error)}
        except HlsFailed as error:
            return {"refused": None, "said": str(error)}
        except (DlmsError, OSError, HungUp) as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return answer

    def end(self) -> None:
        """Hang up."""
        self._drop({})

    def _say(self, out: bytes) -> Event:
        """Send a request and whatever it entails; the event that answers. What comes unasked is kept in `heard`."""
        assert self._socket is not None
        assert self._client is not None
        events: list[Event] = []
        while out or not events:
            if out:
                self.tape.append(f"> {out.hex()}")
                self._socket.sendall(out)
            if events:
                break
            received = self._socket.recv(65536)
            if not received:
                raise HungUp("the meter hung up")
            self.tape.append(f"< {received.hex()}")
            for event in self._client.receive(received):
                if isinstance(event, Notification):
                    self.heard.append(event)
                else:
                    events.append(event)
            out = self._client.outgoing()
        return events[-1]

    def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._drop(asked)
        self.tape = []
        keyed = asked["control"] or asked["mechanism"] == 5
        keys = [bytes.fromhex(asked[name]) for name in ("encryption_key", "authentication_key")]
        self._client = client = ClientAssociation(
            client_sap=asked["sap"],
            mechanism=asked["mechanism"],
            security_control=asked["control"],
            system_title=bytes.fromhex(asked["title"]) if keyed else b"",
            meter_title=bytes.fromhex(asked["meter_title"]) if keyed else None,
            cipher=Cipher(*keys) if keyed else None,
            secret=bytes.fromhex(asked["secret"]),
            counter=asked["counter"],
            counter_end=asked["counter"] + COUNTERS,
            max_pdu=asked["max_pdu"],
            dedicated_key=bytes(range(0x60, 0x70)) if asked["form"] == "ded" else b"",
            quirks=Quirks(general_ciphering=asked["form"] == "general-glo", challenge_length=asked["challenge"]),
            framing=HdlcClient() if asked["framing"] == "hdlc" else None,
        )
        self._socket = socket.create_connection((asked["host"], asked["port"]), timeout=DEADLINE_S)
        event = self._say(client.open())
        assert isinstance(event, Opened)
        return {"ok": {"meter_title": event.meter_title.hex()}}

    @property
    def _open_client(self) -> ClientAssociation:
        if self._client is None:
            raise HungUp("no connection")
        return self._client

    def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        chosen = selection(asked.get("selection"))
        event = self._say(self._open_client.get(asked["class"], obis(asked["ln"]), asked["attribute"], chosen))
        if isinstance(event, Refused):
            return {"refused": event.result}
        assert isinstance(event, Got)
        return {"ok": plain(event.value)}

    def _list(self, asked: dict[str, Any]) -> dict[str, Any]:
        targets = [Target(each["class"], obis(each["ln"]), each["attribute"]) for each in asked["targets"]]
        event = self._say(self._open_client.get_list(targets))
        assert isinstance(event, GotList)
        return {"ok": [each if isinstance(each, int) else plain(axdr.decode(each)) for each in event.answers]}

    def _set(self, asked: dict[str, Any]) -> dict[str, Any]:
        data = encode(*asked["value"])
        event = self._say(self._open_client.set(asked["class"], obis(asked["ln"]), asked["attribute"], data))
        assert isinstance(event, SetDone)
        return {"refused": event.result} if event.result else {"ok": None}

    def _action(self, asked: dict[str, Any]) -> dict[str, Any]:
        data = encode(*asked["value"])
        event = self._say(self._open_client.action(asked["class"], obis(asked["ln"]), asked["method"], data))
        assert isinstance(event, ActionDone)
        return {"refused": event.result} if event.result else {"ok": None}

    def _release(self, asked: dict[str, Any]) -> dict[str, Any]:
        event = self._say(self._open_client.release())
        self._drop(asked)
        assert isinstance(event, Released)
        return {"ok": None} if event.clean else {"error": "released, but not in good form"}

    def _drop(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._client = None
        self.heard = []
        return {"ok": None}

"""`bahal probe`: ask one meter who it is, as the public client; it can read and nothing else."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import Annotated, Any

import typer

from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got
from bahal.dlms.errors import DlmsError
from bahal.dlms.india import single_phase
from bahal.dlms.objects.model import PUBLIC_SAP
from bahal.shared.errors import ENVIRONMENT, REFUSED, USAGE, Refusal
from bahal.shared.text import language_of

PLATE = (
    "logical_device_name", "serial_number", "manufacturer", "firmware_version", "year_of_manufacture",
    "counter_reading", "counter_setting", "counter_push",
)  # fmt: skip
VALUE = 2


class AddressWrong(Refusal):
    """Not HOST:PORT."""

    code = "address_wrong"
    exit_code = USAGE
    hi = "`{given}` पता नहीं है: HOST:PORT दें, जैसे 127.16.0.1:4059।"
    en = "`{given}` is not an address: give HOST:PORT, such as 127.16.0.1:4059."


class MeterSilent(Refusal):
    """No connection, or no answer in time."""

    code = "meter_silent"
    exit_code = ENVIRONMENT
    hi = "{address} पर मीटर ने उत्तर नहीं दिया: {why}"
    en = "The meter at {address} does not answer: {why}"


class MeterMisspoke(Refusal):
    """The meter's bytes are not what the protocol wants; `name` is the error's."""

    code = "meter_misspoke"
    exit_code = REFUSED
    hi = "{address} का उत्तर नियम के अनुसार नहीं है ({name}): {why}"
    en = "The answer of {address} is against the protocol ({name}): {why}"


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(probe)


def probe(
    address: Annotated[str, typer.Argument(help="HOST:PORT of a meter.")],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each reply.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Ask a meter for its nameplate and invocation counters as the public client (16), without any key."""
    host, port = _address(address)
    model = single_phase()
    plate: dict[str, Any] = {}
    link = ClientAssociation(client_sap=PUBLIC_SAP, mechanism=0, security_control=0)
    try:
        with socket.create_connection((host, port), timeout=timeout) as wire:
            wire.sendall(link.open())
            _await(wire, link)
            for name in PLATE:
                wire.sendall(link.get(model[name].interface.id, model[name].ln, VALUE))
                got = _await(wire, link)
                plate[name] = _plain(got.value) if isinstance(got, Got) else None
    except TimeoutError:
        raise MeterSilent(address=address, why=f"{timeout:g} s") from None
    except OSError as failure:
        raise MeterSilent(address=address, why=failure.strerror or str(failure)) from failure
    except DlmsError as wrong:
        raise MeterMisspoke(address=address, name=wrong.name, why=str(wrong)) from wrong
    if as_json:
        typer.echo(json.dumps({"address": address, **plate}, ensure_ascii=False))
        return
    for name, value in plate.items():
        label = model[name].hi if language_of() == "hi" else model[name].en
        typer.echo(f"{label}: {value}")


def _await(wire: socket.socket, link: ClientAssociation) -> Event:
    while True:
        received = wire.recv(4096)
        if not received:
            raise ConnectionResetError("the meter closed the connection")
        events = link.receive(received)
        more = link.outgoing()
        if more:
            wire.sendall(more)
        if events:
            return events[-1]


def _address(given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise AddressWrong(given=given) from None


def _plain(value: object) -> object:
    return (
        value.hex()
        if isinstance(value, bytes) and not value.isascii()
        else (value.decode("ascii") if isinstance(value, bytes) else value)
    )

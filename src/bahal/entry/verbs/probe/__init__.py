"""`bahal probe`: an engineer asks one meter; it reads and answers HLS challenges, and can do nothing else."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bahal.dlms.india import single_phase
from bahal.dlms.objects import classes
from bahal.dlms.objects.model import ModelError, obis
from bahal.dlms.quirks import registry
from bahal.entry.verbs.probe import questions, showing
from bahal.entry.verbs.probe.file import MeterFile, read_file, write_template
from bahal.entry.verbs.probe.questions import Answer
from bahal.entry.verbs.probe.refusals import AddressWrong, AskedWrong, FileStands, SelectionWrong
from bahal.entry.verbs.probe.session import Session, session
from bahal.entry.verbs.probe.trace import Trace, Veil
from bahal.shared.errors import Refusal

_ASK = "get CLASS OBIS ATTR, objects, clock, or profile OBIS|NAME. Nothing: the nameplate."
_RANGE = "Rows of a profile from one moment to another, both included: 2025-11-24 2025-11-25T12:00 (Indian time)."
_ENTRIES = "Rows of a profile by number, from 1, the oldest; 0 as the second for the newest."


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(probe)


@dataclass(frozen=True, slots=True)
class _Question:
    """What to ask over an open session, and how to show the answer."""

    ask: Callable[[Session], Answer]
    show: Callable[[Answer], list[str]]


def probe(
    address: Annotated[str, typer.Argument(help="HOST:PORT of a meter; [HOST]:PORT for IPv6.")],
    what: Annotated[list[str] | None, typer.Argument(help=_ASK)] = None,
    meter: Annotated[Path | None, typer.Option(help="How to speak with it, in TOML: see docs/probe.md.")] = None,
    between: Annotated[tuple[str, str] | None, typer.Option("--range", help=_RANGE)] = None,
    entries: Annotated[tuple[int, int] | None, typer.Option(help=_ENTRIES)] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write a TOML file to fill in for this meter, and no more.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Say each APDU on stderr; never a key or password.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each reply.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Ask a meter: its nameplate as the public client (16) without any key, or anything else with --meter."""
    where = _address(address)
    question = _question(what or [], _selection(what or [], between, entries))
    if write is not None:
        _write(write, where, timeout)
        typer.echo(json.dumps({"address": address, "file": str(write)}) if as_json else str(write))
        return
    file = MeterFile() if meter is None else read_file(meter)
    veil = Veil(file.secrets)
    tracer = Trace(lambda line: typer.echo(line, err=True), veil) if trace else None
    with session(where, file, timeout=timeout, trace=tracer) as opened:
        told = question.ask(opened)
    if as_json:
        typer.echo(veil.over(json.dumps({"address": address, **told}, ensure_ascii=False)))
        return
    for line in question.show(told):
        typer.echo(veil.over(line))


def _question(what: list[str], selection: bytes | None) -> _Question:
    """What the words ask.

    :raises AskedWrong: nothing that a probe asks.
    :raises ProfileUnknown: no such profile.
    """
    match what:
        case []:
            return _Question(questions.plate, showing.plate)
        case ["objects"]:
            return _Question(questions.objects, showing.objects)
        case ["clock"]:
            return _Question(lambda opened: questions.meter_clock(opened, questions.wall), showing.clock)
        case ["profile", name]:
            ln = questions.profile_name(name)
            return _Question(lambda opened: questions.profile(opened, ln, selection), showing.profile)
        case ["get", class_id, name, number]:
            target = _target(class_id, name, number)
            if target is not None:
                return _Question(lambda opened: questions.attribute(opened, *target, selection), showing.attribute)
    raise AskedWrong(given=" ".join(what))


def _target(class_id: str, name: str, number: str) -> tuple[int, bytes, int] | None:
    try:
        found = int(class_id), obis(name), int(number)
    except (ValueError, ModelError):
        return None
    return found if 0 <= found[0] <= 0xFFFF and 0 < found[2] <= 0x7F else None


def _selection(what: list[str], between: tuple[str, str] | None, entries: tuple[int, int] | None) -> bytes | None:
    """The rows asked for, encoded.

    :raises SelectionWrong: no rows, or rows of something that has none.
    """
    if between is None and entries is None:
        return None
    given = " ".join(str(each) for each in (between or entries or ()))
    if between is not None and entries is not None:
        raise SelectionWrong(given=given, why="--range, --entries")
    if what[:1] != ["profile"] and what[:2] != ["get", str(classes.PROFILE_GENERIC)]:
        raise SelectionWrong(given=given, why="profile, get 7")
    if entries is not None:
        first, last = entries
        if not 1 <= first <= 0xFFFF_FFFF or not (last == 0 or first <= last <= 0xFFFF_FFFF):
            raise SelectionWrong(given=given, why="1 <= FROM <= TO")
        return questions.rows_numbered(first, last)
    assert between is not None
    try:
        from_at, to_at = (questions.moment(each) for each in between)
    except ValueError:
        raise SelectionWrong(given=given, why="2025-11-24T18:00") from None
    if from_at > to_at:
        raise SelectionWrong(given=given, why="FROM <= TO")
    return questions.rows_between(from_at, to_at)


def _address(given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        found = str(ipaddress.ip_address(host))
    except ValueError:
        raise AddressWrong(given=given) from None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= 0xFFFF):
        raise AddressWrong(given=given)
    return found, int(port)


def _write(path: Path, where: tuple[str, int], timeout: float) -> None:
    """A file to fill in. What the meter tells the public client goes into it; a silent one is said so."""
    if path.exists():
        raise FileStands(file=str(path))
    make = ""
    try:
        with session(where, MeterFile(), timeout=timeout) as opened:
            told = questions.plate(opened)
        model = single_phase()
        note = "\n".join(f"{model[name].en}: {value}" for name, value in told.items() if value is not None)
        make = next((each.name for each in registry().values() if each.manufacturer == told["manufacturer"]), "")
    except Refusal as refused:
        note = refused.text("en")
    write_template(path, meter=f"the meter at {where[0]} port {where[1]}", note=note, make=make)

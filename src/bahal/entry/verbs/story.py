"""`bahal demo`: the whole Monday on a fresh rehearsal instance, told as it happens, reported at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from bahal.entry import instance
from bahal.entry.people import Wishes, lay
from bahal.entry.postgres import EmbeddedPostgres
from bahal.entry.supervisor import lock_home
from bahal.entry.verbs.outside import FAULTS_HELP, check_faults
from bahal.entry.verbs.running import calendar_day
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, read_json
from bahal.shared.text import Language, language_of

OPEN_LIMIT_S = 120.0
CLOSE_LIMIT_S = 60.0
LEFT_BEHIND = ("demo", "headend", "interlock", "lake", "logs", "run", "web", "instance.json")


class HomeIsProduction(Refusal):
    """A demo makes its instance anew, and this folder holds one that is not a rehearsal."""

    code = "home_is_production"
    exit_code = ENVIRONMENT
    hi = "{home} में असली स्थापना है; डेमो के लिए दूसरा BAHAL_HOME चुनें।"
    en = "{home} holds a production instance; choose another BAHAL_HOME for the demo."


class DidNotOpen(Refusal):
    """The instance did not come up."""

    code = "instance_did_not_open"
    exit_code = ENVIRONMENT
    hi = "स्थापना शुरू नहीं हुई: {why}"
    en = "The instance did not come up: {why}"


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(demo)


def demo(
    consumers: Annotated[int, typer.Option(help="Connections in the circle.")] = 10_000,
    defaulters: Annotated[int, typer.Option(help="How many the drive lists.")] = 796,
    payers: Annotated[int, typer.Option(help="How many of the cut pay at the counter.")] = 260,
    rupees: Annotated[int, typer.Option(help="What they pay together, to the rupee.")] = 2_800_000,
    race: Annotated[int, typer.Option(help="How many more pay in the instant before their own cut.")] = 0,
    reply_delay: Annotated[float, typer.Option(min=0.0, help="Seconds before each meter's reply.")] = 0.5,
    faults: Annotated[str, typer.Option(help=FAULTS_HELP)] = "none",
    seed: Annotated[int, typer.Option(help="Same seed: same people, same list.")] = 1,
    lang: Annotated[str, typer.Option(help="hi or en; BAHAL_LANG unless given.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running; `bahal down` stops it.")] = False,
    monday: Annotated[str, typer.Option(help="The day of the cut, YYYY-MM-DD.")] = "2025-11-24",
) -> None:
    """Live the Monday: three days of SMS, the cut, the payments, the light; real DLMS/COSEM over TCP throughout."""
    from bahal.rehearsal.telling import Teller

    check_faults(faults)
    language: Language = "hi" if (lang or language_of()) == "hi" else "en"
    home = Home.of()
    day = calendar_day(monday)
    teller = Teller(language)
    wishes = Wishes(
        consumers=consumers, defaulters=defaulters, payers=payers, rupees=rupees, race=race, seed=seed, monday=day,
        faults=faults,
    )  # fmt: skip
    _check(home, wishes)
    if json_file is not None:
        json_file.touch()  # a result that cannot be written is known before the Monday, not after it
    teller.say("opening", home=str(home.path))
    _begin_anew(home)
    supervisor = _open(home, consumers, defaulters, seed, reply_delay, faults, day)
    try:
        _await_open(home, supervisor)
        teller.say("opened")
        result, page = _live(home, wishes, reply_delay, faults, teller)
        if json_file is not None:
            json_file.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            teller.say("written", path=str(json_file))
    except BaseException:
        _close(supervisor)
        raise
    teller.say("written", path=str(page))
    if keep:
        endpoints = read_json(home.run / "endpoints.json") or {}
        teller.say("kept", web=endpoints.get("web", ""))
        return
    teller.say("closing")
    _close(supervisor)


def _check(home: Home, wishes: Wishes) -> None:
    """Refuse numbers that do not go together before anything is started."""
    from bahal.rehearsal.circle import check_wishes

    if instance.kind_of(home) == "production":
        raise HomeIsProduction(home=str(home.path))
    check_wishes(
        consumers=wishes.consumers,
        defaulters=wishes.defaulters,
        payers=wishes.payers,
        rupees=wishes.rupees,
        race=wishes.race,
        monday=wishes.monday,
    )


def _begin_anew(home: Home) -> None:
    """Leave nothing of an earlier demo: neither its database nor its logs, which would be counted into this one's."""
    with closing(lock_home(home)):
        if not os.environ.get("DATABASE_URL"):
            EmbeddedPostgres(home.path).stop()
            # Under root it may be a link to where the database's own user can reach.
            shutil.rmtree((home.path / "pg").resolve(), ignore_errors=True)
            if (home.path / "pg").is_symlink():
                (home.path / "pg").unlink()
        for name in LEFT_BEHIND:
            path = home.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _open(
    home: Home, consumers: int, defaulters: int, seed: int, delay: float, faults: str, day: date
) -> subprocess.Popen[bytes]:
    home.make()
    with (home.logs / "up.log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable, "-m", "bahal.entry.cli", "up", "--demo", "--no-people", "--consumers", str(consumers),
                "--defaulters", str(defaulters), "--seed", str(seed), "--reply-delay", str(delay),
                "--faults", faults, "--monday", f"{day:%Y-%m-%d}",
            ],
            env={**os.environ, "BAHAL_HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip


def _await_open(home: Home, supervisor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + OPEN_LIMIT_S
    while True:
        running = read_json(home.run / "endpoints.json")
        if running and running.get("open"):
            return
        if supervisor.poll() is not None:
            words = (home.logs / "up.log").read_text(errors="replace").strip().splitlines()
            raise DidNotOpen(why=words[-1] if words else f"exit code {supervisor.returncode}")
        if time.monotonic() > deadline:
            raise DidNotOpen(why=f"silent for {OPEN_LIMIT_S:.0f} s; see {home.logs}")
        time.sleep(0.05)


def _live(home: Home, wishes: Wishes, delay: float, faults: str, teller: Any) -> tuple[dict[str, Any], Path]:
    there = lay(home, wishes, progress=teller.reading)
    teller.close_board()
    from bahal.lake.layout import lake_uri
    from bahal.rehearsal.monday import Doors, Monday
    from bahal.rehearsal.papers import write_papers
    from bahal.rehearsal.recovery import details_of, show, write_page
    from bahal.rehearsal.signals import Signals

    circle = there.circle
    teller.say(
        "circle",
        connections=len(circle.connections),
        divisions=sum(office.kind == "division" for office in circle.offices),
        feeders=len(circle.feeders),
        transformers=len(circle.transformers),
    )
    read = there.read
    teller.say("imported", meters=there.meters)
    teller.say("met", complete=read.complete, meters=read.meters, seconds=round(read.seconds, 1))
    bills = [bill for bill in circle.bills if not bill.opening]
    teller.say(
        "billed",
        bills=len(bills),
        months=len({bill.month for bill in bills}),
        paise=sum(bill.paise for bill in bills),
        officer=there.officers[0].login,
    )
    teller.say("notices", defaulters=len(circle.defaulters) + len(circle.dropouts), days=15)
    running = read_json(home.run / "endpoints.json") or {}
    doors = Doors(web=running["web"], bank=running["bank"], fleet_admin=str(home.run / "fleet.sock"))
    signals = Signals(circle=circle, lake=lake_uri(home.path), clock=there.collecting.clock)
    monday = Monday(
        home=home, doors=doors, circle=circle, officers=there.officers, teller=teller, reply_delay=delay, faults=faults,
        collecting=there.collecting, signals=signals,
    )  # fmt: skip
    result = {"schema": 1, "seed": wishes.seed, **monday.live(), "fleet_log": str(home.logs / "fleet.jsonl")}
    details = details_of(drive=result["drive"])
    # The story went to stderr; the report is the result.
    show(result, language=teller.language, details=details, on=wishes.monday)
    teller.say("what_if", **result["what_if"])
    page = home.path / "recovery.html"
    write_page(page, result, language=teller.language, details=details, on=wishes.monday)
    if circle.payers:
        papers = write_papers(home.path, connection=circle.payers[0].connection, payee=_payee())
        teller.say("papers", files=", ".join(path.name for path in papers))
        _show_evidence(home, connection=circle.payers[0].connection, teller=teller)
    return result, page


def _show_evidence(home: Home, *, connection: int, teller: Any) -> None:
    """Write the evidence of one consumer's cut, and have it checked as a stranger would: by its one file, alone."""
    from bahal.domains.supply.queries import latest_cut
    from bahal.entry.verbs.evidence import ROOTS, SCRIPT, write

    order = latest_cut(connection=connection)
    if order is None:
        return
    path = write(order)
    checked = subprocess.run(
        [
            sys.executable, "-I", str(path.with_name(SCRIPT)), str(path), "--keys", str(path.with_name("keys.json")),
            *(["--roots", str(home.logs / ROOTS)] if (home.logs / ROOTS).exists() else []),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    lines = (checked.stdout or checked.stderr).strip().splitlines()
    wrong = [line for line in lines if line.startswith("WRONG")]
    teller.say("evidence", path=str(path), verdict="; ".join(wrong) or lines[-1])


def _payee() -> Any:
    """Who is paid by UPI on this instance; None where nobody is set up."""
    from bahal.edges.gateway import GatewayNotSet, payee

    try:
        return payee()
    except GatewayNotSet:
        return None


def _close(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(CLOSE_LIMIT_S)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()

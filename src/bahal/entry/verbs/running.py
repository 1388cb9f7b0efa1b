"""Running an instance: up, down, doctor."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering, doctor, instance
from bahal.entry.house import House, Outside
from bahal.entry.logs import set_up_logs
from bahal.entry.people import laid
from bahal.entry.verbs.outside import FAULTS_HELP, check_faults
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal
from bahal.shared.home import Home, read_json
from bahal.shared.text import INDIA, language_of

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]


class NotUp(Refusal):
    """Nothing runs on this folder."""

    code = "not_up"
    exit_code = ENVIRONMENT
    hi = "{home} पर बहाल नहीं चल रहा।"
    en = "Bahal does not run on {home}."


DIAL_IN = BEHIND_GATEWAYS = 0.03
"""Shares of a rehearsal's meters that cannot be dialled: they call, or stand behind gateways."""


class PeopleNotLaid(Refusal):
    """The rehearsal's people could not be laid."""

    code = "people_not_laid"
    exit_code = ENVIRONMENT
    hi = "पूर्वाभ्यास के लोग नहीं बन सके: {why}"
    en = "The rehearsal's people could not be laid: {why}"


class OfficerNotOfDemo(Refusal):
    """The rehearsal has no such officer."""

    code = "officer_not_of_demo"
    hi = "पूर्वाभ्यास में `{login}` नाम का अधिकारी नहीं है।"
    en = "The rehearsal has no officer `{login}`."


class DayWrong(Refusal):
    """Not a calendar day."""

    code = "day_wrong"
    exit_code = USAGE
    hi = "`{given}` तारीख नहीं है: YYYY-MM-DD दें।"
    en = "`{given}` is not a day: give YYYY-MM-DD."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(up)
    app.command()(down)
    app.command("doctor")(examine)
    app.command()(code)


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="A rehearsal: with simulated meters, bank and SMS centre.")
    ] = False,
    consumers: Annotated[int, typer.Option(min=1, help="Simulated meters (with --demo).")] = 10_000,
    defaulters: Annotated[
        int, typer.Option(min=0, help="The drive that the rehearsal's caps allow (with --demo).")
    ] = 796,
    seed: Annotated[int, typer.Option(help="Same seed, same meters (with --demo).")] = 1,
    reply_delay: Annotated[float, typer.Option(min=0.0, help="Seconds before each meter's reply (with --demo).")] = 0.5,
    monday: Annotated[str, typer.Option(help="The business day of the cut, YYYY-MM-DD (with --demo).")] = "2025-11-24",
    faults: Annotated[str, typer.Option(help=f"{FAULTS_HELP} (with --demo)")] = "none",
    tampers_an_hour: Annotated[
        float, typer.Option(min=0.0, help="With --demo: how often somebody tampers with a meter.")
    ] = 0.0,
    drifting: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of meters whose clock is off (with --demo).")
    ] = 0.0,
    people: Annotated[
        bool, typer.Option("--people/--no-people", help="Lay the circle's people where there are none (with --demo).")
    ] = True,
    morning: Annotated[
        bool, typer.Option("--morning", help="With --demo: live the days before, and stop on the Monday at 9:45.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start every room and stay until Ctrl-C or `bahal down`. What dies is started again."""
    cut_day = calendar_day(monday)
    check_faults(faults)
    home = Home.of()
    home.make()
    set_up_logs("supervisor", home.logs / "supervisor.log")
    house = House(home)
    house.take()
    try:
        instance.make(home, rehearsal=demo, business_at=_first_dawn(cut_day) if demo else None)
        if demo:
            from bahal.rehearsal.lives import input_meters
            from bahal.rehearsal.officers import enrol

            caps = instance.Profile.rehearsal(connections=consumers, defaulters=defaulters, faults=faults)
            enrol(home, profile=caps)
        house.supervisor.stop_on_signals()
        house.open_database()
        outside = None
        if demo:
            outside = Outside(
                meters=consumers + input_meters(consumers), seed=seed, reply_delay=reply_delay, faults=faults,
                dial_in=DIAL_IN, behind_gateways=BEHIND_GATEWAYS, drifting=drifting,
                tampers_an_hour=tampers_an_hour,
            )  # fmt: skip
        house.open_rooms(outside=outside)
        if demo and people and laid(home) is None:
            _lay_people(house, consumers, defaulters, seed, cut_day, faults, morning=morning)
        answering.answer(
            house.supervisor.endpoints,
            as_json=as_json,
            hi="बहाल चल रहा है: {web} (रोकने के लिए Ctrl-C या `bahal down`)",
            en="Bahal runs: {web} (stop with Ctrl-C or `bahal down`)",
        )
        if not as_json:
            _tell_more(home, demo=demo)
        sys.stdout.flush()
        house.supervisor.watch()
    finally:
        house.close()


def _lay_people(
    house: House, consumers: int, defaulters: int, seed: int, cut_day: date, faults: str, *, morning: bool
) -> None:
    """In a process of its own: the supervisor stays small.

    :raises PeopleNotLaid: it failed, in its own words.
    """
    told = [
        sys.executable, "-m", "bahal.entry.people", str(consumers), str(defaulters), str(seed), cut_day.isoformat(),
        faults, "monday" if morning else "friday",
    ]  # fmt: skip
    ran = house.supervisor.errand("people", told)
    if ran.returncode != 0:
        raise PeopleNotLaid(why=(ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1])


def _tell_more(home: Home, *, demo: bool) -> None:
    """Where a rehearsal's officers sign in, or what a production instance still lacks."""
    hindi = language_of() == "hi"
    if demo:
        _tell_sign_ins(home, hindi=hindi)
    elif not instance.interlock_trusts(home):
        typer.echo(
            "इंटरलॉक अभी नहीं चल रहा: interlock/officers.json और interlock/profile.json नहीं हैं (docs/operating.md)"
            if hindi
            else "The interlock does not run yet: it lacks interlock/officers.json and interlock/profile.json"
            " (docs/operating.md)",
            err=True,
        )


def _tell_sign_ins(home: Home, *, hindi: bool) -> None:
    """Who may sign in to the office's pages of a rehearsal, and by what; the codes change every half minute."""
    folder = home.path / "demo"
    web = (read_json(home.run / "endpoints.json") or {}).get("web", "")
    typer.echo(f"\nकार्यालय के पृष्ठ: {web}/office/" if hindi else f"\nThe office's pages: {web}/office/")
    for path in sorted(folder.glob("*.json")):
        kept = read_json(path) or {}
        if "totp_secret" in kept:
            typer.echo(f"  {kept['login']:<12}{kept['password']:<20}{kept['name']}")
    typer.echo(
        f"छह अंकों का कोड: `bahal code ee` (फ़ोन के लिए कुंजी और बाकी सब: {folder}/*.json)"
        if hindi
        else f"The code of six digits: `bahal code ee` (a telephone's secret, and the rest: {folder}/*.json)"
    )


def code(
    login: Annotated[str, typer.Argument(help="One of the rehearsal's officers: ee, se, cashier ...")],
    as_json: AsJson = False,
) -> None:
    """The code of a rehearsal's officer at this moment, as his telephone would show it."""
    from bahal.domains.staff.totp import SECONDS, code_of, step_at

    kept = read_json(Home.of().path / "demo" / f"{login}.json") if login.isalnum() else None
    if kept is None or "totp_secret" not in kept:
        raise OfficerNotOfDemo(login=login)
    now = datetime.now(UTC)
    told = {
        "login": login,
        "code": code_of(kept["totp_secret"], step_at(now)),
        "seconds": SECONDS - int(now.timestamp()) % SECONDS,
    }
    answering.answer(told, as_json=as_json, hi="{code} ({seconds} से.)", en="{code} ({seconds} s)")


def down(as_json: AsJson = False) -> None:
    """Stop what `bahal up` started: every room drains first."""
    home = Home.of()
    running = read_json(home.run / "endpoints.json")
    pid = int(running["pids"]["supervisor"]) if running else 0
    try:
        if not pid:
            raise ProcessLookupError
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        raise NotUp(home=str(home.path)) from None
    began = time.monotonic()
    while _alive(pid) and time.monotonic() - began < 60:
        time.sleep(0.05)
    seconds = round(time.monotonic() - began, 1)
    answering.answer(
        {"stopped": pid, "seconds": seconds}, as_json=as_json, hi="रुक गया ({seconds} से.)", en="Stopped ({seconds} s)"
    )


def examine(as_json: AsJson = False) -> None:
    """Check the machine and the instance, and say what to do about each finding. Exit 3 if something is wrong."""
    findings = doctor.examine(Home.of())
    doctor.show(findings, as_json=as_json)
    if not all(finding.good for finding in findings):
        raise typer.Exit(ENVIRONMENT)


def calendar_day(given: str) -> date:
    """A day as YYYY-MM-DD.

    :raises DayWrong: it is not one.
    """
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise DayWrong(given=given) from None


def _first_dawn(cut: date) -> datetime:
    """Before dawn in India, three days before the cut: the meters are read, and by day the first reminders go out."""
    dawn = datetime.combine(cut - timedelta(days=3), time_of_day(3, 30), INDIA)
    return dawn.astimezone(UTC)


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

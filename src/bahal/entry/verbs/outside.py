"""The outside world of a rehearsal, each a process that speaks its protocol: fleet, bank, SMS centre, WhatsApp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bahal.entry.house import lives_path, roster_path
from bahal.entry.logs import set_up_logs
from bahal.entry.supervisor import raise_file_limit
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal
from bahal.shared.home import Home

FILES_FOR_A_FLEET = 4096
FAULTS_HELP = "What goes wrong with meters and links: none, far, field or harsh."


class FaultsUnknown(Refusal):
    """The fleet has no such faults."""

    code = "faults_unknown"
    exit_code = USAGE
    hi = "`{faults}` नाम की कोई खराबी नहीं: {known} में से चुनें।"
    en = "The fleet knows no faults called `{faults}`: choose one of {known}."


class FleetDidNotStart(Refusal):
    """Its roster, log, clock or socket cannot be used."""

    code = "fleet_did_not_start"
    exit_code = ENVIRONMENT
    hi = "मीटर-समूह शुरू नहीं हुआ: {why}"
    en = "The fleet did not start: {why}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(fleet)
    app.command()(bank)
    app.command()(sms)
    app.command()(whatsapp)


def fleet(
    roster: Annotated[Path | None, typer.Option(help="The meters' roster; the instance's own unless given.")] = None,
    port: Annotated[int, typer.Option(help="One port, on every address of 127.0.0.0/8.")] = 4059,
    reply_delay: Annotated[float, typer.Option(min=0.0, help="Seconds before each reply.")] = 0.0,
    push_to: Annotated[str, typer.Option(help="Where alerts are pushed: HOST:PORT.")] = "127.0.0.1:4060",
    faults: Annotated[str, typer.Option(help=FAULTS_HELP)] = "none",
    seed: Annotated[int, typer.Option(help="Same seed, same faults.")] = 1,
    lost_links: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of connections that are lost; the faults' own unless given."),
    ] = None,
    drifting: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of meters whose clock is off by up to some minutes.")
    ] = 0.0,
    tampers_an_hour: Annotated[
        float, typer.Option(min=0.0, help="How often somebody tampers with a meter, over the whole fleet.")
    ] = 0.0,
    calls_at_start: Annotated[
        bool, typer.Option("--calls-at-start/--no-calls-at-start", help="Meters that call do so at once.")
    ] = True,
) -> None:
    """Run a circle of simulated meters on real sockets, until SIGTERM."""
    from bahal.fleet import main as meters

    check_faults(faults)
    home = Home.of()
    home.make()
    raise_file_limit(FILES_FOR_A_FLEET)
    clock = home.run / "clock.json"
    try:
        meters.run(
            roster_path=roster or roster_path(home),
            host_port=f"0.0.0.0:{port}",  # the fleet refuses every address outside 127.0.0.0/8
            log_path=home.logs / "fleet.jsonl",
            delay=reply_delay,
            push_to=push_to,
            admin_path=home.run / "fleet.sock",
            clock_path=clock if clock.exists() else None,
            faults=faults,
            seed=seed,
            fault_log_path=None if faults == "none" else home.logs / "faults.jsonl",
            lost_links=lost_links,
            counters_path=home.run / "meter-counters.bin",
            calls_at_start=calls_at_start,
            drifting=drifting,
            tampers_an_hour=tampers_an_hour,
            lives_path=lives_path(home),
        )
    except meters.FleetRefused as refused:
        raise FleetDidNotStart(why=refused.detail) from refused


def check_faults(faults: str) -> None:
    """Refuse faults that the fleet does not know.

    :raises FaultsUnknown: there are none of that name.
    """
    from bahal.fleet.faults import PROFILES

    if faults not in PROFILES:
        raise FaultsUnknown(faults=faults, known=", ".join(PROFILES))


def bank(
    port: Annotated[int, typer.Option(help="0 for any free port.")] = 8810,
    callback: Annotated[str, typer.Option(help="Where webhooks go.")] = "http://127.0.0.1:8800/webhooks/bank",
) -> None:
    """Run the bank's stand-in: counter, payment gateway, settlement files; it writes logs/bank.jsonl, until SIGTERM."""
    from bahal.gateways.bank.counter import run

    home = Home.of()
    home.make()
    set_up_logs("bank")
    run(port=port, log=home.logs / "bank.jsonl", callback=callback)


def sms(
    port: Annotated[int, typer.Option(help="0 for any free port.")] = 8811,
    callback: Annotated[str, typer.Option(help="Where delivery reports go.")] = "http://127.0.0.1:8800/webhooks/sms",
) -> None:
    """Run the SMS centre's stand-in: it delivers and writes logs/sms.jsonl, until SIGTERM."""
    from bahal.gateways.sms.centre import run

    home = Home.of()
    home.make()
    set_up_logs("sms")
    run(port=port, log=home.logs / "sms.jsonl", callback=callback)


def whatsapp(
    port: Annotated[int, typer.Option(help="0 for any free port.")] = 8812,
    callback: Annotated[str, typer.Option(help="Where statuses go.")] = "http://127.0.0.1:8800/webhooks/whatsapp",
) -> None:
    """Run the WhatsApp platform's stand-in: it delivers and writes logs/whatsapp.jsonl, until SIGTERM."""
    from bahal.gateways.whatsapp.platform import run

    home = Home.of()
    home.make()
    set_up_logs("whatsapp")
    run(port=port, log=home.logs / "whatsapp.jsonl", callback=callback)

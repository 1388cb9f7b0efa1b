"""The rooms' processes: `python -m bahal.entry.rooms NAME ...`, started by the supervisor or by an operator's own.

Each is given its own database role's address and nothing of another's: the interlock never learns the business's
password, the business never the interlock's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from bahal.entry import answering
from bahal.entry.logs import set_up_logs
from bahal.shared.database import dsn_of
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal
from bahal.shared.home import Home


def headend(dial_in: str, metrics: str) -> None:
    """Reads, and listens for what the meters say by themselves."""
    from bahal.headend.main import HeadendConfig, run
    from bahal.lake.layout import lake_uri

    home = Home.of()
    config = HeadendConfig.read(
        home.path / "headend", dsn=dsn_of("headend", home=home), dial_in=int(dial_in), metrics=int(metrics),
        clock=_clock_path(), links=home.socket("links.sock"), lake=lake_uri(home.path),
    )  # fmt: skip
    uvloop.run(run(config))


def interlock(port: str) -> None:
    """The only door to a relay."""
    from bahal.interlock.config import load_config
    from bahal.interlock.main import run

    home = Home.of()
    # A rehearsal's messages to signers are written down; a production interlock asks its own file for a centre.
    centre = f"file:{home.logs / 'interlock_sms.jsonl'}"
    config = load_config(
        home.path / "interlock", dsn=dsn_of("interlock", home=home), port=int(port), links=home.socket("links.sock"),
        sms=centre,
    )  # fmt: skip
    uvloop.run(run(config))


def worker(metrics: str) -> None:
    """Confirms, sends messages, raises alerts, seals the audit."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bahal.settings")
    import django

    django.setup()
    from bahal.edges import worker as room

    room.run(metrics_port=int(metrics))


def bank(port: str, callback: str = "") -> None:
    """The bank's stand-in, with the payment gateway whose webhooks go to `callback`."""
    from bahal.entry.verbs.outside import bank as stand_in

    stand_in(port=int(port), callback=callback)


def sms(port: str, callback: str) -> None:
    """The SMS centre's stand-in."""
    from bahal.entry.verbs.outside import sms as stand_in

    stand_in(port=int(port), callback=callback)


def whatsapp(port: str, callback: str) -> None:
    """The WhatsApp platform's stand-in."""
    from bahal.entry.verbs.outside import whatsapp as stand_in

    stand_in(port=int(port), callback=callback)


ROOMS: dict[str, Callable[..., None]] = {
    "headend": headend, "interlock": interlock, "worker": worker, "bank": bank, "sms": sms,
    "whatsapp": whatsapp,
}  # fmt: skip


def main() -> None:
    """Run one room until SIGTERM. A refusal is its last line on stderr, for the supervisor to repeat."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in ROOMS:
        sys.stderr.write(f"rooms: {', '.join(ROOMS)}\n")
        sys.exit(USAGE)
    set_up_logs(name)
    try:
        ROOMS[name](*arguments)
    except Refusal as refusal:
        answering.refuse(refusal, as_json=False)
        sys.exit(refusal.exit_code)
    except OSError as failure:
        answering.refuse(answering.MachineFailed.of(failure), as_json=False)
        sys.exit(ENVIRONMENT)


def _clock_path() -> Path | None:
    stated = os.environ.get("BAHAL_CLOCK")
    return Path(stated) if stated else None


if __name__ == "__main__":
    main()

"""The command line: `bahal VERB`. Each verb translates its arguments into one call and a result into text or JSON.

Exit codes: 0 done, 1 refused, 2 usage, 3 environment. A refusal is one sentence on stderr in the reader's language, or
with `--json` an object with `error`, `data`, `hi` and `en`.
"""

from __future__ import annotations

import sys

import typer
import typer.exceptions

import bahal
from bahal.entry import answering
from bahal.entry.verbs import (
    arrears,
    audit,
    bill,
    cash,
    charter,
    counter,
    desk,
    drill,
    drive,
    evidence,
    field,
    interlock,
    lake,
    meter,
    notices,
    outside,
    policy,
    probe,
    quarantine,
    reads,
    relays,
    replay,
    report,
    restoring,
    running,
    signals,
    story,
    tariff,
    wire,
)
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal


class UsageWrong(Refusal):
    """The command line was not understood."""

    code = "usage"
    exit_code = USAGE
    hi = "आदेश समझ में नहीं आया: {what}"
    en = "The command was not understood: {what}"


app = typer.Typer(name="bahal", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for room in (
    running,
    story,
    outside,
    probe,
    meter,
    drive,
    drill,
    quarantine,
    field,
    relays,
    evidence,
    replay,
    policy,
    notices,
    interlock,
    charter,
    counter,
    restoring,
    arrears,
    desk,
    cash,
    audit,
    bill,
    tariff,
    reads,
    lake,
    report,
    signals,
    wire,
):
    room.add_to(app)


@app.callback()
def _root() -> None:
    """A distribution company's smart meters and its money in one system: read, take payment, warn, cut, restore."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(bahal.__version__)


def main() -> None:
    """Run the command line."""
    as_json = "--json" in sys.argv[1:]
    code: object = 0
    try:
        # For people Typer itself shows a wrong usage; for programs it is caught and answered as JSON.
        code = app(standalone_mode=not as_json)
    except Refusal as refusal:
        answering.refuse(refusal, as_json=as_json)
        code = refusal.exit_code
    except typer.exceptions.TyperException as wrong:
        answering.refuse(UsageWrong(what=wrong.format_message()), as_json=True)
        code = USAGE
    except OSError as failure:
        answering.refuse(answering.MachineFailed.of(failure), as_json=as_json)
        code = ENVIRONMENT
    except Exception as failure:
        silent = answering.DatabaseSilent.of(failure)
        if silent is None:
            raise
        answering.refuse(silent, as_json=as_json)
        code = silent.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()

"""The command line: `bahal VERB`. Each verb translates its arguments into one call and a result into text or JSON.

Exit codes: 0 done, 1 refused, 2 usage, 3 environment. A refusal is one sentence on stderr in the reader's language, or
with `--json` an object with `error`, `data`, `hi` and `en`.
"""

from __future__ import annotations

import json
import sys

import click
import typer

import bahal
from bahal.entry import answering
from bahal.entry.verbs import counter, drive, meter, outside, running, story
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal

app = typer.Typer(name="bahal", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for room in (running, story, outside, meter, drive, counter):
    room.add_to(app)


@app.callback()
def _root() -> None:
    """A distribution company's smart meters and its money in one system: read, bill, take payment, warn, cut, restore."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(bahal.__version__)


def main() -> None:
    """Run the command line."""
    try:
        code = app(standalone_mode=False)
    except Refusal as refusal:
        answering.refuse(refusal, as_json="--json" in sys.argv[1:])
        code = refusal.exit_code
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as wrong:
        if "--json" in sys.argv[1:]:
            said = wrong.format_message()
            sys.stderr.write(json.dumps({"error": "usage", "data": {}, "hi": said, "en": said}) + "\n")
        else:
            wrong.show()
        code = USAGE
    except OSError as failure:
        answering.refuse(answering.MachineFailed.of(failure), as_json="--json" in sys.argv[1:])
        code = ENVIRONMENT
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()

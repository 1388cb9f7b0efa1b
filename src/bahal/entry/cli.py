"""The command line: `bahal VERB`. Each verb translates its arguments into one call and a result into text or JSON."""

import typer

import bahal

app = typer.Typer(name="bahal", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """A distribution company's smart meters and its money in one system."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(bahal.__version__)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 refused, 2 usage, 3 environment."""
    app()

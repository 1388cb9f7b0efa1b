"""Money over the wire: a pay link, a bank's settlement file, and what the three sides do not say alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.cash import Number, Officer, Reason
from bahal.entry.verbs.counter import AsJson, moment_of
from bahal.shared.home import Home, read_json
from bahal.shared.money import rupees
from bahal.shared.text import language_of
from bahal.shared.words import word


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("pay-link")(pay_link)
    app.command("view-link")(view_link)
    app.command()(reconcile)
    suspense = typer.Typer(no_args_is_help=True, help="Money whose payer is not known; `counter payer` names him.")
    suspense.command("list")(list_suspense)
    app.add_typer(suspense, name="suspense")
    difference = typer.Typer(no_args_is_help=True, help="What receipts, gateway and bank do not say alike.")
    difference.command("list")(list_differences)
    difference.command("close")(close)
    app.add_typer(difference, name="difference")


def pay_link(number: Number, as_json: AsJson = False) -> None:
    """A link by which a consumer may see his due and pay it, without logging in."""
    clock = enter()
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.pay_online import make_link

    connection = consumer_number(number)
    token = make_link(connection=connection, at=clock.wall(), business_at=clock.now())
    web = (read_json(Home.of().run / "endpoints.json") or {}).get("web", "http://localhost:8800")
    answering.answer({"consumer": connection, "link": f"{web}/pay/{token}"}, as_json=as_json, hi="{link}", en="{link}")


def view_link(number: Number, as_json: AsJson = False) -> None:
    """A link by which a consumer may look at his account without logging in; it changes nothing."""
    clock = enter()
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.sign_in_consumer import make_view_link

    connection = consumer_number(number)
    token = make_view_link(connection=connection, at=clock.wall(), business_at=clock.now())
    web = (read_json(Home.of().run / "endpoints.json") or {}).get("web", "http://localhost:8800")
    answering.answer({"consumer": connection, "link": f"{web}/see/{token}/"}, as_json=as_json, hi="{link}", en="{link}")


def reconcile(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bank's settlement file, CSV.")],
    since: Annotated[
        str, typer.Option(help="The first moment it covers, ISO with zone; its first payment unless given.")
    ] = "",
    until: Annotated[str, typer.Option(help="The moment it ends; its last payment unless given.")] = "",
    officer: Officer = "cashier",
    as_json: AsJson = False,
) -> None:
    """Load a settlement file and compare it with our receipts and the gateway; exit 1 if something differs."""
    first, last = (moment_of(given) if given else None for given in (since, until))
    clock = enter()
    from bahal.gateways.bank.settlement import text_of
    from bahal.journeys.reconcile import load_settlement

    loaded = load_settlement(
        text_of(file), name=file.name, since=first, until=last, actor=officer, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    result = {
        "settlement": loaded.settlement,
        "lines": loaded.lines,
        "paise": loaded.paise,
        "rupees": rupees(loaded.paise),
        "differences": [each._asdict() for each in loaded.found],
        "found": len(loaded.found),
    }
    if not as_json:
        for each in loaded.found:
            typer.echo(f"{each.reference}  {word('differences', each.kind, language_of())}")
    answering.answer(
        result, as_json=as_json, hi="{lines} पंक्तियाँ, {rupees}; {found} अंतर",
        en="{lines} lines, {rupees}; {found} differences",
    )  # fmt: skip
    if loaded.found:
        raise typer.Exit(1)


def list_suspense(as_json: AsJson = False) -> None:
    """Money that waits for its payer, oldest first."""
    enter()
    from bahal.domains.payments.queries import payerless

    waiting = payerless()
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in waiting], ensure_ascii=False))
        return
    for each in waiting:
        typer.echo(f"{each.id}  {each.source}  {rupees(each.paise)}  {each.note}")


def list_differences(as_json: AsJson = False) -> None:
    """The queue of differences, oldest first."""
    enter()
    from bahal.domains.payments.wire import open_differences

    waiting = open_differences()
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in waiting], ensure_ascii=False, default=str))
        return
    for each in waiting:
        amounts = "  ".join(
            "-" if paise is None else rupees(paise) for paise in (each.ours_paise, each.gateway_paise, each.bank_paise)
        )
        typer.echo(f"{each.id}  {each.reference}  {word('differences', each.kind, language_of())}  {amounts}")


def close(
    difference: Annotated[int, typer.Argument(help="The difference's number.")],
    reason: Reason,
    officer: Officer = "ee",
    as_json: AsJson = False,
) -> None:
    """Close a difference that was cleared up, with how."""
    clock = enter()
    from bahal.journeys.reconcile import close_difference

    close_difference(difference=difference, how=reason, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"difference": difference}, as_json=as_json, hi="अंतर {difference} बंद", en="Difference {difference} is closed"
    )

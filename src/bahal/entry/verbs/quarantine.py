"""Cuts that exceeded a cap: what waits, how full the caps are, and two officers' word over them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.drive import AsJson, Drive, Key, signing_key
from bahal.shared.letting import DELETE, RELEASE, sign_letting
from bahal.shared.text import language_of
from bahal.shared.words import word

Orders = Annotated[list[int] | None, typer.Option("--order", help="Only this order; may be given again. All if not.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    quarantine = typer.Typer(no_args_is_help=True, help="Cuts beyond a cap: two officers let them go or delete them.")
    quarantine.command("list")(waiting)
    for verb in (release, delete, second):
        quarantine.command()(verb)
    app.add_typer(quarantine, name="quarantine")


def waiting(drive: Drive, as_json: AsJson = False) -> None:
    """What waits of a drive, and every cap over it."""
    enter()
    from bahal.journeys.let_quarantined import excess_of

    found = excess_of(drive=drive)
    if as_json:
        shown = {"orders": [each._asdict() for each in found.orders], "caps": [each._asdict() for each in found.caps]}
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for each in found.orders:
        typer.echo(f"{each.order:>8}  {each.connection}  {word('reasons', each.reason, language_of())}")
    for cap in found.caps:
        typer.echo(f"{cap.scope:<20} {cap.bucket:<14} {cap.counted} / {cap.ceiling}")


def release(
    drive: Drive,
    reason: Reason,
    order: Orders = None,
    officer: Annotated[str, typer.Option("--as")] = "ee",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Ask, as the first of two officers, that these cuts go out beyond the cap."""
    _ask(RELEASE, drive, reason, order, officer, key, as_json)


def delete(
    drive: Drive,
    reason: Reason,
    order: Orders = None,
    officer: Annotated[str, typer.Option("--as")] = "ee",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Ask, as the first of two officers, that these cuts be deleted."""
    _ask(DELETE, drive, reason, order, officer, key, as_json)


def second(
    letting: Annotated[int, typer.Argument(help="The request's number.")],
    officer: Annotated[str, typer.Option("--as")] = "se",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Sign as the second officer; the interlock judges."""
    clock = enter()
    from bahal.domains.supply.queries import letting_of
    from bahal.journeys.let_quarantined import second_to_let

    document = letting_of(letting=letting).document
    if not as_json:
        typer.echo(document)
    second_to_let(
        letting=letting, officer=officer, signature=sign_letting(signing_key(key, officer), document), at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"letting": letting}, as_json=as_json, hi="अनुरोध {letting} पर दूसरा हस्ताक्षर", en="Request {letting} is signed"
    )


def _ask(act: str, drive: int, reason: str, orders: list[int] | None, officer: str, key: Key, as_json: bool) -> None:
    clock = enter()
    from bahal.journeys.let_quarantined import ask_to_let, draft_letting

    document = draft_letting(drive=drive, act=act, reason=reason, orders=orders, at=clock.wall())
    letting = ask_to_let(
        document=document, orders=orders, officer=officer,
        signature=sign_letting(signing_key(key, officer), document), at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"letting": letting, "document": document}, as_json=as_json, hi="अनुरोध {letting}: दूसरा हस्ताक्षर चाहिए",
        en="Request {letting} waits for its second signature",
    )  # fmt: skip

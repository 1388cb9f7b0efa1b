"""The interlock's switch: one person stops all cuts, two arm it again; and the sign that an operator is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.drive import signing_key
from bahal.shared.warrant import sign_arming

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit.")]
Key = Annotated[Path | None, typer.Option("--key", help="The officer's Ed25519 key file.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    switch = typer.Typer(no_args_is_help=True, help="The switch over all cuts: one stops, two arm.")
    for verb in (stop, arm, second, attend, status):
        switch.command()(verb)
    app.add_typer(switch, name="interlock")


def stop(reason: Reason, officer: Annotated[str, typer.Option("--as")] = "ee", as_json: AsJson = False) -> None:
    """Stop every cut of every drive, now. Reconnections go on."""
    clock = enter()
    from bahal.journeys.stop_cuts import stop_cuts

    stopped = stop_cuts(actor=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"stop": stopped}, as_json=as_json, hi="सारी कटौती रुकी (रोक {stop})", en="All cuts stopped (stop {stop})"
    )


def arm(
    reason: Reason, officer: Annotated[str, typer.Option("--as")] = "ee", key: Key = None, as_json: AsJson = False
) -> None:
    """Ask, as the first of two officers, that cuts may go out again."""
    clock = enter()
    from bahal.journeys.arm_cuts import ask_to_arm, draft_arming

    document = draft_arming(reason=reason, at=clock.wall())
    signature = sign_arming(signing_key(key, officer), document)
    arming = ask_to_arm(
        document=document, officer=officer, signature=signature, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"arming": arming, "document": document}, as_json=as_json, hi="अनुरोध {arming}: दूसरा हस्ताक्षर चाहिए",
        en="Request {arming} waits for its second signature",
    )  # fmt: skip


def second(
    arming: Annotated[int, typer.Argument(help="The request's number.")],
    officer: Annotated[str, typer.Option("--as")] = "se",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Sign as the second officer; the interlock judges."""
    clock = enter()
    from bahal.domains.supply.queries import arming_of
    from bahal.journeys.arm_cuts import second_to_arm

    document = arming_of(arming=arming).document
    if not as_json:
        typer.echo(document)
    second_to_arm(
        arming=arming, officer=officer, signature=sign_arming(signing_key(key, officer), document), at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"arming": arming}, as_json=as_json, hi="अनुरोध {arming} पर दूसरा हस्ताक्षर", en="Request {arming} is signed"
    )


def attend(officer: Annotated[str, typer.Option("--as")] = "ee", as_json: AsJson = False) -> None:
    """Show that an operator is there; without it for a quarter of an hour all cuts stop."""
    enter()
    from bahal.journeys.attend_drives import attend_drives

    attend_drives(officer=officer)
    answering.answer({"officer": officer}, as_json=as_json, hi="{officer} उपस्थित", en="{officer} is there")


def status(as_json: AsJson = False) -> None:
    """Whether cuts are stopped, by whom and why."""
    enter()
    from bahal.domains.supply.queries import switch

    found = switch()
    answering.answer(
        found._asdict(), as_json=as_json, hi="रुकी: {stopped_at} {stopped_by} {stopped_why}",
        en="stopped: {stopped_at} {stopped_by} {stopped_why}",
    )  # fmt: skip

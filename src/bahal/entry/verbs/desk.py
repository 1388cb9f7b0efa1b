"""The complaints desk: those that wait, taking one up, answering it. Closing is the consumer's."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import Actor, AsJson
from bahal.shared.text import instant, language_of
from bahal.shared.words import word

Number = Annotated[int, typer.Argument(min=1, help="The complaint's number.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    complaint = typer.Typer(no_args_is_help=True, help="Complaints of consumers: list, take up, answer.")
    complaint.command("list")(list_complaints)
    complaint.command("take-up")(take_up)
    complaint.command()(answer)
    app.add_typer(complaint, name="complaint")


def list_complaints(as_json: AsJson = False) -> None:
    """The complaints that wait for an answer, oldest first."""
    enter()
    from bahal.domains.complaints.queries import waiting

    found = waiting()
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], ensure_ascii=False, default=str))
        return
    lang = language_of()
    for each in found:
        names = (word("complaint kinds", each.kind, lang), word("complaint states", each.state, lang))
        typer.echo(
            f"{each.id:>6}  {instant(each.business_at)}  {each.connection}  {names[0]} ({names[1]}): {each.text}"
        )


def take_up(number: Number, actor: Actor = "revenue", as_json: AsJson = False) -> None:
    """Say that somebody works on it."""
    _step(number, "", actor, taken_up=True, as_json=as_json)


def answer(
    number: Number,
    text: Annotated[str, typer.Option(help="What the consumer is answered.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Answer a complaint; its consumer closes it, or opens it again."""
    _step(number, text, actor, taken_up=False, as_json=as_json)


def _step(number: int, text: str, actor: str, *, taken_up: bool, as_json: bool) -> None:
    clock = enter()
    from bahal.journeys.complain import answer_complaint

    answer_complaint(
        complaint=number, taken_up=taken_up, text=text, officer=actor, at=clock.wall(), business_at=clock.now()
    )
    state = "taken_up" if taken_up else "answered"
    answering.answer(
        {"complaint": number, "state": state},
        as_json=as_json,
        hi="शिकायत {complaint}: दर्ज",
        en="Complaint {complaint}: noted",
    )

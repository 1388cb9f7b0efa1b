"""Supply coming back on the command line: the rules, a whole drive undone, and one consumer's clock."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import AsJson, Consumer, read_evidence
from bahal.shared.money import rupees as written
from bahal.shared.text import instant, language_of
from bahal.shared.words import word

Officer = Annotated[str, typer.Option("--as", help="The officer.")]
Recall = Annotated[int, typer.Argument(help="The recall's number.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    restoring = typer.Typer(no_args_is_help=True, help="The rules of restoring: ramp, promise, compensation.")
    for verb in (show, propose, accept):
        restoring.command()(verb)
    app.add_typer(restoring, name="restoring")
    app.command()(emergency)
    app.command()(light)
    app.command()(late)


def add_to_drive(drive: typer.Typer) -> None:
    """Add what undoes a drive."""
    drive.command("restore-all")(restore_all)
    drive.command("restore-second")(restore_second)
    drive.command("restore-status")(restore_status)


def show(as_json: AsJson = False) -> None:
    """The rules in force today, each with its source and whether it was checked."""
    clock = enter()
    from bahal.domains.supply.queries import restoring_now

    found = restoring_now(clock.now())
    if found is None:
        answering.answer(
            {"version": None}, as_json=as_json, hi="बहाली के कोई नियम लागू नहीं", en="No rules of restoring are in force"
        )
        return
    if as_json:
        stated = {
            "version": found.version, "effective_from": found.effective_from.isoformat(), "accepted": found.accepted,
            "rules": dict(found.rules), "feeders": {str(n): dict(each) for n, each in found.feeders.items()},
            "sources": dict(found.sources), "unverified": list(found.unverified),
        }  # fmt: skip
        typer.echo(json.dumps(stated, ensure_ascii=False))
        return
    lang = language_of()
    waits = {"hi": "दो अधिकारियों की स्वीकृति शेष: कोई प्रतिपूर्ति नहीं", "en": "not accepted by two officers: no compensation"}
    typer.echo(f"{found.version}  {found.effective_from:%d-%m-%Y}" + ("" if found.accepted else f"  ({waits[lang]})"))
    for name, number in found.rules.items():
        checked = "" if name not in found.unverified else (" [असत्यापित]" if lang == "hi" else " [unverified]")
        typer.echo(f"  {word('rules of restoring', name, lang)}: {number}{checked} | {found.sources[name]}")
    for feeder, numbers in found.feeders.items():
        typer.echo(f"  {word('nouns', 'feeder', lang)} {feeder}: {numbers['kw_at_once']} / {numbers['kw_per_minute']}")


def propose(
    file: Annotated[Path, typer.Argument(help="The rules (TOML).")], officer: Officer = "ee", as_json: AsJson = False
) -> None:
    """Propose other rules; a second officer accepts them."""
    name, content = read_evidence(file)
    clock = enter()
    from bahal.journeys.set_restoring import propose as propose_rules

    version = propose_rules(
        text=content.decode("utf-8", "replace"), file=name, officer=officer, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"version": version},
        as_json=as_json,
        hi="बहाली के नियम {version} प्रस्तावित: दूसरा अधिकारी स्वीकार करे",
        en="Rules of restoring {version} are proposed: a second officer accepts them",
    )


def accept(
    version: Annotated[str, typer.Argument(help="The proposed version.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    officer: Officer = "se",
    as_json: AsJson = False,
) -> None:
    """Accept proposed rules, as another officer than their maker."""
    clock = enter()
    from bahal.journeys.set_restoring import accept as accept_rules

    accept_rules(version=version, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"version": version}, as_json=as_json, hi="बहाली के नियम {version} स्वीकृत", en="Rules {version} are accepted"
    )


def emergency(
    consumer: Consumer,
    actor: Annotated[str, typer.Option("--as", help="Who asks, for the audit.")] = "consumer",
    as_json: AsJson = False,
) -> None:
    """Give a consumer who is cut for arrears the emergency days of the policy."""
    clock = enter()
    from bahal.journeys.restore_by_policy import restore_in_emergency

    granted = restore_in_emergency(connection=consumer, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"order": granted.order, "hold": granted.hold, "until": granted.until.isoformat()},
        as_json=as_json,
        hi=f"आदेश {{order}}: {instant(granted.until)} तक बिजली चालू",
        en=f"Order {{order}}: the supply stays on until {instant(granted.until)}",
    )


def light(consumer: Consumer, as_json: AsJson = False) -> None:
    """Why a consumer has no light, or why it took so long: from money to light, each stretch with its cause."""
    clock = enter()
    from bahal.journeys.explain_light import explain_light

    found = explain_light(connection=consumer, at=clock.wall(), business_at=clock.now())
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, default=str))
        return
    lang = language_of()
    side = ("भुगतान", "आदेश", "वचन", "देर: प्रतिपूर्ति", "खपत दिखी") if lang == "hi" else (
        "paid", "order", "promised", "late: compensation", "load seen"
    )  # fmt: skip
    typer.echo(word("light", found.why, lang) + (f" ({written(found.due_paise)})" if found.why == "cut_debt" else ""))
    if found.clock is None:
        return
    begun = f"{side[0]} {found.clock.receipt}" if found.clock.receipt else side[1]
    typer.echo(f"{instant(found.clock.moments.money_at)}  {begun}; {side[1]} {found.clock.order}")
    for each in found.where:
        typer.echo(f"{instant(each.until)}  {_seconds(each.seconds, lang):>12}  {word('delays', each.cause, lang)}")
    if found.seconds is not None:
        typer.echo(f"= {_seconds(found.seconds, lang)}")
    if found.clock.load_seen_at is not None:
        typer.echo(f"{instant(found.clock.load_seen_at)}  {side[4]}")
    if found.promised_at is not None:
        typer.echo(f"{instant(found.promised_at)}  {side[2]}")
    if found.late is not None:
        typer.echo(f"{side[3]} {written(found.late.paise)}")


def late(
    everything: Annotated[bool, typer.Option("--all", help="Those that are lit by now too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Who paid and was not lit within the time promised: for an officer to look at."""
    enter()
    from bahal.domains.supply.late import lates

    found = lates(open_only=not everything)
    if as_json:
        typer.echo(json.dumps({"late": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    lang = language_of()
    for each in found:
        lit = "-" if each.lit_at is None else instant(each.lit_at)
        typer.echo(
            f"{each.connection}  {each.receipt}  {instant(each.promised_at)}  {lit}  {written(each.paise)}  "
            f"{word('delays', each.cause, lang)}"
        )


def _seconds(seconds: float, lang: str) -> str:
    return f"{seconds:.2f} {'सेकंड' if lang == 'hi' else 's'}"


def restore_all(
    drive: Annotated[int, typer.Argument(help="The drive's number.")],
    cause: Annotated[str, typer.Option(help="emergency, court_order, mistake or safety.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    evidence: Annotated[Path | None, typer.Option(help="A file that shows it; an emergency needs none.")] = None,
    officer: Officer = "ee",
    wait: Annotated[bool, typer.Option("--wait", help="Show how far it is until everyone is lit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a drive and order everyone it cut back, paced; a second officer is needed but in an emergency."""
    shown = None if evidence is None else read_evidence(evidence)
    clock = enter()
    from bahal.domains.supply.recalls import File
    from bahal.journeys.restore_drive import ask_recall

    recall = ask_recall(
        drive=drive, officer=officer, cause=cause, reason=reason, evidence=None if shown is None else File(*shown),
        at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    if wait:
        _follow(recall)
    answering.answer(
        {"recall": recall, "drive": drive, "in_force": cause == "emergency"},
        as_json=as_json,
        hi="अभियान {drive} रोका गया; बहाली {recall}" + ("" if cause == "emergency" else ": दूसरे अधिकारी की सहमति चाहिए"),
        en="Drive {drive} is stopped; recall {recall}"
        + ("" if cause == "emergency" else ": a second officer is needed"),
    )


def restore_second(recall: Recall, officer: Officer = "se", as_json: AsJson = False) -> None:
    """Give a recall its second word."""
    clock = enter()
    from bahal.journeys.restore_drive import second_recall

    second_recall(recall=recall, officer=officer, at=clock.wall(), business_at=clock.now())
    answering.answer({"recall": recall}, as_json=as_json, hi="बहाली {recall} शुरू", en="Recall {recall} begins")


def restore_status(recall: Recall, as_json: AsJson = False) -> None:
    """How far a recall is."""
    clock = enter()
    from bahal.journeys.restore_drive import recall_progress

    _show(recall_progress(recall=recall, business_at=clock.now()).as_json(), as_json=as_json)


def _follow(recall: int) -> None:
    clock = enter()
    from bahal.journeys.restore_drive import recall_progress

    while True:
        found = recall_progress(recall=recall, business_at=clock.now())
        _show(found.as_json(), as_json=False)
        if not found.in_force or not (found.left or found.queued or found.under_way):
            return
        time.sleep(2)


def _show(told: dict[str, object], *, as_json: bool) -> None:
    answering.answer(
        told,
        as_json=as_json,
        hi="बहाली {recall}, अभियान {drive}: {left} शेष, {queued} फीडर की प्रतीक्षा में, {under_way} जारी, {lit} चालू, "
        "{button} बटन दबाना बाकी, {field} लाइनमैन; अनुमान {minutes} मिनट",
        en="Recall {recall} of drive {drive}: {left} to order, {queued} wait for their feeder, {under_way} under way, "
        "{lit} lit, {button} wait for their button, {field} for a lineman; about {minutes} minutes",
    )

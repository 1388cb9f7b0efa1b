"""Arrears on the command line: their age, why a due may be enforced, surcharge, instalments, disputes, write-offs."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import Actor, AsJson, Consumer, paise_of
from bahal.entry.verbs.running import DayWrong
from bahal.shared.clock import day_in_india
from bahal.shared.money import rupees as written
from bahal.shared.text import language_of
from bahal.shared.words import word


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    arrears = typer.Typer(no_args_is_help=True, help="Arrears: their age, surcharge, instalments, disputes, the dark.")
    for verb in (ageing, why, surcharge, plan, dispute, dark, step, protest):
        arrears.command()(verb)
    arrears.command("review-plans")(review_plans)
    arrears.command("close-dispute")(close_dispute)
    arrears.command("write-off")(write_off)
    arrears.command("decide-write-off")(decide_write_off)
    arrears.command("note-service")(note_service)
    app.add_typer(arrears, name="arrears")


def day_of(given: str) -> date:
    """A day as ISO has it.

    :raises DayWrong: it is none.
    """
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise DayWrong(given=given) from None


def ageing(as_json: AsJson = False) -> None:
    """What is owed in each division, by how long it has been due."""
    clock = enter()
    from bahal.journeys.arrears_ageing import BANDS, arrears_ageing

    found = arrears_ageing(day=day_in_india(clock.now()))
    names = [name for name, _ in BANDS]
    if as_json:
        offices = [
            {
                "office": each.office, "name": each.name, "connections": each.connections,
                "paise": dict(zip(names, each.bands, strict=True)), "surcharge_paise": each.surcharge_paise,
                "expenses_paise": each.expenses_paise, "disputed_paise": each.disputed_paise,
                "total_paise": each.total_paise,
            }
            for each in found
        ]  # fmt: skip
        typer.echo(json.dumps({"offices": offices}, ensure_ascii=False))
        return
    lang = language_of()
    table = Table()
    hindi = lang == "hi"
    heads = ("कार्यालय", "कनेक्शन") if hindi else ("Office", "Connections")
    tails = ("अधिभार", "व्यय", "कुल") if hindi else ("Surcharge", "Expenses", "Total")
    for nth, head in enumerate((*heads, *(word("ages of arrears", name, lang) for name in names), *tails)):
        table.add_column(head, justify="right" if nth else "left")
    for each in found:
        table.add_row(
            each.name_hi if hindi else each.name, str(each.connections), *map(written, each.bands),
            written(each.surcharge_paise), written(each.expenses_paise), written(each.total_paise),
        )  # fmt: skip
    Console().print(table)


def why(consumer: Consumer, as_json: AsJson = False) -> None:
    """What of a connection's due a cut may rest on, bill by bill, with the reason for each."""
    clock = enter()
    from bahal.journeys.explain_due import explain_due

    due = explain_due(connection=consumer, business_at=clock.now())
    lang = language_of()
    parts = [
        {"bill": due.numbers[part.bill], "owed_paise": part.owed_paise, "reason": part.reason}
        for part in due.enforceable.parts
    ]
    if as_json:
        shown: dict[str, Any] = {
            "consumer": due.connection, "due_paise": due.due_paise, "energy_paise": due.balance_paise,
            "enforceable_paise": due.enforceable.paise, "minimum_paise": due.policy.minimum_paise,
            "policy": due.policy.version, "bills": parts,
        }  # fmt: skip
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for part in parts:
        reason = word("reasons of a bill", str(part["reason"]), lang)
        typer.echo(f"{part['bill']:<24} {written(int(str(part['owed_paise']))):>16}  {reason}")
    total = (written(due.due_paise), written(due.enforceable.paise), written(due.policy.minimum_paise))
    typer.echo(
        "कुल देय {}; विच्छेदन के लिए गिना गया {}; न्यूनतम {}".format(*total)
        if lang == "hi"
        else "Due in all {}; a cut may rest on {}; the minimum is {}".format(*total)
    )


def surcharge(actor: Actor = "revenue", as_json: AsJson = False) -> None:
    """Charge the surcharge that has come due up to today; nothing is charged twice."""
    clock = enter()
    from bahal.journeys.charge_surcharge import charge_surcharge

    run = charge_surcharge(actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"connections": run.connections, "parts": run.parts, "paise": run.paise, "rupees": written(run.paise)},
        as_json=as_json,
        hi="{connections} कनेक्शनों पर {rupees} अधिभार ({parts} भाग)",
        en="Surcharge of {rupees} on {connections} connections ({parts} parts)",
    )


def plan(
    consumer: Consumer,
    parts: Annotated[int, typer.Option(help="How many monthly instalments.")],
    first: Annotated[str, typer.Option(help="The day of the first, like 2025-12-05.")],
    with_surcharge: Annotated[bool, typer.Option(help="Let surcharge run while the plan is open.")] = False,
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Agree on instalments of all that is due; no cut while they are kept."""
    first_on = day_of(first)
    clock = enter()
    from bahal.journeys.agree_instalments import agree_instalments

    agreed = agree_instalments(
        connection=consumer, parts=parts, first_on=first_on, surcharge_free=not with_surcharge, actor=actor,
        at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    days = [{"due_on": each.due_on.isoformat(), "paise": each.paise} for each in agreed.instalments]
    text = ", ".join(f"{each.due_on:%d-%m-%Y} {written(each.paise)}" for each in agreed.instalments)
    answering.answer(
        {"plan": agreed.plan, "instalments": days if as_json else text},
        as_json=as_json,
        hi="किस्त योजना {plan}: {instalments}",
        en="Instalment plan {plan}: {instalments}",
    )


def review_plans(actor: Actor = "revenue", as_json: AsJson = False) -> None:
    """Close the plans that are fulfilled or broken; a broken one lifts its hold and cuts nothing."""
    clock = enter()
    from bahal.journeys.agree_instalments import review_plans as review

    stand = review(actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        dict(stand.items()),
        as_json=as_json,
        hi="{kept} योजनाएँ चल रही हैं, {fulfilled} पूरी, {broken} टूटीं",
        en="{kept} plans are kept, {fulfilled} fulfilled, {broken} broken",
    )


def dispute(
    bill: Annotated[str, typer.Argument(help="The bill's number.")],
    reason: Annotated[str, typer.Option(help="What the consumer contests.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Note that a bill is contested: no cut rests on it and no surcharge runs until the dispute is closed."""
    clock = enter()
    from bahal.journeys.dispute_bill import raise_dispute

    raised = raise_dispute(bill=bill, reason=reason, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer({"dispute": raised}, as_json=as_json, hi="विवाद {dispute} दर्ज", en="Dispute {dispute} is open")


def close_dispute(
    number: Annotated[int, typer.Argument(help="The dispute's number.")],
    outcome: Annotated[str, typer.Option(help="What was decided.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Close a dispute with what was decided."""
    clock = enter()
    from bahal.journeys.dispute_bill import close_dispute as close

    consumer = close(dispute=number, outcome=outcome, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"dispute": number, "consumer": consumer},
        as_json=as_json,
        hi="विवाद {dispute} समाप्त (उपभोक्ता {consumer})",
        en="Dispute {dispute} of consumer {consumer} is closed",
    )


def write_off(
    consumer: Consumer,
    rupees: Annotated[str, typer.Argument(help="Rupees to give up.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Propose to give up a due; a second officer decides."""
    paise = paise_of(rupees)
    clock = enter()
    from bahal.journeys.write_off_due import propose_write_off

    made = propose_write_off(
        connection=consumer, paise=paise, reason=reason, actor=actor, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"write_off": made},
        as_json=as_json,
        hi="छूट प्रस्ताव {write_off}: दूसरा अधिकारी निर्णय दे",
        en="Write-off {write_off} is proposed: a second officer decides",
    )


def decide_write_off(
    number: Annotated[int, typer.Argument(help="The proposal's number.")],
    accept: Annotated[bool, typer.Option("--accept/--decline", help="What is decided.")],
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Decide a proposal of another officer."""
    clock = enter()
    from bahal.journeys.write_off_due import decide_write_off as decide

    consumer = decide(write_off=number, accepted=accept, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"write_off": number, "accepted": accept, "consumer": consumer},
        as_json=as_json,
        hi="छूट प्रस्ताव {write_off} पर निर्णय हुआ (उपभोक्ता {consumer})",
        en="Write-off {write_off} of consumer {consumer} is decided",
    )


def protest(
    consumer: Consumer,
    rupees: Annotated[str, typer.Argument(help="Rupees deposited; without them only what is needed is said.")] = "",
    evidence: Annotated[str, typer.Option(help="What is contested, and where it is written.")] = "",
    key: Annotated[str, typer.Option(help="Idempotency key of the deposit.")] = "",
    actor: Actor = "cashier",
    as_json: AsJson = False,
) -> None:
    """Take a deposit under protest, or say what it would take (s.56(1))."""
    paise = paise_of(rupees) if rupees else None
    clock = enter()
    from bahal.journeys.deposit_under_protest import deposit_under_protest, what_stays_the_cut

    if paise is None:
        needed = what_stays_the_cut(connection=consumer)
        shown = {
            "needed_paise": needed.paise, "claim_paise": needed.claim_paise, "months": needed.months,
            "average_paise": needed.average_paise, "needed": written(needed.paise),
            "claim": written(needed.claim_paise), "average": written(needed.average_paise),
        }  # fmt: skip
        hi = "{needed} चाहिए: दावा {claim}, या {months} माह × औसत {average}, जो कम हो"
        en = "{needed} is needed: the lesser of the claim {claim} and {months} months x average {average}"
        answering.answer(shown, as_json=as_json, hi=hi, en=en)
        return
    done = deposit_under_protest(
        key=key or f"{consumer} {clock.wall().isoformat()}", connection=consumer, paise=paise, evidence=evidence,
        actor=actor, at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"hold": done.hold, "needed_paise": done.stay.paise, "order": done.order},
        as_json=as_json,
        hi="जमा हुआ; रोक {hold} लगी",
        en="Deposited; hold {hold} is in force",
    )


def dark(actor: Actor = "revenue", as_json: AsJson = False) -> None:
    """Take the steps that are due for those who stayed dark, and list what waits for two officers."""
    clock = enter()
    from bahal.journeys.follow_dark import follow_dark

    followed = follow_dark(actor=actor, at=clock.wall(), business_at=clock.now())
    waiting = [
        {"consumer": each.connection, "order": each.order, "step": each.step, "from_on": each.from_on.isoformat(),
         "due_paise": each.due_paise}
        for each in followed.waiting
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"dark": followed.dark, "done": followed.done, "waiting": waiting}, ensure_ascii=False))
        return
    lang = language_of()
    typer.echo(f"{followed.dark} अंधेरे में, बकाया सहित" if lang == "hi" else f"{followed.dark} are dark and owe")
    for name, count in followed.done.items():
        typer.echo(f"  {word('steps after a cut', name, lang)}: {count}")
    for each in followed.waiting:
        name = word("steps after a cut", each.step, lang)
        typer.echo(f"  {each.connection} {name} ({each.from_on:%d-%m-%Y}) {written(each.due_paise)}")


def step(
    consumer: Consumer,
    name: Annotated[str, typer.Argument(help="permanent_disconnection or recovery_demand.")],
    second: Annotated[str, typer.Option(help="The second officer.")],
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Take a step that two officers must take together."""
    clock = enter()
    from bahal.journeys.disconnect_permanently import take_officers_step

    from_on = take_officers_step(
        connection=consumer, step=name, actor=actor, second=second, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"consumer": consumer, "step": name, "from_on": from_on.isoformat()},
        as_json=as_json,
        hi="कनेक्शन {consumer}: {step} ({from_on} से देय)",
        en="Connection {consumer}: {step}, due since {from_on}",
    )


def note_service(
    notice: Annotated[int, typer.Argument(help="The notice's number.")],
    served: Annotated[str, typer.Option(help="The day of service, like 2025-12-05.")],
    how: Annotated[str, typer.Option(help="How that is known, such as an acknowledgement's number.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Note that a written notice was served; from then its clear days count."""
    served_on = day_of(served)
    clock = enter()
    from bahal.journeys.note_service import note_service as note

    consumer = note(
        notice=notice, served_on=served_on, service=how, actor=actor, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"notice": notice, "consumer": consumer},
        as_json=as_json,
        hi="सूचना {notice} तामील हुई (उपभोक्ता {consumer})",
        en="Notice {notice} to consumer {consumer} is served",
    )

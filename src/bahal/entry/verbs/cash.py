"""The cash counter: its day, money over the counter, a receipt undone by two people, a cheque that came back."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import AsJson, DateWrong, paise_of
from bahal.shared.money import rupees as shown_rupees
from bahal.shared.text import language_of
from bahal.shared.words import word

Code = Annotated[str, typer.Argument(metavar="COUNTER", help="The counter's code, such as BSP1.")]
Count = Annotated[str, typer.Option(help="The cash in the drawer: 500x12,100x3; 0 for none.")]
Cashier = Annotated[str, typer.Option("--as", help="The cashier.")]
Officer = Annotated[str, typer.Option("--as", help="The officer who acts.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit.")]
ReceiptNumber = Annotated[str, typer.Argument(metavar="RECEIPT", help="The receipt's number.")]
ProposalNumber = Annotated[int, typer.Argument(metavar="PROPOSAL", help="The proposal's number.")]
Number = Annotated[str, typer.Argument(metavar="CONSUMER", help="The ten-digit consumer number.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    counter = typer.Typer(no_args_is_help=True, help="A cash counter: its day and its receipts.")
    for name, verb in (
        ("add", add), ("open", open_day), ("find", find), ("take", take), ("close", close), ("receipt", receipt),
        ("cancel", cancel), ("bounce", bounce), ("clear", clear), ("refund", refund), ("payer", payer),
        ("proposals", proposals), ("accept", accept), ("decline", decline), ("pay-out", pay_out),
    ):  # fmt: skip
        counter.command(name)(verb)
    app.add_typer(counter, name="counter")


def add(
    code: Code,
    office: Annotated[int, typer.Option(help="The office it belongs to.")],
    officer: Officer = "ee",
    as_json: AsJson = False,
) -> None:
    """Set up a counter."""
    clock = enter()
    from bahal.journeys.keep_counter import add_counter

    made = add_counter(code=code, office=office, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"counter": code, "id": made}, as_json=as_json, hi="काउंटर {counter} बना", en="Counter {counter} added"
    )


def open_day(code: Code, count: Count = "0", cashier: Cashier = "cashier", as_json: AsJson = False) -> None:
    """Open the cashier's day with the cash in the drawer."""
    clock = enter()
    from bahal.journeys import keep_counter

    day = keep_counter.open_day(counter=code, cashier=cashier, count=count, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"day": day, "counter": code}, as_json=as_json, hi="काउंटर {counter} खुला", en="Counter {counter} is open"
    )


def find(
    text: Annotated[str, typer.Argument(help="Consumer number, mobile, meter or part of a name.")],
    as_json: AsJson = False,
) -> None:
    """Find a consumer, and what he owes."""
    enter()
    from bahal.journeys.find_consumer import find_consumer

    found = find_consumer(text)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False))
        return
    hindi = language_of() == "hi"
    for each in found:
        name, due = (each.name_hi, "देय") if hindi else (each.name, "due")
        typer.echo(f"{each.connection}  {name}  {each.meter or '-'}  {due} {shown_rupees(each.due_paise)}")


def take(
    code: Code,
    number: Number,
    rupees: Annotated[str, typer.Argument(help="Rupees, such as 5123 or 5123.50.")],
    by: Annotated[str, typer.Option(help="cash, cheque, draft or card.")] = "cash",
    cheque: Annotated[str, typer.Option(help="The cheque's or draft's six digits.")] = "",
    bank: Annotated[str, typer.Option(help="Its bank and branch.")] = "",
    dated: Annotated[str, typer.Option(help="The day on it, ISO.")] = "",
    key: Annotated[str, typer.Option(help="Idempotency key; new unless given.")] = "",
    cashier: Cashier = "cashier",
    as_json: AsJson = False,
) -> None:
    """Take money over the counter."""
    paise = paise_of(rupees)
    clock = enter()
    from bahal.domains.payments.operations import Cheque
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.keep_counter import take_at_counter

    taken = take_at_counter(
        counter=code, cashier=cashier, key=key or str(uuid.uuid4()), connection=consumer_number(number), paise=paise,
        instrument=by, cheque=Cheque(cheque, bank, _day(dated)) if by in ("cheque", "draft") else None,
        business_at=clock.now(),
    )  # fmt: skip
    result = {"receipt": taken.receipt, "acknowledged_at": taken.acknowledged_at.isoformat(), "order": taken.order}
    hi, en = "रसीद {receipt}", "Receipt {receipt}"
    if taken.order is not None:
        hi, en = hi + "; बिजली बहाली का आदेश {order}", en + "; restore order {order}"
    answering.answer(result, as_json=as_json, hi=hi, en=en)


def close(code: Code, count: Count, reason: Reason = "", cashier: Cashier = "cashier", as_json: AsJson = False) -> None:
    """Close the cashier's day with the cash counted; a difference needs its reason."""
    clock = enter()
    from bahal.journeys.keep_counter import close_day

    closed = close_day(
        counter=code, cashier=cashier, count=count, reason=reason, at=clock.wall(), business_at=clock.now()
    )
    if as_json:
        sheet = asdict(closed) | {"takings": [each._asdict() for each in closed.takings]}
        typer.echo(json.dumps(sheet, ensure_ascii=False, default=str))
        return
    language = language_of()
    for each in closed.takings:
        typer.echo(f"{word('instruments', each.instrument, language)}: {each.receipts}  {shown_rupees(each.paise)}")
    typer.echo(closed.counted)
    sums = {
        "expected": shown_rupees(closed.expected_paise),
        "counted": shown_rupees(closed.counted_paise),
        "variance": shown_rupees(closed.variance_paise),
    }
    answering.answer(
        sums, as_json=False, hi="होना चाहिए {expected}, गिना {counted}, अंतर {variance}",
        en="Expected {expected}, counted {counted}, difference {variance}",
    )  # fmt: skip


def receipt(number: ReceiptNumber, as_json: AsJson = False) -> None:
    """A receipt with what it settled."""
    enter()
    from bahal.journeys.show_receipt import show_receipt

    shown = show_receipt(receipt=number)
    if as_json:
        typer.echo(json.dumps(shown.as_json(), ensure_ascii=False, default=str))
        return
    typer.echo(shown.text(language_of()))


def cancel(number: ReceiptNumber, reason: Reason, cashier: Cashier = "cashier", as_json: AsJson = False) -> None:
    """Propose to cancel a receipt of the open day; another officer accepts or declines."""
    clock = enter()
    from bahal.journeys.undo_receipt import propose_cancelling

    proposal = propose_cancelling(
        receipt=number, reason=reason, actor=cashier, at=clock.wall(), business_at=clock.now()
    )
    _proposed(proposal, as_json=as_json)


def bounce(number: ReceiptNumber, reason: Reason, officer: Officer = "cashier", as_json: AsJson = False) -> None:
    """The bank sent a receipt's cheque back: its dues are open again, with the charge."""
    clock = enter()
    from bahal.journeys.undo_receipt import bounce_cheque

    charge = bounce_cheque(receipt=number, reason=reason, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"receipt": number, "charge_paise": charge, "charge": shown_rupees(charge)}, as_json=as_json,
        hi="रसीद {receipt} का चेक वापस: बकाया फिर खुला, शुल्क {charge}",
        en="The cheque of receipt {receipt} came back: its dues are open again, charge {charge}",
    )  # fmt: skip


def clear(number: ReceiptNumber, officer: Officer = "cashier", as_json: AsJson = False) -> None:
    """The bank cleared a receipt's cheque: now it brings the supply back too."""
    clock = enter()
    from bahal.journeys.undo_receipt import clear_cheque

    order = clear_cheque(receipt=number, actor=officer, at=clock.wall(), business_at=clock.now())
    hi, en = "रसीद {receipt} का चेक जमा हुआ", "The cheque of receipt {receipt} has cleared"
    if order is not None:
        hi, en = hi + "; बिजली बहाली का आदेश {order}", en + "; restore order {order}"
    answering.answer({"receipt": number, "order": order}, as_json=as_json, hi=hi, en=en)


def refund(
    number: Number,
    rupees: Annotated[str, typer.Argument(help="Rupees.")],
    reason: Reason,
    officer: Officer = "cashier",
    as_json: AsJson = False,
) -> None:
    """Propose to pay back money held in advance; another officer accepts or declines."""
    paise = paise_of(rupees)
    clock = enter()
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.decide_proposal import propose_refund

    proposal = propose_refund(
        connection=consumer_number(number), paise=paise, reason=reason, actor=officer, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    _proposed(proposal, as_json=as_json)


def payer(
    suspense: Annotated[int, typer.Argument(metavar="SUSPENSE", help="The money's number in suspense.")],
    number: Number,
    reason: Reason,
    officer: Officer = "cashier",
    as_json: AsJson = False,
) -> None:
    """Propose whose money in suspense is; another officer accepts or declines."""
    clock = enter()
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.decide_proposal import propose_payer

    proposal = propose_payer(
        suspense=suspense, connection=consumer_number(number), reason=reason, actor=officer, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    _proposed(proposal, as_json=as_json)


def proposals(as_json: AsJson = False) -> None:
    """What waits for a second person."""
    enter()
    from bahal.domains.payments.queries import open_proposals

    waiting = open_proposals()
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in waiting], ensure_ascii=False))
        return
    for each in waiting:
        what = word("proposals", each.kind, language_of())
        typer.echo(
            f"{each.id}  {what}  {each.connection}  {shown_rupees(each.paise)}  {each.proposed_by}: {each.reason}"
        )


def accept(proposal: ProposalNumber, officer: Officer = "ee", as_json: AsJson = False) -> None:
    """Accept what another officer proposed."""
    _decide(proposal, accept_it=True, officer=officer, as_json=as_json)


def decline(proposal: ProposalNumber, officer: Officer = "ee", as_json: AsJson = False) -> None:
    """Decline what another officer proposed."""
    _decide(proposal, accept_it=False, officer=officer, as_json=as_json)


def pay_out(
    proposal: ProposalNumber,
    utr: Annotated[str, typer.Option(help="The bank's reference of the transfer.")],
    officer: Officer = "cashier",
    as_json: AsJson = False,
) -> None:
    """Note that the bank has sent an accepted refund."""
    clock = enter()
    from bahal.journeys import decide_proposal

    decide_proposal.pay_out(proposal=proposal, utr=utr, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"proposal": proposal, "utr": utr}, as_json=as_json, hi="प्रस्ताव {proposal} की राशि भेजी गई",
        en="Proposal {proposal} is paid out",
    )  # fmt: skip


def _decide(proposal: int, *, accept_it: bool, officer: str, as_json: bool) -> None:
    clock = enter()
    from bahal.journeys.decide_proposal import decide_proposal

    taken = decide_proposal(
        proposal=proposal, accept=accept_it, officer=officer, at=clock.wall(), business_at=clock.now()
    )
    result = {"proposal": proposal, "accepted": accept_it, "receipt": None if taken is None else taken.receipt}
    hi, en = ("स्वीकृत", "accepted") if accept_it else ("अस्वीकृत", "declined")
    answering.answer(result, as_json=as_json, hi=f"प्रस्ताव {{proposal}} {hi}", en=f"Proposal {{proposal}} {en}")


def _proposed(proposal: int, *, as_json: bool) -> None:
    answering.answer(
        {"proposal": proposal}, as_json=as_json, hi="प्रस्ताव {proposal}: दूसरा अधिकारी निर्णय करेगा",
        en="Proposal {proposal}: another officer decides",
    )  # fmt: skip


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise DateWrong(given=given) from None

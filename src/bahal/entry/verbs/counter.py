"""One consumer at a time: a payment, a hold, a restore, an order's story."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.errors import USAGE, Refusal

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Actor = Annotated[str, typer.Option("--as", help="Who acts, for the audit.")]
Consumer = Annotated[int, typer.Argument(help="The ten-digit consumer number.")]


class RupeesWrong(Refusal):
    """Not an amount of money."""

    code = "rupees_wrong"
    exit_code = USAGE
    hi = "`{given}` राशि नहीं है: रुपये दें, जैसे 5123 या 5123.50।"
    en = "`{given}` is not an amount: give rupees such as 5123 or 5123.50."


class DateWrong(Refusal):
    """Not a moment in time."""

    code = "moment_wrong"
    exit_code = USAGE
    hi = "`{given}` समय नहीं है: 2025-12-31T18:00+05:30 जैसा दें।"
    en = "`{given}` is not a moment: give it like 2025-12-31T18:00+05:30."


class ShownFileUnreadable(Refusal):
    """The file cannot be read."""

    code = "shown_file_unreadable"
    exit_code = USAGE
    hi = "प्रमाण की फ़ाइल {path} पढ़ी नहीं जा सकी: {why}"
    en = "The evidence {path} cannot be read: {why}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(pay)
    hold = typer.Typer(no_args_is_help=True, help="Holds: no cut for want of payment while one is in force.")
    hold.command("set")(set_hold)
    hold.command("lift")(lift)
    hold.command("list")(list_holds)
    app.add_typer(hold, name="hold")
    app.command()(restore)
    order = typer.Typer(no_args_is_help=True, help="Orders for relays.")
    order.command("show")(show_order)
    app.add_typer(order, name="order")


def paise_of(given: str) -> int:
    """Rupees as a person writes them, in paise.

    :raises RupeesWrong: not an amount, or finer than a paisa.
    """
    try:
        paise = Decimal(given.replace(",", "")) * 100
    except InvalidOperation:
        raise RupeesWrong(given=given) from None
    if not paise.is_finite() or paise != paise.to_integral_value() or paise <= 0:
        raise RupeesWrong(given=given)
    return int(paise)


def pay(
    number: Annotated[str, typer.Argument(metavar="CONSUMER", help="The ten-digit consumer number.")],
    rupees: Annotated[str, typer.Argument(help="Rupees, such as 5123 or 5123.50.")],
    channel: Annotated[str, typer.Option(help="counter, upi, bbps, card or bank.")] = "counter",
    key: Annotated[str, typer.Option(help="Idempotency key: the same key is the same payment. New unless given.")] = "",
    actor: Actor = "cashier",
    as_json: AsJson = False,
) -> None:
    """Take a payment; when nothing is due any more the supply comes back by itself."""
    paise = paise_of(rupees)
    clock = enter()
    from bahal.domains.payments.queries import consumer_number
    from bahal.journeys.take_payment import take_payment

    taken = take_payment(
        key=key or str(uuid.uuid4()), connection=consumer_number(number), paise=paise, channel=channel, actor=actor,
        business_at=clock.now(),
    )  # fmt: skip
    result = {"receipt": taken.receipt, "acknowledged_at": taken.acknowledged_at.isoformat(), "order": taken.order}
    hi, en = "रसीद {receipt}", "Receipt {receipt}"
    if taken.order is not None:
        hi, en = hi + "; बिजली बहाली का आदेश {order}", en + "; restore order {order}"
    answering.answer(result, as_json=as_json, hi=hi, en=en)


def set_hold(
    consumer: Consumer,
    kind: Annotated[str, typer.Option(help="hospital, life_support, court_stay, complaint, ...")],
    evidence: Annotated[str, typer.Option(help="What shows it: a letter, an order, a certificate.")],
    until: Annotated[str, typer.Option(help="When it ends, ISO with zone; open-ended unless given.")] = "",
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Place a hold; a cut that has not gone out is cancelled at once."""
    expires = moment_of(until) if until else None
    clock = enter()
    from bahal.journeys.place_hold import place_hold

    hold = place_hold(
        connection=consumer, kind=kind, evidence=evidence, actor=actor, expires_at=expires, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"hold": hold}, as_json=as_json, hi="रोक {hold} लगी", en="Hold {hold} is in force")


def lift(
    hold: Annotated[int, typer.Argument(help="The hold's number.")], actor: Actor = "ee", as_json: AsJson = False
) -> None:
    """Lift a hold. Lifting never cuts by itself."""
    clock = enter()
    from bahal.journeys.lift_hold import lift_hold

    lift_hold(hold=hold, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer({"hold": hold}, as_json=as_json, hi="रोक {hold} हटी", en="Hold {hold} is lifted")


def list_holds(consumer: Consumer, as_json: AsJson = False) -> None:
    """The holds of a connection, open ones first."""
    enter()
    from bahal.domains.arrears.queries import holds_of

    holds = holds_of(connection=consumer)
    if as_json:
        typer.echo(json.dumps([hold._asdict() for hold in holds], ensure_ascii=False, default=str))
        return
    for hold in holds:
        typer.echo(" ".join(str(value) for value in hold if value is not None))


def restore(
    consumer: Consumer,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    ground: Annotated[
        str, typer.Option(help="own_request, safety, court_order or mistake; a payment restores by itself.")
    ] = "own_request",
    evidence: Annotated[
        Path | None, typer.Option(help="A file that shows it: the court's order, what the mistake was.")
    ] = None,
    officer: Annotated[str, typer.Option("--as", help="The officer who orders it.")] = "ee",
    as_json: AsJson = False,
) -> None:
    """Order a connection's supply back. Reconnection needs no warrant."""
    shown = None if evidence is None else read_evidence(evidence)
    clock = enter()
    from bahal.domains.supply.recalls import File
    from bahal.journeys.order_restore import order_restore

    order = order_restore(
        connection=consumer, officer=officer, ground=ground, reason=reason, at=clock.wall(), business_at=clock.now(),
        evidence=None if shown is None else File(*shown),
    )  # fmt: skip
    answering.answer({"order": order}, as_json=as_json, hi="आदेश {order} दिया गया", en="Order {order} is given")


def read_evidence(path: Path) -> tuple[str, bytes]:
    """A file of evidence: its name and its bytes.

    :raises ShownFileUnreadable: it cannot be read.
    """
    try:
        return path.name, path.read_bytes()
    except OSError as wrong:
        raise ShownFileUnreadable(path=str(path), why=wrong.strerror or "?") from wrong


def show_order(order: Annotated[int, typer.Argument(help="The order's number.")], as_json: AsJson = False) -> None:
    """An order's whole story: what, why, when, what the meter said."""
    enter()
    from bahal.journeys.show_order import show_order as story_of

    story = story_of(order=order)
    if as_json:
        typer.echo(json.dumps(story, ensure_ascii=False, default=str))
        return
    for name, value in story.items():
        typer.echo(f"{name}: {value}")


def moment_of(given: str) -> datetime:
    """A moment as a person writes it, with its zone, in UTC.

    :raises DateWrong: it is not one, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise DateWrong(given=given) from None
    if moment.tzinfo is None:
        raise DateWrong(given=given)
    return moment.astimezone(UTC)

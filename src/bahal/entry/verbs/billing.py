"""`bahal bill readings|reads|run|show|so-far|pdf|review|revise|correct|doubts`: from registers to issued bills."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bahal.entry import answering
from bahal.entry.billing import bill_month
from bahal.entry.business import enter
from bahal.shared.errors import REFUSED, USAGE, Refusal
from bahal.shared.home import Home, read_json
from bahal.shared.money import rupees
from bahal.shared.text import day, language_of
from bahal.shared.words import WORDS, word

if TYPE_CHECKING:
    from bahal.journeys.open_line import Opened

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Actor = Annotated[str, typer.Option("--as", help="Who acts, for the audit.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]
Consumer = Annotated[int, typer.Argument(help="The ten-digit consumer number.")]


class MonthWrong(Refusal):
    """Not a month."""

    code = "bill_month_wrong"
    exit_code = USAGE
    hi = "`{given}` माह नहीं है: 2025-10 जैसा दें।"
    en = "`{given}` is not a month: give it like 2025-10."


class DayWrong(Refusal):
    """Not a day."""

    code = "billing_day_wrong"
    exit_code = USAGE
    hi = "`{given}` दिन नहीं है: 2025-10-01 जैसा दें।"
    en = "`{given}` is not a day: give it like 2025-10-01."


def add_to(bill: typer.Typer) -> None:
    """Add these verbs to `bahal bill`."""
    bill.command("readings")(readings)
    bill.command("reads")(reads)
    bill.command("run")(run)
    bill.command("show")(show)
    bill.command("so-far")(so_far)
    bill.command("pdf")(pdf)
    bill.command("receipt")(receipt)
    bill.command("revise")(revise)
    bill.command("correct")(correct)
    review = typer.Typer(no_args_is_help=True, help="Held bills: outside the consumer's own history, or an open rate.")
    review.command("list")(held)
    review.command("issue")(release)
    review.command("drop")(drop)
    review.command("accepted")(accepted)
    bill.add_typer(review, name="review")
    doubts = typer.Typer(no_args_is_help=True, help="Readings that cannot be: kept until somebody looks into them.")
    doubts.command("list")(list_doubts)
    doubts.command("settle")(settle)
    bill.add_typer(doubts, name="doubts")


def readings(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: meter, read_on, kwh, ...")],
    actor: Actor = "operator",
    as_json: AsJson = False,
) -> None:
    """Take billing registers from a CSV file. Rows that cannot be are kept as doubts and named."""
    clock = enter()
    from bahal.journeys.import_registers import import_registers

    with file.open(encoding="utf-8-sig", newline="") as rows:
        done = import_registers(rows, actor=actor, at=clock.wall(), business_at=clock.now())
    if as_json:
        typer.echo(json.dumps(done.as_json(), ensure_ascii=False))
    else:
        for each in done.named:
            typer.echo(f"{file}:{each.line}: {each.refusal.text(language_of())}", err=True)
        answering.answer(
            {"new": done.new, "known": done.known, "doubted": done.doubted},
            as_json=False,
            hi="{new} पठन लिए गए, {known} पहले से थे, {doubted} संदिग्ध",
            en="{new} readings taken, {known} known already, {doubted} in doubt",
        )
    if done.doubted and not done.new and not done.known:
        raise typer.Exit(REFUSED)


def reads(actor: Actor = "operator", as_json: AsJson = False) -> None:
    """Take what meters showed at their billing dates now; the worker does so by itself."""
    clock = enter()
    from bahal.journeys.take_meter_reads import take_meter_reads

    done = take_meter_reads(actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"batches": done.batches, "new": done.new, "known": done.known, "doubted": done.doubted},
        as_json=as_json,
        hi="{new} पठन लिए गए, {known} पहले से थे, {doubted} संदिग्ध",
        en="{new} registers taken, {known} known already, {doubted} in doubt",
    )


def run(
    month: Annotated[str, typer.Option(help="The month to bill, such as 2025-10.")],
    every: Annotated[bool, typer.Option("--all-centres", help="Also centres whose day has not come.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes at once.")] = 1,
    estimate_after: Annotated[int, typer.Option(min=1, help="Estimate after so many missing month-ends.")] = 1,
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Bill a month. A run that was interrupted is simply run again."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise MonthWrong(given=month) from None
    cycle = bill_month(month=first, actor=actor, every=every, workers=workers, estimate_after=estimate_after)
    result = cycle.as_json()
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    shown = {**result, "amount": rupees(cycle.paise), "held": cycle.held.total(), "left": cycle.not_billed.total()}
    answering.answer(
        shown,
        as_json=False,
        hi="{bills} बिल जारी ({estimated} अनुमानित), कुल {amount}; {held} जाँच में, {left} नहीं बने, {trued_up} अनुमान सुधारे",
        en="{bills} bills issued ({estimated} estimated), {amount} in all; {held} held, {left} not billed, {trued_up} "
        "estimates replaced",
    )
    known = WORDS["unbilled"]
    for why, count in sorted(cycle.not_billed.items()):
        typer.echo(f"  {word('unbilled', why, language_of()) if why in known else why}: {count}", err=True)


def show(
    number: Annotated[str, typer.Argument(help="The bill's number, such as 202510-2200000001.")],
    line: Annotated[int, typer.Option(help="Open this line down to the half hours behind it.")] = 0,
    of_day: Annotated[str, typer.Option("--day", help="With --line: this day half hour by half hour.")] = "",
    as_json: AsJson = False,
) -> None:
    """A bill, line by line, each with its reason; with --json in both languages."""
    enter()
    if line or of_day:
        _show_line(number, line, None if not of_day else _day(of_day), as_json=as_json)
        return
    from bahal.journeys.show_bill import show_bill

    shown = show_bill(number=number)
    typer.echo(json.dumps(shown.as_json(), ensure_ascii=False) if as_json else shown.text(language_of()))


def _show_line(number: str, line: int, of_day: date | None, *, as_json: bool) -> None:
    from bahal.journeys.open_line import open_line
    from bahal.lake.layout import lake_uri, open_lake

    _echo_opened(open_line(number=number, line=line, lake=open_lake(lake_uri(Home.of().path))), of_day, as_json=as_json)


def _echo_opened(opened: Opened, of_day: date | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(opened.as_json(), ensure_ascii=False))
    elif of_day is None:
        typer.echo(opened.text(language_of()))
    else:
        typer.echo(opened.day_text(of_day, language_of()))


def so_far(
    consumer: Consumer,
    line: Annotated[int, typer.Option(help="Open this line down to the half hours behind it.")] = 0,
    of_day: Annotated[str, typer.Option("--day", help="With --line: this day half hour by half hour.")] = "",
    as_json: AsJson = False,
) -> None:
    """What a bill would be if it were made today: from the last one until now, line by line. Nothing is issued."""
    clock = enter()
    from bahal.journeys.bill_so_far import bill_so_far, open_so_far
    from bahal.lake.layout import lake_uri, open_lake

    lake, now = open_lake(lake_uri(Home.of().path)), clock.now()
    if line or of_day:
        opened = open_so_far(connection=consumer, line=line, lake=lake, business_at=now)
        _echo_opened(opened, None if not of_day else _day(of_day), as_json=as_json)
        return
    far = bill_so_far(connection=consumer, lake=lake, business_at=now)
    typer.echo(json.dumps(far.as_json(), ensure_ascii=False) if as_json else far.text(language_of()))


def pdf(
    number: Annotated[str, typer.Argument(help="The bill's number.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    as_json: AsJson = False,
) -> None:
    """A bill as PDF: one page of A4, in both languages."""
    enter()
    from bahal.edges.gateway import GatewayNotSet, payee
    from bahal.journeys.print_bill import print_bill

    try:
        whom = payee()
    except GatewayNotSet:
        whom = None
    page = print_bill(number=number, payee=whom)
    out.write_bytes(page)
    answering.answer({"file": str(out), "bytes": len(page)}, as_json=as_json, hi="{file} लिखा गया", en="{file} written")


def receipt(
    number: Annotated[str, typer.Argument(help="The receipt's number.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    roll: Annotated[bool, typer.Option("--roll", help="For a printer of 80 mm.")] = False,
    as_json: AsJson = False,
) -> None:
    """A receipt as PDF: a page of A4, or a roll of 80 mm."""
    enter()
    from bahal.journeys.print_receipt import print_receipt
    from bahal.journeys.verify_receipt import receipt_address

    web = str((read_json(Home.of().run / "endpoints.json") or {}).get("web", ""))
    check = receipt_address(number, site=web) if web else ""
    page = print_receipt(receipt=number, width="roll" if roll else "a4", check=check)
    out.write_bytes(page)
    answering.answer({"file": str(out), "bytes": len(page)}, as_json=as_json, hi="{file} लिखा गया", en="{file} written")


def held(limit: Annotated[int, typer.Option(min=1)] = 100, as_json: AsJson = False) -> None:
    """The bills that wait for an officer."""
    enter()
    from bahal.domains.billing.queries import review_queue

    rows = review_queue(limit=limit)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in rows], ensure_ascii=False, default=str))
        return
    for each in rows:
        typer.echo(
            f"{each.draft}  {each.connection}  {day(each.period_from)} - {day(each.period_to)}"
            f"  {each.consumption_wh // 1000} kWh  {rupees(each.paise)}  "
            + ", ".join(word("held bills", reason, language_of()) for reason in each.reasons)
        )


def release(
    draft: Annotated[int, typer.Argument(help="The held bill's number in the queue.")],
    reason: Why,
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Let a held bill go out as it was rated."""
    clock = enter()
    from bahal.journeys.review_bills import release_bill

    number = release_bill(
        draft=draft, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now()
    )  # fmt: skip
    answering.answer({"number": number}, as_json=as_json, hi="बिल {number} जारी", en="Bill {number} issued")


def drop(
    draft: Annotated[int, typer.Argument(help="The held bill's number in the queue.")],
    reason: Why,
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Drop a held bill; the next run rates the period again."""
    clock = enter()
    from bahal.journeys.review_bills import drop_bill

    drop_bill(draft=draft, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer({"draft": draft}, as_json=as_json, hi="{draft} छोड़ा गया", en="{draft} dropped")


def accepted(officer: Actor = "ee", as_json: AsJson = False) -> None:
    """Let the bills go that were held for rates alone, where an officer has answered for those since."""
    clock = enter()
    from bahal.journeys.review_bills import release_accepted

    count = release_accepted(officer=officer, at=clock.wall(), business_at=clock.now())
    answering.answer({"bills": count}, as_json=as_json, hi="{bills} बिल जारी", en="{bills} bills issued")


def revise(
    consumer: Consumer,
    since: Annotated[str, typer.Option("--from", help="The first day of the period that was billed.")],
    reason: Why,
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Rate a billed period again: the difference becomes a supplementary bill or a credit note."""
    clock = enter()
    from bahal.journeys.revise_bill import revise_bill

    revised = revise_bill(
        connection=consumer, period_from=_day(since), reason=reason, actor=actor, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    result = {"number": revised.number, "paise": revised.paise, "order": revised.order}
    answering.answer(
        {**result, "amount": rupees(revised.paise)} if not as_json else result,
        as_json=as_json,
        hi="{number}: अंतर {amount}",
        en="{number}: a difference of {amount}",
    )


def correct(
    consumer: Consumer,
    read_on: Annotated[str, typer.Argument(help="The day of the reading, such as 2025-11-01.")],
    kwh: Annotated[str, typer.Argument(help="What the register stood at, kWh.")],
    reason: Why,
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Correct a reading; a held bill that rests on it is dropped, an issued one is revised by `bahal bill revise`."""
    clock = enter()
    from bahal.journeys.import_registers import correct_register

    correct_register(
        connection=consumer, read_on=_day(read_on), kwh=kwh, reason=reason, actor=actor, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"consumer": consumer, "kwh": kwh}, as_json=as_json, hi="पठन {kwh} kWh", en="Reading {kwh} kWh")


def list_doubts(limit: Annotated[int, typer.Option(min=1)] = 100, as_json: AsJson = False) -> None:
    """The readings in doubt, each with its reason."""
    enter()
    from bahal.domains.billing.queries import open_doubts

    rows = open_doubts(limit=limit)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in rows], ensure_ascii=False, default=str))
        return
    for each in rows:
        typer.echo(f"{each.doubt}  {each.meter}  {each.read_on or '-'}  {each.error}  {json.dumps(each.data)}")


def settle(
    doubt: Annotated[int, typer.Argument(help="The doubt's number.")],
    reason: Why,
    actor: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Settle a reading in doubt after it was looked into."""
    clock = enter()
    from bahal.journeys.import_registers import settle_doubtful

    settle_doubtful(doubt=doubt, reason=reason, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer({"doubt": doubt}, as_json=as_json, hi="{doubt} निपटा", en="{doubt} settled")


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise DayWrong(given=given) from None

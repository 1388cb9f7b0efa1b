"""`bahal bill quote`: what a bill would be, from the product's tariff files: no books, no database, no instance."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Determinants, Facts, Span, Use
from bahal.domains.tariffs.errors import DeterminantWrong, PeriodEmpty, UnitsNegative
from bahal.domains.tariffs.lines import MONTH, Line, RatedPiece, Rating
from bahal.domains.tariffs.rating import rate
from bahal.domains.tariffs.telling import months, sentence, split_sentence, thousandths
from bahal.entry.verbs import billing
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.money import divided, rupees
from bahal.shared.text import Language, day, language_of

BEFORE_DUTY = (
    "fixed", "energy", "demand", "time_of_day", "power_factor", "temporary", "rebate", "free_units", "scheme", "fppas",
)  # fmt: skip
"""What a bill comes to before duty and cess: charges less what is taken off them."""


class UnitsWrong(Refusal):
    """Not a number of units, kW or HP, or finer than a thousandth."""

    code = "units_wrong"
    exit_code = USAGE
    hi = "`{given}` संख्या नहीं है: {what} में 437 या 437.5 जैसा दें, हज़ारवें भाग तक।"
    en = "`{given}` is not a number: give {what} like 437 or 437.5, down to a thousandth."


class BillDayWrong(Refusal):
    """Not a day."""

    code = "bill_day_wrong"
    exit_code = USAGE
    hi = "`{given}` दिन नहीं है: 2019-06-01 जैसा दें।"
    en = "`{given}` is not a day: give it like 2019-06-01."


class LanguageWrong(Refusal):
    """Bills speak Hindi and English."""

    code = "language_wrong"
    exit_code = USAGE
    hi = "भाषा `{given}` नहीं है: hi या en दें।"
    en = "There is no language `{given}`: give hi or en."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    bill = typer.Typer(no_args_is_help=True, help="Bills: quote, rate, review, show and print them.")
    bill.command("quote")(quote)
    billing.add_to(bill)
    app.add_typer(bill, name="bill")


def quote(
    category: Annotated[str, typer.Option(help="LV-1 domestic, LV-2 non-domestic, LV-3 agriculture.")],
    units: Annotated[str, typer.Option(help="Units (kWh) used in the period.")],
    since: Annotated[str, typer.Option("--from", help="First day, such as 2019-06-01.")],
    until: Annotated[str, typer.Option("--to", help="The day after the last.")],
    phase: Annotated[int, typer.Option(help="1 or 3.")] = 1,
    load_kw: Annotated[str, typer.Option(help="Sanctioned load in kW.")] = "0",
    hp: Annotated[str, typer.Option(help="Sanctioned load of a pump in HP.")] = "0",
    demand_kw: Annotated[str, typer.Option(help="Highest demand that the meter measured, kW.")] = "0",
    peak_units: Annotated[str, typer.Option(help="Units used in peak hours.")] = "0",
    solar_units: Annotated[str, typer.Option(help="Units used in solar hours.")] = "0",
    power_factor: Annotated[str, typer.Option("--pf", help="Power factor, such as 0.82.")] = "",
    export_units: Annotated[str, typer.Option(help="Units given back to the grid.")] = "0",
    carried_units: Annotated[str, typer.Option(help="Units given back earlier and not yet set off.")] = "0",
    kind: Annotated[str, typer.Option(help="A kind of user with a rebate: hospital.")] = "",
    bpl: Annotated[bool, typer.Option("--bpl", help="A household with a BPL card.")] = False,
    temporary: Annotated[bool, typer.Option("--temporary", help="Temporary supply.")] = False,
    schedule: Annotated[str, typer.Option(help="Rate by this schedule whatever its days: a comparison.")] = "",
    lang: Annotated[str, typer.Option(help="hi or en; BAHAL_LANG unless given.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Show what a bill would be, each line with its reason. Nothing is written anywhere."""
    if lang not in ("", "hi", "en"):
        raise LanguageWrong(given=lang)
    language: Language = "hi" if (lang or language_of()) == "hi" else "en"
    start, end = _day(since), _day(until)
    if end <= start:
        raise PeriodEmpty(start=start, end=end)
    wh = _thousandths(units, "--units")
    peak, solar = _thousandths(peak_units, "--peak-units"), _thousandths(solar_units, "--solar-units")
    zones = (("normal", wh - peak - solar), ("peak", peak), ("solar", solar)) if peak or solar else ()
    book = shipped()
    if schedule:
        book = book.pinned(schedule)
    facts = Facts(category, phase, _thousandths(load_kw, "--load-kw"), _thousandths(hp, "--hp"), bpl, temporary, kind)
    use = Use(
        start, end, wh, zones, _thousandths(export_units, "--export-units"), _thousandths(demand_kw, "--demand-kw"),
        _apparent(wh, power_factor),
    )  # fmt: skip
    determinants = Determinants(
        start=start, end=end, spans=(Span(start, end, facts),), uses=(use,),
        carried_wh=_thousandths(carried_units, "--carried-units"),
    )  # fmt: skip
    rating = rate(determinants, book)
    if as_json:
        typer.echo(json.dumps(as_object(rating), ensure_ascii=False))
    else:
        typer.echo("\n".join(_told(rating, language)))


def as_object(rating: Rating) -> dict[str, Any]:
    """A rating as `--json` prints it. `total_paise` is the whole bill: duty, cess and rounding are in it; what it comes
    to before them is `before_duty_paise`."""
    return {
        "lines": [
            *(_line(line, piece) for piece in rating.pieces for line in piece.lines),
            *(_line(line, None) for line in rating.closing),
        ],
        "fixed_paise": rating.paise_of("fixed"),
        "energy_paise": rating.paise_of("energy"),
        "before_duty_paise": rating.paise_of(*BEFORE_DUTY),
        "duty_paise": rating.paise_of("duty"),
        "cess_paise": rating.paise_of("cess"),
        "rounding_paise": rating.paise_of("rounding"),
        "total_paise": rating.total_paise,
        "pieces": [
            {
                "from": piece.start.isoformat(),
                "to": piece.end.isoformat(),
                "category": piece.category,
                "months": months(piece.months, MONTH, "en"),
                "charged_wh": piece.wh,
            }
            for piece in rating.pieces
        ],
        "splits": [
            {
                "day": split.day.isoformat(),
                "what": split.what,
                "rated": split.rated,
                "hi": split_sentence(split, "hi"),
                "en": split_sentence(split, "en"),
            }
            for split in rating.splits
        ],
        "carried_wh": rating.carried_wh,
        "unverified": [rate._asdict() for rate in rating.unverified],
        "versions": [{"name": name, "sha256": sha256} for name, sha256 in rating.versions],
    }


def _line(line: Line, piece: RatedPiece | None) -> dict[str, Any]:
    days = {} if piece is None else {"from": piece.start.isoformat(), "to": piece.end.isoformat()}
    version = line.path.partition("/")[0]
    return {
        **line._asdict(), "version": version, **days, "hi": sentence(line, "hi"), "en": sentence(line, "en"),
    }  # fmt: skip


def _told(rating: Rating, language: Language) -> list[str]:
    hi = language == "hi"
    told = []
    for piece in rating.pieces:
        first, last, used = day(piece.start), day(piece.end), thousandths(piece.wh)
        length = months(piece.months, MONTH, language)
        told.append(
            f"{piece.category}, {first} से {last} तक ({length}): {used} यूनिट"
            if hi
            else f"{piece.category}, {first} to {last} ({length}): {used} units"
        )
        told += [f"  {rupees(line.paise):>14}  {sentence(line, language)}" for line in piece.lines]
    told += [f"  {rupees(line.paise):>14}  {sentence(line, language)}" for line in rating.closing]
    told.append(f"  {rupees(rating.total_paise):>14}  {'कुल देय' if hi else 'Total'}")
    told += [split_sentence(split, language) for split in rating.splits]
    if rating.carried_wh:
        units = thousandths(rating.carried_wh)
        told.append(f"अगले बिल के लिए शेष: {units} यूनिट।" if hi else f"Carried to the next bill: {units} units.")
    if rating.unverified:
        told.append(
            "ये दरें सत्यापित नहीं हैं; बिल जारी होने से पहले कोई अधिकारी इन्हें कारण सहित स्वीकार करे:"
            if hi
            else "These rates are not verified; an officer must accept them with a reason before such a bill is issued:"
        )
        told += [f"  {rate.path}: {rate.source}" for rate in rating.unverified]
    return told


def _thousandths(given: str, what: str) -> int:
    """A number as a person writes it, in thousandths.

    :raises UnitsWrong: not one, or finer.
    :raises UnitsNegative: negative.
    """
    try:
        number = Decimal(given.replace(",", "")) * 1000
    except InvalidOperation:
        raise UnitsWrong(given=given, what=what) from None
    if not number.is_finite() or number != number.to_integral_value():
        raise UnitsWrong(given=given, what=what)
    if number < 0:
        raise UnitsNegative(what=what, wh=int(number))
    return int(number)


def _apparent(wh: int, power_factor: str) -> int:
    """Apparent energy that gives this power factor; 0 where none is given."""
    if not power_factor:
        return 0
    thousandths_of_one = _thousandths(power_factor, "--pf")
    if not 0 < thousandths_of_one <= 1000:
        raise DeterminantWrong(what="--pf", given=power_factor, allowed="0 < pf <= 1")
    return divided(wh * 1000, thousandths_of_one)


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise BillDayWrong(given=given) from None

"""From determinants to lines: a pure function. No clock, no database, no float.

1. What is given is put in order: repeated rows once, facts and uses side by side, no day missing, none twice.
2. The period is split where the tariff or a fact that it looks at changes, and only there.
3. Consumption belongs to the piece in which it was read; a use that runs over a split is shared by days, to the Wh.
4. A piece is so many months as its days make: each day is its share of the month it lies in, where months are counted
   from the period's first day (from the 5th to the 5th is one month). Slab limits, fixed and minimum charges, free
   units and the scheme's bands go with it.
5. Each piece is rated by its card; then come surcharge, rebate on an advance and interest for the whole; then the
   rounding to the rupee.

Laws, each with its test: the result depends on the set of what is given, not on order or repetition; a span or a use
cut in two where no fact and no tariff changes gives the very same rating; more units never cost less under tariffs
whose rates do not fall.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from math import gcd
from typing import NamedTuple

from bahal.domains.tariffs.book import Book, Card
from bahal.domains.tariffs.determinants import Arrear, Determinants, Facts, Span, Use
from bahal.domains.tariffs.document import Row
from bahal.domains.tariffs.errors import (
    DeterminantWrong,
    ExportNotRated,
    FactsDoNotCover,
    FactsOverlap,
    NoTariff,
    PeriodEmpty,
    UnitsNegative,
    UsesDoNotCover,
    UsesOverlap,
)
from bahal.domains.tariffs.lines import MONTH, Line, RatedPiece, Rating, Split, rounding
from bahal.domains.tariffs.rules.contract import AT_LEAST, CHARGED, Act, Piece, Rule, Slip
from bahal.shared.money import divided

_ALWAYS = frozenset({"category", "owner"})
_PLANS_KEPT = 4096


class Rater:
    """A card compiled for facts: lines for a piece, without looking anything up again.

    One rater serves every connection of the same facts; it keeps what depends on facts and length of time alone.
    """

    __slots__ = ("_acts", "_base", "_based", "facts")

    def __init__(self, rows: Iterable[tuple[Rule, Row]], facts: Facts) -> None:
        self.facts = facts
        self._acts: list[Act] = []
        self._base: list[Act] = []
        self._based: dict[tuple[int, int], int] = {}
        for rule, row in rows:
            act = rule.make(row.charge, facts, self._base_paise)
            self._acts.append(act)
            if CHARGED <= rule.stage <= AT_LEAST:
                self._base.append(act)

    def lines(self, piece: Piece) -> list[Line]:
        """The lines of a piece, in the order of the bill."""
        slip = Slip()
        for act in self._acts:
            act(piece, slip)
        return slip.lines

    def month(self, wh: int) -> list[Line]:
        """The lines of one whole month in which nothing changed, rounding to the rupee last: the fast way to a bill."""
        lines = self.lines(Piece(self.facts, MONTH, 1, 1, wh))
        lines += rounding(sum([line.paise for line in lines]))
        return lines

    def _base_paise(self, piece: Piece, wh: int) -> int:
        key = (piece.months, wh)
        kept = self._based.get(key)
        if kept is None:
            slip = Slip()
            part = Piece(piece.facts, piece.months, piece.numerator, piece.denominator, wh)
            for act in self._base:
                act(part, slip)
            kept = sum(slip.sums.values())
            if len(self._based) < 4096:
                self._based[key] = kept
        return kept


class _Stretch(NamedTuple):
    """Days `[start, end)` under one card and the same facts that matter."""

    start: date
    end: date
    card: Card
    facts: Facts
    rater: Rater


class _Plan(NamedTuple):
    """Stretches, what changed between them, and how long each is in parts of `MONTH`."""

    stretches: tuple[_Stretch, ...]
    splits: tuple[Split, ...]
    months: tuple[int, ...]


def compile_rater(book: Book, facts: Facts, day: date) -> Rater:
    """The rater for these facts on a day, for a bill that begins on it.

    :raises CategoryUnknown: no tariff has this category.
    :raises NoTariff: none is in force on that day.
    """
    return _rater(book, book.card(facts.category, day), facts, day)


def rate(determinants: Determinants, book: Book) -> Rating:
    """Rate a bill.

    :raises PeriodEmpty: a period, a span or a use that ends before it begins.
    :raises UnitsNegative: negative energy.
    :raises DeterminantWrong: a determinant out of its range.
    :raises UsesDoNotCover: a day of the period without a use.
    :raises UsesOverlap: a day with two different ones, or a use outside the period.
    :raises FactsDoNotCover: a day without facts.
    :raises FactsOverlap: a day with two different ones, or facts outside the period.
    :raises CategoryUnknown: no tariff has this category.
    :raises NoTariff: a day on which none is in force.
    :raises ExportNotRated: export where the tariff has no rule for it.
    """
    start, end = determinants.start, determinants.end
    if end <= start:
        raise PeriodEmpty(start=start, end=end)
    stretches, splits, months = _plan(determinants, book)
    uses = _uses(determinants)
    swaps = [Split(use.start, "meter", False) for before, use in pairwise(uses) if before.meter != use.meter]
    carried = determinants.carried_wh
    if carried < 0:
        raise UnitsNegative(what="carried", wh=carried)
    pieces = []
    for stretch, length, use in zip(stretches, months, _shared(uses, stretches), strict=True):
        common = gcd(length, MONTH)
        piece = Piece(
            stretch.facts, length, length // common, MONTH // common, use.wh, use.zones, use.export_wh, use.demand_w,
            use.vah, carried,
        )  # fmt: skip
        lines = stretch.rater.lines(piece)
        if not piece.netted and (use.export_wh or carried):
            raise ExportNotRated(category=stretch.facts.category, day=stretch.start)
        carried = piece.carried_wh
        pieces.append(RatedPiece(stretch.start, stretch.end, stretch.facts.category, length, piece.wh, tuple(lines)))
    closing = _closing(determinants, book, stretches[-1].facts.category, sum(months))
    every = [line for piece in pieces for line in piece.lines] + closing
    unverified, versions = book.taken(tuple([line.path for line in every]))
    return Rating(
        pieces=tuple(pieces),
        closing=(*closing, *rounding(sum([line.paise for line in every]))),
        splits=tuple(sorted((*splits, *swaps))) if swaps else splits,
        unverified=unverified,
        versions=versions,
        carried_wh=carried,
    )


def _plan(determinants: Determinants, book: Book) -> _Plan:
    """How the period falls into pieces: a function of spans and days alone, kept for those who share them."""
    key = (determinants.spans, determinants.start, determinants.end)
    plan = book.plans.get(key)
    if plan is None:
        start, end = determinants.start, determinants.end
        stretches, splits = _stretches(_spans(determinants), book, start, end)
        months = _months(start, end, [stretch.start for stretch in stretches])
        if len(book.plans) >= _PLANS_KEPT:
            book.plans.clear()
        plan = book.plans[key] = _Plan(tuple(stretches), tuple(sorted(splits)), tuple(months))
    assert isinstance(plan, _Plan)
    return plan


def _spans(determinants: Determinants) -> list[Span]:
    """Facts in order, covering the period exactly, neighbours that are equal joined."""
    start, end = determinants.start, determinants.end
    joined: list[Span] = []
    reached = start
    for span in sorted(set(determinants.spans)):
        facts = span.facts
        if span.end <= span.start:
            raise PeriodEmpty(start=span.start, end=span.end)
        if facts.phases not in (1, 3):
            raise DeterminantWrong(what="phases", given=facts.phases, allowed="1, 3")
        if facts.load_w < 0 or facts.load_mhp < 0:
            raise DeterminantWrong(what="load", given=min(facts.load_w, facts.load_mhp), allowed=">= 0")
        if span.start < reached or span.end > end:
            raise FactsOverlap(day=span.start if span.start < reached else end)
        if span.start > reached:
            raise FactsDoNotCover(day=reached)
        reached = span.end
        if joined and joined[-1].facts == facts:
            joined[-1] = joined[-1]._replace(end=span.end)
        else:
            joined.append(span)
    if reached < end:
        raise FactsDoNotCover(day=reached)
    return joined


def _uses(determinants: Determinants) -> list[Use]:
    """Uses in order, covering the period exactly."""
    start, end = determinants.start, determinants.end
    uses = list(determinants.uses) if len(determinants.uses) == 1 else sorted(set(determinants.uses))
    reached = start
    for use in uses:
        if use.end <= use.start:
            raise PeriodEmpty(start=use.start, end=use.end)
        if use.wh < 0 or use.export_wh < 0 or use.vah < 0:
            what = "wh" if use.wh < 0 else "export_wh" if use.export_wh < 0 else "vah"
            raise UnitsNegative(what=what, wh=min(use.wh, use.export_wh, use.vah))
        if use.zones:
            zones = [wh for _, wh in use.zones]
            if min(zones) < 0:
                raise UnitsNegative(what="zones", wh=min(zones))
            if sum(zones) != use.wh:
                raise DeterminantWrong(what="zones", given=sum(zones), allowed=str(use.wh))
        if use.demand_w < 0:
            raise DeterminantWrong(what="demand_w", given=use.demand_w, allowed=">= 0")
        if use.start < reached or use.end > end:
            raise UsesOverlap(day=use.start if use.start < reached else end)
        if use.start > reached:
            raise UsesDoNotCover(day=reached)
        reached = use.end
    if reached < end:
        raise UsesDoNotCover(day=reached)
    return uses


def _stretches(spans: Sequence[Span], book: Book, start: date, end: date) -> tuple[list[_Stretch], list[Split]]:
    stretches: list[_Stretch] = []
    splits: list[Split] = []
    for span in spans:
        category = span.facts.category
        days = [span.start, *book.changes(category, span.start, span.end), span.end]
        for first, last in pairwise(days):
            card = book.card(category, first)
            if not card.covered:
                raise NoTariff(category=category, day=first)
            rater = _rater(book, card, span.facts, start)
            before = stretches[-1] if stretches else None
            same = before is not None and before.rater is rater
            if before is not None:
                what = "tariff" if first > span.start else _changed(before.facts, span.facts)
                if first == span.start and card is not before.card and category == before.facts.category:
                    what = f"tariff, {what}"
                splits.append(Split(first, what, not same))
            if same and before is not None:
                stretches[-1] = before._replace(end=last, facts=span.facts)
            else:
                stretches.append(_Stretch(first, last, card, span.facts, rater))
    return stretches, splits


def _changed(before: Facts, after: Facts) -> str:
    """The names of the facts that changed."""
    return ", ".join(name for name in Facts._fields if getattr(before, name) != getattr(after, name))


def _rater(book: Book, card: Card, facts: Facts, bill_start: date) -> Rater:
    """The compiled card for the facts that matter to it; equal facts that matter have the same rater."""
    if not card.covered:
        raise NoTariff(category=facts.category, day=bill_start)
    by_bill = book.card(facts.category, bill_start, by_bill=True)
    key = (card, by_bill, facts)
    rater = book.raters.get(key)
    if rater is None:
        rows = sorted((*card.rows, *by_bill.rows), key=lambda each: each[0].stage)
        matter = _ALWAYS.union(*(rule.looks_at for rule, _ in rows))
        unlooked = {name: Facts._field_defaults[name] for name in Facts._fields if name not in matter}
        plain = facts._replace(**unlooked)
        rater = book.raters.get((card, by_bill, plain))
        if rater is None:
            rater = book.raters[card, by_bill, plain] = Rater(rows, plain)
        book.raters[key] = rater
    assert isinstance(rater, Rater)
    return rater


def _months(start: date, end: date, begins: Sequence[date]) -> list[int]:
    """How long each piece is, in parts of `MONTH`. Months are counted from the period's first day; a day of one is its
    equal share, so that whole months are exactly whole and pieces add up to the whole."""
    bounds = [*begins, end]
    lengths = [0] * len(begins)
    first, nth = start, 0
    while first < end:
        nth += 1
        last = _months_after(start, nth)
        share = MONTH // (last - first).days
        for piece, (begin, over) in enumerate(pairwise(bounds)):
            days = (min(over, last) - max(begin, first)).days
            if days > 0:
                lengths[piece] += days * share
        first = last
    return lengths


def _months_after(day: date, months: int) -> date:
    """The same day so many months later, or the first of the month after where that month is too short for it."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)


def _shared(uses: Sequence[Use], stretches: Sequence[_Stretch]) -> list[Use]:
    """One use for each piece: what was read within it, and by days of what runs over its edges."""
    if len(stretches) == 1:
        return [_together(uses)]
    parts: list[list[Use]] = [[] for _ in stretches]
    for use in uses:
        days = (use.end - use.start).days
        done = 0
        for nth, stretch in enumerate(stretches):
            first, last = max(use.start, stretch.start), min(use.end, stretch.end)
            if first >= last:
                continue
            upto = (last - use.start).days
            parts[nth].append(_part(use, first, last, done, upto, days))
            done = upto
    return [_together(each) for each in parts]


def _part(use: Use, first: date, last: date, done: int, upto: int, days: int) -> Use:
    """The days `done` to `upto` of a use: the difference of two rounded running sums, so that parts add up to it."""
    if (done, upto) == (0, days):
        return use

    def part(whole: int) -> int:
        return divided(whole * upto, days) - divided(whole * done, days)

    return use._replace(
        start=first,
        end=last,
        wh=part(use.wh),
        zones=tuple((zone, part(wh)) for zone, wh in use.zones),
        export_wh=part(use.export_wh),
        vah=part(use.vah),
    )


def _together(uses: Sequence[Use]) -> Use:
    """Uses of one piece as one: energy adds up, demand is the highest."""
    if len(uses) == 1:
        return uses[0]
    zones: dict[str, int] = {}
    for use in uses:
        for zone, wh in use.zones:
            zones[zone] = zones.get(zone, 0) + wh
    return Use(
        uses[0].start,
        uses[-1].end,
        sum(use.wh for use in uses),
        tuple(sorted(zones.items())),
        sum(use.export_wh for use in uses),
        max(use.demand_w for use in uses),
        sum(use.vah for use in uses) if all(use.vah for use in uses) else 0,
    )


def _closing(determinants: Determinants, book: Book, category: str, months: int) -> list[Line]:
    lines: list[Line] = []
    for arrear in sorted(set(determinants.arrears)):
        lines += _surcharge(arrear, book, category)
    for what, held in (
        ("advance_rebate", determinants.advance_paise),
        ("deposit_interest", determinants.deposit_paise),
    ):
        if held < 0:
            raise DeterminantWrong(what=what, given=held, allowed=">= 0")
        if not held:
            continue
        row = book.closing(what, category, determinants.start)
        if row is None:
            continue
        percent, path = row.charge.params.percent, row.charge.params.path
        if what == "advance_rebate":
            common = gcd(months, MONTH)
            numerator, denominator = months // common, MONTH // common
            component = what
        else:
            numerator, denominator = (determinants.end - determinants.start).days, 365
            component = "interest"
        paise = divided(held * percent * numerator, 10_000 * denominator)
        lines.append(Line(what, component, path, "paise", held, percent, numerator, denominator, 0, 0, 0, paise))
    return lines


def _surcharge(arrear: Arrear, book: Book, category: str) -> list[Line]:
    """For each month begun since the due date and not charged before; months at one rate are one line."""
    if arrear.paise < 0 or arrear.charged_months < 0:
        raise DeterminantWrong(what="arrears", given=min(arrear.paise, arrear.charged_months), allowed=">= 0")
    counts: dict[str, tuple[int, int]] = {}
    nth = 0
    while (begin := _months_after(arrear.due_on, nth)) < arrear.until:
        nth += 1
        if nth <= arrear.charged_months:
            continue
        row = book.closing("delayed_payment", category, begin + timedelta(days=1))
        if row is not None:
            percent = row.charge.params.percent
            months = counts.get(row.charge.params.path, (percent, 0))[1]
            counts[row.charge.params.path] = (percent, months + 1)
    return [
        Line(
            "delayed_payment", "surcharge", path, "paise", arrear.paise, percent, months, 1, 0, 0, 0,
            divided(arrear.paise * percent * months, 10_000),
        )
        for path, (percent, months) in counts.items()
    ]  # fmt: skip

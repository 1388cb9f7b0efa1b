"""Every line explains itself: a sentence in Hindi or English, made when it is read from the operands that are kept."""

from __future__ import annotations

from math import gcd

from bahal.domains.tariffs.lines import Line, Split
from bahal.domains.tariffs.rules import RULES
from bahal.shared.money import rupees
from bahal.shared.text import Language, day, grouped
from bahal.shared.words import word

_ROUNDING = ("{component}: {base} निकटतम रुपये तक, {paise}", "{component}: {base} to the nearest rupee, {paise}")
_SPLIT = {
    True: (
        "{day} को {what} में बदलाव: बिल दो भागों में, स्लैब और मासिक प्रभार दिनों के अनुपात में।",
        "{what} changed on {day}: the bill is in two parts, slabs and monthly charges in proportion to the days.",
    ),
    False: (
        "{day} को {what} में बदलाव: दरें वही रहीं, बिल एक ही भाग में।",
        "{what} changed on {day}: the rates stay the same, and the bill in one part.",
    ),
}


def sentence(line: Line, language: Language) -> str:
    """What a line charges for and how it comes to its amount."""
    hi = language == "hi"
    if line.rule == "rounding":
        template = _ROUNDING[0 if hi else 1]
    else:
        rule = RULES[line.rule]
        template = rule.hi if hi else rule.en
    component = word("charges", line.component, language)
    return _capital(
        template.format_map(
            {
                "component": component,
                "slab": _slab(line, language),
                "quantity": thousandths(line.quantity),
                "unit": line.unit,
                "rate": _rate(line.rate),
                "percent": f"{_decimal(abs(line.rate), 100, 0)}%",
                "base": rupees(line.quantity),
                "months": months(line.numerator, line.denominator, language),
                "numerator": grouped(line.numerator),
                "denominator": grouped(line.denominator),
                "share": f"{thousandths(line.numerator)}/{thousandths(line.denominator)}",
                "above": thousandths(line.above),
                "upto": thousandths(line.upto),
                "name": _zone(line.path, language),
                "less": rupees(line.less),
                "paise": rupees(line.paise),
            }
        )
    )


def split_sentence(split: Split, language: Language) -> str:
    """What changed within a bill's period, and what that did to the bill."""
    what = ", ".join(word("what splits a bill", each, language) for each in split.what.split(", "))
    template = _SPLIT[split.rated][0 if language == "hi" else 1]
    return _capital(template.format(day=day(split.day), what=what))


def thousandths(quantity: int) -> str:
    """A quantity kept in thousandths as people write it: 437000 is 437, 66667 is 66.667."""
    return _decimal(quantity, 1000, 0)


def months(numerator: int, denominator: int, language: Language) -> str:
    """A length in months: `1 month`, `2 months`, `1/3 month`, `1 1/3 months`."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    whole, rest = divmod(numerator, denominator)
    parts = [str(whole)] if whole or not rest else []
    if rest:
        parts.append(f"{rest}/{denominator}")
    unit = "माह" if language == "hi" else "month" if numerator <= denominator else "months"
    return f"{' '.join(parts)} {unit}"


def _rate(rate: int) -> str:
    return f"₹{_decimal(rate, 10_000, 2)}"


def _decimal(number: int, scale: int, least: int) -> str:
    whole, rest = divmod(abs(number), scale)
    digits = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0").ljust(least, "0")
    return ("-" if number < 0 else "") + grouped(whole) + (f".{digits}" if digits else "")


def _slab(line: Line, language: Language) -> str:
    above, upto = thousandths(line.above), thousandths(line.upto)
    if language == "hi":
        if not line.upto:
            return f"{above} यूनिट से ऊपर" if line.above else "सभी यूनिट"
        return f"{above} से ऊपर {upto} यूनिट तक" if line.above else f"{upto} यूनिट तक"
    if not line.upto:
        return f"units above {above}" if line.above else "all units"
    return f"units above {above} up to {upto}" if line.above else f"units up to {upto}"


def _zone(path: str, language: Language) -> str:
    key = path.rpartition("/")[2].partition("_")[0]
    return word("zones of the day", key, language) if key in ("peak", "solar") else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

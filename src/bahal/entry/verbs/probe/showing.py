"""Answers as people read them: a table in the reader's language, columns as wide as what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len

from bahal.dlms.india import single_phase
from bahal.entry.verbs.probe.questions import Answer
from bahal.shared.text import language_of

# Longest cell of a table; --json has all of it.
WIDEST = 60


def _word(hi: str, en: str) -> str:
    return hi if language_of() == "hi" else en


def plate(told: Answer) -> list[str]:
    """One line for each entry of the nameplate."""
    model = single_phase()
    return [f"{_word(model[name].hi, model[name].en)}: {_text(value)}" for name, value in told.items()]


def attribute(told: Answer) -> list[str]:
    """The attribute's name, and its value; an array or structure takes a line for each element."""
    name = told["name"] or _word("सूची में नहीं", "not in the catalogue")
    head = f"{told['class']} {told['obis']} {told['attribute']} ({name}, {told['attribute_name'] or '-'})"
    value = told["value"]
    if isinstance(value, list):
        return [f"{head}: {len(value)}", *(f"  {_text(each)}" for each in value)]
    return [f"{head}: {_text(value)}{' ' if told.get('unit') else ''}{told.get('unit', '')}"]


def objects(told: Answer) -> list[str]:
    """The object list; without a name, the catalogue does not know it."""
    head = [_word("वर्ग", "class"), _word("संस्करण", "version"), "OBIS", _word("नाम", "name"), _word("अधिकार", "rights")]
    return table(
        head,
        [
            [f"{each['class']} {each['class_name'] or ''}".strip(), each["version"], each["obis"], each["name"] or "-",
             each["rights"]]
            for each in told["objects"]
        ],
    )  # fmt: skip


def clock(told: Answer) -> list[str]:
    """The meter's time beside ours."""
    return [
        f"{_word('मीटर', 'meter')}: {told['meter']}",
        f"{_word('कंप्यूटर', 'computer')}: {told['computer']}",
        f"{_word('अंतर', 'drift')}: {told['drift_s']:+.2f} s "
        f"({_word('आना-जाना', 'round trip')} {told['round_trip_s']:g} s)",
        f"{_word('घड़ी की स्थिति', 'clock status')}: 0x{told['status']:02X}",
    ]


def profile(told: Answer) -> list[str]:
    """The rows under the columns' names and units."""
    name = told["name"] or told["obis"]
    count = len(told["rows"])
    head = [
        f"{each['name'] or each['obis']}{'' if each['attribute'] == 2 else '.' + str(each['attribute'])}"
        f"{' [' + each['unit'] + ']' if each['unit'] else ''}"
        for each in told["columns"]
    ]
    return [f"{name}: {count} {_word('पंक्तियाँ', 'rows')}", *table(head, told["rows"])]


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a table; numbers stand to the right."""
    texts = [[_short(_text(cell)) for cell in row] for row in rows]
    right = [bool(texts) and all(_is_number(row[n]) for row in texts) for n in range(len(head))]
    widths = [max(cell_len(row[n]) for row in [list(head), *texts]) for n in range(len(head))]
    lines = [[*head], ["-" * width for width in widths], *texts]
    return [
        "  ".join(_padded(cell, widths[n], right=right[n]) for n, cell in enumerate(line)).rstrip() for line in lines
    ]


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _is_number(text: str) -> bool:
    return text == "-" or text.lstrip("-").replace(".", "", 1).isdecimal()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "{" + ", ".join(_text(each) for each in value) + "}"
    if isinstance(value, dict):
        return f"bits {value['bits']} / {value['length']}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)

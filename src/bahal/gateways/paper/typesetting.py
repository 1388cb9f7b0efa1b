"""Sheets to PDF by typst: A4 for bills and evidence, A4 or an 80 mm roll for receipts. Text stays text.

The templates are data of this package; fonts are the ones that are installed with it and no others, so that a page
looks the same on every machine. A process keeps one compiler: the first page costs more than those after it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Literal

import segno
import typst

from bahal.gateways.paper.sheets import BillSheet, EvidenceSheet, ReceiptSheet, Words
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.money import rupees
from bahal.shared.text import INDIA, grouped

Width = Literal["a4", "roll"]

_HERE: Final = "bahal.gateways.paper"
_FONTS: Final = "fontpkg_noto_sans_devanagari"
_HINDI_MONTHS: Final = (
    "जन", "फ़र", "मार्च", "अप्रै", "मई", "जून", "जुला", "अग", "सितं", "अक्टू", "नवं", "दिसं",
)  # fmt: skip


class PageFailed(Refusal):
    """A page could not be set: a defect of the template, or of what it was given."""

    code = "page_failed"
    exit_code = ENVIRONMENT
    hi = "पन्ना नहीं बन सका: {why}"
    en = "The page could not be set: {why}"


def bill_pdf(sheet: BillSheet) -> bytes:
    """A bill as PDF, one A4 page.

    :raises PageFailed: it could not be set.
    """
    return set_pages("bill.typ", _bill(sheet))


def receipt_pdf(sheet: ReceiptSheet, *, width: Width = "a4") -> bytes:
    """A receipt as PDF: a page of A4, or as long as it is on a roll of 80 mm.

    :raises PageFailed: it could not be set.
    """
    return set_pages("receipt.typ", {**_receipt(sheet), "width": width})


def evidence_pdf(sheet: EvidenceSheet) -> bytes:
    """An evidence pack as PDF, on as many A4 pages as it takes.

    :raises PageFailed: it could not be set.
    """
    return set_pages("evidence.typ", _evidence(sheet))


def picture(sheet: BillSheet | ReceiptSheet, *, width: Width = "a4") -> bytes:
    """The same page as PNG, to look at.

    :raises PageFailed: it could not be set.
    """
    if isinstance(sheet, BillSheet):
        return set_pages("bill.typ", _bill(sheet), form="png")
    return set_pages("receipt.typ", {**_receipt(sheet), "width": width}, form="png")


@cache
def _compiler() -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(_folder(_FONTS) / "files")])
    return typst.Compiler(root=str(_folder(_HERE)), font_paths=fonts)


def _folder(package: str) -> Path:
    with as_file(files(package)) as folder:
        return Path(folder)


def set_pages(template: str, data: Mapping[str, Any], *, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """A template of this package with its data, as PDF, or its first page as PNG.

    :raises PageFailed: it could not be set.
    """
    source = _folder(_HERE) / template
    try:
        made = _compiler().compile(
            input=str(source),
            format=form,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            ppi=110 if form == "png" else None,
        )
    except typst.TypstError as failure:
        raise PageFailed(why=str(failure)) from failure
    if isinstance(made, bytes):
        return made
    if not made:
        raise PageFailed(why="no page")
    return made[0]


def _bill(sheet: BillSheet) -> dict[str, Any]:
    most = max((each.units for each in sheet.months), default=0) or 1
    widest = max((each.units for each in sheet.slabs), default=0) or 1
    return {
        "company": _both(sheet.company), "office": _both(sheet.office), "number": sheet.number,
        "consumer": str(sheet.consumer), "name": _both(sheet.name), "address": sheet.address,
        "category": _both(sheet.category), "load": sheet.load, "meter": sheet.meter,
        "from": _day(sheet.period_from), "to": _day(sheet.period_to), "issued": _day(sheet.issued_on),
        "due": _day(sheet.due_on), "reading_from": _register(sheet.reading_from),
        "reading_to": _register(sheet.reading_to), "units": grouped(sheet.units),
        "lines": [
            {"title": _both(line.title), "explained": _both(line.explained), "amount": rupees(line.paise)}
            for line in sheet.lines
        ],
        "amount": rupees(sheet.paise),
        "arrears": [{"title": _both(title), "amount": rupees(paise)} for title, paise in sheet.arrears],
        "payable": rupees(sheet.payable_paise),
        "slabs": [
            {
                "range": f"{slab.above + 1}–{slab.upto}" if slab.upto is not None else f"{slab.above + 1}+",
                "units": grouped(slab.units), "rate": rupees(slab.paise_a_unit),
                "share": slab.units / widest,
            }
            for slab in sheet.slabs
        ],
        "months": [
            {
                "hi": _HINDI_MONTHS[each.month.month - 1], "en": f"{each.month:%b}", "year": f"{each.month:%y}",
                "units": grouped(each.units), "share": each.units / most, "estimated": each.estimated,
            }
            for each in sheet.months
        ],
        "notes": [_both(note) for note in sheet.notes],
        "upi": _qr(sheet.upi), "complaint": sheet.complaint,
    }  # fmt: skip


def _receipt(sheet: ReceiptSheet) -> dict[str, Any]:
    return {
        "company": _both(sheet.company), "office": _both(sheet.office), "receipt": sheet.receipt,
        "consumer": str(sheet.consumer), "name": _both(sheet.name), "amount": rupees(sheet.paise),
        "channel": _both(sheet.channel), "at": _moment(sheet.taken_at),
        "shares": [{"title": _both(title), "amount": rupees(paise)} for title, paise in sheet.shares],
        "due": rupees(sheet.due_paise), "advance": rupees(sheet.advance_paise),
        "order": _both(sheet.order) if sheet.order is not None else None, "check": _qr(sheet.check),
    }  # fmt: skip


def _evidence(sheet: EvidenceSheet) -> dict[str, Any]:
    return {
        "company": _both(sheet.company), "office": _both(sheet.office), "title": _both(sheet.title),
        "kind": _both(sheet.kind), "consumer": str(sheet.consumer), "name": _both(sheet.name), "made": sheet.made_at,
        "fingerprint": sheet.fingerprint, "code": _qr(sheet.fingerprint),
        "parts": [
            {"title": _both(part.title), "rows": [{**_both(words), "value": value} for words, value in part.rows]}
            for part in sheet.parts
        ],
    }  # fmt: skip


def _both(words: Words) -> dict[str, str]:
    return {"hi": words.hi, "en": words.en}


def _register(kwh: int | None) -> str:
    """A register in kWh; a dash where none was read."""
    return "—" if kwh is None else grouped(kwh)


def _day(day: date) -> str:
    return f"{day:%d-%m-%Y}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(INDIA):%d-%m-%Y %H:%M:%S}"


def _qr(text: str) -> str:
    """A QR code as SVG; nothing where there is nothing to say."""
    if not text:
        return ""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", border=1, xmldecl=False, svgns=True)
    return out.getvalue().decode()

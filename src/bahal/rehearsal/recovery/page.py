"""The recovery report as one HTML file: no script, no style, font or image from elsewhere, and a policy that says so.

Nothing is told by colour alone, each chart has its figures as text, and the page prints.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import Any

from bahal.rehearsal.recovery.details import Payer
from bahal.rehearsal.recovery.figures import Bar, Division, Figures, figures_of
from bahal.rehearsal.recovery.words import (
    alert_kind,
    cause,
    every_order,
    in_rupees,
    in_seconds,
    known,
    light_sentences,
    place_and_day,
    reason,
    task_kind,
    what_meters_said,
    word,
)
from bahal.shared.text import Language, grouped, instant

_CSS = Path(__file__).with_name("page.css")
_CHART_W, _CHART_H, _FOOT, _HEAD = 360, 170, 30, 16


def write_page(
    path: Path,
    result: Mapping[str, Any],
    *,
    language: Language,
    details: Sequence[Payer] | None = None,
    on: date | None = None,
) -> None:
    """Write the page, replacing what was there. Arguments as of `page`.

    :raises KeyError: the result lacks a key that the contract names.
    :raises OSError: the file cannot be written.
    """
    path.write_text(page(result, language=language, details=details, on=on), encoding="utf-8")


def page(
    result: Mapping[str, Any], *, language: Language, details: Sequence[Payer] | None = None, on: date | None = None
) -> str:
    """The page. `result` is the demo's JSON; `details` come from `details_of`; `on` is the day of the cut.

    :raises KeyError: the result lacks a key that the contract names.
    """
    figures = figures_of(result, details, language)
    css = _CSS.read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    title = f"{word('title', language)} · {place_and_day(result, language, on)}"
    body = "\n".join(
        part
        for part in (
            _section("funnel", _funnel(figures, language), language),
            _section("divisions", _divisions(figures, language), language),
            _section("light", _light(result, figures, language), language),
            _section("messages", _messages(result, language), language),
            _excluded(result, language),
            _section("open_ends", _open_ends(result, language), language),
            _tasks(result, language),
            _faults(result, language),
            _section("alerts", _alerts(result, language), language),
            _readings(result, language),
            _section("provenance", _provenance(result, language), language),
        )
        if part
    )
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{allowed}'; form-action 'none'; base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{css}</style>
</head>
<body>
{_header(result, language, on)}
<main>
{body}
</main>
</body>
</html>
"""  # noqa: E501


def _header(result: Mapping[str, Any], language: Language, on: date | None) -> str:
    def say(key: str) -> str:
        return escape(word(key, language))

    keys = [
        ("key_cut", grouped(result["cut"]["confirmed"])),
        ("key_rupees", in_rupees(result["paid"]["rupees"])),
        ("key_restored", grouped(result["restored"]["confirmed"])),
        ("key_dark", grouped(result["still_dark"])),
    ]
    if result["restored"]["p50_s"] is not None:
        keys.insert(3, ("key_p50", word("took_seconds", language, seconds=in_seconds(result["restored"]["p50_s"]))))
    boxes = "".join(f"<div><dt>{say(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in keys)
    notice = f'<p class="notice">{say("simulated")}</p>' if "seed" in result else ""
    return (
        f'<header>\n<p class="brand">{"बहाल" if language == "hi" else "Bahal"}</p>\n<h1>{say("title")}</h1>\n'
        f'<p>{escape(place_and_day(result, language, on))}</p>\n{notice}\n<dl class="keys">{boxes}</dl>\n</header>'
    )


def _section(key: str, content: str, language: Language) -> str:
    return (
        f'<section aria-labelledby="{key}">\n<h2 id="{key}">{escape(word(key, language))}</h2>\n{content}\n</section>'
    )


def _funnel(figures: Figures, language: Language) -> str:
    most = max(1, figures.funnel[0].number)
    rows = "".join(
        f'<tr><th scope="row">{escape(word(step.key, language))}</th><td class="n">{grouped(step.number)}</td>'
        f'<td class="bar">{_line(step.number, most)}</td></tr>'
        for step in figures.funnel
    )
    return (
        f"<table><thead>{_heads([('step', ''), ('connections', 'n'), ('share', 'bar')], language)}</thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _divisions(figures: Figures, language: Language) -> str:
    columns = ["sent", "confirmed"]
    if figures.total.paid is not None:
        columns += ["paid", "rupees", "restored", "dark"]

    def cells(row: Division) -> str:
        shown = (
            in_rupees(getattr(row, column)) if column == "rupees" else grouped(getattr(row, column))
            for column in columns
        )
        return "".join(f'<td class="n">{each}</td>' for each in shown)

    heads = _heads([("division", ""), *((f"col_{column}", "n") for column in columns)], language)
    rows = "".join(f'<tr><th scope="row">{escape(row.name)}</th>{cells(row)}</tr>' for row in figures.divisions)
    total = f'<tr><th scope="row">{escape(word("total", language))}</th>{cells(figures.total)}</tr>'
    return f'<div class="wide"><table><thead>{heads}</thead><tbody>{rows}</tbody><tfoot>{total}</tfoot></table></div>'


def _light(result: Mapping[str, Any], figures: Figures, language: Language) -> str:
    restored = result["restored"]
    if not restored["confirmed"]:
        return "<p>–</p>"
    text = " ".join(light_sentences(result, language))
    if not figures.bars:
        return f"<p>{escape(text)}</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(_span(bar, language))}</th><td class="n">{grouped(bar.number)}</td></tr>'
        for bar in figures.bars
    )
    heads = _heads([("seconds", ""), ("connections", "n")], language)
    return (
        f"<p>{escape(text)}</p>\n{_chart(figures.bars, language)}\n<details>"
        f"<summary>{escape(word('as_table', language))}</summary>"
        f'<table class="narrow"><thead>{heads}</thead><tbody>{rows}</tbody></table></details>'
    )


def _messages(result: Mapping[str, Any], language: Language) -> str:
    sms = result["sms"]
    text = word("messages_text", language, sent=grouped(sms["sent"]), delivered=grouped(sms["delivered"]))
    rows = [(known("kind", kind, language), grouped(count)) for kind, count in sms["by_kind"].items()]
    return f"<p>{escape(text)}</p>\n{_pairs('message_kind', 'message_sent', rows, language)}"


def _excluded(result: Mapping[str, Any], language: Language) -> str:
    excluded = (result.get("funnel") or {}).get("excluded") or {}
    if not excluded:
        return ""
    rows = [(reason(code, language), grouped(count)) for code, count in excluded.items()]
    return _section("excluded", _pairs("reason", "connections", rows, language), language)


def _open_ends(result: Mapping[str, Any], language: Language) -> str:
    cut = result["cut"]
    rows = [(word(key, language), grouped(cut[key])) for key in ("unknown", "field_tasks") if cut[key]]
    rows += [
        (f"{known('state', each['state'], language)}: {reason(each['reason'], language)}", grouped(each["count"]))
        for each in result.get("not_sent", ())
        if each["state"] != "field_task"
    ]
    said = f"<p>{escape(every_order(result, language))}</p>" if "orders" in result else ""
    if not rows:
        return said + f"<p>{escape(word('nothing_open', language))}</p>"
    return said + _pairs("reason", "connections", rows, language)


def _tasks(result: Mapping[str, Any], language: Language) -> str:
    """Each order that waits for a lineman, and why."""
    if not result.get("tasks"):
        return ""
    heads = _heads([("cause", ""), ("order_kind", ""), ("meter", ""), ("connection", ""), ("order", "n")], language)
    rows = "".join(
        f'<tr><th scope="row">{escape(cause(str(each["cause"]), language))}</th>'
        f"<td>{escape(task_kind(each, language))}</td>"
        f"<td>{escape(str(each['meter']))}</td><td>{escape(str(each['connection']))}</td>"
        f'<td class="n">{escape(str(each["order"]))}</td></tr>'
        for each in result["tasks"]
    )
    table = f'<div class="wide"><table><thead>{heads}</thead><tbody>{rows}</tbody></table></div>'
    return _section("tasks", f"<p>{escape(word('tasks_text', language))}</p>\n{table}", language)


def _faults(result: Mapping[str, Any], language: Language) -> str:
    """What was made to go wrong, where something was."""
    faults = result.get("faults") or {}
    if not faults.get("by_kind"):
        return ""
    heads = _heads([("fault", ""), ("meters", "n"), ("times", "n")], language)
    rows = "".join(
        f'<tr><th scope="row">{escape(known("fault", str(kind), language))}</th>'
        f'<td class="n">{grouped(each["meters"])}</td><td class="n">{grouped(each["times"])}</td></tr>'
        for kind, each in faults["by_kind"].items()
    )
    said = escape(word("faults_text", language, log=faults["log"]))
    table = f'<table class="narrow"><thead>{heads}</thead><tbody>{rows}</tbody></table>'
    return _section("faults", f"<p>{said}</p>\n{table}", language)


def _alerts(result: Mapping[str, Any], language: Language) -> str:
    if not result["alerts"]:
        return f"<p>{escape(word('no_alerts', language))}</p>"
    heads = _heads([("alert", ""), ("meter", ""), ("connection", ""), ("at", "")], language)
    rows = "".join(
        f'<tr><th scope="row">{escape(alert_kind(str(each["kind"]), language))}</th>'
        f"<td>{escape(str(each['meter']))}</td><td>{escape(str(each.get('connection') or '–'))}</td>"
        f"<td>{escape(_when(each.get('business_at')))}</td></tr>"
        for each in result["alerts"]
    )
    return f'<div class="wide"><table><thead>{heads}</thead><tbody>{rows}</tbody></table></div>'


def _provenance(result: Mapping[str, Any], language: Language) -> str:
    facts = [(key, str(result[key]), key != "list_sha256") for key in ("drive", "seed", "list_sha256") if key in result]
    seconds = result["cut"]["seconds"]
    if seconds is not None:
        facts.append(("took", word("took_seconds", language, seconds=in_seconds(seconds)), True))
    facts.append(("relay_off", grouped(result["relay_off"]), True))
    if "fleet_log" in result:
        facts.append(("fleet_log", str(result["fleet_log"]), False))
    items = "".join(
        f"<dt>{escape(word(key, language))}</dt><dd>{escape(text) if plain else f'<code>{escape(text)}</code>'}</dd>"
        for key, text, plain in facts
    )
    return f'<dl class="facts">{items}</dl>'


def _pairs(left: str, right: str, rows: Iterable[tuple[str, str]], language: Language) -> str:
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td class="n">{value}</td></tr>' for name, value in rows)
    heads = _heads([(left, ""), (right, "n")], language)
    return f'<table class="narrow"><thead>{heads}</thead><tbody>{body}</tbody></table>'


def _heads(columns: Iterable[tuple[str, str]], language: Language) -> str:
    cells = "".join(
        f'<th scope="col"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(word(key, language))}</th>'
        for key, kind in columns
    )
    return f"<tr>{cells}</tr>"


def _line(count: int, most: int) -> str:
    """A bar beside its figure; for eyes only, the figure stands in the cell before it."""
    width = round(100 * count / most, 2)
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="fill" x="0" y="0" width="{width}" height="10"/></svg>'
    )


def _chart(bars: Sequence[Bar], language: Language) -> str:
    """The histogram: each bar with its count above and the seconds where it begins below; the open last one hollow."""
    most = max(bar.number for bar in bars)
    slot = (_CHART_W - 8) / len(bars)
    floor = _CHART_H - _FOOT
    parts = []
    for n, bar in enumerate(bars):
        left = 4 + n * slot
        height = (floor - _HEAD) * bar.number / most
        middle = left + slot / 2
        if bar.number:
            kind = "outline" if bar.high is None else "fill"
            parts.append(
                f'<rect class="{kind}" x="{left + slot * 0.08:.1f}" y="{floor - height:.1f}" width="{slot * 0.84:.1f}"'
                f' height="{height:.1f}"/>'
            )
            parts.append(
                f'<text x="{middle:.1f}" y="{floor - height - 4:.1f}" text-anchor="middle">{bar.number}</text>'
            )
        mark = f"{bar.low:g}+" if bar.high is None else f"{bar.low:g}"
        anchor, at = ("middle", middle) if bar.high is None else ("start", left)
        parts.append(f'<text x="{at:.1f}" y="{floor + 12}" text-anchor="{anchor}">{mark}</text>')
    name, unit = escape(word("chart", language)), escape(word("seconds", language))
    spoken = escape("; ".join(f"{_span(bar, language)}: {bar.number}" for bar in bars))
    return (
        f'<svg class="chart" viewBox="0 0 {_CHART_W} {_CHART_H}" role="img" aria-labelledby="chart-name chart-figures">'
        f'<title id="chart-name">{name}</title><desc id="chart-figures">{spoken}</desc>{"".join(parts)}'
        f'<line class="axis" x1="4" x2="{_CHART_W - 4}" y1="{floor}" y2="{floor}"/>'
        f'<text class="unit" x="{_CHART_W - 4}" y="{_CHART_H - 4}" text-anchor="end">{unit}</text></svg>'
    )


def _span(bar: Bar, language: Language) -> str:
    return word("and_longer", language, low=f"{bar.low:g}") if bar.high is None else f"{bar.low:g}–{bar.high:g}"


def _when(at: object) -> str:
    """An instant in Indian time, given as an instant or as ISO text; a dash where there is none."""
    if not at:
        return "–"
    return instant(at if isinstance(at, datetime) else datetime.fromisoformat(str(at)))


def _readings(result: Mapping[str, Any], language: Language) -> str:
    lines = what_meters_said(result, language)
    if not lines:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(word(key, language))}</th><td>{escape(text)}</td></tr>' for key, text in lines[1:]
    )
    table = f"<table><tbody>{rows}</tbody></table>\n" if rows else ""
    falls = any(key == "falling" for key, _ in lines)
    caution = f"<p>{escape(word('accuses_nobody', language))}</p>" if falls else ""
    return _section("readings", f"<p>{escape(lines[0][1])}</p>\n{table}{caution}", language)

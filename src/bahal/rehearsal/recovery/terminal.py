"""The recovery report in the terminal."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bahal.rehearsal.recovery.details import Payer
from bahal.rehearsal.recovery.figures import Figures, figures_of
from bahal.rehearsal.recovery.words import (
    alert_kind,
    cause,
    every_order,
    in_rupees,
    known,
    light_sentences,
    place_and_day,
    reason,
    task_kind,
    what_meters_said,
    word,
)
from bahal.shared.text import Language, grouped

_BAR = 24


def show(
    result: Mapping[str, Any],
    *,
    language: Language,
    console: Console | None = None,
    details: Sequence[Payer] | None = None,
    on: date | None = None,
) -> None:
    """Print the report. `result` is the demo's JSON; `details` come from `details_of`; `on` is the day of the cut.

    :raises KeyError: the result lacks a key that the contract names.
    """
    out = console or Console(highlight=False)
    figures = figures_of(result, details, language)

    def say(key: str, **data: object) -> str:
        return word(key, language, **data)

    out.print()
    out.rule(Text(f"{say('title')} · {place_and_day(result, language, on)}", style="bold"))
    out.print(
        Text.assemble(
            (grouped(result["cut"]["confirmed"]), "bold"),
            f" {say('key_cut')}  ·  ",
            (in_rupees(result["paid"]["rupees"]), "bold"),
            f" {say('key_rupees')}  ·  ",
            (grouped(result["restored"]["confirmed"]), "bold"),
            f" {say('key_restored')}  ·  ",
            (grouped(result["still_dark"]), "bold"),
            f" {say('key_dark')}",
        )
    )
    out.print(_funnel(figures, language))
    out.print(_divisions(figures, language))
    out.print(Text("\n".join(light_sentences(result, language))))
    if figures.bars:
        out.print(_histogram(figures, language))
    sms = result["sms"]
    out.print(
        f"{say('messages')}: {say('messages_text', sent=grouped(sms['sent']), delivered=grouped(sms['delivered']))} "
        + ", ".join(f"{known('kind', kind, language)} {grouped(count)}" for kind, count in sms["by_kind"].items())
    )
    ends = (_excluded, _open_ends, _tasks, _faults, _alerts, _readings)
    for line in (line for tell in ends for line in tell(result, language)):
        out.print(line)
    for key in ("seed", "list_sha256", "fleet_log"):
        if key in result:
            out.print(Text.assemble((f"{say(key)}: ", "dim"), str(result[key])), soft_wrap=True)
    if "seed" in result:
        out.print(Text(say("simulated"), style="dim"))


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _funnel(figures: Figures, language: Language) -> Table:
    table = _table(word("funnel", language))
    table.add_column(word("step", language))
    table.add_column(word("connections", language), justify="right")
    table.add_column("")
    most = max(1, figures.funnel[0].number)
    for step in figures.funnel:
        table.add_row(word(step.key, language), grouped(step.number), "█" * round(_BAR * step.number / most))
    return table


def _divisions(figures: Figures, language: Language) -> Table:
    table = _table(word("divisions", language))
    table.add_column(word("division", language))
    known_all = figures.total.paid is not None
    columns = ("sent", "confirmed", *(("paid", "rupees", "restored", "dark") if known_all else ()))
    for column in columns:
        table.add_column(word(f"col_{column}", language), justify="right")
    for row in (*figures.divisions, figures.total._replace(name=word("total", language))):
        cells = [getattr(row, column) for column in columns]
        shown = [
            in_rupees(cell) if column == "rupees" else grouped(cell)
            for column, cell in zip(columns, cells, strict=True)
        ]
        table.add_row(row.name, *shown, style="bold" if row.name == word("total", language) else "")
    return table


def _histogram(figures: Figures, language: Language) -> Table:
    table = _table(word("chart", language))
    table.add_column(word("seconds", language), justify="right")
    table.add_column(word("connections", language), justify="right")
    table.add_column("")
    most = max(bar.number for bar in figures.bars)
    for bar in figures.bars:
        span = word("and_longer", language, low=f"{bar.low:g}") if bar.high is None else f"{bar.low:g}–{bar.high:g}"
        table.add_row(span, grouped(bar.number), "█" * round(_BAR * bar.number / most))
    return table


def _excluded(result: Mapping[str, Any], language: Language) -> list[str]:
    excluded = (result.get("funnel") or {}).get("excluded") or {}
    if not excluded:
        return []
    listed = [f"  {grouped(count):>4}  {reason(code, language)}" for code, count in excluded.items()]
    return [f"{word('excluded', language)}:", *listed]


def _open_ends(result: Mapping[str, Any], language: Language) -> list[str]:
    lines = [
        f"{word(key, language)}: {grouped(result['cut'][key])}"
        for key in ("unknown", "field_tasks")
        if result["cut"][key]
    ]
    lines += [
        f"{known('state', each['state'], language)}: {grouped(each['count'])} ({reason(each['reason'], language)})"
        for each in result.get("not_sent", ())
        if each["state"] != "field_task"
    ]
    return lines


def _tasks(result: Mapping[str, Any], language: Language) -> list[str]:
    """Every order's end in one sentence, then each order that waits for a lineman, and why."""
    lines = [every_order(result, language)] if "orders" in result else []
    if result.get("tasks"):
        lines.append(f"{word('tasks', language)}:")
    lines += [
        f"  {word('meter', language)} {each['meter']}  {word('connection', language)} {each['connection']}"
        f"  {task_kind(each, language)}: {cause(each['cause'], language)}"
        for each in result.get("tasks", ())
    ]
    return lines


def _faults(result: Mapping[str, Any], language: Language) -> list[str]:
    kinds = (result.get("faults") or {}).get("by_kind")
    if not kinds:
        return []
    listed = (f"{known('fault', kind, language)} {grouped(each['times'])}" for kind, each in kinds.items())
    return [f"{word('faults', language)}: {', '.join(listed)}"]


def _alerts(result: Mapping[str, Any], language: Language) -> list[str]:
    alert, meter = word("alert", language), word("meter", language)
    return [f"{alert}: {alert_kind(str(each['kind']), language)}, {meter} {each['meter']}" for each in result["alerts"]]


def _readings(result: Mapping[str, Any], language: Language) -> list[str]:
    return [f"{word(key, language)}: {text}" for key, text in what_meters_said(result, language)]

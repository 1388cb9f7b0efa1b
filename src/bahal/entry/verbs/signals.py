"""What the meters say, on the command line: alerts, incidents, the energy balance, falling consumption, a day's use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.arrears import day_of
from bahal.shared.clock import Clock, day_in_india
from bahal.shared.home import Home
from bahal.shared.periods import Period
from bahal.shared.periods import day_of as period_of
from bahal.shared.text import INDIA, day, instant, language_of
from bahal.shared.words import word

if TYPE_CHECKING:
    from bahal.lake.layout import Lake

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
All = Annotated[bool, typer.Option("--all", help="Also those that are closed.")]
Officer = Annotated[str, typer.Option("--as", help="The officer who acts, for the audit.")]
Outcome = Annotated[str, typer.Option(help="What was found.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
Day = Annotated[str, typer.Option("--day", help="The day, like 2025-11-20; yesterday unless given.")]
Scope = Annotated[str, typer.Option(help="transformer or feeder.")]
Place = Annotated[int, typer.Option(help="Its number.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    alerts = typer.Typer(help="Alerts for officers: one for one cause.")
    alerts.callback(invoke_without_command=True)(list_alerts)
    alerts.command("close")(close_alert)
    incidents = typer.Typer(help="Incidents of the network, one for a storm, and the minutes without supply.")
    incidents.callback(invoke_without_command=True)(list_incidents)
    incidents.command("plan")(plan)
    incidents.command("minutes")(minutes)
    balance = typer.Typer(help="What went into transformers and feeders against what was measured, worst first.")
    balance.callback(invoke_without_command=True)(show_balance)
    balance.command("run")(run_balance)
    balance.command("input")(set_input)
    falling = typer.Typer(help="Warnings of consumption that fell without a reason.")
    falling.callback(invoke_without_command=True)(list_warnings)
    falling.command("run")(run_falling)
    falling.command("close")(close_warning)
    rules = typer.Typer(no_args_is_help=True, help="The rules of alerts and warnings; two officers change them.")
    rules.command("propose")(propose_rules)
    rules.command("accept")(accept_rules)
    for name, group in (
        ("alerts", alerts), ("incidents", incidents), ("balance", balance), ("falling", falling), ("rules", rules),
    ):  # fmt: skip
        app.add_typer(group, name=name)
    app.command("day")(show_day)


# --- alerts ----------------------------------------------------------------------------------------------------------


def list_alerts(
    context: typer.Context,
    everything: All = False,
    role: Annotated[str, typer.Option(help="Whose: vigilance or executive_engineer.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Alerts, the latest first; a fact that was not read again proves nothing yet."""
    if context.invoked_subcommand is not None:
        return
    enter()
    from bahal.domains.protection.queries import alerts

    rows = [each._asdict() for each in alerts(role=role, still_open=not everything, limit=limit)]
    for row in rows:
        row["hi"], row["en"] = (word("alerts", row["kind"], language) for language in ("hi", "en"))
    if as_json:
        _json({"alerts": rows})
        return
    hindi = language_of() == "hi"
    for row in rows:
        end = ""
        if row["closed_at"] is not None:
            end = f"; {word('ends of alerts', row['outcome'], language_of())}"
        unread = (
            ("; दोबारा नहीं पढ़ा" if hindi else "; not read again") if row["accuses"] and not row["seen_again"] else ""
        )
        typer.echo(
            f"#{row['id']}  {instant(row['occurred_at'])}  {row['meter']} / {row['connection']}  "
            f"{row['hi' if hindi else 'en']} (x{row['told']}){unread}{end}"
        )
    if not rows:
        typer.echo("कोई चेतावनी नहीं।" if hindi else "No alerts.")


def close_alert(
    alert: Annotated[int, typer.Argument()], outcome: Outcome, officer: Officer, as_json: AsJson = False
) -> None:
    """Close an alert: tamper, fault, false_alarm or ours."""
    clock = enter()
    from bahal.journeys.close_signals import close_alert as journey

    journey(alert=alert, outcome=outcome, officer=officer, at=clock.wall(), business_at=clock.now())
    hi, en = "चेतावनी {alert} बंद", "Alert {alert} is closed"
    answering.answer({"alert": alert, "outcome": outcome}, as_json=as_json, hi=hi, en=en)


# --- incidents -------------------------------------------------------------------------------------------------------


def list_incidents(context: typer.Context, everything: All = False, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Incidents, the latest first."""
    if context.invoked_subcommand is not None:
        return
    enter()
    from bahal.domains.incidents.queries import incidents

    rows = [each._asdict() for each in incidents(still_open=not everything, limit=limit)]
    for row in rows:
        row["hi"], row["en"] = (word("incidents", row["kind"], language) for language in ("hi", "en"))
    if as_json:
        _json({"incidents": rows})
        return
    hindi = language_of() == "hi"
    for row in rows:
        state = ("चालू" if hindi else "open") if row["ended_at"] is None else f"– {instant(row['ended_at'])}"
        cause = f" ({row['note']})" if row["note"] else ""
        meters = (
            f"{row['meters']} मीटर, {row['still']} अभी भी" if hindi else f"{row['meters']} meters, {row['still']} still"
        )
        typer.echo(
            f"#{row['id']}  {instant(row['began_at'])} {state}  {word('scopes', row['scope'], language_of())} "
            f"{row['place']}  {row['hi' if hindi else 'en']}{cause}: {meters}"
        )
    if not rows:
        typer.echo("कोई घटना नहीं।" if hindi else "No incidents.")


def plan(
    scope: Scope,
    place: Place,
    from_: Annotated[str, typer.Option("--from", help="Indian time, like 2025-11-24T10:00.")],
    to: Annotated[str, typer.Option("--to", help="Indian time, like 2025-11-24T13:00.")],
    reason: Annotated[str, typer.Option(help="What the work is for.")],
    officer: Officer,
    as_json: AsJson = False,
) -> None:
    """Announce work: interruptions within it are planned."""
    clock = enter()
    from bahal.journeys.announce_work import announce_work

    planned = announce_work(
        scope=scope, place=place, from_at=_moment(from_), to_at=_moment(to), reason=reason, actor=officer,
        at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    hi, en = "काम {planned} घोषित", "Work {planned} is announced"
    answering.answer({"planned": planned}, as_json=as_json, hi=hi, en=en)


def minutes(
    from_: Annotated[str, typer.Option("--from", help="The first day; the first of the month unless given.")] = "",
    to: Annotated[str, typer.Option("--to", help="The day after the last; today's end unless given.")] = "",
    transformers: Annotated[bool, typer.Option("--transformers", help="Each transformer too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Minutes and interruptions of an average connection by feeder; our own cuts and announced work are not in them."""
    clock = enter()
    from bahal.journeys.outage_minutes import outage_minutes

    today = day_in_india(clock.now())
    first = day_of(from_) if from_ else today.replace(day=1)
    end = day_of(to) if to else today + timedelta(days=1)
    if end <= first:
        raise typer.BadParameter(f"{first} - {end}", param_hint="--to")
    within = Period(period_of(first).start, period_of(end).start)
    rows = outage_minutes(within=within, business_at=clock.now(), transformers=transformers)
    if as_json:
        shown = [
            {
                "feeder": each.feeder, "transformer": each.transformer, "name": each.name,
                "connections": each.figures.connections, "interruptions": each.figures.interruptions,
                "dark_minutes": round(each.figures.dark_s / 60, 1), "momentary": each.figures.momentary,
                "planned_minutes": round(each.figures.planned_s / 60, 1),
                "saidi_min": round(each.figures.saidi_min, 2), "saifi": round(each.figures.saifi, 3),
                "caidi_min": round(each.figures.caidi_min, 1),
            }
            for each in rows
        ]  # fmt: skip
        _json({"from": first, "to": end, "places": shown})
        return
    hindi = language_of() == "hi"
    for each in rows:
        figures = each.figures
        mean = f"{figures.saidi_min:8.1f} मिनट  {figures.saifi:6.2f} बार" if hindi else (
            f"{figures.saidi_min:8.1f} min  {figures.saifi:6.2f} times"
        )  # fmt: skip
        typer.echo(f"{each.name:<24} {mean}  {figures.connections:>7}")


# --- balance ---------------------------------------------------------------------------------------------------------


def show_balance(
    context: typer.Context,
    on: Day = "",
    scope: Scope = "transformer",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Where energy is lost: of the places of which enough is known, the worst first."""
    if context.invoked_subcommand is not None:
        return
    clock = enter()
    from bahal.domains.network.queries import losses, names_of, unsure
    from bahal.lake.signals.balance import SURE

    which = _yesterday(on, clock)
    sure = round(SURE * 1_000)
    rows = losses(day=which, scope=scope, sure_permille=sure, limit=limit)
    ids = [row.place for row in rows]
    names = names_of(feeders=ids if scope == "feeder" else [], transformers=ids if scope == "transformer" else [])
    doubtful = unsure(day=which, scope=scope, sure_permille=sure)
    if as_json:
        shown = [each._asdict() | {"name": names.get((scope, each.place), "")} for each in rows]
        _json({"day": which, "scope": scope, "places": shown, "unsure": doubtful})
        return
    hindi = language_of() == "hi"
    for row in rows:
        lost = f"{row.lost_wh / 1_000:9.1f} यूनिट कम" if hindi else f"{row.lost_wh / 1_000:9.1f} kWh lost"
        share = f"{row.lost_wh / row.in_wh:6.1%}"
        known = (
            f"भरोसा {row.confidence_permille / 10:.1f} %" if hindi else f"sure to {row.confidence_permille / 10:.1f} %"
        )
        typer.echo(f"{names.get((scope, row.place), row.place)!s:<16} {lost} {share}  {known}")
    typer.echo(
        f"{day(which)}: {doubtful} स्थानों के आँकड़े अधूरे।"
        if hindi
        else f"{day(which)}: of {doubtful} places too little is known."
    )


def run_balance(on: Day = "", as_json: AsJson = False) -> None:
    """Balance a day from the lake, anew if it was balanced before."""
    clock = enter()
    from bahal.journeys.balance_energy import balance_energy

    which = _yesterday(on, clock)
    places = balance_energy(lake=_lake(), day=which, actor="cli", at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"day": which.isoformat(), "places": places},
        as_json=as_json,
        hi="{day}: {places} स्थानों का संतुलन बना",
        en="{day}: {places} places are balanced",
    )


def set_input(
    meter: Annotated[str, typer.Argument(help="The meter's serial.")],
    scope: Scope,
    place: Place,
    officer: Officer,
    factor: Annotated[int, typer.Option(min=1, help="Of its instrument transformers.")] = 1,
    from_: Annotated[str, typer.Option("--from", help="From which day; today unless given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let a meter measure what goes into a transformer or feeder."""
    clock = enter()
    from bahal.journeys.set_input_meter import set_input_meter

    since = day_of(from_) if from_ else day_in_india(clock.now())
    set_input_meter(
        meter=meter, scope=scope, place=place, factor=factor, from_on=since, actor=officer, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"meter": meter, "scope": scope, "place": place},
        as_json=as_json,
        hi="{meter} अब {place} का इनपुट मापता है",
        en="{meter} measures the input of {scope} {place}",
    )


# --- falling consumption ---------------------------------------------------------------------------------------------


def list_warnings(context: typer.Context, everything: All = False, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Warnings, the latest week first, in it by the energy at stake; each with its reason. They accuse nobody."""
    if context.invoked_subcommand is not None:
        return
    clock = enter()
    from bahal.domains.protection.queries import outcomes, warnings
    from bahal.domains.protection.telling import sentence

    rows = warnings(still_open=not everything, limit=limit)
    closed = outcomes(since=day_in_india(clock.now()) - timedelta(days=365))
    if as_json:
        shown = [each._asdict() | {"hi": sentence(each, "hi"), "en": sentence(each, "en")} for each in rows]
        _json({"warnings": shown, "outcomes_of_a_year": closed})
        return
    language = language_of()
    for each in rows:
        end = f"; {word('ends of warnings', each.outcome, language)}" if each.outcome else ""
        typer.echo(f"#{each.id}  {day(each.week_end)}  {each.meter} / {each.connection}{end}")
        typer.echo(f"    {sentence(each, language)}")
    if not rows:
        typer.echo("कोई खपत-चेतावनी नहीं।" if language == "hi" else "No consumption warnings.")


def run_falling(
    week_end: Annotated[
        str, typer.Option("--week-end", help="The day after the week's last; today unless given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Look at the last week of every meter and raise the warnings that the budget allows."""
    clock = enter()
    from bahal.journeys.warn_falling import warn_falling

    end = day_of(week_end) if week_end else day_in_india(clock.now())
    looked = warn_falling(lake=_lake(), week_end=end, actor="cli", at=clock.wall(), business_at=clock.now())
    answering.answer(
        looked._asdict(),
        as_json=as_json,
        hi="{looked} मीटर देखे, {warnings} चेतावनियाँ",
        en="{looked} meters looked at, {warnings} warnings",
    )


def close_warning(
    warning: Annotated[int, typer.Argument()],
    outcome: Outcome,
    officer: Officer,
    note: Annotated[str, typer.Option(help="What was seen.")] = "",
    as_json: AsJson = False,
) -> None:
    """Close a warning: theft, faulty_meter, vacant, solar, thrift or nothing_found."""
    clock = enter()
    from bahal.journeys.close_signals import close_warning as journey

    journey(
        warning=warning, outcome=outcome, note=note, officer=officer, at=clock.wall(), business_at=clock.now()
    )  # fmt: skip
    hi, en = "खपत-चेतावनी {warning} बंद", "Consumption warning {warning} is closed"
    answering.answer({"warning": warning, "outcome": outcome}, as_json=as_json, hi=hi, en=en)


# --- rules -----------------------------------------------------------------------------------------------------------


def propose_rules(
    name: Annotated[str, typer.Argument(help="kinds, falling, incidents, validation, daily_work or delivery.")],
    file: Annotated[typer.FileText, typer.Argument(help="The document, TOML.")],
    officer: Officer,
    as_json: AsJson = False,
) -> None:
    """Propose a version of a rulebook: it is checked whole, and waits for a second officer."""
    text = file.read()
    clock = enter()
    from bahal.journeys.set_rules import propose

    rules = propose(name=name, text=text, officer=officer, at=clock.wall(), business_at=clock.now())
    hi, en = "संस्करण {rules} प्रस्तावित", "Version {rules} is proposed"
    answering.answer({"rules": rules}, as_json=as_json, hi=hi, en=en)


def accept_rules(
    rules: Annotated[int, typer.Argument(help="The version's number.")],
    officer: Officer,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    as_json: AsJson = False,
) -> None:
    """Accept a proposed version: from its day on it decides."""
    clock = enter()
    from bahal.journeys.set_rules import accept

    accept(rules=rules, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer({"rules": rules}, as_json=as_json, hi="संस्करण {rules} स्वीकृत", en="Version {rules} is accepted")


# --- a consumer's day ------------------------------------------------------------------------------------------------


def show_day(
    number: Annotated[int, typer.Argument(help="The ten-digit consumer number.")], as_json: AsJson = False
) -> None:
    """What a consumer used yesterday and this month, and what the month may cost."""
    clock = enter()
    from bahal.journeys.consumer_day import consumer_day

    found = consumer_day(connection=number, lake=_lake(), business_at=clock.now())
    if as_json:
        _json(found.as_json())
    else:
        typer.echo(found.text(language_of()))


def _lake() -> Lake:
    from bahal.lake.layout import lake_uri, open_lake

    return open_lake(lake_uri(Home.of().path))


def _yesterday(stated: str, clock: Clock) -> date:
    return day_of(stated) if stated else day_in_india(clock.now()) - timedelta(days=1)


def _moment(stated: str) -> datetime:
    try:
        found = datetime.fromisoformat(stated)
    except ValueError as wrong:
        raise typer.BadParameter(stated) from wrong
    return found if found.tzinfo else found.replace(tzinfo=INDIA)


def _json(result: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(result, ensure_ascii=False, default=str))

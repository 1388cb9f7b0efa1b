"""Policy on the command line: shown, proposed, accepted; who may be cut and why not; stays, areas and the register."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.arrears import day_of
from bahal.entry.verbs.counter import Actor, AsJson, Consumer, moment_of
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.money import rupees as written
from bahal.shared.text import INDIA, language_of
from bahal.shared.words import WORDS, word

Officer = Annotated[str, typer.Option("--as", help="The officer.")]
Circle = Annotated[int, typer.Option("--office", help="The circle's number.")]
When = Annotated[str, typer.Option("--at", help="When the cuts would begin; the next 10:00 in India unless given.")]
PolicyFile = Annotated[Path, typer.Argument(help="A policy's document (TOML).")]


class PolicyFileUnreadable(Refusal):
    """The file cannot be read."""

    code = "policy_file_unreadable"
    exit_code = USAGE
    hi = "नीति की फ़ाइल {path} पढ़ी नहीं जा सकी: {why}"
    en = "The policy's file {path} cannot be read: {why}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    policy = typer.Typer(no_args_is_help=True, help="The recovery policy: who may be cut, as data under two officers.")
    for verb in (show, propose, accept):
        policy.command()(verb)
    app.add_typer(policy, name="policy")
    app.command()(eligibility)
    app.command()(stay)
    area = typer.Typer(no_args_is_help=True, help="Holds over an office or a feeder: weather, examinations, stays.")
    area.command("hold")(hold)
    area.command("free")(free)
    area.command("list")(areas)
    app.add_typer(area, name="area")
    register = typer.Typer(no_args_is_help=True, help="The register of vulnerable consumers.")
    register.command("add")(register_add)
    register.command("end")(register_end)
    register.command("review")(review)
    app.add_typer(register, name="register")


def add_to_drive(drive: typer.Typer) -> None:
    """Add what is asked before a drive is proposed."""
    drive.command("dry-run")(dry_run)
    drive.command("what-if")(what_if)
    drive.command("fairness")(fairness)


def show(
    version: Annotated[str, typer.Argument(help="A version; all of them unless given.")] = "", as_json: AsJson = False
) -> None:
    """Every version, or one with each rule, its legal source and whether it was checked."""
    enter()
    from bahal.domains.arrears.policy import FIELDS, read_policy
    from bahal.domains.arrears.queries import policies, policy_document

    found = [policy_document(version=version)] if version else policies()
    if as_json:
        typer.echo(json.dumps({"policies": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    lang = language_of()
    for each in found:
        accepted = each.accepted_by or ("स्वीकृत नहीं" if lang == "hi" else "not accepted")
        where = f"{each.office or '-'} {each.category or '-'}"
        typer.echo(f"{each.version}  {each.effective_from:%d-%m-%Y}  {where}  {each.proposed_by} / {accepted}")
        if version and each.document:
            for name, rule in read_policy(each.document, file=version).rules.items():
                label = FIELDS[name].hi if lang == "hi" else FIELDS[name].en
                checked = "" if rule.verified else (" [असत्यापित]" if lang == "hi" else " [unverified]")
                typer.echo(f"  {label}: {rule.value}{checked} | {rule.source}")


def propose(file: PolicyFile, officer: Officer = "ee", as_json: AsJson = False) -> None:
    """Propose a policy; a second officer accepts it."""
    text = _read(file)
    clock = enter()
    from bahal.journeys.set_policy import propose as propose_policy

    version = propose_policy(text=text, file=file.name, officer=officer, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"version": version},
        as_json=as_json,
        hi="नीति {version} प्रस्तावित: दूसरा अधिकारी स्वीकार करे",
        en="Policy {version} is proposed: a second officer accepts it",
    )


def accept(
    version: Annotated[str, typer.Argument(help="The proposed version.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    officer: Officer = "se",
    as_json: AsJson = False,
) -> None:
    """Accept a proposed policy, as another officer than its maker."""
    clock = enter()
    from bahal.journeys.set_policy import accept as accept_policy

    accept_policy(version=version, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"version": version}, as_json=as_json, hi="नीति {version} स्वीकृत", en="Policy {version} is accepted"
    )


def eligibility(consumer: Consumer, at: When = "", as_json: AsJson = False) -> None:
    """Whether a connection may be cut, with every reason against it."""
    clock = enter()
    from bahal.domains.supply.eligibility import told
    from bahal.journeys.explain_eligibility import explain_eligibility

    found = explain_eligibility(connection=consumer, business_at=clock.now(), cut_at=_ten(at, clock.now()))
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, default=str))
        return
    lang = language_of()
    facts = found.judged.facts
    if not found.judged.reasons:
        typer.echo(word("verdicts", "cut", lang))
    for code in found.judged.reasons:
        typer.echo(f"- {told(code, facts, lang)}")
    typer.echo(f"{written(found.judged.due_paise)} / {written(facts.balance_paise)}  {facts.policy or '-'}")


def stay(
    consumer: Consumer,
    by: Annotated[str, typer.Option(help="court or forum.")],
    evidence: Annotated[str, typer.Option(help="The order's number and date.")],
    until: Annotated[str, typer.Option(help="ISO moment with zone; open unless given.")] = "",
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Stay every cut of a connection, at once: the order of a court or of the grievance forum."""
    clock = enter()
    from bahal.journeys.place_hold import place_hold

    placed = place_hold(
        connection=consumer, kind=f"{by}_stay", evidence=evidence, actor=officer,
        expires_at=moment_of(until) if until else None, at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"hold": placed}, as_json=as_json, hi="स्थगन {hold} लागू", en="Stay {hold} is in force")


def hold(
    kind: Annotated[str, typer.Argument(help="examination, heat_warning, flood_warning, court_stay, forum_stay ...")],
    evidence: Annotated[str, typer.Option(help="What it rests on.")],
    office: Annotated[int | None, typer.Option(help="An office, and all under it.")] = None,
    feeder: Annotated[int | None, typer.Option(help="A feeder.")] = None,
    until: Annotated[str, typer.Option(help="ISO moment with zone; open unless given.")] = "",
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Hold every cut of an area, at once."""
    clock = enter()
    from bahal.journeys.hold_area import hold_area

    placed = hold_area(
        office=office, feeder=feeder, kind=kind, evidence=evidence, actor=officer,
        expires_at=moment_of(until) if until else None, at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"hold": placed}, as_json=as_json, hi="क्षेत्र की रोक {hold} लागू", en="Hold {hold} is in force")


def free(
    number: Annotated[int, typer.Argument(help="The hold's number.")], officer: Actor = "ee", as_json: AsJson = False
) -> None:
    """Lift a hold over an area; nothing is cut by this."""
    clock = enter()
    from bahal.journeys.hold_area import free_area

    free_area(hold=number, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer({"hold": number}, as_json=as_json, hi="क्षेत्र की रोक {hold} हटी", en="Hold {hold} is lifted")


def areas(as_json: AsJson = False) -> None:
    """The holds over areas that were not lifted."""
    enter()
    from bahal.journeys.hold_area import areas_held

    found = areas_held()
    if as_json:
        typer.echo(json.dumps({"areas": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    for each in found:
        kind = word("area holds", each.kind, language_of())
        typer.echo(f"{each.id}  {kind}  {each.office or '-'} {each.feeder or '-'}  {each.owner}  {each.evidence}")


def register_add(
    consumer: Consumer,
    need: Annotated[str, typer.Argument(help="life_support, dialysis, hospital, water_works ...")],
    evidence: Annotated[str, typer.Option(help="What it rests on.")],
    review_on: Annotated[str, typer.Option("--review", help="The day to look again, like 2026-05-24.")],
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """Enter a connection in the register; it stands until somebody ends it."""
    day = day_of(review_on)
    clock = enter()
    from bahal.journeys.keep_register import register

    entry = register(
        connection=consumer, need=need, evidence=evidence, review_on=day, actor=officer, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"entry": entry}, as_json=as_json, hi="पंजी में दर्ज {entry}", en="Entry {entry} is in the register")


def register_end(
    consumer: Consumer,
    reason: Annotated[str, typer.Option(help="Why.")],
    officer: Actor = "ee",
    as_json: AsJson = False,
) -> None:
    """End a connection's entry in the register; nothing is cut by this."""
    clock = enter()
    from bahal.journeys.keep_register import end

    end(connection=consumer, reason=reason, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer({"consumer": consumer}, as_json=as_json, hi="{consumer} पंजी से हटा", en="{consumer} is taken off")


def review(
    days: Annotated[int, typer.Option(min=0, help="Look so many days ahead.")] = 7, as_json: AsJson = False
) -> None:
    """Holds and entries that somebody must look at again. None of them ends by itself into a cut."""
    clock = enter()
    from bahal.domains.arrears.queries import review_list

    found = review_list(business_at=clock.now(), within_days=days)
    if as_json:
        typer.echo(json.dumps({"review": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    for each in found:
        typer.echo(
            f"{each.review_on:%d-%m-%Y}  {each.what} {each.id}  {each.connection or '-'}  "
            f"{_kept_for(each.kind)}  {each.owner}"
        )


def dry_run(
    office: Circle,
    officer: Officer = "ee",
    at: When = "",
    full: Annotated[bool, typer.Option("--full", help="Everybody.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge everybody, in or out with every reason, and say what changed since the last run."""
    clock = enter()
    from bahal.domains.supply.eligibility import told
    from bahal.journeys.dry_run import dry_run as run

    now = clock.now()
    done = run(office=office, maker=officer, cut_at=_ten(at, now), at=clock.wall(), business_at=now)
    if as_json:
        shown = {
            "run": done.run, "connections": len(done.everybody), "listed": len(done.listed),
            "sum_paise": done.sum_paise, "list_sha256": done.list_sha256,
            "policies": list(done.policies), "reasons": dict(done.counts),
            "before": done.before, "came": list(done.came), "went": {str(k): list(v) for k, v in done.went.items()},
        }  # fmt: skip
        if full:
            shown["everybody"] = {str(number): list(each.reasons) for number, each in done.everybody.items()}
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    lang = language_of()
    typer.echo(
        f"{len(done.listed)} विच्छेदन योग्य, {written(done.sum_paise)}; सूची {done.list_sha256[:16]}"
        if lang == "hi"
        else f"{len(done.listed)} may be cut, {written(done.sum_paise)}; list {done.list_sha256[:16]}"
    )
    for code, number in done.counts.items():
        typer.echo(f"  {number:>8}  {word('verdicts', code, lang)}")
    if done.before is not None:
        typer.echo(
            f"जाँच {done.before} के बाद: {len(done.came)} नए, {len(done.went)} बाहर"
            if lang == "hi"
            else f"since run {done.before}: {len(done.came)} came, {len(done.went)} went"
        )
    if full:
        for consumer, each in done.everybody.items():
            against = "; ".join(told(code, each.facts, lang) for code in each.reasons)
            typer.echo(f"{consumer}  {written(each.due_paise)}  {against or word('verdicts', 'cut', lang)}")


def what_if(
    office: Circle,
    policy: Annotated[Path, typer.Option("--policy", help="Another policy: rules to change, and `waive`.")],
    at: When = "",
    as_json: AsJson = False,
) -> None:
    """The same facts under another policy: whom it would cut, and which of those the present one calls wrong."""
    text = _read(policy)
    clock = enter()
    from bahal.journeys.dry_run import what_if as ask

    now = clock.now()
    found = ask(office=office, text=text, file=policy.name, cut_at=_ten(at, now), business_at=now)
    shown = {**found.as_json(), "recover": written(found.paise), "present_recover": written(found.present_paise)}
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "wrong_connections": list(found.wrong)}, ensure_ascii=False))
        return
    lang = language_of()
    answering.answer(
        shown,
        as_json=False,
        hi="नीति {policy}: {would_cut} कटते, {recover}; वर्तमान {present}: {present_cuts}, {present_recover}। "
        "{wrong} गलत होते:",
        en="Policy {policy} would cut {would_cut} for {recover}; the present {present}: {present_cuts} for "
        "{present_recover}. {wrong} of them would be wrong:",
    )
    for code, number in found.wrong_by_reason.items():
        typer.echo(f"  {number:>8}  {word('verdicts', code, lang)}")


def fairness(office: Circle, at: When = "", as_json: AsJson = False) -> None:
    """Who owes and is not cut, by office, category, owner and band of arrears; by whom he is kept, and why."""
    clock = enter()
    from bahal.journeys.fairness_report import fairness_report

    now = clock.now()
    groups = fairness_report(office=office, business_at=now, cut_at=_ten(at, now))
    if as_json:
        rows = [
            {
                "division": each.division, "name": each.division_name, "category": each.category, "owner": each.owner,
                "band": each.band, "owing": each.owing, "due_paise": each.due_paise, "may_be_cut": each.may_be_cut,
                "reasons": dict(each.reasons),
                "skipped_by": [{"by": by, "kind": kind, "count": n} for (by, kind), n in each.skipped_by.items()],
            }
            for each in groups
        ]  # fmt: skip
        typer.echo(json.dumps({"groups": rows}, ensure_ascii=False))
        return
    lang = language_of()
    for each in groups:
        typer.echo(
            f"{each.division_name}  {each.category}  {each.owner}  {each.band}: {each.owing}, "
            f"{written(each.due_paise)}; {word('verdicts', 'cut', lang)} {each.may_be_cut}"
        )
        for code, number in Counter(each.reasons).most_common(4):
            typer.echo(f"    {number:>6}  {word('verdicts', code, lang)}")
        for (by, kind), number in each.skipped_by.items():
            typer.echo(f"    {number:>6}  {by}: {_kept_for(kind)}")


def _kept_for(kind: str) -> str:
    """The kind of a hold, of an area's hold or of a need, in the reader's language."""
    section = next(section for section in ("holds", "area holds", "needs") if kind in WORDS[section])
    return word(section, kind, language_of())


def _ten(given: str, now: datetime) -> datetime:
    """The instant given, or the next 10:00 in India, now if it is between 10:00 and 14:00."""
    if given:
        return moment_of(given)
    local = now.astimezone(INDIA)
    if 10 <= local.hour < 14:
        return now
    ten = local.replace(hour=10, minute=0, second=0, microsecond=0)
    return ten if ten > local else ten + timedelta(days=1)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise PolicyFileUnreadable(path=str(file), why=getattr(wrong, "strerror", None) or "not UTF-8") from wrong

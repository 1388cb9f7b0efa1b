"""Notices on the command line: issued, posted, handed over; a connection's chain with its reasons; texts; verified."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.arrears import day_of
from bahal.entry.verbs.counter import Actor, AsJson, Consumer, moment_of
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.home import Home
from bahal.shared.money import rupees as written
from bahal.shared.text import INDIA, Language, language_of
from bahal.shared.words import word

LARGEST_PHOTO = 20 * 1024 * 1024
Officer = Annotated[str, typer.Option("--as", help="The officer.")]


class NoticeFileUnreadable(Refusal):
    """A file that was given cannot be read, or is too large."""

    code = "notice_file_unreadable"
    exit_code = USAGE
    hi = "फ़ाइल {path} पढ़ी नहीं जा सकी: {why}"
    en = "The file {path} cannot be read: {why}"


class PlaceWrong(Refusal):
    """Not a place."""

    code = "place_wrong"
    exit_code = USAGE
    hi = "`{given}` स्थान नहीं है: 22.0797,82.1409 जैसा दें।"
    en = "`{given}` is no place: give it like 22.0797,82.1409."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    notices = typer.Typer(
        no_args_is_help=True, help="Written notices and reminders: issue, post, hand over, show the chain, verify it."
    )
    for verb in (issue, hand, verify):
        notices.command()(verb)
    notices.command("list")(chain)
    notices.command("open")(waiting)
    letters = typer.Typer(no_args_is_help=True, help="Letters: list them, note their posting and the post's answer.")
    letters.command("list")(letters_list)
    letters.command("posted")(letters_posted)
    letters.command("answered")(letters_answered)
    notices.add_typer(letters, name="letters")
    templates = typer.Typer(no_args_is_help=True, help="The texts, each version by two officers.")
    templates.command("show")(templates_show)
    templates.command("propose")(templates_propose)
    templates.command("accept")(templates_accept)
    notices.add_typer(templates, name="templates")
    app.add_typer(notices, name="notices")


def issue(
    office: Annotated[int | None, typer.Option(help="An office, and all under it; the company unless given.")] = None,
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Issue a written notice to each who owes more than the minimum on bills whose due day is past."""
    clock = enter()
    from bahal.journeys.issue_notices import issue as issue_all

    made = issue_all(office=office, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"notices": made.notices, "paise": made.paise} | ({} if as_json else {"sum": written(made.paise)}),
        as_json=as_json,
        hi="{notices} लिखित सूचनाएँ जारी, कुल {sum}",
        en="{notices} written notices are issued, {sum} in all",
    )


def chain(consumer: Consumer, as_json: AsJson = False) -> None:
    """Every step of a connection's notices and reminders, and what they come to today."""
    clock = enter()
    from bahal.journeys.explain_notices import explain_notices

    found = explain_notices(connection=consumer, business_at=clock.now())
    if as_json:
        shown = {**asdict(found), "steps": [each.plain() for each in found.steps]}
        typer.echo(json.dumps(shown, ensure_ascii=False, default=str))
        return
    lang = language_of()
    for each in found.steps:
        _say_step(each.plain(), lang)
    for notice in found.notices:
        typer.echo(_standing(notice, found.clear_days_asked, lang))
    days = ", ".join(f"{day:%d-%m-%Y}" for day in found.reminded_on) or "—"
    enough = ("पर्याप्त" if lang == "hi" else "enough") if found.reminded else _not_enough(lang)
    if lang == "hi":
        typer.echo(f"स्मरण पहुँचे: {days}; लगातार {found.reminders_asked} दिन चाहिए: {enough}")
    else:
        typer.echo(f"Reminders arrived: {days}; {found.reminders_asked} days running are asked for: {enough}")
    for reason in found.reasons:
        typer.echo(f"- {word('verdicts', reason, lang)}")


def waiting(as_json: AsJson = False) -> None:
    """What waits to be handed over at the door."""
    enter()
    from bahal.domains.notices.paper import papers_to_hand

    found = papers_to_hand()
    if as_json:
        typer.echo(json.dumps({"to_hand": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    for each in found:
        kind = word("notice machines", each.kind, language_of())
        typer.echo(f"{each.connection}  {kind} {each.notice or ''}  {each.day:%d-%m-%Y}")


def hand(
    consumer: Consumer,
    photo: Annotated[Path, typer.Option(help="The photo taken at the door; its hash is kept as evidence.")],
    by: Annotated[str, typer.Option(help="Who brought it.")],
    place: Annotated[str, typer.Option(help="Where, as latitude,longitude.")],
    to: Annotated[str, typer.Option(help="Who took it.")] = "",
    outcome: Annotated[str, typer.Option(help="handed, refused, locked or not_found. Only handed serves.")] = "handed",
    kind: Annotated[str, typer.Option(help="statutory or reminder; whichever waits longest unless given.")] = "",
    at: Annotated[str, typer.Option(help="When, an ISO moment with zone; now unless given.")] = "",
    actor: Actor = "lineman",
    as_json: AsJson = False,
) -> None:
    """Note a visit: a notice or a reminder handed over, or why not, with photo, person, place and time."""
    where = _place(place)
    taken = _photo(photo)
    clock = enter()
    from bahal.journeys.hand_over import Visit, hand_over

    digest = hashlib.sha256(taken).hexdigest()
    folder = Home.of().path / "photos"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Kept before it is noted: what the chain names is there, whatever fails after.
    (folder / digest).write_bytes(taken)
    visit = Visit(
        by=by, to=to, latitude=where[0], longitude=where[1], at=moment_of(at) if at else clock.now(),
        photo_sha256=digest, outcome=outcome,
    )  # fmt: skip
    done = hand_over(
        connection=consumer, visit=visit, kind=kind or None, actor=actor, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {**asdict(done), "consumer": consumer, "photo_sha256": digest}
        | ({} if as_json else {"what": word("notice machines", done.kind, language_of())}),
        as_json=as_json,
        hi="उपभोक्ता {consumer}, {what}: {outcome}; कनेक्शन से {distance_m} मीटर; फ़ोटो {photo_sha256}",
        en="Consumer {consumer}, {what}: {outcome}; {distance_m} m from the connection; photo {photo_sha256}",
    )


def letters_list(
    out: Annotated[Path, typer.Option(help="The folder for the lists: CSV and PDF.")] = Path(),
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """List every letter that waits: for each thousand a CSV and a PDF with the list and the letters."""
    clock = enter()
    from bahal.journeys.post_letters import list_letters

    out.mkdir(parents=True, exist_ok=True)
    made: list[dict[str, Any]] = []
    while (listed := list_letters(actor=actor, at=clock.wall(), business_at=clock.now())) is not None:
        files = [out / f"letters-{listed.list}.{form}" for form in ("csv", "pdf")]
        for path, content in zip(files, (listed.csv, listed.pdf), strict=True):
            path.write_bytes(content)
        made.append({"list": listed.list, "letters": listed.letters, "sha256": listed.sha256, "files": files})
    if as_json:
        typer.echo(json.dumps({"lists": made}, ensure_ascii=False, default=str))
        return
    if not made:
        typer.echo("कोई पत्र प्रतीक्षा में नहीं" if language_of() == "hi" else "No letter waits")
    for each in made:
        typer.echo(
            f"{each['list']}  {each['letters']}  {', '.join(map(str, each['files']))}  SHA-256 {each['sha256'][:16]}"
        )


def letters_posted(
    number: Annotated[int, typer.Argument(help="The list's number.")],
    proof: Annotated[str, typer.Option(help="The proof of posting, such as the post office's receipt.")],
    on: Annotated[str, typer.Option(help="The day of posting, like 2025-10-01.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Note that the letters of a list were posted, with the proof. They count from the day on which they arrive."""
    posted_on = day_of(on)
    clock = enter()
    from bahal.journeys.post_letters import note_posting

    posted = note_posting(
        number=number, posted_on=posted_on, proof=proof, actor=actor, at=clock.wall(), business_at=clock.now()
    )
    answering.answer(
        {"list": number, "posted": posted},
        as_json=as_json,
        hi="पत्र-सूची {list}: {posted} पत्र डाक में",
        en="List {list}: {posted} letters are posted",
    )


def letters_answered(
    file: Annotated[Path, typer.Argument(help="CSV: reference,outcome,on,proof; outcome delivered or returned.")],
    actor: Actor = "revenue",
    as_json: AsJson = False,
) -> None:
    """Note what the post office answered: which letters arrived, by which acknowledgement, and which came back."""
    text = _read(file)
    clock = enter()
    from bahal.journeys.post_letters import note_answers

    delivered, returned = note_answers(text=text, file=file.name, actor=actor, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"delivered": delivered, "returned": returned},
        as_json=as_json,
        hi="{delivered} पत्र पहुँचे, {returned} लौटे",
        en="{delivered} letters arrived, {returned} came back",
    )


def templates_show(
    template: Annotated[str, typer.Argument(help="A text's id, as reminder-sms-hi; all of them unless given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every version of the texts, who proposed and accepted it, from which day, and whether it was checked."""
    enter()
    from bahal.domains.notices.wordings import every_wording

    found = [each for each in every_wording() if template in ("", each.id)]
    if as_json:
        typer.echo(json.dumps({"templates": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    lang = language_of()
    for each in found:
        checked = "" if each.verified else (" [असत्यापित]" if lang == "hi" else " [unverified]")
        accepted = each.accepted_by or ("स्वीकृत नहीं" if lang == "hi" else "not accepted")
        typer.echo(
            f"{each.id} v{each.version}  {each.effective_from:%d-%m-%Y}  {each.registered_as or '—'}{checked}  "
            f"{each.proposed_by} / {accepted}"
        )
        if template:
            typer.echo(each.text + "\n")


def templates_propose(
    template: Annotated[str, typer.Argument(help="The text's id, as reminder-sms-hi.")],
    file: Annotated[Path, typer.Argument(help="The text, UTF-8.")],
    since: Annotated[str, typer.Option("--from", help="The first day, like 2025-12-01.")],
    registered_as: Annotated[str, typer.Option(help="DLT template id of an SMS, name of a WhatsApp template.")] = "",
    verified: Annotated[bool, typer.Option("--verified", help="It was checked with the provider.")] = False,
    officer: Officer = "ee",
    as_json: AsJson = False,
) -> None:
    """Propose a new version of a text; a second officer accepts it."""
    text, day = _read(file), day_of(since)
    clock = enter()
    from bahal.journeys.set_wordings import propose

    version = propose(
        template=template, text=text, registered_as=registered_as, verified=verified, effective_from=day,
        officer=officer, at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"template": template, "version": version},
        as_json=as_json,
        hi="पाठ {template}, संस्करण {version} प्रस्तावित: दूसरा अधिकारी स्वीकार करे",
        en="Version {version} of {template} is proposed: a second officer accepts it",
    )


def templates_accept(
    template: Annotated[str, typer.Argument(help="The text's id.")],
    version: Annotated[int, typer.Argument(help="The proposed version.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    officer: Officer = "se",
    as_json: AsJson = False,
) -> None:
    """Accept a proposed text, as another officer than its maker."""
    clock = enter()
    from bahal.journeys.set_wordings import accept

    accept(template=template, version=version, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"template": template, "version": version},
        as_json=as_json,
        hi="पाठ {template}, संस्करण {version} स्वीकृत",
        en="Version {version} of {template} is accepted",
    )


def verify(
    consumer: Annotated[int | None, typer.Argument(help="A consumer; everybody unless given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify every step by its hash, every chain, and every batch by the audit; name whatever was altered."""
    enter()
    from bahal.domains.notices.errors import NoticesAltered
    from bahal.journeys.verify_notices import verify_notices

    found = verify_notices(connection=consumer)
    if found.wrong:
        said = [f"{each.connection} {each.machine} {each.position}: {each.why}" for each in found.wrong]
        if not as_json:
            for line in said[:50]:
                typer.echo(line, err=True)
        raise NoticesAltered(count=len(said), first=said[0], findings=[each._asdict() for each in found.wrong[:1000]])
    answering.answer(
        {"whole": True, "steps": found.steps, "batches": found.batches},
        as_json=as_json,
        hi="सूचनाओं की शृंखला अक्षुण्ण है: {steps} चरण, लेखा-परीक्षा के {batches} समूह मिलते हैं।",
        en="The chains of notices are whole: {steps} steps, {batches} batches of the audit agree.",
    )


def _say_step(step: dict[str, Any], lang: Language) -> None:
    machine, channel, event = (
        word(section, step[name], lang)
        for section, name in (
            ("notice machines", "machine"), ("notice channels", "channel"), ("notice events", "event"),
        )
    )  # fmt: skip
    at = moment_of(step["business_at"]).astimezone(INDIA)
    told = " · ".join(str(step[name]) for name in ("provider", "code", "evidence") if step[name] is not None)
    if step["event"] == "asked":
        told = f"{step['template']} v{step['template_version']} {step['address'] or ''}".rstrip()
        if step["next_channel"]:
            following = word("notice channels", step["next_channel"], lang)
            told += f" · {'नहीं पहुँचा तो' if lang == 'hi' else 'else'} {following}"
            if step["next_at"]:
                told += f" {moment_of(step['next_at']).astimezone(INDIA):%d-%m-%Y %H:%M}"
    number = f" {step['notice']}" if step["notice"] else ""
    typer.echo(
        f"{at:%d-%m-%Y %H:%M}  {machine}{number} {step['position']}  {channel}: {event}  {told}  [{step['hash'][:12]}]"
    )


def _standing(notice: Any, asked: int, lang: Language) -> str:
    head = f"{word('notice machines', 'statutory', lang)} {notice.notice}, {written(notice.paise)}"
    if notice.served_on is None:
        return f"{head}: {'तामील नहीं' if lang == 'hi' else 'not served'}"
    enough = ("पर्याप्त" if lang == "hi" else "enough") if notice.enough else _not_enough(lang)
    if lang == "hi":
        return f"{head}: {notice.served_on:%d-%m-%Y} को तामील, {notice.clear_days} स्पष्ट दिन ({asked} चाहिए): {enough}"
    return f"{head}: served on {notice.served_on:%d-%m-%Y}, {notice.clear_days} clear days (of {asked}): {enough}"


def _not_enough(lang: Language) -> str:
    return "पर्याप्त नहीं" if lang == "hi" else "not enough"


def _place(given: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(each) for each in given.split(","))
    except ValueError:
        raise PlaceWrong(given=given) from None
    return latitude, longitude


def _photo(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_PHOTO:
            raise NoticeFileUnreadable(path=str(path), why="too large")
        taken = path.read_bytes()
    except OSError as wrong:
        raise NoticeFileUnreadable(path=str(path), why=wrong.strerror or "") from wrong
    if not taken:
        raise NoticeFileUnreadable(path=str(path), why="empty")
    return taken


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise NoticeFileUnreadable(path=str(path), why=getattr(wrong, "strerror", None) or "not UTF-8") from wrong

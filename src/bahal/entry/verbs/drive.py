"""A drive: drafted and proposed by one officer, signed by another, run, paused, stopped; its state at any time."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs import policy, restoring
from bahal.entry.verbs.counter import moment_of, paise_of
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home
from bahal.shared.text import INDIA
from bahal.shared.warrant import Document, sign

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Drive = Annotated[int, typer.Argument(help="The drive's number.")]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="The officer's Ed25519 key file; demo/LOGIN.key of the instance unless given."),
]


class KeyUnreadable(Refusal):
    """The officer's key file does not hold a key."""

    code = "key_unreadable"
    exit_code = ENVIRONMENT
    hi = "हस्ताक्षर की चाबी {path} पढ़ी नहीं जा सकी: {why}"
    en = "The signing key {path} cannot be read: {why}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    drive = typer.Typer(no_args_is_help=True, help="Drives: cuts under two signatures.")
    for verb in (propose, run, pause, stop, status):
        drive.command()(verb)
    drive.command("sign")(second)
    policy.add_to_drive(drive)
    restoring.add_to_drive(drive)
    app.add_typer(drive, name="drive")


def propose(
    office: Annotated[int, typer.Option(help="The circle's number.")],
    officer: Annotated[str, typer.Option("--as", help="The maker.")] = "ee",
    key: Key = None,
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    opens: Annotated[str, typer.Option(help="ISO moment with zone; the next 10:00 in India unless given.")] = "",
    hours: Annotated[float, typer.Option(min=0.1, max=4.0, help="How long it may run.")] = 4.0,
    under: Annotated[int | None, typer.Option(help="Only connections under this office of the circle.")] = None,
    feeder: Annotated[int | None, typer.Option(help="Only connections on this feeder.")] = None,
    least: Annotated[str, typer.Option(help="Only who may be cut for so many rupees or more.")] = "",
    most: Annotated[str, typer.Option(help="Only who may be cut for so many rupees or less.")] = "",
    listed: Annotated[
        Path | None, typer.Option("--list", help="Only consumers of this CSV file.", exists=True, dir_okay=False)
    ] = None,
    skip_errors: Annotated[bool, typer.Option(help="Leave out the file's wrong rows instead of refusing.")] = False,
    by_hand: Annotated[bool, typer.Option(help="List meters without a relay too: linemen cut those.")] = False,
    page: Annotated[
        bool, typer.Option("--page", help="Sign with a passkey: propose it unsigned, print the page's address.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show who would be listed, and why others not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Derive the list now, show it, sign it as its maker and propose it."""
    clock = enter()
    from bahal.journeys.draft_drive import draft_drive
    from bahal.journeys.eligibility import Selection
    from bahal.journeys.propose_drive import propose_drive
    from bahal.journeys.upload_list import ListHasErrors, upload_list

    now = clock.now()
    begins = moment_of(opens) if opens else _next_ten(now)
    uploaded = None if listed is None else upload_list(listed.read_bytes(), circle=office)
    if uploaded is not None and uploaded.errors and not skip_errors:
        raise ListHasErrors.of(uploaded.errors)
    selection = Selection(
        office=under,
        feeder=feeder,
        least_paise=paise_of(least) if least else None,
        most_paise=paise_of(most) if most else None,
        connections=None if uploaded is None else uploaded.connections,
        by_hand=by_hand,
    )
    draft = draft_drive(
        office=office, maker=officer, not_before=begins, expires_at=begins + timedelta(hours=hours), business_at=now,
        selection=selection,
    )  # fmt: skip
    result: dict[str, Any] = {
        "orders": draft.orders,
        "sum_paise": draft.sum_paise,
        "list_sha256": draft.list_sha256,
        "policy": draft.policy,
        "policy_verified": draft.policy_verified,
        "left_out": dict(draft.funnel.excluded),
        "eta": asdict(draft.eta),
        "minutes": round(draft.eta.seconds / 60, 1),
    }
    if uploaded is not None:
        result["wrong_rows"] = [asdict(each) for each in uploaded.errors]
    if not dry_run:
        proposed = propose_drive(
            document=draft.document,
            signature=None if page else sign(signing_key(key, officer), draft.document, "maker"),
            name=name or f"{begins.astimezone(INDIA):%d-%m-%Y}",
            at=clock.wall(),
            business_at=now,
            selection=selection,
        )
        result["drive"] = proposed.drive
        if page:
            result["page"] = page_of(draft.document)
            if not as_json:
                typer.echo(result["page"])
    answering.answer(
        result,
        as_json=as_json,
        hi="अभियान {drive}: {orders} कनेक्शन, लगभग {minutes} मिनट, सूची {list_sha256}"
        if not dry_run
        else "{orders} कनेक्शन, लगभग {minutes} मिनट; बाहर: {left_out}",
        en="Drive {drive}: {orders} connections, about {minutes} minutes, list {list_sha256}"
        if not dry_run
        else "{orders} listed, about {minutes} minutes; left out: {left_out}",
    )


def second(
    drive: Drive,
    officer: Annotated[str, typer.Option("--as", help="The checker: not the maker.")] = "se",
    key: Key = None,
    page: Annotated[
        bool, typer.Option("--page", help="Print where officers sign with passkeys, and sign nothing here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give the second signature: the document is shown, then signed as its checker."""
    clock = enter()
    from bahal.domains.supply.queries import drive_of
    from bahal.journeys.sign_drive import sign_drive

    document = drive_of(drive=drive).document
    if page:
        answering.answer({"drive": drive, "page": page_of(document)}, as_json=as_json, hi="{page}", en="{page}")
        return
    stated = Document.parse(document)
    if not as_json:
        typer.echo(f"{stated.orders} / {stated.sum_paise / 100:.2f} / {stated.list_sha256}")
    authorised = sign_drive(
        drive=drive,
        checker=officer,
        signature=sign(signing_key(key, officer), document, "checker"),
        at=clock.wall(),
        business_at=clock.now(),
    )
    answering.answer(
        {"drive": drive, "authorised": authorised},
        as_json=as_json,
        hi="अभियान {drive}: {authorised} आदेश अधिकृत",
        en="Drive {drive}: {authorised} orders authorised",
    )


def run(drive: Drive, officer: Annotated[str, typer.Option("--as")] = "ee", as_json: AsJson = False) -> None:
    """Let the interlock begin, at the warrant's hour and not before."""
    clock = enter()
    from bahal.journeys.run_drive import run_drive

    run_drive(drive=drive, actor=officer, at=clock.wall(), business_at=clock.now())
    answering.answer({"drive": drive}, as_json=as_json, hi="अभियान {drive} चल रहा है", en="Drive {drive} runs")


def pause(
    drive: Drive,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    officer: Annotated[str, typer.Option("--as")] = "ee",
    as_json: AsJson = False,
) -> None:
    """Send nothing more until it is run again."""
    clock = enter()
    from bahal.journeys.pause_drive import pause_drive

    pause_drive(drive=drive, actor=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer({"drive": drive}, as_json=as_json, hi="अभियान {drive} रुका", en="Drive {drive} is paused")


def stop(
    drive: Drive,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    officer: Annotated[str, typer.Option("--as")] = "ee",
    as_json: AsJson = False,
) -> None:
    """Stop for good: one person is enough. What has not gone out is cancelled; reconnections go on."""
    clock = enter()
    from bahal.journeys.stop_drive import stop_drive

    cancelled = stop_drive(drive=drive, actor=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"drive": drive, "cancelled": cancelled},
        as_json=as_json,
        hi="अभियान {drive} बंद; {cancelled} आदेश रद्द",
        en="Drive {drive} is stopped; {cancelled} orders cancelled",
    )


def status(drive: Drive, as_json: AsJson = False) -> None:
    """How far it is, by state and by division."""
    enter()
    from bahal.journeys.drive_progress import drive_progress

    progress = drive_progress(drive=drive)
    if as_json:
        typer.echo(json.dumps(progress, ensure_ascii=False, default=str))
        return
    for name, value in progress.items():
        typer.echo(f"{name}: {value}")


def page_of(document: str) -> str:
    """Where the interlock shows a warrant and takes passkeys' signatures.

    :raises PageAway: the interlock has not said where it is.
    """
    from bahal.entry.verbs.charter import page_url

    return page_url(f"/warrants/{Document.parse(document).warrant}")


def signing_key(path: Path | None, login: str) -> Ed25519PrivateKey:
    """An officer's key from its file.

    :raises KeyUnreadable: it holds none.
    """
    file = path or Home.of().path / "demo" / f"{login}.key"
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text(encoding="ascii")))
    except (OSError, ValueError) as wrong:
        raise KeyUnreadable(
            path=str(file), why=getattr(wrong, "strerror", None) or "not 64 hexadecimal digits"
        ) from wrong


def _next_ten(now: datetime) -> datetime:
    """Now, if the clock in India stands between 10:00 and 14:00; else the next 10:00."""
    local = now.astimezone(INDIA)
    if 10 <= local.hour < 14:
        return now
    ten = local.replace(hour=10, minute=0, second=0, microsecond=0)
    return (ten if ten > local else ten + timedelta(days=1)).astimezone(UTC)

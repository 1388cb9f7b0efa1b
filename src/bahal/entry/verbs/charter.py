"""Officers whose signature counts: enrolled by two, revoked by one, standing in for one another; and the caps that cuts
stand under. Each verb drafts or signs one act; the interlock judges it by its own record."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import moment_of
from bahal.entry.verbs.drive import AsJson, Key, signing_key
from bahal.shared.charter import LASTS, SIGNATURES, Act, sign_act, stamp
from bahal.shared.clock import Clock
from bahal.shared.errors import ENVIRONMENT, USAGE, Refusal
from bahal.shared.home import Home, read_json

As = Annotated[str, typer.Option("--as", help="Who signs.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Page = Annotated[bool, typer.Option("--page", help="Sign with a passkey: print the address of the interlock's page.")]
From = Annotated[str, typer.Option("--from", help="ISO moment with zone; now unless given.")]
Until = Annotated[str, typer.Option("--until", help="ISO moment with zone.")]


class ProfileUnreadable(Refusal):
    """The file holds no profile of caps."""

    code = "profile_unreadable"
    exit_code = ENVIRONMENT
    hi = "सीमाओं की फ़ाइल {path} पढ़ी नहीं जा सकी: {why}"
    en = "The profile of caps {path} cannot be read: {why}"


class KeyNotNamed(Refusal):
    """An officer is enrolled with one key."""

    code = "key_not_named"
    exit_code = USAGE
    hi = "एक चाबी बताएँ: --public या --passkey।"
    en = "Name one key: --public or --passkey."


class PageAway(Refusal):
    """Nobody knows where the interlock's page is."""

    code = "page_away"
    exit_code = ENVIRONMENT
    hi = "इंटरलॉक का पृष्ठ कहाँ है, पता नहीं: इंटरलॉक चालू करें।"
    en = "Where the interlock's page is, is not known: start the interlock."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    officer = typer.Typer(no_args_is_help=True, help="Officers whose signature counts.")
    officer.command("list")(show)
    for verb in (enrol, approve, revoke, delegate, withdraw, passkey):
        officer.command()(verb)
    app.add_typer(officer, name="officer")
    caps = typer.Typer(no_args_is_help=True, help="The caps that cuts stand under: two raise, one lowers.")
    caps.command("propose")(propose_caps)
    caps.command("lower")(lower_caps)
    app.add_typer(caps, name="caps")


def show(as_json: AsJson = False) -> None:
    """Who counts, as the interlock last said, and the acts that wait for a signature."""
    enter()
    from bahal.domains.staff.queries import acts_waiting, stated_by_interlock

    stated = stated_by_interlock()
    waiting = [
        {"number": a.sha256, "act": a.act, "asked_by": a.asked_by, "signed_by": a.signed_by} for a in acts_waiting()
    ]
    if as_json:
        typer.echo(json.dumps({**stated, "waiting": waiting}, ensure_ascii=False))
        return
    for each in stated.get("officers", []):
        kinds = ", ".join(key["kind"] for key in each["keys"]) or "-"
        founding = " *" if each["login"] in stated["founding"] else ""
        typer.echo(
            f"{each['login']}{founding}  {each['name_hi'] or each['name']}  {each['role']}  {kinds}  {each['phone']}"
        )
        for lent in each["stands_in"]:
            typer.echo(f"    = {lent['for']}  {lent['valid_from']} – {lent['valid_until']}  <= {lent['cap']}")
    for asked in waiting:
        typer.echo(f"? {asked['number'][:16]}  {asked['act']}  {asked['asked_by']}  {', '.join(asked['signed_by'])}")


def enrol(
    login: Annotated[str, typer.Argument(help="Who is enrolled, or gets another key.")],
    name: Annotated[str, typer.Option(help="His name in English.")],
    phone: Annotated[str, typer.Option(help="Where the interlock tells him what he signs.")],
    role: Annotated[str, typer.Option(help="Two roles sign warrants; any other signs by delegation.")],
    name_hi: Annotated[str, typer.Option(help="His name in Hindi.")] = "",
    office: Annotated[int | None, typer.Option(help="His office's number.")] = None,
    circle: Annotated[int | None, typer.Option(help="The only circle that he signs for.")] = None,
    cap: Annotated[int | None, typer.Option(help="The longest list that he may sign.")] = None,
    public: Annotated[str, typer.Option(help="The public half of his key file, 64 hexadecimal digits.")] = "",
    passkey: Annotated[str, typer.Option(help="The number that the page gave his passkey.")] = "",
    begins: From = "",
    ends: Until = "",
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Ask that an officer, or another key of his, shall count; a second officer approves."""
    clock = enter()
    from bahal.domains.staff.queries import candidate

    if bool(public) == bool(passkey):
        raise KeyNotNamed()
    stated: dict[str, Any] = {"kind": "ed25519", "public": public}
    if passkey:
        _, credential, cose, count = candidate(fingerprint=passkey)
        stated = {"kind": "passkey", "public": cose, "credential": credential, "count": count}
    of = {
        "login": login, "name": name, "name_hi": name_hi, "role": role, "office": office, "circle": circle, "cap": cap,
        "phone": phone, "key": stated, "valid_from": stamp(moment_of(begins) if begins else clock.now()),
        "valid_until": stamp(moment_of(ends)) if ends else None,
    }  # fmt: skip
    _ask(clock, "enrol", of, officer, key, page=page, as_json=as_json)


def approve(
    number: Annotated[str, typer.Argument(help="The act's number, or its first digits.")],
    officer: As = "se",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Sign an act that another officer asked for, after it was shown."""
    clock = enter()
    from bahal.domains.staff.queries import act_of
    from bahal.journeys.amend_charter import sign_amendment

    asked = act_of(sha256=number)
    if not as_json:
        typer.echo(json.dumps(json.loads(asked.document), ensure_ascii=False, indent=1))
    if not page:
        sign_amendment(
            sha256=asked.sha256, officer=officer, signature=sign_act(signing_key(key, officer), asked.document),
            at=clock.wall(), business_at=clock.now(),
        )  # fmt: skip
    _told(asked.sha256, asked.act, page=page, as_json=as_json)


def revoke(
    login: Annotated[str, typer.Argument(help="Whose keys count no more.")],
    reason: Reason,
    only: Annotated[str, typer.Option(help="This key alone: its public half, or its credential.")] = "",
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an officer's keys; one officer is enough, and drives that rest on him stop."""
    _ask(enter(), "revoke", {"login": login, "key": only, "reason": reason}, officer, key, page=page, as_json=as_json)


def delegate(
    link: Annotated[str, typer.Argument(help="Who stands in.")],
    circle: Annotated[int, typer.Option(help="For which circle.")],
    cap: Annotated[int, typer.Option(help="The longest list that he may sign in your place.")],
    ends: Until,
    begins: From = "",
    ground: Annotated[list[str] | None, typer.Option(help="For which grounds; non-payment unless given.")] = None,
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Let a link officer sign in your place, for these days and lists no longer than this."""
    clock = enter()
    of = {
        "officer": officer, "link": link, "circle": circle, "grounds": sorted(ground or ["nonpayment_s56"]), "cap": cap,
        "valid_from": stamp(moment_of(begins) if begins else clock.now()), "valid_until": stamp(moment_of(ends)),
    }  # fmt: skip
    _ask(clock, "delegate", of, officer, key, page=page, as_json=as_json)


def withdraw(
    delegation: Annotated[str, typer.Argument(help="The delegation's number.")],
    reason: Reason,
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """End a delegation before its day; one officer is enough."""
    of = {"delegation": delegation, "reason": reason}
    _ask(enter(), "withdraw", of, officer, key, page=page, as_json=as_json)


def passkey(as_json: AsJson = False) -> None:
    """Where an officer makes a passkey, for two others to enrol."""
    enter()
    answering.answer({"page": page_url("/passkeys")}, as_json=as_json, hi="{page}", en="{page}")


def propose_caps(
    file: Annotated[Path, typer.Argument(help="The profile, as JSON.")],
    begins: From = "",
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Ask for other caps from an hour on; a second officer approves, and what is raised waits a day."""
    clock = enter()
    of = {"profile": _profile(file), "effective_from": stamp(moment_of(begins) if begins else clock.now())}
    _ask(clock, "caps", of, officer, key, page=page, as_json=as_json)


def lower_caps(
    file: Annotated[Path, typer.Argument(help="The profile, as JSON; no figure of it may be higher.")],
    officer: As = "ee",
    key: Key = None,
    page: Page = False,
    as_json: AsJson = False,
) -> None:
    """Lower the caps at once; one officer is enough."""
    clock = enter()
    of = {"profile": _profile(file), "effective_from": stamp(clock.now())}
    _ask(clock, "lower", of, officer, key, page=page, as_json=as_json)


def page_url(path: str) -> str:
    """An address on the interlock's page.

    :raises PageAway: the interlock has not said where it is.
    """
    from bahal.domains.staff.queries import stated_by_interlock

    running = read_json(Home.of().run / "endpoints.json") or {}
    origin = stated_by_interlock().get("origin") or running.get("interlock")
    if not origin:
        raise PageAway()
    return f"{origin}{path}"


def _profile(file: Path) -> str:
    """A profile in the form that is signed.

    :raises ProfileUnreadable: it holds none.
    """
    try:
        return json.dumps(json.loads(file.read_text(encoding="utf-8")), sort_keys=True, separators=(",", ":"))
    except (OSError, ValueError) as wrong:
        raise ProfileUnreadable(path=str(file), why=getattr(wrong, "strerror", None) or "not JSON") from wrong


def _ask(
    clock: Clock, kind: str, of: dict[str, Any], officer: str, key: Path | None, *, page: bool, as_json: bool
) -> None:
    from bahal.journeys.amend_charter import ask_to_amend

    now: datetime = clock.now()
    document = Act(kind, officer, secrets.token_hex(16), now + LASTS / 2, of).canonical()
    signature = None if page else sign_act(signing_key(key, officer), document)
    number = ask_to_amend(document=document, officer=officer, signature=signature, at=clock.wall(), business_at=now)
    _told(number, kind, page=page, as_json=as_json)


def _told(number: str, kind: str, *, page: bool, as_json: bool) -> None:
    said: dict[str, Any] = {"number": number, "needs": SIGNATURES[kind]}
    where = page_url(f"/acts/{number}") if page else ""
    answering.answer(
        said | ({"page": where} if page else {}),
        as_json=as_json,
        hi="बदलाव {number} (आवश्यक हस्ताक्षर: {needs})" + (": {page}" if page else ""),
        en="Amendment {number} ({needs} signatures needed)" + (": {page}" if page else ""),
    )

"""The page's HTML, in Hindi and English. Every value is escaped; no template of the application is used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from bahal.interlock.profile import Profile
from bahal.interlock.signing.looking import Person, Shown
from bahal.interlock.signing.words import DECLINED, REASONS, WORDS
from bahal.shared.charter import SIGNATURES, Act
from bahal.shared.money import rupees
from bahal.shared.text import Language, grouped, instant


class Hashes(NamedTuple):
    """What the page's script and style must hash to (Subresource Integrity)."""

    script: str
    style: str


def sentences(name: str, data: Mapping[str, object]) -> dict[str, str]:
    """Why something was declined, in both languages; by its name where no sentence is known."""
    hi, en = DECLINED.get(name, (name, name))
    more = f" ({data['why']})" if data.get("why") else ""
    return {"hi": hi + more, "en": en + more}


def warrant(
    shown: Shown,
    signed: Mapping[str, tuple[str, str]],
    profile: Profile,
    signers: Sequence[str],
    now: datetime,
    language: Language,
    hashes: Hashes,
) -> str:
    """A warrant: what it would do, and where to sign it."""
    say, document = _Sayer(language), shown.document
    hindi = language == "hi"
    waiting = shown.state == "proposed" and not shown.wrong
    status = ""
    if shown.wrong:
        told = sentences(shown.wrong, {})[language]
        status = f'<p class="said refused" role="alert"><strong>{say("wrong")}:</strong> {escape(told)}</p>'
    elif shown.state != "proposed":
        status = f'<p class="said" role="status">{escape(say("closed").format(state=shown.state))}</p>'
    facts = [
        ("circle", shown.circle_hi if hindi else shown.circle),
        ("hours", f"{instant(document.not_before)} – {instant(document.expires_at)}"),
        ("cap", grouped(document.cap)),
        ("may", f"{grouped(shown.may)} · {rupees(shown.may_paise)}"),
    ]
    parts = [
        status,
        f'<p class="figures"><span class="figure">{grouped(shown.count)}</span> {say("count")}'
        f' <span class="figure">{rupees(shown.sum_paise)}</span> {say("sum")}</p>',
        f'<p class="own">{say("own")}</p>',
        _facts([(say(name), value) for name, value in facts]),
        _signatures(shown, signed, say),
        _form("sign", f"/warrants/{document.warrant}", say, language) if waiting else "",
        _against(shown, say, language),
        _table(
            say("offices"), (say("division"), say("connections"), say("amount")),
            [(o.name_hi if hindi else o.name, grouped(o.orders), rupees(o.paise)) for o in shown.offices],
        ),
        _people(say("largest"), shown.largest, say, hindi=hindi),
        _people(say("sample"), shown.sample, say, hindi=hindi),
        _dry_run(shown, say),
        f"<h2>{say('caps')}</h2><p>"
        + escape(say("caps_by").format(name=profile.name, signers=", ".join(signers))) + "</p>",
        _facts([
            (say(f"cap_{name}"), say("of").format(left=grouped(left), total=grouped(total)))
            for name, (left, total) in shown.caps.items()
        ]),
        _facts([(say("warrant"), document.warrant), (say("list"), document.list_sha256)], kind="numbers"),
    ]  # fmt: skip
    return _whole(say("title"), "".join(parts), f"/warrants/{document.warrant}", language, hashes)


def act(found: Act, outcome: str, signed: Sequence[str], language: Language, hashes: Hashes) -> str:
    """An act of the charter: exactly what is signed."""
    say = _Sayer(language)
    rows = [
        (say("act_is"), say("caps_act" if found.act == "caps" else found.act)),
        (say("number"), found.sha256),
        (say("asked_by"), found.asked_by),
        (say("needs"), str(SIGNATURES[found.act])),
        (say("signed_by"), ", ".join(signed) or "–"),
        (say("expires"), instant(found.expires_at)),
    ]
    if outcome:
        rows.append((say("outcome"), outcome))
    stated = json.dumps(found.of, ensure_ascii=False, indent=2, sort_keys=True)
    parts = [
        f'<p class="own">{say("act_own")}</p>',
        _facts(rows, kind="numbers"),
        f"<pre>{escape(stated)}</pre>",
        "" if outcome else _form("sign", f"/acts/{found.sha256}", say, language),
    ]
    return _whole(say("act_title"), "".join(parts), f"/acts/{found.sha256}", language, hashes)


def making(language: Language, hashes: Hashes) -> str:
    """Where an officer makes a passkey."""
    say = _Sayer(language)
    body = f'<p class="own">{say("making_own")}</p>' + _form("make", "/passkeys", say, language)
    return _whole(say("making_title"), body, "/passkeys", language, hashes)


def refusal(name: str, data: Mapping[str, object], language: Language, hashes: Hashes) -> str:
    """Why there is nothing to show."""
    say = _Sayer(language)
    body = f'<p class="said refused" role="alert">{escape(sentences(name, data)[language])}</p>'
    return _whole(say("refused"), body, "", language, hashes)


class _Sayer:
    """Says a word in its language."""

    def __init__(self, language: Language) -> None:
        self._nth = 0 if language == "hi" else 1

    def __call__(self, name: str) -> str:
        return WORDS[name][self._nth]


def _signatures(shown: Shown, signed: Mapping[str, tuple[str, str]], say: _Sayer) -> str:
    rows = []
    for role, stated, signature in (
        ("maker", shown.drive.maker, shown.drive.maker_signature),
        ("checker", shown.drive.checker, shown.drive.checker_signature),
    ):
        officer, authority = signed.get(role, (stated or "", ""))
        given = bool(signature) or role in signed
        by = f" ({say('stands_for').format(officer=authority)})" if authority not in ("", officer) else ""
        who = f"{officer or say('anybody')}{by}"
        mark = "✓" if given else "○"
        rows.append((say(role), f"{mark} {who}: {say('signed' if given else 'waits')}"))
    return f"<h2>{say('signatures')}</h2>" + _facts(rows)


def _against(shown: Shown, say: _Sayer, language: Language) -> str:
    if not shown.against:
        return ""
    nth = 0 if language == "hi" else 1
    rows = [
        (REASONS.get(code, (code, code))[nth], grouped(count))
        for code, count in sorted(shown.against.items(), key=lambda each: (-each[1], each[0]))
    ]
    return _table(say("against"), (say("reason"), say("connections")), rows)


def _people(title: str, people: Sequence[Person], say: _Sayer, *, hindi: bool) -> str:
    rows = [
        (
            f"{(p.name_hi if hindi else p.name) or '–'} · {p.connection}",
            p.centre_hi if hindi else p.centre,
            rupees(p.paise),
        )
        for p in people
    ]
    return _table(title, (say("consumer"), say("centre"), say("amount")), rows)


def _dry_run(shown: Shown, say: _Sayer) -> str:
    before = shown.before
    if before is None:
        return f"<h2>{say('dry_run')}</h2><p>{say('no_dry_run')}</p>"
    was = say("dry_run_was").format(
        run=before.run, at=instant(before.made_at), listed=grouped(before.listed), sum=rupees(before.sum_paise)
    )
    rows = [(say(name), _some(numbers)) for name, numbers in (("came", before.came), ("went", before.went))]
    return f"<h2>{say('dry_run')}</h2><p>{escape(was)}</p>" + _facts(rows)


def _some(numbers: Sequence[int], shown: int = 6) -> str:
    if not numbers:
        return "0"
    more = "…" if len(numbers) > shown else ""
    return f"{grouped(len(numbers))}: " + ", ".join(str(each) for each in numbers[:shown]) + more


def _facts(rows: Sequence[tuple[str, str]], kind: str = "facts") -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="{kind}">{inner}</dl>'


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _form(do: str, path: str, say: _Sayer, language: Language) -> str:
    names = ("cancelled", "lost") + (("working", "touch", "done") if do == "sign" else ("making", "made"))
    told: dict[str, Any] = {f"data-{name}": say(name) for name in names}
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in told.items())
    hint = f"<p>{say('compare')}</p>" if path.startswith("/warrants/") else ""
    return (
        f'<form data-do="{do}" data-path="{escape(path)}" data-language="{language}"{attributes}>{hint}'
        f'<label for="login">{say("login")}</label>'
        '<input id="login" name="login" autocomplete="username webauthn" autocapitalize="none" spellcheck="false"'
        f' required maxlength="64"><button>{say(do)}</button>'
        f'<p class="said" role="status" aria-live="polite" hidden></p><noscript><p>{say("no_script")}</p></noscript>'
        "</form>"
    )


def _whole(title: str, body: str, path: str, language: Language, hashes: Hashes) -> str:
    other = "en" if language == "hi" else "hi"
    turn = (
        f'<p><a href="{escape(path)}?lang={other}" lang="{other}">{WORDS["other_language"][language != "hi"]}</a></p>'
    )
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title>"
        f'<link rel="stylesheet" href="/static/sign.css" integrity="{hashes.style}">'
        f'<script src="/static/sign.js" integrity="{hashes.script}" defer></script></head>'
        f"<body><main>{turn if path else ''}<h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )

"""The printed form of an evidence pack: the same facts in words of both languages, with the pack's fingerprint."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from bahal.foundation.audit.sentences import sentence
from bahal.gateways.paper.sheets import EvidenceSheet, Part, Words
from bahal.journeys.print_bill import COMPANY
from bahal.shared.money import rupees
from bahal.shared.passkey import is_assertion
from bahal.shared.text import INDIA
from bahal.shared.words import WORDS, word

_KINDS = {"cut": Words("विच्छेदन", "disconnection"), "restore": Words("पुनर्संयोजन", "reconnection")}
_STATES = {
    True: "चालू · closed",
    False: "कटा · open",
    None: "अज्ञात · not known",
}
_NONE = Words("कोई नहीं", "none")
_MOMENT, _MONEY, _DAY = "moment", "money", "day"
_YES = {True: Words("हाँ", "yes"), False: Words("नहीं", "no")}
_WHY = ("reasons", "outcomes of a try", "task causes", "delays", "verdicts")
"""Where the word for a reason stands."""

_ORDER = (
    ("id", Words("आदेश", "Order"), ""),
    ("kind", Words("प्रकार", "Kind"), "nouns"),
    ("ground", Words("आधार", "Ground"), "grounds"),
    ("meter", Words("मीटर", "Meter"), ""),
    ("state", Words("स्थिति", "State"), "order states"),
    ("due_paise", Words("जिस राशि के लिए", "For the sum of"), _MONEY),
    ("fence", Words("बाड़ की पीढ़ी", "Fence generation"), ""),
    ("made_at", Words("बना", "Made"), _MOMENT),
    ("sent_at", Words("भेजा", "Sent"), _MOMENT),
    ("confirmed_at", Words("पुष्ट", "Confirmed"), _MOMENT),
)


def sheet_of(content: dict[str, Any], *, fingerprint: str) -> EvidenceSheet:
    """The sheet of a pack's content."""
    consumer, order = content["consumer"] or {}, content["order"]
    parts = [
        Part(Words("आदेश", "The order"), [(words, _shown(order[name], form)) for name, words, form in _ORDER]),
        *_law(content),
        *_warrant(content["warrant"]),
        *_wire(content),
        Part(Words("लेखा-परीक्षा", "Audit"), [_act(act) for act in content["audit"]]),
        Part(
            Words("यह क्या सिद्ध करता है", "What this proves"),
            [(Words("", ""), f"{each['hi']}\n{each['en']}") for each in content["about"]["proves"]],
        ),
    ]
    return EvidenceSheet(
        company=COMPANY,
        title=Words(f"आदेश {order['id']} का साक्ष्य", f"Evidence of order {order['id']}"),
        kind=_KINDS[order["kind"]],
        consumer=order["connection"],
        name=Words(consumer.get("name_hi", ""), consumer.get("name", "")),
        office=Words(consumer.get("centre_hi", ""), consumer.get("centre", "")),
        made_at=_shown(content["about"]["made_at"], _MOMENT),
        fingerprint=fingerprint,
        parts=[Part(each.title, each.rows or [(_NONE, "—")]) for each in parts],
    )


def _law(content: dict[str, Any]) -> list[Part]:
    """What the law asks for before a cut: notice, reminders, bills; what was paid, held and under which policy."""
    policy = content["policy"] or {}
    return [
        Part(Words("लिखित सूचना, धारा 56(1)", "Written notice, section 56(1)"), [
            (
                Words(f"सूचना {each['id']}", f"Notice {each['id']}"),
                f"{rupees(each['paise'])} · बिल bills {', '.join(each['bills'] or [])}\n"
                f"{_shown(each['issued_on'], _DAY)}\n{each['sha256']}",
            )
            for each in content["notices"]
        ] + [_step(each) for each in content["notice_steps"]]),
        Part(Words("स्मरण", "Reminders"), [_step(each) for each in content["reminder_steps"]]),
        Part(Words("बिल", "Bills"), [
            (
                Words(f"बिल {each['number']}", f"Bill {each['number']}"),
                f"{_both(each['kind'], 'kinds of bill')}\n{rupees(each['paise'])} · {_shown(each['issued_on'], _DAY)}"
                f" · देय due {_shown(each['due_on'], _DAY)}",
            )
            for each in content["bills"]
        ]),
        *(_explanation(each) for each in content["bills"] if each["explanation"] is not None),
        Part(Words("भुगतान", "Payments"), [
            (Words(f"रसीद {each['receipt']}", f"Receipt {each['receipt']}"),
             f"{rupees(each['paise'])} · {_both(each['channel'], 'channels')}\n"
             f"{_shown(each['acknowledged_at'], _MOMENT)}")
            for each in content["payments"]
        ]),
        Part(Words("रोक और विवाद", "Holds and disputes"), [
            (
                Words(f"रोक {each['id']}: {_said(each['kind'], 'holds').hi}",
                      f"Hold {each['id']}: {_said(each['kind'], 'holds').en}"),
                f"{each['evidence']} · {_shown(each['placed_at'], _MOMENT)} – {_shown(each['lifted_at'], _MOMENT)}",
            )
            for each in content["holds"]
        ] + [
            (Words(f"विवाद {each['id']}, बिल {each['bill']}", f"Dispute {each['id']}, bill {each['bill']}"),
             f"{each['reason']} · {_shown(each['raised_at'], _MOMENT)}")
            for each in content["disputes"]
        ]),
        Part(Words("नीति", "Policy"), [
            (Words("संस्करण", "version"), str(policy["version"])),
            (Words("स्रोत", "source"), str(policy["source"])),
            (Words("सूचना के स्पष्ट दिन", "clear days of notice"), str(policy["notice_clear_days"])),
            (Words("न्यूनतम राशि", "smallest due"), rupees(policy["minimum_paise"])),
        ] if policy else []),
    ]  # fmt: skip


def _step(step: dict[str, Any]) -> tuple[Words, str]:
    """A step in print: what happened by which channel and when, its text or receipt, and its hash."""
    event, channel = (
        Words(word(section, step[name], "hi"), word(section, step[name], "en"))
        for section, name in (("notice events", "event"), ("notice channels", "channel"))
    )
    lines = [f"{_shown(step['day'], _DAY)} · {_shown(step['business_at'], _MOMENT)}"]
    if step["event"] == "asked":
        lines += [f"{step['template']} v{step['template_version']} · {step['address'] or '—'}", step["text"]]
    else:
        told = (step["provider"], step["code"], step["evidence"])
        lines.append(" · ".join(each for each in told if each) or "—")
        if step["effective_on"]:
            lines[0] += f" · पहुँचा arrived {_shown(step['effective_on'], _DAY)}"
    return Words(f"{step['position']} · {channel.hi}: {event.hi}", f"{channel.en}: {event.en}"), "\n".join(
        [*lines, step["hash"]]
    )


def _signer(officer: dict[str, Any]) -> str:
    """Who signed with which key; a passkey's signature with the page it was given on."""
    by, signature = "", str(officer["signature"])
    if is_assertion(signature):
        by, signature = f"पासकी · passkey, {officer['page']['origin']}\n", json.loads(signature)["signature"]
    stands_for = officer.get("authority", officer["login"])
    place = "" if stands_for == officer["login"] else f" ({stands_for} के स्थान पर · in place of {stands_for})"
    digits = " ".join(officer["public_key"][at : at + 64] for at in range(0, len(officer["public_key"]), 64))
    told = " ".join(signature[at : at + 64] for at in range(0, len(signature), 64))
    return (
        f"{officer['login']} · {officer.get('name_hi', '')} {officer.get('name', '')}"
        f" · {_both(officer.get('role', ''), 'roles')}{place}\n{by}चाबी · key {digits}\nहस्ताक्षर · signature {told}"
    )


def _warrant(warrant: dict[str, Any] | None) -> list[Part]:
    if warrant is None:
        return []
    document = json.loads(warrant["document"])
    rows = [
        (Words("वारंट", "Warrant"), document["warrant"]),
        (Words("सूची का मूल", "Root of the list"), document["list_sha256"]),
        (
            Words("पंक्ति", "Line"),
            f"{warrant['line']['index'] + 1} / {document['orders']}\n{warrant['line']['text'].replace('|', ' | ')}",
        ),
        (
            Words("समय", "Hours"),
            f"{_shown(document['not_before'], _MOMENT)} – {_shown(document['expires_at'], _MOMENT)}",
        ),
    ]
    for role, words in (("maker", Words("बनाने वाला", "Maker")), ("checker", Words("जाँचने वाला", "Checker"))):
        officer = warrant[role]
        rows.append(
            (
                words,
                _signer(officer),
            )
        )
    return [Part(Words("वारंट और दो हस्ताक्षर", "Warrant and two signatures"), rows)]


def _wire(content: dict[str, Any]) -> list[Part]:
    """What was sent to the meter, what it said, and the light afterwards."""
    return [
        Part(Words("भेजना और रिले", "Sending and relay"), [
            (
                Words("भेजा", "Sent"),
                f"{_shown(each['sent_at'], _MOMENT)} · कार्यालय समय office time {_shown(each['business_at'], _MOMENT)}"
                f"\nबाड़ fence {each['fence']}"
                + (f" · {rupees(each['due_paise'])}" if each["due_paise"] is not None else "")
                + (f" · नीति policy {each['policy']}" if each["policy"] else ""),
            )
            for each in content["sendings"]
        ] + [
            (
                _said(each["outcome"], "order states"),
                (f"{_both(each['reason'], *_WHY)}\n" if each["reason"] else "")
                + f"{_STATES[each['relay_before']]} → {_STATES[each['relay_after']]} · {_shown(each['at'], _MOMENT)}"
                f"\n{len(each['frames'] or [])} फ़्रेम · frames {each['frames_sha256'] or '—'}",
            )
            for each in content["results"]
        ]),
        Part(Words("पुनर्संयोजन", "Reconnection"), [
            (
                Words(f"आदेश {each['id']}: {_said(each['state'], 'order states').hi}",
                      f"Order {each['id']}: {_said(each['state'], 'order states').en}"),
                f"{_cause(each['cause'])}\n"
                f"{_shown(each['made_at'], _MOMENT)} → {_shown(each['confirmed_at'], _MOMENT)}",
            )
            for each in content["restores"]
        ]),
    ]  # fmt: skip


def _act(act: dict[str, Any]) -> tuple[Words, str]:
    number, at, _, actor, name, _, _, data = act["entry"]
    root = act["root"]
    where = (
        "अभी किसी मूल में नहीं · in no root yet"
        if root is None
        else f"मूल · root {_shown(root['at'], _MOMENT)}\n{root['sha256']}"
    )
    told = "\n".join(sentence(name, data, language) for language in ("hi", "en"))
    return Words(f"प्रविष्टि {number}", f"Entry {number}"), f"{actor}, {_shown(at, _MOMENT)}\n{told}\n{where}"


def _explanation(bill: dict[str, Any]) -> Part:
    """A bill's lines as the consumer can open them, and the registers under them."""
    told = bill["explanation"]
    rows = [
        (
            Words(f"पंक्ति {each['number']}", f"Line {each['number']}"),
            f"{rupees(each['paise'])}\n{each['hi']}\n{each['en']}",
        )
        for each in told["lines"]
    ]
    rows += [
        (
            Words(f"मीटर {each['meter']}", f"Meter {each['meter']}"),
            f"{_shown(each['from'], _DAY)}: {_units(each['from_wh'])} → {_shown(each['to'], _DAY)}:"
            f" {_units(each['to_wh'])} = {_units(each['wh'])} kWh",
        )
        for each in told["registers"]
    ]
    rows += [(Words("टिप्पणी", "Note"), f"{each['hi']}\n{each['en']}") for each in told["notes"]]
    rows += [(Words("दर-पत्र", "Tariff"), f"{each['name']}\n{each['sha256']}") for each in told["versions"]]
    return Part(Words(f"बिल {bill['number']} की पंक्तियाँ", f"Lines of bill {bill['number']}"), rows)


def _units(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03}"


def _said(code: Any, *sections: str) -> Words:
    """A code in words, from the first of these sections that has it. Free text stays as it was written."""
    if isinstance(code, bool):
        return _YES[code]
    for section in sections:
        if code in WORDS[section]:
            return Words(word(section, code, "hi"), word(section, code, "en"))
    return Words(str(code), str(code))


def _both(code: Any, *sections: str) -> str:
    words = _said(code, *sections)
    return words.hi if words.hi == words.en else f"{words.hi} · {words.en}"


def _cause(cause: str) -> str:
    """Why a restore was ordered: a code and what it names, as `payment R-1`."""
    code, _, rest = cause.partition(" ")
    return f"{_both(code, 'nouns', *_WHY)} {rest}".strip()


def _shown(datum: Any, form: str) -> str:
    if datum is None:
        return "—"
    if form == _MONEY:
        return rupees(datum)
    if form == _DAY:
        return f"{date.fromisoformat(datum):%d-%m-%Y}"
    if form == _MOMENT:
        return f"{datetime.fromisoformat(datum).astimezone(INDIA):%d-%m-%Y %H:%M:%S}"
    return _both(datum, form) if form else str(datum)

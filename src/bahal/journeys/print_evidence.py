"""The printed form of an evidence pack: the same facts in words of both languages, with the pack's fingerprint."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from bahal.gateways.paper.sheets import EvidenceSheet, Part, Words
from bahal.journeys.print_bill import COMPANY
from bahal.shared.money import rupees
from bahal.shared.text import INDIA
from bahal.shared.words import word

_KINDS = {"cut": Words("विच्छेदन", "disconnection"), "restore": Words("पुनर्संयोजन", "reconnection")}
_STATES = {
    True: "चालू · closed",
    False: "कटा · open",
    None: "अज्ञात · not known",
}
_NONE = Words("कोई नहीं", "none")
_MOMENT, _MONEY, _DAY = "moment", "money", "day"

_ORDER = (
    ("id", Words("आदेश", "Order"), ""),
    ("kind", Words("प्रकार", "Kind"), ""),
    ("ground", Words("आधार", "Ground"), ""),
    ("meter", Words("मीटर", "Meter"), ""),
    ("state", Words("स्थिति", "State"), ""),
    ("due_paise", Words("जिस राशि के लिए", "For the sum of"), _MONEY),
    ("fence", Words("फ़ेंस पीढ़ी", "Fence generation"), ""),
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
                Words(f"सूचना {each['id']}, {rupees(each['paise'])}", f"bills {', '.join(each['bills'] or [])}"),
                f"{_shown(each['issued_on'], _DAY)}\n{each['sha256']}",
            )
            for each in content["notices"]
        ] + [_step(each) for each in content["notice_steps"]]),
        Part(Words("स्मरण", "Reminders"), [_step(each) for each in content["reminder_steps"]]),
        Part(Words("बिल", "Bills"), [
            (
                Words(each["number"], each["kind"]),
                f"{rupees(each['paise'])} · {_shown(each['issued_on'], _DAY)} · देय due {_shown(each['due_on'], _DAY)}",
            )
            for each in content["bills"]
        ]),
        Part(Words("भुगतान", "Payments"), [
            (Words(each["receipt"], each["channel"]),
             f"{rupees(each['paise'])} · {_shown(each['acknowledged_at'], _MOMENT)}")
            for each in content["payments"]
        ]),
        Part(Words("रोक और विवाद", "Holds and disputes"), [
            (
                Words(f"रोक {each['id']}", each["kind"]),
                f"{each['evidence']} · {_shown(each['placed_at'], _MOMENT)} – {_shown(each['lifted_at'], _MOMENT)}",
            )
            for each in content["holds"]
        ] + [
            (Words(f"विवाद {each['id']}", each["bill"]), f"{each['reason']} · {_shown(each['raised_at'], _MOMENT)}")
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
                f"{officer['login']} {officer.get('name_hi', '')}\nचाबी · key {officer['public_key']}\n"
                f"हस्ताक्षर · signature {officer['signature'][:64]} {officer['signature'][64:]}",
            )
        )
    return [Part(Words("वारंट और दो हस्ताक्षर", "Warrant and two signatures"), rows)]


def _wire(content: dict[str, Any]) -> list[Part]:
    """What was sent to the meter, what it said, and the light afterwards."""
    return [
        Part(Words("भेजना और रिले", "Sending and relay"), [
            (
                Words(f"भेजा {_shown(each['sent_at'], _MOMENT)}", f"at {_shown(each['business_at'], _MOMENT)}"),
                f"फ़ेंस · fence {each['fence']}"
                + (f" · {rupees(each['due_paise'])}" if each["due_paise"] is not None else "")
                + f" · {each['policy'] or ''}",
            )
            for each in content["sendings"]
        ] + [
            (
                Words(each["outcome"], each["reason"]),
                f"{_STATES[each['relay_before']]} → {_STATES[each['relay_after']]} · {_shown(each['at'], _MOMENT)}"
                f"\n{len(each['frames'] or [])} फ़्रेम · frames {each['frames_sha256'] or '—'}",
            )
            for each in content["results"]
        ]),
        Part(Words("पुनर्संयोजन", "Reconnection"), [
            (
                Words(f"आदेश {each['id']}", each["state"]),
                f"{each['cause']} · {_shown(each['made_at'], _MOMENT)} → {_shown(each['confirmed_at'], _MOMENT)}",
            )
            for each in content["restores"]
        ]),
    ]  # fmt: skip


def _act(act: dict[str, Any]) -> tuple[Words, str]:
    number, at, _, actor, name, *_ = act["entry"]
    root = act["root"]
    where = (
        "अभी किसी मूल में नहीं · in no root yet"
        if root is None
        else f"मूल · root {_shown(root['at'], _MOMENT)}\n{root['sha256']}"
    )
    return Words(f"{number} · {name}", f"{actor}, {_shown(at, _MOMENT)}"), where


def _shown(datum: Any, form: str) -> str:
    if datum is None:
        return "—"
    if form == _MONEY:
        return rupees(datum)
    if form == _DAY:
        return f"{date.fromisoformat(datum):%d-%m-%Y}"
    if form == _MOMENT:
        return f"{datetime.fromisoformat(datum).astimezone(INDIA):%d-%m-%Y %H:%M:%S}"
    return str(datum)

"""A consumer's account on one page: what is owed and why, whether the supply is on and why, and all that happened.

For whoever answers him: the cashier, the call centre, the officer. His telephone shows its last four digits only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from bahal.domains.ledger.queries import dues, held
from bahal.domains.meters.queries import Truths, truths_of
from bahal.domains.payments.queries import outstanding_cheques
from bahal.domains.staff.queries import Officer
from bahal.domains.supply.queries import Order
from bahal.foundation.audit.operations import record
from bahal.foundation.audit.sentences import sentence
from bahal.foundation.rows import many, one, value
from bahal.foundation.transactions import transaction
from bahal.journeys.explain_due import Due, explain_due
from bahal.shared.clock import day_in_india
from bahal.shared.locks import ConnectionUnknown
from bahal.shared.money import rupees
from bahal.shared.text import INDIA, LANGUAGES, Language, day
from bahal.shared.words import CAUSES, word

MOST = 200
"""Happenings shown, the latest first."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the timeline, in both languages. `kind`: bill, notice, message, act. `number` names a bill."""

    at: datetime
    kind: str
    actor: str
    text: Mapping[Language, str]
    number: str


@dataclass(frozen=True, slots=True)
class Supply:
    """The supply as it was last seen, and why. `on` is None where nobody has read the relay."""

    on: bool | None
    seen_at: datetime | None
    why: Mapping[Language, str]
    orders: Sequence[Order]


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `dues` and `held` are paise by ledger account, `pending_paise` cheques that have not cleared."""

    connection: int
    name: str
    name_hi: str
    phone_ends: str
    meter: str
    office: str
    office_hi: str
    category: str
    load_w: int
    due: Due
    dues: Mapping[str, int]
    held: Mapping[str, int]
    pending_paise: int
    supply: Supply
    timeline: Sequence[Happened]


def account_for_office(*, connection: int, business_at: datetime) -> Account:
    """An account at an instant.

    :raises ConnectionUnknown: no such connection.
    :raises NoPolicy: no recovery policy is in force.
    """
    row = one(
        "SELECT coalesce(u.name, ''), coalesce(u.name_hi, ''), coalesce(right(u.phone, 4), ''),"
        " coalesce(m.serial, ''), o.name, o.name_hi, c.category, c.sanctioned_load_w FROM network_connection c"
        " JOIN offices_office o ON o.id = c.centre LEFT JOIN consumers_consumer u ON u.id = c.id"
        " LEFT JOIN meters_meter m ON m.connection = c.id WHERE c.id = %s",
        connection,
    )
    if row is None:
        raise ConnectionUnknown(connection=connection)
    name, name_hi, phone_ends, meter, office, office_hi, category, load_w = row
    due = explain_due(connection=connection, business_at=business_at)
    return Account(
        connection=connection,
        name=name,
        name_hi=name_hi,
        phone_ends=phone_ends,
        meter=meter,
        office=office,
        office_hi=office_hi,
        category=category,
        load_w=load_w,
        due=due,
        dues=dues(connection=connection),
        held=held(connection=connection),
        pending_paise=outstanding_cheques(connection=connection),
        supply=_supply(connection, truths_of(meter=meter), due.due_paise),
        timeline=_timeline(connection),
    )


def look_at_account(*, connection: int, officer: Officer, at: datetime, business_at: datetime) -> Account:
    """The same for an officer who looks: that he did stands in the account from now on, once a day.

    :raises ConnectionUnknown: no such connection.
    :raises NoPolicy: no recovery policy is in force.
    """
    began = datetime.combine(day_in_india(business_at), time(), INDIA)
    with transaction():
        account = account_for_office(connection=connection, business_at=business_at)
        looked = value(
            "SELECT true FROM audit_entry WHERE connection = %s AND act = 'consumer.seen' AND actor = %s"
            " AND business_at >= %s LIMIT 1",
            connection,
            officer.login,
            began,
        )
        if looked is None:
            data = {"login": officer.login, "role": officer.role}
            record(
                actor=officer.login, act="consumer.seen", subject=f"connection {connection}", connection=connection,
                data=data, at=at, business_at=business_at,
            )  # fmt: skip
    return account


def _supply(connection: int, truths: Truths, due_paise: int) -> Supply:
    columns = ", ".join(Order._fields)
    orders = [
        Order(*each)
        for each in many(
            f"SELECT {columns} FROM supply_order WHERE connection = %s ORDER BY id DESC LIMIT 10",  # noqa: S608
            connection,
        )
    ]
    return Supply(truths.closed, truths.seen_at, _why(truths.closed, orders, due_paise), orders)


def _why(on: bool | None, orders: Sequence[Order], due_paise: int) -> Mapping[Language, str]:
    """Why the supply is on or off, from the orders that live; the latest one decides."""
    latest = next((each for each in orders if each.state not in ("cancelled", "refused", "expired")), None)
    if latest is None:
        return _WHY[{True: "always_on", False: "off_no_order", None: "unread"}[on]]
    if latest.state == "field_task":
        return _filled("field_" + latest.kind, latest, due_paise)
    if latest.kind == "restore":
        if latest.state != "confirmed":
            return _filled("restore_open", latest, due_paise)
        return _filled("off_after_restore" if on is False else "restored", latest, due_paise)
    if latest.state != "confirmed":
        return _filled("cut_open", latest, due_paise)
    if on:
        return _filled("on_after_cut", latest, due_paise)
    return _filled("cut_due" if due_paise > 0 else "cut_paid", latest, due_paise)


def _filled(key: str, order: Order, due_paise: int) -> Mapping[Language, str]:
    told: dict[Language, str] = {}
    for language in LANGUAGES:
        told[language] = _WHY[key][language].format(
            ground=word("grounds", order.ground, language),
            order=order.id,
            due=rupees(max(0, due_paise)),
            state=word("order states", order.state, language),
            reason=CAUSES[order.reason][language == "en"] if order.reason in CAUSES else "—",
        )
    return told


_WHY: Mapping[str, Mapping[Language, str]] = {
    "always_on": {"hi": "बिजली चालू है; कोई आदेश नहीं रहा।", "en": "The supply is on; there was never an order."},
    "off_no_order": {
        "hi": "रिले खुली पढ़ी गई, पर हमारा कोई आदेश नहीं: छेड़छाड़, लिमिटर या बिजली बंद होने की जाँच करें।",
        "en": "The relay was read open, and there is no order of ours: find out whether it is tampering, the limiter or"
        " an outage.",
    },
    "unread": {
        "hi": "रिले अभी तक पढ़ी नहीं गई; कोई आदेश नहीं रहा।",
        "en": "Its relay has not been read; there was no order.",
    },
    "field_cut": {
        "hi": "विच्छेदन {order} लाइनमैन के पास है: {reason}।",
        "en": "Cut {order} is with a lineman: {reason}.",
    },
    "field_restore": {
        "hi": "बहाली {order} लाइनमैन के पास है, उसे जाना होगा: {reason}।",
        "en": "Restore {order} is with a lineman, who must go there: {reason}.",
    },
    "restore_open": {
        "hi": "बहाली {order} चल रही है ({state}): मीटर जुड़ते ही यहाँ दिखेगा।",
        "en": "Restore {order} is under way ({state}): it shows here as soon as the meter is on.",
    },
    "off_after_restore": {
        "hi": "बहाली {order} के बाद रिले फिर खुली पढ़ी गई, हमारे आदेश बिना: कारण जाँचें।",
        "en": "After restore {order} the relay was read open again, without any order of ours: find out why.",
    },
    "restored": {"hi": "बिजली चालू है: बहाली {order} पूरी हुई।", "en": "The supply is on: restore {order} is done."},
    "cut_open": {
        "hi": "विच्छेदन {order} ({ground}) चल रहा है: {state}।",
        "en": "Cut {order} ({ground}) is under way: {state}.",
    },
    "on_after_cut": {
        "hi": "विच्छेदन {order} के बाद रिले बंद (चालू) पढ़ी गई, हमारे आदेश बिना: चोरी की जाँच करें।",
        "en": "After cut {order} the relay was read closed, without any order of ours: look into it as theft.",
    },
    "cut_due": {
        "hi": "बिजली कटी है: आदेश {order}, {ground}। देय {due}; भुगतान होते ही अपने आप जुड़ेगी।",
        "en": "The supply is cut: order {order}, {ground}. Due {due}; it comes back by itself when that is paid.",
    },
    "cut_paid": {
        "hi": "बिजली कटी है: आदेश {order}, {ground}। कुछ देय नहीं, फिर भी बहाली का आदेश नहीं: अधिकारी देखें।",
        "en": "The supply is cut: order {order}, {ground}. Nothing is due, and yet there is no restore: an officer must"
        " look.",
    },
}


def _timeline(connection: int) -> list[Happened]:
    found = []
    for at, kind, actor, act, data in many(_TIMELINE, *([connection] * 4), MOST):
        facts = json.loads(data)
        texts: dict[Language, str] = {}
        for language in LANGUAGES:
            texts[language] = sentence(act, facts, language) if kind == "act" else _told(kind, facts, language)
        found.append(Happened(at, kind, actor, texts, facts.get("number", "") if kind == "bill" else ""))
    return found


def _told(kind: str, facts: Mapping[str, str], language: Language) -> str:
    hindi = language == "hi"
    if kind == "bill":
        due = day(datetime.fromisoformat(facts["due_on"]).date())
        amount = rupees(int(facts["paise"]))
        return (
            f"बिल {facts['number']}: {amount}, देय तिथि {due}"
            if hindi
            else f"Bill {facts['number']}: {amount}, due on {due}"
        )
    if kind == "notice":
        amount = rupees(int(facts["paise"]))
        return f"लिखित सूचना जारी: {amount}" if hindi else f"Written notice issued: {amount}"
    state = word("deliveries", facts["delivery"], language)
    channel = word("notice channels", facts["channel"], language)
    return f"{channel}, {state}: {facts['text']}"


_TIMELINE = """
SELECT at, kind, actor, act, data FROM (
    SELECT (b.issued_on + time '00:00') AT TIME ZONE 'Asia/Kolkata' AS at, 'bill' AS kind, '' AS actor, '' AS act,
           jsonb_build_object('number', b.number, 'paise', b.paise, 'due_on', b.due_on)::text AS data, b.id AS n
    FROM billing_bill b WHERE b.connection = %s
    UNION ALL
    SELECT (w.issued_on + time '00:00') AT TIME ZONE 'Asia/Kolkata', 'notice', '', '',
           jsonb_build_object('paise', w.paise)::text, w.id
    FROM notices_writtennotice w WHERE w.connection = %s
    UNION ALL
    SELECT (m.business_on + time '00:00') AT TIME ZONE 'Asia/Kolkata', 'message', '', '',
           jsonb_build_object('channel', m.channel, 'delivery', m.delivery, 'text', m.text)::text, m.id
    FROM notices_message m WHERE m.connection = %s AND m.kind IN ('reminder', 'cut', 'restored')
    UNION ALL
    SELECT e.business_at, 'act', e.actor, e.act, e.data::text, e.id FROM audit_entry e WHERE e.connection = %s
) AS happened ORDER BY at DESC, n DESC LIMIT %s
"""

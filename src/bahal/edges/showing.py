"""An account as the office's pages show it: amounts in rupees, instants in Indian time, codes as words."""

from typing import Any

from django.utils import translation

from bahal.journeys.account_for_office import Account
from bahal.shared.money import rupees
from bahal.shared.text import INDIA, Language, day, grouped, instant
from bahal.shared.words import word


def language() -> Language:
    """The language of this page."""
    return "hi" if (translation.get_language() or "hi").startswith("hi") else "en"


def office_word(section: str, code: str) -> str:
    """A code as a word of this page's language; a code that has none, as it is."""
    try:
        return word(section, code, language())
    except KeyError:
        return code


def account_shown(account: Account) -> dict[str, Any]:
    """What the templates of an account name."""
    here = language()
    due = account.due
    supply = account.supply
    return {
        "connection": account.connection,
        "name": account.name_hi if here == "hi" else account.name,
        "phone_ends": account.phone_ends,
        "meter": account.meter or "—",
        "office": account.office_hi if here == "hi" else account.office,
        "category": account.category,
        "load": grouped(account.load_w),
        "due_paise": max(0, due.due_paise),
        "due": rupees(max(0, due.due_paise)),
        "owes": due.due_paise > 0,
        "enforceable": rupees(due.enforceable.paise),
        "policy": due.policy.version,
        "dues": [(account_name, rupees(paise)) for account_name, paise in account.dues.items()],
        "held": [(account_name, rupees(paise)) for account_name, paise in account.held.items() if paise > 0],
        "pending": rupees(account.pending_paise) if account.pending_paise else "",
        "bills": [
            {
                "number": due.numbers.get(part.bill, str(part.bill)),
                "owed": rupees(part.owed_paise),
                "reason": office_word("reasons of a bill", part.reason),
            }
            for part in due.enforceable.parts
            if part.owed_paise > 0
        ],
        "on": supply.on,
        "seen_at": instant(supply.seen_at) if supply.seen_at else "",
        "why": supply.why[here],
        "orders": [
            {
                "id": order.id,
                "kind": order.kind,
                "state": office_word("order states", order.state),
                "ground": office_word("grounds", order.ground),
                "made_at": instant(order.made_at),
            }
            for order in supply.orders
        ],
        "timeline": [
            {
                "at": instant(each.at) if each.kind == "act" else day(each.at.astimezone(INDIA).date()),
                "kind": each.kind,
                "actor": each.actor,
                "text": each.text[here],
                "number": each.number,
            }
            for each in account.timeline
        ],
    }

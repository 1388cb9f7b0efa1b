"""What a notice needs of other nouns: by which channels the policy sends it, and whom it is for."""

from collections.abc import Mapping, Sequence

from bahal.domains.arrears.queries import Policy
from bahal.domains.billing.queries import numbers_of
from bahal.domains.notices.issuing import Addressee, NewNotice
from bahal.domains.notices.ways import Way
from bahal.foundation.rows import many

_ALL = ("sms", "whatsapp", "letter", "hand")


def notice_way(policy: Policy) -> Way:
    """The way of a written notice: only paper serves it, whatever else tells of it."""
    return Way(policy.version, policy.notice_channels, policy.notice_serves, policy.receipt_hours, policy.letter_days)


def reminder_way(policy: Policy) -> Way:
    """The way of a reminder: whichever channel reaches the consumer ends it."""
    return Way(policy.version, policy.reminder_channels, _ALL, policy.receipt_hours, policy.letter_days)


def addressees(notices: Sequence[NewNotice]) -> Mapping[int, Addressee]:
    """Telephone, language and the numbers of the bills that a notice names; who is no consumer is missing.

    A bill that has no number is named by its id.
    """
    numbers = numbers_of(bills={bill for each in notices for bill in each.bills})
    named = {each.connection: [numbers.get(bill, str(bill)) for bill in each.bills] for each in notices}
    rows = many(
        "SELECT id, phone, CASE language WHEN 'en' THEN 'en' ELSE 'hi' END FROM consumers_consumer"
        " WHERE id = ANY(%s::bigint[])",
        list(named),
    )
    return {id_: Addressee(phone, language, named[id_]) for id_, phone, language in rows}

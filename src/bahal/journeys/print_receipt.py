"""A receipt on paper: a page of A4, or as long as it is on a roll of 80 mm."""

from bahal.domains.consumers.queries import both_names_of
from bahal.domains.ledger.queries import balance_after
from bahal.domains.network.queries import centre_of
from bahal.domains.offices.queries import get_office
from bahal.gateways.paper.sheets import ReceiptSheet, Words
from bahal.gateways.paper.typesetting import Width, receipt_pdf
from bahal.journeys.print_bill import COMPANY
from bahal.journeys.show_receipt import Shown, show_receipt
from bahal.shared.words import word

_SETTLED = {
    "receivable": Words("बिल", "bill"),
    "surcharge": Words("विलंब भुगतान अधिभार", "delayed payment surcharge"),
    "expenses": Words("विच्छेदन एवं पुनर्संयोजन व्यय", "expenses of cutting and reconnecting"),
    "advance": Words("अग्रिम", "advance"),
}


def print_receipt(*, receipt: str, width: Width = "a4", check: str = "") -> bytes:
    """A receipt as PDF; `check` is the address that proves it, shown as a code to scan.

    :raises ReceiptUnknown: no such one.
    :raises PageFailed: it could not be set.
    """
    return receipt_pdf(receipt_sheet(show_receipt(receipt=receipt), check=check), width=width)


def receipt_sheet(shown: Shown, *, check: str = "") -> ReceiptSheet:
    """The sheet of a receipt; what is still due and in advance is as it stood when it was given."""
    found = shown.receipt
    name, name_hi = both_names_of(connections=[found.connection]).get(found.connection, ("", ""))
    office = get_office(office=centre_of(connection=found.connection))
    stands = balance_after(connection=found.connection, kind="payment", reference=found.receipt)
    shares = []
    for each in shown.lines:
        title = _SETTLED[each.account]
        number = f" {each.bill}" if each.bill is not None else ""
        shares.append((Words(title.hi + number, title.en), each.paise))
    order = None
    if found.order is not None:
        order = Words(f"बिजली बहाली का आदेश {found.order}", f"Restore order {found.order}")
    return ReceiptSheet(
        company=COMPANY,
        office=Words(f"{office.name_hi} वितरण केंद्र", f"{office.name} distribution centre"),
        receipt=found.receipt,
        consumer=found.connection,
        name=Words(name_hi, name),
        paise=found.paise,
        channel=Words(*(word("instruments", found.instrument, language) for language in ("hi", "en"))),
        taken_at=found.business_at,
        shares=shares,
        due_paise=max(0, stands.due_paise),
        advance_paise=stands.advance_paise,
        order=order,
        check=check,
    )

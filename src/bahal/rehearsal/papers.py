"""One bill and one receipt of the Monday on paper, beside the report."""

from pathlib import Path

from bahal.domains.billing.queries import latest_number
from bahal.domains.payments.queries import latest_receipt
from bahal.journeys.pay_online import Payee
from bahal.journeys.print_bill import print_bill
from bahal.journeys.print_receipt import print_receipt


def write_papers(folder: Path, *, connection: int, payee: Payee | None) -> list[Path]:
    """Write the latest bill of a connection and its latest receipt, on A4 and on a roll; which files."""
    written = []
    number = latest_number(connection=connection)
    if number is not None:
        written.append(folder / "bill.pdf")
        written[-1].write_bytes(print_bill(number=number, payee=payee))
    receipt = latest_receipt(connection=connection)
    if receipt is not None:
        for name, page in (
            ("receipt.pdf", print_receipt(receipt=receipt)),
            ("receipt-80mm.pdf", print_receipt(receipt=receipt, width="roll")),
        ):
            written.append(folder / name)
            written[-1].write_bytes(page)
    return written

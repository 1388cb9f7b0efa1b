"""What is asked of a bank: take a consumer's money and give the payment its number."""

from typing import Protocol

from bahal.shared.errors import ENVIRONMENT, Refusal


class BankUnreachable(Refusal):
    """The bank does not answer: whether it took the money is not known."""

    code = "bank_unreachable"
    exit_code = ENVIRONMENT
    hi = "बैंक {url} उत्तर नहीं दे रहा ({why})।"
    en = "The bank {url} does not answer ({why})."


class Bank(Protocol):
    """A bank's counter."""

    def collect(self, *, consumer: int, paise: int, channel: str) -> str:
        """Take money from a consumer; the bank's number of the payment, which serves as idempotency key.

        :raises BankUnreachable: no answer.
        """
        ...

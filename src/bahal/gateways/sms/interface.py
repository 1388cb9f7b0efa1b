"""What the product asks of an SMS centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bahal.shared.errors import ENVIRONMENT, Refusal

WAKE_UP = "BAHAL-WAKE-UP"
"""The template, and the text, of a message to a meter: call. Nobody reads it, and its delivery is not reported."""


class SmsCentreUnreachable(Refusal):
    """The centre does not answer; what was to be sent waits."""

    code = "sms_centre_unreachable"
    exit_code = ENVIRONMENT
    hi = "एसएमएस केंद्र {url} उत्तर नहीं दे रहा ({why}): संदेश प्रतीक्षा में हैं।"
    en = "The SMS centre {url} does not answer ({why}): the messages wait."


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. The same `reference` is sent once, however often it is given.

    `template` is what the provider knows the text by; `language` and `variables`, in the order in which the text names
    them, are for a provider that fills it by itself.
    """

    reference: str
    to: str
    template: str
    text: str
    language: str = "hi"
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the centre said of one message: a receipt, or the error for which it refused."""

    reference: str
    receipt: str | None
    error: str | None = None


class SmsGateway(Protocol):
    """An SMS centre."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send a batch; an answer for each message.

        :raises SmsCentreUnreachable: it is not known whether the messages were taken; give them again.
        """
        ...

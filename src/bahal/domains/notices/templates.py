"""The short messages of a cut, a restore, a payment and a code to sign in by, as registered with the DLT platform.

Notices and reminders, on which the right to cut rests, are versioned in `wordings`.

A message must match its registered template to the space. Hindi is sent as UCS-2, 70 characters in one part and 67 in
each of several, so it is kept short. The template ids here are rehearsal values, not registered with anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bahal.shared.text import LANGUAGES, Language

LONGEST_VARIABLE = 30
PRESS_BUTTON = "press_button"
"""A message of kind `restored` in other words: this meter's relay is released and closes by its button only."""


@dataclass(frozen=True, slots=True)
class Template:
    """One registered template; `verified` says whether its id was checked against the DLT platform."""

    id: str
    kind: str
    language: Language
    text: str
    verified: bool = False

    def filled(self, **variables: str) -> str:
        """The message.

        :raises KeyError: a variable is missing.
        :raises ValueError: a variable is longer than the platform lets through.
        """
        for name, given in variables.items():
            if len(given) > LONGEST_VARIABLE:
                raise ValueError(f"{self.id}: {name} is longer than {LONGEST_VARIABLE} characters")
        return self.text.format_map(variables)


TEMPLATES: tuple[Template, ...] = (
    Template(
        "BAHAL-CUT-HI-1",
        "cut",
        "hi",
        "क्र. {consumer}: {amount} बकाया के कारण बिजली विच्छेदित। भुगतान होते ही स्वतः बहाल होगी।",
    ),
    Template(
        "BAHAL-CUT-EN-1",
        "cut",
        "en",
        "Consumer no. {consumer}: supply disconnected for {amount} due. It returns by itself as soon as you pay.",
    ),
    Template(
        "BAHAL-RES-HI-1",
        "restored",
        "hi",
        "क्र. {consumer}: आपकी बिजली {time} बजे बहाल कर दी गई है। धन्यवाद।",
    ),
    Template(
        "BAHAL-RES-EN-1",
        "restored",
        "en",
        "Consumer no. {consumer}: your supply was restored at {time}. Thank you.",
    ),
    Template(
        "BAHAL-RES-HI-2",
        PRESS_BUTTON,
        "hi",
        "क्र. {consumer}: {time} बजे बहाली का आदेश मीटर तक पहुँचा। बिजली चालू करने को मीटर का बटन दबाएँ।",
    ),
    Template(
        "BAHAL-RES-EN-2",
        PRESS_BUTTON,
        "en",
        "Consumer no. {consumer}: your supply was released at {time}. Press the button on your meter to switch it on.",
    ),
    Template(
        "BAHAL-PAY-HI-1",
        "payment",
        "hi",
        "क्र. {consumer}: {amount} प्राप्त, रसीद {receipt}। धन्यवाद।",
    ),
    Template(
        "BAHAL-PAY-EN-1",
        "payment",
        "en",
        "Consumer no. {consumer}: {amount} received, receipt {receipt}. Thank you.",
    ),
    Template(
        "BAHAL-OTP-HI-1",
        "sign_in",
        "hi",
        "{code} बिजली खाता देखने का कोड है, 5 मिनट मान्य। किसी को न बताएँ।",
    ),
    Template(
        "BAHAL-OTP-EN-1",
        "sign_in",
        "en",
        "{code} is your code to see your electricity account, valid for 5 minutes. Tell it to nobody.",
    ),
)

_BY_KIND: Mapping[tuple[str, Language], Template] = {(each.kind, each.language): each for each in TEMPLATES}


def template(kind: str, language: Language) -> Template:
    """The template of a kind in a language; in Hindi if there is none in that language.

    :raises KeyError: no such kind.
    """
    return _BY_KIND.get((kind, language)) or _BY_KIND[kind, LANGUAGES[0]]

"""A consumer opens his account: by a code sent to the telephone we know, or by a signed link for one connection.

Whoever asks gets the same answer whether the number is anybody's or not. What a link opens is read only, and ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core import signing

from bahal.domains.consumers import sign_in
from bahal.domains.consumers.errors import NotYours, ViewLinkWrong
from bahal.domains.consumers.queries import contacts
from bahal.domains.notices.codes import queue_code
from bahal.domains.notices.templates import template
from bahal.domains.payments.queries import policy_at
from bahal.domains.supply.queries import generations
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.locks import ConnectionUnknown
from bahal.shared.text import Language

_SALT = "bahal.view-link"


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks: the connection, those beside it that the same session opens, and the consumer's language. Only who
    `signed_in` may write."""

    connection: int
    connections: Sequence[int]
    language: Language
    signed_in: bool


def ask_code(*, given: str, address: str, at: datetime, business_at: datetime) -> UUID:
    """Have a code sent to the telephone of a consumer number or mobile; the sign-in that it will answer.

    :raises NotANumber: it is not ten digits.
    :raises TooManyCodes: so many were asked for this number, or from this address.
    """
    number = sign_in.number_of(given)
    with transaction():
        asked = sign_in.whom(number)
        id_, send = sign_in.add_sign_in(number=number, address=address, asked=asked, at=at)
        if send and asked is not None:
            language: Language = "en" if asked.language == "en" else "hi"
            wanted = template("sign_in", language)
            queue_code(
                connection=asked.connections[0],
                phone=asked.phone,
                template=wanted.id,
                text=wanted.text,
                language=language,
                sign_in=str(id_),
                business_on=day_in_india(business_at),
                at=at,
            )
    return id_


def enter_code(*, given: str, code: str, at: datetime, business_at: datetime) -> str:
    """Open a session by the code of a sign-in; the session's token.

    :raises CodeWrong: it opens nothing; the try is counted.
    """
    try:
        id_ = UUID(given)
    except ValueError:
        raise sign_in.wrong() from None
    token = None
    with transaction():
        connections = sign_in.try_code(sign_in=id_, code="".join(code.split()), at=at)
        if connections is not None:
            token = sign_in.open_session(connections=connections, at=at)
            acts = [Act("consumer.signed_in", f"consumer {each}", each) for each in connections]
            record_many(acts, actor="consumer", at=at, business_at=business_at)
    if token is None:
        raise sign_in.wrong()
    return token


def visit(*, token: str, connection: int | None, at: datetime) -> Visit:
    """Whom a session lets look at a connection, or at its first if none is named.

    :raises SignedOut: the session is over.
    :raises NotYours: the connection is not one of its own.
    """
    connections = sign_in.use_session(token=token, at=at)
    wanted = connections[0] if connection is None else connection
    if wanted not in connections:
        raise NotYours()
    return Visit(wanted, connections, _language(wanted), signed_in=True)


def visit_by_link(token: str, *, at: datetime) -> Visit:
    """Whom a signed link lets look at its one connection.

    :raises ViewLinkWrong: not signed by us, or its time is over.
    """
    try:
        connection, ends = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as wrong:
        raise ViewLinkWrong() from wrong
    if ends < at.timestamp():
        raise ViewLinkWrong()
    return Visit(int(connection), [int(connection)], _language(int(connection)), signed_in=False)


def make_view_link(*, connection: int, at: datetime, business_at: datetime) -> str:
    """The token of a link that shows one connection's account and changes nothing, as long as a pay link is good.

    :raises ConnectionUnknown: no such connection.
    """
    if not generations(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    ends = at + timedelta(hours=policy_at(business_at=business_at).link_hours)
    return signing.dumps([connection, int(ends.timestamp())], salt=_SALT, compress=False)


def leave(*, token: str, at: datetime) -> None:
    """End a session."""
    sign_in.end_session(token=token, at=at)


def _language(connection: int) -> Language:
    contact = contacts(connections=[connection]).get(connection)
    return "hi" if contact is None else contact.language

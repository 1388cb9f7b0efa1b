"""The message that carries a code to sign in by, queued without it."""

from datetime import date, datetime

from bahal.foundation.rows import run
from bahal.foundation.transactions import transaction_required


@transaction_required
def queue_code(
    *,
    connection: int,
    phone: str,
    template: str,
    text: str,
    language: str,
    sign_in: str,
    business_on: date,
    at: datetime,
) -> None:
    """Queue the message of a code. The code is in none of this: it is made of the sign-in's id when it is sent."""
    run(
        "INSERT INTO notices_message (connection, kind, channel, phone, template, text, language, variables,"
        " business_on, queued_at, tries, delivery)"
        " VALUES (%s, 'sign_in', 'sms', %s, %s, %s, %s, %s, %s, %s, 0, 'queued')",
        connection,
        phone,
        template,
        text,
        language,
        [sign_in],
        business_on,
        at,
    )

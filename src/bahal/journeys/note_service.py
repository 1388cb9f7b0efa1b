"""A written notice was served: the day and how that is known. From then its clear days count."""

from datetime import date, datetime

from bahal.domains.notices import issuing as notices
from bahal.domains.notices.operations import hold_chain
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def note_service(*, notice: int, served_on: date, service: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Note the service of a notice that was not served yet; its connection.

    :raises NoticeUnknown: no such notice, or it was served already.
    :raises NoticeMalformed: served before it was issued or on a day to come, or nothing says how that is known.
    """
    with transaction():
        hold_chain()
        served = notices.note_service(
            notice=notice, served_on=served_on, service=service, actor=actor, at=at, business_at=business_at
        )
        record(
            actor=actor,
            act="notice.served",
            subject=f"notice {notice}",
            connection=served.connection,
            data={
                "paise": served.paise,
                "issued_on": served.issued_on,
                "served_on": served_on,
                "service": service,
            },
            at=at,
            business_at=business_at,
        )
    return served.connection

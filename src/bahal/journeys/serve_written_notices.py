"""Written notices under s.56(1) are served, each naming its bills, with how the service is known."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.notices import operations as notices
from bahal.domains.notices.operations import NewNotice
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction


def serve_written_notices(served: Sequence[NewNotice], *, actor: str, at: datetime, business_at: datetime) -> list[int]:
    """Write served notices; their ids, in the same order. Whether their clear days have passed is judged at the cut.

    :raises NoticeMalformed: no bills, no amount, or served before it was issued.
    """
    with transaction():
        ids = notices.serve_written_notices(served)
        acts = [
            Act(
                "notice.served",
                f"notice {id_}",
                each.connection,
                {
                    "paise": each.paise,
                    "issued_on": each.issued_on,
                    "served_on": each.served_on,
                    "service": each.service,
                },
            )
            for id_, each in zip(ids, served, strict=True)
        ]
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return ids

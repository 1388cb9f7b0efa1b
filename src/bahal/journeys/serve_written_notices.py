"""Written notices under s.56(1) whose service is known are entered, each naming its bills, with how that is known."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.arrears.queries import policy_at
from bahal.domains.notices.issuing import NewNotice, issue_notices
from bahal.domains.notices.wordings import book_on
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.journeys.whom_to_tell import addressees, notice_way
from bahal.shared.clock import day_in_india


def serve_written_notices(served: Sequence[NewNotice], *, actor: str, at: datetime, business_at: datetime) -> list[int]:
    """Write served notices; their ids, in the same order. Whether their clear days have passed is judged at the cut.

    :raises NoticeMalformed: no bills, no amount, served before it was issued, or to nobody known.
    :raises NoPolicy: no recovery policy is in force.
    """
    with transaction():
        policy = policy_at(business_at=business_at)
        ids = issue_notices(
            served,
            to=addressees(served),
            way=notice_way(policy),
            book=book_on(day_in_india(business_at)),
            clear_days=policy.notice_clear_days,
            actor=actor,
            at=at,
            business_at=business_at,
        )
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

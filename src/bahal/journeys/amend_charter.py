"""Officers change whose signature counts, and which caps hold: each signs one act, and the interlock judges it.

The business only carries acts. What they change stands in the interlock's own record; a row here changes nothing.
"""

from datetime import datetime

from bahal.domains.staff.errors import AmendmentMalformed, AmendmentOver
from bahal.domains.staff.operations import ask_act, sign_act
from bahal.domains.staff.queries import act_of
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.charter import Act


def ask_to_amend(*, document: str, officer: str, signature: str | None, at: datetime, business_at: datetime) -> str:
    """Ask for an act, with the first signature or none yet; its number (SHA-256).

    :raises AmendmentMalformed: not an act in canonical form.
    """
    try:
        act = Act.parse(document)
    except ValueError as wrong:
        raise AmendmentMalformed(why=str(wrong)) from wrong
    with transaction():
        number = ask_act(act, document)
        if signature is not None:
            sign_act(number, officer=officer, signature=signature)
        record(
            actor=officer, act="staff.charter.asked", subject=f"act {act.sha256[:12]}", data=_named(act), at=at,
            business_at=business_at,
        )  # fmt: skip
        ring("bahal_orders")
    return act.sha256


def sign_amendment(*, sha256: str, officer: str, signature: str, at: datetime, business_at: datetime) -> None:
    """Add an officer's signature to an act; the interlock judges it next.

    :raises AmendmentUnknown: no such act.
    :raises AmendmentOver: it was judged.
    """
    with transaction():
        asked = act_of(sha256=sha256)
        if asked.outcome:
            raise AmendmentOver(number=sha256[:12], outcome=asked.outcome)
        sign_act(asked.id, officer=officer, signature=signature)
        record(
            actor=officer, act="staff.charter.signed", subject=f"act {sha256[:12]}",
            data=_named(Act.parse(asked.document)), at=at, business_at=business_at,
        )  # fmt: skip
        ring("bahal_orders")


def _named(act: Act) -> dict[str, str]:
    return {"number": act.sha256, "kind": act.act, "who": act.of.get("login") or act.of.get("link") or "-"}

"""A hold over an area: weather, an examination, a stay by a court or by the grievance forum; in force at once."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.errors import AreaWrong
from bahal.domains.arrears.queries import AreaHold, area_holds
from bahal.domains.network.queries import has_place
from bahal.domains.offices.queries import get_office
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def hold_area(
    *,
    office: int | None,
    feeder: int | None,
    kind: str,
    evidence: str,
    actor: str,
    expires_at: datetime | None,
    at: datetime,
    business_at: datetime,
) -> int:
    """Hold every cut of an office and all under it, or along a feeder; the hold's id.

    Once this returns, no cut there is marked sent, whoever signed it: it waits for the batch that is being derived and
    lets no other begin before it is committed. A line of a drive that meets the hold is refused at its sending.

    :raises OfficeUnknown: no such office.
    :raises AreaWrong: not one area, no such feeder or kind, no evidence, or an expiry that has passed.
    """
    with transaction():
        if office is not None:
            get_office(office=office)
        if feeder is not None and not has_place(scope="feeder", place=feeder):
            raise AreaWrong(field="feeder", given=str(feeder))
        arrears.change_for_all()
        hold = arrears.place_area_hold(
            office=office, feeder=feeder, kind=kind, evidence=evidence, owner=actor, business_at=business_at,
            expires_at=expires_at,
        )  # fmt: skip
        area = f"office {office}" if feeder is None else f"feeder {feeder}"
        data = {"hold": hold, "kind": kind, "area": area, "evidence": evidence, "expires_at": expires_at}
        record(actor=actor, act="area.held", subject=f"area {hold}", data=data, at=at, business_at=business_at)
    return hold


def free_area(*, hold: int, actor: str, at: datetime, business_at: datetime) -> None:
    """Lift a hold over an area. Nothing is cut by this: orders that met it are over.

    :raises AreaHoldUnknown: no such open hold.
    """
    with transaction():
        arrears.lift_area_hold(hold=hold, lifted_by=actor, business_at=business_at)
        record(
            actor=actor, act="area.freed", subject=f"area {hold}", data={"hold": hold}, at=at, business_at=business_at
        )


def areas_held() -> Sequence[AreaHold]:
    """The holds over areas that were not lifted."""
    return area_holds()

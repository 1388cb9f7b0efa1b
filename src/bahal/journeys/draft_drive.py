"""A drive is drafted: who would be cut, why the others would not, and the document for its maker to sign.

Nothing is stored. The maker signs the document where his private key is, outside of this process; `propose_drive` takes
the signed document and derives the list again.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.offices.queries import get_circle
from bahal.domains.staff.queries import signing_officer
from bahal.domains.supply.errors import NobodyToCut, WarrantMalformed
from bahal.domains.supply.eta import Eta
from bahal.journeys.drive_eta import drive_eta
from bahal.journeys.eligibility import EVERYBODY, Funnel, Selection, who_may_be_cut
from bahal.shared.warrant import LONGEST, Document

GROUND = "nonpayment_s56"


@dataclass(frozen=True, slots=True)
class Draft:
    """What the maker looks at and signs. `left_out` gives every reason for each connection over the minimum."""

    document: str
    orders: int
    sum_paise: int
    list_sha256: str
    policy: str
    policy_verified: bool
    funnel: Funnel
    eta: Eta
    left_out: Mapping[int, Sequence[str]]


def draft_drive(
    *,
    office: int,
    maker: str,
    not_before: datetime,
    expires_at: datetime,
    business_at: datetime,
    cap: int | None = None,
    selection: Selection = EVERYBODY,
) -> Draft:
    """Derive the list of a circle now and put it into a document. `cap`: the most cuts, all of the list unless given.

    :raises OfficeUnknown: no such office.
    :raises NotACircle: the office is no circle.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not sign drives.
    :raises NoPolicy: no recovery policy is in force.
    :raises NobodyToCut: nobody may be cut.
    :raises WarrantMalformed: the time is empty, over or longer than four hours, or the cap is below the list.
    """
    circle = get_circle(office=office)
    signing_officer(login=maker)
    check_time(not_before=not_before, expires_at=expires_at, business_at=business_at)
    eligible = who_may_be_cut(
        circle=circle.id, business_at=business_at, cut_at=max(business_at, not_before), selection=selection
    )
    if not eligible.lines:
        raise NobodyToCut(circle=circle.name)
    if cap is not None and cap < len(eligible.lines):
        raise WarrantMalformed(why=f"cap {cap} < {len(eligible.lines)}")
    document = Document(
        warrant=str(uuid.uuid4()),
        circle=circle.id,
        ground=GROUND,
        orders=len(eligible.lines),
        sum_paise=eligible.sum_paise,
        list_sha256=eligible.list_sha256,
        cap=len(eligible.lines) if cap is None else cap,
        policy=eligible.policy.version,
        nonce=secrets.token_hex(16),
        not_before=not_before,
        expires_at=expires_at,
        maker=maker,
    )
    return Draft(
        document=document.canonical(),
        orders=document.orders,
        sum_paise=document.sum_paise,
        list_sha256=document.list_sha256,
        policy=document.policy,
        policy_verified=eligible.policy.verified,
        funnel=eligible.funnel,
        eta=drive_eta(meters=[line.meter for line in eligible.lines]),
        left_out=eligible.left_out,
    )


def check_time(*, not_before: datetime, expires_at: datetime, business_at: datetime) -> None:
    """Refuse a warrant's time that is empty, over, or longer than the law of the house.

    :raises WarrantMalformed: it is.
    """
    if not not_before < expires_at <= not_before + LONGEST:
        raise WarrantMalformed(why=f"{not_before.isoformat()} – {expires_at.isoformat()}")
    if expires_at <= business_at:
        raise WarrantMalformed(why=f"{expires_at.isoformat()} < {business_at.isoformat()}")

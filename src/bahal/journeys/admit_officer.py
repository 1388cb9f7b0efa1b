"""Every page of the office asks here first: who it is, whether his role may, and whether the thing is of his circle.

An officer sees his circle: whoever sits in a division or a distribution centre of it may take its consumers' money and
answer them. What lies in another circle and what does not exist get the same answer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bahal.domains.offices.queries import circles_of
from bahal.domains.staff.errors import NotInYourCircle, RoleNotAdmitted
from bahal.domains.staff.queries import Officer, find_officer
from bahal.foundation.rows import value

LIES_IN: Mapping[str, str] = {
    "connection": "SELECT centre FROM network_connection WHERE id = %s",
    "order": "SELECT c.centre FROM supply_order o JOIN network_connection c ON c.id = o.connection WHERE o.id = %s",
    "receipt": "SELECT c.centre FROM payments_payment p JOIN network_connection c ON c.id = p.connection"
    " WHERE p.receipt = %s",
    "bill": "SELECT c.centre FROM billing_bill b JOIN network_connection c ON c.id = b.connection WHERE b.number = %s",
    "drive": "SELECT office FROM supply_drive WHERE id = %s",
    "run": "SELECT office FROM supply_dryrun WHERE id = %s",
    "circle": "SELECT id FROM offices_office WHERE kind = 'circle' AND id = %s",
}
"""By what a page is about, the office in which it lies."""


@dataclass(frozen=True, slots=True)
class Present:
    """An officer who was let in, and the circles he sees."""

    officer: Officer
    circles: frozenset[int]


def admit_officer(*, login: str, roles: Collection[str], about: Mapping[str, object]) -> Present:
    """Let an officer in to a page that is `about` a thing of each kind named in it, such as a connection.

    :raises OfficerUnknown: he is no officer any more.
    :raises RoleNotAdmitted: the page is not for his role.
    :raises NotInYourCircle: one of the things is in no circle of his, or there is no such thing.
    :raises KeyError: a kind of thing of which nobody has said where it lies.
    """
    officer = find_officer(login=login)
    if officer.role not in roles:
        raise RoleNotAdmitted(login=login, role=officer.role)
    circles = circles_of(office=officer.office)
    for kind, given in about.items():
        office = value(LIES_IN[kind], given)
        if office is None or not circles_of(office=office) & circles:
            raise NotInYourCircle(number=str(given)[:40])
    return Present(officer, circles)

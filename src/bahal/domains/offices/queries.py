"""Questions about offices."""

from dataclasses import dataclass

from bahal.domains.offices.errors import NotACircle, OfficeUnknown
from bahal.foundation.rows import many, one


@dataclass(frozen=True, slots=True)
class Office:
    """One office."""

    id: int
    kind: str
    name: str
    name_hi: str
    parent: int | None


def get_office(*, office: int) -> Office:
    """One office.

    :raises OfficeUnknown: no such one.
    """
    row = one("SELECT id, kind, name, name_hi, parent_id FROM offices_office WHERE id = %s", office)
    if row is None:
        raise OfficeUnknown(office=office)
    return Office(*row)


def get_circle(*, office: int) -> Office:
    """A circle, which alone may hold a drive.

    :raises OfficeUnknown: no such office.
    :raises NotACircle: it is another kind of office.
    """
    found = get_office(office=office)
    if found.kind != "circle":
        raise NotACircle(name=found.name, kind=found.kind)
    return found


def centres() -> list[int]:
    """Every distribution centre."""
    return [row[0] for row in many("SELECT id FROM offices_office WHERE kind = 'centre' ORDER BY id")]


def offices_under(*, office: int) -> set[int]:
    """An office and all below it.

    :raises OfficeUnknown: no such one.
    """
    get_office(office=office)
    rows = many(
        "WITH RECURSIVE under AS (SELECT %s::integer AS id UNION ALL"
        " SELECT o.id FROM offices_office o JOIN under u ON o.parent_id = u.id) SELECT id FROM under",
        office,
    )
    return {row[0] for row in rows}


def circles_of(*, office: int) -> frozenset[int]:
    """The circle that an office is or lies in; of a region, its circles. Empty where there is no such office."""
    rows = many(
        "WITH RECURSIVE up AS (SELECT id, kind, parent_id FROM offices_office WHERE id = %s UNION ALL"
        " SELECT o.id, o.kind, o.parent_id FROM offices_office o JOIN up u ON o.id = u.parent_id)"
        " SELECT id FROM up WHERE kind = 'circle' UNION"
        " SELECT id FROM offices_office WHERE kind = 'circle' AND parent_id = %s",
        office,
        office,
    )
    return frozenset(row[0] for row in rows)

"""Questions about alerts, warnings and the rules that made them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.protection.errors import FactUnread, RulesUnknown
from bahal.domains.protection.kinds import Kinds, read_kinds, shipped_kinds
from bahal.foundation.rows import many, one, value


class Alert(NamedTuple):
    """An alert as its officer sees it."""

    id: int
    meter: str
    connection: int
    kind: str
    role: str
    accuses: bool
    verified: bool
    doubtful: bool
    occurred_at: datetime
    latest_at: datetime
    told: int
    raised_at: datetime
    ended_at: datetime | None
    closed_at: datetime | None
    closed_by: str
    outcome: str
    seen_again: str
    seen_again_at: datetime | None


class Warned(NamedTuple):
    """A consumption warning as its officer sees it."""

    id: int
    meter: str
    connection: int
    week_end: date
    rank: int
    missing_permille: int
    sigmas_hundredths: int
    at_stake_wh: int
    usual_wh: int
    rules: str
    raised_at: datetime
    closed_at: datetime | None
    closed_by: str
    outcome: str
    note: str


class Rules(NamedTuple):
    """A version of a rulebook."""

    id: int
    name: str
    version: str
    effective_from: date
    sha256: str
    proposed_by: str
    accepted_by: str | None


class Unread(NamedTuple):
    """An alert that accuses, and that no authenticated read was asked for yet."""

    alert: int
    meter: str
    kind: str


_ALERT = ", ".join(Alert._fields)
_WARNED = ", ".join(Warned._fields)
_RULES = ", ".join(Rules._fields)


def alerts(
    *, role: str = "", still_open: bool = True, connections: Sequence[int] | None = None, limit: int = 200
) -> list[Alert]:
    """Alerts, the latest first: of a role, of connections, only those that are open unless told otherwise."""
    rows = many(
        f"SELECT {_ALERT} FROM protection_alert WHERE (%s = '' OR role = %s) AND (NOT %s OR closed_at IS NULL)"  # noqa: S608
        " AND (%s::bigint[] IS NULL OR connection = ANY(%s::bigint[])) ORDER BY id DESC LIMIT %s",
        role,
        role,
        still_open,
        None if connections is None else list(connections),
        None if connections is None else list(connections),
        limit,
    )
    return [Alert(*row) for row in rows]


def open_kinds(*, meters: Iterable[str], kind: str) -> set[str]:
    """Those of the meters on which an alert of this kind is open."""
    return {
        row[0]
        for row in many(
            "SELECT meter FROM protection_alert WHERE meter = ANY(%s::text[]) AND kind = %s AND closed_at IS NULL",
            list(meters),
            kind,
        )
    }


def unread(*, limit: int) -> list[Unread]:
    """Alerts that accuse and wait to be read again, oldest first."""
    rows = many(
        "SELECT id, meter, kind FROM protection_alert WHERE accuses AND seen_again_at IS NULL AND look IS NULL"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        limit,
    )
    return [Unread(*row) for row in rows]


def facts_against(*, alerts: Sequence[int]) -> list[Alert]:
    """Alerts as facts that may be held against somebody: each was read again, authenticated, and the meter said so.

    :raises FactUnread: one was not, or the meter did not say so again; the sentence names the facts.
    """
    rows = [
        Alert(*row)
        for row in many(f"SELECT {_ALERT} FROM protection_alert WHERE id = ANY(%s::bigint[]) ORDER BY id", list(alerts))  # noqa: S608
    ]
    bare = [each for each in rows if each.seen_again != "confirmed"]
    missing = set(alerts) - {each.id for each in rows}
    if bare or missing:
        kinds = [f"{each.kind} #{each.id}" for each in bare] + [f"#{each}" for each in sorted(missing)]
        raise FactUnread(meter=", ".join(sorted({each.meter for each in bare})) or "?", kinds=", ".join(kinds))
    return rows


def warnings(*, still_open: bool = True, limit: int = 200) -> list[Warned]:
    """Consumption warnings: the latest week first, in it by what is at stake."""
    rows = many(
        f"SELECT {_WARNED} FROM protection_warning WHERE NOT %s OR closed_at IS NULL"  # noqa: S608
        " ORDER BY week_end DESC, rank LIMIT %s",
        still_open,
        limit,
    )
    return [Warned(*row) for row in rows]


def outcomes(*, since: date) -> dict[str, int]:
    """How warnings of weeks since then were closed, and how many are open: what the rules are worth in the field."""
    return {
        row[0] or "open": row[1]
        for row in many(
            "SELECT outcome, count(*) FROM protection_warning WHERE week_end >= %s GROUP BY outcome ORDER BY outcome",
            since,
        )
    }


def find_rules(*, rules: int) -> Rules:
    """A version of a rulebook.

    :raises RulesUnknown: there is none.
    """
    row = one(f"SELECT {_RULES} FROM protection_rules WHERE id = %s", rules)  # noqa: S608
    if row is None:
        raise RulesUnknown(id=rules)
    return Rules(*row)


def document_in_force(*, name: str, on: date) -> str | None:
    """The accepted document of a rulebook whose day has come, the latest; None where the product's own holds."""
    text = value(
        "SELECT document FROM protection_rules WHERE name = %s AND accepted_by IS NOT NULL AND effective_from <= %s"
        " ORDER BY effective_from DESC, accepted_at DESC, id DESC LIMIT 1",
        name,
        on,
    )
    return None if text is None else str(text)


def kinds_in_force(*, on: date) -> Kinds:
    """The table of what follows from what a meter says."""
    return read_kinds(document_in_force(name="kinds", on=on) or shipped_kinds())


def document_of(*, rules: int) -> str:
    """The text of a version.

    :raises RulesUnknown: there is none.
    """
    text = value("SELECT document FROM protection_rules WHERE id = %s", rules)
    if text is None:
        raise RulesUnknown(id=rules)
    return str(text)

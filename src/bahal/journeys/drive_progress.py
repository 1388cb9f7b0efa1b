"""How far a drive is, by division: what the control room shows while it runs."""

from typing import Any

from bahal.domains.supply.queries import drive_of, latest_drive
from bahal.foundation.rows import many
from bahal.shared.text import LANGUAGES
from bahal.shared.words import word

_WAITING = ("proposed", "authorised", "claimed", "quarantined")


def latest_progress() -> dict[str, Any] | None:
    """The progress of the latest drive, or None where there was never a drive."""
    drive = latest_drive()
    return None if drive is None else drive_progress(drive=drive)


def drive_progress(*, drive: int) -> dict[str, Any]:
    """A drive's state, its word in both languages, and counts.

    Counts, in all and for each division: orders, waiting (quarantined too), sent (ever), unknown, confirmed, cancelled,
    field_tasks, other (refused or expired), restored (lit again), names in both languages.

    :raises DriveUnknown: no such drive.
    """
    found = drive_of(drive=drive)
    rows = many(
        "SELECT division.name, division.name_hi, count(*),"
        " count(*) FILTER (WHERE o.state = ANY(%s::text[])), count(*) FILTER (WHERE o.sent_at IS NOT NULL),"
        " count(*) FILTER (WHERE o.state IN ('sent', 'unknown')), count(*) FILTER (WHERE o.state = 'confirmed'),"
        " count(*) FILTER (WHERE o.state = 'cancelled'), count(*) FILTER (WHERE o.state = 'field_task'),"
        " count(*) FILTER (WHERE o.state IN ('refused', 'expired')),"
        " count(*) FILTER (WHERE o.state = 'confirmed' AND EXISTS (SELECT FROM supply_order r"
        " WHERE r.connection = o.connection AND r.kind = 'restore' AND r.state = 'confirmed' AND r.id > o.id))"
        " FROM supply_order o JOIN network_connection c ON c.id = o.connection"
        " JOIN offices_office centre ON centre.id = c.centre"
        " JOIN offices_office subdivision ON subdivision.id = centre.parent_id"
        " JOIN offices_office division ON division.id = subdivision.parent_id"
        " WHERE o.drive = %s GROUP BY division.id ORDER BY division.id",
        list(_WAITING),
        drive,
    )
    counts = (
        "orders", "waiting", "sent", "unknown", "confirmed", "cancelled", "field_tasks", "other", "restored",
    )  # fmt: skip
    divisions = [{"name": row[0], "name_hi": row[1], **dict(zip(counts, row[2:], strict=True))} for row in rows]
    return {
        "drive": found.id,
        "name": found.name,
        "state": found.state,
        "state_words": {language: word("drive states", found.state, language) for language in LANGUAGES},
        "maker": found.maker,
        "checker": found.checker,
        "list_sha256": found.list_sha256,
        "not_before": found.not_before,
        "expires_at": found.expires_at,
        "started_at": found.started_at,
        "total": {name: sum(division[name] for division in divisions) for name in counts},
        "divisions": divisions,
    }

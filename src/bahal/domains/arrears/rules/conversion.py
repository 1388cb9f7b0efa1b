"""A connection that became prepaid is not cut before its opening balance is reconciled, nor in its days of grace."""

from datetime import date, timedelta


def against(*, converted_on: date | None, reconciled: bool, day: date, grace_days: int) -> tuple[str, ...]:
    """The reasons that a conversion gives against a cut on a day."""
    if converted_on is None:
        return ()
    unreconciled = () if reconciled else ("conversion_unreconciled",)
    in_grace = ("conversion_grace",) if day < converted_on + timedelta(days=grace_days) else ()
    return unreconciled + in_grace

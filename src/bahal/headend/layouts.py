"""What the profiles of a make's firmware hold, learnt from the first of its meters and kept for all of them.

A layout is a profile's capture objects (class 7 attribute 3), its scalers (the scaler profile beside it) and its
capture period. It stands in PostgreSQL by (make, firmware, profile) and in this process with its compiled decoder, so
that a meter is asked for it once in the life of its firmware. A buffer that does not fit makes the process forget it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from bahal.dlms import axdr, india
from bahal.dlms.captures import Capture, captures_of
from bahal.dlms.columns import ProfileDecoder, compile_profile, types_of
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.model import Column, CosemObject
from bahal.dlms.objects.profile import read_capture_objects
from bahal.dlms.objects.reading import read_scalers
from bahal.dlms.quirks import quirks_of
from bahal.headend.database import Database
from bahal.shared.wanted import EVENT_LOGS, Wanted

PROFILE_OF: Final[Mapping[Wanted, str]] = {
    Wanted.NOW: "instant_profile",
    Wanted.LOAD: "block_profile",
    Wanted.DAILY: "daily_profile",
    Wanted.BILLING: "billing_profile",
    Wanted.NAMEPLATE: "nameplate_profile",
    **{log: (log.name or "").lower() for log in EVENT_LOGS},
}
"""The profile of each kind, by its name in the object model."""

DEFAULT_PERIOD_S: Final = 1_800
_PERIODS: Final = (900, 1_800, 3_600)
_KNOWN: Final = (
    "SELECT profile, captures, scalers::text, period_s FROM headend_layout WHERE make = %s AND firmware = %s"
)
_KEEP: Final = (
    "INSERT INTO headend_layout (make, firmware, profile, captures, scalers, period_s, learned_from)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (make, firmware, profile) DO UPDATE SET"
    " captures = excluded.captures, scalers = excluded.scalers, period_s = excluded.period_s,"
    " learned_from = excluded.learned_from, learned_at = clock_timestamp()"
)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """One profile of one firmware, ready to decode.

    `places` has the column of each name of the object model (`energy_import`, or `demand_active.5`); `powers` the power
    of ten of registers, by that name.
    """

    make: str
    firmware: str
    profile: str
    captures: tuple[Capture, ...]
    places: Mapping[str, int]
    powers: Mapping[str, int]
    period_s: int
    decoder: ProfileDecoder = field(repr=False)


def profile_object(kind: Wanted) -> CosemObject:
    """The profile of a kind in the object model."""
    return india.single_phase()[PROFILE_OF[kind]]


def layout_of(
    *, make: str, firmware: str, profile: str, captures: bytes, scalers: Mapping[str, Sequence[Any]], period_s: int
) -> Layout:
    """A layout from what a meter said: raw A-XDR of attribute 3, and {name: (power, unit)}.

    :raises DlmsError: not capture objects, or more than a profile has.
    """
    value = axdr.decode(captures)
    listed = captures_of(value)
    columns = read_capture_objects(value, india.single_phase())
    known = [column for column in columns if isinstance(column, Column)]
    types = [types_of([column])[0] if isinstance(column, Column) else "any" for column in columns]
    return Layout(
        make=make,
        firmware=firmware,
        profile=profile,
        captures=listed,
        places={column.name: n for n, column in enumerate(columns) if isinstance(column, Column)},
        powers={
            column.name: int(scalers[column.source.name][0])
            if column.source.name in scalers
            else (column.source.scaler or (0, 0))[0]
            for column in known
            if column.attribute == 2
        },
        period_s=period_s if period_s in _PERIODS else DEFAULT_PERIOD_S,
        decoder=compile_profile(
            listed, types, zone=india.IST, period_s=period_s, lenient=quirks_of(make).lenient_duplicate
        ),
    )


class Layouts:
    """The layouts of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[str, str], dict[str, Layout]] = {}
        self._forgotten: dict[tuple[str, str, str], Layout] = {}
        self._log = structlog.get_logger().bind(part="layouts")

    def get(self, make: str, firmware: str, kind: Wanted) -> Layout | None:
        """The layout if it is known in this process."""
        return self._kept.get((make, firmware), {}).get(PROFILE_OF[kind])

    def met(self, make: str) -> bool:
        """Whether the layouts of some firmware of this make are known in this process."""
        return any(known for (of_make, _), known in self._kept.items() if of_make == make)

    async def fetch(self, firmwares: Iterable[tuple[str, str]]) -> None:
        """Fetch what PostgreSQL has of firmwares seen for the first time here.

        :raises psycopg.Error: the database failed.
        """
        for make, firmware in set(firmwares) - self._kept.keys():
            rows = await self._database.rows(_KNOWN, (make, firmware))
            known = self._kept.setdefault((make, firmware), {})
            for profile, captures, scalers, period_s in rows:
                try:
                    known[profile] = layout_of(
                        make=make,
                        firmware=firmware,
                        profile=profile,
                        captures=bytes(captures),
                        scalers=json.loads(scalers),
                        period_s=period_s,
                    )
                except DlmsError as error:
                    self._log.warning("layout_unusable", make=make, firmware=firmware, profile=profile, why=str(error))

    def learn(
        self,
        *,
        make: str,
        firmware: str,
        kind: Wanted,
        captures: bytes,
        scaler_captures: bytes,
        scaler_buffer: bytes,
        period_s: int,
    ) -> tuple[Layout, dict[str, tuple[int, str]]]:
        """A layout as a meter has just told it, kept in this process; the caller has it written down with `keep`.

        The scalers' two values may be empty: the object model's are taken.

        :raises DlmsError: what it told is no such thing.
        """
        scalers: dict[str, tuple[int, str]] = {}
        if scaler_captures and scaler_buffer:
            scalers = read_scalers(axdr.decode(scaler_buffer), axdr.decode(scaler_captures), india.single_phase())
        layout = layout_of(
            make=make,
            firmware=firmware,
            profile=PROFILE_OF[kind],
            captures=captures,
            scalers=scalers,
            period_s=period_s,
        )
        self._kept.setdefault((make, firmware), {})[layout.profile] = layout
        return layout, scalers

    async def keep(self, learned: Learned) -> None:
        """Write a layout down for every other process and the next start.

        :raises psycopg.Error: the database failed.
        """
        layout = learned.layout
        await self._database.rows(
            _KEEP,
            (
                layout.make,
                layout.firmware,
                layout.profile,
                learned.captures,
                json.dumps(learned.scalers),
                layout.period_s,
                learned.meter,
            ),
        )

    def forget(self, layout: Layout) -> None:
        """A buffer did not fit: ask the next meter anew."""
        known = self._kept.get((layout.make, layout.firmware), {})
        if known.get(layout.profile) is layout:
            del known[layout.profile]
            self._forgotten[layout.make, layout.firmware, layout.profile] = layout

    def before(self, layout: Layout) -> Layout | None:
        """The layout that was forgotten before this one was learnt, if this process did both."""
        return self._forgotten.get((layout.make, layout.firmware, layout.profile))


@dataclass(frozen=True, slots=True)
class Learned:
    """A layout that was just learnt, and from whom."""

    layout: Layout
    captures: bytes
    scalers: Mapping[str, tuple[int, str]]
    meter: str

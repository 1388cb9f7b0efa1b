"""Meters come in from a manufacturer's file, their keys sealed on the way: relay keys to the interlock, reading keys to
the head-end. Nothing of this process can open them again, and neither room gets the other's.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bahal.domains.meters.errors import (
    ConnectionTaken,
    KeyRepeated,
    MeterKnown,
    MeterWithoutConnection,
    SystemTitleKnown,
)
from bahal.domains.meters.operations import NewMeter, add_meters
from bahal.domains.meters.queries import connections_of, meters_on
from bahal.domains.network.queries import existing, input_meters_among
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import copy, many, run, value
from bahal.foundation.transactions import transaction
from bahal.journeys.meter_rows import BadRow, MeterRow, read_rows
from bahal.shared.clock import day_in_india
from bahal.shared.errors import Refusal
from bahal.shared.locks import ConnectionUnknown
from bahal.shared.sealing import Sealer, fingerprint

BATCH = 5000

_IMPORTS = 0x0BA4A2
_INTERLOCK_KEYS = ("us_ek", "us_ak", "us_hls")
_WAY = ("link", "gateway", "wport")
_HEADEND_KEYS = ("mr_lls", "mr_ek", "push_ek")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many meters were loaded, and each refused row in order of its line."""

    import_id: uuid.UUID
    loaded: int
    refused: Sequence[BadRow]

    def as_json(self) -> dict[str, Any]:
        """Plain values: each refusal has line, error, data, hi and en."""
        refused = [each.as_json() for each in self.refused]
        return {"import": str(self.import_id), "loaded": self.loaded, "refused": refused}


def import_meters(
    *,
    rows: Iterable[str],
    interlock_public: bytes,
    headend_public: bytes,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> Imported:
    """Import the meters of a CSV file, given as its lines; what was loaded and, by line, what was refused and why.

    A meter without the column `connection` must have been put on its connection before, or on a transformer or feeder
    whose input it measures (`set_input_meter`): nobody is behind that one's relay, so the head-end alone gets keys, and
    nothing can ever be sent to it. One bad row does not stop the
    rest; a repeated file loads nothing twice. Where a make shares a key of its setting client with another client, the
    interlock alone gets it: the head-end then cannot use that client.

    :raises MeterFileMalformed: the first line lacks columns; nothing was loaded.
    """
    interlock, headend = Sealer(interlock_public), Sealer(headend_public)
    import_id = uuid.uuid4()
    refused: list[BadRow] = []
    loaded = 0
    with transaction():
        value("SELECT pg_advisory_xact_lock(%s)", _IMPORTS)  # two imports at once would not see one another's meters
        for room, sealer in (("interlock", interlock), ("headend", headend)):
            run(f"INSERT INTO {room}_import (id, ephemeral_public) VALUES (%s, %s)", import_id, sealer.ephemeral_public)  # noqa: S608
        seen: set[object] = set()
        for batch in _batches(read_rows(rows)):
            good = [each for each in batch if isinstance(each, MeterRow)]
            refused += [each for each in batch if isinstance(each, BadRow)]
            placed, bad = _placed(good, seen)
            refused += bad
            _store(placed, interlock, headend, import_id, business_at)
            loaded += len(placed)
        data = {
            "loaded": loaded,
            "refused": len(refused),
            "interlock_key": fingerprint(interlock_public),
            "headend_key": fingerprint(headend_public),
        }
        subject = f"import {import_id}"
        record(actor=actor, act="meter.imported", subject=subject, data=data, at=at, business_at=business_at)
    return Imported(import_id, loaded, sorted(refused, key=lambda each: each.line))


def _batches(rows: Iterator[MeterRow | BadRow]) -> Iterator[list[MeterRow | BadRow]]:
    batch: list[MeterRow | BadRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


_Placed = tuple[MeterRow, int | None, bool]


def _placed(good: Sequence[MeterRow], seen: set[object]) -> tuple[list[_Placed], list[BadRow]]:
    """Good rows with their connection (None: an input meter's) and whether the meter is new on it; and the others."""
    serials = [each.meter for each in good]
    known = {row[0] for row in many("SELECT meter FROM headend_meter WHERE meter = ANY(%s::text[])", serials)}
    titles = {
        bytes(row[0])
        for row in many(
            "SELECT system_title FROM headend_meter WHERE system_title = ANY(%s::bytea[])",
            [each.system_title for each in good],
        )
    }
    hanging = connections_of(meters=serials)
    wanted = [each.connection for each in good if each.connection is not None]
    there, real = meters_on(connections=wanted), existing(connections=wanted)
    measuring = input_meters_among(meters=serials)
    placed: list[_Placed] = []
    bad: list[BadRow] = []
    for row in good:
        connection = row.connection if row.connection is not None else hanging.get(row.meter)
        refusal: Refusal | None = None
        if row.meter in known or row.meter in seen:
            refusal = MeterKnown(meter=row.meter)
        elif row.system_title in titles or row.system_title in seen:
            refusal = SystemTitleKnown(system_title=row.system_title.hex())
        elif row.keys["us_ek"] in seen:
            refusal = KeyRepeated(meter=row.meter)
        elif connection is None:
            refusal = None if row.meter in measuring else MeterWithoutConnection(meter=row.meter)
        elif row.connection is not None:
            refusal = _misplaced(row, row.connection, hanging, there, real, seen)
        if refusal is not None:
            bad.append(BadRow(row.line, refusal))
            continue
        seen.update((row.meter, row.system_title, row.keys["us_ek"]))
        if connection is not None:
            seen.add(connection)
        placed.append((row, connection, row.meter not in hanging))
    return placed, bad


def _misplaced(
    row: MeterRow,
    connection: int,
    hanging: Mapping[str, int],
    there: Mapping[int, str],
    real: set[int],
    seen: set[object],
) -> Refusal | None:
    if connection not in real:
        return ConnectionUnknown(connection=connection)
    if hanging.get(row.meter, connection) != connection:
        return ConnectionTaken(meter=row.meter, connection=connection, there=f"connection {hanging[row.meter]}")
    if there.get(connection, row.meter) != row.meter:
        return ConnectionTaken(meter=row.meter, connection=connection, there=f"meter {there[connection]}")
    if connection in seen:
        return ConnectionTaken(meter=row.meter, connection=connection, there="an earlier line")
    return None


def _store(
    placed: Sequence[_Placed],
    interlock: Sealer,
    headend: Sealer,
    import_id: uuid.UUID,
    business_at: datetime,
) -> None:
    installed_on = day_in_india(business_at)
    add_meters(
        NewMeter(row.meter, row.make, row.phase, connection, installed_on)
        for row, connection, new in placed
        if new and connection is not None
    )
    copy(
        "interlock_meter",
        (
            "meter",
            "connection",
            "make",
            "system_title",
            "host",
            "port",
            "cell",
            "phase",
            *_WAY,
            "import",
            "sealed",
        ),
        (
            (
                row.meter,
                connection,
                row.make,
                row.system_title,
                row.host,
                row.port,
                row.cell,
                row.phase,
                row.link,
                row.gateway,
                row.wport,
                import_id,
                sealed,
            )
            for row, connection, _ in placed
            if connection is not None
            for sealed in [_sealed(interlock, row, _INTERLOCK_KEYS)]
        ),
    )
    copy(
        "headend_meter",
        ("meter", "make", "system_title", "host", "port", "cell", *_WAY, "import", "sealed"),
        (
            (
                row.meter,
                row.make,
                row.system_title,
                row.host,
                row.port,
                row.cell,
                row.link,
                row.gateway,
                row.wport,
                import_id,
                sealed,
            )
            for row, _, _ in placed
            for sealed in [_sealed(headend, row, _HEADEND_KEYS, withheld={row.keys[name] for name in _INTERLOCK_KEYS})]
        ),
    )


def _sealed(sealer: Sealer, row: MeterRow, names: tuple[str, ...], withheld: Collection[str] = ()) -> bytes:
    keys = {name: "" if row.keys[name] in withheld else row.keys[name] for name in names}
    return sealer.seal(row.meter, json.dumps(keys).encode())

"""Compiled decoders of profiles, one buffer or many at a time, and where they are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timezone
from typing import Any, Final, NamedTuple

import numpy as np

from bahal.dlms import axdr
from bahal.dlms.captures import Capture
from bahal.dlms.columns.gathered import Column, Gathering, Mask
from bahal.dlms.columns.layout import CLOCK, DATE_TIME, NUMBERS, Fixed, Place, fixed, learn
from bahal.dlms.columns.moments import Integers, MomentReader, Moments
from bahal.dlms.errors import DlmsError, MalformedApdu, ValueOutOfRange

_MOMENT_TYPES: Final = (CLOCK, DATE_TIME)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A profile by column, rows in the meter's order.

    ``values`` has one entry for each capture: a numpy array for numbers, in native byte order and the meter's own width
    (64 bits where some row needs more); ``Moments`` for clocks; a list of values as ``axdr.decode`` gives them for
    octet-strings and the rest.  Registers are as sent: scaler and unit are not applied.  ``missing`` marks, for columns
    of numbers that have such cells, where the meter sent null-data; the array holds 0 there.
    """

    captures: tuple[Capture, ...]
    count: int
    values: tuple[Column, ...]
    missing: dict[int, Mask] = field(default_factory=dict)

    @property
    def times(self) -> Integers | None:
        """UTC seconds of the first column of moments; None where the profile captures no clock."""
        return next((each.seconds for each in self.values if isinstance(each, Moments)), None)

    def of(self, class_id: int, ln: bytes, attribute: int = 2) -> Column:
        """One column.

        :raises KeyError: the profile does not capture it.
        """
        for capture, column in zip(self.captures, self.values, strict=True):
            if capture[:3] == (class_id, ln, attribute):
                return column
        raise KeyError((class_id, ln, attribute))

    def cut(self, start: int, end: int) -> Columns:
        """Rows ``start`` to ``end`` (not included); arrays are views of these."""
        return Columns(
            self.captures,
            end - start,
            tuple(
                Moments(each.seconds[start:end], each.status[start:end])
                if isinstance(each, Moments)
                else each[start:end]
                for each in self.values
            ),
            {n: mask[start:end] for n, mask in self.missing.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Many buffers by column.

    ``columns`` holds the rows of all buffers of the compiled layout, one buffer after the other; buffer ``n`` has the
    rows from ``starts[n]`` on, ``counts[n]`` of them.  A buffer of another layout has its own columns in ``odd``, one
    that is no profile its error in ``refused``; both have ``starts`` -1.
    """

    columns: Columns
    starts: list[int]
    counts: list[int]
    odd: dict[int, Columns]
    refused: dict[int, DlmsError]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, n: int) -> Columns:
        """The columns of buffer ``n``.

        :raises DlmsError: what refused it.
        """
        if n in self.refused:
            raise self.refused[n]
        if n in self.odd:
            return self.odd[n]
        start = self.starts[n]
        return self.columns.cut(start, start + self.counts[n])


class _Group(NamedTuple):
    """Number columns of one code that stand equally far apart: one call takes them all."""

    columns: tuple[int, ...]
    offset: int
    step: int
    wire: np.dtype[Any]
    native: np.dtype[Any]


def _groups(places: Sequence[Place]) -> list[_Group]:
    found: list[tuple[str, list[int]]] = []
    for n, place in enumerate(places):
        if place.type not in NUMBERS:
            continue
        # A truth is any byte but 0 on the wire, and exactly 1 in an array.
        code = NUMBERS[place.type][1]
        last = found[-1] if found else None
        if (
            last is not None
            and last[0] == code
            and (
                len(last[1]) == 1
                or place.offset - places[last[1][-1]].offset == places[last[1][1]].offset - places[last[1][0]].offset
            )
        ):
            last[1].append(n)
        else:
            found.append((code, [n]))
    groups = []
    for code, members in found:
        step = places[members[1]].offset - places[members[0]].offset if len(members) > 1 else 0
        wire = np.dtype("u1" if code == "?" else f">{code}")
        groups.append(_Group(tuple(members), places[members[0]].offset, step, wire, np.dtype(code)))
    return groups


class ProfileDecoder:
    """Decodes buffers of one capture list; see :func:`compile_profile`."""

    __slots__ = ("_fixed", "_gathering", "_groups", "_lenient", "_moments", "_octets", "_reader", "captures", "types")

    def __init__(
        self, captures: Sequence[Capture], types: Sequence[str], *, period_s: int, zone: timezone, lenient: bool
    ) -> None:
        self.captures = tuple(captures)
        self.types = tuple(types)
        if len(self.captures) != len(self.types):
            raise ValueOutOfRange("column types", self.types)
        self._lenient = lenient
        self._reader = MomentReader(zone)
        self._gathering = Gathering(self.captures, self.types, period_s=period_s, zone=zone, reader=self._reader)
        self._fixed: Fixed | None = fixed(self.types)
        places = self._fixed.places if self._fixed else ()
        self._groups = _groups(places)
        self._moments = [(n, place.offset) for n, place in enumerate(places) if place.type in _MOMENT_TYPES]
        self._octets = [(n, place.offset, place.size) for n, place in enumerate(places) if place.type.startswith("oct")]

    # --- one buffer --------------------------------------------------------------------------------------------------

    def decode(self, buffer: bytes | memoryview) -> Columns:
        """The columns of one buffer (class 7 attribute 2, raw A-XDR).

        :raises MomentUnspecified: a clock that names no moment.
        :raises MomentMissing: a clock that is null, and nothing to tell it from.
        :raises ColumnDisagrees: a cell that its column cannot hold.
        :raises MalformedApdu: not an array of structures as wide as the captures, not A-XDR, or no such moment.
        :raises OversizedApdu: a limit of ``axdr`` is passed.
        """
        data = self._one_copy(bytes(buffer))
        at, count = self._head(data)
        if count and self._marks_hold(data, at, count):
            return Columns(self.captures, count, self._taken(data, at, count))
        return Columns(self.captures, *self._gathering.columns(data))

    def fits(self, buffer: bytes) -> bool:
        """Whether a buffer has the compiled layout, and so is decoded at speed."""
        at, count = self._head(buffer)
        return bool(count) and self._marks_hold(buffer, at, count)

    def _one_copy(self, data: bytes) -> bytes:
        if not self._lenient:
            return data
        half = len(data) // 2
        if data[:half] == data[half:] and self._head(data[:half])[1]:
            return data[:half]
        return data[: axdr.first_copy(data)]

    def _head(self, data: bytes) -> tuple[int, int]:
        """Where the rows begin and how many they are, if they have the compiled layout's size; else 0, 0."""
        layout = self._fixed
        if layout is None or len(data) < 2 or data[0] != axdr.ARRAY or len(data) > axdr.SIZE_LIMIT:
            return 0, 0
        count, at = (data[1], 2) if data[1] < 0x80 else axdr.read_length(data, 1)
        if len(data) - at != count * layout.size or count * (len(self.types) + 1) > axdr.ELEMENT_LIMIT:
            return 0, 0
        return at, count

    def _marks_hold(self, data: bytes, at: int, count: int) -> bool:
        """Whether every tag and length byte of every row is the layout's."""
        assert self._fixed is not None
        size = self._fixed.size
        # One of these bytes stands `size` bytes apart in all rows: one strided slice checks it.
        for offset, mark in self._fixed.marks:  # noqa: SIM110 - a generator would cost a twentieth of all
            if data[at + offset :: size] != mark * count:
                return False
        return True

    def _taken(self, data: bytes, at: int, count: int) -> tuple[Column, ...]:
        """The columns of rows whose layout is checked."""
        assert self._fixed is not None
        size = self._fixed.size
        made: list[Any] = [None] * len(self.types)
        for n, offset in self._moments:
            made[n] = self._reader.read(np.ndarray((count, 12), np.uint8, data, at + offset, (size, 1)))
        for group in self._groups:
            shape = (len(group.columns), count)
            found = np.ndarray(shape, group.wire, data, at + group.offset, (group.step, size))
            native = found != 0 if group.native == np.bool_ else found.astype(group.native)
            for row, n in enumerate(group.columns):
                made[n] = native[row]
        for n, offset, length in self._octets:
            start = at + offset
            made[n] = [data[each : each + length] for each in range(start, start + count * size, size)]
        return tuple(made)

    # --- many buffers ------------------------------------------------------------------------------------------------

    def decode_batch(self, buffers: Sequence[bytes]) -> Batch:
        """The columns of many buffers of this capture list, such as one day of many meters of one make.

        Never raises for what a meter sent: see :class:`Batch`.  A few hundred buffers at a time serve best.
        """
        bodies: list[bytes] = []
        starts: list[int] = []
        counts: list[int] = []
        total = 0
        apart: list[int] = []
        for n, data in enumerate(buffers):
            at, count = 0, 0
            if not self._lenient:
                try:
                    at, count = self._head(data)
                except MalformedApdu:
                    count = 0
            counts.append(count)
            if count:
                starts.append(total)
                bodies.append(data[at:])
                total += count
            else:
                starts.append(-1)
                apart.append(n)
        joined = b"".join(bodies)
        try:
            if not total or not self._marks_hold(joined, 0, total):
                raise MalformedApdu("another layout")
            columns = Columns(self.captures, total, self._taken(joined, 0, total))
        except MalformedApdu:
            return self._one_by_one(buffers)
        batch = Batch(columns, starts, counts, {}, {})
        for n in apart:
            self._decode_into(batch, n, buffers[n])
        return batch

    def _one_by_one(self, buffers: Sequence[bytes]) -> Batch:
        """Some buffer spoils the whole: the good ones are found one by one, and decoded together."""
        good: list[int] = []
        batch = Batch(self._none(), [-1] * len(buffers), [0] * len(buffers), {}, {})
        for n, data in enumerate(buffers):
            decoded = self._decode_into(batch, n, data)
            if decoded is not None and not self._lenient and self.fits(data):
                good.append(n)
        if not good or len(good) == len(buffers):
            return batch
        again = self.decode_batch([buffers[n] for n in good])
        for place, n in enumerate(good):
            batch.starts[n], batch.counts[n] = again.starts[place], again.counts[place]
            del batch.odd[n]
        return Batch(again.columns, batch.starts, batch.counts, batch.odd, batch.refused)

    def _decode_into(self, batch: Batch, n: int, data: bytes) -> Columns | None:
        batch.starts[n] = -1
        batch.counts[n] = 0
        try:
            decoded = batch.odd[n] = self.decode(data)
        except DlmsError as error:
            batch.refused[n] = error
            return None
        batch.counts[n] = decoded.count
        return decoded

    def _none(self) -> Columns:
        return Columns(self.captures, *self._gathering.columns(axdr.array()))


def compile_profile(
    captures: Sequence[Capture],
    types: Sequence[str] | bytes,
    *,
    zone: timezone,
    period_s: int = 0,
    lenient: bool = False,
) -> ProfileDecoder:
    """The decoder of a profile.

    :param captures: attribute 3, as ``captures_of`` reads it.
    :param types: a name for each column (``uint32``, ``clock``, ``octets:8``, ``any``; ``types_of`` gives them for
        objects of the model), or a first buffer to learn them from.
    :param zone: what a clock means that gives no deviation; of fixed offset.
    :param period_s: capture period in seconds, for rows whose clock is null ("previous plus period"); 0 for none.
    :param lenient: the make sends a buffer twice in one value; the second copy is dropped.
    :raises ValueOutOfRange: a type that is not known, or not one type for each capture.
    :raises MalformedApdu: the first buffer is not one of these captures.
    """
    names = learn(captures, types) if isinstance(types, bytes) else types
    return ProfileDecoder(captures, names, period_s=period_s, zone=zone, lenient=lenient)


class Decoders:
    """Compiled decoders by make, firmware and capture list; the latest ``limit`` are kept."""

    def __init__(self, *, zone: timezone, limit: int = 1024) -> None:
        self._zone = zone
        self._limit = limit
        self._kept: OrderedDict[tuple[object, ...], ProfileDecoder] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(
        self,
        buffer: bytes,
        *,
        make: str,
        firmware: str,
        captures: Sequence[Capture],
        types: Sequence[str] | None = None,
        period_s: int = 0,
        lenient: bool = False,
    ) -> ProfileDecoder:
        """The decoder for a buffer of such a meter, compiled on first sight.

        Without ``types`` they are learnt from the buffer; a kept decoder that does not fit it is replaced by one that
        does, so that a poor first buffer (empty, or full of null-data) does no lasting harm.

        :raises MalformedApdu: the buffer is not one of these captures.
        :raises ValueOutOfRange: types that do not fit the captures.
        """
        key = (make, firmware, tuple(captures), period_s, lenient)
        kept = self._kept.get(key)
        if kept is None or (types is None and not lenient and not kept.fits(buffer)):
            fresh = compile_profile(
                captures, buffer if types is None else types, zone=self._zone, period_s=period_s, lenient=lenient
            )
            if kept is None or fresh.fits(buffer):
                kept = self._kept[key] = fresh
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return kept

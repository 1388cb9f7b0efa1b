"""Rows of yes and no: packed into one word each, and runs found in all rows at once."""

from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_BYTES: Final = 8
LONGEST_ROW: Final = 64


def packed(mask: Mask) -> Words:
    """Each row of at most 64 slots as one word, its first slot the highest bit.

    :raises ValueError: longer rows.
    """
    rows, slots = mask.shape
    if slots > LONGEST_ROW:
        raise ValueError(f"a row of {slots} slots does not fit into a word")
    out = np.zeros((rows, _BYTES), dtype=np.uint8)
    bits = np.packbits(mask, axis=1)
    out[:, : bits.shape[1]] = bits
    return out.view(">u8").reshape(rows).astype(np.uint64)


def unpacked(words: Words, slots: int) -> Mask:
    """The rows that `packed` was given."""
    raw = words.astype(">u8").view(np.uint8).reshape(len(words), _BYTES)
    return np.unpackbits(raw, axis=1, count=slots).astype(np.bool_)


def runs_in(words: Words, length: int) -> Mask:
    """Which rows hold a run of at least `length` set bits: shifts and ands that double what is known."""
    have, left = words, length - 1
    step = 1
    while left > 0:
        shift = min(step, left)
        have = have & (have << np.uint64(shift))
        left -= shift
        step *= 2
    return np.asarray(have != 0)


def runs(mask: Mask, length: int) -> Mask:
    """Which rows hold a run of at least `length`, for rows of any number of slots."""
    if mask.shape[1] <= LONGEST_ROW:
        return runs_in(packed(mask), length)
    have, left, step = mask, length - 1, 1
    while left > 0:
        shift = min(step, left)
        if have.shape[1] <= shift:
            return np.zeros(len(mask), dtype=np.bool_)
        have = have[:, :-shift] & have[:, shift:]
        left -= shift
        step *= 2
    return np.asarray(have.any(axis=1))

"""Merkle trees as Certificate Transparency has them (RFC 6962, section 2.1): one hash over many leaves, and a short
proof that one leaf is among them which shows nothing of the others.

A leaf is hashed behind a zero byte and a node behind a one, so that neither can stand for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf, 32 bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Growing:
    """A tree that grows at its end and keeps only the peaks of its full subtrees: at most one for each bit of its size.

    Adding a leaf costs two hashes on average, the root at most one for each peak.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for each in leaf_hashes:
            self.add(each)

    def add(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        bits, peaks = self.size, self._peaks
        while bits & 1:
            leaf = node_hash(peaks.pop(), leaf)
            bits >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The hash over all leaves so far; over none, SHA-256 of nothing."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        top = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            top = node_hash(peak, top)
        return top


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The hash over these leaves."""
    return Growing(leaf_hashes).root()


def inclusion(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that the leaf at `index` is in the tree: the hashes beside its way up, the lowest first.

    :raises IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaf_hashes):
        raise IndexError(index)
    path: list[bytes] = []
    level = list(leaf_hashes)
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])  # a last one without a neighbour goes up as it is
        index //= 2
        level = above
    return path


def root_from(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves that holds this leaf's hash at `index` and has this proof for it.

    :raises ValueError: a proof for that place in a tree of that size has another length.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of {size}")
    rest, last = list(path), size - 1
    while last:
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the proof is too short")
            beside = rest.pop(0)
            leaf = node_hash(beside, leaf) if index % 2 else node_hash(leaf, beside)
        index //= 2
        last //= 2
    if rest:
        raise ValueError("the proof is too long")
    return leaf

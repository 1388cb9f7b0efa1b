"""The tree is RFC 6962's: its own definition, written as the RFC has it, is what every answer is held against."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.shared.merkle import Growing, inclusion, leaf_hash, node_hash, root_from, root_of


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), defined(leaves[split:])]
    return [*path(index - split, leaves[split:]), defined(leaves[:split])]


def test_the_trees_that_others_published() -> None:
    """Roots of the test data that Certificate Transparency's own implementation is tested with."""
    words = "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
    leaves = list(map(bytes.fromhex, words))
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in roots.items():
        assert root_of(map(leaf_hash, leaves[:size])).hex() == root


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_root_and_every_proof_are_the_definitions(leaves: list[bytes]) -> None:
    hashes = [leaf_hash(each) for each in leaves]
    root = defined(leaves)
    assert root_of(hashes) == root
    growing = Growing()
    for size, each in enumerate(hashes, start=1):
        growing.add(each)
        assert growing.root() == defined(leaves[:size])
    for index, each in enumerate(hashes):
        proof = inclusion(hashes, index)
        assert proof == path(index, leaves)
        assert root_from(each, index=index, size=len(leaves), path=proof) == root


@given(st.integers(2, 60), st.data())
def test_no_other_leaf_place_or_proof_leads_to_the_root(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(bytes([each])) for each in range(size)]
    index, other = data.draw(st.permutations(range(size)))[:2]
    proof, root = inclusion(hashes, index), root_of(hashes)
    assert root_from(hashes[other], index=index, size=size, path=proof) != root
    wrong = list(proof)
    wrong[data.draw(st.integers(0, len(proof) - 1))] = leaf_hash(b"wrong")
    assert root_from(hashes[index], index=index, size=size, path=wrong) != root
    for length in (proof[:-1], [*proof, hashes[0]]):
        with pytest.raises(ValueError, match="proof is too"):
            root_from(hashes[index], index=index, size=size, path=length)


def test_a_node_is_no_leaf_and_nothing_is_outside() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    with pytest.raises(IndexError):
        inclusion([left], 1)
    with pytest.raises(ValueError, match="leaf 3 of 3"):
        root_from(left, index=3, size=3, path=[])

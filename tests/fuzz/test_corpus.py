"""The corpus and what is near it: every seed, every seed cut short, bent and doubled, and bytes that claim much.

`make fuzz NAME=axdr` looks further, for as long as one likes.
"""

import os
import resource
import subprocess
import sys
from random import Random

import pytest

from tests.fuzz.seeds import CORPUS, seeds_of
from tests.fuzz.targets import TARGETS

BENT = 300
MOST_MIB = 64


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_near_the_corpus_only_named_errors_come_out(name: str) -> None:
    target, seeds = TARGETS[name], seeds_of(name)
    assert len(seeds) >= 2
    for seed in seeds:
        target(seed)
    chance = Random(name)
    for nth in range(BENT):
        seed = bytearray(chance.choice(seeds))
        kind = nth % 5
        if kind == 0:
            del seed[chance.randrange(len(seed) + 1) :]
        elif kind == 1:
            seed[chance.randrange(len(seed))] ^= 1 << chance.randrange(8)
        elif kind == 2:
            at = chance.randrange(len(seed))
            seed[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 6)))
        elif kind == 3:
            seed[chance.randrange(len(seed))] = chance.choice((0x00, 0x7F, 0x80, 0x84, 0xFF))
        else:
            seed += chance.choice(seeds)
        target(bytes(seed))


def test_every_target_has_its_corpus_and_it_is_small() -> None:
    assert {file.stem for file in CORPUS.glob("*.hex")} == set(TARGETS)
    assert sum(file.stat().st_size for file in CORPUS.iterdir()) < 200_000


CLAIMS = """
import resource, sys
from tests.fuzz.targets import TARGETS
for target in TARGETS.values():
    target(b"\\x00")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
big = [
    b"\\x01\\x84\\xff\\xff\\xff\\xff",
    b"\\x13\\x02\\x82\\xff\\xff\\x00\\x84\\xff\\xff\\xff\\xff",
    b"\\x13\\x01\\x82\\xff\\xff\\x00\\x00" * 3,
    b"\\x01\\x82\\xff\\xff" + b"\\x00" * 65535,
    b"\\x09\\x84\\x7f\\xff\\xff\\xff",
    b"\\x01\\x01" * 50_000,
    b"\\x02\\x01" * 50_000 + b"\\x00",
    b"\\x00\\x01\\x00\\x01\\x00\\x10\\xff\\xff" + b"x" * 60_000,
    b"\\x7e\\xaf\\xff" + b"x" * 200_000,
    b"\\xc4\\x02\\xc1\\x00\\x00\\x00\\x00\\x01\\x00\\x84\\xff\\xff\\xff\\xff",
    b"\\xe0\\x80\\x00\\x01\\x00\\x00\\x84\\xff\\xff\\xff\\xff",
    b"\\xdb\\x08" + b"A" * 8 + b"\\x84\\xff\\xff\\xff\\xff",
    b"\\xc3\\x03\\xc1\\xff" + b"\\x00" * 4_000,
]
for claim in big:
    for target in TARGETS.values():
        target(claim)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_bytes_that_claim_much_cost_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLAIMS],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (50, 50)),
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert int(done.stdout) < MOST_MIB

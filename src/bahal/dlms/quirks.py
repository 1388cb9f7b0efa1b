"""How one make of meter departs from the standard, as data.  A make without a profile gets :data:`STANDARD`.

The makes stand in ``makes/*.toml``, one file each, with their source and whether it was verified.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Quirks:
    """Settings of one make.

    * ``challenge_length``: bytes of CtoS that we send, and of StoC that such a meter sends.
    * ``challenge_limit``: the longest CtoS that such a meter stands; one make breaks at 32.
    * ``hls_mechanism``: 5 (GMAC), or 2 (AES-128-ECB) where the make's profile says so.
    * ``lenient_duplicate``: the make sends a GET's value twice; the second copy is dropped and counted.
    * ``rlrq_allowed``: False where an RLRQ upsets the meter: the connection is just closed.
    * ``bare_release``: RLRQ without the ciphered InitiateRequest.
    * ``general_ciphering``: wrap services in general-glo-ciphering instead of glo-*.
    * ``dedicated_proof``: such a meter answers HLS pass 3 under the dedicated key where one was agreed.
    * ``release_answer``: what such a meter makes of an RLRQ: an ``rlre``, an ``exception`` or something ``malformed``.
    * ``shared_keys``: one encryption key, and so one invocation counter, for reading and setting clients.
    * ``invoke_echoed``: False where such a meter answers under another invoke-id than asked; it is refused by name.
    * ``clock_shifts``: the clock is moved by ``shift_time`` (class 8 method 6); such a meter refuses a SET of its time.
    * ``block_window``: propose general block transfer and take so many blocks in a row (1 to 63); 0: do not propose it.
    """

    make: str = "standard"
    challenge_length: int = 16
    challenge_limit: int = 64
    hls_mechanism: int = 5
    lenient_duplicate: bool = False
    rlrq_allowed: bool = True
    bare_release: bool = False
    general_ciphering: bool = False
    dedicated_proof: bool = False
    release_answer: Literal["rlre", "exception", "malformed"] = "rlre"
    shared_keys: bool = False
    invoke_echoed: bool = True
    block_window: int = 0
    clock_shifts: bool = False


STANDARD = Quirks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """One make of meter.

    Its name in rosters, the maker's name, the three-letter flag at the head of its system titles, the control mode that
    its relays leave the works with (class 70), its quirks, and where all this comes from.
    """

    name: str
    manufacturer: str
    flag: str
    control_mode: int
    source: str
    verified: bool
    quirks: Quirks


@cache
def registry() -> Mapping[str, Make]:
    """All registered makes by name."""
    found = {}
    for file in sorted((files("bahal.dlms") / "makes").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            entry = tomllib.loads(file.read_text(encoding="utf-8"))
            found[entry["name"]] = Make(
                name=entry["name"],
                manufacturer=entry["manufacturer"],
                flag=entry["flag"],
                control_mode=entry["control_mode"],
                source=entry["source"],
                verified=entry["verified"],
                quirks=Quirks(make=entry["name"], **entry.get("quirks", {})),
            )
    return MappingProxyType(found)


def quirks_of(make: str) -> Quirks:
    """The quirks of a make, or :data:`STANDARD` for one that has no profile."""
    known = registry().get(make)
    return STANDARD if known is None else known.quirks

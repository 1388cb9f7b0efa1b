"""How one make of meter departs from the standard, as data.  A make without a profile gets :data:`STANDARD`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """Settings of one make.

    * ``challenge_length``: bytes of CtoS; 16 because one make breaks at 32.
    * ``hls_mechanism``: 5 (GMAC), or 2 (AES-128-ECB) where the make's profile says so.
    * ``lenient_duplicate``: the make sends a GET's value twice; the second copy is dropped and counted.
    * ``rlrq_allowed``: False where an RLRQ upsets the meter: the connection is just closed.
    * ``bare_release``: RLRQ without the ciphered InitiateRequest.
    * ``general_ciphering``: wrap services in general-glo-ciphering instead of glo-*.
    """

    make: str = "standard"
    challenge_length: int = 16
    hls_mechanism: int = 5
    lenient_duplicate: bool = False
    rlrq_allowed: bool = True
    bare_release: bool = False
    general_ciphering: bool = False


STANDARD = Quirks()

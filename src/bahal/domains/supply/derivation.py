"""What a drive's list was derived from, kept so that anybody derives it again: for everybody who was judged, in or out,
the facts, and every reason that the rule gave. Packed: the rows as JSON, deflated."""

from __future__ import annotations

import hashlib
import inspect
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from bahal.domains.supply.eligibility import COLUMNS, Facts, reasons
from bahal.domains.supply.errors import DerivationMissing
from bahal.foundation.rows import one, run
from bahal.foundation.transactions import transaction_required

BY_HAND = ("no_relay",)
"""What alone stands against a connection that a lineman may cut under the same warrant."""
NO_FENCE = ("no_meter",)
"""What stands against a connection that nothing else stands against, but that has no fence to send under."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One who was judged: the fence's generation (None: it has none), the facts, and what was said then."""

    connection: int
    generation: int | None
    facts: Facts
    said: Sequence[str]

    @property
    def derived(self) -> Sequence[str]:
        """What the rule says of the same facts now."""
        return reasons(self.facts) or (() if self.generation else NO_FENCE)


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a drive's list was derived from. `rule` is the rule's fingerprint then; `sha256` covers `packed`."""

    rule: str
    sha256: str
    packed: bytes

    @property
    def whole(self) -> bool:
        """Whether the facts are those that were kept."""
        return hashlib.sha256(self.packed).hexdigest() == self.sha256

    @property
    def _stated(self) -> dict[str, Any]:
        try:
            stated: dict[str, Any] = json.loads(zlib.decompress(self.packed))
        except zlib.error as failure:
            raise ValueError(str(failure)) from failure
        return stated

    @property
    def by_hand(self) -> bool:
        """Whether meters without a relay were listed too.

        :raises ValueError: the facts do not unpack.
        """
        return bool(self._stated.get("by_hand", False))

    @property
    def candidates(self) -> list[Candidate]:
        """Everybody who was judged, in order of the connection.

        :raises ValueError: the facts do not unpack.
        """
        stated = self._stated
        names = stated["columns"]
        return [
            Candidate(connection, generation, Facts(**dict(zip(names, columns, strict=True))), said)
            for connection, generation, said, *columns in stated["rows"]
        ]


def rule_now() -> str:
    """The fingerprint of the rule as it is written now: the SHA-256 of its source."""
    return hashlib.sha256(inspect.getsource(reasons).encode()).hexdigest()


def packed(candidates: Iterable[Candidate], *, by_hand: bool = False) -> Derivation:
    """Everybody's facts as they are kept; `by_hand` if meters without a relay were listed too."""
    rows = [[each.connection, each.generation, each.said, *astuple(each.facts)] for each in candidates]
    text = json.dumps({"columns": COLUMNS, "by_hand": by_hand, "rows": rows}, separators=(",", ":"))
    deflated = zlib.compress(text.encode(), 9)
    return Derivation(rule_now(), hashlib.sha256(deflated).hexdigest(), deflated)


@transaction_required
def keep_derivation(derivation: Derivation, *, drive: int) -> None:
    """Keep what a drive's list was derived from, for ever."""
    run(
        "INSERT INTO supply_derivation (drive, rule, sha256, facts) VALUES (%s, %s, %s, %s)",
        drive,
        derivation.rule,
        derivation.sha256,
        derivation.packed,
    )


def derivation_of(*, drive: int) -> Derivation:
    """What a drive's list was derived from.

    :raises DerivationMissing: nothing was kept for this drive.
    """
    row = one("SELECT rule, sha256, facts FROM supply_derivation WHERE drive = %s", drive)
    if row is None:
        raise DerivationMissing(drive=drive)
    return Derivation(row[0], row[1], bytes(row[2]))


def lines_of(candidates: Sequence[Candidate], *, by_hand: bool = False) -> Mapping[int, Candidate]:
    """Those against whom the rule says nothing, by connection, in order; after them, if those are listed too, those
    against whom it says only that their meter has no relay."""
    found = {each.connection: each for each in candidates if not each.derived}
    if by_hand:
        found |= {each.connection: each for each in candidates if tuple(each.derived) == BY_HAND}
    return found

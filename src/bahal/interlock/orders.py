"""An order as it was claimed, and what its attempt ended in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

CUT: Final = "cut"
RESTORE: Final = "restore"

CONFIRMED: Final = "confirmed"
FIELD_TASK: Final = "field_task"
BACK: Final = "back"
"""Give it back: as authorised if it was never sent, as unknown if it was. The database knows which."""
UNSENT: Final = "unsent"
"""Give it back like that, and know that no byte followed if it was marked sent."""

MOST_SENDS: Final = 2
MOST_TRIES: Final = {CUT: 5, RESTORE: 8}


class Claim(NamedTuple):
    """A row of `interlock_claim`: the order, its meter, the lease's token and the reserved counters.

    `link` says how the meter is reached: `dial_out` at `host`, which was `learned` when it last called or else stands
    in the register; `dial_in` over its own call; `gateway` through that host:port, as `wport`.

    `state` is `claimed`, or `unknown` for one that was sent before and whose relay has to be read first.
    """

    order: int
    kind: str
    state: str
    drive: int | None
    position: int
    sends: int
    tries: int
    meter: str
    connection: int
    make: str
    system_title: bytes
    host: str
    port: int
    cell: str
    import_id: str
    sealed: bytes
    token: int
    counter: int
    meter_counter: int
    link: str = "dial_out"
    gateway: str | None = None
    wport: int = 1
    learned: bool = False

    @property
    def place(self) -> str:
        """What paces it: its gateway, or its cell."""
        return self.gateway or self.cell


class Outcome(NamedTuple):
    """A row for `interlock_results`; `state` None frees the meter's lease and leaves the order as it is.

    `frames` is what was said over the wire, as `bahal.shared.frames` keeps it; `acted_at` when the meter acknowledged.
    """

    claim: Claim
    state: str | None
    reason: str = ""
    before: bool | None = None
    after: bool | None = None
    control: int | None = None
    mode: int | None = None
    counter: int | None = None
    meter_counter: int | None = None
    retry_s: float = 0.0
    frames: bytes = b""
    acted_at: datetime | None = None

    @property
    def columns(self) -> tuple[Any, ...]:
        """In the order of the function's arrays."""
        claim = self.claim
        return (
            claim.order,
            claim.token,
            self.state,
            self.reason,
            self.before,
            self.after,
            self.control,
            self.mode,
            self.counter,
            self.meter_counter,
            self.retry_s,
            self.frames or None,
            self.acted_at,
        )


NO_LINE_PAUSE_S: Final = 30.0
"""When to ask again for a meter that has not called; the head-end makes the order due as soon as it does."""


def pause_before(claim: Claim) -> float:
    """Seconds until the next try: doubling, for a restore up to a minute, for a cut up to half of that."""
    if claim.kind == RESTORE:
        return float(min(60.0, 0.5 * 2.0 ** min(claim.tries, 10)))
    return float(min(30.0, 1.0 * 2.0 ** min(claim.tries - 1, 10)))

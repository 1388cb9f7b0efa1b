"""One run of the matrix: every row once, every cell judged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from bahal.dlms import axdr, push
from bahal.dlms.security import Cipher
from interop.known import Known, by_chance, known
from interop.meters import PEER_ROW, Counters, Fleet, Meter, PeerMeter, Stand
from interop.ours import OurClient, encode
from interop.peer import Driver, installed
from interop.rows import ALTERED, WRONG_KEY, Row
from interop.services import SCRIPTS, Asking, Client, Denied, Wrong, short

Kind = Literal["ok", "refused", "absent", "red", "closed"]
_CHANCES: Final = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell.

    `ok`; `refused`, as it had to be; `absent`: the peer does not offer it; `red`; `closed`: no association to ask in,
    since the row is not meant to open or its first cell says why it did not. `fact` is what `known.toml` says of it.
    """

    kind: Kind
    detail: str = ""
    fact: Known | None = None

    @property
    def explained(self) -> bool:
        """Whether a red one was foreseen."""
        return self.fact is not None and self.fact.kind == "defect"


@dataclass
class Result:
    """Every cell of one run, and peers that are not installed."""

    cells: dict[tuple[Row, str], Outcome] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def unexplained(self) -> list[tuple[Row, str, Outcome]]:
        """Red cells that nothing foresaw."""
        return [
            (row, name, found)
            for (row, name), found in self.cells.items()
            if found.kind == "red" and not found.explained
        ]

    def healed(self) -> list[tuple[Row, str, Outcome]]:
        """Cells that are known to go wrong and did not."""
        return [
            (row, name, found)
            for (row, name), found in self.cells.items()
            if found.explained and found.kind not in ("red", "closed")
        ]


class House:
    """All ends of a run: our fleet, our stand, our client, and a process for each end of a peer."""

    def __init__(self, folder: Path) -> None:
        counters = Counters()
        self.fleet = Fleet(folder, counters)
        self.stand = Stand(self.fleet.meters[0], folder, counters)
        self._drivers: dict[tuple[str, str], Driver] = {}
        self._ours = OurClient()
        self._alert: tuple[str, Any] | None = None

    def driver(self, peer: str, role: str) -> Driver:
        """The one process of a peer's end."""
        return self._drivers.setdefault((peer, role), Driver(peer, f"{role}.py"))

    def ends(self, row: Row) -> tuple[Client, Meter]:
        """Client and meter of a row.

        :raises RuntimeError: a peer's meter does not listen.
        """
        if row.role == "meter":
            return self._ours, PeerMeter(self.driver(row.peer, "meter"), row)
        meter = self.fleet if row.at == "fleet" else self.stand
        meter.begin(row)
        return self.driver(row.peer, "client"), meter

    def tape(self, row: Row) -> list[str]:
        """The bytes of a row's last connection, where an end of ours could write them down."""
        return self._ours.tape if row.role == "meter" else self.stand.tape if row.at == "stand" else []

    def push(self, row: Row) -> None:
        """A notification from one end to the other.

        :raises Wrong: it was not read as it was meant.
        """
        if row.role == "meter":
            self._push_to_us(row)
            return
        if row.at == "fleet":
            self.fleet.begin(row)
            self._alert = self._alert or self.fleet.notification()
            apdu, due = self._alert
            keys = (self.fleet.meter.push_ek, bytes(16))
        else:
            apdu, due = self.stand.notification(row.control)
            if row.note == ALTERED:
                apdu = f"{apdu[:-2]}{int(apdu[-2:], 16) ^ 1:02x}"
            keys = (self.stand.meter.us_ek, self.stand.meter.us_ak)
        answer = self.driver(row.peer, "client").ask(
            "push",
            apdu=apdu,
            sap=row.sap,
            control=row.control,
            encryption_key=keys[0].hex(),
            authentication_key=keys[1].hex(),
        )
        got = answer.get("ok")
        # A status word has no one form in Python: device, push setup and clock say enough.
        if not isinstance(got, list) or got[:3] != due[:3] or len(got) != len(due):
            raise Wrong(f"{short(answer)} instead of {short(due)}; it was sent {apdu}")

    def _push_to_us(self, row: Row) -> None:
        """The peer's meter puts a notification before an answer of the association that our client has with it."""
        how = (5, "general-glo") if row.control else (0, "plain")
        held = replace(row, mechanism=how[0], form=how[1], services=("open", "get"))
        client, meter = self.ends(held)
        assert isinstance(meter, PeerMeter)
        asking = Asking(client, meter, held)
        SCRIPTS["open"](asking)
        body, moment = meter.push()
        sent = self.driver(row.peer, "meter").ask("push", body=body, clock=moment, control=row.control)
        if "ok" not in sent:
            raise Wrong(short(sent))
        SCRIPTS["get"](asking)
        if len(self._ours.heard) != 1:
            raise Wrong(f"{len(self._ours.heard)} notifications were heard of {sent['ok']}")
        (heard,) = self._ours.heard
        if row.control and not heard.protected:
            opened = push.open_notification(heard.apdu, Cipher(PEER_ROW.us_ek, PEER_ROW.us_ak), -1,
                                            security_control=row.control)  # fmt: skip
            found = opened.notification
        else:
            found = heard.content  # type: ignore[assignment]
        due = axdr.decode(encode(*body))
        if axdr.decode(found.body) != due:
            raise Wrong(f"{short(found.body.hex())} instead of {short(due)}")

    def end(self) -> None:
        """End every process that was started."""
        for driver in self._drivers.values():
            driver.end()
        self._ours.end()
        self.stand.end()
        self.fleet.end()


def run(rows: Iterable[Row], *, told: Callable[[Row, str, Outcome], None] = lambda row, name, found: None) -> Result:
    """Hold every row whose peer is installed; `told` hears of each cell as it is judged."""
    asked = list(rows)
    missing = tuple(dict.fromkeys(row.peer for row in asked if not installed(row.peer)))
    result = Result(missing=missing)
    with tempfile.TemporaryDirectory(prefix="bahal-interop-") as folder:
        house = House(Path(folder))
        try:
            for row in asked:
                if row.peer not in missing:
                    for name, found in hold(house, row):
                        result.cells[row, name] = found
                        told(row, name, found)
        finally:
            house.end()
    return result


def hold(house: House, row: Row) -> Iterable[tuple[str, Outcome]]:
    """One row, cell after cell. After a cell that went wrong the next ones get an association of their own."""
    if row.services == ("push",):
        yield "push", judged(row, "push", lambda: house.push(row))
        return
    absent = known(row, "open")
    if absent is not None and absent.kind == "absent":
        for name in row.services:
            yield name, Outcome("absent" if name == "open" else "closed", absent.why, absent)
        return
    try:
        client, meter = house.ends(row)
    except RuntimeError as error:
        yield "open", Outcome("red", str(error), known(row, "open"))
        return
    asking = Asking(client, meter, row)
    opened = hopeless = False
    for name in row.services:
        if hopeless:
            yield name, Outcome("closed")
            continue
        found = _again_if_by_chance(house, asking, name, opened)
        opened = found.kind in ("ok", "refused", "absent") and name != "release"
        hopeless = name == "open" and found.kind != "ok"
        if found.kind == "red" and house.tape(row):
            found = replace(found, detail=f"{found.detail} [{' '.join(house.tape(row)[-4:])}]")
        yield name, found
    client.ask("drop")


def _again_if_by_chance(house: House, asking: Asking, name: str, opened: bool) -> Outcome:
    """One cell in an association that stands or is opened for it; what fell on a defect by chance is asked again."""
    for _ in range(_CHANCES):
        found = _asked(asking, name, opened)
        answers = [line for line in house.tape(asking.row) if line.startswith("< ")]
        chance = by_chance(asking.row, [bytes.fromhex(line[2:]) for line in answers[-1:]])
        if found.kind != "red" or found.explained or chance is None:
            break
        opened = False
    return found


def _asked(asking: Asking, name: str, opened: bool) -> Outcome:
    fact = known(asking.row, name)
    if name != "open" and not opened and (fact is None or fact.kind != "absent"):
        again = judged(asking.row, "open", lambda: SCRIPTS["open"](asking))
        if again.kind != "ok":
            return Outcome("red", f"it did not open again: {again.detail}", fact)
    return judged(asking.row, name, lambda: SCRIPTS[name](asking))


def judged(row: Row, name: str, script: Callable[[], None]) -> Outcome:
    """Run one script and say what its end means."""
    fact = known(row, name)
    if fact is not None and fact.kind == "absent":
        return Outcome("absent", fact.why, fact)
    must = row.expects(name)
    try:
        script()
    except Denied as denied:
        return Outcome("refused" if must == "refused" else "red", str(denied), fact)
    except Wrong as wrong:
        # Whoever has the wrong key need not be refused in good form, only must not get in; an altered push must not be
        # read.
        stranger = row.note in (WRONG_KEY, ALTERED)
        return Outcome("refused" if stranger else "red", str(wrong), fact)
    return Outcome("ok" if must == "ok" else "red", "" if must == "ok" else "it was allowed", fact)

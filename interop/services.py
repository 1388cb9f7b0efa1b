"""One script a service: what is asked, and what must come back. The same whoever is the client and whose the meter is.

A client is anything with `ask(do, **settings)` as in `interop/peers/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from bahal.dlms import india
from interop.meters import MAX_PDU, NOTE_LN, PEER_ROW, Meter, key_transfer
from interop.rows import Row

_SERIAL: Final = {"class": 1, "ln": "0.0.96.1.0.255", "attribute": 2}
_MAKER: Final = {"class": 1, "ln": "0.0.96.1.1.255", "attribute": 2}
_ENERGY: Final = {"class": 3, "ln": "1.0.1.8.0.255", "attribute": 2}
_SCALER: Final = _ENERGY | {"attribute": 3}
_LIST: Final = {"class": 15, "ln": "0.0.40.0.0.255", "attribute": 2}
_LOAD: Final = {"class": 7, "ln": "1.0.99.1.0.255", "attribute": 2}
_PERIOD: Final = _LOAD | {"attribute": 4}
_DAILY: Final = {"class": 7, "ln": "1.0.99.2.0.255", "attribute": 2}
_NAMEPLATE: Final = {"class": 7, "ln": "0.0.94.91.10.255", "attribute": 2}
_LIMIT: Final = {"class": 71, "ln": "0.0.17.0.0.255", "attribute": 4}
_NOTE: Final = {"class": 1, "ln": NOTE_LN, "attribute": 2}
_CLOCK: Final = {"class": 8, "ln": "0.0.1.0.0.255", "attribute": 2}
_RELAY: Final = {"class": 70, "ln": "0.0.96.3.10.255"}
_KEYS: Final = {"class": 64, "ln": "0.0.43.0.3.255"}

_INTEGER_ZERO: Final = ["int8", 0]
_LONG: Final = bytes(range(250)) * 6
_DISCONNECT, _RECONNECT = 1, 2


class Client(Protocol):
    """Ours, or a peer's driver."""

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """One verb; the answer has `ok`, `refused` or `error`."""
        ...


class Denied(Exception):
    """The meter says no; `result` is its code where the client tells it."""

    def __init__(self, result: int | None, said: str) -> None:
        super().__init__(f"refused with {result} {said}".rstrip())
        self.result = result


class Wrong(Exception):
    """What came back is not what had to come."""


class Asking:
    """One client on one meter within a row."""

    def __init__(self, client: Client, meter: Meter, row: Row) -> None:
        self.client = client
        self.meter = meter
        self.row = row

    def ask(self, do: str, **asked: Any) -> Any:
        """The value that is answered.

        :raises Denied: the meter refuses.
        :raises Wrong: anything else than an answer.
        """
        answer = self.client.ask(do, **asked)
        if "ok" in answer:
            return answer["ok"]
        if "refused" in answer:
            raise Denied(answer["refused"], answer.get("said", ""))
        raise Wrong(answer["error"])

    def same(self, target: dict[str, Any]) -> None:
        """A GET brings what it must; asked twice, for a meter's half hour may pass between the two."""
        for last in (False, True):
            got, due = self.ask("get", **target), self.meter.truth(target)
            if got == due:
                return
            if last:
                raise Wrong(f"{short(got)} instead of {short(due)}")


def short(value: Any) -> str:
    """A value for a person, cut where it gets long."""
    text = str(value)
    return text if len(text) <= 160 else f"{text[:160]}..."


def _open(asking: Asking) -> None:
    settings = asking.meter.settings()
    answer = asking.ask("open", **settings)
    if asking.row.control and answer["meter_title"] != settings["meter_title"]:
        raise Wrong(f"it takes the meter for {answer['meter_title']}")


def _get(asking: Asking) -> None:
    if asking.row.sap == 16:
        asking.same(_SERIAL)
        return
    before = asking.meter.truth(_ENERGY)
    energy = asking.ask("get", **_ENERGY)
    after = asking.meter.truth(_ENERGY)
    if not isinstance(energy, int) or not before <= energy <= after:
        raise Wrong(f"{energy} Wh, not between {before} and {after}")
    asking.same(_SCALER)


def _flags(asking: Asking) -> None:
    asking.same(_NOTE)


def _block(asking: Asking) -> None:
    found = asking.ask("get", **_LIST)
    if len(str(found)) < MAX_PDU:
        raise Wrong(f"a list of {len(found)} objects: too short to come in blocks")
    if asking.row.role == "client":
        due = asking.meter.truth(_LIST)
        if found != due:
            raise Wrong(f"{short(found)} instead of {short(due)}")
    elif not any(each[0] == _RELAY["class"] for each in found):
        raise Wrong(f"no relay in the list of {len(found)} objects")


def _list(asking: Asking) -> None:
    targets = [_SERIAL, _MAKER, _SERIAL] if asking.row.sap == 16 else [_SERIAL, _SCALER, _PERIOD]
    found = asking.ask("list", targets=targets)
    due = [asking.meter.truth(each) for each in targets]
    if found != due:
        raise Wrong(f"{short(found)} instead of {short(due)}")


def _range(asking: Asking) -> None:
    if asking.row.role == "meter":
        start = datetime(2026, 11, 23, 6, tzinfo=india.IST)
    else:
        start = datetime.now(india.IST).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=2)
    bounds = [start.isoformat(), (start + timedelta(hours=2)).isoformat()]
    asking.same(_LOAD | {"selection": ["range", *bounds]})


def _entry(asking: Asking) -> None:
    asking.same(_LOAD | {"selection": ["entry", 2, 4]})


def _profile(asking: Asking) -> None:
    profile = _NAMEPLATE if asking.row.sap == 16 and asking.row.role == "client" else _DAILY
    asking.same(profile)
    asking.same(profile | {"attribute": 3})


def _set(asking: Asking) -> None:
    for watts in (4_321, 5_000):
        asking.ask("set", **_LIMIT, value=["uint32", watts])
        found = asking.ask("get", **_LIMIT)
        if found != watts:
            raise Wrong(f"{found} read back after {watts} was set")


def _set_block(asking: Asking) -> None:
    target = _CLOCK if asking.row.at == "fleet" or asking.row.sap == 16 else _NOTE
    asking.ask("set", **target, value=["octets", _LONG.hex()])
    if asking.ask("get", **target) != _LONG.hex():
        raise Wrong("something else read back than was set")


def _action(asking: Asking) -> None:
    meter = getattr(asking.meter, "meter", PEER_ROW)
    value = key_transfer(meter)
    asking.ask("action", **_KEYS, method=2, value=value)
    keyed = asking.meter.keyed()
    wrapped = value[1][0][1][1][1]
    if keyed is not None and keyed != [[0, wrapped]]:
        raise Wrong(f"it was called with {short(keyed)}")


def _relay(asking: Asking) -> None:
    states = []
    for method in (_DISCONNECT, _RECONNECT):
        asking.ask("action", **_RELAY, method=method, value=_INTEGER_ZERO)
        states.append(bool(asking.ask("get", **_RELAY, attribute=2)))
    moved = asking.meter.moved()
    if states != [False, True] or moved != ["off", "on"]:
        raise Wrong(f"read {states}, the meter says it went {moved}")


def _release(asking: Asking) -> None:
    asking.ask("release")


SCRIPTS: Final[dict[str, Callable[[Asking], None]]] = {
    "open": _open,
    "get": _get,
    "flags": _flags,
    "block": _block,
    "list": _list,
    "range": _range,
    "entry": _entry,
    "profile": _profile,
    "set": _set,
    "set_block": _set_block,
    "action": _action,
    "relay": _relay,
    "release": _release,
}

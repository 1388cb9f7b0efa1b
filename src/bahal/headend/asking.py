"""One call to collect what is wanted of a meter: its clock, and each profile by ranges that are exactly its gaps.

What came before a session broke counts: it is handed on with the reason why the rest did not come.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from bahal.dlms import axdr, clock, india, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Opened, Refused
from bahal.dlms.errors import DlmsError, MalformedApdu
from bahal.dlms.objects import profile
from bahal.dlms.quirks import quirks_of
from bahal.headend import gaps
from bahal.headend.config import READING_SAP
from bahal.headend.layouts import DEFAULT_PERIOD_S, Layout, Layouts, Learned, profile_object
from bahal.headend.link import LINK_ERRORS, Links, Session
from bahal.headend.reads import KeyShared, ReadingKeys
from bahal.shared.wanted import EVENTS, Wanted, names_of

_CLOCK: Final = (8, india.CLOCK_LN, 2)
_FIRMWARE: Final = (1, india.single_phase()["firmware_version"].ln, 2)
_PROFILE_CLASS: Final = 7
_BUFFER, _CAPTURES, _PERIOD = 2, 3, 4
_LONGEST_FIRMWARE: Final = 64
_OWED: Final = Wanted.LOAD | Wanted.DAILY
"""What every meter must give: a refusal is tried again."""
_NOT_THERE: Final = LINK_ERRORS - {"connection_lost", "flooded"}

ORDER: Final = (
    Wanted.NAMEPLATE, Wanted.DAILY, Wanted.LOAD, Wanted.BILLING,
    *(kind for kind in Wanted if kind & EVENTS), Wanted.NOW,
)  # fmt: skip
"""In which order kinds are asked for: daily before load, since midnights close the days of the load profile."""
_BITS: Final = tuple((kind, int(kind)) for kind in ORDER)
_LOAD: Final = int(Wanted.LOAD)
_LOG_BACK_S: Final = 15_300
"""Event logs are read so far back again: a clock that was set back stamps new events before old ones. As far as an
order brings a clock home (four hours), and a quarter."""
_NEVER: Final = datetime.fromtimestamp(0, UTC)


class Task(NamedTuple):
    """A row of `headend_collect`: a meter, the lease under which it may be called, what is wanted and what is there.

    `drift_s` is how far its clock was ahead when it was last called, at `drift_at`.
    """

    meter: str
    make: str
    system_title: bytes
    host: str
    port: int
    cell: str
    import_id: str
    sealed: bytes
    token: int
    counter: int
    link: str
    gateway: str | None
    wport: int
    learned: bool
    wants: int
    back_days: int
    open_day: bool
    urgent: bool
    firmware: str
    tries: int
    load_days: list[date] | None
    load_bits: list[str] | None
    daily_days: list[date] | None
    billing_days: list[date] | None
    logs: list[str] | None
    log_ats: list[datetime] | None
    drift_s: int | None = None
    drift_at: datetime | None = None

    @property
    def place(self) -> str:
        """What paces it: its gateway, or its cell."""
        return self.gateway or self.cell


class Part(NamedTuple):
    """One buffer that came: of which kind, its layout, raw A-XDR, and the range that was asked for (UTC seconds)."""

    kind: Wanted
    layout: Layout
    data: bytes
    asked: gaps.Range | None


NOTHING: Final = Wanted(0)


@dataclass(slots=True)
class Collected:
    """What a meter gave, asked or by itself.

    `done` are kinds that are complete; `reason` says why others are not, `later` that one session was not enough.
    `push_counter` is that of a push, and decides whether it is new; None for what was asked for.
    """

    meter: str
    make: str
    at: datetime
    task: Task | None = None
    parts: list[Part] = field(default_factory=list)
    done: Wanted = NOTHING
    reason: str = ""
    drift_s: int | None = None
    firmware: str = ""
    rescaled: bool = False
    """Its load profile's scalers are others than those of its firmware before: what it stored before is in doubt."""
    push_counter: int | None = None
    shown: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    told: Callable[[bool], None] | None = None
    """Called when a push is stored (True), or was seen before (False)."""


Steps: TypeAlias = Generator[bytes, Event, None]


class _RefusedByMeter(Exception):
    """The meter would not give an attribute."""


class CollectSession(Session):
    """AARQ with the password, the GETs that a task needs, RLRQ."""

    __slots__ = (
        "_at",
        "_ended",
        "_layouts",
        "_learned",
        "_met_another",
        "_now",
        "_opened",
        "_steps",
        "_wanted_load",
        "came",
        "task",
    )

    def __init__(
        self,
        *,
        links: Links,
        task: Task,
        keys: ReadingKeys,
        layouts: Layouts,
        title: bytes,
        block: int,
        now: Callable[[], datetime],
        ended: Callable[[CollectSession, str], None],
        learned: Callable[[Learned], None],
        met_another: Callable[[Task, str], None],
    ) -> None:
        """:raises KeyShared: the reading client's key is not ours."""
        if keys.reading is None:
            raise KeyShared(task.meter)
        super().__init__(links)
        self.task = task
        self._layouts = layouts
        self._now = now
        self._ended = ended
        self._learned = learned
        self._met_another = met_another
        self._opened = False
        self._at = 0
        self._steps: Steps | None = None
        self.came = Collected(task.meter, task.make, _NEVER, task, firmware=task.firmware)
        self._wanted_load: gaps.Gaps | None = None
        self.association = ClientAssociation(
            client_sap=READING_SAP,
            server_sap=task.wport,
            mechanism=security.MECHANISM_LLS,
            security_control=security.ENCRYPTED,
            system_title=title,
            meter_title=task.system_title,
            cipher=keys.reading,
            secret=keys.password,
            counter=task.counter,
            counter_end=task.counter + block,
            quirks=quirks_of(task.make),
        )

    @property
    def meter(self) -> str:
        """The serial of the meter that is called."""
        return self.task.meter

    def heard(self, event: Event) -> None:
        """On to the next step; after the last one, all is said."""
        try:
            if self._steps is None:
                if not isinstance(event, Opened):
                    self.break_off("unexpected")
                    return
                self._opened = True
                self._steps = self._asked()
                self.say(next(self._steps))
            else:
                self.say(self._steps.send(event))
        except StopIteration:
            self.finish()

    def failed(self, name: str, error: Exception | None) -> None:
        """The rest did not come."""
        if self.task.learned and not self._opened and name not in _NOT_THERE:
            self._met_another(self.task, name)
        self.came.reason = name
        if not self._at:
            self.came.at = self._now()

    def closed(self) -> None:
        """Hand on what came."""
        self._ended(self, self.came.reason)

    # --- what is asked -----------------------------------------------------------------------------------------------

    def _asked(self) -> Steps:
        came = self.came
        yield from self._read_clock()
        if not came.firmware or self.task.wants & Wanted.NAMEPLATE:
            came.firmware = yield from self._read_firmware()
        wants = self.task.wants
        for kind, bit in _BITS:
            if bit & wants:
                try:
                    complete = yield from self._collect(kind)
                except _RefusedByMeter:
                    came.reason = f"refused_{names_of(kind)[0]}"
                    if kind not in _OWED:
                        came.done |= kind  # it has no such profile: asking again changes nothing
                    continue
                if complete:
                    came.done |= kind
                else:
                    came.reason = came.reason or "later"

    def _get(self, class_id: int, ln: bytes, attribute: int, selection: bytes | None = None) -> _Asking:
        event = yield self.association.get(class_id, ln, attribute, selection)
        if isinstance(event, Got):
            return event.data
        if isinstance(event, Refused):
            raise _RefusedByMeter
        raise MalformedApdu("another answer than to a GET")

    def _read_clock(self) -> Steps:
        """Its clock beside ours; a clock that says nothing is noted as no drift, and costs no reading."""
        try:
            data = yield from self._get(*_CLOCK)
            at = self._now()
            value = axdr.decode(data)
            if isinstance(value, bytes):
                # A whole second is all it says.
                self.came.drift_s = round((clock.decode(value, zone=india.IST) - at).total_seconds())
        except (_RefusedByMeter, DlmsError):
            at = self._now()
        self.came.at = at
        self._at = int(at.timestamp())

    def _read_firmware(self) -> Generator[bytes, Event, str]:
        try:
            value = axdr.decode((yield from self._get(*_FIRMWARE)))
        except _RefusedByMeter:
            return "unknown"
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        return text[:_LONGEST_FIRMWARE] if isinstance(text, str) and text.strip() and text.isprintable() else "unknown"

    def _collect(self, kind: Wanted) -> Generator[bytes, Event, bool]:
        """Ask for one kind; whether that is all of it."""
        layout = self._layouts.get(self.task.make, self.came.firmware, kind)
        if layout is None:
            layout = yield from self._learn(kind)
        if kind is Wanted.LOAD:
            self.came.rescaled = self._rescaled(layout)
        wanted = self._gaps(kind)
        ln = profile_object(kind).ln
        if wanted is None:
            data = yield from self._get(_PROFILE_CLASS, ln, _BUFFER)
            self.came.parts.append(Part(kind, layout, data, None))
            return True
        for first, last in wanted.ranges:
            selection = profile.between(from_at=_ist(first), to_at=_ist(last))
            data = yield from self._get(_PROFILE_CLASS, ln, _BUFFER, selection)
            self.came.parts.append(Part(kind, layout, data, (first, last)))
        return wanted.complete

    def _rescaled(self, layout: Layout) -> bool:
        """Whether this layout has other scalers than the one by which this meter was read before."""
        task = self.task
        before = self._layouts.before(layout)
        if task.firmware and task.firmware != layout.firmware:
            before = self._layouts.get(task.make, task.firmware, Wanted.LOAD)
        return before is not None and any(
            before.powers.get(name, power) != power for name, power in layout.powers.items()
        )

    def _gaps(self, kind: Wanted) -> gaps.Gaps | None:
        """The ranges to ask for; None for the whole buffer."""
        task, now = self.task, self._at
        if kind is Wanted.LOAD:
            return self._load_gaps()
        if kind is Wanted.DAILY:
            return gaps.daily_gaps(
                task.daily_days or (), now=now, back_days=task.back_days, beside=self._load_gaps().ranges
            )
        if kind is Wanted.BILLING:
            return gaps.billing_gaps(task.billing_days or (), now=now)
        if kind & EVENTS:
            latest = dict(zip(task.logs or (), task.log_ats or (), strict=True)).get(names_of(kind)[0])
            return None if latest is None else gaps.Gaps(((int(latest.timestamp()) - _LOG_BACK_S, now),), True)
        return None

    def _load_gaps(self) -> gaps.Gaps:
        """What is missing of the load profile, if it is wanted."""
        task = self.task
        if self._wanted_load is not None:
            return self._wanted_load
        if not task.wants & _LOAD:
            return gaps.Gaps((), True)
        known = {day: int(bits, 2) for day, bits in zip(task.load_days or (), task.load_bits or (), strict=True)}
        layout = self._layouts.get(task.make, self.came.firmware, Wanted.LOAD)
        self._wanted_load = gaps.load_gaps(
            known,
            now=self._at,
            back_days=task.back_days,
            open_day=task.open_day,
            period_s=DEFAULT_PERIOD_S if layout is None else layout.period_s,
            most_days=gaps.MOST_DAYS_AT_ONCE if task.urgent and not task.tries else gaps.MOST_DAYS,
        )
        return self._wanted_load

    def _learn(self, kind: Wanted) -> Generator[bytes, Event, Layout]:
        found = profile_object(kind)
        captures = yield from self._get(_PROFILE_CLASS, found.ln, _CAPTURES)
        period = 0
        if kind is Wanted.LOAD:
            value = axdr.decode((yield from self._get(_PROFILE_CLASS, found.ln, _PERIOD)))
            period = value if isinstance(value, int) else 0
        scalers = next((each for each in india.single_phase() if each.scales is found), None)
        scaler_captures = scaler_buffer = b""
        if scalers is not None:
            try:
                scaler_captures = yield from self._get(_PROFILE_CLASS, scalers.ln, _CAPTURES)
                scaler_buffer = yield from self._get(_PROFILE_CLASS, scalers.ln, _BUFFER)
            except _RefusedByMeter:
                scaler_captures = scaler_buffer = b""
        layout, told = self._layouts.learn(
            make=self.task.make,
            firmware=self.came.firmware,
            kind=kind,
            captures=captures,
            scaler_captures=scaler_captures,
            scaler_buffer=scaler_buffer,
            period_s=period,
        )
        self._learned(Learned(layout, captures, told, self.task.meter))
        return layout


_Asking: TypeAlias = Generator[bytes, Event, bytes]


def _ist(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(india.IST)

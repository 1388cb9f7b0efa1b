"""Who is on the line: a caller who says nothing is asked, and has to prove what he answers.

First as the public client, without any key: the AARE may bring a system title, else the serial number is read. That is
a claim. Then as client 32 under the claimed meter's own keys: only who has them can answer, and his AARE must bring the
registered title. A claim that stands in no register is refused and counted, as is a proof that fails.

The password of client 32 goes out with its AARQ to whoever claims a name, as IS 15959 has it for every dial-out too; it
opens nothing without the encryption key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Opened
from bahal.dlms.quirks import quirks_of
from bahal.headend.calls import InboundCall
from bahal.headend.config import READING_SAP, HeadendConfig
from bahal.headend.database import FAILURES, Database
from bahal.headend.keys import KeyRing
from bahal.headend.lines import Strand
from bahal.headend.link import LinkLost, Links, Opening, Session
from bahal.headend.reads import ReadingKeys
from bahal.shared.sealing import SealBroken

AT_MOST: Final = 64
"""Callers asked at once; the others wait, within the time that an unproved caller has."""
PUBLIC_SAP: Final = 16
_DATA_CLASS: Final = 1
_SERIAL: Final = bytes((0, 0, 96, 1, 0, 255))
_VALUE: Final = 2
_LONGEST_SERIAL: Final = 32
_BUSY_PAUSE_S: Final = 1.0

_CALLER: Final = (
    "SELECT meter, make, system_title, import::text, sealed, token, counter FROM headend_caller(%s, %s, %s, %s, %s)"
)
_FREE: Final = "SELECT headend_free(%s, %s, %s)"


class _OnCall:
    """A session's way over a call that nobody is believed to be behind yet."""

    def __init__(self, call: InboundCall) -> None:
        self._call = call

    def open(self, session: Session) -> Opening:
        """Speak on it now."""
        try:
            self._call.attach(Strand(session, lambda strand, rest_s: None))
        except LinkLost as lost:
            session.break_off(lost.name, lost)
        return self

    def cancel(self) -> None:
        """It is open, or it is gone."""


class _Asking(Session):
    """AARQ as the public client, the serial number if no title came, RLRQ."""

    __slots__ = ("_call", "_done", "_serial", "_title")

    def __init__(self, links: Links, call: InboundCall, done: Callable[[InboundCall, bytes, str], None]) -> None:
        super().__init__(links)
        self._call = call
        self._done = done
        self._title = b""
        self._serial = ""
        self.association = ClientAssociation(
            client_sap=PUBLIC_SAP, mechanism=security.MECHANISM_NONE, security_control=0
        )

    @property
    def meter(self) -> str:
        """Nobody knows yet."""
        return f"caller {self._call.host}"

    def heard(self, event: Event) -> None:
        """Opened: ask. Answered: done."""
        if isinstance(event, Opened):
            if event.meter_title:
                self._title = event.meter_title
                self.finish()
            else:
                self.say(self.association.get(_DATA_CLASS, _SERIAL, _VALUE))
        elif isinstance(event, Got):
            value = event.value
            text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
            if isinstance(text, str) and 0 < len(text) <= _LONGEST_SERIAL and text.isprintable():
                self._serial = text
                self.finish()
            else:
                self.break_off("malformed")
        else:
            self.break_off("data_access_refused")

    def failed(self, name: str, error: Exception | None) -> None:
        """He did not say; one who was served and has gone meanwhile need not."""
        if self._call.alive:
            self._call.refuse("unidentified")

    def closed(self) -> None:
        """On to the proof."""
        self._done(self._call, self._title, self._serial)


class _Proving(Session):
    """AARQ as client 32 under the keys of the meter that was claimed, RLRQ."""

    __slots__ = ("_call", "_done", "_meter", "_proved")

    def __init__(
        self, links: Links, call: InboundCall, meter: str, association: ClientAssociation, done: Callable[[bool], None]
    ) -> None:
        super().__init__(links)
        self._call = call
        self._meter = meter
        self._done = done
        self._proved = False
        self.association = association

    @property
    def meter(self) -> str:
        """The serial that was claimed."""
        return self._meter

    def heard(self, event: Event) -> None:
        """Only who has the keys can have opened it."""
        if isinstance(event, Opened):
            self._proved = True
            self.finish()
        else:
            self.break_off("unexpected")

    def failed(self, name: str, error: Exception | None) -> None:
        """It is somebody else."""
        self._call.refuse("not_proved")

    def closed(self) -> None:
        """That is known now."""
        self._done(self._proved)


class Identification:
    """Asks silent callers, a bounded number at once."""

    def __init__(
        self, *, config: HeadendConfig, worker: str, database: Database, links: Links, keys: KeyRing[ReadingKeys]
    ) -> None:
        self._config = config
        self._worker = worker
        self._database = database
        self._links = links
        self._keys = keys
        self._log = structlog.get_logger().bind(part="identification")
        self._asking = 0
        self._proofs: set[asyncio.Task[None]] = set()

    def ask(self, call: InboundCall) -> None:
        """Ask this caller, if there is room."""
        if self._asking < AT_MOST:
            self._asking += 1
            _Asking(self._links, call, self._claimed).begin_by(_OnCall(call), total_s=self._config.session_s)

    def _claimed(self, call: InboundCall, title: bytes, serial: str) -> None:
        if not call.alive or call.pending is not None or not (title or serial):
            self._asking -= 1
            return
        task = self._links.loop.create_task(self._prove(call, title, serial))
        self._proofs.add(task)
        task.add_done_callback(self._proofs.discard)

    async def _prove(self, call: InboundCall, title: bytes, serial: str) -> None:
        config = self._config
        try:
            while call.alive:
                rows = await self._database.rows(
                    _CALLER, (self._worker, title, serial, config.lease_s, config.counter_block)
                )
                if not rows:
                    call.refuse("unknown_sender")
                    return
                meter, make, registered, import_id, sealed, token, counter = rows[0]
                if token is None:
                    await asyncio.sleep(_BUSY_PAUSE_S)
                    continue
                await self._keys.learn([import_id])
                await self._associate(call, meter, make, bytes(registered), import_id, sealed, counter)
                await self._database.rows(_FREE, (self._worker, meter, token))
                return
        except FAILURES as error:
            # The lease runs out by itself; the meter calls again.
            self._database.metrics.failures.labels("caller").inc()
            self._log.warning("caller_not_proved", error=type(error).__name__)
            call.refuse("not_proved")
        finally:
            self._asking -= 1

    async def _associate(
        self, call: InboundCall, meter: str, make: str, title: bytes, import_id: str, sealed: bytes, counter: int
    ) -> None:
        try:
            keys = self._keys.open(import_id, meter, sealed)
        except SealBroken:
            call.refuse("seal_broken")
            return
        if keys.reading is None:
            call.refuse("key_shared")
            return
        ended: asyncio.Future[bool] = self._links.loop.create_future()
        association = ClientAssociation(
            client_sap=READING_SAP,
            mechanism=security.MECHANISM_LLS,
            security_control=security.ENCRYPTED,
            system_title=self._config.system_title,
            meter_title=title,
            cipher=keys.reading,
            secret=keys.password,
            counter=counter,
            counter_end=counter + self._config.counter_block,
            quirks=quirks_of(make),
        )
        _Proving(self._links, call, meter, association, ended.set_result).begin_by(
            _OnCall(call), total_s=self._config.session_s
        )
        if await ended:
            call.proved(meter)

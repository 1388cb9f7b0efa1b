"""Alert pushes: a meter dials the head-end, writes one DataNotification under general-glo-ciphering, and hangs up."""

import asyncio
import ipaddress
import logging
from collections import deque
from typing import Final

from bahal.dlms import india, push, security, wrapper
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.model import PUSH_SAP
from bahal.dlms.objects.serving import SERVER_SAP
from bahal.dlms.security import Cipher
from bahal.fleet.circle import Circle
from bahal.fleet.faults import STORM_CALLS
from bahal.fleet.registers import twelve_bytes

_LOGGER: Final = logging.getLogger(__name__)

_QUEUE_AT_MOST: Final = 10_000
_SENDERS: Final = 16
_DIAL_DEADLINE_S: Final = 10.0
_REPETITION_DELAYS_S: Final = (0.0, 1.0, 5.0, 15.0)


class AlertSender:
    """Sends alerts of the circle's meters to one head-end, a few connections at a time.

    The queue is bounded; the oldest alert gives way and is counted as lost, as is one that the head-end never took.
    """

    def __init__(self, circle: Circle, *, host: str, port: int) -> None:
        self._circle = circle
        self._host = host
        self._port = port
        self._queue: deque[int] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def alert(self, row: int) -> None:
        """Queue an alert of a meter; its content is what the meter sees when it is sent."""
        if len(self._queue) >= _QUEUE_AT_MOST:
            self._queue.popleft()
            self._circle.stats.alerts_lost += 1
        self._queue.append(row)
        if len(self._tasks) < _SENDERS:
            task = asyncio.get_running_loop().create_task(self._send_queued())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def storm(self, row: int) -> None:
        """Let a meter dial the head-end `STORM_CALLS` times, one after the other, and say nothing."""
        task = asyncio.get_running_loop().create_task(self._dial_in_vain(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dial_in_vain(self, row: int) -> None:
        own = str(ipaddress.IPv4Address(self._circle.columns.address_of(row)))
        for _ in range(STORM_CALLS):
            try:
                async with asyncio.timeout(_DIAL_DEADLINE_S):
                    _, writer = await asyncio.open_connection(self._host, self._port, local_addr=(own, 0))
                    writer.close()
                    await writer.wait_closed()
            except OSError:
                # Refused or late: it dials again all the same.
                self._circle.stats.errors["storm"] += 1

    async def drain(self, *, deadline: float) -> None:
        """Wait for what is queued, at most `deadline` seconds, then stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=deadline)
        for task in list(self._tasks):
            task.cancel()

    async def _send_queued(self) -> None:
        while self._queue:
            row = self._queue.popleft()
            if await self._send(row):
                self._circle.stats.alerts_sent += 1
            else:
                self._circle.stats.alerts_lost += 1

    async def _send(self, row: int) -> bool:
        try:
            frame = alert_frame(self._circle, row)
        except DlmsError as error:
            self._circle.stats.errors[error.name] += 1
            return False
        own = str(ipaddress.IPv4Address(self._circle.columns.address_of(row)))
        for delay in _REPETITION_DELAYS_S:
            await asyncio.sleep(delay)
            try:
                async with asyncio.timeout(_DIAL_DEADLINE_S):
                    _, writer = await asyncio.open_connection(self._host, self._port, local_addr=(own, 0))
                    writer.write(frame)
                    writer.close()
                    await writer.wait_closed()
            except OSError as error:
                # A deadline that passes is an OSError too. The head-end may come back: the same bytes go again.
                _LOGGER.warning(
                    "alert not taken", extra={"meter": self._circle.columns.serial_of(row), "why": str(error)}
                )
            else:
                return True
        return False


def alert_frame(circle: Circle, row: int) -> bytes:
    """The framed alert of one meter as it stands now: device id, push setup, clock, event status word.

    Encrypted under the push key (security control 0x20: IS 15959 gives the push association no authentication key),
    from wPort 1 to wPort 64.

    :raises CounterExhausted: the push key has no counter left.
    """
    meter = circle.meter(row)
    keys = meter.keys(PUSH_SAP)
    assert keys is not None
    counter = meter.take_counter(PUSH_SAP)
    notification = push.seal_notification(
        cipher=Cipher(keys.encryption, keys.authentication),
        system_title=meter.system_title,
        counter=counter,
        body=india.single_phase_answers().push_body("push_alert", meter),
        clock=twelve_bytes(meter.now),
        invoke=counter & 0x00FFFFFF,
        security_control=security.ENCRYPTED,
    )
    return wrapper.frame(SERVER_SAP, PUSH_SAP, notification)

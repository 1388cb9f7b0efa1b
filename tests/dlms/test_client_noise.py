"""The client association against anything at all: bytes that no meter would send, in every state."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import acse, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Got, Notification, Opened, Refused
from bahal.dlms.association.states import TRANSITIONS
from bahal.dlms.errors import DlmsError
from tests.dlms.meter import METER_TITLE, Meter
from tests.dlms.test_client import LOAD, client, meter_with_values


def stages() -> list[tuple[ClientAssociation, Meter]]:
    """A client in every state in which bytes may come, with the meter it talks to."""
    made = []
    for depth in range(5):
        meter = meter_with_values(block=16)
        ours = client()
        if depth >= 1:
            request = ours.open()
        if depth >= 2:
            ours.receive(meter.answer(request))
            request = ours.outgoing()
        if depth >= 3:
            ours.receive(meter.answer(request))
            request = ours.get(7, LOAD, 2)
        if depth == 4:
            ours.receive(meter.answer(request))
        made.append((ours, meter))
    return made


@given(
    noise=st.binary(max_size=120),
    tag=st.sampled_from((b"", b"\xc4", b"\xc4\x02", b"\xc7\x01", b"\x61", b"\xd8", b"\xdb\x08")),
)
def test_random_bytes_raise_dlms_errors_alone_in_every_state(noise: bytes, tag: bytes) -> None:
    message = tag + noise or b"\x00"
    for bent in (
        lambda meter: noise,
        lambda meter: meter.framed(message),
        lambda meter: meter.framed(security.wrap(0xCC, message)),
        lambda meter: meter.framed(security.wrap(0xCC, meter.keys.seal(0x30, METER_TITLE, 1 << 20, message))),
        lambda meter: meter.framed(security.wrap(0xCF, meter.keys.seal(0x30, METER_TITLE, 1 << 20, message))),
        lambda meter: meter.framed(
            acse.aare(context=3, result=0, diagnostic=14, title=METER_TITLE, authentication=bytes(16), initiate=message)
        ),
    ):
        for ours, meter in stages():
            before = ours.state
            with contextlib.suppress(DlmsError):
                for event in ours.receive(bent(meter)):
                    assert isinstance(event, Notification | Got | Refused | ActionDone | Opened)
            assert ours.state in (before, *TRANSITIONS[before].values())

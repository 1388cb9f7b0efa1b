"""The client association against anything at all: bytes that no meter would send, in every state."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import acse, axdr, security
from bahal.dlms.apdu import Target
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionListDone, Got, Notification, Opened, Refused, SetDone
from bahal.dlms.association.states import TRANSITIONS
from bahal.dlms.errors import DlmsError
from tests.dlms.meter import METER_TITLE, Meter
from tests.dlms.test_client import LOAD, client, meter_with_values


def stages() -> list[tuple[ClientAssociation, Meter]]:
    """A client in every state in which bytes may come, with the meter it talks to."""
    made = []
    for depth in range(7):
        meter = meter_with_values(block=16)
        ours = client()
        if depth >= 1:
            request = ours.open()
        if depth >= 2:
            ours.receive(meter.answer(request))
            request = ours.outgoing()
        if depth >= 3:
            ours.receive(meter.answer(request))
            ours._room = 100  # what is long goes in blocks
        if depth in (3, 4):
            request = ours.get(7, LOAD, 2)
        if depth == 4:
            ours.receive(meter.answer(request))
        if depth == 5:
            ours.set(1, LOAD, 2, axdr.octets(bytes(500)))
        if depth == 6:
            ours.action_list([Target(1, LOAD, 1)] * 2, [axdr.octets(bytes(500))] * 2)
        made.append((ours, meter))
    return made


@given(
    noise=st.binary(max_size=120),
    tag=st.sampled_from(
        tuple(map(bytes.fromhex, ("", "c4", "c402", "c502", "c701", "c704", "61", "d8", "db08", "e0")))
    ),
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
                    assert isinstance(event, Notification | Got | Refused | SetDone | ActionListDone | Opened)
            assert ours.state in (before, *TRANSITIONS[before].values())

"""The seed corpus, made by our own encoders: `python -m tests.fuzz.seeds` writes it, a hexadecimal line a seed.

What a fuzzing run found is added to the files by hand and stays: the files are longer than what is made here.
"""

from collections.abc import Iterator
from pathlib import Path

from bahal.dlms import acse, apdu, axdr, india, push, security, wrapper
from bahal.dlms.axdr import BitString
from bahal.dlms.hdlc import HdlcClient, HdlcServer
from bahal.dlms.objects import image, security_setup
from bahal.dlms.objects.classes import CLASSES
from bahal.dlms.objects.layouts import ATTRIBUTES
from bahal.dlms.objects.security_setup import KeyId
from tests.dlms.bench_classes import MASTER_KEY, VALUES
from tests.dlms.bench_meter import LOAD, NOTE, Bench, moment
from tests.dlms.meter import METER_TITLE
from tests.fuzz.targets import CIPHER

CORPUS = Path(__file__).parent / "corpus"


def seeds_of(name: str) -> list[bytes]:
    """The seeds that are kept for a target."""
    return [bytes.fromhex(line) for line in (CORPUS / f"{name}.hex").read_text("ascii").split()]


def made() -> Iterator[tuple[str, bytes]]:
    """Seeds by target."""
    load = axdr.array(
        *(axdr.structure(axdr.octets(moment(n)), axdr.uint32(n), axdr.uint16(n), axdr.int8(-n)) for n in range(3))
    )
    values = [
        load, axdr.null(), axdr.float64(1.5), axdr.bits(india.status_word(0, 84)), axdr.visible("text"), axdr.int64(-1),
        bytes.fromhex("1302020f00120004010203"), bytes.fromhex("130112000401020304"),
    ]  # fmt: skip
    for value in values:
        yield "axdr", value
    yield "profile", load
    yield "profile", axdr.array(axdr.structure(axdr.null(), axdr.uint32(1), axdr.uint16(2), axdr.int8(3)))
    session = Bench(sap=16).open()
    session.say(session.client.get(1, NOTE, 2))
    session.say(session.client.get(7, LOAD, 2, apdu.by_entry(1, 3)))
    session.say(session.client.set(1, NOTE, 2, axdr.octets(b"x" * 30)))
    session.say(session.client.get_list([apdu.Target(1, NOTE, 2), apdu.Target(7, LOAD, 3)]))
    for data in session.requests + session.replies:
        if data:
            yield "wrapper", data
            yield "apdu", data[8:]
            yield "client", data[8:]
            yield "server", data[8:]
            yield "server", data
    yield "wrapper", wrapper.frame(1, 16, b"x" * 40) * 2
    for sap, control in ((16, 0), (32, 0x20), (48, 0x30)):
        bench = Bench(sap=sap, control=control)
        bench.say(bench.client.open())
        for data in bench.requests + bench.replies:
            if data:
                yield "acse", data[8:]
                yield "server", data
                yield "protected", data[8:]
    yield "acse", acse.rlrq(initiate=b"")
    for plain in (apdu.exception_response(1, 2), apdu.data_notification(0, b"", load), bytes.fromhex("c0014100")):
        for tag in (0xC8, 0xCC):
            yield "protected", security.wrap(tag, CIPHER.seal(0x30, METER_TITLE, 9, plain))
        yield "push", plain
        yield "apdu", plain
    body = axdr.structure(axdr.octets(b"M1"), axdr.octets(india.ALERT_LN), axdr.octets(moment(0)),
                          axdr.bits(india.status_word(83)))  # fmt: skip
    yield "push", body
    yield "push", push.seal_notification(cipher=CIPHER, system_title=METER_TITLE, counter=3, body=body)
    for calls in conversations():
        yield "objects", b"".join(bytes((class_id, number, len(raw))) + raw for class_id, number, raw in calls)
    serial = Bench(sap=16, framings=lambda: (HdlcClient(), HdlcServer())).open()
    serial.say(serial.client.get(7, LOAD, 2, apdu.by_entry(1, 20)))
    for data in serial.requests + serial.replies:
        if data:
            yield "hdlc", data


def conversations() -> Iterator[list[tuple[int, int, bytes]]]:
    """What is asked of objects that do something: class, attribute or 128 and the method, parameter."""
    nothing, entry = axdr.int8(0), ATTRIBUTES["schedule"].parts[0].encode(VALUES[10][2][0])
    four = axdr.structure(*(axdr.uint16(n) for n in (1, 5, 6, 9)))
    new = {KeyId.GLOBAL_UNICAST_ENCRYPTION: b"E" * 16, KeyId.AUTHENTICATION: b"A" * 16}
    rates = axdr.array(axdr.structure(axdr.octets(b"\x01"), axdr.int16(5)))
    yield [(18, 129, image.initiate(b"name", 9)), *((18, 130, image.block(n, content)) for n, content in
           image.blocks(b"123456789", 4)), (18, 131, nothing), (18, 132, nothing)]  # fmt: skip
    yield [(10, 130, entry), (10, 129, four), (10, 131, axdr.structure(axdr.uint16(1), axdr.uint16(9)))]
    yield [(9, 129, axdr.uint16(1)), (9, 2, ATTRIBUTES["scripts"].encode(VALUES[9][2]))]
    yield [(20, 7, ATTRIBUTES["seasons"].encode([])), (20, 129, nothing)]
    yield [(64, 130, security_setup.transfer(MASTER_KEY, new))]
    yield [(68, 129, axdr.structure(axdr.uint8(1), axdr.bits(BitString(2, b"\x80")))), (68, 130, nothing)]
    yield [(111, 129, nothing), (111, 130, nothing), (111, 131, nothing), (112, 129, axdr.int32(5)),
           (112, 130, axdr.int32(9)), (112, 131, nothing)]  # fmt: skip
    yield [(113, 129, rates), (113, 130, nothing), (113, 131, nothing), (113, 132, axdr.int32(5)),
           (113, 133, axdr.int32(6)), (115, 129, axdr.octets(b"12345678901234567890"))]  # fmt: skip
    for class_id in (9, 10, 20, 68, 111, 112, 113):
        kinds = {number: CLASSES[class_id].attributes[number].type for number in VALUES[class_id]}
        yield [(class_id, number, ATTRIBUTES[kind].encode(VALUES[class_id][number]))
               for number, kind in kinds.items() if kind in ATTRIBUTES]  # fmt: skip


def main() -> None:
    """Write the corpus; what was added to it stays."""
    CORPUS.mkdir(exist_ok=True)
    kept: dict[str, dict[bytes, None]] = {}
    for name, seed in made():
        kept.setdefault(name, {})[seed] = None
    for name, seeds in kept.items():
        file = CORPUS / f"{name}.hex"
        before = seeds_of(name) if file.exists() else []
        file.write_text("\n".join(seed.hex() for seed in dict.fromkeys([*seeds, *before])) + "\n", "ascii")


if __name__ == "__main__":
    main()

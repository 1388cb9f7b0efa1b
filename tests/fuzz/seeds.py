"""The seed corpus, made by our own encoders: `python -m tests.fuzz.seeds` writes it, a hexadecimal line a seed.

What a fuzzing run found is added to the files by hand and stays: the files are longer than what is made here.
"""

from collections.abc import Iterator
from pathlib import Path

from bahal.dlms import acse, apdu, axdr, india, push, security, wrapper
from bahal.dlms.hdlc import HdlcClient, HdlcServer
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
    serial = Bench(sap=16, framings=lambda: (HdlcClient(), HdlcServer())).open()
    serial.say(serial.client.get(7, LOAD, 2, apdu.by_entry(1, 20)))
    for data in serial.requests + serial.replies:
        if data:
            yield "hdlc", data


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

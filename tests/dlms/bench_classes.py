"""A model with one object of each interface class, and values for all of their attributes."""

from collections.abc import Mapping
from typing import Any

from bahal.dlms import axdr
from bahal.dlms.axdr import BitString
from bahal.dlms.objects.classes import CLASSES
from bahal.dlms.objects.image import ImageTransfer
from bahal.dlms.objects.model import load_model, obis
from bahal.dlms.objects.parts import ActivityCalendar, Arbitrator, KeyTransfer, Part, Schedule, ScriptTable
from bahal.dlms.objects.payment import Account, Charge, Credit, TokenGateway
from bahal.dlms.objects.serving import Answers
from bahal.dlms.objects.stored import UTC
from tests.dlms.meter import CLIENT_TITLE, METER_TITLE

MASTER_KEY = b"M" * 16
NIGHT = bytes((22, 0, 0, 0))
SCRIPTS = obis("0.0.10.0.0.255")
NEVER = b"\xff" * 12
VALUES: Mapping[int, Mapping[int, Any]] = {
    9: {2: [(1, [(1, 70, obis("0.0.96.3.10.255"), 1, axdr.int8(0))])]},
    10: {2: [(7, True, SCRIPTS, 1, NIGHT, 60, BitString(7, b"\xfe"), BitString(8, b"\0"), NEVER[:5], NEVER[:5])]},
    20: {
        2: b"now", 3: [(b"S1", NEVER, b"W1")], 4: [(b"W1", 1, 1, 1, 1, 1, 2, 2)],
        5: [(1, [(NIGHT, SCRIPTS, 1)]), (2, [])], 6: b"next", 7: [], 8: [], 9: [(3, [])], 10: NEVER,
    },
    21: {
        2: [axdr.uint32(5_000)], 3: (3, obis("1.0.1.7.0.255"), 2),
        4: [((SCRIPTS, 1), (SCRIPTS, 2))],
    },
    22: {2: (SCRIPTS, 1), 3: 1, 4: [(NIGHT, NEVER[:5])]},
    68: {
        2: [(SCRIPTS, 1), (SCRIPTS, 2)], 3: [BitString(2, b"\xc0")], 4: [[1, 2], [3, 4]],
        5: [BitString(2, b"\0")], 6: 0,
    },
    111: {
        2: (2, 2), 3: 1, 4: BitString(8, b"\x10"), 5: -5_000, 6: 0, 7: 0, 8: 250, 9: [obis("0.0.19.10.0.255")],
        10: [obis("0.0.19.20.0.255")], 11: [(obis("0.0.19.10.0.255"), obis("0.0.19.20.0.255"), BitString(3, b"\x80"))],
        12: [(obis("0.0.19.40.0.255"), 100)], 13: NEVER, 14: NEVER, 15: ("INR", -2, 0), 16: 10_000, 17: 0, 18: 5,
        19: 86_400,
    },
    112: {2: 12_345, 3: 0, 4: 1, 5: 500, 6: -1_000, 7: BitString(5, b"\x80"), 8: 1, 9: 0, 10: 0, 11: NEVER},
    113: {
        2: 100, 3: 0, 4: 1, 5: ((0, -2), (3, obis("1.0.1.8.0.255"), 2), [(b"\x01", 410)]),
        6: ((0, -2), (3, obis("1.0.1.8.0.255"), 2), []), 7: NEVER, 8: 2_592_000, 9: BitString(2, b"\0"), 10: NEVER,
        11: 0, 12: 0, 13: 0,
    },
    115: {2: b"", 3: b"", 4: [], 5: 0, 6: (8, BitString(8, b"\0"))},
}  # fmt: skip
LN = {class_id: bytes((0, 0, 128, class_id, 0, 255)) for class_id in (*VALUES, 18, 64, 71)}


def objects() -> str:
    """One object of each class, which the setting client may do everything with and the reading one may read."""
    lines = ['version = "classes"']
    for class_id, ln in LN.items():
        interface = CLASSES[class_id]
        writes = ", ".join(f'"{number}" = [48]' for number in list(interface.attributes)[1:])
        acts = ", ".join(f'"{number}" = [48]' for number in interface.methods)
        kind = 'type = "double-long-unsigned"\n' if class_id == 71 else ""
        lines.append(
            f'[[object]]\nclass = {class_id}\nln = "{".".join(map(str, ln))}"\nname = "c{class_id}"\n'
            f'en = "x"\nhi = "x"\nread = [32, 48]\n{kind}write = {{ {writes} }}\nact = {{ {acts} }}'
        )
    # The class 71 object monitors what every meter of this house has.
    lines.append('[[object]]\nclass = 3\nln = "1.0.1.7.0.255"\nname = "active_power"\nen = "x"\nhi = "x"\n'
                 'type = "double-long-unsigned"\nscaler = [0, 27]\nread = [32]')  # fmt: skip
    return "\n".join(lines)


ANSWERS = Answers(load_model(objects()), zone=UTC)
LIMITER = {3: 5_000, 4: 5_000, 5: 500, 6: 60, 7: 60, 8: (1, NEVER, 3_600), 9: [1, 2], 10: False,
           11: ((SCRIPTS, 1), (SCRIPTS, 2))}  # fmt: skip


def all_parts() -> dict[str, Part]:
    """An object of each class that does something, with the values above; what it would do, it does not."""
    security = {2: 3, 3: 0, 4: CLIENT_TITLE, 5: METER_TITLE}
    return {
        "c9": ScriptTable(VALUES[9][2], lambda number, actions: 0),
        "c10": Schedule(VALUES[10]),
        "c18": ImageTransfer(block_size=4, verify=lambda name, image: True, activate=lambda name, image: True),
        "c20": ActivityCalendar(VALUES[20]),
        "c64": KeyTransfer(security, master_key=MASTER_KEY, take=lambda keys: None),
        "c68": Arbitrator(VALUES[68], lambda number, script: 0),
        "c111": Account(VALUES[111], now=lambda: NEVER),
        "c112": Credit(VALUES[112]),
        "c113": Charge(VALUES[113], collect=lambda: 1, now=lambda: NEVER),
        "c115": TokenGateway(lambda token: 3, now=lambda: NEVER),
    }

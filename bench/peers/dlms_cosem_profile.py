"""Client CPU of one day of load profile with dlms-cosem (21.3.2 or 25.1), for `bench.profile` to compare with.

Runs with the interpreter of that peer's environment, which `make peers` lays; it imports nothing of Bahal. Reads one
JSON object from standard input: the buffer (hex) and its captures. By the documented pieces of the package: decryption
with the tag checked, the GET response, and `ProfileGenericBufferParser` to its list of column values. Authenticated and
encrypted; the ciphered text is made once beforehand. It begins with the text, not with its APDU, because the package
writes no ciphered APDU over 255 bytes: that part is a present to it. CPU time of this process.
"""

import gc
import json
import statistics
import sys
import time
from importlib.metadata import version

from dlms_cosem import enumerations as enums
from dlms_cosem import security
from dlms_cosem.cosem import CosemAttribute, Obis
from dlms_cosem.parsers import ProfileGenericBufferParser
from dlms_cosem.protocol import xdlms

RUNS = 9
PROFILES = 150

KEYS = {"key": bytes(range(16)), "auth_key": bytes(range(0xD0, 0xE0))}
METER_TITLE = b"MMM\x00\x00\xbc\x61\x4e"
COUNTER = 70_001
HALF_HOUR_MINUTES = 30
ROWS, WIDTH = 48, 7


def decoded(used, text, parser):
    """One ciphered text to rows of column values."""
    plain = security.decrypt(used, system_title=METER_TITLE, invocation_counter=COUNTER, cipher_text=text, **KEYS)
    return parser.parse_bytes(xdlms.GetResponseFactory.from_bytes(plain).data)


def main():
    """Print one JSON line: `us` is the median of `runs`, in microseconds a profile."""
    asked = json.load(sys.stdin)
    captures = [
        CosemAttribute(enums.CosemInterface(class_id), Obis(*name), attribute)
        for class_id, name, attribute in asked["captures"]
    ]
    parser = ProfileGenericBufferParser(capture_objects=captures, capture_period=HALF_HOUR_MINUTES)
    used = security.SecurityControlField(0, authenticated=True, encrypted=True)
    text = security.encrypt(
        used,
        system_title=METER_TITLE,
        invocation_counter=COUNTER,
        plain_text=b"\xc4\x01\xc1\x00" + bytes.fromhex(asked["buffer"]),
        **KEYS,
    )
    rows = decoded(used, text, parser)
    if len(rows) != ROWS or any(len(row) != WIDTH for row in rows):
        raise SystemExit("not the day that was sent")
    runs = []
    for _ in range(RUNS):
        gc.collect()
        begun = time.process_time()
        for _ in range(PROFILES):
            decoded(used, text, parser)
        runs.append(round((time.process_time() - begun) / PROFILES * 1e6, 1))
    print(json.dumps({"us": statistics.median(runs), "runs": runs, "version": version("dlms-cosem")}))


if __name__ == "__main__":
    main()

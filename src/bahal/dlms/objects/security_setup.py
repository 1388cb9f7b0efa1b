"""Class 64, Security setup: the key transfer (method 2).

Source: Blue Book, class 64: an array of {key_id, key_wrapped}, each key wrapped by the master key as in RFC 3394.
"""

import enum

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange
from bahal.dlms.security import KEY_LENGTH, unwrap_key, wrap_key

SECURITY_ACTIVATE = 1
KEY_TRANSFER = 2


class KeyId(enum.IntEnum):
    """Which key is transferred."""

    GLOBAL_UNICAST_ENCRYPTION = 0
    GLOBAL_BROADCAST_ENCRYPTION = 1
    AUTHENTICATION = 2


def transfer(master_key: bytes, keys: dict[KeyId, bytes]) -> bytes:
    """The parameters of a key transfer: each key wrapped by `master_key`.

    :raises ValueOutOfRange: two of the keys are alike, or one is the master key.
    """
    if len({master_key, *keys.values()}) <= len(keys):
        raise ValueOutOfRange("key transfer", "keys that are alike")
    return axdr.array(
        *(axdr.structure(axdr.enum(key_id), axdr.octets(wrap_key(master_key, key))) for key_id, key in keys.items())
    )


def read_transfer(master_key: bytes, value: axdr.Value) -> dict[KeyId, bytes]:
    """The keys of a transfer, all or none.

    Two keys that are alike are one secret in two places: whoever learns the one has the other.

    :raises MalformedApdu: another form, an unknown key id, one that stands twice, a key that is not 16 bytes, two keys
        that are alike or one that is the master key.
    :raises BadTag: wrapped by another master key, or altered.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= len(KeyId):
        raise MalformedApdu("a key transfer is an array of one to three keys")
    keys: dict[KeyId, bytes] = {}
    for each in value:
        match each:
            case (int() as number, bytes() as wrapped) if number in KeyId._value2member_map_:
                key = unwrap_key(master_key, wrapped)
                if len(key) != KEY_LENGTH:
                    raise MalformedApdu(f"a key of {len(key)} bytes")
                if number in keys:
                    raise MalformedApdu(f"key {number} stands twice")
                keys[KeyId(number)] = key
            case _:
                raise MalformedApdu("not a key id and a wrapped key")
    if len({master_key, *keys.values()}) <= len(keys):
        raise MalformedApdu("keys that are alike")
    return keys

"""COSEM interface classes as data: attribute and method numbers, names and types (DLMS UA Blue Book).

Only the classes that the product speaks: 1, 3, 4, 7, 8, 15, 40, 64, 70 and the readable part of 71. Attribute 1 of
each is the logical name. A type of `CHOICE` is settled by the object (`bahal.dlms.objects.model`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bahal.dlms import axdr

CHOICE: Final = "CHOICE"
CLOCK: Final = "date-time octets"

DATA: Final = 1
REGISTER: Final = 3
EXTENDED_REGISTER: Final = 4
PROFILE_GENERIC: Final = 7
CLOCK_CLASS: Final = 8
ASSOCIATION_LN: Final = 15
PUSH_SETUP: Final = 40
SECURITY_SETUP: Final = 64
DISCONNECT_CONTROL: Final = 70
LIMITER: Final = 71


@dataclass(frozen=True, slots=True)
class SimpleType:
    """A type without parts: its tag, how it is encoded and, when its size is fixed, its column name in
    `bahal.dlms.rows` and its `struct` code after tag (and length)."""

    tag: int
    encode: Callable[[Any], bytes]
    column: str | None = None
    code: str = ""


SIMPLE_TYPES: Final[dict[str, SimpleType]] = {
    "boolean": SimpleType(axdr.BOOLEAN, axdr.boolean, "boolean", "?"),
    "integer": SimpleType(axdr.INT8, axdr.int8, "int8", "b"),
    "long": SimpleType(axdr.INT16, axdr.int16, "int16", "h"),
    "double-long": SimpleType(axdr.INT32, axdr.int32, "int32", "i"),
    "long64": SimpleType(axdr.INT64, axdr.int64, "int64", "q"),
    "unsigned": SimpleType(axdr.UINT8, axdr.uint8, "uint8", "B"),
    "long-unsigned": SimpleType(axdr.UINT16, axdr.uint16, "uint16", "H"),
    "double-long-unsigned": SimpleType(axdr.UINT32, axdr.uint32, "uint32", "I"),
    "long64-unsigned": SimpleType(axdr.UINT64, axdr.uint64, "uint64", "Q"),
    "enum": SimpleType(axdr.ENUM, axdr.enum, "enum", "B"),
    "octet-string": SimpleType(axdr.OCTET_STRING, axdr.octets),
    "visible-string": SimpleType(axdr.VISIBLE_STRING, axdr.visible),
    "bit-string": SimpleType(axdr.BIT_STRING, axdr.bits),
    CLOCK: SimpleType(axdr.OCTET_STRING, axdr.octets, "octets:12", "12s"),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute; `type` is a name of `SIMPLE_TYPES`, `CHOICE`, `array` or `structure`."""

    number: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Method:
    """One method."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class InterfaceClass:
    """One class; attributes and methods by number."""

    id: int
    name: str
    attributes: dict[int, Attribute]
    methods: dict[int, Method]


def _class(number: int, name: str, attributes: str, methods: str = "") -> InterfaceClass:
    """Attributes as "name:type name:type" from attribute 2 on, methods as "name name" from method 1 on."""
    named = [("logical_name", "octet-string")]
    for pair in attributes.split():
        label, _, kind = pair.partition(":")
        named.append((label, {"clock": CLOCK, "choice": CHOICE}.get(kind, kind)))
    return InterfaceClass(
        number,
        name,
        {n: Attribute(n, label, kind) for n, (label, kind) in enumerate(named, start=1)},
        {n: Method(n, label) for n, label in enumerate(methods.split(), start=1)},
    )


CLASSES: Final[dict[int, InterfaceClass]] = {
    each.id: each
    for each in (
        _class(DATA, "Data", "value:choice"),
        _class(REGISTER, "Register", "value:choice scaler_unit:structure", "reset"),
        _class(
            EXTENDED_REGISTER,
            "Extended register",
            "value:choice scaler_unit:structure status:unsigned capture_time:clock",
            "reset",
        ),
        _class(
            PROFILE_GENERIC,
            "Profile generic",
            "buffer:array capture_objects:array capture_period:double-long-unsigned sort_method:enum "
            "sort_object:structure entries_in_use:double-long-unsigned profile_entries:double-long-unsigned",
            "reset capture",
        ),
        _class(
            CLOCK_CLASS,
            "Clock",
            "time:clock time_zone:long status:unsigned daylight_savings_begin:octet-string "
            "daylight_savings_end:octet-string daylight_savings_deviation:integer daylight_savings_enabled:boolean "
            "clock_base:enum",
            "adjust_to_quarter adjust_to_measuring_period adjust_to_minute adjust_to_preset_time preset_adjusting_time "
            "shift_time",
        ),
        _class(
            ASSOCIATION_LN,
            "Association LN",
            "object_list:array associated_partners_id:structure application_context_name:octet-string "
            "xdlms_context_info:structure authentication_mechanism_name:octet-string secret:octet-string "
            "association_status:enum security_setup_reference:octet-string",
            "reply_to_hls_authentication change_hls_secret add_object remove_object",
        ),
        _class(
            PUSH_SETUP,
            "Push setup",
            "push_object_list:array send_destination_and_method:structure communication_window:array "
            "randomisation_start_interval:long-unsigned number_of_retries:unsigned repetition_delay:long-unsigned",
            "push",
        ),
        _class(
            SECURITY_SETUP,
            "Security setup",
            "security_policy:enum security_suite:enum client_system_title:octet-string "
            "server_system_title:octet-string",
            "security_activate key_transfer",
        ),
        _class(
            DISCONNECT_CONTROL,
            "Disconnect control",
            "output_state:boolean control_state:enum control_mode:enum",
            "remote_disconnect remote_reconnect",
        ),
        _class(
            LIMITER,
            "Limiter",
            "monitored_value:structure threshold_active:choice threshold_normal:choice threshold_emergency:choice",
        ),
    )
}

UNITS: Final = {
    6: "min",
    7: "s",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    35: "V",
    44: "Hz",
    255: "",
}

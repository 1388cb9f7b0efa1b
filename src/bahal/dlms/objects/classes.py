"""COSEM interface classes as data: attribute and method numbers, names and types (DLMS UA Blue Book).

Attribute 1 of each class is the logical name. A type of `CHOICE` is settled by the object (`bahal.dlms.objects.model`);
a name of `LAYOUTS` is an array or structure (`bahal.dlms.objects.layouts`). Versions are those of the Blue Book's first
edition of each class but class 15, which is version 1; layouts of the payment classes come from its summaries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bahal.dlms import axdr

CHOICE: Final = "CHOICE"
CLOCK: Final = "date-time octets"

LAYOUTS: Final[dict[str, str]] = {
    "scripts": "array(structure(long-unsigned, array(structure(enum, long-unsigned, octet-string, integer, any))))",
    "schedule": "array(structure(long-unsigned, boolean, octet-string, long-unsigned, octet-string, long-unsigned, "
    "bit-string, bit-string, octet-string, octet-string))",
    "images": "array(structure(double-long-unsigned, octet-string, octet-string))",
    "seasons": "array(structure(octet-string, octet-string, octet-string))",
    "weeks": "array(structure(octet-string, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned))",
    "days": "array(structure(unsigned, array(structure(octet-string, octet-string, long-unsigned))))",
    "thresholds": "array(any)",
    "attribute": "structure(long-unsigned, octet-string, integer)",
    "script": "structure(octet-string, long-unsigned)",
    "script-pairs": "array(structure(structure(octet-string, long-unsigned), structure(octet-string, long-unsigned)))",
    "script-pair": "structure(structure(octet-string, long-unsigned), structure(octet-string, long-unsigned))",
    "moments": "array(structure(octet-string, octet-string))",
    "arbitrations": "array(structure(octet-string, long-unsigned))",
    "bit-strings": "array(bit-string)",
    "weightings": "array(array(long-unsigned))",
    "emergency": "structure(long-unsigned, octet-string, double-long-unsigned)",
    "groups": "array(long-unsigned)",
    "account-status": "structure(enum, enum)",
    "references": "array(octet-string)",
    "credit-charges": "array(structure(octet-string, octet-string, bit-string))",
    "token-gateways": "array(structure(octet-string, unsigned))",
    "currency": "structure(visible-string, integer, enum)",
    "unit-charge": "structure(structure(integer, integer), structure(long-unsigned, octet-string, integer), "
    "array(structure(octet-string, long)))",
    "descriptions": "array(octet-string)",
    "token-status": "structure(enum, bit-string)",
}
"""Attributes that are arrays or structures, by a name of this house."""

DATA: Final = 1
REGISTER: Final = 3
EXTENDED_REGISTER: Final = 4
PROFILE_GENERIC: Final = 7
CLOCK_CLASS: Final = 8
SCRIPT_TABLE: Final = 9
SCHEDULE: Final = 10
ASSOCIATION_LN: Final = 15
IMAGE_TRANSFER: Final = 18
ACTIVITY_CALENDAR: Final = 20
REGISTER_MONITOR: Final = 21
SINGLE_ACTION_SCHEDULE: Final = 22
PUSH_SETUP: Final = 40
SECURITY_SETUP: Final = 64
ARBITRATOR: Final = 68
DISCONNECT_CONTROL: Final = 70
LIMITER: Final = 71
ACCOUNT: Final = 111
CREDIT: Final = 112
CHARGE: Final = 113
TOKEN_GATEWAY: Final = 115


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
    """One attribute; `type` is a name of `SIMPLE_TYPES` or of `LAYOUTS`, `CHOICE`, `array` or `structure`."""

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
            "monitored_value:structure threshold_active:choice threshold_normal:choice threshold_emergency:choice "
            "min_over_threshold_duration:double-long-unsigned min_under_threshold_duration:double-long-unsigned "
            "emergency_profile:emergency emergency_profile_group_id_list:groups emergency_profile_active:boolean "
            "actions:script-pair",
        ),
        _class(SCRIPT_TABLE, "Script table", "scripts:scripts", "execute"),
        _class(SCHEDULE, "Schedule", "entries:schedule", "enable_disable insert delete"),
        _class(
            IMAGE_TRANSFER,
            "Image transfer",
            "image_block_size:double-long-unsigned image_transferred_blocks_status:bit-string "
            "image_first_not_transferred_block_number:double-long-unsigned image_transfer_enabled:boolean "
            "image_transfer_status:enum image_to_activate_info:images",
            "image_transfer_initiate image_block_transfer image_verify image_activate",
        ),
        _class(
            ACTIVITY_CALENDAR,
            "Activity calendar",
            "calendar_name_active:octet-string season_profile_active:seasons week_profile_table_active:weeks "
            "day_profile_table_active:days calendar_name_passive:octet-string season_profile_passive:seasons "
            "week_profile_table_passive:weeks day_profile_table_passive:days "
            "activate_passive_calendar_time:octet-string",
            "activate_passive_calendar",
        ),
        _class(
            REGISTER_MONITOR,
            "Register monitor",
            "thresholds:thresholds monitored_value:attribute actions:script-pairs",
        ),
        _class(
            SINGLE_ACTION_SCHEDULE,
            "Single action schedule",
            "executed_script:script type:enum execution_time:moments",
        ),
        _class(
            ARBITRATOR,
            "Arbitrator",
            "actions:arbitrations permissions_table:bit-strings weightings_table:weightings "
            "most_recent_requests_table:bit-strings last_outcome:unsigned",
            "request_action reset",
        ),
        _class(
            ACCOUNT,
            "Account",
            "account_mode_and_status:account-status current_credit_in_use:unsigned current_credit_status:bit-string "
            "available_credit:double-long amount_to_clear:double-long clearance_threshold:double-long "
            "aggregated_debt:double-long credit_reference_list:references charge_reference_list:references "
            "credit_charge_configuration:credit-charges token_gateway_configuration:token-gateways "
            "account_activation_time:octet-string account_closure_time:octet-string currency:currency "
            "low_credit_threshold:double-long next_credit_available_threshold:double-long max_provision:long-unsigned "
            "max_provision_period:double-long",
            "activate_account close_account reset_account",
        ),
        _class(
            CREDIT,
            "Credit",
            "current_credit_amount:double-long credit_type:enum priority:unsigned warning_threshold:double-long "
            "limit:double-long credit_configuration:bit-string credit_status:enum preset_credit_amount:double-long "
            "credit_available_threshold:double-long period:octet-string",
            "update_amount set_amount_to_value invoke_credit",
        ),
        _class(
            CHARGE,
            "Charge",
            "total_amount_paid:double-long charge_type:enum priority:unsigned unit_charge_active:unit-charge "
            "unit_charge_passive:unit-charge unit_charge_activation_time:octet-string period:double-long-unsigned "
            "charge_configuration:bit-string last_collection_time:octet-string last_collection_amount:double-long "
            "total_amount_remaining:double-long proportion:long-unsigned",
            "update_unit_charge activate_passive_unit_charge collect update_total_amount_remaining "
            "set_total_amount_remaining",
        ),
        _class(
            TOKEN_GATEWAY,
            "Token gateway",
            "token:octet-string token_time:octet-string token_description:descriptions token_delivery_method:enum "
            "token_status:token-status",
            "enter",
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

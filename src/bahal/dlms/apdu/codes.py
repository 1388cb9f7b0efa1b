"""The numbers of xDLMS: tags of services, kinds of request and response, results, and how much is taken at once."""

from __future__ import annotations

from typing import Final

DATA_NOTIFICATION: Final = 0x0F
GET_REQUEST: Final = 0xC0
SET_REQUEST: Final = 0xC1
EVENT_NOTIFICATION: Final = 0xC2
ACTION_REQUEST: Final = 0xC3
GET_RESPONSE: Final = 0xC4
SET_RESPONSE: Final = 0xC5
ACTION_RESPONSE: Final = 0xC7
EXCEPTION_RESPONSE: Final = 0xD8
GENERAL_BLOCK_TRANSFER: Final = 0xE0

# Kinds of GET: request and response.
NORMAL: Final = 1
NEXT: Final = 2
WITH_BLOCK: Final = 2
WITH_LIST: Final = 3

# Kinds of SET.request and SET.response beyond NORMAL.
SET_FIRST_BLOCK: Final = 2
SET_BLOCK: Final = 3
SET_WITH_LIST: Final = 4
SET_LIST_FIRST_BLOCK: Final = 5
SET_BLOCK_TAKEN: Final = 2
SET_LAST_BLOCK: Final = 3
SET_LAST_BLOCK_OF_LIST: Final = 4
SET_LIST_DONE: Final = 5

# Kinds of ACTION.request and ACTION.response beyond NORMAL; with-list is WITH_LIST in both.
ACTION_NEXT: Final = 2
ACTION_FIRST_BLOCK: Final = 4
ACTION_LIST_FIRST_BLOCK: Final = 5
ACTION_BLOCK: Final = 6
ACTION_IN_BLOCKS: Final = 2
ACTION_BLOCK_TAKEN: Final = 4

CONFIRMED_HIGH: Final = 0xC0

# data-access-result, shared in most values by action-result
SUCCESS: Final = 0
HARDWARE_FAULT: Final = 1
TEMPORARY_FAILURE: Final = 2
READ_WRITE_DENIED: Final = 3
OBJECT_UNDEFINED: Final = 4
OBJECT_CLASS_INCONSISTENT: Final = 9
OBJECT_UNAVAILABLE: Final = 11
TYPE_UNMATCHED: Final = 12
SCOPE_OF_ACCESS_VIOLATED: Final = 13
DATA_BLOCK_UNAVAILABLE: Final = 14
LONG_GET_ABORTED: Final = 15
NO_LONG_GET_IN_PROGRESS: Final = 16
LONG_SET_ABORTED: Final = 17
NO_LONG_SET_IN_PROGRESS: Final = 18
DATA_BLOCK_NUMBER_INVALID: Final = 19
OTHER_REASON: Final = 250

# action-result alone
LONG_ACTION_ABORTED: Final = 15
NO_LONG_ACTION_IN_PROGRESS: Final = 16

STATE_SERVICE_NOT_ALLOWED: Final = 1
STATE_SERVICE_UNKNOWN: Final = 2
SERVICE_OPERATION_NOT_POSSIBLE: Final = 1
SERVICE_NOT_SUPPORTED: Final = 2
SERVICE_OTHER_REASON: Final = 3
SERVICE_PDU_TOO_LONG: Final = 4
SERVICE_DECIPHERING_ERROR: Final = 5
SERVICE_INVOCATION_COUNTER_ERROR: Final = 6

LIST_LIMIT: Final = 64
"""Most targets, values or results of one list."""

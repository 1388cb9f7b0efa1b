"""Everything that can go wrong between us and a meter, each with a name and its data.

Two families, after h11: a :class:`LocalError` is our own misuse and a bug or a bad setting on our side; a
:class:`RemoteError` is what the other end did.  ``name`` is a short slug that serves as a metric label, ``data`` the
facts that were known when the error was raised.  No message carries key material.
"""

from __future__ import annotations

from typing import ClassVar


class DlmsError(Exception):
    """Root of all errors of this package."""

    name: ClassVar[str] = "dlms"

    @property
    def data(self) -> dict[str, object]:
        """The facts of this error, by attribute name."""
        return dict(vars(self))


class LocalError(DlmsError):
    """Our own side broke a rule; the meter is not to blame."""

    name = "local"


class RemoteError(DlmsError):
    """The other end broke a rule, refused, or could not prove who it is."""

    name = "remote"


class StateError(LocalError):
    """A call that the association's state does not allow, such as a second request before the first was answered."""

    name = "state"

    def __init__(self, state: str, step: str) -> None:
        super().__init__(f"{step} is not allowed in state {state}")
        self.state = state
        self.step = step


class CounterExhausted(LocalError):
    """The reserved block of invocation counters is used up; nothing was sent."""

    name = "counter_exhausted"

    def __init__(self, counter_end: int) -> None:
        super().__init__(f"no invocation counter left below {counter_end}")
        self.counter_end = counter_end


class ValueOutOfRange(LocalError):
    """A value that its A-XDR type, or a field of an APDU, cannot hold."""

    name = "value_out_of_range"

    def __init__(self, kind: str, value: object) -> None:
        super().__init__(f"{kind} cannot hold {value!r}")
        self.kind = kind
        self.value = value


class NothingStored(LocalError):
    """A meter or an object of it has no value for an attribute that its model promises or its methods work on."""

    name = "nothing_stored"

    def __init__(self, object_name: str, attribute: int) -> None:
        super().__init__(f"{object_name} has no value for attribute {attribute}")
        self.object_name = object_name
        self.attribute = attribute


class RequestTooLong(LocalError):
    """A request longer than the meter said it can receive."""

    name = "request_too_long"

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"request of {length} bytes, the meter takes {limit}")
        self.length = length
        self.limit = limit


class MalformedApdu(RemoteError):
    """Bytes that do not follow their encoding rules."""

    name = "malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OversizedApdu(RemoteError):
    """More bytes, elements or levels than this side is willing to hold."""

    name = "oversized"

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"{length} claimed, the limit is {limit}")
        self.length = length
        self.limit = limit


class UnexpectedApdu(RemoteError):
    """A well-formed APDU that nobody asked for, or that came without the protection agreed on."""

    name = "unexpected"

    def __init__(self, tag: int, state: str) -> None:
        super().__init__(f"APDU 0x{tag:02X} in state {state}")
        self.tag = tag
        self.state = state


class BadTag(RemoteError):
    """The authentication tag is wrong: another key, another system title, or altered bytes."""

    name = "bad_tag"

    def __init__(self, counter: int = -1) -> None:
        super().__init__("authentication tag does not match")
        self.counter = counter


class WeakProtection(RemoteError):
    """A ciphered APDU with less protection than the association asks for (Green Book, security control byte)."""

    name = "weak_protection"

    def __init__(self, required: int, got: int) -> None:
        super().__init__(f"security control 0x{got:02X}, at least 0x{required:02X} is required")
        self.required = required
        self.got = got


class ReplayedCounter(RemoteError):
    """The meter's invocation counter did not rise."""

    name = "replayed_counter"

    def __init__(self, last: int, got: int) -> None:
        super().__init__(f"meter counter {got} after {last}")
        self.last = last
        self.got = got


class AssociationRejected(RemoteError):
    """The AARE refuses; ``result`` and ``diagnostic`` as in ISO/IEC 8650-1 and the Green Book."""

    name = "association_rejected"

    def __init__(self, result: int, diagnostic: int) -> None:
        super().__init__(f"association rejected: result {result}, diagnostic {diagnostic}")
        self.result = result
        self.diagnostic = diagnostic


class HlsFailed(RemoteError):
    """The high level security exchange did not prove the other end."""

    name = "hls_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ServiceException(RemoteError):
    """An ExceptionResponse.  It is never authenticated: an ACTION answered so is unknown, not failed."""

    name = "service_exception"

    def __init__(self, state_error: int, service_error: int, invocation_counter: int | None = None) -> None:
        super().__init__(f"exception response: state error {state_error}, service error {service_error}")
        self.state_error = state_error
        self.service_error = service_error
        self.invocation_counter = invocation_counter


class LinkRefused(RemoteError):
    """The data link layer refuses: not connected (DM), or a frame that it cannot take (FRMR, with its information)."""

    name = "link_refused"

    def __init__(self, reason: str, info: bytes = b"") -> None:
        super().__init__(f"link refused: {reason} {info.hex()}".rstrip())
        self.reason = reason
        self.info = info


class LinkLost(RemoteError):
    """The data link layer repeated itself and got no answer that helps."""

    name = "link_lost"

    def __init__(self, tries: int) -> None:
        super().__init__(f"no answer on the link after {tries} tries")
        self.tries = tries


class DataAccessRefused(RemoteError):
    """A GET or SET refused with a data-access-result other than success."""

    name = "data_access_refused"

    def __init__(self, result: int) -> None:
        super().__init__(f"data access result {result}")
        self.result = result


class ActionRefused(RemoteError):
    """An ACTION refused with an action-result other than success."""

    name = "action_refused"

    def __init__(self, result: int) -> None:
        super().__init__(f"action result {result}")
        self.result = result


class WrongSystemTitle(RemoteError):
    """The meter that answered is not the registered one."""

    name = "wrong_system_title"

    def __init__(self, expected: bytes, got: bytes) -> None:
        super().__init__(f"system title {got.hex()} where {expected.hex()} is registered")
        self.expected = expected
        self.got = got


class InvokeIdMismatch(RemoteError):
    """The answer does not echo the invoke-id of the request."""

    name = "invoke_id_mismatch"

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"invoke-id {got} answers {expected}")
        self.expected = expected
        self.got = got

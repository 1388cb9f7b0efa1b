"""What :meth:`ClientAssociation.receive` reports."""

from __future__ import annotations

from typing import TypeAlias

from bahal.dlms import axdr
from bahal.dlms.apdu import (
    DataNotification,
    EventNotification,
    parse_data_notification,
    parse_event_notification,
)


class Opened:
    """The association stands; both ends have proved themselves if the mechanism asks for it.

    ``conformance`` is the negotiated 24-bit block, ``max_pdu`` the meter's largest APDU in bytes (0: no limit).
    """

    __slots__ = ("conformance", "max_pdu", "meter_title")

    def __init__(self, conformance: int, max_pdu: int, meter_title: bytes) -> None:
        self.conformance = conformance
        self.max_pdu = max_pdu
        self.meter_title = meter_title


class Got:
    """The answer to a GET: ``data`` is raw A-XDR, decoded only when ``value`` is asked for."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def value(self) -> axdr.Value:
        """The decoded value.

        :raises MalformedApdu: the meter's data is not A-XDR.
        :raises OversizedApdu: it passes a limit of ``axdr``.
        """
        return axdr.decode(self.data)


class GotList:
    """The answer to a GET of several attributes, in the order asked: raw A-XDR each, or a data-access-result."""

    __slots__ = ("answers",)

    def __init__(self, answers: list[bytes | int]) -> None:
        self.answers = answers


class Refused:
    """A GET refused; ``result`` is the data-access-result."""

    __slots__ = ("result",)

    def __init__(self, result: int) -> None:
        self.result = result


class SetDone:
    """A SET answered; ``result`` is the data-access-result, 0 for success."""

    __slots__ = ("result",)

    def __init__(self, result: int) -> None:
        self.result = result


class SetListDone:
    """A SET of several attributes answered: a data-access-result each, in the order asked."""

    __slots__ = ("results",)

    def __init__(self, results: list[int]) -> None:
        self.results = results


class ActionDone:
    """An ACTION answered: ``result`` 0 is success as the meter tells it; a relay proves it only when it is read back.

    ``data`` is what the method returned as raw A-XDR; ``data_result`` the data-access-result that came in its place.
    """

    __slots__ = ("data", "data_result", "result")

    def __init__(self, result: int, data: bytes | None = None, data_result: int | None = None) -> None:
        self.result = result
        self.data = data
        self.data_result = data_result


class ActionListDone:
    """An ACTION of several methods answered, in the order asked; each as for one alone."""

    __slots__ = ("done",)

    def __init__(self, done: list[ActionDone]) -> None:
        self.done = done


class Notification:
    """An APDU that nobody asked for: DataNotification or EventNotification.

    ``protected`` tells that it came ciphered in this association and ``apdu`` is its checked plaintext.  Otherwise
    ``apdu`` is as it came, to be opened by ``bahal.dlms.push`` or distrusted.  ``source`` and ``destination`` are
    wPorts.
    """

    __slots__ = ("apdu", "destination", "protected", "source")

    def __init__(self, source: int, destination: int, apdu: bytes, protected: bool) -> None:
        self.source = source
        self.destination = destination
        self.apdu = apdu
        self.protected = protected

    @property
    def content(self) -> DataNotification | EventNotification:
        """What it says.

        :raises UnexpectedApdu: it is still ciphered.
        :raises MalformedApdu: the bytes do not follow their encoding.
        """
        if self.apdu[:1] == b"\xc2":
            return parse_event_notification(self.apdu)
        return parse_data_notification(self.apdu)


class Released:
    """The association has ended, ``clean`` if the meter agreed in good form.  Close the connection either way."""

    __slots__ = ("clean",)

    def __init__(self, clean: bool) -> None:
        self.clean = clean


Event: TypeAlias = (
    Opened | Got | GotList | Refused | SetDone | SetListDone | ActionDone | ActionListDone | Notification | Released
)

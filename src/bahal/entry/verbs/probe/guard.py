"""The gate between a probe's association and its socket: only reads and HLS replies become bytes.

Every APDU passes here on its way out, whole and before any link cuts it up. A ciphered one is opened with our own keys
first, so that nothing hides behind a cipher. What is not on the list raises ``NotARead`` and is never framed. Whoever
traces sees the same APDUs, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bahal.dlms import acse, apdu, security
from bahal.dlms.association.client import CURRENT_ASSOCIATION
from bahal.dlms.errors import DlmsError, UnexpectedApdu
from bahal.dlms.framing import Framing
from bahal.dlms.objects.classes import ASSOCIATION_LN
from bahal.dlms.security import Cipher
from bahal.entry.verbs.probe.refusals import NotARead

HLS_REPLY: Final = (ASSOCIATION_LN, CURRENT_ASSOCIATION, 1)
_READS: Final = (apdu.GetRequest, apdu.GetNext, apdu.GetList)
_GENERAL: Final = (security.GENERAL_GLO, security.GENERAL_DED)

Seen = Callable[[bool, bytes, bytes | None], None]
"""Told of each APDU: whether it goes out, as it is on the wire, and its plaintext (None where it cannot be opened)."""


class Opener:
    """Opens ciphered APDUs of one association, of either end."""

    def __init__(self, control: int, cipher: Cipher | None, dedicated_key: bytes) -> None:
        self._control = control
        self._global = cipher
        self._dedicated = cipher.with_key(dedicated_key) if cipher is not None and dedicated_key else None

    def plain(self, message: bytes, title: bytes) -> bytes:
        """The plaintext of an APDU that the holder of a system title sent; a plain one as it is.

        :raises DlmsError: it is ciphered otherwise than agreed.
        """
        tag = message[0]
        inner: int | None = None
        if tag in _GENERAL:
            sender, content = security.unwrap_general(message)
            cipher = self._global if tag == security.GENERAL_GLO else self._dedicated
            title = sender
        elif tag in security.PLAIN_OF_GLO or tag in security.PLAIN_OF_DED:
            content = security.unwrap(message)
            inner = security.PLAIN_OF_GLO.get(tag) or security.PLAIN_OF_DED[tag]
            cipher = self._global if tag in security.PLAIN_OF_GLO else self._dedicated
        else:
            return message
        if cipher is None or not title:
            raise UnexpectedApdu(tag, "no key for it")
        plain = cipher.open(self._control, title, content)[1]
        if not plain or (inner is not None and plain[0] != inner):
            raise UnexpectedApdu(tag, "another kind within")
        return plain


class ReadOnlyFraming:
    """A framing that lets reads and one HLS reply out, and everything in."""

    def __init__(self, inner: Framing, opener: Opener, title: bytes, *, hls: bool, seen: Seen | None = None) -> None:
        self._inner = inner
        self._opener = opener
        self._title = title
        self._hls_replies = 1 if hls else 0
        self._seen = seen
        self.meter_title = b""
        self.heard = 0

    @property
    def closing(self) -> bool:
        """As the link below."""
        return self._inner.closing

    def address(self, source: int, destination: int) -> bytes:
        """Empty: no association frames by itself past this gate."""
        return b""

    def send(self, source: int, destination: int, apdu: bytes) -> bytes:
        """The framed APDU.

        :raises NotARead: it is none that a probe sends.
        """
        plain = self._allowed(apdu)
        if self._seen is not None:
            self._seen(True, apdu, plain)
        return self._inner.send(source, destination, apdu)

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """What came in."""
        came = self._inner.feed(data)
        for _, _, message in came:
            self.heard += 1
            if self._seen is not None and message:
                self._seen(False, message, self._opened(message))
        return came

    def outgoing(self) -> bytes:
        """As the link below: it repeats and acknowledges only what passed here."""
        return self._inner.outgoing()

    def poll(self) -> bytes:
        """As the link below."""
        return self._inner.poll()

    def repeat(self) -> bytes:
        """As the link below."""
        return self._inner.repeat()

    def close(self) -> bytes:
        """As the link below."""
        return self._inner.close()

    def _allowed(self, message: bytes) -> bytes:
        try:
            plain = self._opener.plain(message, self._title)
            tag = plain[0]
            if tag in (acse.AARQ, acse.RLRQ):
                return plain
            if tag == apdu.GENERAL_BLOCK_TRANSFER and not apdu.parse_general_block(plain).data:
                return plain
            if tag in (apdu.GET_REQUEST, apdu.ACTION_REQUEST):
                asked = apdu.parse_request(plain)
                if isinstance(asked, _READS):
                    return plain
                if isinstance(asked, apdu.ActionRequest) and asked.target[:3] == HLS_REPLY and self._hls_replies:
                    self._hls_replies -= 1
                    return plain
        except DlmsError as error:
            raise NotARead(what=f"APDU 0x{message[0]:02X} ({error.name})") from error
        raise NotARead(what=f"APDU 0x{tag:02X}")

    def _opened(self, message: bytes) -> bytes | None:
        if message[0] == acse.AARE:
            self._learn(message)
        try:
            return self._opener.plain(message, self.meter_title)
        except DlmsError:
            return None

    def _learn(self, message: bytes) -> None:
        """The meter's system title, from its AARE; the association itself checks it."""
        try:
            self.meter_title = acse.parse_aare(message).title
        except DlmsError:
            self.meter_title = b""

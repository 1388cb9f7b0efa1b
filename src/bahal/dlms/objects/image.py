"""Class 18, Image transfer: firmware in numbered blocks, resumed where it stopped, verified before it may be activated.

Source: DLMS UA Blue Book, interface class 18 version 0. The client initiates, sends blocks in any order, asks which are
missing (attribute 3, a bit for each block, or attribute 4, the first), has the meter verify the whole and activate it.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Any, Final

from bahal.dlms import apdu, axdr
from bahal.dlms.axdr import BitString
from bahal.dlms.objects.serving import Origin

INITIATE: Final = 1
BLOCK_TRANSFER: Final = 2
VERIFY: Final = 3
ACTIVATE: Final = 4

LONGEST_IMAGE: Final = 16 << 20
LONGEST_IDENTIFIER: Final = 64


class Status(enum.IntEnum):
    """Attribute 6, `image_transfer_status`."""

    NOT_INITIATED = 0
    INITIATED = 1
    VERIFICATION_INITIATED = 2
    VERIFICATION_SUCCESSFUL = 3
    VERIFICATION_FAILED = 4
    ACTIVATION_INITIATED = 5
    ACTIVATION_SUCCESSFUL = 6
    ACTIVATION_FAILED = 7


def initiate(identifier: bytes, size: int) -> bytes:
    """The parameter of `image_transfer_initiate`: what the image is called and its size in bytes."""
    return axdr.structure(axdr.octets(identifier), axdr.uint32(size))


def block(number: int, content: bytes) -> bytes:
    """The parameter of `image_block_transfer`: blocks are numbered from 0, all but the last are of the block size."""
    return axdr.structure(axdr.uint32(number), axdr.octets(content))


NO_PARAMETER: Final = axdr.int8(0)
"""The parameter of `image_verify` and `image_activate`."""


def blocks(image: bytes, size: int, arrived: BitString | None = None) -> Iterator[tuple[int, bytes]]:
    """The blocks of an image that have not arrived, by number; all of them if nothing says which have."""
    for number in range(-(-len(image) // size)):
        if arrived is None or number >= arrived.length or not arrived[number]:
            yield number, image[number * size : (number + 1) * size]


class ImageTransfer:
    """The meter's side. What arrived is kept over connections; initiating anew forgets it.

    :param block_size: bytes a block, attribute 2.
    :param verify: whether an image is what its maker made, by its identifier and bytes: a signature or a checksum.
    :param activate: put it in force; False where that failed. The status tells the client.
    """

    def __init__(
        self,
        *,
        block_size: int,
        verify: Callable[[bytes, bytes], bool],
        activate: Callable[[bytes, bytes], bool],
        enabled: bool = True,
    ) -> None:
        self.enabled = enabled
        self.status = Status.NOT_INITIATED
        self.block_size = block_size
        self.identifier = b""
        self._verify = verify
        self._activate = activate
        self._image = bytearray()
        self._arrived: list[bool] = []

    def value(self, attribute: int) -> Any:
        """Attributes 2 to 7."""
        match attribute:
            case 2:
                return self.block_size
            case 3:
                here = [number for number, there in enumerate(self._arrived) if there]
                return BitString.of(len(self._arrived), *here)
            case 4:
                return self.first_missing
            case 5:
                return self.enabled
            case 6:
                return int(self.status)
        ready = self.status >= Status.VERIFICATION_SUCCESSFUL and self.status is not Status.VERIFICATION_FAILED
        return [(len(self._image), self.identifier, b"")] if ready else []

    @property
    def first_missing(self) -> int:
        """The number of the first block that has not arrived; that of the first that does not exist when all have."""
        return next((number for number, there in enumerate(self._arrived) if not there), len(self._arrived))

    def write(self, attribute: int, value: axdr.Value) -> int:
        """Attribute 5 alone: allow or forbid transfers."""
        if attribute != 5 or not isinstance(value, bool):
            return apdu.READ_WRITE_DENIED
        self.enabled = value
        return apdu.SUCCESS

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> int:
        """The four methods; each is refused out of its turn and changes nothing then."""
        if not self.enabled:
            return apdu.READ_WRITE_DENIED
        match method, parameter:
            case 1, (bytes() as identifier, int() as size):
                return self._begin(identifier, size)
            case 2, (int() as number, bytes() as content):
                return self._take(number, content)
            case 3, int():
                return self._check()
            case 4, int():
                return self._put_in_force()
        return apdu.TYPE_UNMATCHED

    def _begin(self, identifier: bytes, size: int) -> int:
        if not 0 < size <= LONGEST_IMAGE or not 0 < len(identifier) <= LONGEST_IDENTIFIER:
            return apdu.OTHER_REASON
        if self.status is Status.INITIATED and (identifier, size) == (self.identifier, len(self._image)):
            return apdu.SUCCESS  # the same again: what arrived stays, the client goes on where it stopped
        self.identifier = identifier
        self._image = bytearray(size)
        self._arrived = [False] * -(-size // self.block_size)
        self.status = Status.INITIATED
        return apdu.SUCCESS

    def _take(self, number: int, content: bytes) -> int:
        if self.status is not Status.INITIATED:
            return apdu.TEMPORARY_FAILURE
        if not 0 <= number < len(self._arrived):
            return apdu.OTHER_REASON
        start = number * self.block_size
        if len(content) != min(self.block_size, len(self._image) - start):
            return apdu.OTHER_REASON
        self._image[start : start + len(content)] = content
        self._arrived[number] = True
        return apdu.SUCCESS

    def _check(self) -> int:
        if self.status is Status.NOT_INITIATED or not all(self._arrived):
            return apdu.TEMPORARY_FAILURE
        if self._verify(self.identifier, bytes(self._image)):
            self.status = Status.VERIFICATION_SUCCESSFUL
            return apdu.SUCCESS
        self.status = Status.VERIFICATION_FAILED
        return apdu.OTHER_REASON

    def _put_in_force(self) -> int:
        if self.status is not Status.VERIFICATION_SUCCESSFUL:
            return apdu.TEMPORARY_FAILURE
        done = self._activate(self.identifier, bytes(self._image))
        self.status = Status.ACTIVATION_SUCCESSFUL if done else Status.ACTIVATION_FAILED
        return apdu.SUCCESS if done else apdu.OTHER_REASON

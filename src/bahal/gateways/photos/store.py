"""A photo is kept as a file named by its SHA-256: the same photo twice is one file, and an altered file is noticed.

The file reaches the disk before its hash is written anywhere. One whose report was then refused stays behind, which
harms nobody.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from bahal.shared.errors import USAGE, Refusal

LARGEST = 8 * 1024 * 1024
_KINDS = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


class PhotoRefused(Refusal):
    """Not a photo, or too large."""

    code = "photo_refused"
    exit_code = USAGE
    hi = "फ़ोटो स्वीकार नहीं: {why}"
    en = "The photo is refused: {why}"


class PhotoAltered(Refusal):
    """The file is not what was kept, or is gone."""

    code = "photo_altered"
    hi = "फ़ोटो {sha256} की फ़ाइल बदली हुई है या नहीं मिली।"
    en = "The file of photo {sha256} was altered or is gone."


class Photos:
    """The photos of an instance, in a folder of its home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, photo: bytes) -> str:
        """Keep a JPEG or PNG; its SHA-256 in hexadecimal. When this returns the file is on the disk.

        :raises PhotoRefused: it is neither, or larger than `LARGEST`.
        """
        if len(photo) > LARGEST:
            raise PhotoRefused(why=f"{len(photo)} > {LARGEST} bytes")
        if _kind(photo) is None:
            raise PhotoRefused(why="neither JPEG nor PNG")
        sha256 = hashlib.sha256(photo).hexdigest()
        place = self.place(sha256)
        if not place.exists():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=place.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(photo)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(place)
            folder = os.open(place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return sha256

    def fetch(self, sha256: str) -> bytes:
        """A photo, found to be what was kept.

        :raises PhotoAltered: it is not, or it is gone.
        """
        try:
            photo = self.place(sha256).read_bytes()
        except FileNotFoundError:
            raise PhotoAltered(sha256=sha256) from None
        if hashlib.sha256(photo).hexdigest() != sha256:
            raise PhotoAltered(sha256=sha256)
        return photo

    def place(self, sha256: str) -> Path:
        """Where a photo stands, or would."""
        return self._folder / sha256[:2] / sha256


def _kind(photo: bytes) -> str | None:
    return next((kind for magic, kind in _KINDS.items() if photo.startswith(magic)), None)

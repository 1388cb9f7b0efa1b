"""Meter keys: rows sealed to this room are opened with its private key and kept, a bounded number of them.

The private key is one file that only the room's user may read. A row that does not open belongs to another room or
was altered: `SealBroken`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bahal.headend.database import Database
from bahal.shared.sealing import Opener, SealBroken

Keys = TypeVar("Keys")


def read_sealing_key(path: Path) -> X25519PrivateKey:
    """The room's private key from a file of 64 hexadecimal digits.

    :raises OSError: no such file, or not ours to read.
    :raises ValueError: something else stands in it.
    """
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii").strip()))


class KeyRing(Generic[Keys]):
    """Opens sealed rows and remembers the `most` latest.

    :param imports: the table that holds each import's ephemeral public key.
    :param ready: makes the room's own form of keys from the opened fields (hexadecimal texts by name).
    """

    def __init__(
        self,
        room_key: X25519PrivateKey,
        *,
        database: Database,
        imports: str,
        ready: Callable[[dict[str, str]], Keys],
        most: int = 20_000,
    ) -> None:
        self._ephemeral: dict[str, bytes] = {}
        self._opener = Opener(room_key, self._ephemeral.__getitem__)
        self._database = database
        self._query = f"SELECT id::text, ephemeral_public FROM {imports} WHERE id::text = ANY (%s)"  # noqa: S608
        self._ready = ready
        self._most = most
        self._kept: OrderedDict[bytes, Keys] = OrderedDict()

    async def learn(self, imports: Iterable[str]) -> None:
        """Fetch what is needed to open rows of these imports, once each.

        :raises psycopg.Error: the database failed.
        """
        unknown = list({each for each in imports if each not in self._ephemeral})
        if unknown:
            for import_id, public in await self._database.rows(self._query, (unknown,)):
                self._ephemeral[import_id] = bytes(public)

    def open(self, import_id: str, meter: str, sealed: bytes) -> Keys:
        """The keys of one meter.

        :raises SealBroken: the row does not open with this room's key, or holds no keys.
        """
        kept = self._kept.get(sealed)
        if kept is not None:
            self._kept.move_to_end(sealed)
            return kept
        if import_id not in self._ephemeral:
            raise SealBroken(meter)
        opened = self._opener.open(import_id, meter, sealed)
        try:
            keys = self._ready(json.loads(opened))
        except (KeyError, TypeError, ValueError) as wrong:
            raise SealBroken(meter) from wrong
        self._kept[sealed] = keys
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return keys

"""What meters said, as they said it, kept for some days: so that a doubt, or a better decoder, can go back to it.

One zstd file of JSON lines for each batch, in a folder for each business day: meter, kind, moment, the range asked for,
and the deciphered buffer in base64. Readable by the head-end's user only; a meter's load is its household's own affair.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa

from bahal.headend.asking import Collected
from bahal.shared.clock import day_in_india
from bahal.shared.wanted import names_of

_CODEC: Final = pa.Codec("zstd", compression_level=1)


def write_raw(folder: Path, batch: Sequence[Collected], *, name: str) -> int:
    """Write a batch's buffers; how many bytes they took. The file is whole or not there.

    :raises OSError: the disk is full, or the folder cannot be used.
    """
    lines = [
        f'{{"meter":"{each.meter}","kind":"{names_of(part.kind)[0]}","at":"{each.at.isoformat()}",'
        f'"asked":{list(part.asked) if part.asked else "null"},"firmware":"{part.layout.firmware}",'
        f'"data":"{base64.b64encode(part.data).decode()}"}}\n'
        for each in batch
        for part in each.parts
    ]
    if not lines:
        return 0
    day = folder / day_in_india(batch[0].at).isoformat()
    day.mkdir(mode=0o700, parents=True, exist_ok=True)
    packed = _CODEC.compress("".join(lines).encode(), asbytes=True)
    beside, path = day / f".{name}", day / f"{name}.jsonl.zst"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(packed)
    beside.replace(path)
    return len(packed)


def retire_raw(folder: Path, *, today: date, days: int) -> int:
    """Take away the folders of days that are over for longer than `days`; how many.

    :raises OSError: one cannot be taken away.
    """
    ended = 0
    for each in folder.iterdir() if folder.is_dir() else ():
        try:
            day = date.fromisoformat(each.name)
        except ValueError:
            continue
        if day < today - timedelta(days=days):
            shutil.rmtree(each)
            ended += 1
    return ended

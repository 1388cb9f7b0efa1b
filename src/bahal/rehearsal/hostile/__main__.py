"""`python -m bahal.rehearsal.hostile MATERIAL LISTED WARRANTS`: try everything, and say what came of it as one line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bahal.rehearsal.hostile.doors import try_doors
from bahal.rehearsal.hostile.frames import talk_to_meters
from bahal.rehearsal.hostile.listing import insert_directly, list_everybody, slip_in
from bahal.rehearsal.hostile.material import Material
from bahal.rehearsal.hostile.warrants import try_warrants


def main() -> None:
    """Every attack in turn; progress goes to stderr."""
    material = Material.read(Path(sys.argv[1]))
    listed, warrants = int(sys.argv[2]), int(sys.argv[3])
    attacks: dict[str, Callable[[], dict[str, Any]]] = {
        "doors": lambda: try_doors(material),
        "direct_inserts": lambda: dict(insert_directly(material)),
        "slipped_in": lambda: dict(slip_in(material)),
        "frames": lambda: dict(talk_to_meters(material)),
        "warrants": lambda: try_warrants(material, count=warrants),
        "listing": lambda: list_everybody(material, count=listed),
    }
    found = {}
    for name, attack in attacks.items():
        began = time.monotonic()
        found[name] = attack()
        sys.stderr.write(f"{name}: {time.monotonic() - began:.1f} s: {json.dumps(found[name])}\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

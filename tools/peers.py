"""Install independent implementations of the meters' protocol, to test and measure ours against.

Each stands in an environment of its own under `BAHAL_PEERS` (default `var/peers`) and runs as a process of its own:
none is a dependency, none is imported by Bahal or by its tests, and those under GPL-2.0-only and under other licences
never meet in one process. Nothing is installed twice.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

# name of the environment: what is installed in it
PEERS = {
    "dlms-cosem": ["dlms-cosem==21.3.2"],  # the last under the MIT licence: the peer of the interoperability tests
    "dlms-cosem-25": ["dlms-cosem==25.1.0"],  # measured against only
    "gurux-dlms": ["gurux-dlms==1.0.203"],  # GPL-2.0-only
}


def main() -> int:
    """Install what is missing; 0 when all stand, 3 when one could not be installed."""
    folder = Path(os.environ.get("BAHAL_PEERS") or TOP / "var" / "peers")
    failed = []
    for name, packages in PEERS.items():
        environment = folder / name
        ready = environment / ".ready"
        wanted = "\n".join([sys.version, *packages])
        if ready.exists() and ready.read_text() == wanted:
            continue
        sys.stderr.write(f"Installing the peer {name}\n")
        shutil.rmtree(environment, ignore_errors=True)
        venv.create(environment, symlinks=True, with_pip=True)
        command = [str(environment / "bin" / "python"), "-m", "pip", "install", "-qq", *packages]
        told = subprocess.run(
            command, env={**os.environ, "PIP_NO_CACHE_DIR": "1", "PIP_ROOT_USER_ACTION": "ignore"}, check=False
        )
        if told.returncode == 0:
            ready.write_text(wanted)
        else:
            failed.append(name)
    if failed:
        sys.stderr.write(f"These peers could not be installed: {', '.join(failed)}; see above.\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

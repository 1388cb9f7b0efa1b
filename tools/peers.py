"""Install independent implementations of the meters' protocol, to test and measure ours against.

Each stands in an environment of its own under `BAHAL_PEERS` (default `var/peers`) and runs as a process of its own:
none is a dependency, none is imported by Bahal or by its tests, and those under GPL-2.0-only and under other licences
never meet in one process (docs/decisions/0004-peers.md). They come by name and exact version, with exactly what they
need. What stands already is not touched; two that run at once wait for each other. The licences are those that the
packages themselves carry.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TRIES = 2

_UNDER_DLMS_COSEM = (
    "asn1crypto==1.5.1",
    "attrs==26.1.0",
    "cffi==2.1.1",
    "cryptography==50.0.2",
    "pycparser==3.12",
    "pyserial==3.5",
    "python-dateutil==4.0.0",
    "typing-extensions==4.16.0",
    "tzdata==2026.6",
)

# name of the environment: all that is installed in it, the peer first
PEERS = {
    "dlms-cosem": ("dlms-cosem==21.3.2", *_UNDER_DLMS_COSEM),  # MIT, the last: client and meter of the tests
    "dlms-cosem-25": ("dlms-cosem==25.1.0", *_UNDER_DLMS_COSEM, "structlog==26.1.0"),  # BUSL-1.1: measured against
    "gurux-dlms": ("gurux-dlms==1.0.203",),  # GPL-2.0-only: client and meter of the tests, measured against
    "pydlms-client": (  # GPL-3.0-only: client and simulator of the matrix
        "pydlms-client==0.1.0",
        "cffi==2.1.1",
        "construct==2.10.70",
        "cryptography==50.0.2",
        "pycparser==3.12",
    ),
}


def main() -> int:
    """Install what is missing; 0 when all stand, 3 when one could not be installed (said on standard error)."""
    folder = Path(os.environ.get("BAHAL_PEERS") or TOP / "var" / "peers")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failed = [name for name, packages in PEERS.items() if not _stands(folder / name, packages)]
    if failed:
        sys.stderr.write(f"These peers could not be installed: {', '.join(failed)}; see above.\n")
        return 3
    return 0


def _stands(environment: Path, packages: tuple[str, ...]) -> bool:
    """Whether the environment holds exactly these, after installing it if need be."""
    ready = environment / ".ready"
    wanted = "\n".join([sys.version, *packages])
    if ready.exists() and ready.read_text() == wanted:
        return True
    sys.stderr.write(f"Installing the peer {packages[0]} in an environment of its own\n")
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, symlinks=True, with_pip=True)
    for _ in range(TRIES):
        ended = _install(environment, packages)
        if not ended:
            ready.write_text(wanted)
            return True
        # It may have been ended from outside, or by a registry that hung up, without a word.
        sys.stderr.write(f"pip ended with {ended} installing {packages[0]}\n")
    return False


def _install(environment: Path, packages: tuple[str, ...]) -> int:
    """Have the environment's own pip install exactly these; its exit code, negative for a signal."""
    return subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "install", "-qq", "--no-deps", *packages],
        env={
            **os.environ,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PIP_NO_INPUT": "1",
        },
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Make the environment in .venv: one promise, kept whatever state the folder is in.

After `python3 tools/prepare.py` the folder `.venv` holds the dependencies of `requirements.lock`, each checked against
its hash, the package itself as an editable install, and compiled translations beside their sources. Nothing is written
outside the working copy: no cache and no configuration in the home folder.

Runs on the machine's own Python, so it imports the standard library only; the translations are compiled by a second
step that runs inside the new environment. Work is skipped by content, not by time: a fresh checkout of the same files
installs nothing twice. Two that run at once wait for each other.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VENV = TOP / ".venv"
PYTHON = VENV / "bin" / "python"

COMPILE_TRANSLATIONS = """
import pathlib, polib, sys
for name in sys.argv[1:]:
    source = pathlib.Path(name)
    polib.pofile(name).save_as_mofile(str(source.with_suffix(".mo")))
"""


def main() -> int:
    """Prepare `.venv`; return the exit code: 0 ready, 3 the machine lacks something (one sentence on stderr)."""
    try:
        import ensurepip  # noqa: F401  # Debian splits it off into python3-venv
    except ImportError:
        sys.stderr.write("Bahal needs Python's venv module: install the package python3-venv and run make again.\n")
        return 3
    with (TOP / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _install()
            _compile()
        except subprocess.CalledProcessError as failure:
            sys.stderr.write(f"The environment could not be set up: `{_shown(failure.cmd)}` failed; see above.\n")
            return 3
        (VENV / ".ready").touch()
    return 0


def _install() -> None:
    locked = VENV / ".locked"
    wanted = _digest(TOP / "requirements.lock")
    if not (PYTHON.exists() and locked.exists() and locked.read_text() == wanted):
        sys.stderr.write("Setting up .venv (once, about half a minute)\n")
        # Another lock is laid over what is there, under whoever is using it; after an interrupted set-up, or with its
        # interpreter gone, begin clean rather than mend.
        usable = PYTHON.exists() and locked.exists()
        locked.unlink(missing_ok=True)
        if not usable:
            venv.create(VENV, clear=True, symlinks=True, with_pip=True, prompt="bahal")
        _pip("install", "--require-hashes", "--only-binary", ":all:", "-r", TOP / "requirements.lock")
        locked.write_text(wanted)
    installed = VENV / ".installed"
    wanted = _digest(TOP / "pyproject.toml")
    if not (installed.exists() and installed.read_text() == wanted):
        _pip("install", "--no-deps", "--no-build-isolation", "-e", TOP)
        installed.write_text(wanted)


def _compile() -> None:
    sources = sorted((TOP / "src" / "bahal" / "locale").glob("*/LC_MESSAGES/*.po"))
    stale = [source for source in sources if _older(source.with_suffix(".mo"), source)]
    if stale:
        _run(PYTHON, "-c", COMPILE_TRANSLATIONS, *stale)


def _older(built: Path, source: Path) -> bool:
    return not built.exists() or built.stat().st_mtime < source.stat().st_mtime


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _pip(verb: str, *arguments: object) -> None:
    _run(PYTHON, "-m", "pip", verb, "-qq", *arguments)


def _run(*command: object) -> None:
    environment = {
        **os.environ,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_NO_INPUT": "1",
    }
    subprocess.run([str(part) for part in command], check=True, env=environment, stdin=subprocess.DEVNULL)


def _shown(command: list[str]) -> str:
    return " ".join(command)[:100]


if __name__ == "__main__":
    sys.exit(main())

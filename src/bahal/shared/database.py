"""Where the database is and how each role enters it.

The address comes from `DATABASE_URL`, or from `run/database.json` that the embedded server's launcher writes; each
role's password from its own file in `secrets/`. A process is given the role it works as, never the owner's.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, read_json

Role = Literal["owner", "app", "interlock", "headend", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)
DATABASE = "bahal"


class DatabaseUnknown(Refusal):
    """Nothing says where the database is."""

    code = "database_unknown"
    exit_code = ENVIRONMENT
    hi = "{home} के लिए कोई डेटाबेस नहीं चल रहा: `bahal up` चलाएँ या DATABASE_URL दें।"
    en = "No database runs for {home}: start one with `bahal up`, or set DATABASE_URL."


class DatabaseUrlWrong(Refusal):
    """`DATABASE_URL` cannot be read. The URL itself is not repeated: it may hold a password."""

    code = "database_url_wrong"
    exit_code = ENVIRONMENT
    hi = "DATABASE_URL पढ़ा नहीं जा सका: {why}। सही रूप: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    en = "DATABASE_URL cannot be read: {why}. It should look like postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


class RoleUnknown(Refusal):
    """The role has no password here: the roles were not made, or this room may not have it."""

    code = "database_role_unknown"
    exit_code = ENVIRONMENT
    hi = "{home} में डेटाबेस भूमिका {role} का पासवर्ड नहीं है: `bahal up` भूमिकाएँ बनाता है।"
    en = "{home} holds no password for the database role {role}: `bahal up` makes the roles."


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database on the network; `user` and `password` are those of `DATABASE_URL`, for setting up only."""

    host: str
    port: int
    name: str
    options: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    password: str | None = None

    def dsn(self, *, user: str, password: str | None) -> str:
        """The connection URL of one user."""
        secret = f":{quote(password, safe='')}" if password else ""
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        query = f"?{urlencode(self.options)}" if self.options else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{host}:{self.port}/{quote(self.name, safe='')}{query}"


def read_url(url: str) -> Address:
    """An address from a URL.

    :raises DatabaseUrlWrong: not a PostgreSQL URL with a host and a database.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as wrong:
        raise DatabaseUrlWrong(why="port or host" if "ort" in str(wrong) else "address") from wrong
    if parts.scheme not in ("postgresql", "postgres"):
        raise DatabaseUrlWrong(why="scheme")
    name = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not name or "/" in name:
        raise DatabaseUrlWrong(why="host" if not parts.hostname else "database")
    return Address(
        host=unquote(parts.hostname),
        port=port,
        name=name,
        options=tuple(parse_qsl(parts.query)),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def address_of(home: Home, environ: Mapping[str, str] | None = None) -> Address:
    """Where this instance's database is.

    :raises DatabaseUnknown: no `DATABASE_URL` and no embedded server.
    :raises DatabaseUrlWrong: `DATABASE_URL` cannot be read.
    """
    url = (os.environ if environ is None else environ).get("DATABASE_URL")
    if url:
        return read_url(url)
    running = read_json(home.run / "database.json")
    if running is None:
        raise DatabaseUnknown(home=str(home.path))
    return Address(host=running["host"], port=running["port"], name=running["name"])


def password_of(home: Home, role: Role) -> str:
    """A role's password.

    :raises RoleUnknown: it has none here.
    """
    kept: dict[str, Any] | None = home.secret(role)
    if kept is None:
        raise RoleUnknown(home=str(home.path), role=role)
    return str(kept["password"])


def dsn_of(role: Role, *, home: Home | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The connection URL by which a process works as `role`.

    :raises DatabaseUnknown: nothing says where the database is.
    :raises DatabaseUrlWrong: `DATABASE_URL` cannot be read.
    :raises RoleUnknown: the role has no password here.
    """
    here = home or Home.of(environ)
    return address_of(here, environ).dsn(user=role, password=password_of(here, role))

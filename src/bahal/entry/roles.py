"""The five database roles: what each is for is granted by migrations; here they get a name, a login and a password.

`owner` owns the database and migrates it. `app` is the business, `interlock` and `headend` the machine rooms, `reader`
looks on. None is a superuser, none may make roles or databases, and each password is in a file of its own.
"""

import secrets
from collections.abc import Mapping

import psycopg
from psycopg import sql

from bahal.shared.database import ROLES, Address, DatabaseUrlWrong, Role, read_url
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home

OLDEST = 180000


class NotReached(Refusal):
    """The operator's database does not answer."""

    code = "database_not_reached"
    exit_code = ENVIRONMENT
    hi = "{host}:{port} पर डेटाबेस {name} नहीं खुला: {why}"
    en = "The database {name} at {host}:{port} cannot be entered: {why}"


class TooOld(Refusal):
    """The operator's PostgreSQL lacks what the schema needs (uuidv7, WITHOUT OVERLAPS, builtin C.UTF-8)."""

    code = "database_too_old"
    exit_code = ENVIRONMENT
    hi = "PostgreSQL {version} पुराना है: 18 या नया चाहिए।"
    en = "PostgreSQL {version} is too old: Bahal needs 18 or newer."


class WrongLocale(Refusal):
    """Text would sort and compare by a locale that changes with the system's libraries."""

    code = "database_locale_wrong"
    exit_code = ENVIRONMENT
    hi = "डेटाबेस {name} का लोकेल {locale} है; इसे ऐसे बनाएँ: {sql}"
    en = "The database {name} has the locale {locale}; make it with: {sql}"


class RolesMissing(Refusal):
    """The user of `DATABASE_URL` may not make the roles; `sql` is for whoever may."""

    code = "database_roles_missing"
    exit_code = ENVIRONMENT
    hi = "DATABASE_URL का उपयोगकर्ता {user} भूमिकाएँ नहीं बना सकता; व्यवस्थापक यह चलाए, फिर दोबारा चलाएँ: {sql}"
    en = "The user {user} of DATABASE_URL may not make the roles; have an administrator run this, then run again: {sql}"


def new_password() -> str:
    """A random password of 192 bits."""
    return secrets.token_urlsafe(24)


def create_roles(connection: "psycopg.Connection[tuple[object, ...]]", *, home: Home) -> None:
    """Make the roles that are missing and give each the password kept for it, making one where none is kept.

    Safe to repeat. `connection` must be one that may create roles.

    :raises psycopg.errors.InsufficientPrivilege: it may not.
    """
    with connection.transaction():
        # Two instances on one server may start at once: the second waits and finds the roles made.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('bahal.roles'))")
        present = {
            row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[*ROLES]])
        }
        for role in ROLES:
            # Only a superuser may say NOSUPERUSER of a role that exists, even where it changes nothing.
            start = (
                "ALTER ROLE {} LOGIN" if role in present else "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
            )
            password = _hidden(connection, role, _kept_password(home, role))
            connection.execute(sql.SQL(start + " PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))


def create_database(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Make the database, owned by `owner` and closed to roles that are not ours. Safe to repeat.

    `connection` must be a superuser's and in autocommit.
    """
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER owner").format(sql.Identifier(name)))
    close_to_others(connection, name)


def close_to_others(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Let our roles into a database, and no others."""
    database = sql.Identifier(name)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            database, sql.SQL(", ").join(map(sql.Identifier, ROLES[1:]))
        )
    )


def adopt(url: str, *, home: Home) -> None:
    """Make the operator's own database ours: check what it is, make the roles, give `owner` the database.

    Safe to repeat; an instance whose roles stand and whose passwords work needs no privilege for it.

    :raises DatabaseUrlWrong: the URL cannot be read or names no user.
    :raises NotReached: it does not answer, or refuses the user.
    :raises TooOld: PostgreSQL before 18.
    :raises WrongLocale: not builtin C.UTF-8 in UTF-8.
    :raises RolesMissing: the roles must be made by somebody with the right to.
    """
    address = read_url(url)
    if address.user is None:
        raise DatabaseUrlWrong(why="user")
    home.make()
    with _entered(address, user=address.user, password=address.password) as connection:
        _check(connection, address)
        if _all_enter(address, home):
            return
        try:
            create_roles(connection, home=home)
            connection.execute(sql.SQL("GRANT owner TO {}").format(sql.Identifier(address.user)))
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO owner").format(sql.Identifier(address.name)))
            close_to_others(connection, address.name)
        except psycopg.errors.InsufficientPrivilege as refused:
            raise RolesMissing(user=address.user, sql=_statements(address, home)) from refused


def _entered(address: Address, *, user: str, password: str | None) -> "psycopg.Connection[tuple[object, ...]]":
    try:
        return psycopg.connect(address.dsn(user=user, password=password), connect_timeout=10, autocommit=True)
    except psycopg.OperationalError as failure:
        words = str(failure).splitlines()
        why = next((line for line in words if "FATAL" in line), words[-1]).split("FATAL:")[-1].strip()
        raise NotReached(host=address.host, port=address.port, name=address.name, why=why) from failure


def _check(connection: "psycopg.Connection[tuple[object, ...]]", address: Address) -> None:
    version = connection.info.server_version
    if version < OLDEST:
        raise TooOld(version=f"{version // 10000}.{version % 10000}")
    row = connection.execute(
        "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    if row != ("b", "C.UTF-8", "UTF8"):
        make = (
            f'CREATE DATABASE "{address.name}" TEMPLATE template0 ENCODING UTF8'
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
        )
        raise WrongLocale(name=address.name, locale=" ".join(map(str, row or ())), sql=make)


def _all_enter(address: Address, home: Home) -> bool:
    for role in ROLES:
        kept: Mapping[str, object] | None = home.secret(role)
        if kept is None:
            return False
        try:
            _entered(address, user=role, password=str(kept["password"])).close()
        except NotReached:
            return False
    return True


def _kept_password(home: Home, role: Role) -> str:
    kept = home.secret(role)
    if kept is None:
        home.keep_secret(role, {"password": new_password()})
        kept = home.secret(role)
        assert kept is not None
    return str(kept["password"])


def _hidden(connection: "psycopg.Connection[tuple[object, ...]]", role: Role, password: str) -> str:
    """The SCRAM form of a password, so that no statement and no log holds the password itself."""
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()


def _statements(address: Address, home: Home) -> str:
    made = [f"CREATE ROLE {role} LOGIN PASSWORD '{_kept_password(home, role)}';" for role in ROLES]
    return " ".join([*made, f'ALTER DATABASE "{address.name}" OWNER TO owner;'])

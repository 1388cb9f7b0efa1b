"""An instance's folder: secrets stay private, addresses and passwords are found again."""

import stat
from pathlib import Path

import pytest

from bahal.shared import database
from bahal.shared.home import Home


def test_secrets_are_private_and_replaced_in_one_step(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.keep_secret("app", {"password": "first"})
    home.keep_secret("app", {"password": "second"})
    assert home.secret("app") == {"password": "second"}
    assert home.secret("interlock") is None
    assert [path.name for path in home.secrets.iterdir()] == ["app.json"]
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700
    assert stat.S_IMODE((home.secrets / "app.json").stat().st_mode) == 0o600


def test_a_role_enters_where_the_url_says_with_its_own_password(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.keep_secret("app", {"password": "p@ss/word"})
    url = "postgresql://admin:s%40cret@db.example:6432/utility?sslmode=verify-full"
    assert (
        database.dsn_of("app", home=home, environ={"DATABASE_URL": url})
        == "postgresql://app:p%40ss%2Fword@db.example:6432/utility?sslmode=verify-full"
    )
    address = database.read_url(url)
    assert (address.user, address.password) == ("admin", "s@cret")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://u:hunter2@h/d", "scheme"),
        ("postgresql:///d", "host"),
        ("postgresql://u:hunter2@h", "database"),
        ("postgresql://u:hunter2@h:port/d", "port"),
        ("postgresql://u:hunter2@h/d/e", "database"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(database.DatabaseUrlWrong, match=why) as refused:
        database.read_url(url)
    assert "hunter2" not in str(refused.value.as_json())
    assert refused.value.exit_code == 3


def test_an_instance_without_database_or_role_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    with pytest.raises(database.DatabaseUnknown):
        database.address_of(home, {})
    with pytest.raises(database.RoleUnknown, match="interlock"):
        database.dsn_of("interlock", home=home, environ={"DATABASE_URL": "postgresql://h/d"})

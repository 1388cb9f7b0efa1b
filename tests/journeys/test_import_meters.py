"""A manufacturer's file: each bad row is named by its line, the rest loads, and no key can be read back."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bahal.domains.meters.errors import MeterFileMalformed
from bahal.foundation.rows import many, value
from bahal.journeys.import_meters import Imported, import_meters
from bahal.shared.sealing import Opener
from tests.journeys import town
from tests.plugin.databases import Database

INTERLOCK = X25519PrivateKey.from_private_bytes(bytes(range(32)))
HEADEND = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
COLUMNS = (
    "meter", "make", "system_title", "host", "port", "cell", "phase", "connection",
    "mr_lls", "mr_ek", "us_ek", "us_ak", "us_hls", "push_ek",
)  # fmt: skip
KEYS = ("mr_ek", "us_ek", "us_ak", "us_hls", "push_ek")


def sealed_of(database: Database, room: str, key: X25519PrivateKey, meter: str) -> dict[str, str]:
    """What a room finds when it opens a meter's keys."""
    with database.connect("owner") as owner:
        found = owner.execute(
            f"SELECT m.import::text, m.sealed, i.ephemeral_public FROM {room}_meter m"  # noqa: S608
            f" JOIN {room}_import i ON i.id = m.import WHERE meter = %s",
            (meter,),
        ).fetchone()
    assert found is not None
    import_id, sealed, ephemeral = found
    opened: dict[str, str] = json.loads(Opener(key, lambda _: bytes(ephemeral)).open(import_id, meter, sealed))  # type: ignore[arg-type]
    return opened


def row(nth: int, **changed: str) -> dict[str, str]:
    given = {
        "meter": f"X{nth:03d}",
        "make": "arpa",
        "system_title": f"4142430000{nth:06x}",
        "host": "127.0.1.1",
        "port": "4059",
        "cell": "c1",
        "phase": "1",
        "connection": str(town.number(nth)),
        "mr_lls": "61" * 8,
        **{name: f"{at:02x}{nth:030x}" for at, name in enumerate(KEYS)},
    }
    return {**given, **changed}


def load(*rows: Mapping[str, str], more: str = "") -> Imported:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    text.write(more)
    text.seek(0)
    return import_meters(
        rows=text,
        interlock_public=INTERLOCK.public_key().public_bytes_raw(),
        headend_public=HEADEND.public_key().public_bytes_raw(),
        actor="ee",
        at=datetime.now(UTC),
        business_at=town.TEN,
    )


def unmetered(database: Database, connections: int) -> None:
    town.found(connections=connections, due=0)
    with database.connect("owner") as owner:
        owner.execute("DELETE FROM meters_meter")


def refusals(done: Imported) -> list[tuple[int, str]]:
    return [(each["line"], each["error"]) for each in done.as_json()["refused"]]


def test_good_rows_load_and_their_keys_are_sealed_to_the_right_room(database: Database) -> None:
    unmetered(database, 3)
    done = load(*(row(nth) for nth in range(3)))
    assert (done.loaded, refusals(done)) == (3, [])
    assert many("SELECT serial, connection, make FROM meters_meter ORDER BY serial")[1] == (
        "X001",
        town.number(1),
        "arpa",
    )
    given = row(1)
    for room, key, names in (
        ("interlock", INTERLOCK, ("us_ek", "us_ak", "us_hls")),
        ("headend", HEADEND, ("mr_lls", "mr_ek", "push_ek")),
    ):
        assert sealed_of(database, room, key, "X001") == {name: given[name] for name in names}


def test_a_key_shared_with_the_setting_client_is_the_interlocks_alone(database: Database) -> None:
    unmetered(database, 1)
    shared = row(0)["us_ek"]
    assert load(row(0, mr_ek=shared)).loaded == 1
    opened = sealed_of(database, "headend", HEADEND, "X000")
    assert opened["mr_ek"] == ""
    assert shared not in opened.values()
    assert opened["push_ek"] == row(0)["push_ek"]
    assert sealed_of(database, "interlock", INTERLOCK, "X000")["us_ek"] == shared


def test_two_meters_with_one_relay_key_are_not_both_taken(database: Database) -> None:
    unmetered(database, 2)
    shared = row(0)["us_ek"]
    done = load(row(0), row(1, us_ek=shared))
    assert (done.loaded, refusals(done)) == (1, [(3, "meter_key_repeated")])
    assert shared not in json.dumps(done.as_json())


BAD: list[tuple[dict[str, str], str]] = [
    ({"meter": ""}, "meter_row_malformed"),
    ({"meter": "a|b"}, "meter_row_malformed"),
    ({"make": ""}, "meter_row_malformed"),
    ({"system_title": "41"}, "meter_row_malformed"),
    ({"system_title": "g" * 16}, "meter_row_malformed"),
    ({"host": "meter.example"}, "meter_row_malformed"),
    ({"port": "0"}, "meter_row_malformed"),
    ({"port": "65536"}, "meter_row_malformed"),
    ({"port": "४०५९"}, "meter_row_malformed"),
    ({"cell": ""}, "meter_row_malformed"),
    ({"phase": "2"}, "meter_row_malformed"),
    ({"connection": "12"}, "meter_row_malformed"),
    ({"connection": "9999999999"}, "connection_unknown"),
    ({"connection": ""}, "meter_without_connection"),
    ({"us_ek": "00"}, "meter_row_malformed"),
    ({"us_ak": "zz" * 16}, "meter_row_malformed"),
    ({"mr_lls": "6"}, "meter_row_malformed"),
    ({"push_ek": ""}, "meter_row_malformed"),
    ({"meter": "X000"}, "meter_known"),
    ({"system_title": "4142430000000000"}, "system_title_known"),
    ({"connection": str(town.FIRST)}, "connection_taken"),
]


def test_each_bad_row_is_named_by_its_line_and_the_rest_loads(database: Database) -> None:
    unmetered(database, 3)
    done = load(row(0), *(row(1, **changed) for changed, _ in BAD), row(2))
    assert refusals(done) == [(line, error) for line, (_, error) in enumerate(BAD, start=3)]
    assert done.loaded == 2
    refused = done.as_json()["refused"]
    assert all(each["hi"] != each["en"] for each in refused)
    assert "zz" not in json.dumps(refused)  # no part of a key is repeated


def test_a_repeated_file_loads_nothing_twice(database: Database) -> None:
    unmetered(database, 2)
    assert load(row(0), row(1)).loaded == 2
    again = load(row(0), row(1))
    assert (again.loaded, refusals(again)) == (0, [(2, "meter_known"), (3, "meter_known")])
    moved = load(row(5, system_title=row(0)["system_title"], connection=str(town.number(1))))
    assert refusals(moved) == [(2, "system_title_known")]
    second = load(row(6, connection=str(town.number(1))))
    assert refusals(second) == [(2, "connection_taken")]


def test_broken_lines_blank_lines_and_extra_fields(database: Database) -> None:
    unmetered(database, 2)
    done = load(row(0), more='\r\na,b,c\r\n"open""x\r\n')
    assert done.loaded == 1
    assert [error for _, error in refusals(done)] == ["meter_row_malformed"] * 2


def test_a_meter_recorded_before_needs_no_connection_in_the_file(database: Database) -> None:
    place = town.found(connections=1, due=0)
    done = load(row(0, meter=f"M{place.connections[0]}", connection=""))
    assert done.loaded == 1
    assert value("SELECT count(*) FROM meters_meter") == 1


@pytest.mark.parametrize("first", ["", "meter,make\r\n", "\x00\r\n"])
def test_a_file_without_its_columns_is_refused_whole(database: Database, first: str) -> None:
    with pytest.raises(MeterFileMalformed) as refused:
        import_meters(
            rows=io.StringIO(first),
            interlock_public=INTERLOCK.public_key().public_bytes_raw(),
            headend_public=HEADEND.public_key().public_bytes_raw(),
            actor="ee",
            at=datetime.now(UTC),
            business_at=town.TEN,
        )
    assert "system_title" in refused.value.data["missing"]
    assert value("SELECT count(*) FROM audit_entry") == 0

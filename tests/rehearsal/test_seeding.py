"""The seeded database: balanced, guarded by its triggers, and of one mind with the circle about who may be cut."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.contrib.auth.hashers import check_password

from bahal.interlock.officers import ALWAYS, load_officers
from bahal.journeys.eligibility import who_may_be_cut
from bahal.rehearsal import almanac, dues
from bahal.rehearsal.circle import Circle, build_circle
from bahal.rehearsal.layout import CIRCLE
from bahal.rehearsal.officers import enrol, prepare_officers, read_key
from bahal.rehearsal.seeding import CircleThere, Seeded, analyse, copy_rows, seed_circle
from bahal.shared.home import read_json
from bahal.shared.warrant import profile_verified
from tests import notices
from tests.rehearsal.roster import meters

MONDAY = date(2025, 11, 24)
TEN_ON_MONDAY = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
EXPECTED = {
    dues.HOSPITAL: "held",
    dues.LIFE_SUPPORT: "held",
    dues.DISPUTED: "due_below_minimum",
    dues.ESTIMATED: "due_below_minimum",
    dues.STALE: "due_below_minimum",
    dues.NOT_SERVED: "notice_not_served",
    dues.SERVED_LATE: "notice_not_served",
    dues.PART_3: "no_relay",
}


@pytest.fixture(scope="module")
def judged() -> Circle:
    return build_circle(
        seed=9, consumers=3000, defaulters=137, payers=41, rupees=512_345, monday=MONDAY, meters=meters(3000)
    )


@pytest.fixture(scope="module")
def small() -> Circle:
    return build_circle(
        seed=2, consumers=500, defaulters=20, payers=5, rupees=60_000, monday=MONDAY, meters=meters(500)
    )


@pytest.fixture
def seeded(database, small) -> Seeded:
    with database.connect("app", autocommit=False) as app:
        return seed_circle(app, small)


def verdicts(connection: psycopg.Connection, numbers: list[int]) -> dict[int, tuple[str, int]]:
    """The database's word on each connection at ten on the Monday, and what it may be cut for in paise."""
    rows = connection.execute(
        "SELECT f.connection, authority_verdict(f.reasons), f.enforceable_paise FROM authority_facts(%s, %s) f",
        [numbers, TEN_ON_MONDAY],
    ).fetchall()
    return {number: (word, paise) for number, word, paise in rows}


def deliver_reminders(connection: psycopg.Connection, numbers: list[int]) -> None:
    """As if the SMS centre had answered for each of the three days."""
    for number in numbers:
        notices.remind(connection, number, *almanac.reminder_days(MONDAY))


def pay(connection: psycopg.Connection, number: int, paise: int) -> None:
    connection.execute(
        "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
        " VALUES ('payment', %s, now(), now()) RETURNING id)"
        " INSERT INTO ledger_posting (transaction, account, connection, paise)"
        " SELECT act.id, l.account, l.connection, l.paise FROM act,"
        " (VALUES ('cash', NULL::bigint, %s::bigint), ('receivable', %s, -%s)) AS l (account, connection, paise)",
        [f"dropout-{number}", paise, number, paise],
    )


def test_the_ledger_balances_and_owes_what_the_circle_says(database, small, seeded):
    with database.connect("reader") as reader:
        assert reader.execute("SELECT count(*), coalesce(sum(paise), 0) FROM ledger_posting").fetchone() == (
            seeded.rows["ledger_posting"],
            0,
        )
        assert reader.execute(
            "SELECT count(*) FROM (SELECT FROM ledger_posting GROUP BY transaction HAVING sum(paise) <> 0) AS wrong"
        ).fetchone() == (0,)
        owed = dict(reader.execute("SELECT connection, due_paise FROM ledger_balance").fetchall())
        assert owed == {number: paise for number, paise in small.due_paise().items() if number in owed}
        assert len(owed) == 500
        assert reader.execute(
            "SELECT (SELECT sum(paise) FROM payments_payment) = sum(paise) FROM ledger_posting WHERE account = 'cash'"
        ).fetchone() == (True,)
        fences = reader.execute("SELECT count(*), min(generation), max(generation) FROM supply_fence").fetchone()
        assert fences == (500, 1, 1)


def test_exactly_the_defaulters_may_be_cut_once_the_reminders_are_delivered(database, judged):
    with database.connect("app", autocommit=False) as app:
        seed_circle(app, judged)
    everyone = [each.number for each in judged.connections]
    above = [number for number, paise in judged.due_paise().items() if paise > almanac.POLICY.minimum_paise]
    enforceable = judged.enforceable_paise()
    part_3 = {each.connection for each in judged.protected if each.why == dues.PART_3}
    with database.connect("app") as app:
        before = verdicts(app, everyone)
        assert {word for word, _ in before.values()} == {
            "notice_not_served", "held", "due_below_minimum", "reminders_not_delivered"
        }  # fmt: skip
        deliver_reminders(app, above)
        for dropout in judged.dropouts:
            pay(app, dropout.connection, dropout.paise)
        after = verdicts(app, everyone)

        may_be_cut = {number for number, (word, _) in after.items() if word == "cut"}
        assert may_be_cut == set(judged.defaulters)
        assert {number: paise for number, (word, paise) in after.items() if word == "cut"} == {
            number: enforceable[number] for number in may_be_cut
        }
        for each in judged.protected:
            assert after[each.connection][0] == EXPECTED[each.why], each.why
        # A meter under Part 3 has no relay: the law's facts allow the cut, the meter does not.
        for dropout in judged.dropouts:
            assert after[dropout.connection][0] == "due_below_minimum"
        phases = dict(app.execute("SELECT connection, phase FROM meters_meter WHERE phase <> 1").fetchall())
        assert phases == dict.fromkeys(part_3, 3)


def test_the_journey_lists_exactly_the_defaulters_and_says_why_not_the_others(database, judged):
    with database.connect("app", autocommit=False) as app:
        seed_circle(app, judged)
    due, enforceable = judged.due_paise(), judged.enforceable_paise()
    with database.connect("app") as app:
        deliver_reminders(app, [number for number, paise in due.items() if paise > almanac.POLICY.minimum_paise])
        for dropout in judged.dropouts:
            pay(app, dropout.connection, dropout.paise)
    found = who_may_be_cut(circle=CIRCLE, business_at=TEN_ON_MONDAY)

    assert tuple(line.connection for line in found.lines) == judged.defaulters
    assert found.sum_paise == sum(enforceable[number] for number in judged.defaulters)
    meter_of = {each.number: each.meter for each in judged.connections}
    notice_of = {each.connection: each for each in judged.notices}
    for line in found.lines:
        assert line.meter == meter_of[line.connection]
        assert line.paise == enforceable[line.connection]
        assert line.bills == ",".join(sorted(notice_of[line.connection].bills))
        assert line.notice_sha256 == notice_of[line.connection].sha256
    first = {connection: against[0] for connection, against in found.left_out.items()}
    assert first == {each.connection: EXPECTED[each.why] for each in judged.protected}


def test_the_window_is_open_on_the_monday_from_ten_to_two_only(database, seeded):
    with database.connect("reader") as reader:

        def opened(at: datetime) -> object:
            row = reader.execute("SELECT authority_window(%s, authority_policy(%s))", [at, at]).fetchone()
            return row[0] if row else None

        assert opened(TEN_ON_MONDAY) is True
        assert opened(TEN_ON_MONDAY - timedelta(microseconds=1)) is False
        assert opened(TEN_ON_MONDAY + timedelta(hours=4)) is False
        assert opened(TEN_ON_MONDAY - timedelta(days=1)) is False  # a Sunday
        assert opened(datetime(2025, 12, 18, 5, 0, tzinfo=UTC)) is False
        assert opened(datetime(2025, 12, 13, 5, 0, tzinfo=UTC)) is False
        policy = reader.execute("SELECT version, minimum_paise, verified, source FROM arrears_policy").fetchone()
        assert policy is not None
        assert policy[:3] == ("cg-2025-1", 500_000, False)
        assert "s.56" in policy[3]


def test_a_second_circle_is_refused(database, small, seeded):
    with database.connect("app", autocommit=False) as app, pytest.raises(CircleThere) as refused:
        seed_circle(app, small)
    assert refused.value.data == {"connections": 500}


def test_the_owner_may_analyse(database, seeded):
    with database.connect("owner") as owner:
        analyse(owner)
        assert owner.execute("SELECT reltuples FROM pg_class WHERE relname = 'network_connection'").fetchone() == (500,)


def test_progress_tells_each_step_to_its_end(database, small):
    told: list[tuple[str, int, int]] = []
    with database.connect("app", autocommit=False) as app:
        seed_circle(app, small, progress=lambda *step: told.append(step))
    assert [step for step, done, total in told if done == total] == ["network", "accounts", "authority"]


def test_copied_text_arrives_as_it_left(database):
    awkward = "a\tb\\n\nc\rd \\N बिजली"
    with database.connect("app") as app, app.cursor() as cursor:
        copy_rows(cursor, "offices_office", "id kind name name_hi parent_id", [(1, "region", awkward, "\\N", None)])
        assert cursor.execute("SELECT name, name_hi, parent_id FROM offices_office").fetchone() == (
            awkward,
            "\\N",
            None,
        )


class Caps:
    """Any profile of caps, as far as the officers who sign it care."""

    def canonical(self) -> str:
        return '{"name":"test"}'


def test_officers_are_made_once_with_private_files(database, small):
    first = prepare_officers(database.home)
    with database.connect("app", autocommit=False) as app:
        seed_circle(app, small, officers=first)
    again = prepare_officers(database.home)
    assert [each.login for each in first] == [
        "ee", "se", "cashier", "lineman", "vigilance", "aro", "callcentre", "auditor",
    ]  # fmt: skip
    assert [(each.public_key, each.totp_secret) for each in first] == [(e.public_key, e.totp_secret) for e in again]
    assert len({each.public_key for each in first}) == len(first)
    for each in first:
        assert each.key_file.stat().st_mode & 0o777 == 0o600
        sheet = each.key_file.with_suffix(".json")
        assert sheet.stat().st_mode & 0o777 == 0o600
        assert each.key().public_key().public_bytes_raw().hex() == each.public_key
    with database.connect("reader") as reader:
        stored = reader.execute("SELECT login, public_key FROM staff_officer").fetchall()
    assert sorted(stored) == sorted((each.login, each.public_key) for each in first)


def test_the_interlock_is_told_of_two_signers_and_caps_signed_by_both(database):
    officers = {each.login: each for each in enrol(database.home, profile=Caps())}
    trusted = load_officers(database.home.path / "interlock")
    assert set(trusted) == {"ee", "se"}
    assert {login: each.key_file(ALWAYS) for login, each in trusted.items()} == {
        login: officers[login].public_key for login in trusted
    }
    stated = read_json(database.home.path / "interlock" / "profile.json")
    assert stated is not None
    for signature in stated["signatures"]:
        assert profile_verified(
            trusted[signature["login"]].key_file(ALWAYS), signature["signature"], stated["document"]
        )


def test_a_key_file_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "x.key").write_text("not a key")
    with pytest.raises(ValueError):
        read_key(tmp_path / "x.key")


def test_the_password_is_djangos_to_check(database):

    (officer, *_) = prepare_officers(database.home)
    sheet = read_json(officer.key_file.with_suffix(".json"))
    assert sheet is not None
    assert sheet.keys() == {"login", "name", "password", "totp_secret", "ed25519_key_file"}
    assert check_password(sheet["password"], officer.password_hash())
    assert not check_password("guess", officer.password_hash())

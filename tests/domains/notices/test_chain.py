"""Random chains: SQL and Python hash a step alike, derive the same from it, and whatever is altered is found."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests import notices
from tests.interlock import facts as laid
from tests.plugin.databases import Database

from bahal.domains.arrears.rules.enforceable import clear
from bahal.domains.arrears.rules.reminders import reminded
from bahal.domains.notices.chain import Step, broken, reminded_on, served
from bahal.domains.notices.kinds import CHANNELS, EVENTS
from bahal.shared.verify_evidence import step_hash

DAY = date(2025, 11, 24)
TEN = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
SERVES = ("letter", "hand")
NUMBERS = count(2_700_000_001)
COLUMNS = ", ".join(Step._fields)

words = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=12)
whatever = st.none() | words


@dataclass(frozen=True)
class Happened:
    """One step of a random life: days from its attempt to the Monday, and days until it was heard of."""

    machine: str
    channel: str
    event: str
    back: int
    later: int
    notice: int


happened = st.builds(
    Happened,
    machine=st.sampled_from(("statutory", "reminder")),
    channel=st.sampled_from(CHANNELS),
    event=st.sampled_from(("delivered", "delivered", "delivered", *EVENTS)),
    back=st.integers(0, 7) | st.sampled_from((14, 15, 16, 17, 18, 30)) | st.just(20),
    later=st.sampled_from((0, 0, 0, 1, 2)),
    notice=st.integers(0, 1),
)
THREE_DAYS = [(3, 0), (2, 0), (1, 0)]
SERVED = Happened("statutory", "letter", "delivered", 20, 2, 0)
near_reminders = st.just(THREE_DAYS) | st.lists(st.tuples(st.integers(0, 6), st.sampled_from((0, 0, 0, 1))), max_size=5)


def chain_of(session: Any, connection: int) -> list[Step]:
    rows = session.execute(
        f"SELECT {COLUMNS} FROM notices_step WHERE connection = %s ORDER BY machine, position",  # noqa: S608
        [connection],
    ).fetchall()
    return [Step(*row) for row in rows]


def test_both_derivations_agree_on_random_chains(database: Database) -> None:
    with database.connect("owner") as owner:
        laid.lay_circle(owner, count=0)
        seen: set[tuple[bool, bool]] = set()

        @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(happened, max_size=8), near_reminders)
        @example([], [])
        @example([SERVED], [])
        @example([], THREE_DAYS)
        @example([SERVED], THREE_DAYS)
        def agree(lived: list[Happened], sent: list[tuple[int, int]]) -> None:
            number = next(NUMBERS)
            bill, named = _owes_and_noticed(owner, number)
            steps = [_step(number, each, named) for each in lived]
            steps += [
                notices.step(
                    number, "reminder", "delivered", DAY - timedelta(days=back),
                    effective_on=DAY - timedelta(days=back - late),
                )
                for back, late in sent
            ]  # fmt: skip
            if steps:
                notices.append(owner, steps)
            found = owner.execute(
                "SELECT noticed, reminded, reasons FROM authority_facts(ARRAY[%s]::bigint[], %s)", [number, TEN]
            ).fetchone()
            assert found is not None
            chain = chain_of(owner, number)
            assert list(broken(chain)) == []
            ripe = [
                told
                for told in served(chain, serves=SERVES).values()
                if clear(served_on=told.served_on, day=DAY, clear_days=15)
            ]
            noticed = any(told.issued_on > bill for told in ripe)
            days = reminded_on(chain)
            told = reminded(days, day=DAY, reminders=3, last_within_days=3)
            assert found[:2] == (noticed, told)
            assert ("notice_not_served" in found[2]) is not noticed
            assert ("reminders_not_delivered" in found[2]) is not told
            seen.add((noticed, told))

        agree()
    assert len(seen) == 4, "every case is met"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whatever, whatever, whatever, words, st.integers(0, 10**15))
def test_sql_and_python_hash_a_step_alike(
    db: None, provider: str | None, code: str | None, evidence: str | None, text: str, late: int
) -> None:
    from django.db import connection as django

    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=late)
    number = next(NUMBERS)
    more = {"provider": provider, "code": code, "evidence": evidence, "next_channel": None}
    made = [
        notices.step(number, "reminder", "asked", DAY, text=text, next_at=at.isoformat(), **more),
        notices.step(number, "reminder", "taken", DAY, at=at.isoformat(), **more),
    ]
    with django.cursor() as cursor:
        notices.append(cursor, made)
        cursor.execute(
            f"SELECT {COLUMNS} FROM notices_step WHERE connection = %s ORDER BY position",  # noqa: S608
            [number],
        )
        chain = [Step(*row) for row in cursor.fetchall()]
    assert [step_hash(each.plain()) for each in chain] == [each.hash for each in chain]
    assert chain[0].text == text
    assert chain[1].previous == chain[0].hash


def test_whatever_is_altered_in_a_chain_is_found(database: Database) -> None:
    with database.connect("owner") as owner:
        notices.remind(owner, 1, *(DAY - timedelta(days=back) for back in (3, 2, 1)))
        whole = chain_of(owner, 1)
    assert [each.position for each in whole] == [1, 2, 3, 4, 5, 6]
    assert list(broken(whole)) == []
    others: dict[str, Any] = {
        "day": DAY, "at": TEN, "business_at": TEN, "effective_on": DAY, "next_at": TEN, "connection": 2, "attempt": 9,
        "position": 9, "notice": 9, "template_version": 9, "machine": "statutory",
    }  # fmt: skip
    for nth, each in enumerate(whole):
        for name in Step._fields:
            if name in ("id", "batch"):
                continue  # they say where a step is kept, not what it is
            forged = [*whole]
            forged[nth] = each._replace(**{name: others.get(name, "altered")})
            assert list(broken(forged)), (nth, name)
        assert list(broken(whole[:nth] + whole[nth + 1 :])) or nth == len(whole) - 1


def _owes_and_noticed(owner: Any, number: int) -> tuple[date, list[int]]:
    """A bill over the minimum, with two notices over it that no step tells of yet; its due day."""
    due_on = DAY - timedelta(days=40)
    owner.execute(
        "INSERT INTO network_connection (id, transformer_id, centre, category, phase, sanctioned_load_w, connected_on,"
        " latitude, longitude) SELECT %s, min(id), 1111, 'LV-1', 1, 1000, '2020-01-01', 22.0, 82.1"
        " FROM network_transformer",
        [number],
    )
    (bill,) = owner.execute(
        "INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,"
        " disputed, supplementary) VALUES (%s, %s, '2025-09-01', %s, %s, 0, 900000, false, false, false) RETURNING id",
        [number, f"b{number}", due_on - timedelta(days=15), due_on],
    ).fetchone()
    named = []
    for _ in range(2):
        (notice,) = owner.execute(
            "INSERT INTO notices_writtennotice (connection, paise, issued_on, sha256) VALUES (%s, 1, %s, '')"
            " RETURNING id",
            [number, due_on + timedelta(days=1)],
        ).fetchone()
        owner.execute("INSERT INTO notices_noticedbill (notice, bill) VALUES (%s, %s)", [notice, bill])
        named.append(notice)
    return due_on, named


def _step(number: int, each: Happened, named: list[int]) -> dict[str, Any]:
    day = DAY - timedelta(days=each.back)
    more: dict[str, Any] = {"channel": each.channel}
    if each.machine == "statutory":
        more["notice"] = named[each.notice]
    if each.event == "delivered":
        more["effective_on"] = day + timedelta(days=each.later)
    return notices.step(number, each.machine, each.event, day, **more)

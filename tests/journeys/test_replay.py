"""The list of a drive comes out again from the facts kept at its proposal, whatever has happened since."""

import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bahal.domains.supply.derivation import Candidate, packed, rule_now
from bahal.domains.supply.eligibility import COLUMNS, Facts, reasons
from bahal.domains.supply.errors import DerivationMissing, DriveUnknown
from bahal.foundation.rows import value
from bahal.journeys.place_hold import place_hold
from bahal.journeys.replay_drive import replay_drive
from bahal.journeys.take_payment import take_payment
from tests.journeys import town
from tests.plugin.databases import Database

SIZE = 10_000
BYTES_A_CANDIDATE = 20


def settled() -> tuple[town.Town, int]:
    """A drive of three out of four: one is held, one has paid a part; all of that before the proposal."""
    place = town.found(connections=4)
    held = place.connections[0]
    times = {"at": place.wall, "business_at": town.NINE}
    place_hold(connection=held, kind="hospital", evidence="letter 7", actor="ee", expires_at=None, **times)
    take_payment(
        key="before", connection=place.connections[1], paise=500_00, channel="upi", actor="x", business_at=town.NINE
    )
    return place, place.drive()


def altered(database: Database, drive: int, change: Callable[[dict[str, Any]], object], *, seal: bool) -> None:
    """As whoever owns the machine could: the kept facts changed, and their hash too where he knows of it."""
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE supply_derivation DISABLE TRIGGER ALL")
        row = owner.execute("SELECT facts FROM supply_derivation WHERE drive = %s", [drive]).fetchone()
        assert row is not None
        stated = json.loads(zlib.decompress(row[0]))  # type: ignore[call-overload]
        change(stated)
        deflated = zlib.compress(json.dumps(stated).encode())
        owner.execute("UPDATE supply_derivation SET facts = %s WHERE drive = %s", [deflated, drive])
        if seal:
            owner.execute("UPDATE supply_derivation SET sha256 = encode(sha256(facts), 'hex')")


def test_the_same_list_comes_out_after_all_has_changed(database: Database) -> None:
    place, drive = settled()
    signed = value("SELECT list_sha256 FROM supply_drive WHERE id = %s", drive)
    for number in place.connections:
        take_payment(
            key=f"p{number}", connection=number, paise=town.DUE, channel="upi", actor="x", business_at=town.TEN
        )
    with database.connect("owner") as owner:
        owner.execute("UPDATE arrears_policy SET minimum_paise = 1")
        owner.execute("UPDATE supply_fence SET generation = generation + 7")
    found = replay_drive(drive=drive)
    assert found.differs == []
    assert found.same_rule
    assert (found.candidates, found.listed) == (4, 3)
    assert found.list_sha256 == found.signed_sha256 == signed
    assert found.sum_paise == value("SELECT sum_paise FROM supply_drive WHERE id = %s", drive)
    data = json.loads(value("SELECT data::text FROM audit_entry WHERE act = 'supply.drive.proposed'"))
    assert data["facts_sha256"] == value("SELECT sha256 FROM supply_derivation WHERE drive = %s", drive)


def test_whoever_alters_a_fact_is_named(database: Database) -> None:
    place, drive = settled()
    held = COLUMNS.index("held") + 3
    altered(database, drive, lambda stated: stated["rows"][0].__setitem__(held, []), seal=False)
    found = replay_drive(drive=drive)
    assert found.differs[0] == "facts altered"
    altered(database, drive, lambda stated: None, seal=True)
    found = replay_drive(drive=drive)
    assert found.differs[:2] == [
        f"reasons of {place.connections[0]}: held then, cut now",
        f"not ordered: {place.connections[0]}",
    ]
    assert found.differs[2].startswith("hash: ")


def test_an_order_that_the_facts_do_not_bear_is_named(database: Database) -> None:
    place, drive = settled()
    altered(database, drive, lambda stated: stated["rows"].pop(), seal=True)
    found = replay_drive(drive=drive)
    assert found.differs[0] == f"ordered against the facts: {place.connections[-1]}"


def test_facts_are_kept_for_ever_and_by_nobody_changed(database: Database) -> None:
    _, drive = settled()
    for role in ("app", "owner"):
        with database.connect(role) as connection:
            for statement in (
                "UPDATE supply_derivation SET rule = ''", "DELETE FROM supply_derivation", "TRUNCATE supply_derivation",
            ):  # fmt: skip
                with pytest.raises(psycopg.DatabaseError):
                    connection.execute(statement)
    with pytest.raises(DriveUnknown):
        replay_drive(drive=drive + 1)
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE supply_derivation DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM supply_derivation")
    with pytest.raises(DerivationMissing):
        replay_drive(drive=drive)


CODES = st.lists(st.sampled_from(["hospital", "court_stay", "complaint"]), max_size=2)
FACTS = st.builds(
    Facts,
    policy=st.none() | st.just("p"), hours=st.none() | st.just([]) | st.just(["no_cut_day"]), held=CODES,
    area_held=CODES, vulnerable=st.none() | st.just("dialysis"), pending=CODES, plan_open=st.none() | st.booleans(),
    conversion=st.just([]), review_open=st.none() | st.booleans(), stale_channels=CODES,
    noticed=st.none() | st.booleans(), enforceable_paise=st.none() | st.integers(0, 10**12),
    minimum_paise=st.none() | st.integers(0, 10**7), balance_paise=st.integers(-(10**9), 10**12),
    causes=st.lists(st.sampled_from(["stale", "not_noticed"]), max_size=2), reminded=st.none() | st.booleans(),
    meter=st.none() | st.just("no_relay"), standing=st.lists(st.just("off_already"), max_size=1),
    waived=st.just([]),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 10**10), st.none() | st.integers(1, 99), FACTS), max_size=20))
def test_whatever_is_packed_comes_out_and_says_the_same(drawn: list[tuple[int, int | None, Facts]]) -> None:
    given_ = [Candidate(number, fence, facts, list(reasons(facts))) for number, fence, facts in drawn]
    kept = packed(given_)
    assert kept.whole
    assert kept.rule == rule_now()
    assert kept.candidates == given_
    assert [each.derived for each in kept.candidates] == [each.derived for each in given_]


def test_ten_thousand_are_kept_small() -> None:
    chance = random.Random(1)
    plain = Facts("cspdcl-2025", [], [], [], None, [], False, [], False, [], True, 0, 500_000, 0, [], True, None, [])
    fields = {name: getattr(plain, name) for name in COLUMNS}
    everybody = []
    for nth in range(SIZE):
        due = chance.randrange(500_000, 90_000_00)
        facts = Facts(**{**fields, "enforceable_paise": due, "balance_paise": due + chance.randrange(100_000)})
        everybody.append(Candidate(2_200_000_000 + 3 * nth, chance.randrange(1, 4), facts, ()))
    assert len(packed(everybody).packed) < SIZE * BYTES_A_CANDIDATE

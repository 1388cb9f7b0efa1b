"""A population for measurements is as large as asked, balanced, and exactly its candidates may be cut."""

from datetime import UTC, date, datetime

import pytest

from bahal.rehearsal.population import candidate_numbers, populate
from bahal.rehearsal.seeding import CircleThere
from tests.rehearsal.roster import meters

MONDAY = date(2025, 11, 24)
TEN_ON_MONDAY = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize("roster", [(), meters(900)], ids=["own serials", "a roster's"])
def test_a_population(database, roster):
    made = populate(
        app_dsn=database.dsn("app"),
        owner_dsn=database.dsn("owner"),
        connections=900,
        candidates=70,
        postings=10_000,
        monday=MONDAY,
        meters=roster,
    )
    assert made.connections == 900
    assert 9_000 < made.postings < 11_000
    with database.connect("reader") as reader:
        rows = reader.execute(
            "SELECT f.connection, authority_verdict(f.reasons), f.balance_paise"
            " FROM authority_facts(ARRAY(SELECT id FROM network_connection), %s) f",
            [TEN_ON_MONDAY],
        ).fetchall()
        assert len(rows) == 900
        assert sorted(each for each, word, _ in rows if word == "cut") == candidate_numbers(
            connections=900, candidates=70
        )
        assert all((paise > 500_000) == (word == "cut") for _, word, paise in rows)
        assert reader.execute(
            "SELECT count(*) FROM (SELECT FROM ledger_posting GROUP BY transaction HAVING sum(paise) <> 0) AS wrong"
        ).fetchone() == (0,)
        assert reader.execute("SELECT count(*) FROM ledger_posting").fetchone() == (made.postings,)
        joined = reader.execute(
            "SELECT count(*), min(m.serial) FROM meters_meter m JOIN supply_fence USING (connection)"
            " JOIN consumers_consumer c ON c.id = connection"
        ).fetchone()
        assert joined == (900, "CG10000001")

    with pytest.raises(CircleThere):
        populate(
            app_dsn=database.dsn("app"), owner_dsn=database.dsn("owner"), connections=9, candidates=1, postings=0,
            monday=MONDAY,
        )  # fmt: skip


def test_numbers_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="do not go together"):
        populate(app_dsn="", owner_dsn="", connections=10, candidates=11, postings=0, monday=MONDAY)
    with pytest.raises(ValueError, match="do not go together"):
        populate(app_dsn="", owner_dsn="", connections=10, candidates=1, postings=0, monday=MONDAY, meters=meters(9))

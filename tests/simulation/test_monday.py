"""A thousand Mondays by seed: whatever crashes and whoever pays when, no wrong cut, no order without an end."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bahal.entry.postgres import EmbeddedPostgres
from tests.interlock import facts, world
from tests.plugin.databases import Database, _administered
from tests.simulation.monday import Monday

COUNT = 8
FEW = 20
REPLAYED = 10
"""One in so many of the long run is lived twice."""
MANY = int(os.environ.get("BAHAL_SEEDS", "1000"))


@pytest.fixture
def stage(
    database: Database, postgres: EmbeddedPostgres, tmp_path: Path
) -> Iterator[tuple[facts.Connection, facts.Keys]]:
    """A circle of eight, and a connection that may become each role."""
    laid = world.lay(database, tmp_path, count=COUNT)
    laid.meters.close()
    for each in (laid.app, laid.owner):
        each.close()
    with _administered(postgres) as administrator:
        where = administrator.info.dsn, administrator.info.password
    connection = psycopg.connect(where[0], password=where[1] or None, dbname=database.name)
    yield connection, laid.keys
    connection.close()


def lived(connection: facts.Connection, keys: facts.Keys, seed: int) -> tuple[str, Monday]:
    """One Monday, of which nothing remains but what is returned."""
    monday = Monday(connection, keys, count=COUNT, seed=seed)
    try:
        return monday.live(), monday
    finally:
        connection.rollback()


def test_each_seed_replays_identically(stage: tuple[facts.Connection, facts.Keys]) -> None:
    stories = {seed: lived(*stage, seed)[0] for seed in range(6)}
    assert len(set(stories.values())) == 6
    assert {seed: lived(*stage, seed)[0] for seed in reversed(range(6))} == stories


def test_a_few_mondays(stage: tuple[facts.Connection, facts.Keys]) -> None:
    told = []
    for seed in range(FEW):
        _, monday = lived(*stage, seed)
        assert monday.wrong == [], f"seed {seed}: {monday.story}"
        told += monday.story
    # The faults happened: a simulation in which nothing goes wrong proves nothing.
    for event in ("crash", "paid", "held", "stopped", "connection_lost", "not_moved", "found_moved", "verdict"):
        assert any(event in line for line in told), event
    assert any(line.endswith("off on") for line in told)


CARELESS = """
CREATE OR REPLACE FUNCTION interlock_send_cuts(p_worker text, p_orders bigint[], p_at timestamptz, p_caps jsonb)
RETURNS TABLE (order_id bigint, verdict text, reason text) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE supply_order o SET state = 'sent', sent_at = clock_timestamp(), sends = o.sends + 1
    WHERE o.id = ANY (p_orders) AND o.state IN ('claimed', 'unknown') RETURNING o.id, 'send', ''
$$
"""


def test_an_interlock_that_derives_nothing_is_noticed(stage: tuple[facts.Connection, facts.Keys]) -> None:
    stage[0].execute(CARELESS)  # type: ignore[arg-type]
    stage[0].commit()
    wrong = [each for seed in range(FEW) for each in lived(*stage, seed)[1].wrong]
    assert any(each.startswith("I1: cut sent") for each in wrong)


@pytest.mark.slow
def test_many_mondays(stage: tuple[facts.Connection, facts.Keys]) -> None:
    """`BAHAL_SEEDS=20000 make test-slow ARGS=tests/simulation` for more."""
    for seed in range(FEW, FEW + MANY):
        story, monday = lived(*stage, seed)
        assert monday.wrong == [], f"seed {seed}: {monday.story}"
        if seed % REPLAYED == 0:
            assert lived(*stage, seed)[0] == story, f"seed {seed} told another story the second time"

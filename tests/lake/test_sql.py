"""The queries of docs/lake.md, as they stand there, over a small lake of which every answer is known."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from bahal.lake.layout import Lake, make_lake
from bahal.lake.upkeep import compact
from bahal.lake.vee.rules import Parameters, Rule
from bahal.lake.vee.run import validate_day
from tests.lake.test_tables import DAY, facts, intervals

PAGE = (Path(__file__).parents[2] / "docs" / "lake.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
VIEW = re.search(r'sql\.execute\("""(.*?)"""', PAGE, re.DOTALL)


@pytest.fixture
def sql(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    lake = make_lake(str(tmp_path / "lake"), buckets=2)
    lay(lake)
    connection = duckdb.connect()
    for name in ("interval", "facts", "validated"):
        connection.register(name, DeltaTable(lake.path(name)).to_pyarrow_dataset())
    assert VIEW is not None
    connection.execute(VIEW.group(1))
    return connection


def lay(lake: Lake) -> None:
    """M1 is whole; of M2 two half hours came late and two never; M3 has an impossible one. Judged twice, compacted."""
    whole: list[int | None] = [50 + slot % 5 for slot in range(48)]
    first = [*whole[:20], *[None] * 4, *whole[24:]]
    second = [*[None] * 20, *whole[20:22], *[None] * 26]
    vah: list[int | None] = [each * 2 if each else None for each in whole]
    odd = [*whole[:5], 60_000, *whole[6:]]
    for batch, (meter, wh, more) in enumerate(
        [("M1", whole, {"vah": vah}), ("M2", first, {}), ("M2", second, {}), ("M3", odd, {})]
    ):
        lake.append("interval", intervals(lake, meter, wh, batch=batch, **more), writer="w", batch=batch)
    for nth, (meter, transformer) in enumerate([("M1", 1), ("M2", 1), ("M3", 2)]):
        lake.append("facts", facts(lake, meter, transformer=transformer, usual=[7] * 48), writer="f", batch=nth)
    for run in (1, 2):
        validate_day(lake, day=DAY, run=run, parameters=Parameters(spike_own=10_000))
    compact(lake, day=DAY)


def answers(sql: duckdb.DuckDBPyConnection) -> list[list[tuple[Any, ...]]]:
    return [sql.execute(query).fetchall() for query in QUERIES]


def test_five_queries_say_what_is_there(sql: duckdb.DuckDBPyConnection) -> None:
    found, curve, guessed, factors, parts = answers(sql)
    assert found == [("missing", 1), ("spike_load", 1)]
    assert [slot for slot, _ in curve] == list(range(1, 49))
    assert curve[0][1] == 3 * 50 * 2 / 1_000
    assert guessed == [(1, 2, round(2 / 96, 4)), (2, 1, round(1 / 48, 4))]
    assert factors == [("M1", DAY, 0.5)]
    assert parts == [(DAY, "M2", 2, 1, 2)]


def test_each_rule_on_the_page_is_one_of_the_product(sql: duckdb.DuckDBPyConnection) -> None:
    named = {name: int(bit) for bit, name in re.findall(r"\((\d+), '(\w+)'\)", QUERIES[0])}
    assert named == {name: int(Rule[name.upper()]) for name in named}
    assert len(named) >= 12

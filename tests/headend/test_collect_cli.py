"""`bahal read` and `bahal reads` from outside, against a head-end at work."""

import asyncio
import csv
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pyarrow.parquet as pq
import uvloop

from bahal.fleet.faults import Behaviour, Fault, Kind
from tests.headend.collecting import FAST, YESTERDAY, true_load, true_register, unfinished
from tests.headend.running import configure, headend
from tests.interlock.world import World, until


async def bahal(world: World, *words: str, lang: str = "en") -> tuple[int, str, str]:
    """Exit code, standard output and error of the command line."""
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bahal.entry.cli", *words, stdout=PIPE, stderr=PIPE,
        env=world.database.environ(BAHAL_LANG=lang),
    )  # fmt: skip
    out, error = await ran.communicate()
    return ran.returncode or 0, out.decode(), error.decode()


def test_a_meter_is_read_from_the_command_line(world: World, tmp_path: Path) -> None:
    home = world.database.home.path
    (home / "instance.json").write_text('{"kind": "rehearsal"}')
    first, second = world.serials[:2]
    configure(world, **FAST | {"reply_s": 0.3})
    world.meters.circle.behave(world.meters.row(second), Behaviour(faults=(Fault(kind=Kind.HALF_OPEN),)))

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            code, out, error = await bahal(world, "read", first, "--json")
            assert code == 0, error
            rows = json.loads(out)["rows"]
            assert rows[-1]["wh"] == true_register(world, 0, YESTERDAY.replace(day=24))
            assert len(rows) == 8
            code, out, _ = await bahal(world, "read", first, "load", "--days", "1", "--json")
            assert json.loads(out)["rows"][0]["wh"] == true_load(world, 0)
            code, out, _ = await bahal(world, "read", first, "now")
            assert "voltage 2" in out
            code, out, _ = await bahal(world, "read", first, "billing", "--json")
            assert len(json.loads(out)["rows"]) == 12
            code, out, _ = await bahal(world, "read", first, "events", lang="hi")
            assert (code, out) == (0, "कुछ नहीं मिला\n")
            code, _, error = await bahal(world, "read", second, "daily", "--json")
            assert (code, json.loads(error)["error"]) == (1, "read_failed")
            assert json.loads(error)["data"]["reason"] == "reply_timeout"
            code, _, error = await bahal(world, "read", "X", "--json")
            assert (code, json.loads(error)["error"]) == (1, "meter_not_read")
            assert (await bahal(world, "read", first, "dreams"))[0] == 2
            listed = tmp_path / "list.txt"
            listed.write_text(f"{first}\n{world.serials[2]}\n\n")
            code, out, _ = await bahal(world, "reads", "ask", "daily", "--file", str(listed), "--json")
            assert json.loads(out) == {"asked": 2, "kind": "daily"}
            code, out, _ = await bahal(world, "reads", "ask", "load", "--office", "11", "--json")
            assert json.loads(out)["asked"] == 3  # whom the head-end has met
            await until(lambda: unfinished(world) == 0)
            await until(lambda: world.one("SELECT count(*) FROM readings_meter WHERE reason <> ''") == 1)
            code, out, _ = await bahal(world, "reads", "status", "--office", "1", "--json")
            (office,) = json.loads(out)["offices"]
            assert (office["office"], office["meters"], office["troubled"]) == (1111, 3, 1)
            assert "3 मीटर" in (await bahal(world, "reads", "status", lang="hi"))[1]
            assert (await bahal(world, "reads", "silent", "--json"))[1] == '{"silent": []}\n'

    uvloop.run(scenario())

    async def exported() -> None:
        days = ["--from", "2025-11-23", "--to", "2025-11-24"]
        code, out, error = await bahal(world, "reads", "export", *days, "--out", str(tmp_path / "x.parquet"), "--json")
        assert code == 0, error
        assert json.loads(out)["lines"] >= 48
        code, _, _ = await bahal(world, "reads", "export", *days, "--out", str(tmp_path / "x.csv"), "--format", "csv")
        assert code == 0
        assert (await bahal(world, "reads", "export", *days, "--out", "x", "--format", "xml"))[0] == 2

    asyncio.run(exported())
    mine = pq.read_table(tmp_path / "x.parquet").filter(pq.filters_to_expression([("meter", "=", first)]))
    assert mine["wh"].to_pylist() == true_load(world, 0)
    assert mine["starts_at"][0].as_py().isoformat() == "2025-11-22T18:30:00+00:00"
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["meter"] == first]
    assert [int(row["wh"]) for row in rows] == true_load(world, 0)

"""Warnings, balances and the consumer's day from a lake of which everything is known, and rules by two officers."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bahal.domains.network.errors import InputMeterTaken, InputPlaceUnknown
from bahal.domains.network.queries import loss_history, losses, unsure
from bahal.domains.protection.errors import (
    OfficerMayNotSetRules,
    OutcomeUnknown,
    ReasonMissing,
    RulebookUnknown,
    RulesAccepted,
    RulesTaken,
    RulesUnknown,
    RulesWrong,
    SameRulesOfficer,
    WarningClosed,
    WarningUnknown,
)
from bahal.domains.protection.queries import kinds_in_force, outcomes, warnings
from bahal.domains.protection.telling import sentence
from bahal.foundation.rows import many, value
from bahal.journeys.balance_energy import balance_energy
from bahal.journeys.close_signals import close_alert, close_warning
from bahal.journeys.consumer_day import ConsumerUnknown, consumer_day
from bahal.journeys.follow_outages import gathering_in_force
from bahal.journeys.set_input_meter import set_input_meter
from bahal.journeys.set_rules import accept, propose
from bahal.journeys.warn_falling import caution_in_force, transformers, warn_falling
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import meter_days, valid_day
from bahal.lake.signals.weeks import gathered
from bahal.shared.home import write_private
from tests.journeys.lakes import lay_lake, validated
from tests.journeys.pushing import NOON, Grid, at, esw, lay
from tests.plugin.databases import Database

HOUR = np.arange(48) / 2
SHAPE = 0.3 + np.exp(-((HOUR - 7) ** 2) / 4) + 2 * np.exp(-((HOUR - 20) ** 2) / 8)
USUAL = SHAPE / SHAPE.sum() * 8_000
END = date(2025, 11, 20)
TIMES: dict[str, Any] = {"at": datetime.now(UTC), "business_at": NOON}


def weeks_of(grid: Grid, lake: Lake, *, falls: dict[str, float], missing: int = 0) -> None:
    """Seven weeks of every meter; in the last one some draw only a share."""
    chance = np.random.default_rng(3)
    meters = [meter for feeder in range(grid.feeders) for meter in grid.of(feeder)]
    for back in range(49, 0, -1):
        day = END - timedelta(days=back)
        share = {meter: falls.get(meter, 1.0) if back <= 7 else 1.0 for meter in meters}
        days = {meter: np.round(USUAL * share[meter] * chance.normal(1, 0.04)).astype(np.int32) for meter in meters}
        if back == missing:
            validated(lake, day, days, estimated={meters[0]: list(range(20))})
        else:
            validated(lake, day, days)


@pytest.fixture
def grid(database: Database) -> Grid:
    return lay(database, feeders=1, transformers=2, each=10)


@pytest.fixture
def lake(database: Database, monkeypatch: pytest.MonkeyPatch) -> Lake:
    folder = database.home.path / "lake"
    monkeypatch.delenv("BAHAL_LAKE", raising=False)
    return lay_lake(folder)


def warn(lake: Lake, end: date = END) -> Any:
    return warn_falling(lake=lake, week_end=end, actor="test", **TIMES)


def test_a_fall_without_a_reason_is_a_warning_within_the_budget(grid: Grid, lake: Lake) -> None:
    first, second = grid.meter(0, 0, 0), grid.meter(0, 1, 3)
    weeks_of(grid, lake, falls={first: 0.3, second: 0.45})
    looked = warn(lake)
    assert (looked.looked, looked.warnings, looked.found["falling"]) == (20, 1, 2)
    (one,) = warnings()
    assert (one.meter, one.connection, one.rank, one.week_end) == (first, grid.connection(0, 0, 0), 1, END)
    assert abs(one.missing_permille - 700) < 60
    assert abs(one.usual_wh - 8_000) < 600
    for language, part in (("hi", "यह आरोप नहीं"), ("en", "no accusation")):
        assert part in sentence(one, language)  # type: ignore[arg-type]
    # Looked at again, the open one is passed over, and the next in rank has the budget.
    assert warn(lake).warnings == 1
    assert {each.meter for each in warnings()} == {first, second}
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'protection.warning'") == 2


def test_who_was_cut_or_changed_is_passed_over(grid: Grid, lake: Lake, database: Database) -> None:
    cut, changed = grid.meter(0, 0, 0), grid.meter(0, 1, 3)
    weeks_of(grid, lake, falls={cut: 0.3, changed: 0.3})
    with database.connect("owner") as owner:
        owner.execute("UPDATE meters_meter SET installed_on = %s WHERE serial = %s", [END - timedelta(days=5), changed])
        owner.execute(
            "INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, worker, sent_at, business_at)"
            " VALUES (1, 'cut', %s, %s, 1, 'test', now(), %s)",
            [cut, grid.connection(0, 0, 0), NOON - timedelta(days=5)],
        )
    looked = warn(lake)
    assert (looked.found["falling"], looked.found["passed_over"], looked.warnings) == (2, 2, 0)


def test_a_warning_is_closed_with_what_was_found(grid: Grid, lake: Lake) -> None:
    weeks_of(grid, lake, falls={grid.meter(0, 0, 0): 0.3})
    warn(lake)
    (one,) = warnings()
    close: dict[str, Any] = {"note": "jumper behind the meter", "officer": "vigilance", **TIMES}
    with pytest.raises(OutcomeUnknown):
        close_warning(warning=one.id, outcome="guilty", **close)
    with pytest.raises(WarningUnknown):
        close_warning(warning=999, outcome="theft", **close)
    close_warning(warning=one.id, outcome="theft", **close)
    with pytest.raises(WarningClosed):
        close_warning(warning=one.id, outcome="vacant", **close)
    assert (warnings(), outcomes(since=END)) == ([], {"theft": 1})


def test_weeks_are_gathered_in_groups_as_in_one(grid: Grid, lake: Lake, tmp_path: Path) -> None:
    weeks_of(grid, lake, falls={}, missing=3)
    whole, parts = [], []
    for groups, found in ((1, whole), (7, parts)):
        folder = tmp_path / str(groups)
        folder.mkdir()
        for part in gathered(lake, end=END, weeks=6, place_of=transformers, groups=groups, folder=folder):
            assert len(set(part.transformer.tolist())) == (2 if groups == 1 else 1)
            found += list(zip(part.meter.tolist(), part.totals.tolist(), part.before.sum(axis=1), strict=True))
        assert list(folder.iterdir()) == []
    assert len(whole) == 20
    assert [row[:2] for row in sorted(whole)] == [row[:2] for row in sorted(parts)]
    # Of a day of which much was estimated nothing is taken.
    estimated = {meter.decode(): totals for meter, totals, _ in whole}[grid.meter(0, 0, 0)]
    assert [nth for nth, total in enumerate(estimated) if total < 0] == [49 - 3]


def test_a_validated_day_is_its_meter_s_latest_run_in_half_hours(lake: Lake) -> None:
    day = END
    quarters = np.arange(96, dtype=np.int32)
    validated(lake, day, {"A": np.full(48, 10, np.int32), "B": quarters, "C": np.full(24, 7, np.int32)}, run=1)
    validated(lake, day, {"A": np.full(48, 20, np.int32)}, run=2, estimated={"A": [0, 47]})
    found: dict[str, Any] = {}
    for bucket in range(lake.buckets):
        read = valid_day(lake, day=day, bucket=bucket)
        rows = zip(read.meter.to_pylist(), read.wh, read.estimated, read.total_wh, strict=True)
        found |= {name: (wh, marks, int(total)) for name, wh, marks, total in rows}
    assert {name: total for name, (_, _, total) in found.items()} == {"A": 960, "B": int(quarters.sum()), "C": 168}
    assert found["B"][0].tolist() == (quarters[::2] + quarters[1::2]).tolist()
    assert (found["C"][0][:2].tolist(), int(found["C"][0].sum())) == ([4, 3], 168)
    assert np.flatnonzero(found["A"][1]).tolist() == [0, 47]
    (mine,) = meter_days(lake, meter="A", start=day, end=day + timedelta(days=2)).values()
    assert (mine.total_wh, mine.estimated) == (960, 2)


# --- energy balance --------------------------------------------------------------------------------------------------


def balanced(grid: Grid, lake: Lake, day: date, *, drop: tuple[str, ...] = (), guessed: tuple[str, ...] = ()) -> int:
    """Two transformers: T11 loses a tenth, T12 four tenths after eighteen o'clock; the feeder gets what both do."""
    mine = {meter: np.full(48, 100, np.int32) for meter in grid.of(0) if meter not in drop}
    evening = np.where(HOUR >= 18, 1_000 / 0.6, 1_000.0)
    mine["IN1"] = np.full(48, 1_111, np.int32)
    mine["IN2"] = np.round(evening / 10).astype(np.int32)  # behind transformers of 1:10
    mine["INF"] = np.round(mine["IN1"] + 10 * mine["IN2"]).astype(np.int32)
    validated(lake, day, mine, estimated={meter: list(range(48)) for meter in guessed})
    return balance_energy(lake=lake, day=day, actor="test", **TIMES)


def test_the_worst_transformer_comes_first_and_shows_when(grid: Grid, lake: Lake) -> None:
    for meter, scope, place, factor in (
        ("IN1", "transformer", 1, 1),
        ("IN2", "transformer", 2, 10),
        ("INF", "feeder", 1, 1),
    ):
        set_input_meter(meter=meter, scope=scope, place=place, factor=factor, from_on=END, actor="ee", **TIMES)
    assert balanced(grid, lake, END - timedelta(days=1)) == 0  # no input stood there yet
    assert balanced(grid, lake, END) == 3
    worst, best = losses(day=END, scope="transformer", sure_permille=950)
    assert (worst.place, worst.meters, worst.unknown, worst.confidence_permille) == (2, 10, 0, 1_000)
    assert (best.place, best.in_wh, best.out_wh) == (1, 48 * 1_111, 48_000)
    lost = [went - came for went, came in zip(worst.hours_in, worst.hours_out, strict=True)]
    assert lost[:18] == [0] * 18
    assert all(abs(each - 2 * 667) < 20 for each in lost[18:])
    (feeder,) = losses(day=END, scope="feeder", sure_permille=950)
    assert feeder.lost_wh == worst.lost_wh + best.lost_wh
    assert [each.day for each in loss_history(scope="feeder", place=1, since=END, until=END + timedelta(days=9))] == [
        END
    ]


def test_where_too_little_is_known_nothing_is_claimed(grid: Grid, lake: Lake) -> None:
    for meter, place in (("IN1", 1), ("IN2", 2)):
        set_input_meter(meter=meter, scope="transformer", place=place, factor=1, from_on=END, actor="ee", **TIMES)
    balanced(grid, lake, END, drop=(grid.meter(0, 0, 0),), guessed=("IN2",))
    assert losses(day=END, scope="transformer", sure_permille=950) == []
    assert unsure(day=END, scope="transformer", sure_permille=950) == 2
    rows = many("SELECT place, confidence_permille, unknown FROM network_loss ORDER BY place")
    assert rows == [(1, 900, 1), (2, 0, 0)]
    # What comes late makes it known: the day's row is made anew.
    validated(lake, END, {grid.meter(0, 0, 0): np.full(48, 100, np.int32)}, run=2)
    assert balance_energy(lake=lake, day=END, actor="test", **TIMES) == 2
    assert losses(day=END, scope="transformer", sure_permille=950)[0].confidence_permille == 1_000


def test_a_meter_measures_one_thing(grid: Grid) -> None:
    given: dict[str, Any] = {"factor": 1, "from_on": END, "actor": "ee"} | TIMES
    with pytest.raises(InputPlaceUnknown):
        set_input_meter(meter="IN1", scope="feeder", place=77, **given)
    with pytest.raises(InputMeterTaken):
        set_input_meter(meter=grid.meter(0, 0, 0), scope="feeder", place=1, **given)
    set_input_meter(meter="IN1", scope="feeder", place=1, **given)
    with pytest.raises(InputMeterTaken):
        set_input_meter(meter="IN1", scope="transformer", place=1, **given)


# --- the consumer's day ----------------------------------------------------------------------------------------------


def test_a_consumer_s_day_month_and_what_it_may_cost(grid: Grid, lake: Lake) -> None:
    first, meter = grid.connection(0, 0, 0), grid.meter(0, 0, 0)
    for back in range(1, 40):
        if back != 5:
            validated(lake, END - timedelta(days=back), {meter: np.full(48, 100, np.int32)}, estimated={meter: [3]})
    found = consumer_day(connection=first, lake=lake, business_at=NOON)
    assert (found.wh, found.estimated_half_hours, len(found.half_hours)) == (4_800, 1, 48)
    assert (found.month_wh, found.month_known, found.month_days) == (18 * 4_800, 18, 19)
    cost = found.projection
    assert cost is not None
    assert (cost.wh, cost.days) == (30 * 4_800, 27)
    assert 0 < cost.low_paise <= cost.paise <= cost.high_paise
    assert cost.paise % 100 == 0
    for language, part in (("hi", "यह बिल नहीं है"), ("en", "this is no bill")):
        assert part in found.text(language)  # type: ignore[arg-type]


def test_what_is_not_known_is_said_and_not_invented(grid: Grid, lake: Lake) -> None:
    found = consumer_day(connection=grid.connection(0, 0, 0), lake=lake, business_at=NOON)
    assert (found.wh, found.month_wh, found.month_known, found.projection) == (None, 0, 0, None)
    assert found.why_not is not None
    assert found.as_json()["why_not"]["error"] == "too_few_days"
    with pytest.raises(ConsumerUnknown):
        consumer_day(connection=1, lake=lake, business_at=NOON)


def test_from_the_command_line(grid: Grid, lake: Lake, database: Database) -> None:
    first, meter = grid.connection(0, 0, 0), grid.meter(0, 0, 0)
    today = datetime.now(UTC).date()
    for back in range(30):
        validated(lake, today - timedelta(days=back), {meter: np.full(48, 100, np.int32)})
    assert bahal(database, "day", str(first))["half_hours"] == [100] * 48
    assert bahal(database, "day", "1")["error"] == "consumer_day_unknown"
    day = (today - timedelta(days=1)).isoformat()
    validated(lake, today - timedelta(days=1), {"IN1": np.full(48, 5_000, np.int32)}, run=2)
    bahal(database, "balance", "input", "IN1", "--scope", "transformer", "--place", "1", "--from", day, "--as", "ee")
    assert bahal(database, "balance", "run", "--day", day)["places"] == 1
    assert bahal(database, "balance", "--day", day)["unsure"] == 1
    assert bahal(database, "falling", "run")["looked"] == 1
    assert bahal(database, "falling")["warnings"] == []
    grid.push(meter, esw(83), when=NOON)
    grid.push_many((each, esw(85), at(1), at(1)) for each in grid.of(0, 1))
    grid.judge(now=at(5))
    (alert,) = bahal(database, "alerts", "--role", "vigilance")["alerts"]
    assert (alert["kind"], alert["en"], alert["hi"]) == ("cover_open", "meter cover open", "मीटर का ढक्कन खुला")
    closed = bahal(database, "alerts", "close", str(alert["id"]), "--outcome", "fault", "--as", "vigilance")
    assert closed["outcome"] == "fault"
    assert bahal(database, "alerts")["alerts"] == []
    (incident,) = bahal(database, "incidents")["incidents"]
    assert (incident["scope"], incident["meters"], incident["still"]) == ("transformer", 10, 10)
    planned = bahal(
        database, "incidents", "plan", "--scope", "feeder", "--place", "1", "--from", "2025-11-20T11:00", "--to",
        "2025-11-20T14:00", "--reason", "new pole", "--as", "ee",
    )  # fmt: skip
    assert planned == {"planned": 1}
    places = bahal(database, "incidents", "minutes", "--from", "2025-11-20", "--to", "2025-11-21")["places"]
    assert [(each["feeder"], each["interruptions"]) for each in places] == [(1, 0)]
    assert places[0]["planned_minutes"] > 0


def bahal(database: Database, *words: str) -> Any:
    """One verb of the command line on this database, its answer or refusal as JSON."""
    write_private(database.home.path / "instance.json", {"kind": "production"})
    done = subprocess.run(
        [sys.executable, "-m", "bahal.entry.cli", *words, "--json"],
        env=database.environ(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout if done.returncode == 0 else done.stderr)


# --- rules -----------------------------------------------------------------------------------------------------------

FALLING = """
version = "careful-1"
effective_from = 2025-12-01
source = "field results of November"
verified = false
fall = 0.5
per_thousand = 4
"""


def test_rules_are_changed_by_two_officers_from_a_day_on(grid: Grid) -> None:
    number = propose(name="falling", text=FALLING, officer="ee", **TIMES)
    assert caution_in_force(date(2025, 12, 1)).version == "house-1"
    with pytest.raises(SameRulesOfficer):
        accept(rules=number, officer="ee", reason="mine", **TIMES)
    with pytest.raises(ReasonMissing):
        accept(rules=number, officer="vigilance", reason=" ", **TIMES)
    accept(rules=number, officer="vigilance", reason="too many in vain", **TIMES)
    assert caution_in_force(date(2025, 11, 30)).version == "house-1"
    later = caution_in_force(date(2025, 12, 1))
    assert (later.version, later.fall, later.per_thousand, later.weeks) == ("careful-1", 0.5, 4.0, 6)
    with pytest.raises(RulesAccepted):
        accept(rules=number, officer="vigilance", reason="again", **TIMES)
    with pytest.raises(RulesTaken):
        propose(name="falling", text=FALLING, officer="ee", **TIMES)
    with pytest.raises(RulesUnknown):
        accept(rules=99, officer="vigilance", reason="x", **TIMES)
    with pytest.raises(OfficerMayNotSetRules):
        propose(name="falling", text=FALLING.replace("careful-1", "careful-2"), officer="cashier", **TIMES)
    acts = [row[0] for row in many("SELECT act FROM audit_entry WHERE act LIKE 'rules.%%' ORDER BY id")]
    assert acts == ["rules.proposed", "rules.accepted"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("falling", "fall = 0.5", "fell = 0.5"),
        ("falling", "fall = 0.5", 'fall = "half"'),
        ("falling", "fall = 0.5", "fall = -1"),
        ("falling", "per_thousand = 4", "weeks = 6.5"),
        ("falling", "verified = false", "verified = 0"),
        ("falling", "effective_from = 2025-12-01", "effective_from = 2025-12-01T00:00:00"),
        ("falling", 'version = "careful-1"', "version = 1"),
        ("falling", "fall = 0.5", "fall ="),
        ("incidents", "fall = 0.5", "fall = 0.5"),
        ("kinds", "", ""),
    ],
)
def test_a_bad_document_is_refused_before_anybody_signs(grid: Grid, name: str, old: str, new: str) -> None:
    with pytest.raises(RulesWrong, match=name):
        propose(name=name, text=FALLING.replace(old, new), officer="ee", **TIMES)
    with pytest.raises(RulebookUnknown):
        propose(name="weather", text=FALLING, officer="ee", **TIMES)


def test_every_rulebook_can_be_put_in_the_product_s_place(grid: Grid) -> None:
    from bahal.domains.protection.kinds import shipped_kinds

    head = 'effective_from = 2025-11-01\nsource = "x"\nverified = false\n'
    kinds = shipped_kinds().replace('"kinds-1"', '"kinds-2"').replace("2018-04-01", "2025-11-01")
    kinds = kinds.replace('["magnet", 81,', '["magnet", -1,')
    for name, text in (("incidents", f'version = "g-2"\nmeters_least = 9\n{head}'), ("kinds", kinds)):
        accept(rules=propose(name=name, text=text, officer="ee", **TIMES), officer="vigilance", reason="x", **TIMES)
    assert gathering_in_force(NOON).meters_least == 9
    assert kinds_in_force(on=END).version == "kinds-2"
    assert 81 not in kinds_in_force(on=END).by_bit


def test_an_officer_s_end_of_an_alert_is_an_end(grid: Grid) -> None:
    meter = grid.meter(0, 0, 0)
    grid.push(meter, esw(83), when=at(0))
    grid.judge(now=at(1))
    alert = value("SELECT id FROM protection_alert")
    close_alert(alert=alert, outcome="tamper", officer="vigilance", at=datetime.now(UTC), business_at=at(60))
    grid.push(meter, esw(83, 11), when=at(120))  # the cover is still open: no new cause
    grid.judge(now=at(121))
    rows = many("SELECT kind, outcome FROM protection_alert ORDER BY id")
    assert rows == [("cover_open", "tamper"), ("over_current", "")]
    grid.push(meter, esw(), when=at(180))
    grid.push(meter, esw(83), when=at(240))
    grid.judge(now=at(241))
    rows = many("SELECT kind, outcome FROM protection_alert ORDER BY id")
    assert rows == [("cover_open", "tamper"), ("over_current", "restored"), ("cover_open", "")]


def test_transformers_of_meters(grid: Grid) -> None:
    assert transformers(pa.array([grid.meter(0, 1, 0), "nobody", grid.meter(0, 0, 9)])).tolist() == [2, -1, 1]

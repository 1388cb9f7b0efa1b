"""The Monday that is asked for is the Monday that happened: every figure is counted again from the outside logs."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from bahal.entry import cli
from tests.entry.instance import processes_of
from tests.monday import recount
from tests.monday.living import Lived, bahal, live

CONSUMERS, DEFAULTERS, PAYERS, RUPEES, RACE = 1200, 137, 41, 512345, 3
IN_RUPEES = "₹5,12,345"
WISHES = {
    "consumers": CONSUMERS,
    "defaulters": DEFAULTERS,
    "payers": PAYERS,
    "rupees": RUPEES,
    "race": RACE,
    "reply_delay": 0.1,
}


class Mondays(NamedTuple):
    """One seed told in English and in Hindi, and another seed."""

    english: Lived
    hindi: Lived
    other: Lived


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Every user may pass through: under root a database server is `nobody`."""
    made = Path(tempfile.mkdtemp(prefix="bahal-monday-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def mondays(folder: Path) -> Mondays:
    english = live(folder / "english", lang="en", keep=True, seed=9, **WISHES)
    with ThreadPoolExecutor(2) as both:
        hindi = both.submit(live, folder / "hindi", lang="hi", seed=9, **WISHES)
        other = both.submit(live, folder / "other", lang="en", seed=10, **{**WISHES, "reply_delay": 0})
        return Mondays(english, hindi.result(), other.result())


@pytest.fixture(scope="module")
def monday(mondays: Mondays) -> Lived:
    return mondays.english


@pytest.mark.parametrize("which", Mondays._fields)
def test_it_ends_well_and_leaves_nothing_running(mondays: Mondays, which: str) -> None:
    lived: Lived = getattr(mondays, which)
    assert lived.code == 0, lived.told_live
    assert not (lived.home / "run" / "endpoints.json").exists()
    assert processes_of(lived.home) == []


@pytest.mark.parametrize("which", Mondays._fields)
def test_the_figures_told_are_those_of_the_outside_logs(mondays: Mondays, which: str) -> None:
    lived: Lived = getattr(mondays, which)
    assert lived.counted.inconsistencies() == []
    assert recount.differences(lived.counted, lived.told) == []


@pytest.mark.parametrize("which", Mondays._fields)
def test_what_was_asked_for_happened(mondays: Mondays, which: str) -> None:
    lived: Lived = getattr(mondays, which)
    counted = lived.counted
    raced = [each for each in counted.monday if each.consumer not in {p.consumer for p in counted.raced}]
    late = RACE - len(counted.raced)
    assert 0 <= late <= RACE
    assert len(counted.cut) == DEFAULTERS - len(counted.raced)
    assert len(raced) == PAYERS + late
    assert len(counted.restored) == PAYERS + late
    assert len(counted.forced) == 1
    assert len(counted.dark) == DEFAULTERS - RACE - PAYERS - 1
    if late == 0:
        assert sum(each.paise for each in counted.counter) == RUPEES * 100
    reminders = [each for each in counted.messages if each.kind == "reminder"]
    assert len({each.day for each in reminders}) == 3
    assert {each.consumer for each in counted.messages if each.kind == "cut"} <= {each.consumer for each in reminders}


def test_who_pays_in_the_instant_before_his_cut_is_not_cut(monday: Lived) -> None:
    assert len(monday.counted.raced) == RACE == monday.told["cancelled_paid"]
    assert monday.told["paid"]["rupees"] == RUPEES


def test_nobody_was_cut_without_three_days_of_warning(monday: Lived) -> None:
    days_of: dict[int, set[object]] = {}
    for each in monday.counted.messages:
        if each.kind == "reminder":
            days_of.setdefault(each.consumer, set()).add(each.day)
    cut = {monday.connection_of[meter] for meter in monday.counted.cut}
    assert [consumer for consumer in cut if len(days_of.get(consumer, ())) < 3] == []


def test_meter_by_meter_the_light_follows_the_money(monday: Lived) -> None:
    counted = monday.counted
    paid: dict[int, list[recount.Payment]] = {}
    for each in counted.payments:
        paid.setdefault(each.consumer, []).append(each)
    off = {each.meter: each for each in counted.movements if each.cause == "remote_disconnect"}
    on = {each.meter: each for each in counted.movements if each.cause == "remote_reconnect"}

    in_time = {each.consumer for each in counted.raced} | counted.dropped_out
    assert {meter for meter in off if monday.connection_of[meter] in in_time} == set()
    for meter, lit in on.items():
        payments = paid.get(monday.connection_of[meter], [])
        assert [each.at < lit.at for each in payments] == [True], meter
        assert off[meter].at < lit.at
    lit = {monday.connection_of[meter] for meter in on}
    assert lit == {each.consumer for each in counted.counter} == counted.lit
    assert {monday.connection_of[meter] for meter in counted.dark} & paid.keys() == set()
    assert counted.forced.isdisjoint(on)


def test_every_remote_movement_is_the_interlocks_and_inside_the_window(monday: Lived) -> None:
    opening = min(each.business_at for each in monday.counted.movements).astimezone(recount.INDIA)
    assert (opening.date().isoformat(), opening.hour) == ("2025-11-24", 10)
    text = (monday.home / "logs" / "fleet.jsonl").read_text()
    assert set(re.findall(r'"cause":"remote_\w+","sap":(\d+)', text)) == {"48"}
    last = max(each.business_at for each in monday.counted.movements if not each.on)
    assert last - opening < timedelta(hours=4)


@pytest.mark.parametrize(
    ("which", "cut", "paid"),
    [
        ("english", "{cut} cut and read back, {raced} had paid before their cut", "{lit} paid {sum}"),
        ("hindi", "{cut} कटे और मीटर से जाँचे गए, {raced} काटने से पहले चुका चुके", "{lit} ने काउंटर पर {sum}"),
    ],
)
def test_the_terminal_and_the_page_say_so(mondays: Mondays, which: str, cut: str, paid: str) -> None:
    lived: Lived = getattr(mondays, which)
    data = {"cut": len(lived.counted.cut), "raced": len(lived.counted.raced), "lit": PAYERS, "sum": IN_RUPEES}
    assert cut.format(**data) in lived.told_live
    assert paid.format(**data) in lived.told_live
    for text in (lived.reported, lived.page):
        assert lived.told["list_sha256"] in text
        assert IN_RUPEES in text
        for meter in lived.counted.forced:
            assert meter in text
    language = {"english": "Still dark", "hindi": "अब भी विच्छेदित"}[which]
    assert re.search(rf"{language}\D+{len(lived.counted.cut - lived.counted.restored)}\b", lived.page)


def test_the_same_seed_gives_the_same_list_and_another_seed_another(mondays: Mondays) -> None:
    assert mondays.english.told["list_sha256"] == mondays.hindi.told["list_sha256"]
    assert mondays.english.told["list_sha256"] != mondays.other.told["list_sha256"]
    assert mondays.english.told["seed"] == 9


def test_the_recount_runs_by_itself(monday: Lived, capsys: pytest.CaptureFixture[str]) -> None:
    told = monday.home.parent / f"{monday.home.name}.json"
    assert recount.main([str(monday.home / "logs"), str(told)]) == 0
    wrong = told.with_name("wrong.json")
    wrong.write_text(told.read_text().replace(f'"rupees": {RUPEES}', f'"rupees": {RUPEES - 1}'))
    assert recount.main([str(monday.home / "logs"), str(wrong)]) == 1
    assert "paid.rupees" in capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "hi"])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--consumers 100 --defaulters 101", "101"),
        ("--consumers 1000 --defaulters 50 --payers 51", "51"),
        ("--consumers 1000 --defaulters 50 --payers 48 --race 3", "48"),
        ("--consumers 1000 --defaulters 50 --payers 10 --rupees 12345", "12345"),
        ("--consumers 1000 --defaulters 50 --payers 0 --rupees 5000", "5000"),
        ("--consumers 0", "consumers"),
        ("--monday 2025-11-23", "23-11-2025"),
        ("--monday yesterday", "yesterday"),
        ("--faults everything", "everything"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: str,
    named: str,
    lang: str,
) -> None:
    monkeypatch.setenv("BAHAL_HOME", str(tmp_path / "never"))
    monkeypatch.setenv("BAHAL_LANG", lang)
    monkeypatch.setattr(sys, "argv", ["bahal", "demo", *options.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert named in err
    assert bool(re.search("[\u0900-\u097f]", err)) == (lang == "hi")
    assert not (tmp_path / "never").exists()


def test_as_a_command_too(folder: Path) -> None:
    ran = bahal(folder / "never", "demo", "--consumers", 100, "--defaulters", 101, BAHAL_LANG="en")
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)


def test_a_result_that_cannot_be_written_is_known_before_the_monday(folder: Path) -> None:
    ran = bahal(folder / "never", "demo", "--json", folder / "nowhere" / "told.json", BAHAL_LANG="en")
    assert ran.returncode == 3
    assert "nowhere" in ran.stderr
    assert not (folder / "never" / "instance.json").exists()

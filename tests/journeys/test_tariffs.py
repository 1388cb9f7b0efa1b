"""A tariff is changed by two officers, in the product; who answers for an unverified rate is on record."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bahal.domains.staff.errors import OfficerUnknown
from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Facts, steady
from bahal.domains.tariffs.errors import (
    OfficerMayNotSetTariff,
    RateAccepted,
    RateUnknown,
    RateVerified,
    SameTariffOfficer,
    TariffOverlap,
    TariffReasonMissing,
    TariffSourceMissing,
    VersionAccepted,
    VersionTaken,
    VersionUnknown,
)
from bahal.domains.tariffs.queries import acceptances, book, find_version, unaccepted, versions
from bahal.domains.tariffs.rating import rate
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, value
from bahal.journeys.accept_rate import accept_rate
from bahal.journeys.accept_tariff import accept_tariff
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.propose_tariff import propose_tariff
from bahal.shared.home import write_private
from tests.journeys import town
from tests.plugin.databases import Database

AT = datetime(2027, 6, 1, tzinfo=UTC)
TIMES = {"at": AT, "business_at": AT}
NEXT = """schedule = "FY2027-28"
family = "tariff"
from = 2027-07-01
[sources]
order = "the order of a test"
[[charge]]
name = "energy"
categories = ["LV-1"]
rule = "telescopic"
component = "energy"
source = "order"
verified = true
slabs = [{ rate = 5.00 }]
"""
"""Rs 5 for every unit: 10 units are Rs 50 before duty."""


@pytest.fixture
def officers(database: Database, settings: object) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    roles = {"ee": "executive_engineer", "se": "superintending_engineer", "cashier": "cashier"}
    enrol_officers([town.officer(login, role) for login, role in roles.items()], actor="test", **TIMES)


def propose(text: str = NEXT, officer: str = "ee") -> int:
    return propose_tariff(text=text, file="next.toml", officer=officer, **TIMES)


def test_two_officers_bring_a_tariff_into_force(officers: None, database: Database) -> None:
    july = steady(Facts("LV-1"), start=date(2027, 7, 1), end=date(2027, 8, 1), wh=10_000)
    assert book() is shipped()
    version = propose()
    assert book() is shipped()
    with pytest.raises(SameTariffOfficer):
        accept_tariff(version=version, officer="ee", reason="I checked it", **TIMES)
    with pytest.raises(TariffReasonMissing):
        accept_tariff(version=version, officer="se", reason=" ", **TIMES)
    accept_tariff(version=version, officer="se", reason="compared with the order, page by page", **TIMES)
    assert rate(july, book()).paise_of("energy") == 50_00
    assert book() is book()
    assert dict(rate(july, book()).versions)["FY2027-28"] == find_version(version=version).sha256
    with pytest.raises(VersionAccepted) as refused:
        accept_tariff(version=version, officer="se", reason="again", **TIMES)
    assert refused.value.data == {"version": version, "accepted_by": "se"}
    assert [(each.name, each.proposed_by, each.accepted_by) for each in versions()] == [("FY2027-28", "ee", "se")]
    acts = many("SELECT act, subject, data->>'reason' FROM audit_entry WHERE act LIKE 'tariff%%' ORDER BY id")
    assert acts == [
        ("tariff.proposed", "tariff FY2027-28", None),
        ("tariff.accepted", "tariff FY2027-28", "compared with the order, page by page"),
    ]
    assert story_of(connection=1, language="hi") == []


def test_who_may_not_and_what_may_not(officers: None) -> None:
    with pytest.raises(OfficerMayNotSetTariff):
        propose(officer="cashier")
    with pytest.raises(OfficerUnknown):
        propose(officer="nobody")
    with pytest.raises(TariffSourceMissing) as bad:
        propose(NEXT.replace('source = "order"\n', ""))
    assert bad.value.data["file"] == "next.toml"
    with pytest.raises(VersionTaken):
        propose(NEXT.replace("FY2027-28", "FY2025-26"))
    with pytest.raises(TariffOverlap):
        propose(NEXT.replace("2027-07-01", "2026-07-01"))
    with pytest.raises(VersionUnknown):
        accept_tariff(version=99, officer="se", reason="there", **TIMES)
    assert value("SELECT count(*) FROM tariffs_version") == 0
    propose()
    with pytest.raises(VersionTaken):
        propose()


def test_a_version_that_no_longer_fits_is_not_accepted(officers: None) -> None:
    first, second = propose(), propose(NEXT.replace("FY2027-28", "FY2027-28 other"))
    accept_tariff(version=first, officer="se", reason="checked", **TIMES)
    with pytest.raises(TariffOverlap):
        accept_tariff(version=second, officer="se", reason="checked", **TIMES)


def test_a_correction_takes_the_place_of_a_document(officers: None) -> None:
    wrong = propose()
    accept_tariff(version=wrong, officer="se", reason="checked", **TIMES)
    head = 'schedule = "FY2027-28 corrected"\nreplaces = "FY2027-28"\n'
    right = propose(NEXT.replace('schedule = "FY2027-28"\n', head).replace("5.00", "4.00"))
    accept_tariff(version=right, officer="se", reason="corrigendum 3", **TIMES)
    july = steady(Facts("LV-1"), start=date(2027, 7, 1), end=date(2027, 8, 1), wh=10_000)
    assert rate(july, book()).paise_of("energy") == 40_00


def test_the_database_keeps_versions_whoever_writes(officers: None, database: Database) -> None:
    version = propose()
    for statement in (
        "UPDATE tariffs_version SET accepted_by = 'ee', accepted_at = now(), reason = 'x'",
        "UPDATE tariffs_version SET accepted_by = 'se'",
    ):
        with database.connect("app") as app, pytest.raises(psycopg.errors.CheckViolation):
            app.execute(statement)
    accept_tariff(version=version, officer="se", reason="checked", **TIMES)
    accept_rate(path="duty-and-cess/LV-1+LV-2+LV-3/cess", officer="ee", reason="seen on a bill", **TIMES)
    with database.connect("owner") as owner:
        for statement in (
            "UPDATE tariffs_version SET accepted_by = 'other'",
            "UPDATE tariffs_version SET document = ''",
            "DELETE FROM tariffs_version",
            "TRUNCATE tariffs_version",
            "UPDATE tariffs_rateacceptance SET reason = 'better'",
            "DELETE FROM tariffs_rateacceptance",
            "TRUNCATE tariffs_rateacceptance",
        ):
            with pytest.raises(psycopg.Error) as refused:
                owner.execute(statement)
            assert refused.value.sqlstate == "BH001", statement
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("UPDATE tariffs_version SET document = ''")


def test_an_officer_answers_for_an_unverified_rate(officers: None) -> None:
    bill = rate(steady(Facts("LV-1"), start=date(2019, 6, 1), end=date(2019, 7, 1), wh=437_000), book())
    waiting = unaccepted((*bill.unverified, *bill.unverified))
    assert [each.path for each in waiting] == [
        "duty-and-cess/LV-1/duty@2018-04-01",
        "duty-and-cess/LV-1+LV-2+LV-3/cess",
    ]
    for wrong, refusal in (
        ({"path": "duty-and-cess/LV-1/nothing"}, RateUnknown),
        ({"path": "FY2019-20/LV-1/energy/1"}, RateVerified),
        ({"reason": ""}, TariffReasonMissing),
        ({"officer": "cashier"}, OfficerMayNotSetTariff),
    ):
        usual = {"path": waiting[0].path, "officer": "se", "reason": "seen on ten old bills"}
        with pytest.raises(refusal):
            accept_rate(**{**usual, **wrong}, **TIMES)  # type: ignore[arg-type]  # one of them wrong on purpose
    accept_rate(path=waiting[0].path, officer="se", reason="seen on ten old bills", **TIMES)
    assert unaccepted(bill.unverified) == waiting[1:]
    with pytest.raises(RateAccepted):
        accept_rate(path=waiting[0].path, officer="ee", reason="me too", **TIMES)
    assert [(each.path, each.accepted_by) for each in acceptances()] == [(waiting[0].path, "se")]
    # Another text of the document asks again.
    assert unaccepted([waiting[0]._replace(sha256="0" * 64)])
    assert unaccepted([]) == []


def bahal(database: Database, *words: str) -> Any:
    """One verb of the command line on this database, its answer or refusal as JSON."""
    write_private(database.home.path / "instance.json", {"kind": "production"})
    done = subprocess.run(
        [sys.executable, "-m", "bahal.entry.cli", *words, "--json"],
        env=database.environ(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout if done.returncode == 0 else done.stderr)


def test_from_the_command_line(officers: None, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "next.toml"
    file.write_text(NEXT, encoding="utf-8")
    proposed = bahal(database, "tariff", "propose", str(file), "--as", "ee")["version"]
    assert bahal(database, "tariff", "accept", str(proposed), "--as", "ee", "--reason", "mine")["error"] == (
        "same_tariff_officer"
    )
    listed = [row for row in bahal(database, "tariff", "list") if row["name"] == "FY2027-28"]
    assert [(row["version"], row["in_force"], row["from"]) for row in listed] == [(proposed, False, "2027-07-01")]
    accepted = bahal(database, "tariff", "accept", str(proposed), "--as", "se", "--reason", "compared page by page")
    assert accepted == {"version": proposed}
    listed = [row for row in bahal(database, "tariff", "list") if row["name"] == "FY2027-28"]
    assert [(row["version"], row["in_force"]) for row in listed] == [(proposed, True)]
    rate_of = "fppas/LV-1+LV-2+LV-3/fppas"
    assert bahal(database, "tariff", "accept-rate", rate_of, "--as", "se", "--reason", "told so") == {"path": rate_of}
    assert [each.path for each in acceptances()] == [rate_of]
    file.write_text(NEXT.replace('source = "order"\n', "").replace("FY2027-28", "FY2028-29"), encoding="utf-8")
    refused = bahal(database, "tariff", "propose", str(file), "--as", "ee")
    assert (refused["error"], refused["data"]["file"], refused["data"]["line"]) == (
        "tariff_source_missing",
        "next.toml",
        12,
    )

"""What two officers signed, and every way in which a drive is not that. Each refusal has its name."""

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bahal.interlock.config import InterlockMisconfigured, load_config
from bahal.interlock.officers import Key, Officer, load_officers
from bahal.interlock.profile import load_profile
from bahal.interlock.warrant import REFUSALS, Drive, WarrantRefused, verify
from bahal.shared.warrant import Document, Line, list_sha256, sign
from tests.interlock import facts
from tests.interlock.world import World, until

KEYS = facts.Keys()
OFFICERS = {
    login: Officer(login, facts.ROLES[login], (Key(key.public_key().public_bytes_raw().hex()),))
    for login, key in KEYS.officers.items()
}
AT = facts.TEN_O_CLOCK
LINES = [
    Line(
        position=n,
        meter=f"CG{n}",
        connection=facts.FIRST + n,
        paise=600_000 + n,
        bills=str(n),
        notice_sha256="ab" * 32,
        fence=1,
    )
    for n in range(4)
]


def drive_of(*, lines: list[Line] = LINES, maker: str = "ee", checker: str = "se", **changed: Any) -> Drive:
    """A drive's row whose document says what `changed` says and is signed by these two."""
    fields: dict[str, Any] = {
        "warrant": "0195f3a0-0000-7000-8000-000000000001",
        "circle": facts.CIRCLE,
        "ground": "nonpayment_s56",
        "orders": len(lines),
        "sum_paise": sum(line.paise for line in lines),
        "list_sha256": list_sha256(lines),
        "cap": len(lines),
        "policy": facts.POLICY,
        "nonce": "n",
        "not_before": AT,
        "expires_at": AT + timedelta(hours=3),
        "maker": maker,
    }
    document = Document(**(fields | changed))
    text = document.canonical()
    return Drive(
        id=7,
        warrant=document.warrant,
        office=facts.CIRCLE,
        orders=len(lines),
        sum_paise=document.sum_paise,
        list_sha256=document.list_sha256,
        document=text,
        maker=maker,
        maker_signature=sign(KEYS.officers[maker], text, "maker"),
        checker=checker,
        checker_signature=sign(KEYS.officers[checker], text, "checker"),
        not_before=document.not_before,
        expires_at=document.expires_at,
    )


def found(drive: Drive, *, lines: list[Line] = LINES, grounds: Any = ("nonpayment_s56",), at: Any = AT) -> str:
    """The name of the refusal."""
    with pytest.raises(WarrantRefused) as refusal:
        verify(drive, lines, grounds, OFFICERS, at)
    assert refusal.value.name in REFUSALS
    return refusal.value.name


def test_what_two_officers_signed_may_run() -> None:
    document = verify(drive_of(), LINES, ("nonpayment_s56",), OFFICERS, AT)
    assert document.orders == 4


@pytest.mark.parametrize("field", ["position", "meter", "connection", "paise", "bills", "notice_sha256", "fence"])
def test_an_altered_line(field: str) -> None:
    other = {"meter": "CG9", "bills": "99", "notice_sha256": "cd" * 32}.get(field, 99)
    altered = [LINES[0], dataclasses.replace(LINES[1], **{field: other}), *LINES[2:]]
    assert found(drive_of(), lines=altered) in ("warrant_list_differs", "warrant_sum_differs")


def test_lines_in_another_order() -> None:
    assert found(drive_of(), lines=[LINES[1], LINES[0], *LINES[2:]]) == "warrant_list_differs"


def test_a_line_less_and_a_line_more() -> None:
    assert found(drive_of(), lines=LINES[:3]) == "warrant_count_differs"
    assert found(drive_of(), lines=[*LINES, LINES[0]]) == "warrant_count_differs"
    assert found(drive_of(lines=[]), lines=[]) == "warrant_count_differs"


def test_a_line_that_holds_the_separator() -> None:
    hidden = [dataclasses.replace(LINES[0], bills="0|1"), *LINES[1:]]
    assert found(drive_of(), lines=hidden) == "warrant_list_differs"


def test_every_altered_byte_of_the_document() -> None:
    drive = drive_of()
    for at in range(0, len(drive.document), 7):
        byte = "1" if drive.document[at] != "1" else "2"
        altered = drive.document[:at] + byte + drive.document[at + 1 :]
        assert found(dataclasses.replace(drive, document=altered)) in (
            "warrant_not_canonical",
            "warrant_signature_wrong",
        )


@pytest.mark.parametrize("role", ["maker", "checker"])
def test_an_altered_signature(role: str) -> None:
    drive = drive_of()
    signature = getattr(drive, f"{role}_signature")
    for altered in (f"{signature[:-2]}{int(signature[-2:], 16) ^ 1:02x}", "", "zz", signature[:-2]):
        assert found(dataclasses.replace(drive, **{f"{role}_signature": altered})) == "warrant_signature_wrong"


def test_the_makers_signature_does_not_serve_as_the_checkers() -> None:
    drive = drive_of()
    assert found(dataclasses.replace(drive, checker_signature=drive.maker_signature)) == "warrant_signature_wrong"


def test_one_officer_twice() -> None:
    assert found(drive_of(maker="ee", checker="ee")) == "warrant_one_officer"


def test_no_checker() -> None:
    assert found(dataclasses.replace(drive_of(), checker=None, checker_signature=None)) == "warrant_unsigned"


def test_an_officer_that_is_not_enrolled_or_has_another_role() -> None:
    assert found(dataclasses.replace(drive_of(), checker="nobody")) == "warrant_officer_unknown"
    assert found(drive_of(checker="clerk")) == "warrant_officer_unknown"
    assert found(drive_of(maker="clerk")) == "warrant_officer_unknown"


def test_a_document_of_another_drive() -> None:
    drive, other = drive_of(), "0195f3a0-0000-7000-8000-000000000002"
    assert found(dataclasses.replace(drive, warrant=other)) == "warrant_of_another_drive"
    assert found(dataclasses.replace(drive, list_sha256="00" * 32)) == "warrant_of_another_drive"
    assert found(dataclasses.replace(drive, not_before=AT - timedelta(hours=1))) == "warrant_of_another_drive"


def test_another_circle() -> None:
    assert found(drive_of(circle=facts.OTHER_CIRCLE)) == "warrant_other_circle"


def test_another_ground() -> None:
    assert found(drive_of(ground="theft_s135")) == "warrant_ground_unknown"
    assert found(drive_of(), grounds=("nonpayment_s56", "safety")) == "warrant_ground_unknown"


def test_another_sum() -> None:
    assert found(drive_of(sum_paise=1)) == "warrant_sum_differs"


def test_more_orders_than_its_cap() -> None:
    assert found(drive_of(cap=3)) == "warrant_over_cap"


def test_a_window_longer_than_four_hours_or_none() -> None:
    assert found(drive_of(expires_at=AT + timedelta(hours=4, seconds=1))) == "warrant_too_long"
    assert found(drive_of(expires_at=AT)) == "warrant_too_long"
    verify(drive_of(expires_at=AT + timedelta(hours=4)), LINES, ("nonpayment_s56",), OFFICERS, AT)


def test_expired() -> None:
    assert found(drive_of(), at=AT + timedelta(hours=3)) == "warrant_expired"


# --- through the database: what a refused drive leaves behind --------------------------------------------------------


def refused(world: World, drive: facts.Drive) -> str:
    """Run until the drive is stopped; its reason. Nothing may have been claimed."""

    async def scenario() -> None:
        async with world.interlock_alone():
            await until(lambda: world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) != "running")

    uvloop.run(scenario())
    state, reason = world.app.execute("SELECT state, reason FROM supply_drive WHERE id = %s", (drive.id,)).fetchone()  # type: ignore[misc]
    assert state == "stopped"
    orders = world.app.execute(
        "SELECT DISTINCT state, reason FROM supply_order WHERE drive = %s", (drive.id,)
    ).fetchall()
    assert orders == [("refused", reason)]
    told = "SELECT count(*) FROM supply_result r JOIN supply_order o ON o.id = r.order WHERE o.drive = %s"
    assert world.one(f"{told} AND r.reason = %s", drive.id, reason) == len(drive.lines)
    assert world.one("SELECT count(*) FROM interlock_sending") == 0
    assert world.one("SELECT count(*) FROM interlock_line WHERE drive = %s", drive.id) == 0
    return str(reason)


def test_orders_altered_behind_the_officers_backs(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=3)
    world.owner.execute(
        "UPDATE supply_order SET due_paise = due_paise + 1 WHERE drive = %s AND position = 1", (drive.id,)
    )
    assert refused(world, drive) == "warrant_sum_differs"


def test_a_meter_swapped_in_the_orders(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=3)
    world.owner.execute(
        "UPDATE supply_order SET meter = %s WHERE drive = %s AND position = 1", (world.serials[5], drive.id)
    )
    assert refused(world, drive) == "warrant_list_differs"


def test_a_signature_of_other_keys(world: World) -> None:
    assert refused(world, facts.propose(world.app, facts.Keys(), count=3)) == "warrant_signature_wrong"


def test_a_warrant_is_used_once(world: World) -> None:
    first = facts.propose(world.app, world.keys, count=2, state="paused")
    world.app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (first.id,))

    async def scenario() -> None:
        async with world.interlock_alone():
            await until(lambda: world.one("SELECT count(*) FROM interlock_warrant") == 1)

    uvloop.run(scenario())
    # A drive's warrant is unique in the business's table; who could take that away still meets the interlock's own.
    world.app.execute("UPDATE supply_drive SET state = 'stopped' WHERE id = %s", (first.id,))
    world.owner.execute("ALTER TABLE supply_drive DISABLE TRIGGER authority")
    world.owner.execute("UPDATE supply_drive SET warrant = gen_random_uuid() WHERE id = %s", (first.id,))
    second = facts.propose(world.app, world.keys, count=2, first=facts.FIRST + 2, warrant=first.document.warrant)
    assert refused(world, second) == "warrant_used"


def test_a_connection_of_another_circle(world: World) -> None:
    world.owner.execute("UPDATE network_connection SET centre = 1211 WHERE id = %s", (facts.FIRST + 1,))
    assert refused(world, facts.propose(world.app, world.keys, count=3)) == "warrant_other_circle"


def test_a_meter_the_interlock_does_not_know_on_that_connection(world: World) -> None:
    world.owner.execute("UPDATE interlock_meter SET connection = 1 WHERE meter = %s", (world.serials[1],))
    assert refused(world, facts.propose(world.app, world.keys, count=3)) == "warrant_line_unknown"


def test_two_workers_register_a_drive_once(world: World) -> None:
    facts.propose(world.app, world.keys, count=6)

    async def scenario() -> None:
        async with world.interlock(), world.interlock_alone():
            await until(lambda: world.counts() == {"confirmed": 6})

    uvloop.run(scenario())
    assert world.one("SELECT count(*) FROM interlock_warrant") == 1
    assert [world.meters.movements(serial) for serial in world.serials] == [["off"]] * 6


# --- the interlock's own files ---------------------------------------------------------------------------------------


def folder_of(tmp_path: Path, **stated: Any) -> Path:
    (tmp_path / "interlock.json").write_text(json.dumps({"rehearsal": True, "clock": None, "concurrency": 10} | stated))
    (tmp_path / "officers.json").write_text(json.dumps(facts.officers_file(KEYS)))
    (tmp_path / "profile.json").write_text(json.dumps(facts.profile_file(KEYS, facts.PROFILE)))
    return tmp_path


def profile_of(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Why a profile file is refused after this change."""
    folder = folder_of(tmp_path)
    stated = json.loads((folder / "profile.json").read_text())
    change(stated)
    (folder / "profile.json").write_text(json.dumps(stated))
    with pytest.raises(InterlockMisconfigured) as refusal:
        load_profile(folder, load_officers(folder))
    return str(refusal.value.data["why"])


def test_caps_signed_by_two_are_loaded_and_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    profile, signers = load_profile(folder, load_officers(folder))
    assert (profile.name, profile.canary, signers) == ("test", 3, ("ee", "se"))


def test_caps_that_were_altered_or_signed_by_one_are_refused(tmp_path: Path) -> None:
    def altered(stated: dict[str, Any]) -> None:
        stated["document"] = stated["document"].replace('"drive":1000', '"drive":9000')

    def once(stated: dict[str, Any]) -> None:
        stated["signatures"] = stated["signatures"][:1] * 2

    assert profile_of(tmp_path, altered) == "two different officers must sign the caps"
    assert profile_of(tmp_path, once) == "two different officers must sign the caps"
    assert profile_of(tmp_path, lambda stated: stated.pop("document")) == "document and signatures are missing"


def test_caps_signed_by_a_clerk_or_with_senseless_figures_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for profile, signers, why in [
        (facts.PROFILE, ("ee", "clerk"), "two different officers must sign the caps"),
        (facts.PROFILE | {"canary": -1}, ("ee", "se"), "canary is -1"),
        (facts.PROFILE | {"day_share": 1.5}, ("ee", "se"), "day_share is 1.5"),
        (facts.PROFILE | {"drive": True}, ("ee", "se"), "drive is True"),
    ]:
        (folder / "profile.json").write_text(json.dumps(facts.profile_file(KEYS, profile, signers)))
        with pytest.raises(InterlockMisconfigured) as refusal:
            load_profile(folder, load_officers(folder))
        assert refusal.value.data["why"] == why


def test_a_production_interlock_takes_no_clock_and_dials_anywhere(tmp_path: Path) -> None:
    with pytest.raises(InterlockMisconfigured):
        load_config(folder_of(tmp_path, rehearsal=False, clock="/tmp/clock.json"), dsn="")
    production = load_config(folder_of(tmp_path, rehearsal=False), dsn="")
    assert production.may_dial("192.0.2.7")
    assert not production.may_dial("meter.example")
    rehearsal = load_config(folder_of(tmp_path), dsn="")
    assert rehearsal.may_dial("127.3.2.1")
    assert not rehearsal.may_dial("192.0.2.7")
    assert not rehearsal.may_dial("::1")


@pytest.mark.parametrize(
    "stated",
    [{"rehearsal": "yes"}, {"concurrency": 0}, {"concurrency": "many"}, {"session_s": 50.0}, {"per_cell": True}],
)
def test_a_senseless_configuration_is_refused(tmp_path: Path, stated: dict[str, Any]) -> None:
    with pytest.raises(InterlockMisconfigured):
        load_config(folder_of(tmp_path, **stated), dsn="")


def test_a_rehearsal_without_a_readable_clock_does_not_start(tmp_path: Path) -> None:
    for clock in (None, str(tmp_path / "none.json")):
        with pytest.raises(InterlockMisconfigured):
            load_config(folder_of(tmp_path, clock=clock), dsn="").business_clock()


def test_officers_who_share_a_key_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    stated = facts.officers_file(KEYS)
    stated["officers"].append(stated["officers"][0] | {"login": "twin"})
    (folder / "officers.json").write_text(json.dumps(stated))
    with pytest.raises(InterlockMisconfigured):
        load_officers(folder)

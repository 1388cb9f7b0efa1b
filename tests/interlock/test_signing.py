"""The interlock's signing page over real sockets: what it shows, what it takes, and what it does not."""

import asyncio
import base64
import dataclasses
import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
import uvloop
from django.db import connection

from bahal.journeys.carry_signatures import carry_signatures
from bahal.shared.charter import Act, sign_act, stamp
from bahal.shared.charter import challenge as act_challenge
from bahal.shared.clock import RehearsalClock
from bahal.shared.passkey import Place, bytes_of, text_of
from bahal.shared.warrant import challenge
from tests.interlock import facts
from tests.interlock.authenticator import PRESENT, Passkey, posted
from tests.interlock.world import World, until


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Six meters; both officers have a passkey beside their key file."""
    return make_world(with_passkeys=True)


PATIENCE_S = 120.0
"""Waits are for a state and end with it."""
PATIENT = {"reply_s": 30.0, "connect_s": 30.0, "session_s": 80.0, "lease_s": 100.0}
"""Limits that no busy machine reaches: these tests are not about lost replies."""


class Browser:
    """What a browser does on the page, and what somebody else makes it do."""

    def __init__(self, world: World, origin: str) -> None:
        self.world = world
        self.place = Place(origin, "localhost")
        self.client = httpx.AsyncClient(base_url=origin, trust_env=False, timeout=PATIENCE_S)

    async def post(self, path: str, given: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        answer = await self.client.post(path, json=given, headers={"Origin": self.place.origin} | headers)
        return answer.status_code, answer.json()

    async def sign(
        self, drive: facts.Drive, login: str, *, key: Passkey | None = None, over: bytes | None = None, **lies: Any
    ) -> str:
        """Begin and sign; `taken`, or the name of what was declined."""
        path = f"/warrants/{drive.document.warrant}"
        status, asked = await self.post(f"{path}/begin", {"login": login})
        if status != 200:
            return str(asked["error"])
        expected = challenge(drive.document.canonical(), asked["role"])
        assert asked["challenge"] == text_of(expected)
        assert asked["credentials"] == [self.world.passkeys[login].credential]
        assertion = (key or self.world.passkeys[login]).sign(over or expected, lies.pop("place", self.place), **lies)
        status, said = await self.post(f"{path}/sign", {"login": login} | posted(assertion))
        return "taken" if status == 200 else str(said["error"])


def carry_over() -> int:
    """What the worker does when the page's bell rings."""
    try:
        return carry_signatures(at=facts.TEN_O_CLOCK, business_at=facts.TEN_O_CLOCK)
    finally:
        connection.close()


def messages(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.sms.read_text().splitlines()] if world.sms.exists() else []


def test_two_officers_sign_on_the_page_and_the_drive_cuts(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=6, unsigned=True, checker=None)
    path = f"/warrants/{drive.document.warrant}"

    async def scenario() -> None:
        async with world.meters.serving(), world.signing(**PATIENT) as (_, origin):
            browser = Browser(world, origin)
            page = await browser.client.get(path)
            assert page.status_code == 200
            assert "₹42,000.00" in page.text
            assert drive.document.list_sha256 in page.text
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            script = await browser.client.get("/static/sign.js")
            integrity = hashlib.sha384(script.content).digest()
            assert f'integrity="sha384-{base64.b64encode(integrity).decode()}"' in page.text
            assert "set-cookie" not in page.headers
            english = await browser.client.get(path, params={"lang": "en"})
            assert "connections would be cut" in english.text
            assert "Against the latest dry run" in english.text

            assert await browser.sign(drive, "se") == "warrant_maker_first"
            assert await browser.sign(drive, "ee") == "taken"
            assert await browser.sign(drive, "ee") == "warrant_signed_already"
            assert await browser.sign(drive, "se") == "taken"
            assert await asyncio.to_thread(carry_over) == 2
            world.app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (drive.id,))
            world.app.execute("NOTIFY bahal_orders")
            await until(lambda: world.counts() == {"confirmed": 6}, seconds=PATIENCE_S)
            assert await browser.sign(drive, "se") == "warrant_not_waiting"

    uvloop.run(scenario())
    # Each was told once, on the telephone of the interlock's own list, what the page showed him.
    told = messages(world)
    assert [each["to"] for each in told] == ["9000000000", "9000000001"]
    assert all("₹42,000.00" in each["text"] and "6 connections" in each["text"] for each in told)
    assert world.one("SELECT count(*) FROM interlock_signature") == 2
    for statement in ("UPDATE interlock_signature SET officer = 'x'", "DELETE FROM interlock_signature"):
        with pytest.raises(psycopg.Error):
            world.owner.execute(statement)


def test_what_the_page_does_not_take(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=3, unsigned=True, checker=None)
    other = facts.propose(world.app, world.keys, count=2, first=facts.FIRST + 3, unsigned=True, checker=None)
    path, text = f"/warrants/{drive.document.warrant}", drive.document.canonical()

    async def scenario() -> None:
        async with world.signing() as (_, origin):
            browser = Browser(world, origin)
            web = Place("http://localhost:8800", "localhost")
            for name, lie in {
                "warrant_passkey_origin": {"place": web},
                "warrant_passkey_host": {"place": Place(origin, "bahal.example")},
                "warrant_passkey_user_unverified": {"flags": PRESENT},
                "warrant_passkey_challenge": {"over": challenge(other.document.canonical(), "maker")},
                "warrant_passkey_unknown": {"key": world.passkeys["se"]},
                "warrant_passkey_count": {"count": 1},
                "warrant_passkey_cross_origin": {"crossOrigin": True},
            }.items():
                assert await browser.sign(drive, "ee", **lie) == name, name
            # The checker's words for the maker's, and an altered byte.
            assert await browser.sign(drive, "ee", over=challenge(text, "checker")) == "warrant_passkey_challenge"
            good = world.passkeys["ee"].sign(challenge(text, "maker"), browser.place)
            for name in ("authenticator_data", "client_data", "signature"):
                data = bytearray(getattr(good, name))
                data[len(data) // 2] ^= 1
                altered = posted(dataclasses.replace(good, **{name: bytes(data)}))
                status, said = await browser.post(f"{path}/sign", {"login": "ee"} | altered)
                assert (status, said["error"].startswith("warrant_")) == (409, True)
                assert said["hi"]
                assert said["en"]
            # Nobody else's officer, nobody unknown.
            assert await browser.sign(drive, "clerk") == "warrant_maker_first"
            # Another page, another host, another kind of body.
            begin = f"{path}/begin"
            assert (await browser.post(begin, {"login": "ee"}, Origin="http://localhost:8800"))[0] == 403
            assert (await browser.post(begin, {"login": "ee"}, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
            assert (await browser.post(begin, {"login": "ee"}, **{"Content-Type": "text/plain"}))[0] == 403
            assert (await browser.post(begin, {"login": "EE'--"}))[0] == 400
            assert (await browser.post(begin, []))[0] == 400  # type: ignore[arg-type]
            assert (await browser.client.get(path, headers={"Host": "evil.example"})).status_code == 421
            assert (await browser.client.get("/warrants/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12)).status_code == 404
            assert (await browser.client.get("/../officers.json")).status_code == 404
            assert (await browser.client.request("DELETE", path)).status_code == 405
            assert (await browser.client.post(begin, content=b"x" * 70_000)).status_code == 413

            assert await browser.sign(drive, "ee") == "taken"
            assert await browser.sign(drive, "clerk") == "warrant_officer_unknown"
            # Maker and checker are two people, whatever keys they have.
            assert await browser.sign(drive, "ee", over=challenge(text, "checker")) == "warrant_signed_already"
            # A list that was altered is signed by nobody; nor one whose time is over.
            world.owner.execute("UPDATE supply_order SET due_paise = due_paise + 1 WHERE drive = %s", (other.id,))
            assert await browser.sign(other, "ee") == "warrant_sum_differs"
            page = (await browser.client.get(f"/warrants/{other.document.warrant}")).text
            assert 'role="alert"' in page
            assert "<form" not in page

    uvloop.run(scenario())
    assert world.one("SELECT array_agg(officer) FROM interlock_signature") == ["ee"]
    assert world.one("SELECT count(*) FROM interlock_warrant") == 0


def test_what_was_signed_elsewhere_is_not_taken_in(world: World) -> None:
    """The application writes passkeys' signatures into a drive by itself: good ones that the page never took."""
    drive = facts.propose(world.app, world.keys, count=3, checker=None, unsigned=True)
    text = drive.document.canonical()

    async def scenario() -> None:
        async with world.signing() as (_, origin):
            place = Place(origin, "localhost")
            world.app.execute(
                "UPDATE supply_drive SET maker_signature = %s, checker = 'se', checker_signature = %s,"
                " state = 'running' WHERE id = %s",
                (
                    world.passkeys["ee"].sign(challenge(text, "maker"), place).canonical(),
                    world.passkeys["se"].sign(challenge(text, "checker"), place).canonical(),
                    drive.id,
                ),
            )
            world.app.execute("UPDATE supply_order SET state = 'authorised' WHERE drive = %s", (drive.id,))
            await until(
                lambda: world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) == "stopped",
                seconds=PATIENCE_S,
            )

    uvloop.run(scenario())
    assert world.one("SELECT reason FROM supply_drive WHERE id = %s", drive.id) == "warrant_passkey_not_taken"
    assert all(world.meters.closed(serial) for serial in world.serials)


def test_a_drive_waits_until_both_were_told(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=3)
    unsigned = facts.propose(world.app, world.keys, count=2, first=facts.FIRST + 3, unsigned=True, checker=None)

    async def silent() -> None:
        async with world.signing(sms="http://127.0.0.1:9") as (_, origin):
            assert await Browser(world, origin).sign(unsigned, "ee") == "signer_not_told"
            page = await httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S).get(
                f"{origin}/warrants/{unsigned.document.warrant}"
            )
            assert page.status_code == 200
            await until(
                lambda: world.one("SELECT count(*) FROM interlock_told WHERE why <> ''") == 2, seconds=PATIENCE_S
            )

    uvloop.run(silent())
    assert world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) == "running"
    assert world.one("SELECT count(*) FROM interlock_warrant") == 0

    taken: list[dict[str, Any]] = []

    async def centre(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        (message,) = json.loads(await reader.readexactly(length))
        taken.append(message)
        body = json.dumps([{"reference": message["reference"], "receipt": f"R{len(taken)}"}]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async def heard() -> None:
        server = await asyncio.start_server(centre, "127.0.0.1", 0)
        at = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, world.interlock(sms=at, **PATIENT):
            await until(lambda: world.counts().get("confirmed") == 3, seconds=PATIENCE_S)

    uvloop.run(heard())
    assert [(each["to"], each["template"]) for each in taken] == [
        ("9000000000", "BAHAL-WARRANT-1"), ("9000000001", "BAHAL-WARRANT-1"),
    ]  # fmt: skip
    assert all("3 connections" in each["text"] for each in taken)
    assert world.one("SELECT array_agg(receipt ORDER BY officer) FROM interlock_told WHERE told_at IS NOT NULL") == [
        "R1",
        "R2",
    ]
    with pytest.raises(psycopg.Error):
        world.owner.execute("UPDATE interlock_told SET told_at = NULL, receipt = NULL")


def ask(world: World, document: str, *signed: tuple[str, str]) -> None:
    """What the journey `amend_charter` writes."""
    act = Act.parse(document)
    (number,) = world.app.execute(
        "INSERT INTO interlock_act (sha256, act, document, asked_by) VALUES (%s, %s, %s, %s) RETURNING id",
        (act.sha256, act.act, document, act.asked_by),
    ).fetchone()  # type: ignore[misc]
    for officer, signature in signed:
        world.app.execute(
            "INSERT INTO interlock_act_signature (act, officer, signature) VALUES (%s, %s, %s)",
            (number, officer, signature),
        )
    world.app.execute("NOTIFY bahal_orders")


def drafted(world: World, kind: str, **of: Any) -> str:
    now = RehearsalClock(world.clock).now()
    return Act(kind, "ee", secrets.token_hex(8), now + timedelta(hours=12), of).canonical()


def test_a_passkey_made_on_the_page_is_enrolled_by_two_and_signs(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=3, checker=None)
    new = Passkey()

    def outcome(document: str) -> Any:
        return world.one("SELECT outcome FROM interlock_act WHERE sha256 = %s", Act.parse(document).sha256)

    async def scenario() -> None:
        async with world.signing() as (_, origin):
            browser = Browser(world, origin)
            status, asked = await browser.post("/passkeys/begin", {"login": "ae"})
            assert status == 200
            made = {"login": "ae", "making": asked["making"]}
            client_data, data = new.create(bytes_of(asked["challenge"]), browser.place)
            made |= {"client_data": text_of(client_data), "authenticator_data": text_of(data)}
            status, said = await browser.post("/passkeys/sign", made | {"login": "ee"})
            assert (status, said["error"]) == (409, "making_over")
            status, asked = await browser.post("/passkeys/begin", {"login": "ae"})
            client_data, data = new.create(bytes_of(asked["challenge"]), browser.place)
            made = {
                "login": "ae", "making": asked["making"], "client_data": text_of(client_data),
                "authenticator_data": text_of(data),
            }  # fmt: skip
            status, said = await browser.post("/passkeys/sign", made)
            assert status == 200
            assert said["fingerprint"] == hashlib.sha256(new.cose.hex().encode()).hexdigest()[:16]
            # It counts for nothing.
            assert await browser.sign(drive, "ae") == "warrant_officer_unknown"

            now = RehearsalClock(world.clock).now()
            document = drafted(
                world, "enrol", login="ae", name="Asha Verma", name_hi="आशा वर्मा", role="superintending_engineer",
                office=1, circle=facts.CIRCLE, cap=None, phone="9111111111", valid_from=stamp(now), valid_until=None,
                key={"kind": "passkey", "public": new.cose.hex(), "credential": new.credential, "count": 0},
            )  # fmt: skip
            ask(world, document, ("ee", sign_act(world.keys.officers["ee"], document)))
            act = f"/acts/{Act.parse(document).sha256}"
            page = await browser.client.get(act, params={"lang": "en"})
            assert Act.parse(document).sha256 in page.text
            # The second officer signs on the page; a lie of his passkey is not taken.
            status, asked = await browser.post(f"{act}/begin", {"login": "se"})
            assert asked["challenge"] == text_of(act_challenge(document))
            lie = world.passkeys["se"].sign(act_challenge(document), browser.place, flags=PRESENT)
            assert (await browser.post(f"{act}/sign", {"login": "se"} | posted(lie)))[0] == 409
            assert (await browser.post(f"{act}/begin", {"login": "clerk"}))[0] == 403
            assert outcome(document) == ""
            truth = world.passkeys["se"].sign(act_challenge(document), browser.place)
            assert (await browser.post(f"{act}/sign", {"login": "se"} | posted(truth)))[0] == 200
            await until(lambda: outcome(document) == "accepted", seconds=PATIENCE_S)
            stated = "SELECT stated #>> '{officers,3,phone}' FROM interlock_roll"
            await until(lambda: world.one(stated) == "••••••1111", seconds=PATIENCE_S)

            world.passkeys["ae"] = new
            assert await browser.sign(drive, "ae") == "taken"
            assert await asyncio.to_thread(carry_over) == 1
            world.app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (drive.id,))
            await until(
                lambda: world.one("SELECT checker_authority FROM interlock_warrant") == "ae", seconds=PATIENCE_S
            )
            # One revokes, and what rests on him stops.
            revocation = drafted(world, "revoke", login="ae", key="", reason="left")
            ask(world, revocation, ("se", sign_act(world.keys.officers["se"], revocation)))
            await until(
                lambda: world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) == "stopped",
                seconds=PATIENCE_S,
            )
            assert outcome(revocation) == "accepted"

    uvloop.run(scenario())
    assert world.one("SELECT reason FROM supply_drive WHERE id = %s", drive.id) == "officer_revoked"


def test_caps_that_one_lowers_hold_at_once_and_for_what_is_counted_already(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=6)
    figures = facts.PROFILE | {"name": "less", "drive": 2, "canary": 10}

    async def scenario() -> None:
        async with world.interlock_alone():
            await until(lambda: world.one("SELECT count(*) FROM interlock_warrant") == 1, seconds=PATIENCE_S)
            document = drafted(
                world, "lower", profile=json.dumps(figures, sort_keys=True, separators=(",", ":")),
                effective_from=stamp(facts.TEN_O_CLOCK),
            )  # fmt: skip
            ask(world, document, ("se", sign_act(world.keys.officers["se"], document)))
            ceiling = "SELECT ceiling FROM interlock_cap WHERE scope = %s"
            await until(lambda: world.one(ceiling, f"drive:{drive.id}") == 2, seconds=PATIENCE_S)
            await until(
                lambda: world.one("SELECT name FROM interlock_profile ORDER BY id DESC LIMIT 1") == "less",
                seconds=PATIENCE_S,
            )

    uvloop.run(scenario())

    async def after_a_restart() -> None:
        async with world.interlock(**PATIENT) as interlock:
            assert interlock.profile.name == "less"
            await until(lambda: world.counts() == {"confirmed": 2, "quarantined": 4}, seconds=PATIENCE_S)

    uvloop.run(after_a_restart())


def test_a_record_that_is_altered_stops_cuts_and_no_restore(world: World) -> None:
    drive = facts.propose(world.app, world.keys, count=2)

    async def scenario() -> None:
        async with world.interlock(**PATIENT):
            await until(lambda: world.counts() == {"confirmed": 2}, seconds=PATIENCE_S)
            (world.folder / "charter.jsonl").write_text('{"act": "enrol"}\n')
            stopped = "SELECT stopped_why FROM interlock_switch"
            await until(lambda: world.one(stopped) == "charter_altered", seconds=PATIENCE_S)
            with world.app.transaction():
                facts.pay(world.app, drive.lines[0].connection)
            await until(lambda: world.counts("restore") == {"confirmed": 1}, seconds=PATIENCE_S)

    uvloop.run(scenario())


def test_the_applications_role_writes_none_of_it(world: World) -> None:
    for statement in (
        "INSERT INTO interlock_signature (warrant, role, officer, authority, credential, cose, origin, host, signature,"
        " business_at) VALUES (gen_random_uuid(), 'maker', 'ee', 'ee', '', '', '', '', '', now())",
        "SELECT interlock_sign(gen_random_uuid(), 'maker', 'ee', 'ee', '', '', 0, 1, '', '', '', now())",
        "INSERT INTO interlock_told (warrant, officer) VALUES (gen_random_uuid(), 'ee')",
        "SELECT interlock_tell(gen_random_uuid(), 'ee', 'R', '')",
        "UPDATE interlock_act SET outcome = 'accepted'",
        "INSERT INTO interlock_act (sha256, act, document, asked_by, outcome) VALUES ('', '', '', '', 'accepted')",
        "SELECT interlock_end_act(1, 'accepted')",
        "SELECT interlock_keep_candidate('c', 'ee', '', 0)",
        "INSERT INTO interlock_candidate (credential, login, cose, count) VALUES ('c', 'ee', '', 0)",
        "SELECT interlock_use_passkey('c', 0, 1)",
        "SELECT interlock_state_roll('{}', 'x')",
        "UPDATE interlock_cap SET ceiling = 0",
        "SELECT interlock_lower_caps('{}', now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.app.execute(statement)

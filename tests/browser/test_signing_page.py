"""A real browser on the interlock's page: it makes passkeys, officers enrol them, and a drive is signed with them."""

import asyncio
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import uvloop
from django.db import connection
from playwright.async_api import Page, expect

from bahal.journeys.carry_signatures import carry_signatures
from bahal.shared.charter import Act, sign_act, stamp
from bahal.shared.clock import RehearsalClock
from tests.browser.conftest import TEN_MINUTES_MS, authenticator, chromium
from tests.interlock import facts
from tests.interlock.test_signing import PATIENCE_S, PATIENT, ask
from tests.interlock.world import World, until

pytestmark = pytest.mark.needs("browser")


def carried_over() -> int:
    try:
        return carry_signatures(at=facts.TEN_O_CLOCK, business_at=facts.TEN_O_CLOCK)
    finally:
        connection.close()


async def press(page: Page, login: str, *, words: str) -> str:
    """Fill in a login, press the button, and wait until the page says something with these words."""
    await page.fill("input[name=login]", login)
    await page.click("form button")
    status = page.locator("form [role=status]")
    await expect(status).to_contain_text(words, timeout=TEN_MINUTES_MS)
    return str(await status.text_content())


def accepted(world: World, document: str) -> bool:
    stated = world.one("SELECT outcome FROM interlock_act WHERE sha256 = %s", Act.parse(document).sha256)
    return bool(stated == "accepted")


def enrolment(world: World, login: str, candidate: tuple[Any, ...]) -> str:
    """The act that makes a passkey of the page count as this officer's own."""
    credential, cose, count = candidate
    now = RehearsalClock(world.clock).now()
    of = {
        "login": login, "name": login, "name_hi": "", "role": facts.ROLES[login], "office": 1, "circle": facts.CIRCLE,
        "cap": None, "phone": {"ee": "9000000000", "se": "9000000001"}[login], "valid_from": stamp(now),
        "valid_until": None,
        "key": {"kind": "passkey", "public": cose, "credential": credential, "count": count},
    }  # fmt: skip
    return Act("enrol", "ee", secrets.token_hex(8), now + timedelta(hours=12), of).canonical()


def test_chromium_makes_passkeys_signs_and_the_interlock_cuts(make_world: Callable[..., World]) -> None:
    world = make_world()
    drive = facts.propose(world.app, world.keys, count=6, unsigned=True, checker=None)
    complaints: list[str] = []

    async def scenario() -> None:
        async with world.meters.serving(), world.signing(**PATIENT) as (_, origin), chromium() as browser:
            context = await browser.new_context(locale="en-IN", viewport={"width": 390, "height": 800})
            context.set_default_timeout(TEN_MINUTES_MS)
            page = await context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            session, _authenticator = await authenticator(context, page)
            for login in ("ee", "se"):
                await page.goto(f"{origin}/passkeys?lang=en")
                said = await press(page, login, words="Its number")
                number = said.split()[-1]
                candidate = world.owner.execute(
                    "SELECT credential, cose, count FROM interlock_candidate WHERE login = %s", (login,)
                ).fetchone()
                assert candidate is not None
                document = enrolment(world, login, candidate)
                assert len(number) == 16
                ask(world, document, *((each, sign_act(world.keys.officers[each], document)) for each in facts.SIGNERS))
                await until(partial(accepted, world, document), seconds=PATIENCE_S)

            warrant = f"{origin}/warrants/{drive.document.warrant}"
            await page.goto(f"{warrant}?lang=en")
            await expect(page.locator(".figures")).to_contain_text("₹42,000.00", timeout=TEN_MINUTES_MS)
            # No wider than the telephone.
            assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert "The maker signs first." in await press(page, "se", words="maker")
            # The user is not verified: the authenticator gives nothing, and nothing is taken.
            await session.send("WebAuthn.setUserVerified", {"authenticatorId": _authenticator, "isUserVerified": False})  # type: ignore[attr-defined]
            await press(page, "ee", words="gave no signature")
            await session.send("WebAuthn.setUserVerified", {"authenticatorId": _authenticator, "isUserVerified": True})  # type: ignore[attr-defined]
            await press(page, "ee", words="was taken")
            await page.goto(f"{warrant}?lang=hi")
            await press(page, "se", words="हस्ताक्षर ले लिया गया")
            assert await asyncio.to_thread(carried_over) == 2
            await page.goto(f"{warrant}?lang=en")
            await expect(page.locator("[role=status]").first).to_contain_text("authorised", timeout=TEN_MINUTES_MS)
            await context.close()
            world.app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (drive.id,))
            world.app.execute("NOTIFY bahal_orders")
            await until(lambda: world.counts() == {"confirmed": 6}, seconds=PATIENCE_S)

    uvloop.run(scenario())
    # Refusals of the page are answers, which a browser notes; nothing else may complain, the policy least of all.
    assert [each for each in complaints if "status of 409" not in each] == []
    told = [json.loads(line) for line in world.sms.read_text().splitlines()]
    assert [each["to"] for each in told] == ["9000000000", "9000000001"]

"""The machine's own Chromium, and worlds of the interlock."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.interlock.conftest import make_world  # noqa: F401 - a fixture

TEN_MINUTES_MS = 600_000
"""Waits are for a state and end with it; this only keeps a broken page from waiting for ever."""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Chromium as it is installed, without a window. Under root it runs without its sandbox."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


async def authenticator(context: BrowserContext, page: object) -> tuple[object, str]:
    """A virtual authenticator on a page, its user verified: the session to talk to it by, and its id."""
    session = await context.new_cdp_session(page)  # type: ignore[arg-type]
    await session.send("WebAuthn.enable")
    made = await session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True,
                "hasResidentKey": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    return session, str(made["authenticatorId"])

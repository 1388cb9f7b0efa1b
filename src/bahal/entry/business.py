"""Entering the business from the command line: Django set up as the role `app`, on this instance's database."""

from __future__ import annotations

import os

import django

from bahal.entry import instance
from bahal.shared.clock import Clock, RehearsalClock, WallClock
from bahal.shared.database import dsn_of
from bahal.shared.home import Home


def enter() -> Clock:
    """Set Django up and return this instance's clock.

    :raises InstanceMissing: no instance lives in this folder.
    :raises DatabaseUnknown: its database does not run.
    """
    home = Home.of()
    kind = instance.require(home)
    dsn_of("app", home=home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bahal.settings")
    django.setup()
    return RehearsalClock(home.run / "clock.json") if kind == "rehearsal" else WallClock()

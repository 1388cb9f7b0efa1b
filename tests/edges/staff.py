"""Two circles with somebody of every role in each, and browsers in which they are signed in."""

import hashlib
from datetime import UTC, date, datetime

from django.test import Client, override_settings

from bahal.domains.consumers.operations import NewConsumer
from bahal.domains.meters.operations import NewMeter, add_meters
from bahal.domains.network.operations import NewConnection, NewFeeder, NewTransformer
from bahal.domains.offices.operations import NewOffice
from bahal.domains.staff.models import ROLES
from bahal.domains.staff.operations import NewOfficer
from bahal.domains.staff.totp import code_of, step_at
from bahal.foundation.transactions import transaction
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.register_circle import Circle, register_circle
from tests.journeys import town

OTHER_CIRCLE = 20
THEIRS = 3_300_000_001
"""A connection of the other circle."""
PASSWORD = "correct horse"
SECRET = "JBSWY3DPEHPK3PXP"
TIMES = {"at": datetime.now(UTC), "business_at": town.NINE}
FAST = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
"""The product's own hash takes a tenth of a second, on purpose."""


def login_of(role: str, *, other: bool = False) -> str:
    """Who has this role, here or in the other circle."""
    return f"{role}{2 if other else 1}"


def enrol(*, division: int = 100) -> None:
    """Somebody of every role: here in a division of the town's circle, there in the other circle itself."""
    here = [_officer(login_of(role), role, division) for role in ROLES]
    there = [_officer(login_of(role, other=True), role, OTHER_CIRCLE) for role in ROLES]
    with FAST:
        enrol_officers([*here, *there], actor="test", **TIMES)


def found_other_circle(*, name: str = "Raigarh") -> None:
    """Another circle with one consumer, beside the town."""
    offices = [
        NewOffice(OTHER_CIRCLE, "circle", name, "रायगढ़", 1),
        NewOffice(120, "division", name, "रायगढ़", OTHER_CIRCLE),
        NewOffice(220, "subdivision", name, "रायगढ़", 120),
        NewOffice(320, "centre", name, "रायगढ़", 220),
    ]
    circle = Circle(
        name=name,
        offices=offices,
        feeders=[NewFeeder(2, "Feeder 2", "Substation", 220)],
        transformers=[NewTransformer(2, "T2", 2, 100, 21.9, 83.4)],
        connections=[NewConnection(THEIRS, 2, 320, "LV-1", 1, 1000, date(2020, 1, 1), 21.9, 83.4)],
        consumers=[NewConsumer(THEIRS, "Consumer of Raigarh", "रायगढ़ के उपभोक्ता", "+917000099999", "hi")],
    )
    register_circle(circle, actor="test", **TIMES)
    with transaction():
        add_meters([NewMeter(f"M{THEIRS}", "arpa", 2, THEIRS, date(2024, 1, 1))])


def browser(role: str, *, other: bool = False, language: str = "en", at: datetime | None = None) -> Client:
    """A browser in which an officer signed in, a moment ago unless `at` is given."""
    client = Client(headers={"Accept-Language": language})
    session = client.session
    moment = (at or datetime.now(UTC)).isoformat()
    session.update({"login": login_of(role, other=other), "since": moment, "seen": moment})
    session.save()
    client.cookies["sessionid"] = session.session_key
    return client


def code_now(steps: int = 0) -> str:
    """The code of everybody's second factor, so many steps from now."""
    return code_of(SECRET, step_at(datetime.now(UTC)) + steps)


def _officer(login: str, role: str, office: int) -> NewOfficer:
    public = hashlib.sha256(login.encode()).hexdigest()
    return NewOfficer(login, login.title(), f"{login} जी", role, office, PASSWORD, SECRET, public)

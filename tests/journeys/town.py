"""A small town to test the business on: one circle of three divisions, made through the product's own journeys.

The Monday is 24-11-2025. Bills fell due in August and September, written notices were served in October, reminders are
queued and delivered on the three days before.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import override_settings

from bahal.domains.arrears.policy import shipped_policy
from bahal.domains.billing.operations import NewBill
from bahal.domains.consumers.operations import NewConsumer
from bahal.domains.meters.operations import NewMeter, add_meters
from bahal.domains.network.operations import NewConnection, NewFeeder, NewTransformer
from bahal.domains.notices.issuing import NewNotice
from bahal.domains.notices.operations import Report
from bahal.domains.offices.operations import NewOffice
from bahal.domains.staff.operations import NewOfficer
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.draft_drive import Draft, draft_drive
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.post_bills import post_bills
from bahal.journeys.propose_drive import Proposed, propose_drive
from bahal.journeys.register_circle import Circle, register_circle
from bahal.journeys.run_drive import run_drive
from bahal.journeys.send_reminders import send_reminders
from bahal.journeys.serve_written_notices import serve_written_notices
from bahal.journeys.set_policy import accept as accept_policy
from bahal.journeys.set_policy import propose as propose_policy
from bahal.journeys.sign_drive import sign_drive
from bahal.journeys.take_delivery_reports import take_delivery_reports
from bahal.shared.warrant import sign

MONDAY = date(2025, 11, 24)
TEN = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
NINE = TEN - timedelta(hours=1)
CIRCLE = 10
DUE = 6_000_00
"""What each connection of the town owes, in paise, unless a test says otherwise."""

FIRST = 2_200_000_001


def number(nth: int) -> int:
    """The consumer number of the nth connection."""
    return FIRST + nth


def key_of(login: str) -> Ed25519PrivateKey:
    """An officer's signing key: the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(login.encode()).digest())


@dataclass(slots=True)
class Town:
    """What stands, and the clock that its acts are given."""

    connections: list[int]
    wall: datetime = field(default_factory=lambda: datetime.now(UTC))

    def drive(self, *, run: bool = True) -> int:
        """Propose and sign a drive of all who owe, and set it running."""
        draft = draft_at_nine()
        proposed = propose(draft)
        sign_drive(
            drive=proposed.drive,
            checker="se",
            signature=sign(key_of("se"), draft.document, "checker"),
            at=self.wall,
            business_at=NINE,
        )
        if run:
            run_drive(drive=proposed.drive, actor="ee", at=self.wall, business_at=TEN)
        return proposed.drive


def found(*, connections: int = 6, reminded: bool = True, due: int = DUE) -> Town:
    """Found a town of so many connections, each owing `due` paise, noticed, and reminded unless told not."""
    at = datetime.now(UTC)
    numbers = [number(nth) for nth in range(connections)]
    times = {"actor": "test", "at": at, "business_at": datetime(2025, 8, 1, tzinfo=UTC)}
    register_circle(_circle(numbers), **times)
    with transaction():
        add_meters(NewMeter(f"M{each}", "arpa", 1, each, date(2024, 1, 1)) for each in numbers)
    roles = {"ee": "executive_engineer", "se": "superintending_engineer", "cashier": "cashier"}
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):  # the real one is slow
        enrol_officers([officer(login, role) for login, role in roles.items()], **times)
    set_policy(policy())
    if due:
        bill_and_notice(numbers, due=due)
    if reminded and due:
        remind()
    return Town(numbers)


def policy(version: str = "test-1", *, effective_from: date = date(2020, 1, 1), **rules: object) -> str:
    """The policy of the story as a document: Rs 5,000, 15 clear days, three reminders, 10:00-14:00."""
    text = shipped_policy().replace('"cg-2025-1"', f'"{version}"').replace("2025-07-01", effective_from.isoformat())
    for name, value in rules.items():
        text, found = re.subn(rf"(?m)^(\[{name}\]\nvalue = ).*$", rf"\g<1>{value}", text)
        assert found == 1, name
    return text


def set_policy(text: str, *, business_at: datetime = datetime(2025, 8, 1, tzinfo=UTC)) -> str:
    """Let `ee` propose a policy and `se` accept it; its version."""
    times = {"at": datetime.now(UTC), "business_at": business_at}
    version = propose_policy(text=text, file="test", officer="ee", **times)
    accept_policy(version=version, officer="se", reason="test", **times)
    return version


def officer(login: str, role: str) -> NewOfficer:
    """An officer whose key is `key_of(login)`."""
    public = key_of(login).public_key().public_bytes_raw().hex()
    return NewOfficer(login, login, login, role, CIRCLE, "secret", "", public)


def bill(numbers: Sequence[int], *, due: int, serial: str = "B") -> list[int]:
    """Two bills each, in all `due`; their ids, two by two."""
    at = datetime.now(UTC)
    bills = [
        NewBill(
            each, f"{serial}{each}-{month}", date(2025, month, 1), date(2025, month, 5), date(2025, month, 20), 90_000,
            paise,
        )
        for each in numbers
        for month, paise in ((7, due // 2), (8, due - due // 2))
    ]  # fmt: skip
    return post_bills(bills, actor="test", at=at, business_at=datetime(2025, 8, 5, tzinfo=UTC))


def bill_and_notice(numbers: Sequence[int], *, due: int, serial: str = "B") -> None:
    """Two bills each, in all `due`, and a written notice over both, served in October."""
    at = datetime.now(UTC)
    ids = bill(numbers, due=due, serial=serial)
    named = dict(zip(numbers, zip(ids[::2], ids[1::2], strict=True), strict=True))
    notices = [
        NewNotice(each, named[each], due, date(2025, 10, 1), date(2025, 10, 10), "registered post, acknowledged")
        for each in numbers
    ]
    serve_written_notices(notices, actor="test", at=at, business_at=datetime(2025, 10, 10, tzinfo=UTC))


def remind(days: Sequence[int] = (3, 2, 1)) -> None:
    """Queue the reminders of the days before the Monday, and have each delivered."""
    for before in days:
        day = MONDAY - timedelta(days=before)
        business_at = TEN - timedelta(days=before)
        send_reminders(business_day=day, actor="ee", at=datetime.now(UTC), business_at=business_at)
        deliver_all(business_at)


def deliver_all(at: datetime) -> None:
    """The SMS centre delivers everything that waits."""
    waiting = many("SELECT id FROM notices_message WHERE delivery IN ('queued', 'sent')")
    take_delivery_reports([Report(row[0], f"R{row[0]}", True, at) for row in waiting])


def draft_at_nine() -> Draft:
    """A draft made at nine on the Monday for ten to two."""
    return draft_drive(office=CIRCLE, maker="ee", not_before=TEN, expires_at=TEN + timedelta(hours=4), business_at=NINE)


def propose(draft: Draft, *, signer: str = "ee") -> Proposed:
    """Propose a draft, signed by the given officer's key as its maker."""
    return propose_drive(
        document=draft.document,
        signature=sign(key_of(signer), draft.document, "maker"),
        name="24-11-2025",
        at=datetime.now(UTC),
        business_at=NINE,
    )


def _circle(numbers: Sequence[int]) -> Circle:
    offices = [
        NewOffice(1, "region", "Bilaspur Region", "बिलासपुर क्षेत्र", None),
        NewOffice(CIRCLE, "circle", "Bilaspur", "बिलासपुर", 1),
    ]
    names = (("Bilaspur", "बिलासपुर"), ("Mungeli", "मुंगेली"), ("Pendra Road", "पेंड्रा रोड"))
    for nth, (name, name_hi) in enumerate(names):
        offices.append(NewOffice(100 + nth, "division", name, name_hi, CIRCLE))
        offices.append(NewOffice(200 + nth, "subdivision", name, name_hi, 100 + nth))
        offices.append(NewOffice(300 + nth, "centre", name, name_hi, 200 + nth))
    return Circle(
        name="Bilaspur",
        offices=offices,
        feeders=[NewFeeder(1, "Feeder 1", "Substation", 200)],
        transformers=[NewTransformer(1, "T1", 1, 100, 22.0, 82.1)],
        connections=[
            NewConnection(each, 1, 300 + nth % 3, "LV-1", 1, 1000, date(2020, 1, 1), 22.0, 82.1)
            for nth, each in enumerate(numbers)
        ],
        consumers=[
            NewConsumer(each, f"Consumer {each}", f"उपभोक्ता {each}", f"+9170000{each % 100000:05d}", "hi")
            for each in numbers
        ],
    )

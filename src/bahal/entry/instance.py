"""An instance's own files: what each room is told and trusted with, written once when the instance is made.

- `instance.json`: rehearsal or production, fixed here for ever
- `interlock/`: its configuration, the officers whose signatures count, the signed profile of caps, its sealing key
- `headend/`: its sealing key
- `web/`: whether the interface is open on loopback (rehearsal) and the hashes of API keys (production)
- `run/clock.json`: the business clock of a rehearsal

A rehearsal's interlock dials 127.0.0.0/8 only; a production one has no clock file to be told the time by.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bahal.shared.clock import move_rehearsal
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, read_json, write_private

CANARY_WRONG_SHARE = 0.02
FAULTY_CANARY_WRONG_SHARE = 0.12
"""Where one meter in fifteen has something wrong with it, six of a canary of fifty may end with a lineman."""
CLOCK_LIMITS = {
    "least_s": 60, "most_s": 900, "back_s": 300, "farthest_s": 14_400, "round_trip_s": 10, "margin_s": 60,
    "midnight_s": 3_600, "month_end_s": 43_200, "fresh_s": 93_600, "few": 10, "meter_day": 24, "hour": 5_000,
}  # fmt: skip
"""Limits of setting clocks (`bahal.interlock.profile.ClockLimits`): judgement of the house, signed with the caps."""


class InstanceMissing(Refusal):
    """No instance lives in this folder."""

    code = "instance_missing"
    exit_code = ENVIRONMENT
    hi = "{home} में बहाल की कोई स्थापना नहीं है: पहले `bahal up` चलाएँ।"
    en = "No Bahal instance lives in {home}: run `bahal up` first."


class InstanceKindFixed(Refusal):
    """Rehearsal or production is fixed when an instance is made."""

    code = "instance_kind_fixed"
    exit_code = ENVIRONMENT
    hi = "{home} की स्थापना {kind} है और यह बदला नहीं जा सकता: दूसरा BAHAL_HOME चुनें।"
    en = "The instance in {home} is a {kind} one, and that is fixed: choose another BAHAL_HOME."


@dataclass(frozen=True, slots=True)
class Profile:
    """The caps a cut stands under, per drive, circle, state, day, transformer and feeder; shares are of connections.

    Each share carries a floor: the ceiling is the larger of the two. Defaults are those of the safety paper. `clock`:
    the limits of setting clocks.
    """

    name: str = "default"
    canary: int = 50
    drive: int = 1000
    circle_hour: int = 500
    state_hour: int = 2000
    day_share: float = 0.005
    day_floor: int = 50
    transformer_share: float = 0.10
    transformer_floor: int = 2
    feeder_share: float = 0.05
    feeder_floor: int = 5
    canary_wrong_share: float = CANARY_WRONG_SHARE
    clock: dict[str, int] = field(default_factory=lambda: dict(CLOCK_LIMITS))

    def canonical(self) -> str:
        """The form that two officers sign."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def rehearsal(*, connections: int, defaulters: int, faults: str = "none") -> Profile:
        """Caps for one rehearsed Monday: the drive fits, and a second one of its size on the same day does not.

        Where meters are to fail, more of the canary may end with a lineman, and the profile's name says so.
        """
        share = defaulters / max(1, connections)
        return Profile(
            name=f"rehearsal-{connections}-{defaulters}" + ("" if faults == "none" else f"-{faults}"),
            drive=max(1000, defaulters),
            circle_hour=max(500, defaulters),
            state_hour=max(2000, defaulters),
            day_floor=max(50, defaulters),
            transformer_floor=max(12, round(15 * min(1.0, share * 6)) + 6),
            feeder_floor=max(40, round(170 * min(1.0, share * 3)) + 20),
            canary_wrong_share=CANARY_WRONG_SHARE if faults == "none" else FAULTY_CANARY_WRONG_SHARE,
        )


def kind_of(home: Home) -> str | None:
    """`rehearsal`, `production`, or None where no instance lives."""
    stated = read_json(home.path / "instance.json")
    return None if stated is None else str(stated["kind"])


def require(home: Home) -> str:
    """The kind of the instance.

    :raises InstanceMissing: there is none.
    """
    kind = kind_of(home)
    if kind is None:
        raise InstanceMissing(home=str(home.path))
    return kind


def make(home: Home, *, rehearsal: bool, business_at: datetime | None = None) -> None:
    """Make the instance's files, or check that they are of this kind. Safe to repeat.

    :raises InstanceKindFixed: the folder holds an instance of the other kind.
    """
    wanted = "rehearsal" if rehearsal else "production"
    present = kind_of(home)
    if present not in (None, wanted):
        raise InstanceKindFixed(home=str(home.path), kind=present)
    home.make()
    for room in ("interlock", "headend", "web", "demo"):
        (home.path / room).mkdir(mode=0o700, exist_ok=True)
    if home.secret("django") is None:
        home.keep_secret("django", {"key": secrets.token_urlsafe(48)})
    if home.secret("sms") is None:
        home.keep_secret("sms", {"hmac": secrets.token_hex(32)})
    if rehearsal and home.secret("whatsapp") is None:
        names = ("token", "app_secret", "verify_token", "phone_number_id")
        home.keep_secret("whatsapp", {name: secrets.token_hex(16) for name in names})
    if rehearsal and home.secret("bank") is None:
        home.keep_secret("bank", _stand_in_bank())
    for room in ("interlock", "headend"):
        _sealing_key(home.path / room)
    clock = home.run / "clock.json"
    _keep(
        home.path / "interlock" / "interlock.json",
        {"rehearsal": rehearsal, "clock": str(clock) if rehearsal else None, "concurrency": 10_000, "per_cell": 1000},
    )
    if rehearsal:
        # No radio stands between a rehearsal and its meters: a cell has no limit of its own.
        _keep(
            home.path / "headend" / "headend.json",
            {
                "concurrency": 3_000,
                "per_cell": 1000,
                "per_gateway": 100,
                "reply_s": 15,  # one process answers for all of them
                "plan_s": 2,
                "lake_every_s": 2,
            },
        )
    _keep(home.path / "web" / "web.json", {"rehearsal": rehearsal, "api_keys": []})
    if rehearsal and business_at is not None:
        move_rehearsal(clock, business_at=business_at)
    # Last: an interrupted making is simply made again.
    _keep(home.path / "instance.json", {"kind": wanted})


def interlock_trusts(home: Home) -> bool:
    """Whether the interlock was told whose signatures count and under which caps; without both it does not start."""
    return all((home.path / "interlock" / name).exists() for name in ("officers.json", "profile.json"))


def _stand_in_bank() -> dict[str, str]:
    """What a payment gateway would have given us: keys of its interface, another of its webhooks, a UPI address."""
    return {
        "key_id": f"rehearsal_{secrets.token_hex(6)}",
        "key_secret": secrets.token_urlsafe(24),
        "webhook_secret": secrets.token_urlsafe(24),
        "vpa": "bahal.rehearsal@stand-in",
        "payee": "Bahal rehearsal",
    }


def _sealing_key(folder: Path) -> None:
    private, public = folder / "sealing.key", folder / "sealing.pub"
    if private.exists() and public.exists():
        return
    key = X25519PrivateKey.generate()
    private.touch(mode=0o600)
    private.write_text(key.private_bytes_raw().hex() + "\n")
    public.write_text(key.public_key().public_bytes_raw().hex() + "\n")


def _keep(path: Path, value: dict[str, object]) -> None:
    if not path.exists():
        write_private(path, value)

"""Drills: an instance of its own is attacked with all that the application holds; the meters' log is judge."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import psycopg
import typer

from bahal.entry import answering, instance
from bahal.entry.house import House, Outside, roster_path
from bahal.shared.clock import RehearsalClock
from bahal.shared.database import dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home

if TYPE_CHECKING:
    from bahal.rehearsal.hostile.authenticator import StolenPasskey

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]

MONDAY: Final = date(2025, 11, 24)
TEN: Final = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
OTHER_CIRCLE: Final = 9001
LIMIT_S: Final = 60.0
LINES: Final = 4
KINDS: Final = 16
"""Kinds of forged warrants (`bahal.rehearsal.hostile.warrants`)."""


class DrillFailed(Refusal):
    """Something gave way."""

    code = "drill_failed"
    hi = "अभ्यास में सुरक्षा टूटी: {what}"
    en = "The drill found a way through: {what}"


class DrillUnproven(Refusal):
    """The lawful drive did not do what it must, so that nothing refused proves anything."""

    code = "drill_unproven"
    hi = "अभ्यास से कुछ सिद्ध नहीं होता: {what}"
    en = "The drill proves nothing: {what}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    drill = typer.Typer(no_args_is_help=True, help="Drills: attacks on an instance of their own.")
    drill.command("cut-all")(cut_all)

    @drill.callback()
    def _drills() -> None:
        """Each drill makes an instance in a folder of its own, attacks it and removes it."""

    app.add_typer(drill, name="drill")


def cut_all(
    listed: Annotated[int, typer.Option(min=1, help="Connections that the hostile process lists.")] = 1_230_000,
    warrants: Annotated[int, typer.Option(min=1, help="Forged warrants that it tries.")] = 1000,
    meters: Annotated[int, typer.Option(min=300, help="Meters that answer on real sockets.")] = 1000,
    keep: Annotated[Path | None, typer.Option("--keep", help="Copy the logs of the drill into this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """A hostile web process with every application secret lists a whole state: no relay may move, by the meters' log.

    First two officers cut forty lawfully, and at the end one of them is restored: the interlock lives throughout.
    """
    began = time.monotonic()
    with _instance(meters) as drill:
        lawful = drill.cut_lawfully()
        found = drill.attack(listed, warrants)
        drill.restore_one()
        off = [move for move in drill.movements() if move["relay"] == "off"]
        if keep is not None:
            shutil.copytree(drill.home.logs, keep, dirs_exist_ok=True)
    moved = len(off) - len(lawful & {move["meter"] for move in off})
    result = {
        "listed": found["listing"]["listed"],
        "relays_moved": moved,
        "warrants": found["warrants"],
        "listing": found["listing"],
        "direct_inserts": found["direct_inserts"],
        "slipped_in": found["slipped_in"],
        "frames": found["frames"],
        "doors": found["doors"],
        "meters": meters,
        "lawful": {"cut": len(lawful), "restored": 1},
        "seconds": round(time.monotonic() - began, 1),
    }
    answering.answer(
        result,
        as_json=as_json,
        hi="{listed} कनेक्शन सूची में डाले गए, {relays_moved} रिले हिले ({seconds} सेकंड)",
        en="{listed} connections were listed, {relays_moved} relays moved ({seconds} s)",
    )
    through = {
        "relays moved": moved,
        "warrants accepted": found["warrants"]["accepted"],
        "orders sent": found["listing"]["sent"] + found["slipped_in"]["sent"],
        "rows taken": found["direct_inserts"]["taken"],
        "frames obeyed": found["frames"]["obeyed"],
        "doors opened": len(found["doors"]["opened"]),
    }
    if any(through.values()):
        raise DrillFailed(what=", ".join(f"{name} {n}" for name, n in through.items() if n))


class _Drill:
    """The instance under attack."""

    def __init__(self, home: Home, meters: int, passkeys: Mapping[str, StolenPasskey]) -> None:
        self.home = home
        self._meters = meters
        self._clock = RehearsalClock(home.run / "clock.json")
        from bahal.rehearsal.officers import prepare_officers

        self._officers = {each.login: each for each in prepare_officers(home)}
        self._lawful: list[tuple[str, int]] = []
        self._drive = 0
        self._genuine: Any = None
        self._passkeys = passkeys

    def people(self) -> None:
        """Connections, debts, officers and meters, each by its own journey."""
        from bahal.domains.staff.operations import NewOfficer
        from bahal.fleet.roster import read_roster
        from bahal.journeys.enrol_officers import enrol_officers
        from bahal.journeys.import_meters import import_meters
        from bahal.rehearsal.population import populate

        roster = Path(roster_path(self.home))
        populate(
            app_dsn=dsn_of("app", home=self.home), owner_dsn=dsn_of("owner", home=self.home), connections=self._meters,
            candidates=40, postings=self._meters * 4, monday=MONDAY,
            meters=[{"meter": row.meter, "make": row.make} for row in read_roster(roster)],
        )  # fmt: skip
        new = [
            NewOfficer(o.login, o.name, o.name_hi, o.role, o.office, o.password, o.totp_secret, o.public_key)
            for o in self._officers.values()
        ]
        at, now = self._clock.wall(), self._clock.now()
        enrol_officers(new, actor="drill", at=at, business_at=now)
        public = {room: bytes.fromhex((self.home.path / room / "sealing.pub").read_text()) for room in
                  ("interlock", "headend")}  # fmt: skip
        with roster.open(encoding="utf-8", newline="") as rows:
            import_meters(
                rows=rows, interlock_public=public["interlock"], headend_public=public["headend"], actor="drill",
                at=at, business_at=now,
            )  # fmt: skip

    def cut_lawfully(self) -> set[str]:
        """Two officers, their keys, the journeys: the meters that went off.

        :raises DrillUnproven: not all of them did.
        """
        from bahal.journeys.draft_drive import draft_drive
        from bahal.journeys.propose_drive import propose_drive
        from bahal.journeys.run_drive import run_drive
        from bahal.journeys.sign_drive import sign_drive
        from bahal.rehearsal.layout import CIRCLE
        from bahal.shared.warrant import sign

        at, now = self._clock.wall(), self._clock.now()
        draft = draft_drive(
            office=CIRCLE, maker="ee", not_before=now, expires_at=now + timedelta(hours=4), business_at=now
        )
        first, second = (
            sign(self._officers[login].key(), draft.document, role)
            for login, role in (("ee", "maker"), ("se", "checker"))
        )
        proposed = propose_drive(document=draft.document, signature=first, name="lawful", at=at, business_at=now)
        sign_drive(drive=proposed.drive, checker="se", signature=second, at=at, business_at=now)
        run_drive(drive=proposed.drive, actor="ee", at=at, business_at=now)
        self._drive = proposed.drive
        with psycopg.connect(dsn_of("app", home=self.home), autocommit=True) as app:
            self._lawful = [
                (row[0], row[1])
                for row in app.execute(
                    "SELECT meter, connection FROM supply_order WHERE drive = %s ORDER BY position", (self._drive,)
                ).fetchall()
            ]
        from bahal.rehearsal.hostile.material import Genuine

        self._genuine = Genuine(document=draft.document, maker_signature=first, checker_signature=second, lines=[])
        wanted = {meter for meter, _ in self._lawful}
        self._await(lambda: {m["meter"] for m in self.movements() if m["relay"] == "off"} == wanted, "a lawful cut")
        return wanted

    def attack(self, listed: int, warrants: int) -> dict[str, Any]:
        """Everything the hostile process found.

        :raises DrillUnproven: it broke down before it had tried all.
        """
        path = self.home.path / "hostile.json"
        self._material(warrants // KINDS + 1).write(path)
        # It inherits nothing that could lead it to the interlock's folder.
        environ = {k: v for k, v in os.environ.items() if not k.startswith("BAHAL_") and k != "DATABASE_URL"}
        ran = subprocess.run(
            [sys.executable, "-m", "bahal.rehearsal.hostile", str(path), str(listed), str(warrants)],
            env=environ, stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if ran.returncode != 0:
            raise DrillUnproven(what=f"the hostile process ended with {ran.returncode}")
        found: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
        return found

    def restore_one(self) -> None:
        """One of those who were cut is lit again.

        :raises DrillUnproven: he stays dark: the interlock was dead, and refused nothing.
        """
        from bahal.journeys.order_restore import order_restore

        meter, connection = self._lawful[0]
        order_restore(
            connection=connection, officer="ee", ground="safety", reason="end of the drill", at=self._clock.wall(),
            business_at=self._clock.now(),
        )  # fmt: skip
        self._await(
            lambda: any(m["meter"] == meter and m["relay"] == "on" for m in self.movements()), "a restore after all"
        )

    def movements(self) -> list[dict[str, Any]]:
        """The meters' own log."""
        path = self.home.logs / "fleet.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _material(self, each: int) -> Any:
        from bahal.fleet.roster import read_roster
        from bahal.rehearsal.hostile.material import Material
        from bahal.rehearsal.layout import CIRCLE

        lawful = {meter for meter, _ in self._lawful}
        with psycopg.connect(dsn_of("app", home=self.home), autocommit=True) as app:
            of: dict[str, int] = dict(app.execute("SELECT serial, connection FROM meters_meter").fetchall())
        rows = [row for row in read_roster(roster_path(self.home)) if row.meter not in lawful]
        targets = [[row.meter, of[row.meter], str(ipaddress.ip_address(row.host)), row.port] for row in rows]
        now = self._clock.now()

        def far(n: int) -> list[list[Any]]:
            """Four of the last targets; those of one round of forgeries do not meet."""
            return targets[-LINES * (1 + n % 21) : len(targets) - LINES * (n % 21)]

        return Material(
            app_dsn=dsn_of("app", home=self.home),
            secrets={name: self.home.secret(name) or {} for name in ("django", "sms", "bank")},
            links=str(self.home.socket("links.sock")),
            stolen_key=self._officers["ee"].key().private_bytes_raw().hex(),
            stolen_passkey=self._passkeys["ee"],
            origin=str(self._endpoints()["interlock"]),
            web=str(self._endpoints()["web"]),
            stolen_login="ee",
            other_login="se",
            circle=CIRCLE,
            other_circle=OTHER_CIRCLE,
            business_at=now.isoformat(),
            lawful_drive=self._drive,
            genuine=self._genuine,
            expired=[self._signed(far(n), circle=CIRCLE, not_before=now - timedelta(hours=5)) for n in range(each)],
            elsewhere=[self._signed(far(n + 7), circle=OTHER_CIRCLE, not_before=now) for n in range(each)],
            past_the_page=[
                self._signed(far(n + 14), circle=CIRCLE, not_before=now, by_passkey=True) for n in range(each)
            ],
            targets=targets,
        )

    def _endpoints(self) -> dict[str, Any]:
        stated: dict[str, Any] = json.loads((self.home.run / "endpoints.json").read_text(encoding="utf-8"))
        return stated

    def _signed(
        self, targets: Sequence[Sequence[Any]], *, circle: int, not_before: datetime, by_passkey: bool = False
    ) -> Any:
        """What two officers sign, though not for this hour, not for this circle, or not on the interlock's page."""
        from bahal.rehearsal.hostile.material import Genuine
        from bahal.shared.warrant import Document, Line, challenge, list_sha256, sign

        lines = [Line(n, meter, connection, 700_000, "", "", 1) for n, (meter, connection, *_) in enumerate(targets)]
        document = Document(
            warrant=str(uuid.uuid4()), circle=circle, ground="nonpayment_s56", orders=len(lines),
            sum_paise=sum(line.paise for line in lines), list_sha256=list_sha256(lines), cap=len(lines), policy="drill",
            nonce=secrets.token_hex(16), not_before=not_before, expires_at=not_before + timedelta(hours=4), maker="ee",
        ).canonical()  # fmt: skip

        def by(login: str, role: str) -> str:
            if not by_passkey:
                return sign(self._officers[login].key(), document, role)
            page = str(self._endpoints()["interlock"])
            return self._passkeys[login].sign(challenge(document, role), origin=page, host="localhost")

        return Genuine(
            document=document,
            maker_signature=by("ee", "maker"),
            checker_signature=by("se", "checker"),
            lines=[list(astuple(line)) for line in lines],
        )

    def _await(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not true():
            if time.monotonic() > deadline:
                raise DrillUnproven(what=f"{what} did not come within {LIMIT_S:.0f} s")
            time.sleep(0.1)


@contextlib.contextmanager
def _instance(meters: int) -> Iterator[_Drill]:
    """A rehearsal in a folder of its own, open with its fleet; drained and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="bahal-drill-"))
    folder.chmod(0o711)  # under root the database is `nobody`, who must pass through
    for name in ("DATABASE_URL", "BAHAL_ROLE", "BAHAL_CLOCK"):
        os.environ.pop(name, None)
    os.environ["BAHAL_HOME"] = str(folder)
    home = Home(folder)
    house = House(home)
    try:
        house.take()
        instance.make(home, rehearsal=True, business_at=TEN)
        from bahal.rehearsal.hostile.authenticator import StolenPasskey
        from bahal.rehearsal.officers import enrol

        passkeys = {login: StolenPasskey.make(secrets.token_bytes(32)) for login in ("ee", "se")}
        enrol(
            home,
            profile=instance.Profile.rehearsal(connections=meters, defaulters=40),
            passkeys={
                login: {"credential": each.credential, "cose": each.cose, "count": 0}
                for login, each in passkeys.items()
            },
        )
        house.open_database()
        house.open_rooms(outside=Outside(meters=meters, seed=1, reply_delay=0.0))
        from bahal.entry.business import enter

        enter()
        drill = _Drill(home, meters, passkeys)
        drill.people()
        yield drill
    finally:
        house.close()
        shutil.rmtree((folder / "pg").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)

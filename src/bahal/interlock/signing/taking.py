"""Taking a passkey's signature: who may sign, whether he was told, and every point of what his authenticator gave.

Nothing is remembered between asking and signing: what a passkey is asked to sign follows from the document itself, and
is derived again when it comes back.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bahal.headend.database import Database, Ringer
from bahal.interlock.charter import Charter
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.officers import Key, NoAuthority, Officer, authority_of, wrong_with_passkey
from bahal.interlock.signing.looking import WarrantUnknown, find, look
from bahal.interlock.telling import Telling
from bahal.shared import charter as acts
from bahal.shared import passkey
from bahal.shared.clock import Clock
from bahal.shared.passkey import Place
from bahal.shared.warrant import challenge

ASKED_A_MINUTE: Final = 60
"""How often a minute all signers together may begin: each beginning derives a list anew, and may send a message."""
MAKING_S: Final = 300.0
_SIGN: Final = "SELECT interlock_sign(%s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_SIGN_ACT: Final = "SELECT interlock_sign_act(%s, %s, %s, %s, %s, %s)"
_SIGNED: Final = "SELECT role, officer, authority, taken_at FROM interlock_signature WHERE warrant = %s::uuid"
_ACT: Final = "SELECT document, outcome, asked_by FROM interlock_act WHERE sha256 = %s"
_ACT_SIGNED: Final = """
    SELECT DISTINCT s.officer FROM interlock_act_signature s JOIN interlock_act a ON a.id = s.act WHERE a.sha256 = %s
"""


class Declined(Exception):
    """The page does not take this; `name` says why, `status` is HTTP's, `data` what the sentence names."""

    def __init__(self, name: str, status: int = 409, **data: object) -> None:
        super().__init__(name)
        self.name = name
        self.status = status
        self.data = data


@dataclass(slots=True)
class _Making:
    challenge: bytes
    login: str
    until: float


class Taking:
    """The page's acts. `place` is known once its server listens."""

    def __init__(
        self,
        *,
        database: Database,
        charter: Charter,
        telling: Telling,
        clock: Clock,
        metrics: InterlockMetrics,
        ringer: Ringer,
        rung: Callable[[], object],
    ) -> None:
        self.database = database
        self.charter = charter
        self.clock = clock
        self._telling = telling
        self._metrics = metrics
        self._ringer = ringer
        self._rung = rung
        self._begun: deque[float] = deque()
        self._making: dict[str, _Making] = {}
        self._log = structlog.get_logger().bind(part="signing")

    @property
    def place(self) -> Place:
        """Where passkeys sign.

        :raises Declined: nowhere.
        """
        if self.charter.place is None:
            raise Declined("page_closed", 503)
        return self.charter.place

    # --- warrants ----------------------------------------------------------------------------------------------------

    async def begin(self, warrant: str, login: str) -> dict[str, Any]:
        """What an officer's passkey is asked to sign, after he was told by message what that is.

        :raises Declined: he may not sign it, it may not be signed, or he could not be told.
        :raises psycopg.Error: the database failed.
        """
        self._pace()
        now = self.clock.now()
        profile, _ = self.charter.caps(now)
        try:
            shown = await look(self.database, warrant, profile=profile, at=now)
        except WarrantUnknown as unknown:
            raise Declined("warrant_unknown", 404) from unknown
        if shown.wrong:
            raise Declined(shown.wrong)
        role = await self._role(warrant, login, shown.state, shown.document.maker, shown.drive.maker_signature)
        officer, _ = self._officer(login, shown.document)
        why = await self._telling.tell(shown.document, officer, shown.circle_hi)
        if why:
            raise Declined("signer_not_told", 503, why=why)
        return self._asked(officer, challenge(shown.drive.document, role)) | {"role": role}

    async def sign(self, warrant: str, login: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Take an officer's signature: whatever was asked is asked again.

        :raises Declined: with the first point that does not hold.
        :raises psycopg.Error: the database failed.
        """
        now = self.clock.now()
        profile, _ = self.charter.caps(now)
        try:
            shown = await look(self.database, warrant, profile=profile, at=now)
        except WarrantUnknown as unknown:
            raise Declined("warrant_unknown", 404) from unknown
        if shown.wrong:
            raise Declined(shown.wrong)
        role = await self._role(warrant, login, shown.state, shown.document.maker, shown.drive.maker_signature)
        officer, authority = self._officer(login, shown.document)
        if login not in await self._telling.told(warrant):
            raise Declined("signer_not_told", 503, why="")
        if role == "checker":
            await self._two_authorities(warrant, shown.drive.maker, authority)
        assertion, key, count = self._checked(given, officer, challenge(shown.drive.document, role))
        place = self.place
        values = (
            warrant, role, login, authority, key.credential, key.public, key.count, count, place.origin, place.host,
            assertion.canonical(), now,
        )  # fmt: skip
        ((said,),) = await self.database.rows(_SIGN, values)
        self._say("warrant", said, warrant=warrant, role=role, officer=login)
        return {"signed": role}

    async def signed(self, warrant: str) -> dict[str, tuple[str, str]]:
        """Who signed on the page, and by whose authority, by role."""
        rows = await self.database.rows(_SIGNED, (warrant,))
        return {role: (officer, authority) for role, officer, authority, _ in rows}

    async def _role(self, warrant: str, login: str, state: str, maker: str, maker_signature: str) -> str:
        if state != "proposed":
            raise Declined("warrant_not_waiting")
        taken = await self.signed(warrant)
        if login == maker:
            if maker_signature or "maker" in taken:
                raise Declined("warrant_signed_already")
            return "maker"
        if not maker_signature and "maker" not in taken:
            raise Declined("warrant_maker_first", maker=maker)
        if "checker" in taken:
            raise Declined("warrant_signed_already")
        return "checker"

    def _officer(self, login: str, document: Any) -> tuple[Officer, str]:
        try:
            authority = authority_of(login, document, self.charter, self.clock.now())
        except NoAuthority as none:
            raise Declined(none.name, 403) from none
        return self.charter[login], authority

    async def _two_authorities(self, warrant: str, maker: str, authority: str) -> None:
        """The checker may not sign by the authority that the maker used."""
        _, document, _ = await find(self.database, warrant)
        try:
            first = authority_of(maker, document, self.charter, self.clock.now())
        except NoAuthority as none:
            raise Declined(none.name) from none
        if first == authority:
            raise Declined("warrant_one_authority", 403)

    # --- acts of the charter -----------------------------------------------------------------------------------------

    async def act(self, sha256: str) -> tuple[acts.Act, str, str, list[str]]:
        """An act on its way: itself, its document, what became of it, who has signed.

        :raises Declined: there is none.
        """
        rows = await self.database.rows(_ACT, (sha256,))
        try:
            if not rows:
                raise ValueError
            found = acts.Act.parse(rows[0][0])
        except ValueError as unknown:
            raise Declined("act_unknown", 404) from unknown
        signed = [row[0] for row in await self.database.rows(_ACT_SIGNED, (sha256,))]
        return found, rows[0][0], rows[0][1], sorted(signed)

    async def begin_act(self, sha256: str, login: str) -> dict[str, Any]:
        """What an officer's passkey is asked to sign for an act.

        :raises Declined: he decides nothing, or the act waits for nobody.
        """
        self._pace()
        officer, document = await self._act_signer(sha256, login)
        return self._asked(officer, acts.challenge(document))

    async def sign_act(self, sha256: str, login: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Take an officer's signature over an act; the interlock judges it with the others.

        :raises Declined: with the first point that does not hold.
        """
        officer, document = await self._act_signer(sha256, login)
        assertion, key, count = self._checked(given, officer, acts.challenge(document))
        values = (sha256, login, key.credential, key.count, count, assertion.canonical())
        ((said,),) = await self.database.rows(_SIGN_ACT, values)
        self._say("act", said, act=sha256, officer=login)
        return {"signed": "act"}

    async def _act_signer(self, sha256: str, login: str) -> tuple[Officer, str]:
        _, document, outcome, signed = await self.act(sha256)
        if outcome:
            raise Declined("act_not_waiting")
        officer = self.charter.get(login)
        if officer is None or not officer.signs(self.clock.now()):
            raise Declined("warrant_officer_unknown", 403)
        if login in signed:
            raise Declined("warrant_signed_already")
        return officer, document

    # --- passkeys ----------------------------------------------------------------------------------------------------

    def begin_making(self, login: str) -> dict[str, Any]:
        """What a browser needs to make a passkey. It counts for nothing until two officers enrol it.

        :raises Declined: too many at once.
        """
        self._pace()
        now = time.monotonic()
        self._making = {name: each for name, each in self._making.items() if each.until > now}
        name, asked = secrets.token_hex(16), secrets.token_bytes(32)
        self._making[name] = _Making(asked, login, now + MAKING_S)
        return {
            "making": name,
            "challenge": passkey.text_of(asked),
            "rp": {"id": self.place.host, "name": "Bahal interlock"},
            "user": {"id": passkey.text_of(login.encode()), "name": login, "displayName": login},
        }

    async def make(self, login: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what an authenticator made, for two officers to enrol.

        :raises Declined: it was not asked for, or does not hold.
        """
        begun = self._making.pop(str(given.get("making")), None)
        if begun is None or begun.login != login or begun.until < time.monotonic():
            raise Declined("making_over")
        try:
            made = passkey.made(
                client_data=passkey.bytes_of(given.get("client_data")),
                authenticator_data=passkey.bytes_of(given.get("authenticator_data")),
                challenge=begun.challenge,
                place=self.place,
            )
        except passkey.PasskeyWrong as wrong:
            raise Declined(f"warrant_passkey_{wrong.name}") from wrong
        await self.database.rows(
            "SELECT interlock_keep_candidate(%s, %s, %s, %s)", (made.credential, login, made.cose, made.count)
        )
        self._log.info("passkey_made", login=login, credential=made.credential)
        return {"made": made.credential, "fingerprint": acts.digest_of(made.cose)[:16]}

    # --- what both share ---------------------------------------------------------------------------------------------

    def _pace(self) -> None:
        now = time.monotonic()
        while self._begun and self._begun[0] < now - 60:
            self._begun.popleft()
        if len(self._begun) >= ASKED_A_MINUTE:
            raise Declined("too_many", 429)
        self._begun.append(now)

    def _asked(self, officer: Officer, asked: bytes) -> dict[str, Any]:
        keys = officer.passkeys(self.clock.now())
        if not keys:
            raise Declined("officer_without_passkey", 403)
        return {
            "challenge": passkey.text_of(asked),
            "host": self.place.host,
            "credentials": [key.credential for key in keys],
        }

    def _checked(self, given: Mapping[str, Any], officer: Officer, asked: bytes) -> tuple[passkey.Assertion, Key, int]:
        try:
            assertion = passkey.Assertion(
                credential=str(given.get("credential")),
                authenticator_data=passkey.bytes_of(given.get("authenticator_data")),
                client_data=passkey.bytes_of(given.get("client_data")),
                signature=passkey.bytes_of(given.get("signature")),
            )
        except passkey.PasskeyWrong as malformed:
            raise Declined("warrant_passkey_malformed") from malformed
        wrong = wrong_with_passkey(assertion.canonical(), officer, asked, self.place, self.clock.now())
        if wrong:
            self._log.error("passkey_refused", officer=officer.login, reason=wrong)
            self._metrics.signatures.labels(wrong).inc()
            raise Declined(wrong)
        key = next(each for each in officer.passkeys(self.clock.now()) if each.credential == assertion.credential)
        return assertion, key, int.from_bytes(assertion.authenticator_data[33:37])

    def _say(self, what: str, said: str, **data: object) -> None:
        self._metrics.signatures.labels(said or "taken").inc()
        if said:
            self._log.error("signature_refused", what=what, reason=said, **data)
            raise Declined(said)
        self._log.info("signature_taken", what=what, **data)
        self._ringer.ring()
        self._rung()

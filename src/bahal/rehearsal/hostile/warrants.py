"""Forged warrants, kind by kind: each is written as the business writes a drive, set running, and its end is noted."""

from __future__ import annotations

import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from random import Random
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.rehearsal.hostile.authenticator import PRESENT
from bahal.rehearsal.hostile.material import Genuine, Material
from bahal.shared.passkey import Assertion
from bahal.shared.warrant import Document, Line, challenge, list_sha256, sign

LINES: Final = 4
ROUND: Final = 50
WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forged:
    """A drive's row and its orders, as they will be written."""

    document: str
    maker: str
    maker_signature: str
    checker: str
    checker_signature: str
    lines: Sequence[Line]
    warrant: str
    office: int
    list_sha256: str
    not_before: datetime
    expires_at: datetime


class Forger:
    """Makes forged warrants over targets; the same seed makes the same kinds in the same order."""

    def __init__(self, material: Material, *, seed: int) -> None:
        self._material = material
        self._stolen = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(material.stolen_key))
        self._chance = Random(seed)  # noqa: S311  # which byte is altered, no secret
        self._now = datetime.fromisoformat(material.business_at)
        self._late, self._far = cycle(material.expired), cycle(material.elsewhere)
        self._past = cycle(material.past_the_page)
        self.kinds: dict[str, Callable[[Sequence[Line]], Forged]] = {
            "forged_signatures": self._forged_signatures,
            "one_key_two_names": self._one_key_two_names,
            "maker_is_checker": self._maker_is_checker,
            "own_officers": self._own_officers,
            "altered_byte": self._altered_byte,
            "altered_list": self._altered_list,
            "reused": self._reused,
            "reused_under_its_own_number": self._reused_under_its_own_number,
            "expired": self._expired,
            "other_circle": self._other_circle,
            "passkey_on_the_web_page": self._passkey_on_the_web_page,
            "passkey_unverified": self._passkey_unverified,
            "passkey_of_another_list": self._passkey_of_another_list,
            "passkey_altered": self._passkey_altered,
            "passkey_beside_its_key_file": self._passkey_beside_its_key_file,
            "passkeys_past_the_page": self._passkeys_past_the_page,
        }

    def _document(self, lines: Sequence[Line], **changed: Any) -> Document:
        made = Document(
            warrant=str(uuid.uuid4()),
            circle=self._material.circle,
            ground="nonpayment_s56",
            orders=len(lines),
            sum_paise=sum(line.paise for line in lines),
            list_sha256=list_sha256(lines),
            cap=len(lines),
            policy="drill",
            nonce=secrets.token_hex(16),
            not_before=self._now,
            expires_at=self._now + timedelta(hours=4),
            maker=self._material.stolen_login,
        )
        return replace(made, **changed)

    def _forged(self, document: Document, lines: Sequence[Line], maker_signature: str, **checked: str) -> Forged:
        return Forged(
            document=document.canonical(), maker=document.maker, maker_signature=maker_signature, lines=lines,
            warrant=document.warrant, office=document.circle, list_sha256=document.list_sha256,
            not_before=document.not_before, expires_at=document.expires_at,
            checker=checked["checker"], checker_signature=checked["checker_signature"],
        )  # fmt: skip

    def _forged_signatures(self, lines: Sequence[Line]) -> Forged:
        document = self._document(lines)
        return self._forged(
            document, lines, secrets.token_hex(64), checker=self._material.other_login,
            checker_signature=secrets.token_hex(64),
        )  # fmt: skip

    def _one_key_two_names(self, lines: Sequence[Line]) -> Forged:
        """The stolen key signs for both officers."""
        document = self._document(lines)
        text = document.canonical()
        return self._forged(
            document, lines, sign(self._stolen, text, "maker"), checker=self._material.other_login,
            checker_signature=sign(self._stolen, text, "checker"),
        )  # fmt: skip

    def _maker_is_checker(self, lines: Sequence[Line]) -> Forged:
        """One officer, both signatures good."""
        document = self._document(lines)
        text = document.canonical()
        return self._forged(
            document, lines, sign(self._stolen, text, "maker"), checker=self._material.stolen_login,
            checker_signature=sign(self._stolen, text, "checker"),
        )  # fmt: skip

    def _own_officers(self, lines: Sequence[Line]) -> Forged:
        """Two officers whom the application enrolled for itself."""
        keys = [Ed25519PrivateKey.generate() for _ in range(2)]
        document = self._document(lines, maker="drill-ee")
        text = document.canonical()
        return self._forged(
            document, lines, sign(keys[0], text, "maker"), checker="drill-se",
            checker_signature=sign(keys[1], text, "checker"),
        )  # fmt: skip

    def _of(self, genuine: Genuine, lines: Sequence[Line], **changed: Any) -> Forged:
        document = Document.parse(genuine.document)
        made = self._forged(
            document, lines, genuine.maker_signature, checker=self._material.other_login,
            checker_signature=genuine.checker_signature,
        )  # fmt: skip
        return replace(made, **changed)

    def _altered_byte(self, lines: Sequence[Line]) -> Forged:
        """What two officers signed, with one byte changed, over a row that says what the document then says."""
        text = self._material.genuine.document
        while True:
            at = self._chance.randrange(len(text))
            other = chr(self._chance.randrange(32, 127))
            altered = text[:at] + other + text[at + 1 :]
            if altered != text:
                return self._of(self._material.genuine, lines, document=altered, warrant=str(uuid.uuid4()))

    def _altered_list(self, lines: Sequence[Line]) -> Forged:
        """The signed document over other connections."""
        return self._of(self._material.genuine, lines, warrant=str(uuid.uuid4()))

    def _reused(self, lines: Sequence[Line]) -> Forged:
        """The lawful warrant once more, under a row of its own."""
        return self._of(self._material.genuine, lines, warrant=str(uuid.uuid4()))

    def _reused_under_its_own_number(self, lines: Sequence[Line]) -> Forged:
        """And under its own number: the table keeps warrants for ever."""
        return self._of(self._material.genuine, lines)

    def _expired(self, _lines: Sequence[Line]) -> Forged:
        """Signed by two for exactly these lines; its time is over."""
        genuine = next(self._late)
        return self._of(genuine, lines_of(genuine))

    def _other_circle(self, _lines: Sequence[Line]) -> Forged:
        """Signed by two for another circle, over exactly these connections of this one."""
        genuine = next(self._far)
        return self._of(genuine, lines_of(genuine))

    # --- passkeys: the maker's is stolen, private half and all ---

    def _by_passkey(self, lines: Sequence[Line], **lies: Any) -> Forged:
        document = self._document(lines)
        text = document.canonical()
        place: dict[str, Any] = {"origin": self._material.origin, "host": "localhost"}
        over = lies.pop("over", challenge(text, "maker"))
        return self._forged(
            document, lines, self._material.stolen_passkey.sign(over, **(place | lies)),
            checker=self._material.other_login,
            checker_signature=self._material.stolen_passkey.sign(challenge(text, "checker"), **place),
        )  # fmt: skip

    def _passkey_on_the_web_page(self, lines: Sequence[Line]) -> Forged:
        """The officer was brought to use his passkey on a page of the application, whose host is the same."""
        return self._by_passkey(lines, origin=self._material.web)

    def _passkey_unverified(self, lines: Sequence[Line]) -> Forged:
        """Touched, without PIN or finger."""
        return self._by_passkey(lines, flags=PRESENT)

    def _passkey_of_another_list(self, lines: Sequence[Line]) -> Forged:
        """Signed on the right page, for something else."""
        return self._by_passkey(lines, over=challenge(self._material.genuine.document, "maker"))

    def _passkey_altered(self, lines: Sequence[Line]) -> Forged:
        """One byte of what was signed."""
        made = self._by_passkey(lines)
        given = Assertion.parse(made.maker_signature)
        data = bytearray(given.authenticator_data)
        data[36] ^= 1
        return replace(made, maker_signature=replace(given, authenticator_data=bytes(data)).canonical())

    def _passkey_beside_its_key_file(self, lines: Sequence[Line]) -> Forged:
        """Key file and passkey of one officer, under the names of two."""
        made = self._by_passkey(lines)
        return replace(made, maker_signature=sign(self._stolen, made.document, "maker"))

    def _passkeys_past_the_page(self, _lines: Sequence[Line]) -> Forged:
        """Two good assertions of two officers for exactly these lines, which the interlock's page never took."""
        genuine = next(self._past)
        return self._of(genuine, lines_of(genuine))


def lines_of(genuine: Genuine) -> list[Line]:
    """The lines that were signed."""
    return [Line(*values) for values in genuine.lines]


_DRIVE = """
    INSERT INTO supply_drive (warrant, office, name, state, orders, sum_paise, list_sha256, document, maker,
        maker_signature, checker, checker_signature, policy, not_before, expires_at, proposed_at, signed_at, started_at,
        reason)
    VALUES (%s, %s, 'drill', 'running', %s, %s, %s, %s, %s, %s, %s, %s, 'drill', %s, %s, now(), now(), now(), '')
    RETURNING id
"""
_ORDERS = """
    INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive, position, due_paise,
        bills, notice_sha256, made_at, tries, sends)
    SELECT meter, connection, 'cut', 'nonpayment_s56', 'proposed', 'drill', '', fence, %s, position, paise, bills,
        notice, now(), 0, 0
    FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])
        AS l (position, meter, connection, paise, bills, notice, fence)
"""


def write(app: psycopg.Connection[Any], forged: Forged) -> int:
    """Write it as a running drive with authorised cuts; the drive's id.

    :raises psycopg.Error: the database refused it.
    """
    lines = forged.lines
    with app.transaction():
        found = app.execute(
            _DRIVE,
            (
                forged.warrant, forged.office, len(lines), sum(line.paise for line in lines), forged.list_sha256,
                forged.document, forged.maker, forged.maker_signature, forged.checker, forged.checker_signature,
                forged.not_before, forged.expires_at,
            ),
        ).fetchone()  # fmt: skip
        assert found is not None
        columns = [
            [line.position for line in lines], [line.meter for line in lines], [line.connection for line in lines],
            [line.paise for line in lines], [line.bills for line in lines], [line.notice_sha256 for line in lines],
            [line.fence for line in lines],
        ]  # fmt: skip
        app.execute(_ORDERS, (found[0], *columns))
        app.execute("UPDATE supply_order SET state = 'authorised' WHERE drive = %s", (found[0],))
    return int(found[0])


def try_warrants(material: Material, *, count: int, seed: int = 1) -> dict[str, Any]:
    """Try `count` forged warrants, every kind as often; how many were accepted and who refused them, by name.

    An expired one may also be closed by the worker before the interlock has looked at it.

    :raises TimeoutError: the interlock left some unjudged.
    """
    forger = Forger(material, seed=seed)
    kinds = list(forger.kinds)
    targets = material.targets[: ROUND * LINES]
    refused: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    drives: list[int] = []
    with psycopg.connect(material.app_dsn, autocommit=True) as app:
        for start in range(0, count, ROUND):
            waiting: list[int] = []
            for n in range(min(ROUND, count - start)):
                kind = kinds[(start + n) % len(kinds)]
                mine = targets[n * LINES : (n + 1) * LINES]
                lines = [Line(p, meter, c, 1_000_000, "", "", 1) for p, (meter, c, *_) in enumerate(mine)]
                tried[kind] += 1
                try:
                    waiting.append(write(app, forger.kinds[kind](lines)))
                except psycopg.Error as refusal:
                    refused[f"database {refusal.sqlstate}"] += 1
            app.execute("NOTIFY bahal_orders")
            refused.update(_ends_of(app, waiting))
            drives += waiting
        rows = app.execute("SELECT count(*) FROM interlock_warrant WHERE drive = ANY(%s)", (drives,)).fetchone()
    return {
        "tried": sum(tried.values()), "accepted": int(rows[0]) if rows else -1, "kinds": dict(tried),
        "refused_by": dict(refused),
    }  # fmt: skip


def _ends_of(app: psycopg.Connection[Any], drives: Sequence[int]) -> Counter[str]:
    deadline = time.monotonic() + WAIT_S
    while True:
        rows = app.execute(
            "SELECT CASE state WHEN 'stopped' THEN 'interlock ' || reason ELSE 'worker ' || state END FROM supply_drive"
            " WHERE id = ANY(%s) AND state IN ('stopped', 'finished', 'expired')",
            (list(drives),),
        ).fetchall()
        if len(rows) == len(drives):
            return Counter(row[0] for row in rows)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(drives) - len(rows)} forged drives were neither refused nor ended")
        time.sleep(0.05)

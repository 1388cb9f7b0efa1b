"""The charter: who was enrolled, who was revoked, who stands in for whom, and which caps hold, act by act.

`charter.jsonl` in the interlock's own folder is a record that only grows: each line holds an act, the signatures it was
accepted with, and the hash of the line before. At the start every line is judged again, from the founding officers on,
so that nothing counts that two of them, or of those whom they enrolled, have not signed. The database only carries what
is asked; a row altered there changes nothing here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from bahal.interlock.config import InterlockMisconfigured
from bahal.interlock.officers import NEVER_ENDS, Delegation, Key, Officer, load_officers, wrong_with_passkey
from bahal.interlock.profile import Profile, load_profile, profile_of
from bahal.shared import passkey
from bahal.shared.charter import LASTS, SIGNATURES, Act, act_verified, challenge, stamp
from bahal.shared.passkey import Place

RAISED_WAITS: Final = timedelta(hours=24)
"""From the second signature to the hour at which a raised cap holds."""


class Signed(NamedTuple):
    """One officer's signature over an act."""

    login: str
    signature: str


class ActRefused(Exception):
    """This act changes nothing; `name` says why, `final` whether waiting for another signature could help."""

    def __init__(self, name: str, *, final: bool = True) -> None:
        super().__init__(name)
        self.name = name
        self.final = final


@dataclass(frozen=True, slots=True)
class _Caps:
    profile: Profile
    signers: tuple[str, ...]
    effective_from: datetime


class Charter(Mapping[str, Officer]):
    """The officers as all acts so far leave them.

    :param place: where passkeys sign; None where the interlock serves no page.
    :raises InterlockMisconfigured: a file is missing, or the record was cut, altered or put together from pieces.
    """

    def __init__(self, folder: Path, *, place: Place | None) -> None:
        self._path = folder / "charter.jsonl"
        self.place = place
        self._officers = load_officers(folder)
        self.founding = tuple(self._officers)
        base, signers = load_profile(folder, self._officers)
        self._caps = [_Caps(base, signers, datetime.min.replace(tzinfo=UTC))]
        self._publics = {
            text for each in self._officers.values() for key in each.keys for text in (key.public, key.credential)
        }
        self._seen: set[str] = set()
        self._head = ""
        self._size = 0
        self.read()

    def __getitem__(self, login: str) -> Officer:
        return self._officers[login]

    def __iter__(self) -> Iterator[str]:
        return iter(self._officers)

    def __len__(self) -> int:
        return len(self._officers)

    def signing_key(self, login: str, at: datetime) -> str | None:
        """The public half of the key file of an officer who decides, or None."""
        officer = self._officers.get(login)
        return (officer.key_file(at) or None) if officer is not None and officer.signs(at) else None

    @property
    def acts(self) -> Sequence[str]:
        """The hashes of all acts that were accepted."""
        return sorted(self._seen)

    def caps(self, at: datetime) -> tuple[Profile, tuple[str, ...]]:
        """The profile in force and who signed it: the latest accepted one whose hour has come."""
        found = next(each for each in reversed(self._caps) if each.effective_from <= at)
        return found.profile, found.signers

    def read(self) -> None:
        """Take in what the record has more than was read, as another worker of this machine wrote it.

        :raises InterlockMisconfigured: a line does not follow from those before it.
        """
        if not self._path.exists():
            if self._size:
                raise InterlockMisconfigured(file=self._path.name, why="it was there and is gone")
            return
        with self._path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            self._take_all(file)

    def ask(self, document: str, signatures: Iterable[Signed], *, at: datetime) -> Act:
        """Judge an act and, if it holds, keep it for ever.

        :raises ActRefused: it does not.
        """
        with self._path.open("ab") as file:
            os.chmod(self._path, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            # Another worker may have accepted it, or what speaks against it, meanwhile.
            with self._path.open("rb") as written:
                self._take_all(written)
            act, counted = self._judge(document, signatures, at, self.place)
            entry = {
                "document": document,
                "signatures": [list(each) for each in counted],
                "place": None if self.place is None else [self.place.origin, self.place.host],
                "at": stamp(at),
                "before": self._head,
            }
            raw = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            # A line that a crash left half written was never answered for.
            file.truncate(self._size)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            self._apply(act, counted)
            self._note(raw, act)
        return act

    def _take_all(self, file: BinaryIO) -> None:
        file.seek(self._size)
        for raw in file.read().splitlines(keepends=True):
            if raw.endswith(b"\n"):
                self._take(raw)

    def _take(self, raw: bytes) -> None:
        try:
            entry = json.loads(raw)
            if entry["before"] != self._head:
                raise ValueError("a line does not follow the one before it")
            place = None if entry["place"] is None else Place(*entry["place"])
            signatures = [Signed(*each) for each in entry["signatures"]]
            act, counted = self._judge(entry["document"], signatures, datetime.fromisoformat(entry["at"]), place)
        except (ValueError, KeyError, TypeError, ActRefused) as wrong:
            raise InterlockMisconfigured(file=self._path.name, why=str(wrong)) from wrong
        self._apply(act, counted)
        self._note(raw, act)

    def _note(self, raw: bytes, act: Act) -> None:
        self._head = hashlib.sha256(raw).hexdigest()
        self._size += len(raw)
        self._seen.add(act.sha256)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge(
        self, document: str, signatures: Iterable[Signed], at: datetime, place: Place | None
    ) -> tuple[Act, list[Signed]]:
        try:
            act = Act.parse(document)
        except ValueError as wrong:
            raise ActRefused("act_not_canonical") from wrong
        if act.sha256 in self._seen:
            raise ActRefused("act_used")
        if not at < act.expires_at <= at + LASTS:
            raise ActRefused("act_expired")
        _JUDGES[act.act](self, act, at)
        # A signature that does not hold is as good as none; it cannot keep a good one from being given.
        good: dict[str, Signed] = {}
        for each in signatures:
            if each.login not in good and self._holds(act, each, document, at, place):
                good[each.login] = each
        if len(good) < SIGNATURES[act.act]:
            raise ActRefused("act_lacks_signatures", final=False)
        return act, list(good.values())

    def _holds(self, act: Act, signed: Signed, document: str, at: datetime, place: Place | None) -> bool:
        officer = self._officers.get(signed.login)
        if officer is None or not officer.signs(at):
            return False
        if act.act == "delegate" and signed.login != act.of["officer"]:
            return False
        if passkey.is_assertion(signed.signature):
            return not wrong_with_passkey(signed.signature, officer, challenge(document), place, at)
        return act_verified(officer.key_file(at), signed.signature, document)

    def _judge_enrol(self, act: Act, _at: datetime) -> None:
        of, key = act.of, act.of["key"]
        texts = (of["login"], of["name"], of["role"], of["phone"], key["public"])
        numbers = [of["circle"], of["office"], of["cap"], *([key["count"]] if key["kind"] == "passkey" else [])]
        if not all(isinstance(each, str) and each for each in texts) or not all(
            each is None or (type(each) is int and each >= 0) for each in numbers
        ):
            raise ActRefused("enrolment_incomplete")
        if act.instant("valid_from") >= act.instant("valid_until"):
            raise ActRefused("enrolment_never_valid")
        if {key["public"], key.get("credential") or key["public"]} & self._publics:
            raise ActRefused("enrolment_key_known")
        if any(each.phone == of["phone"] and each.login != of["login"] for each in self._officers.values()):
            # Two officers who read one telephone are one person, or one of them never hears of what he signs.
            raise ActRefused("enrolment_phone_of_another")
        try:
            if key["kind"] == "passkey":
                passkey.bytes_of(key["credential"])
                passkey.key_of(key["public"])
            elif len(bytes.fromhex(key["public"])) != 32 or key["public"] != key["public"].lower():
                raise ActRefused("enrolment_key_malformed")
        except (passkey.PasskeyWrong, ValueError) as wrong:
            raise ActRefused("enrolment_key_malformed") from wrong

    def _judge_revoke(self, act: Act, _at: datetime) -> None:
        officer = self._officers.get(act.of["login"])
        if officer is None or not officer.keys:
            raise ActRefused("revocation_of_nobody")
        if act.of["key"] and not any(act.of["key"] in (key.public, key.credential) for key in officer.keys):
            raise ActRefused("revocation_of_no_key")

    def _judge_delegate(self, act: Act, at: datetime) -> None:
        of = act.of
        officer, link = self._officers.get(of["officer"]), self._officers.get(of["link"])
        if officer is None or link is None or officer.login == link.login or not officer.signs(at):
            raise ActRefused("delegation_between_nobodies")
        if type(of["cap"]) is not int or of["cap"] < 1 or (officer.cap is not None and of["cap"] > officer.cap):
            raise ActRefused("delegation_over_cap")
        if type(of["circle"]) is not int or officer.circle not in (None, of["circle"]) or not of["grounds"]:
            raise ActRefused("delegation_elsewhere")
        if of["valid_until"] is None or not act.instant("valid_from") < act.instant("valid_until"):
            raise ActRefused("delegation_undated")

    def _judge_withdraw(self, act: Act, _at: datetime) -> None:
        if not any(act.of["delegation"] == d.sha256 for o in self._officers.values() for d in o.delegations):
            raise ActRefused("delegation_unknown")

    def _judge_caps(self, act: Act, at: datetime) -> None:
        try:
            profile = profile_of(act.of["profile"])
        except InterlockMisconfigured as wrong:
            raise ActRefused("caps_malformed") from wrong
        if any(each.profile.name == profile.name for each in self._caps):
            raise ActRefused("caps_name_taken")
        raised = profile.over(self.caps(at)[0])
        if act.act == "lower" and raised:
            raise ActRefused("caps_raised_by_one")
        if raised and act.instant("effective_from") < at + RAISED_WAITS:
            raise ActRefused("caps_raised_at_once")

    # --- what an act changes -----------------------------------------------------------------------------------------

    def _apply(self, act: Act, signed: Sequence[Signed]) -> None:
        of = act.of
        if act.act == "enrol":
            self._enrol(act)
        elif act.act == "revoke":
            officer = self._officers[of["login"]]
            kept = tuple(key for key in officer.keys if of["key"] and of["key"] not in (key.public, key.credential))
            self._officers[officer.login] = replace(officer, keys=kept)
        elif act.act == "delegate":
            link = self._officers[of["link"]]
            made = Delegation(
                act.sha256, of["officer"], of["circle"], frozenset(of["grounds"]), of["cap"],
                act.instant("valid_from"), act.instant("valid_until"),
            )  # fmt: skip
            self._officers[link.login] = replace(link, delegations=(*link.delegations, made))
        elif act.act == "withdraw":
            for each in list(self._officers.values()):
                left = tuple(d for d in each.delegations if d.sha256 != of["delegation"])
                self._officers[each.login] = replace(each, delegations=left)
        else:
            # What lowers holds from its acceptance on, whatever a clock that is set back says.
            begins = act.instant("effective_from") if act.act == "caps" else datetime.min.replace(tzinfo=UTC)
            self._caps.append(_Caps(profile_of(of["profile"]), tuple(each.login for each in signed), begins))

    def _enrol(self, act: Act) -> None:
        of, stated = act.of, act.of["key"]
        key = Key(
            stated["public"], stated.get("credential", ""), stated.get("count", 0), act.instant("valid_from"),
            NEVER_ENDS if of["valid_until"] is None else act.instant("valid_until"),
        )  # fmt: skip
        known = self._officers.get(of["login"])
        self._officers[of["login"]] = Officer(
            of["login"], of["role"], (*(() if known is None else known.keys), key), of["name"], of["name_hi"],
            of["office"], of["circle"], of["cap"], of["phone"], () if known is None else known.delegations,
        )  # fmt: skip
        # For ever: a key that was revoked does not come back under another name.
        self._publics |= {stated["public"], stated.get("credential") or stated["public"]}

    def stated(self) -> dict[str, Any]:
        """Whose signature counts, for people to read; telephones masked."""
        return {
            "origin": None if self.place is None else self.place.origin,
            "founding": list(self.founding),
            "officers": [
                {
                    "login": each.login, "name": each.name, "name_hi": each.name_hi, "role": each.role,
                    "office": each.office, "circle": each.circle, "cap": each.cap,
                    "phone": "•" * max(0, len(each.phone) - 4) + each.phone[-4:],
                    "keys": [
                        {
                            "kind": "passkey" if key.credential else "ed25519", "public": key.public,
                            "credential": key.credential, "valid_from": _told(key.valid_from),
                            "valid_until": _told(key.valid_until),
                        }
                        for key in each.keys
                    ],
                    "stands_in": [
                        {
                            "delegation": d.sha256, "for": d.officer, "circle": d.circle, "grounds": sorted(d.grounds),
                            "cap": d.cap, "valid_from": _told(d.valid_from), "valid_until": _told(d.valid_until),
                        }
                        for d in each.delegations
                    ],
                }
                for each in self._officers.values()
            ],
            "acts": len(self._seen),
            "head": self._head,
        }  # fmt: skip


_JUDGES: Final = {
    "enrol": Charter._judge_enrol,
    "revoke": Charter._judge_revoke,
    "delegate": Charter._judge_delegate,
    "withdraw": Charter._judge_withdraw,
    "caps": Charter._judge_caps,
    "lower": Charter._judge_caps,
}


def _told(at: datetime) -> str | None:
    return None if at.year in (1, 9999) else stamp(at)

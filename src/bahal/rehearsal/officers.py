"""The demo's officers: made once for an instance, each with a password, a second factor and a key to sign with.

Nothing here follows from the seed: these are real secrets of this instance, in files that only its owner may read.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.hashers import Argon2PasswordHasher

from bahal.rehearsal.layout import CIRCLE
from bahal.shared.home import Home, read_json, write_private
from bahal.shared.warrant import sign_profile

SIGNERS = ("ee", "se")
"""Who signs the caps and, as maker and checker, the drive."""

_BILASPUR_DIVISION, _TIFRA_CENTRE = 101, 301

COUNTERS = (("TIFRA1", _TIFRA_CENTRE), ("TIFRA2", _TIFRA_CENTRE))
"""Cash counters and the office in which each stands."""

# login, name, name in Hindi, role, office, telephone
_POSTS = (
    ("ee", "Anita Chandrakar", "अनीता चंद्राकर", "executive_engineer", _BILASPUR_DIVISION, "5550000901"),
    ("se", "Rajkumar Tiwari", "राजकुमार तिवारी", "superintending_engineer", CIRCLE, "5550000902"),
    ("cashier", "Sushila Sahu", "सुशीला साहू", "cashier", _TIFRA_CENTRE, "5550000903"),
    ("lineman", "Bharat Netam", "भरत नेताम", "lineman", _TIFRA_CENTRE, "5550000904"),
    ("vigilance", "Yusuf Khan", "यूसुफ ख़ान", "vigilance", CIRCLE, "5550000905"),
    ("aro", "Kamla Dhruw", "कमला ध्रुव", "revenue_officer", _BILASPUR_DIVISION, "5550000906"),
    ("callcentre", "Imran Ansari", "इमरान अंसारी", "call_centre", CIRCLE, "5550000907"),
    ("auditor", "Leela Verma", "लीला वर्मा", "auditor", CIRCLE, "5550000908"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """A row of the staff with his password, and the file with his signing key."""

    login: str
    name: str
    name_hi: str
    role: str
    office: int
    phone: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    public_key: str
    key_file: Path

    def password_hash(self) -> str:
        """Django's argon2 form of the password; a tenth of a second of work."""
        hasher = Argon2PasswordHasher()
        return hasher.encode(self.password, hasher.salt())

    def key(self) -> Ed25519PrivateKey:
        """His signing key.

        :raises OSError: the file is gone or belongs to somebody else.
        :raises ValueError: it does not hold a key.
        """
        return read_key(self.key_file)


class Caps(Protocol):
    """A profile of caps, in the canonical form that two officers sign."""

    def canonical(self) -> str:
        """JSON with sorted keys."""
        ...


def enrol(
    home: Home, *, profile: Caps, passkeys: Mapping[str, Mapping[str, object]] | None = None
) -> tuple[Officer, ...]:
    """Make the officers and tell the interlock of them: whose signatures count, and the caps signed by two of them.

    `passkeys`: credential, COSE key and count of those who found with one, by login.
    """
    officers = prepare_officers(home)
    room = home.path / "interlock"
    room.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = profile.canonical()
    write_private(
        room / "profile.json",
        {
            "document": document,
            "signatures": [
                {"login": each.login, "signature": sign_profile(each.key(), document)}
                for each in officers
                if each.login in SIGNERS
            ],
        },
    )
    write_private(
        room / "officers.json",
        {
            "officers": [
                {
                    "login": each.login,
                    "name": each.name,
                    "name_hi": each.name_hi,
                    "role": each.role,
                    "office": each.office,
                    "circle": CIRCLE,
                    "phone": each.phone,
                    "public_key": each.public_key,
                    "passkeys": [dict(passkeys[each.login])] if passkeys and each.login in passkeys else [],
                }
                for each in officers
                if each.login in SIGNERS
            ]
        },
    )
    return officers


def prepare_officers(home: Home) -> tuple[Officer, ...]:
    """The officers of this instance, written under `demo/`: `LOGIN.json` and `LOGIN.key`, each 0600.

    Files that are there already are kept, so that who signed in before still can.
    """
    folder = home.path / "demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tuple(_officer(folder, *post) for post in _POSTS)


def read_key(path: Path) -> Ed25519PrivateKey:
    """A signing key from its file of 64 hexadecimal digits.

    :raises OSError: the file cannot be read.
    :raises ValueError: it holds something else.
    """
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii")))


def _officer(folder: Path, login: str, name: str, name_hi: str, role: str, office: int, phone: str) -> Officer:
    key_file = folder / f"{login}.key"
    kept = read_json(folder / f"{login}.json")
    if kept is None or not key_file.exists():
        key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex())
        kept = {
            "login": login,
            "name": name,
            "password": secrets.token_urlsafe(12),
            "totp_secret": base64.b32encode(secrets.token_bytes(20)).decode(),
            "ed25519_key_file": str(key_file),
        }
        write_private(folder / f"{login}.json", kept)
    return Officer(
        login=login,
        name=name,
        name_hi=name_hi,
        role=role,
        office=office,
        phone=phone,
        password=kept["password"],
        totp_secret=kept["totp_secret"],
        public_key=read_key(key_file).public_key().public_bytes_raw().hex(),
        key_file=key_file,
    )

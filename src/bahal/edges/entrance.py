"""Who may come in by the programs' door: on loopback in a rehearsal, with a key in production.

`web/web.json` says which kind of instance this is and holds the SHA-256 of each key, never a key; and the addresses of
the `proxies` that stand before it, which alone are believed when they say who calls.
"""

import functools
import hashlib
import ipaddress
from dataclasses import dataclass

from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json


class KeyMissing(Refusal):
    """No key, or one that is not listed."""

    code = "api_key_missing"
    hi = "इस दरवाज़े के लिए मान्य कुंजी चाहिए (Authorization: Bearer KEY)।"
    en = "This door needs a valid key (Authorization: Bearer KEY)."


@dataclass(frozen=True, slots=True)
class Door:
    """How this instance's door stands."""

    rehearsal: bool
    key_hashes: frozenset[str]
    proxies: frozenset[str] = frozenset()


@functools.cache
def door() -> Door:
    """Read once in a process's life. Without the file the door is shut."""
    stated = read_json(Home.of().path / "web" / "web.json") or {}
    return Door(
        stated.get("rehearsal") is True, frozenset(stated.get("api_keys", ())), frozenset(stated.get("proxies", ()))
    )


def caller(*, remote: str, forwarded: str) -> str:
    """The address that calls: the last in `X-Forwarded-For` that is no proxy of ours, where a proxy of ours says so."""
    proxies = door().proxies
    chain = [each.strip() for each in forwarded.split(",") if each.strip()]
    while remote in proxies and chain:
        remote = chain.pop()
    return remote


def admit(*, authorization: str, remote: str) -> str:
    """Who it is, for the audit.

    :raises KeyMissing: nobody we know.
    """
    here = door()
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() == "bearer" and key:
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        # A set of hashes, looked up by a hash: the time it takes tells nothing of a key.
        if digest in here.key_hashes:
            return f"api:{digest[:8]}"
    if here.rehearsal and _is_loopback(remote):
        return "api:loopback"
    raise KeyMissing()


def _is_loopback(remote: str) -> bool:
    try:
        return ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False

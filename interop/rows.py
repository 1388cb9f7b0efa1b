"""The plan: which sessions are held with which peer, and what is asked in each.

A row is one way to associate: who is the client, over what, with which mechanism and protection. A cell is one service
in it. What a peer's own papers do not offer, and what is known to go wrong, stands in `known.toml`, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Expected = Literal["ok", "refused"]

ASSOCIATED: Final = (
    "open",
    "get",
    "block",
    "list",
    "range",
    "entry",
    "profile",
    "set",
    "set_block",
    "action",
    "relay",
    "release",
)
SERVICES: Final = (*ASSOCIATED[:2], "flags", *ASSOCIATED[2:], "push")
WORDS: Final = {
    "open": "AARQ, AARE and the proofs of HLS",
    "get": "GET of a value and its scaler",
    "flags": "GET of octets that look like the flags between HDLC frames",
    "block": "GET that does not fit one APDU: the object list",
    "list": "GET of three attributes in one request",
    "range": "GET of a load profile between two moments",
    "entry": "GET of a load profile by entry numbers",
    "profile": "GET of a whole profile and of what it captures",
    "set": "SET of a limit, read back",
    "set_block": "SET of 1,500 bytes, in blocks",
    "action": "ACTION with a structured parameter: a key transfer",
    "relay": "disconnect, read, reconnect, read, and the meter's own account of it",
    "release": "RLRQ and RLRE",
    "push": "a DataNotification that nobody asked for, opened and read",
}
# Rows whose point is how they open, and that the rest then works, need not repeat everything.
_SHORT: Final = ("open", "get", "list", "relay", "release")
# Only where nothing is ciphered do the octets stand on the line as they are.
_FLAGS: Final = ("open", "get", "flags", *ASSOCIATED[2:])
ALTERED: Final = "altered tag"
WRONG_KEY: Final = "wrong key"
WRONG_PASSWORD: Final = "wrong password"  # noqa: S105 - the name of a row

MECHANISMS: Final = {0: "none", 1: "LLS", 2: "HLS 2", 3: "HLS 3", 5: "HLS 5"}
_SAPS: Final = {0: 16, 1: 32, 2: 48, 3: 48, 5: 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to associate.

    `role` is what the peer is. `at` is our end where the peer is the client: the `fleet` itself, or the `stand`, where
    the fleet's meters answer over what the fleet does not offer. `form` is how services are ciphered: `plain`, `glo`,
    `ded` or `general-glo`; `control` the security control byte. `expected` is what becomes of the AARQ.
    """

    peer: str
    role: Literal["client", "meter"]
    at: Literal["fleet", "stand", "peer"]
    framing: Literal["wrapper", "hdlc"] = "wrapper"
    mechanism: int = 0
    control: int = 0
    form: str = "plain"
    make: str = "arpa"
    note: str = ""
    challenge: int = 16
    expected: Expected = "ok"
    services: tuple[str, ...] = ASSOCIATED

    @property
    def sap(self) -> int:
        """The client's address."""
        return 64 if self.services == ("push",) else _SAPS[self.mechanism]

    @property
    def key(self) -> str:
        """Its name: the same words in the table, in the document and in the tests."""
        if self.services == ("push",):
            how = f"push {protection(self.control)}"
        else:
            how = f"{MECHANISMS[self.mechanism]} {protection(self.control)}"
        form = "" if self.form in ("plain", "glo") else f" {self.form}"
        note = f", {self.note}" if self.note else ""
        return f"{self.peer} as {self.role}, {self.framing}, {how}{form}{note}"

    def expects(self, service: str) -> Expected:
        """What must become of a service: our meters do not let everybody do everything; peers' meters do."""
        if service == "open" or self.note == ALTERED:
            return self.expected
        if self.role == "client" and service != "push":
            if self.sap != 48 and service in ("set", "set_block", "action", "relay"):
                return "refused"
            if self.sap == 16 and service in ("range", "entry"):
                return "refused"
            if self.at == "fleet" and service == "set_block":
                # Nothing in the model is that long and can be written: the blocks are put together, then refused.
                return "refused"
        return "ok"


def protection(control: int) -> str:
    """A security control byte as people write it."""
    return f"0x{control:02x}" if control else "plain"


CLIENTS: Final = ("pydlms-client", "gurux-dlms", "dlms-cosem")


def rows() -> Iterator[Row]:
    """Every row, clients on our meters first."""
    for peer in CLIENTS:
        yield from _clients_at_fleet(peer)
        yield from _clients_at_stand(peer)
        yield from _pushes(peer)
    for framing in ("wrapper", "hdlc"):
        yield from _our_client("pydlms-client", framing)


def _clients_at_fleet(peer: str) -> Iterator[Row]:
    def row(**settings: object) -> Row:
        return Row(peer=peer, role="client", at="fleet", **settings)  # type: ignore[arg-type]

    yield row()
    yield row(mechanism=1, control=0x20, form="glo")
    yield row(mechanism=5, control=0x30, form="glo")
    yield row(mechanism=5, control=0x30, form="ded")
    yield row(mechanism=5, control=0x30, form="general-glo")
    yield row(
        mechanism=5,
        control=0x30,
        form="general-glo",
        make="kharun",
        note="8-byte challenge",
        challenge=8,
        services=_SHORT,
    )
    yield row(mechanism=2, control=0x30, form="glo", make="shivnath", note="make with doubled values", services=_SHORT)
    yield row(mechanism=3, control=0x30, form="glo", note="not ours", expected="refused", services=("open",))
    yield row(mechanism=5, control=0x30, form="glo", note=WRONG_KEY, expected="refused", services=("open",))
    yield row(mechanism=5, control=0x30, form="general-glo", note=WRONG_KEY, expected="refused", services=("open",))


def _clients_at_stand(peer: str) -> Iterator[Row]:
    def row(framing: str, **settings: object) -> Row:
        return Row(peer=peer, role="client", at="stand", framing=framing, **settings)  # type: ignore[arg-type]

    for framing in ("wrapper", "hdlc"):
        yield row(framing, mechanism=1, services=_FLAGS if framing == "hdlc" else ASSOCIATED)
        yield row(framing, mechanism=5, control=0x10, form="glo")
        yield row(framing, mechanism=5, control=0x20, form="glo")
        yield row(framing, mechanism=2, control=0x30, form="glo")
        yield row(framing, mechanism=1, note=WRONG_PASSWORD, expected="refused", services=("open",))
    yield row("wrapper", mechanism=5, control=0x30, form="general-glo", note="long SET")
    yield row("hdlc")
    yield row("hdlc", mechanism=1, control=0x20, form="glo")
    yield row("hdlc", mechanism=5, control=0x30, form="glo")
    yield row("hdlc", mechanism=5, control=0x30, form="ded")
    yield row("hdlc", mechanism=5, control=0x30, form="general-glo")
    yield row("hdlc", mechanism=5, control=0x30, form="glo", note=WRONG_KEY, expected="refused", services=("open",))


def _pushes(peer: str) -> Iterator[Row]:
    for at, control in (("fleet", 0x20), ("stand", 0x30), ("stand", 0x10), ("stand", 0)):
        yield Row(
            peer=peer,
            role="client",
            at=at,  # type: ignore[arg-type]
            control=control,
            form="general-glo" if control else "plain",
            services=("push",),
        )
    yield Row(
        peer=peer,
        role="client",
        at="stand",
        control=0x30,
        form="general-glo",
        note=ALTERED,
        expected="refused",
        services=("push",),
    )


def _our_client(peer: str, framing: str) -> Iterator[Row]:
    def row(**settings: object) -> Row:
        return Row(peer=peer, role="meter", at="peer", framing=framing, **settings)  # type: ignore[arg-type]

    yield row()
    yield row(mechanism=1, services=_FLAGS if framing == "hdlc" else ASSOCIATED)
    yield row(mechanism=1, note=WRONG_PASSWORD, expected="refused", services=("open",))
    yield row(mechanism=1, control=0x20, form="glo")
    yield row(mechanism=5, control=0x10, form="glo")
    yield row(mechanism=5, control=0x20, form="glo")
    yield row(mechanism=5, control=0x30, form="glo")
    yield row(mechanism=5, control=0x30, form="ded")
    yield row(mechanism=5, control=0x30, form="general-glo")
    yield row(mechanism=2, control=0x30, form="glo")
    yield row(mechanism=5, control=0x30, form="glo", note=WRONG_KEY, expected="refused", services=("open",))
    yield row(mechanism=5, control=0x30, form="general-glo", note=WRONG_KEY, expected="refused", services=("open",))
    if framing == "wrapper":
        yield row(control=0x30, form="general-glo", services=("push",))
        yield row(services=("push",))

"""Checks an evidence pack without the company, its database or its programs: python verify_evidence.py PACK.json

One file, to be read before it is run; it needs Python 3.11 and the package `cryptography`. It refuses a pack of which
one byte was altered, and names what was. Give it the keys and the roots from where the company published them:

    python verify_evidence.py PACK.json --keys keys.json --roots audit_roots.jsonl

`keys.json` is `{"evidence": "64 hex digits", "officers": {"login": "64 hex digits"}, "page": {"origin", "host"}}`; an
officer with several keys has a list of them, a passkey's is its COSE key in hexadecimal. Without it the keys are those
that the pack states of itself, which proves that it agrees with itself and no more; without the roots the same holds of
its audit. Exit code: 0 everything agrees, 1 something does not, 2 the file is no pack.

What is checked, in this order: the file's form, byte by byte; each value against the signed list of their hashes
(SHA-256); the signature on that list (Ed25519, RFC 8032); both officers' signatures on the warrant (Ed25519, or a
passkey's over SHA-256 of the same bytes: W3C Web Authentication, level 2); the consumer's line
in the signed list and the audit's entries in their root (Merkle trees, RFC 6962, section 2.1); and whether what the
pack tells agrees: the line with the order, the notice, its days, the reminders, the bills' lines with their sums, the
policy, the hour and the frames.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = 1
SEAL_CONTEXT = b"bahal evidence v1\x00"
PDF_CONTEXT = b"bahal evidence pdf v1\x00"
WARRANT_CONTEXT = b"bahal warrant v1\x00"
INDIA = timedelta(hours=5, minutes=30)
FIRST_STEP = "0" * 64
STEP = (
    "connection", "machine", "position", "attempt", "event", "notice", "day", "channel", "template", "template_version",
    "text", "address", "next_channel", "next_at", "policy", "provider", "code", "evidence", "at", "business_at",
    "effective_on",
)  # fmt: skip
"""What is hashed of a step in the chain of notices, in this order, after the hash of the step before."""


class NotAPack(Exception):
    """The file is no evidence pack of this format."""


def rendered(pack: dict[str, Any]) -> bytes:
    """The one form of bytes that a pack may have."""
    return (json.dumps(pack, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of the pack with its name, as `reminder_steps.0.text`; an empty list or object is a value too."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from leaves(each, f"{name}.{index}" if name else str(index))
    else:
        yield name, value


def hashed(value: Any) -> str:
    """The hash of one value: SHA-256 over its JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()


def manifest_of(content: dict[str, Any]) -> dict[str, str]:
    """The list that is signed: the name and the hash of every value."""
    return {name: hashed(value) for name, value in leaves(content)}


def step_hash(step: dict[str, Any]) -> str:
    """The hash of a step in the chain of notices: SHA-256 over its facts as one JSON array."""
    facts = ["bahal notice step v1", step["previous"], *(step[name] for name in STEP)]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def fingerprint_of(manifest: dict[str, str]) -> str:
    """The pack in 64 digits, as its PDF prints them."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def seal_message(fingerprint: str) -> bytes:
    """What the evidence key signs."""
    return SEAL_CONTEXT + fingerprint.encode()


def pdf_message(fingerprint: str, pdf_sha256: str) -> bytes:
    """What the evidence key signs for the printed form: it belongs to this pack."""
    return PDF_CONTEXT + fingerprint.encode() + b"\x00" + pdf_sha256.encode()


def signed(public_key: str, signature: str, message: bytes) -> bool:
    """Whether the holder of the key's private half signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def cose_verified(cose: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a passkey's holder signed: a COSE key (RFC 9052) of ES256, EdDSA or RS256, in CTAP2's form of bytes."""
    try:
        if cose[:10].hex() == "a5010203262001215820" and cose[42:45].hex() == "225820" and len(cose) == 77:
            x, y = int.from_bytes(cose[10:42]), int.from_bytes(cose[45:])
            point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            point.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif cose[:10].hex() == "a4010103272006215820" and len(cose) == 42:
            Ed25519PublicKey.from_public_bytes(cose[10:]).verify(signature, message)
        elif cose[:11].hex() == "a401030339010020590100" and cose[267:].hex() == "2143010001":
            modulus = rsa.RSAPublicNumbers(65537, int.from_bytes(cose[11:267])).public_key()
            modulus.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def passkey_wrong(officer: dict[str, Any], message: bytes) -> str:
    """What is wrong with a passkey's signature over a message: a word, or nothing.

    A passkey signs the page's host, that its user was verified (PIN or finger), and what the browser states: the kind,
    the page's origin and SHA-256 of the message.
    """
    given = json.loads(officer["signature"])
    data, client_data = bytes.fromhex(given["authenticator_data"]), bytes.fromhex(given["client_data"])
    client, page = json.loads(client_data), officer["page"]
    asked = base64.urlsafe_b64encode(hashlib.sha256(message).digest()).rstrip(b"=").decode()
    cose, signature = bytes.fromhex(officer["public_key"]), bytes.fromhex(given["signature"])
    points = (
        ("credential", given["credential"] == officer["credential"]),
        ("kind", client["type"] == "webauthn.get" and client.get("crossOrigin", False) is False),
        ("document", client["challenge"] == asked),
        ("origin", client["origin"] == page["origin"]),
        ("host", data[:32] == hashlib.sha256(page["host"].encode()).digest()),
        ("user not verified", len(data) == 37 and data[32] & 0x05 == 0x05),
        ("signature", cose_verified(cose, signature, data + hashlib.sha256(client_data).digest())),
    )
    return next((word for word, holds in points if not holds), "")


def root_from(leaf: bytes, index: int, size: int, path: list[str]) -> str:
    """The root of the tree of `size` leaves that holds `leaf` at `index`; empty if the path does not fit there."""
    digest = hashlib.sha256(b"\x00" + leaf).digest()
    rest, last = [bytes.fromhex(each) for each in path], size - 1
    if not 0 <= index <= last:
        return ""
    while last:
        if index % 2 or index < last:
            if not rest:
                return ""
            beside = rest.pop(0)
            pair = beside + digest if index % 2 else digest + beside
            digest = hashlib.sha256(b"\x01" + pair).digest()
        index, last = index // 2, last // 2
    return "" if rest else digest.hex()


class Examination:
    """One pack under examination. `wrong` names everything that does not agree, `right` what was proved."""

    def __init__(self, pack: dict[str, Any], keys: dict[str, Any] | None, roots: list[dict[str, Any]] | None) -> None:
        self.pack = pack
        self.content: dict[str, Any] = pack["content"]
        self.keys = keys
        self.roots = roots
        self.wrong: list[str] = []
        self.right: list[str] = []
        self.remarks: list[str] = []

    def must(self, agrees: bool, name: str, proved: str = "") -> None:
        """Note one point."""
        if not agrees:
            self.wrong.append(name)
        elif proved:
            self.right.append(proved)

    def values(self) -> None:
        """Each value against the signed list, and the list's signature."""
        manifest = self.pack["manifest"]
        found = manifest_of(self.content)
        for name in sorted(manifest.keys() | found.keys()):
            if name not in manifest:
                self.wrong.append(f"added: {name}")
            elif name not in found:
                self.wrong.append(f"missing: {name}")
            elif manifest[name] != found[name]:
                self.wrong.append(f"altered: {name}")
        seal, fingerprint = self.pack["seal"], fingerprint_of(manifest)
        self.must(seal["fingerprint"] == fingerprint, "altered: seal.fingerprint")
        self.must(
            signed(seal["public_key"], seal["signature"], seal_message(fingerprint)),
            "signature wrong: seal.signature",
            f"{len(found)} values are those that the evidence key signed; fingerprint {fingerprint}",
        )
        if self.keys is None:
            self.remarks.append(f"no --keys given: compare evidence key {seal['public_key']} with the published one")
        else:
            self.must(seal["public_key"] == self.keys.get("evidence"), "key not the published one: seal.public_key")

    def printed(self, pdf: bytes | None) -> None:
        """The printed form, where it lies beside the pack."""
        stated = self.pack["pdf"]
        self.must(
            signed(
                self.pack["seal"]["public_key"],
                stated["signature"],
                pdf_message(self.pack["seal"]["fingerprint"], stated["sha256"]),
            ),
            "signature wrong: pdf.signature",
        )
        if pdf is None:
            self.remarks.append("the PDF does not lie beside the pack and was not checked")
        else:
            self.must(hashlib.sha256(pdf).hexdigest() == stated["sha256"], "altered: the PDF", "the PDF is this pack's")

    def warrant(self) -> None:
        """Two officers over one document, and the consumer's line in the list it names."""
        warrant = self.content["warrant"]
        if warrant is None:
            self.remarks.append("this order rests on no warrant: supply was given, not taken")
            return
        text, maker, checker = warrant["document"], warrant["maker"], warrant["checker"]
        document = json.loads(text)
        for role, officer in (("maker", maker), ("checker", checker)):
            self._officer(role, officer, WARRANT_CONTEXT + f"{role}\x00{text}".encode())
        two = maker["login"] != checker["login"] and maker["public_key"] != checker["public_key"]
        self.must(two and document["maker"] == maker["login"], "not two officers: warrant")
        line = warrant["line"]
        root = root_from(line["text"].encode(), line["index"], document["orders"], line["path"])
        self.must(
            root == document["list_sha256"],
            "not in the signed list: warrant.line",
            f"line {line['index'] + 1} of the {document['orders']} that were signed is this consumer's",
        )
        self._line(line["text"], document)

    def _officer(self, role: str, officer: dict[str, Any], message: bytes) -> None:
        """One officer's signature, by his key file or by his passkey, and whether the key is a published one of his."""
        by, wrong = "", ""
        if officer["signature"].startswith("{"):
            by, wrong = " by passkey", passkey_wrong(officer, message)
        elif not signed(officer["public_key"], officer["signature"], message):
            wrong = "signature"
        self.must(
            not wrong,
            f"signature wrong: warrant.{role}" + (f" ({wrong})" if by else ""),
            f"{officer['login']} signed the warrant as its {role}{by}",
        )
        stands_for = officer.get("authority", officer["login"])
        if stands_for != officer["login"]:
            self.remarks.append(f"{officer['login']} signed as {role} in place of {stands_for}")
        if self.keys is not None:
            published = self.keys.get("officers", {}).get(officer["login"])
            known = published if isinstance(published, list) else [published]
            self.must(officer["public_key"] in known, f"key not the published one: warrant.{role}.public_key")
            if by and self.keys.get("page") is not None:
                self.must(officer["page"] == self.keys["page"], f"page not the published one: warrant.{role}.page")

    def _line(self, text: str, document: dict[str, Any]) -> None:
        """The line against the rest of the pack: position, meter, connection, paise, bills, notice, fence."""
        _, meter, connection, paise, bills, notice, fence = text.split("|")
        order = self.content["order"]
        told = (str(order["meter"]), str(order["connection"]), str(order["due_paise"]), str(order["fence"]))
        self.must((meter, connection, paise, fence) == told, "differs from the signed line: order")
        named = sorted(bill["number"] for bill in self.content["bills"])
        self.must(sorted(filter(None, bills.split(","))) == named, "differs from the signed line: bills")
        notices = [each for each in self.content["notices"] if each["sha256"] == notice]
        self.must(bool(notices), "differs from the signed line: notices", "the notice is the one the signed line names")
        policy = self.content["policy"]
        self.must(policy["version"] == document["policy"], "differs from the warrant: policy")
        day = (datetime.fromisoformat(document["not_before"]) + INDIA).date()
        self._served(notices, policy, day)
        self._reminded(policy, day)
        for nth, sending in enumerate(self.content["sendings"]):
            at = datetime.fromisoformat(sending["business_at"])
            begins, ends = (datetime.fromisoformat(document[name]) for name in ("not_before", "expires_at"))
            self.must(begins <= at < ends, f"outside of the warrant's hours: sendings.{nth}")
            self.must(str(sending["fence"]) == fence, f"another fence than was signed: sendings.{nth}")

    def _served(self, notices: list[dict[str, Any]], policy: dict[str, Any], day: date) -> None:
        """The notice of the line: its chain says what it was, and when it arrived by a channel that serves it."""
        steps = self.content["notice_steps"]
        for each in notices:
            mine = [step for step in steps if step["notice"] == each["id"]]
            stated = [json.loads(step["evidence"]) for step in mine if step["event"] == "asked" and step["evidence"]]
            self.must(
                bool(stated) and all(told.get("sha256") == each["sha256"] for told in stated),
                "not the notice of its chain: notices",
            )
            arrived = [
                date.fromisoformat(step["effective_on"])
                for step in mine
                if step["event"] == "delivered" and step["channel"] in policy["notice_serves"]
            ]
            clear = (day - min(arrived)).days - 1 if arrived else -1
            self.must(
                clear >= policy["notice_clear_days"],
                "clear days too few: notices",
                f"{clear} clear days lie between service and cut; the policy asks for {policy['notice_clear_days']}",
            )

    def _reminded(self, policy: dict[str, Any], day: date) -> None:
        """Reminders that arrived on as many days running as the policy asks for, the last shortly before the cut."""
        steps = self.content["reminder_steps"]
        asked = {step["attempt"] for step in steps if step["event"] == "asked"}
        days = {
            date.fromisoformat(step["effective_on"])
            for step in steps
            if step["event"] == "delivered" and step["attempt"] in asked
        }
        near = [each for each in days if 0 <= (day - each).days <= policy["last_reminder_within_days"]]
        longest = max((_run_of(days, each) for each in near), default=0)
        self.must(
            longest >= policy["reminders"],
            "too few days running: reminders",
            f"reminders with a delivery receipt on {longest} days running; the policy asks for {policy['reminders']}",
        )

    def notices(self) -> None:
        """Each step of the notices and of the reminders against its hash, and on the hash of the step before."""
        count = 0
        for name in ("notice_steps", "reminder_steps"):
            previous = FIRST_STEP
            for nth, step in enumerate(self.content[name]):
                linked = step["position"] == nth + 1 and step["previous"] == previous
                self.must(linked, f"not chained to the step before: {name}.{nth}")
                self.must(step_hash(step) == step["hash"], f"step and hash differ: {name}.{nth}")
                of_it = str(step["connection"]) == str(self.content["order"]["connection"])
                self.must(of_it, f"of another connection: {name}.{nth}")
                previous = step["hash"]
                count += 1
        if count:
            self.right.append(f"{count} steps of notices and reminders are chained, each with its text or receipt")

    def bills(self) -> None:
        """The lines of each bill that has some, against the sum that was demanded."""
        count = 0
        for nth, bill in enumerate(self.content["bills"]):
            if bill["explanation"] is None:
                continue
            lines = bill["explanation"]["lines"]
            self.must(sum(line["paise"] for line in lines) == bill["paise"], f"lines and sum differ: bills.{nth}")
            count += len(lines)
        if count:
            self.right.append(f"{count} lines of bills sum to what each bill demands")

    def frames(self) -> None:
        """What went over the wire, by its hashes."""
        count = 0
        for nth, result in enumerate(self.content["results"]):
            if result["frames"] is None:
                continue
            tape = b""
            for at, frame in enumerate(result["frames"]):
                data = bytes.fromhex(frame["bytes"])
                count += 1
                same = hashlib.sha256(data).hexdigest() == frame["sha256"]
                self.must(same, f"bytes and hash differ: results.{nth}.frames.{at}")
                tape += frame["direction"].encode() + len(data).to_bytes(2) + data
            same = hashlib.sha256(tape).hexdigest() == result["frames_sha256"]
            self.must(same, f"bytes and hash differ: results.{nth}.frames_sha256")
        if count:
            self.right.append(f"{count} frames have the hashes that the interlock kept")

    def audit(self) -> None:
        """Each act's place in its minute's root, and that root in the second place."""
        rooted = 0
        for nth, act in enumerate(self.content["audit"]):
            if act["root"] is None:
                self.remarks.append(f"audit.{nth} was not rooted when the pack was made")
                continue
            leaf = json.dumps(act["entry"], sort_keys=True, separators=(",", ":")).encode()
            root = act["root"]
            found = root_from(leaf, act["index"], root["size"], act["path"])
            self.must(found == root["sha256"], f"not in its root: audit.{nth}")
            if self.roots is not None:
                self.must(root in self.roots, f"root not in the second place: audit.{nth}")
            rooted += 1
        if rooted:
            self.right.append(f"{rooted} acts of the audit are in their roots")
            if self.roots is None:
                self.remarks.append("no --roots given: compare the roots with those of the second place")


def _run_of(days: set[date], day: date) -> int:
    """How many days running end with this one."""
    run = 0
    while day - timedelta(days=run) in days:
        run += 1
    return run


def examine(
    raw: bytes,
    *,
    keys: dict[str, Any] | None = None,
    roots: list[dict[str, Any]] | None = None,
    pdf: bytes | None = None,
) -> Examination:
    """Examine the bytes of a pack.

    :raises NotAPack: it is none.
    """
    try:
        pack = json.loads(raw)
        if pack["bahal_evidence"] != FORMAT:
            raise NotAPack(f"format {pack['bahal_evidence']!r}")
        found = Examination(pack, keys, roots)
        form = rendered(pack)
        if form != raw:
            at = next((n for n, (one, two) in enumerate(zip(raw, form, strict=False)) if one != two), len(form))
            found.wrong.append(f"form altered: byte {at}")
        if pack.keys() != {"bahal_evidence", "content", "manifest", "seal", "pdf"}:
            found.wrong.append("added: " + ", ".join(sorted(map(str, pack.keys()))))
        for step in (found.values, found.warrant, found.notices, found.bills, found.frames, found.audit):
            try:
                step()
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as failure:
                found.wrong.append(f"unreadable: {step.__name__} ({type(failure).__name__} {failure})")
        found.printed(pdf)
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise NotAPack(f"{type(failure).__name__} {failure}") from failure
    return found


def main(arguments: list[str]) -> int:
    """Examine a file and say what was found."""
    parser = argparse.ArgumentParser(description="Check an evidence pack offline.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("--keys", type=Path, help="the published public keys")
    parser.add_argument("--roots", type=Path, help="the second place's roots, one JSON object a line")
    given = parser.parse_args(arguments)
    pdf = given.pack.with_suffix(".pdf")
    try:
        found = examine(
            given.pack.read_bytes(),
            keys=None if given.keys is None else json.loads(given.keys.read_text(encoding="utf-8")),
            roots=None if given.roots is None else read_roots(given.roots),
            pdf=pdf.read_bytes() if pdf.exists() else None,
        )
    except (NotAPack, OSError, ValueError) as failure:
        sys.stderr.write(f"no pack: {failure}\n")
        return 2
    for word, points in (("ok", found.right), ("note", found.remarks), ("WRONG", found.wrong)):
        for point in points:
            sys.stdout.write(f"{word:6}{point}\n")
    sys.stdout.write("REFUSED\n" if found.wrong else "everything agrees\n")
    return 1 if found.wrong else 0


def read_roots(path: Path) -> list[dict[str, Any]]:
    """The roots of a second place's file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

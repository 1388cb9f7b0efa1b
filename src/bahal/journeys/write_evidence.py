"""Everything that one order rests on, gathered into a pack that a stranger checks without us.

The pack is one object: `content`, the signed list of every value's hash, the seal of the company's evidence key, and
the hash of the printed form. What it must satisfy is written in `bahal.shared.verify_evidence`, which is handed out
with it; nothing here is needed to check it. Telephones are masked: the text, its time and the receipt are the evidence.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.domains.notices.queries import chain_of
from bahal.domains.supply.queries import find_order
from bahal.foundation.audit.errors import ActNotRooted
from bahal.foundation.audit.roots import ENTRIES, Prover, plain
from bahal.foundation.rows import many, named, one
from bahal.foundation.transactions import transaction
from bahal.gateways.paper.typesetting import evidence_pdf
from bahal.journeys.print_evidence import sheet_of
from bahal.journeys.show_bill import show_bills
from bahal.shared.frames import unpacked
from bahal.shared.merkle import inclusion, leaf_hash
from bahal.shared.passkey import is_assertion
from bahal.shared.verify_evidence import FORMAT, fingerprint_of, manifest_of, pdf_message, rendered, seal_message
from bahal.shared.warrant import Line

PROVES = (
    (
        "दोनों अधिकारियों और कंपनी के हस्ताक्षर (Ed25519 या पासकी) कोई भी सार्वजनिक चाबी से जाँच सकता है।",
        "Both officers' and the company's signatures (Ed25519 or passkeys) can be checked by anybody who has the public"
        " keys.",
    ),
    (
        "मीटर के फ़्रेमों का टैग सममित चाबी का है: वह केवल चाबी रखने वाले को सिद्ध करता है, क्योंकि वही उसे बना भी सकता है।"
        " बिना चाबी के केवल इतना दिखता है कि बाइट वही हैं जो रखे गए।",
        "The tag of a meter's frame is made with a symmetric key: it proves something only to a holder of that key, who"
        " could have made it himself. Without the key one sees only that the bytes are those that were kept.",
    ),
    (
        "मिनट का मूल सिद्ध करता है कि प्रविष्टि उस समय थी और तब से नहीं बदली; यह नहीं कि वह सच है।",
        "The minute's root proves that an entry existed then and has not changed since, not that it is true.",
    ),
    (
        "रसीद प्रदाता का कथन है कि संदेश फ़ोन तक पहुँचा; यह नहीं कि पढ़ा गया। सूचनाओं के हर चरण में"
        " उससे पहले के चरण का SHA-256 है: बीच का कोई चरण बदला या हटाया नहीं जा सकता।",
        "A delivery receipt is the provider's statement that a message reached the telephone, not that it was read."
        " Each step of the notices holds the SHA-256 of the step before: none in between can be changed or taken out.",
    ),
)  # fmt: skip
"""What each kind of proof is worth, in Hindi and in English; stands in every pack."""
EXPLAINS = ("meter", "lines", "notes", "registers", "arrears_paise", "advance_paise", "versions")
"""What a pack tells of a bill beside the bill itself."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack and its printed form, as bytes; the fingerprint stands in both."""

    order: int
    fingerprint: str
    json: bytes
    pdf: bytes


def write_evidence(*, order: int, key: Ed25519PrivateKey, at: datetime) -> Pack:
    """The evidence pack of an order, sealed with the company's evidence key. `at` is the wall's time.

    :raises OrderUnknown: no such order.
    :raises PageFailed: the printed form could not be set.
    """
    with transaction():
        content = _content(order, at)
    manifest = manifest_of(content)
    fingerprint = fingerprint_of(manifest)
    pdf = evidence_pdf(sheet_of(content, fingerprint=fingerprint))
    digest = hashlib.sha256(pdf).hexdigest()
    public = key.public_key().public_bytes_raw().hex()
    pack = {
        "bahal_evidence": FORMAT,
        "content": content,
        "manifest": manifest,
        "seal": {
            "fingerprint": fingerprint,
            "public_key": public,
            "signature": key.sign(seal_message(fingerprint)).hex(),
        },
        "pdf": {"sha256": digest, "signature": key.sign(pdf_message(fingerprint, digest)).hex()},
    }
    return Pack(order, fingerprint, rendered(pack), pdf)


def _content(order: int, at: datetime) -> dict[str, Any]:
    found = find_order(order=order)
    row = _rows("SELECT * FROM supply_order WHERE id = %s", order)[0]
    connection = found.connection
    drive = _rows("SELECT * FROM supply_drive WHERE id = %s", row["drive"])[0] if row["drive"] is not None else None
    numbers = [number for number in row["bills"].split(",") if number]
    policy = drive["policy"] if drive is not None else None
    steps = chain_of(connection=connection)
    return {
        "about": {
            "order": order,
            "made_at": _plain(at),
            "proves": [{"hi": hi, "en": en} for hi, en in PROVES],
        },
        "order": {
            name: row[name]
            for name in (
                "id", "kind", "ground", "state", "cause", "reason", "meter", "connection", "drive", "position",
                "due_paise", "fence", "made_at", "sent_at", "confirmed_at", "sends",
            )
        },
        "consumer": _row(
            "SELECT p.id, p.name, p.name_hi, c.category, o.name AS centre, o.name_hi AS centre_hi"
            " FROM consumers_consumer p JOIN network_connection c ON c.id = p.id"
            " JOIN offices_office o ON o.id = c.centre WHERE p.id = %s",
            connection,
        ),
        "notices": _rows(
            "SELECT n.id, n.paise, n.issued_on, n.purpose, n.sha256,"
            " (SELECT array_agg(b.number ORDER BY b.number) FROM notices_noticedbill nb"
            " JOIN billing_bill b ON b.id = nb.bill WHERE nb.notice = n.id) AS bills"
            " FROM notices_writtennotice n WHERE n.connection = %s ORDER BY n.id",
            connection,
        ),
        "notice_steps": [each.plain() for each in steps if each.machine == "statutory"],
        "reminder_steps": [each.plain() for each in steps if each.machine == "reminder"],
        "bills": _explained(_rows(
            "SELECT b.number, b.kind, b.issued_on, b.due_on, b.period_from, b.period_to, b.consumption_wh, b.paise,"
            " b.estimated, b.disputed, b.supplementary, e.bill IS NOT NULL AS explained FROM billing_bill b"
            " LEFT JOIN billing_explanation e ON e.bill = b.id WHERE b.number = ANY(%s::text[]) ORDER BY b.number",
            numbers,
        )),
        "payments": _rows(
            "SELECT receipt, paise, channel, instrument, acknowledged_at, business_at FROM payments_payment"
            " WHERE connection = %s ORDER BY id",
            connection,
        ),
        "holds": _rows(
            "SELECT id, kind, evidence, owner, placed_at, expires_at, lifted_at, lifted_by FROM arrears_hold"
            " WHERE connection = %s ORDER BY id",
            connection,
        ),
        "disputes": _rows(
            "SELECT d.id, b.number AS bill, d.reason, d.raised_by, d.raised_at, d.closed_at, d.closed_by, d.outcome"
            " FROM arrears_dispute d JOIN billing_bill b ON b.id = d.bill WHERE d.connection = %s ORDER BY d.id",
            connection,
        ),
        "policy": _row("SELECT * FROM arrears_policy WHERE version = %s", policy) if policy is not None else None,
        "warrant": _warrant(drive, row) if drive is not None else None,
        "sendings": _rows(
            "SELECT id, kind, meter, fence, due_paise, policy, sent_at, business_at FROM interlock_sending"
            " WHERE order_id = %s ORDER BY id",
            order,
        ),
        "results": [_result(each) for each in _rows(
            "SELECT r.id, r.outcome, r.reason, r.relay_before, r.relay_after, r.control_mode, r.counter, r.at,"
            " r.business_at, f.frames, encode(f.sha256, 'hex') AS frames_sha256 FROM supply_result r"
            ' LEFT JOIN interlock_frames f ON f.result = r.id WHERE r."order" = %s ORDER BY r.id',
            order,
        )],
        "restores": _rows(
            "SELECT id, cause, state, made_at, sent_at, confirmed_at FROM supply_order"
            " WHERE meter = %s AND kind = 'restore' AND id > %s ORDER BY id",
            found.meter, order,
        ),
        "audit": _audit(order, row["drive"]),
    }  # fmt: skip


def _explained(bills: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each bill with its lines, their sentences in both languages, registers and tariff versions; one that came in with
    the books has none."""
    numbers = [each["number"] for each in bills if each.pop("explained")]
    told = {shown.bill.number: shown.as_json() for shown in show_bills(numbers=numbers)} if numbers else {}
    return [
        {
            **each,
            "explanation": {name: _plain(told[each["number"]][name]) for name in EXPLAINS}
            if each["number"] in told
            else None,
        }
        for each in bills
    ]


def _warrant(drive: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """The signed document, both signatures with their keys, and the way from the order's line to the signed root."""
    lines = [
        Line(*each).canonical()
        for each in many(
            "SELECT position, meter, connection, due_paise, bills, notice_sha256, fence FROM supply_order"
            " WHERE drive = %s AND kind = 'cut' ORDER BY position",
            drive["id"],
        )
    ]
    index = order["position"]
    used = one("SELECT used_at FROM interlock_warrant WHERE drive = %s", drive["id"])
    authorities = one("SELECT maker_authority, checker_authority FROM interlock_warrant WHERE drive = %s", drive["id"])
    maker_for, checker_for = authorities or (drive["maker"], drive["checker"])
    return {
        "document": drive["document"],
        "maker": _officer(drive["maker"], drive["maker_signature"]) | {"authority": maker_for},
        "checker": _officer(drive["checker"], drive["checker_signature"]) | {"authority": checker_for},
        "proposed_at": drive["proposed_at"],
        "signed_at": drive["signed_at"],
        "used_at": None if used is None else _plain(used[0]),
        "line": {
            "text": lines[index],
            "index": index,
            "path": [beside.hex() for beside in inclusion([leaf_hash(line.encode()) for line in lines], index)],
        },
    }


def _officer(login: str | None, signature: str | None) -> dict[str, Any]:
    officer = _row("SELECT login, name, name_hi, role, public_key FROM staff_officer WHERE login = %s", login)
    stated = {**(officer or {"login": login, "public_key": ""}), "signature": signature or ""}
    if is_assertion(signature or ""):
        # What the interlock's page took it with; whether it holds, the signature says by itself.
        key = _row(
            "SELECT credential, cose, origin, host FROM interlock_signature WHERE officer = %s AND signature = %s",
            login,
            signature,
        )
        if key is not None:
            stated |= {
                "public_key": key["cose"],
                "credential": key["credential"],
                "page": {"origin": key["origin"], "host": key["host"]},
            }
    return stated


def _result(row: dict[str, Any]) -> dict[str, Any]:
    if row["frames"] is None:
        return row
    frames = [
        {"direction": direction, "bytes": data.hex(), "sha256": hashlib.sha256(data).hexdigest()}
        for direction, data in unpacked(bytes.fromhex(row["frames"]))
    ]
    return {**row, "frames": frames}


def _audit(order: int, drive: int | None) -> list[dict[str, Any]]:
    """The acts that name the order or its drive, each with its way to the latest root that covers it."""
    acts: list[dict[str, Any]] = []
    prover = Prover()
    for entry in many(
        f"{ENTRIES} WHERE subject = ANY(%s::text[]) ORDER BY id",
        [f"order {order}"] + ([f"drive {drive}"] if drive is not None else []),
    ):
        try:
            proof = prover.prove(entry=entry[0])
        except ActNotRooted:
            acts.append({"entry": plain(entry), "index": None, "path": [], "root": None})
        else:
            acts.append({"entry": proof.entry, "index": proof.index, "path": proof.path, "root": asdict(proof.root)})
    return acts


def _row(statement: str, *params: Any) -> dict[str, Any] | None:
    rows = _rows(statement, *params)
    return rows[0] if rows else None


def _rows(statement: str, *params: Any) -> list[dict[str, Any]]:
    """Rows as objects of plain JSON values, by the names of their columns."""
    return [{name: _plain(datum) for name, datum in row.items()} for row in named(statement, *params)]


def _plain(datum: Any) -> Any:
    if isinstance(datum, datetime):
        return datum.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(datum, (date, time)):
        return datum.isoformat()
    if isinstance(datum, (bytes, memoryview)):
        return bytes(datum).hex()
    if datum is None or isinstance(datum, (bool, int, str)):
        return datum
    if isinstance(datum, (list, tuple)):
        return [_plain(each) for each in datum]
    if isinstance(datum, dict):
        return {name: _plain(each) for name, each in datum.items()}
    return str(datum)

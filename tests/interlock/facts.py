"""A circle with its people, meters and debts, laid by set-based INSERTs, and drives over it as the business makes them.

Ten connections and a hundred thousand are laid by the same statements; tests and benches both use it. On `MONDAY` every
connection may be cut under `POLICY`: it owes `due_paise` on one bill, long noticed in writing, with three reminders
delivered on the days before.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bahal.shared.sealing import Sealer
from bahal.shared.warrant import Document, Line, list_sha256, sign, sign_profile
from tests.interlock.authenticator import Passkey

Connection = psycopg.Connection[Any]

MONDAY = date(2025, 11, 24)
TEN_O_CLOCK = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
"""10:00 in India."""

CIRCLE = 1
OTHER_CIRCLE = 2
FIRST = 2_200_000_001
DUE_PAISE = 700_000
POLICY = "recovery-test"
SIGNERS = ("ee", "se")

PROFILE: dict[str, Any] = {
    "name": "test",
    "canary": 3,
    "drive": 1000,
    "circle_hour": 1000,
    "state_hour": 2000,
    "day_share": 1.0,
    "day_floor": 1000,
    "transformer_share": 1.0,
    "transformer_floor": 1000,
    "feeder_share": 1.0,
    "feeder_floor": 1000,
    "canary_wrong_share": 0.1,
}

_OFFICES = """
INSERT INTO offices_office (id, kind, name, name_hi, parent_id) VALUES
    (1, 'circle', 'Bilaspur', 'बिलासपुर', NULL), (2, 'circle', 'Raipur', 'रायपुर', NULL),
    (11, 'division', 'Bilaspur', 'बिलासपुर', 1), (12, 'division', 'Raipur', 'रायपुर', 2),
    (111, 'subdivision', 'Town', 'नगर', 11), (121, 'subdivision', 'Town', 'नगर', 12),
    (1111, 'centre', 'Centre', 'केंद्र', 111), (1211, 'centre', 'Centre', 'केंद्र', 121)
"""
_POLICY = """
INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,
    last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source, verified,
    proposed_by, accepted_by, accepted_at)
VALUES (%s, '2025-01-01', 500000, 15, 3, 3, '10:00', '14:00', 24, 0, 'test', false, 'ee', 'se', now())
"""
_NETWORK = (
    """INSERT INTO network_feeder (id, name, substation, subdivision)
    SELECT f, 'F' || f, 'S', 111 FROM generate_series(1, greatest(1, %(count)s / 160)) f""",
    """INSERT INTO network_transformer (id, code, feeder_id, kva, latitude, longitude)
    SELECT t, 'T' || t, 1 + (t - 1) %% greatest(1, %(count)s / 160), 63, 22.0, 82.1
    FROM generate_series(1, greatest(1, %(count)s / 14)) t""",
    """INSERT INTO network_connection (id, transformer_id, centre, category, phase, sanctioned_load_w, connected_on,
        latitude, longitude)
    SELECT %(first)s + n, 1 + n %% greatest(1, %(count)s / 14), 1111, 'LV-1', 1, 1000, '2020-01-01', 22.0, 82.1
    FROM generate_series(0, %(count)s - 1) n""",
    """INSERT INTO supply_fence (connection, generation, desired)
    SELECT %(first)s + n, 1, 'on' FROM generate_series(0, %(count)s - 1) n""",
)
_DEBTS = (
    """INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,
        disputed, supplementary)
    SELECT %(first)s + n, 'B' || n, '2025-09-01', '2025-09-05', '2025-09-25', 100000, %(due)s, false, false, false
    FROM generate_series(0, %(count)s - 1) n""",
    """WITH made AS (
        INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
        SELECT 'bill', number, '2025-09-05', '2025-09-05' FROM billing_bill RETURNING id, reference
    )
    INSERT INTO ledger_posting (transaction, account, connection, bill, paise)
    SELECT m.id, side.account, side.connection, side.bill, side.paise
    FROM made m JOIN billing_bill b ON b.number = m.reference
    CROSS JOIN LATERAL (VALUES ('receivable', b.connection, b.id, b.paise), ('revenue', NULL, NULL, -b.paise))
        AS side (account, connection, bill, paise)""",
    """WITH notice AS (
        INSERT INTO notices_writtennotice (connection, paise, issued_on, sha256)
        SELECT connection, paise, '2025-10-01', md5(number) FROM billing_bill
        RETURNING id, connection
    )
    INSERT INTO notices_noticedbill (notice, bill)
    SELECT n.id, b.id FROM notice n JOIN billing_bill b ON b.connection = n.connection""",
    # As the owner may write them: appended, they would leave an act of the audit that nobody here seals.
    """INSERT INTO notices_step (batch, connection, machine, position, attempt, event, notice, day, channel, template,
        template_version, text, at, business_at, effective_on, previous, hash)
    SELECT 0, a.connection, a.machine,
        row_number() OVER (PARTITION BY a.connection, a.machine ORDER BY a.day, e.event), 1, e.event, a.notice, a.day,
        a.channel, 't', 1, '...', a.day, a.day, CASE e.event WHEN 'delivered' THEN a.arrived END, '', ''
    FROM (
        SELECT connection, 'statutory' AS machine, id AS notice, '2025-10-01'::date AS day,
            '2025-10-08'::date AS arrived, 'letter' AS channel FROM notices_writtennotice
        UNION ALL SELECT %(first)s + n, 'reminder', NULL, %(day)s::date - back, %(day)s::date - back, 'sms'
        FROM generate_series(0, %(count)s - 1) n, generate_series(1, 3) back
    ) AS a, (VALUES ('asked'), ('delivered')) AS e (event)""",
)


def lay_circle(owner: Connection, *, count: int, due_paise: int = DUE_PAISE, first: int = FIRST) -> None:
    """Offices, network, one policy, and `count` connections that may be cut on `MONDAY`."""
    values = {"count": count, "first": first, "due": due_paise, "day": MONDAY}
    with owner.transaction():
        owner.execute(_OFFICES)
        owner.execute(_POLICY, (POLICY,))
        for statement in (*_NETWORK, *_DEBTS):
            owner.execute(statement, values)
    for table in ("billing_bill", "ledger_posting", "notices_noticedbill", "notices_step", "network_connection"):
        owner.execute(f"ANALYZE {table}")


@dataclass(frozen=True)
class Keys:
    """The private keys of a test instance."""

    interlock: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    headend: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    officers: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: {login: Ed25519PrivateKey.generate() for login in (*SIGNERS, "clerk")}
    )


ROLES = {"ee": "executive_engineer", "se": "superintending_engineer", "clerk": "cashier"}


def officers_file(keys: Keys, passkeys: Mapping[str, Passkey] | None = None) -> dict[str, Any]:
    """The content of `officers.json`; some of the founding officers have a passkey too."""
    more = passkeys or {}
    return {
        "officers": [
            {
                "login": login,
                "role": ROLES[login],
                "public_key": key.public_key().public_bytes_raw().hex(),
                "phone": f"900000000{nth}",
                "passkeys": [
                    {"credential": each.credential, "cose": each.cose.hex(), "count": 1}
                    for each in (more.get(login),)
                    if each is not None
                ],
            }
            for nth, (login, key) in enumerate(keys.officers.items())
        ]
    }


def profile_file(keys: Keys, profile: dict[str, Any], signers: Iterable[str] = SIGNERS) -> dict[str, Any]:
    """The content of `profile.json`."""
    document = json.dumps(profile, sort_keys=True, separators=(",", ":"))
    return {
        "document": document,
        "signatures": [{"login": each, "signature": sign_profile(keys.officers[each], document)} for each in signers],
    }


def add_meters(owner: Connection, rows: Sequence[dict[str, str]], keys: Keys, *, first: int = FIRST) -> list[str]:
    """Put the meters of a roster on the connections from `first` on, keys sealed to both rooms. Returns serials."""
    rooms = (
        ("interlock", Sealer(keys.interlock.public_key().public_bytes_raw()), ("us_ek", "us_ak", "us_hls")),
        ("headend", Sealer(keys.headend.public_key().public_bytes_raw()), ("mr_lls", "mr_ek", "push_ek")),
    )
    with owner.transaction():
        with owner.cursor().copy(
            "COPY meters_meter (serial, make, phase, connection, installed_on) FROM STDIN"
        ) as copy:
            for n, row in enumerate(rows):
                copy.write_row((row["meter"], row["make"], int(row["phase"]), first + n, date(2024, 1, 1)))
        for room, sealer, names in rooms:
            import_id = uuid.uuid4()
            owner.execute(
                f"INSERT INTO {room}_import (id, ephemeral_public) VALUES (%s, %s)",  # noqa: S608
                (import_id, sealer.ephemeral_public),
            )
            own = ", connection, phase" if room == "interlock" else ""
            columns = f"meter, make, system_title, host, port, cell, link, gateway, wport, import, sealed{own}"
            with owner.cursor().copy(f"COPY {room}_meter ({columns}) FROM STDIN") as copy:
                for n, row in enumerate(rows):
                    sealed = sealer.seal(row["meter"], json.dumps({name: row[name] for name in names}).encode())
                    values: list[Any] = [
                        row["meter"], row["make"], bytes.fromhex(row["system_title"]), row["host"], int(row["port"]),
                        row["cell"], row["link"], row["gateway"] or None, int(row["wport"] or 1), import_id, sealed,
                    ]  # fmt: skip
                    copy.write_row(values + ([first + n, int(row["phase"])] if own else []))
    for table in ("interlock_meter", "headend_meter", "meters_meter"):
        owner.execute(f"ANALYZE {table}")
    return [row["meter"] for row in rows]


def reseal(owner: Connection, keys: Keys, meter: str, **fields: str) -> None:
    """Give one meter other relay keys than it has."""
    sealer, import_id = Sealer(keys.interlock.public_key().public_bytes_raw()), uuid.uuid4()
    owner.execute(
        "INSERT INTO interlock_import (id, ephemeral_public) VALUES (%s, %s)", (import_id, sealer.ephemeral_public)
    )
    owner.execute(
        "UPDATE interlock_meter SET import = %s, sealed = %s WHERE meter = %s",
        (import_id, sealer.seal(meter, json.dumps(fields).encode()), meter),
    )


@dataclass
class Drive:
    """A drive that was written down; `signed` shows what stands in its document."""

    id: int
    document: Document
    lines: list[Line]


def propose(
    app: Connection,
    keys: Keys,
    *,
    count: int,
    first: int = FIRST,
    at: datetime = TEN_O_CLOCK,
    hours: float = 3.0,
    maker: str = "ee",
    checker: str | None = "se",
    state: str = "running",
    unsigned: bool = False,
    **changed: Any,
) -> Drive:
    """Write down a drive over the meters on `count` connections from `first` on, signed, its orders authorised.

    `unsigned`: it waits for both signatures on the interlock's page. `changed` replaces fields of the document before
    it is signed.
    """
    rows = app.execute(
        """SELECT m.serial, m.connection, b.id, n.sha256, f.generation, l.due_paise
        FROM meters_meter m JOIN supply_fence f ON f.connection = m.connection
        JOIN billing_bill b ON b.connection = m.connection JOIN notices_writtennotice n ON n.connection = m.connection
        JOIN ledger_balance l ON l.connection = m.connection
        WHERE m.connection BETWEEN %s AND %s ORDER BY m.connection""",
        (first, first + count - 1),
    ).fetchall()
    lines = [
        Line(
            position=n,
            meter=meter,
            connection=connection,
            paise=due,
            bills=str(bill),
            notice_sha256=notice,
            fence=fence,
        )
        for n, (meter, connection, bill, notice, fence, due) in enumerate(rows)
    ]
    fields: dict[str, Any] = {
        "warrant": str(uuid.uuid4()),
        "circle": CIRCLE,
        "ground": "nonpayment_s56",
        "orders": len(lines),
        "sum_paise": sum(line.paise for line in lines),
        "list_sha256": list_sha256(lines),
        "cap": len(lines),
        "policy": POLICY,
        "nonce": uuid.uuid4().hex,
        "not_before": at - timedelta(minutes=1),
        "expires_at": at - timedelta(minutes=1) + timedelta(hours=hours),
        "maker": maker,
    }
    document = Document(**(fields | changed))
    text = document.canonical()
    signatures = {
        role: sign(keys.officers[login], text, role)
        for role, login in (("maker", maker), ("checker", checker))
        if login is not None
    }
    with app.transaction():
        found = app.execute(
            """INSERT INTO supply_drive (warrant, office, name, state, orders, sum_paise, list_sha256, document, maker,
                maker_signature, checker, checker_signature, policy, not_before, expires_at, proposed_at, reason)
            VALUES (%s, %s, 'test', 'proposed', %s, %s, %s, %s, %s, %s, NULL, NULL, %s, %s, %s, now(), '')
            RETURNING id""",
            (
                document.warrant, CIRCLE, document.orders, document.sum_paise, document.list_sha256, text, maker,
                "" if unsigned else signatures["maker"], POLICY, document.not_before, document.expires_at,
            ),
        ).fetchone()  # fmt: skip
        assert found is not None
        drive = int(found[0])
        with app.cursor().copy(
            "COPY supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends) FROM STDIN"
        ) as copy:
            for line in lines:
                copy.write_row(
                    (
                        line.meter, line.connection, "cut", document.ground, "proposed", "drive", "", line.fence, drive,
                        line.position, line.paise, line.bills, line.notice_sha256, datetime.now(UTC), 0, 0,
                    )
                )  # fmt: skip
    if checker is not None:
        with app.transaction():
            app.execute(
                "UPDATE supply_drive SET checker = %s, checker_signature = %s, signed_at = now(), state = %s"
                " WHERE id = %s",
                (checker, signatures["checker"], state, drive),
            )
            app.execute("UPDATE supply_order SET state = 'authorised' WHERE drive = %s", (drive,))
    app.execute("NOTIFY bahal_orders")
    return Drive(drive, document, lines)


def pay(app: Connection, connection: int, *, paise: int = DUE_PAISE, restore: bool = True) -> int | None:
    """What the journey `take_payment` does, in the transaction that the caller has open: fence, money, orders.

    Returns the restore order's id when one was made.
    """
    app.execute("SELECT 1 FROM supply_fence WHERE connection = %s FOR UPDATE", (connection,))
    app.execute(
        "UPDATE supply_fence SET generation = generation + 1, desired = 'on' WHERE connection = %s", (connection,)
    )
    made = app.execute(
        "INSERT INTO ledger_transaction (kind, reference, posted_at, business_at) VALUES ('payment', %s, now(), now())"
        " RETURNING id",
        (uuid.uuid4().hex,),
    ).fetchone()
    assert made is not None
    app.execute(
        "INSERT INTO ledger_posting (transaction, account, connection, paise)"
        " VALUES (%s, 'cash', NULL, %s), (%s, 'receivable', %s, %s)",
        (made[0], paise, made[0], connection, -paise),
    )
    app.execute(
        "UPDATE supply_order SET state = 'cancelled', reason = 'paid' WHERE connection = %s AND kind = 'cut'"
        " AND state IN ('proposed', 'authorised', 'claimed', 'quarantined')",
        (connection,),
    )
    return order_restore(app, connection) if restore else None


def order_restore(app: Connection, connection: int) -> int | None:
    """A restore order, if the relay may be open: a cut was sent, or is confirmed."""
    made = app.execute(
        """INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise,
            bills, notice_sha256, made_at, tries, sends)
        SELECT m.serial, m.connection, 'restore', 'nonpayment_s56', 'authorised', 'payment', '', f.generation, 0, 0, '',
            '', now(), 0, 0
        FROM meters_meter m JOIN supply_fence f ON f.connection = m.connection
        WHERE m.connection = %s AND EXISTS (SELECT FROM supply_order o WHERE o.meter = m.serial AND o.kind = 'cut'
                                            AND o.state IN ('sent', 'unknown', 'confirmed')) RETURNING id""",
        (connection,),
    ).fetchone()
    app.execute("NOTIFY bahal_orders")
    return None if made is None else int(made[0])

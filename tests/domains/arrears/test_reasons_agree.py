"""Random histories of all that decides a cut: the interlock's SQL and the rules in Python give the same reasons."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bahal.domains.arrears.rules import conversion as converting
from bahal.domains.arrears.rules.enforceable import BillFacts, clear, enforceable
from bahal.domains.arrears.rules.hours import Hours, against
from bahal.domains.arrears.rules.reminders import reminded
from bahal.domains.supply.eligibility import Facts, reasons
from tests import notices
from tests.interlock import facts as laid
from tests.plugin.databases import Database

INDIA = ZoneInfo("Asia/Kolkata")
WALL = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
HOLIDAYS = (date(2025, 11, 5), date(2025, 12, 25))
HOURS = Hours(time(10), time(14), time(18), time(8), (7,), True)
EDGES = (
    time(7, 59, 59, 999999),
    time(8),
    time(9, 59, 59, 999999),
    time(10),
    time(12),
    time(13, 59, 59, 999999),
    time(14),
    time(18),
    time(0),
)


@dataclass
class Life:
    """What befell one connection before the instant it is asked about."""

    due: int
    issued_back: int
    estimated: bool
    disputed: bool
    supplementary: bool
    paid: int
    served_back: int | None
    delivered_back: set[int] = field(default_factory=set)
    hold_left: int | None = None
    hold_lifted: bool = False
    area: str | None = None
    area_left: int | None = None
    need: bool = False
    cheque: str | None = None
    attempt: str | None = None
    plan: str | None = None
    converted_back: int | None = None
    reconciled: bool = False
    review: str | None = None
    meter: int | None = 1


def rarely(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | st.none() | st.none() | strategy


lives = st.builds(
    Life,
    due=st.sampled_from((4_000_00, 5_000_00, 5_000_01, 9_000_00)),
    issued_back=st.sampled_from((16, 40, 90, 700, 729, 730, 731, 732, 800)),
    estimated=st.sampled_from((False, False, False, True)),
    disputed=st.sampled_from((False, False, False, True)),
    supplementary=st.sampled_from((False, False, False, True)),
    paid=st.sampled_from((0, 0, 0, 1, 5_000_00)),
    served_back=st.none() | st.sampled_from((14, 15, 16, 17, 24)),
    delivered_back=st.just({1, 2, 3}) | st.sets(st.integers(0, 6)),
    hold_left=rarely(st.sampled_from((-1, 0, 1, 9))),
    hold_lifted=st.booleans(),
    area=rarely(st.sampled_from(("centre", "circle", "other", "feeder"))),
    area_left=st.none() | st.sampled_from((-1, 0, 1)),
    need=st.sampled_from((False, False, False, True)),
    cheque=rarely(st.sampled_from(("open", "cleared", "bounced"))),
    attempt=rarely(st.sampled_from(("open", "over", "booked", "unbooked", "failed", "webhook", "heard"))),
    plan=rarely(st.sampled_from(("open", "closed"))),
    converted_back=rarely(st.sampled_from((0, 29, 30, 31))),
    reconciled=st.booleans(),
    review=rarely(st.sampled_from(("unusual", "rate_unverified", "dropped"))),
    meter=st.sampled_from((1, 1, 1, 3, None)),
)

instants = st.builds(
    lambda day, at: datetime.combine(date(2025, 10, 30) + timedelta(days=day), at, INDIA).astimezone(UTC),
    st.integers(0, 70),
    st.sampled_from(EDGES),
)


def test_the_rules_and_the_interlock_agree_on_every_reason(database: Database) -> None:
    numbers = count(2_400_000_001)
    with database.connect("owner") as owner:
        laid.lay_circle(owner, count=0)
        owner.execute("INSERT INTO network_feeder VALUES (7, 'F7', 'S', 111)")
        owner.execute(
            "INSERT INTO network_transformer (id, code, feeder_id, kva, latitude, longitude)"
            " VALUES (7, 'T7x', 7, 63, 22.0, 82.1)"
        )
        for day in HOLIDAYS:
            owner.execute("INSERT INTO arrears_nocutday (day, reason, reason_hi) VALUES (%s, '', '')", [day])

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(lives, instants)
        def agree(life: Life, at: datetime) -> None:
            number = next(numbers)
            expected = _lived(owner, number, life, at)
            row = owner.execute(
                "SELECT reasons, enforceable_paise FROM authority_facts(ARRAY[%s]::bigint[], %s, NULL, %s)",
                [number, at, WALL],
            ).fetchone()
            owner.execute("UPDATE arrears_areahold SET lifted_at = now(), lifted_by = 'test' WHERE lifted_at IS NULL")
            assert row is not None
            assert tuple(row[0]) == expected

        agree()


def _lived(owner, number: int, life: Life, at: datetime) -> tuple[str, ...]:
    """Write a life into the database; the reasons that the rules give."""
    day = at.astimezone(INDIA).date()

    def back(days: int) -> date:
        return day - timedelta(days=days)

    owner.execute(
        "INSERT INTO network_connection (id, transformer_id, centre, category, phase, sanctioned_load_w, connected_on,"
        " latitude, longitude) VALUES (%s, 7, 1111, 'LV-1', 1, 1000, '2020-01-01', 22.0, 82.1)",
        [number],
    )
    if life.meter is not None:
        owner.execute(
            "INSERT INTO meters_meter (serial, make, phase, connection, installed_on)"
            " VALUES (%s, 'a', %s, %s, '2024-01-01')",
            [f"M{number}", life.meter, number],
        )
    issued, due_on = back(life.issued_back), back(life.issued_back - 15)
    (bill,) = owner.execute(
        "INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,"
        " disputed, supplementary) VALUES (%s, %s, %s, %s, %s, 0, %s, %s, false, %s) RETURNING id",
        [number, f"b{number}", issued.replace(day=1), issued, due_on, life.due, life.estimated, life.supplementary],
    ).fetchone()
    for kind, paise in (("bill", life.due), ("payment", -life.paid)):
        if paise:
            owner.execute(
                "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
                " VALUES (%s, %s, now(), now()) RETURNING id)"
                " INSERT INTO ledger_posting (transaction, account, connection, paise)"
                " SELECT act.id, l.account, l.connection, l.paise FROM act,"
                " (VALUES ('receivable', %s::bigint, %s::bigint), ('revenue', NULL, -%s))"
                " AS l (account, connection, paise)",
                [kind, f"{kind}{number}", number, paise, paise],
            )
    if life.disputed:
        owner.execute(
            "INSERT INTO arrears_dispute (connection, bill, reason, raised_by, raised_at)"
            " VALUES (%s, %s, 'x', 'x', now())",
            [number, bill],
        )
    noticed_on = None
    if life.served_back is not None:
        issued_on = served_on = back(life.served_back)
        notices.serve(owner, number, bills=[bill], issued_on=issued_on, served_on=served_on)
        if clear(served_on=back(life.served_back), day=day, clear_days=15):
            noticed_on = back(life.served_back)
    if life.delivered_back:
        notices.remind(owner, number, *map(back, life.delivered_back))
    found = enforceable(
        [BillFacts(bill, life.due, issued, due_on, noticed_on, life.estimated, life.disputed, life.supplementary)],
        balance_paise=life.due - life.paid,
        day=day,
        stale_after_months=24,
    )
    held, area_held, pending, conversion = _besides(owner, number, life, at, back)
    return reasons(
        Facts(
            policy=laid.POLICY,
            hours=against(at, HOURS, no_cut_days=HOLIDAYS),
            held=held,
            area_held=area_held,
            vulnerable="dialysis" if life.need else None,
            pending=pending,
            plan_open=life.plan == "open",
            conversion=conversion,
            review_open=life.review == "unusual",
            stale_channels=(),
            noticed=found.noticed,
            enforceable_paise=found.paise,
            minimum_paise=5_000_00,
            balance_paise=life.due - life.paid,
            causes=found.causes,
            reminded=reminded({back(days) for days in life.delivered_back}, day=day, reminders=3, last_within_days=3),
            meter=None if life.meter == 1 else "no_relay" if life.meter == 3 else "no_meter",
            standing=(),
        )
    )


def _besides(owner, number: int, life: Life, at: datetime, back):
    """Holds, payments under way, plans, the conversion and a review; what the rules are told of them."""
    held: list[str] = []
    area_held: list[str] = []
    pending: list[str] = []
    if life.hold_left is not None:
        owner.execute(
            "INSERT INTO arrears_hold (connection, kind, evidence, owner, placed_at, expires_at, lifted_at)"
            " VALUES (%s, 'complaint', 'x', 'x', now(), %s, %s)",
            [number, at + timedelta(seconds=life.hold_left), at if life.hold_lifted else None],
        )
        if life.hold_left > 0 and not life.hold_lifted:
            held.append("complaint")
    if life.area is not None:
        office = {"centre": 1111, "circle": 1, "other": 2, "feeder": None}[life.area]
        expires = None if life.area_left is None else at + timedelta(seconds=life.area_left)
        owner.execute(
            "INSERT INTO arrears_areahold (office, feeder, kind, evidence, owner, placed_at, expires_at)"
            " VALUES (%s, %s, 'flood_warning', 'x', 'x', now(), %s)",
            [office, 7 if office is None else None, expires],
        )
        if life.area != "other" and (life.area_left is None or life.area_left > 0):
            area_held.append("flood_warning")
    if life.need:
        owner.execute(
            "INSERT INTO arrears_vulnerable (connection, need, evidence, registered_by, registered_at, review_on)"
            " VALUES (%s, 'dialysis', 'x', 'x', now(), %s)",
            [number, back(30)],  # its review is long due, and it stands
        )
    if life.cheque is not None:
        owner.execute(
            "INSERT INTO payments_cheque (payment, connection, paise, number, bank, dated_on, cleared_at, bounced_at)"
            " VALUES (%s, %s, 1, %s, 'b', now(), %s, %s)",
            [number, number, str(number), WALL if life.cheque == "cleared" else None,
             WALL if life.cheque == "bounced" else None],
        )  # fmt: skip
        if life.cheque == "open":
            pending.append("cheque")
    if life.attempt is not None:
        expires = WALL + timedelta(minutes=1 if life.attempt in ("open", "booked") else -1)
        owner.execute(
            "INSERT INTO payments_attempt VALUES (%s, %s, 1, %s, %s, %s)",
            [f"T{number}", number, f"O{number}", WALL - timedelta(minutes=15), expires],
        )
        if life.attempt in ("booked", "unbooked", "failed"):
            status = "failed" if life.attempt == "failed" else "captured"
            owner.execute(
                "INSERT INTO payments_gatewaypayment (gateway_payment, gateway_order, paise, status, reference, method,"
                " made_at, asked_at) VALUES (%s, %s, 1, %s, '', 'upi', now(), now())",
                [f"P{number}", f"O{number}", status],
            )
        if life.attempt == "booked":
            owner.execute(
                "INSERT INTO payments_payment (idempotency_key, body_sha256, connection, paise, channel, receipt,"
                " acknowledged_at, business_at) VALUES (%s, '', %s, 1, 'upi', %s, now(), now())",
                [f"gateway:P{number}", number, f"R{number}"],
            )
        if life.attempt in ("webhook", "heard"):
            owner.execute(
                "INSERT INTO payments_gatewayevent (event, kind, gateway_payment, gateway_order, body, late,"
                " received_at, handled_at) VALUES (%s, 'payment.captured', 'x', %s, '{}', false, now(), %s)",
                [f"E{number}", f"O{number}", WALL if life.attempt == "heard" else None],
            )
        word = {"open": "online_order", "unbooked": "unbooked", "webhook": "webhook"}.get(life.attempt)
        pending += [word] if word else []
    if life.plan is not None:
        owner.execute(
            "INSERT INTO arrears_plan (connection, paise, instalments, surcharge_free, hold, agreed_by, agreed_at,"
            " closed_at, outcome) VALUES (%s, 1, '[]', true, 0, 'x', now(), %s, %s)",
            [number, None if life.plan == "open" else WALL, None if life.plan == "open" else "broken"],
        )
    conversion: tuple[str, ...] = ()
    if life.converted_back is not None:
        owner.execute(
            "INSERT INTO arrears_conversion VALUES (%s, %s, 'a', %s, %s, %s)",
            [number, back(life.converted_back), *((0, WALL, "b") if life.reconciled else (None, None, None))],
        )
        conversion = converting.against(
            converted_on=back(life.converted_back), reconciled=life.reconciled, day=back(0), grace_days=30
        )
    if life.review is not None:
        state = "dropped" if life.review == "dropped" else "held"
        owner.execute(
            "INSERT INTO billing_draft (connection, month, period_from, period_to, kind, consumption_wh, paise,"
            " estimated, reasons, basis, amounts, body, made_at, state, decided_by, reason)"
            " VALUES (%s, '2025-11-01', '2025-10-01', '2025-11-01', 'regular', 1, 1, false, %s, '{}', '{1}', '', now(),"
            " %s, 'x', 'x')",
            [number, ["unusual" if life.review == "dropped" else life.review], state],
        )
    return held, area_held, pending, conversion

"""The recovery report: its figures, both languages, a page that needs nothing else and trusts no text."""

import base64
import hashlib
import io
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import psycopg
import pytest
from rich.console import Console

from bahal.rehearsal.circle import build_circle
from bahal.rehearsal.recovery import Payer, details_of, page, show, write_page
from bahal.rehearsal.recovery.figures import MOST_BARS, bars_of, figures_of
from bahal.rehearsal.recovery.words import WORDS
from bahal.rehearsal.seeding import seed_circle
from tests.rehearsal.roster import meters

MONDAY = date(2025, 11, 24)
BEGAN = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
DIVISIONS = {"Bilaspur": 91, "Mungeli": 30, "Pendra Road": 14}
VOID = {"meta", "rect", "line"}

RESULT = {
    "schema": 1,
    "seed": 9,
    "drive": 1,
    "list_sha256": "9f" * 32,
    "proposed": 137,
    "funnel": {"excluded": {"held": 2, "no_relay": 1}},
    "sms": {"sent": 1234, "delivered": 1230, "by_kind": {"reminder": 430, "cut": 135}},
    "dropped_out": 6,
    "cancelled_paid": 2,
    "not_sent": [],
    "cut": {
        "sent": 135,
        "confirmed": 135,
        "unknown": 0,
        "field_tasks": 0,
        "seconds": 9.5,
        "by_division": {name: {"sent": count, "confirmed": count} for name, count in DIVISIONS.items()},
    },
    "paid": {"count": 41, "rupees": 512_345},
    "restored": {"confirmed": 41, "p50_s": 3.2, "p95_s": 4.5, "p99_s": 4.75},
    "clock": {"slow": [{"cause": "ramp", "count": 2, "worst_s": 4.8}], "waiting": []},
    "still_dark": 94,
    "relay_off": 93,
    "alerts": [
        {"kind": "forced_close", "meter": "CG10000007", "connection": 2_201_000_007, "business_at": BEGAN.isoformat()}
    ],
    "fleet_log": "/var/bahal/logs/fleet.jsonl",
}


def payers() -> list[Payer]:
    """41 payers of Rs 5,12,345 in all, lit after 3.0, 3.1, 3.2 ... seconds."""
    paise = [1_250_000] * 40 + [51_234_500 - 40 * 1_250_000]
    names = list(DIVISIONS)
    return [
        Payer(n, f"CG{n}", names[n % 3], paise[n], BEGAN, BEGAN + timedelta(seconds=3, milliseconds=100 * (n % 18)))
        for n in range(41)
    ]


class Reader(HTMLParser):
    """Reads a page strictly: every element closed in its order; gathers text, ids and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.fetches: list[str] = []
        self.labels: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.append(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "srcset", "action"):
                self.fetches.append(f"{tag} {value}")
            if name == "aria-labelledby":
                self.labels.extend((value or "").split())

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize("language", ["hi", "en"])
@pytest.mark.parametrize("details", [None, [], payers()], ids=["unknown", "nobody", "payers"])
def test_the_page_is_well_formed_and_needs_nothing_else(language, details):
    html = page(RESULT, language=language, details=details, on=MONDAY)
    reader = read(html)
    assert html.startswith("<!DOCTYPE html>")
    assert f'<html lang="{language}">' in html
    assert not reader.fetches
    assert "script" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert "style" not in reader.attributes
    assert not any(name.startswith("on") for name in reader.attributes)
    assert len(set(reader.ids)) == len(reader.ids)
    assert set(reader.labels) <= set(reader.ids)
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html


def test_both_languages_tell_the_same_figures():
    for language, monday in (("hi", "सोमवार 24 नवंबर 2025"), ("en", "Monday 24 November 2025")):
        text = " ".join(read(page(RESULT, language=language, details=payers(), on=MONDAY)).text)
        for figure in (
            "143",
            "137",
            "135",
            "₹5,12,345",
            "3.20",
            "4.75",
            "1,234",
            "94",
            "9f" * 32,
            "24-11-2025 10:00:00",
        ):
            assert figure in text, (language, figure)
        assert monday in text
    assert all(hi.strip() and en.strip() for hi, en in WORDS.values())
    assert all(sorted(re.findall(r"{\w+}", hi)) == sorted(re.findall(r"{\w+}", en)) for hi, en in WORDS.values())


def test_hostile_text_is_shown_as_text():
    hostile = "<script>alert(1)</script>\"'&"
    result = RESULT | {
        "fleet_log": hostile,
        "alerts": [{"kind": hostile, "meter": hostile, "connection": hostile, "business_at": None}],
        "funnel": {"excluded": {hostile: 1}},
        "not_sent": [{"state": hostile, "reason": hostile, "count": 1}],
        "sms": {"sent": 1, "delivered": 1, "by_kind": {hostile: 1}},
        "cut": RESULT["cut"] | {"by_division": {hostile: {"sent": 1, "confirmed": 1}}},
    }
    html = page(result, language="en", details=payers())
    assert "<script" not in html
    assert "".join(read(html).text).count("alert(1)") >= 8


def test_what_is_missing_is_left_out():
    bare = {key: value for key, value in RESULT.items() if key not in ("seed", "fleet_log", "funnel", "not_sent")}
    bare |= {"alerts": [], "restored": {"confirmed": 0, "p50_s": None, "p95_s": None, "p99_s": None}}
    html = page(bare, language="en")
    assert "rehearsal" not in html
    assert "Bilaspur circle" not in html
    assert "Drive 1" in html
    assert "None" not in "".join(read(html).text).replace("None.", "")
    with pytest.raises(KeyError):
        page({key: value for key, value in RESULT.items() if key != "cut"}, language="en")


def test_divisions_and_rupees_add_up():
    figures = figures_of(RESULT, payers(), "hi")
    assert [step.number for step in figures.funnel] == [143, 6, 137, 2, 135, 135, 41, 41, 94]
    assert [row.name for row in figures.divisions] == ["बिलासपुर", "मुंगेली", "पेंड्रारोड"]
    assert figures.total.rupees == 512_345
    assert figures.total.paid == figures.total.restored == 41
    assert figures.total.dark == 94
    assert len(figures.waits) == 41


@pytest.mark.parametrize(
    "waits",
    [
        [0.05],
        [3.0, 3.0, 3.0],
        [0.011, 0.042, 0.043, 0.3],
        [3 + n / 7 for n in range(260)],
        [3 + n % 5 / 10 for n in range(257)] + [95.0, 96.0, 4000.0],
        [100_000.0, 1.0],
        [20_000.0 * n for n in range(1, 40)],
    ],
)
def test_the_histogram_holds_everyone_once(waits):
    bars = bars_of(waits)
    assert sum(bar.number for bar in bars) == len(waits)
    closed = [bar for bar in bars if bar.high is not None]
    for bar in closed:
        assert bar.high is not None
        assert bar.number == sum(round(bar.low * 1000) <= round(wait * 1000) < round(bar.high * 1000) for wait in waits)
    assert [bar.high for bar in closed[:-1]] == [bar.low for bar in closed[1:]]
    assert len(bars) <= MOST_BARS or max(waits) > 10 * 3600


def test_nobody_waited_no_histogram():
    assert bars_of([]) == ()


@pytest.mark.parametrize("language", ["hi", "en"])
@pytest.mark.parametrize("details", [None, payers()], ids=["unknown", "payers"])
def test_the_terminal_tells_the_same(language, details):
    out = io.StringIO()
    show(RESULT, language=language, details=details, on=MONDAY, console=Console(file=out, width=110, highlight=False))
    text = out.getvalue()
    for figure in ("143", "137", "₹5,12,345", "3.20", "9f" * 32, "CG10000007"):
        assert figure in text, figure


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            ("9 orders: 4 verified", "2 with a lineman", "1 will have light when they press the button", "Cut (closed)",
             "the meter has another key than registered", "Restore", "the relay did not move at two commands",
             "Relay stuck", "Link lost"),
        ),
        (
            "hi",
            ("9 आदेश: 4 रिले पढ़कर पक्के", "2 लाइनमैन के पास", "1 की बिजली तब आएगी", "विच्छेदन (निपटा)",
             "मीटर की चाबी दर्ज चाबी से अलग", "बहाली", "रिले दो आदेशों पर भी नहीं हिली", "रिले अटकी", "संपर्क बीच में टूटा"),
        ),
    ],
)  # fmt: skip
def test_every_order_that_waits_for_a_lineman_is_named_with_its_cause(language, said):
    counts = {"verified": 4, "press_button": 1, "field_tasks": 2, "cancelled": 1, "refused": 2, "open": 0}
    tasks = [
        {"order": 7, "kind": "cut", "meter": "CG1", "connection": 71, "cause": "key_refused", "open": False},
        {"order": 9, "kind": "restore", "meter": "CG2", "connection": 72, "cause": "not_moved", "open": True},
    ]
    kinds = {"stuck": {"meters": 1, "times": 2}, "lost_link": {"meters": 30, "times": 41}}
    result = RESULT | {
        "orders": counts,
        "tasks": tasks,
        "not_sent": [{"state": "field_task", "reason": "key_refused", "count": 1}],
        "faults": {"profile": "field", "by_kind": kinds, "log": "/logs/faults.jsonl"},
    }
    out = io.StringIO()
    show(result, language=language, on=MONDAY, console=Console(file=out, width=300, highlight=False))
    html = " ".join(read(page(result, language=language, on=MONDAY)).text)
    for shown in (out.getvalue(), html):
        for each in (*said, "CG1", "CG2", "71", "72", "41"):
            assert each in shown
        assert "key refused" not in shown


def test_open_ends_are_named():
    cut = RESULT["cut"] | {"unknown": 3, "field_tasks": 2}
    result = RESULT | {"cut": cut, "not_sent": [{"state": "refused", "reason": "held", "count": 4}]}
    out = io.StringIO()
    show(result, language="en", console=Console(file=out, width=110, highlight=False))
    for text in (out.getvalue(), "".join(read(page(result, language="en")).text)):
        for words in ("Outcome unknown", "Field tasks", "Refused", "a hold is in force"):
            assert words in text


def test_details_come_from_orders_and_payments(database, postgres):
    circle = build_circle(
        seed=2, consumers=500, defaulters=20, payers=5, rupees=60_000, monday=MONDAY, meters=meters(500)
    )
    with database.connect("app", autocommit=False) as app:
        seed_circle(app, circle)
    meter_of = {each.number: each.meter for each in circle.connections}
    # An order's steps belong to the interlock; here only their record is needed.
    with psycopg.connect(postgres.superuser_dsn(), dbname=database.name, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        drive = owner.execute(
            "INSERT INTO supply_drive (warrant, office, name, state, orders, sum_paise, list_sha256, document, maker,"
            " maker_signature, policy, not_before, expires_at, proposed_at, started_at, reason)"
            " VALUES (uuidv7(), 10, 'd', 'finished', 20, 0, '', '', 'ee', '', 'p', %s, %s, %s, %s, '') RETURNING id",
            [BEGAN, BEGAN + timedelta(hours=4), BEGAN - timedelta(hours=1), BEGAN],
        ).fetchone()
        assert drive is not None

        def order(number: int, kind: str, state: str, sent: datetime | None, confirmed: datetime | None) -> int:
            row = owner.execute(
                "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive,"
                ' "position", due_paise, bills, notice_sha256, made_at, tries, sends, sent_at, confirmed_at)'
                " VALUES (%s, %s, %s, 'nonpayment_s56', %s, '', '', 1, %s, 0, 0, '', '', %s, 1, 1, %s, %s)"
                " RETURNING id",
                [meter_of[number], number, kind, state, drive[0] if kind == "cut" else None, BEGAN, sent, confirmed],
            ).fetchone()
            assert row is not None
            return int(row[0])

        def paid(number: int, paise: int, at: datetime, restore: int | None) -> None:
            owner.execute(
                "INSERT INTO payments_payment (idempotency_key, body_sha256, connection, paise, channel, receipt,"
                ' "order", acknowledged_at, business_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)',
                [f"k{number}", "", number, paise, "counter", f"r{number}", restore, at, at],
            )

        lit, waiting, raced, dark = circle.defaulters[:4]
        for number in (lit, waiting, dark):
            order(number, "cut", "confirmed", BEGAN, BEGAN)
        order(raced, "cut", "cancelled", None, None)
        paid_at = BEGAN + timedelta(minutes=1)
        lit_at = paid_at + timedelta(seconds=2.5)
        paid(lit, 600_000, paid_at, order(lit, "restore", "confirmed", paid_at, lit_at))
        paid(waiting, 700_000, paid_at + timedelta(seconds=1), order(waiting, "restore", "claimed", None, None))
        paid(raced, 800_000, paid_at, None)

    found = details_of(drive=drive[0])
    names = circle.division_names()
    assert [each[:4] for each in found] == [
        (lit, meter_of[lit], names[lit], 600_000),
        (waiting, meter_of[waiting], names[waiting], 700_000),
    ]
    assert [each.seconds for each in found] == [2.5, None]


@pytest.mark.needs("browser")
def test_a_browser_shows_it_and_its_policy_lets_its_own_style_in(tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    file = tmp_path / "recovery.html"
    write_page(file, RESULT, language="hi", details=payers(), on=MONDAY)
    shown = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}", file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )  # fmt: skip
    assert "वसूली प्रतिवेदन" in shown.stdout
    assert "Content Security Policy" not in shown.stderr
    assert "Refused to" not in shown.stderr

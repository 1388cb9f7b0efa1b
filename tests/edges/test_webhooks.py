"""Delivery reports are believed when they are signed and fresh."""

import json
import time
from datetime import UTC, datetime

from django.test import Client

from bahal.foundation.rows import many, value
from bahal.gateways.sms.reports import SIGNATURE_HEADER, TIME_HEADER, signature_of
from tests.journeys import town
from tests.journeys.test_messages import remind
from tests.plugin.databases import Database

KEY = bytes(range(32))


def post(body: bytes, *, key: bytes = KEY, age: int = 0) -> tuple[int, dict[str, object]]:
    stamp = str(int(time.time()) - age)
    headers = {TIME_HEADER: stamp, SIGNATURE_HEADER: signature_of(key, stamp=stamp, body=body)}
    answer = Client().post("/webhooks/sms", body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def reports(*references: object) -> bytes:
    at = datetime.now(UTC).isoformat()
    return json.dumps(
        [{"reference": each, "receipt": f"R{each}", "status": "delivered", "at": at} for each in references]
    ).encode()


def test_a_signed_report_counts_once(database: Database) -> None:
    database.home.keep_secret("sms", {"hmac": KEY.hex()})
    town.found(connections=1, reminded=False)
    remind()
    message = value("SELECT id FROM notices_message")
    body = reports(str(message), "not-ours", "9" * 30)
    assert post(body) == (200, {"taken": 1})
    assert post(body) == (200, {"taken": 0})
    assert many("SELECT delivery FROM notices_message") == [("delivered",)]


def test_what_is_not_signed_by_our_centre_is_not_heard(database: Database) -> None:
    assert post(reports("1"))[0] == 401  # no key here: nobody can sign
    database.home.keep_secret("sms", {"hmac": KEY.hex()})
    assert post(reports("1"), key=b"other")[0] == 401
    assert post(reports("1"), age=301)[0] == 401
    assert post(reports("1"), age=-301)[0] == 401
    assert Client().post("/webhooks/sms", b"[]", content_type="application/json").status_code == 401
    assert Client().get("/webhooks/sms").status_code == 405


def test_a_signed_body_that_is_no_report_is_refused_by_name(database: Database) -> None:
    database.home.keep_secret("sms", {"hmac": KEY.hex()})
    for body in (
        b"{",
        b"{}x",
        b'[{"reference": 1}]',
        b"[1]",
        b'[{"reference":"1","receipt":"r","status":"x","at":"y"}]',
    ):
        status, refused = post(body)
        assert (status, refused["error"]) == (422, "report_malformed")

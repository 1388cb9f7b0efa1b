"""What the SMS centre and the payment gateway tell is believed when it is signed, and as far as it is fresh."""

import json
import time
from datetime import UTC, datetime

from django.test import Client

from bahal.foundation.rows import many, value
from bahal.gateways.bank.webhooks import EVENT_HEADER
from bahal.gateways.bank.webhooks import SIGNATURE_HEADER as GATEWAY_SIGNATURE
from bahal.gateways.bank.webhooks import signature_of as bank_signature
from bahal.gateways.sms.reports import SIGNATURE_HEADER, TIME_HEADER, signature_of
from bahal.gateways.whatsapp.statuses import SIGNATURE_HEADER as STATUS_SIGNATURE
from bahal.gateways.whatsapp.statuses import signature_of as status_signature
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
    message = value("SELECT id FROM notices_message WHERE kind = 'reminder'")
    body = reports(str(message), "not-ours", "9" * 30)
    assert post(body) == (200, {"taken": 1})
    assert post(body) == (200, {"taken": 0})
    assert many("SELECT delivery FROM notices_message WHERE kind = 'reminder'") == [("delivered",)]


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


# --- the payment gateway -------------------------------------------------------------------------------------------

SECRET = "of the webhooks"


def event(payment: str = "pay_1", *, age: int = 0, amount: int = 100) -> bytes:
    told = {
        "entity": "event",
        "event": "payment.captured",
        "created_at": int(time.time()) - age,
        "payload": {"payment": {"entity": {"id": payment, "amount": amount, "status": "captured"}}},
    }
    return json.dumps(told).encode()


def tell(body: bytes, *, signed: bytes | None = None, secret: str = SECRET, name: str = "evt_1") -> tuple[int, object]:
    headers = {GATEWAY_SIGNATURE: bank_signature(secret, body if signed is None else signed), EVENT_HEADER: name}
    answer = Client().post("/webhooks/bank", body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def kept() -> list[tuple[object, ...]]:
    return many("SELECT event, gateway_payment, late FROM payments_gatewayevent ORDER BY id")


def test_an_event_of_the_gateway_is_kept_once(database: Database) -> None:
    database.home.keep_secret("bank", {"webhook_secret": SECRET, "key_secret": "another"})
    body = event()
    assert tell(body) == (200, {"heard": True})
    assert tell(body) == (200, {"heard": False})  # replayed
    assert tell(event(amount=900)) == (200, {"heard": False})  # the same event with another amount
    assert tell(event(), name="evt_2") == (200, {"heard": True})
    assert tell(event("pay_2", age=301), name="evt_3") == (200, {"heard": True})  # stale: kept, and marked
    assert kept() == [("evt_1", "pay_1", False), ("evt_2", "pay_1", False), ("evt_3", "pay_2", True)]
    assert value("SELECT body FROM payments_gatewayevent WHERE event = 'evt_1'") == body.decode()
    assert value("SELECT count(*) FROM payments_payment") == 0  # nothing is booked on a webhook's word


def test_an_event_that_is_forged_or_edited_is_not_heard(database: Database) -> None:
    assert tell(event())[0] == 401  # no secret here: nobody can sign
    database.home.keep_secret("bank", {"webhook_secret": SECRET, "key_secret": "another"})
    assert tell(event(amount=900), signed=event(amount=100))[0] == 401
    assert tell(event() + b" ", signed=event())[0] == 401  # the raw body, not what it means
    assert tell(event(), secret="another")[0] == 401  # the interface's secret is not the webhooks'
    assert Client().post("/webhooks/bank", event(), content_type="application/json").status_code == 401
    assert Client().get("/webhooks/bank").status_code == 405
    assert kept() == []


def test_what_is_signed_and_no_event_is_refused_by_name(database: Database) -> None:
    database.home.keep_secret("bank", {"webhook_secret": SECRET})
    for body in (b"{", b"[]", event("../orders/1"), event("x" * 101), b" " * 300_000, b" " * 3_000_000):
        status, refused = tell(body)
        assert (status, refused["error"]) == (422, "webhook_malformed")  # type: ignore[index]
    assert tell(event(), name="")[0] == 422
    assert tell(b'{"event":"refund.created","created_at":1,"payload":{}}') == (200, {"heard": False})
    assert kept() == []


# --- WhatsApp ------------------------------------------------------------------------------------------------------


def statuses(*told: dict[str, object]) -> bytes:
    return json.dumps({"entry": [{"changes": [{"value": {"statuses": list(told)}}]}]}).encode()


def test_a_status_of_the_platform_counts_once_if_it_is_signed(database: Database) -> None:
    def post_status(body: bytes, by: str = "s") -> tuple[int, dict[str, object]]:
        headers = {STATUS_SIGNATURE: status_signature(by, body=body)}
        answer = Client().post("/webhooks/whatsapp", body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    town.found(connections=1, reminded=False)
    remind()
    with database.connect("owner") as owner:
        owner.execute("UPDATE notices_message SET channel = 'whatsapp' WHERE kind = 'reminder'")
    message = value("SELECT id FROM notices_message WHERE kind = 'reminder'")
    told = {"id": "wamid.1", "status": "delivered", "timestamp": str(int(time.time())),
            "biz_opaque_callback_data": str(message)}  # fmt: skip
    assert post_status(statuses(told))[0] == 401  # no secret here: nobody can sign
    database.home.keep_secret(
        "whatsapp", {"app_secret": "s", "verify_token": "word", "token": "", "phone_number_id": ""}
    )
    assert post_status(statuses(told), "x")[0] == 401
    stranger = {**told, "biz_opaque_callback_data": "not ours"}
    assert post_status(statuses({**told, "status": "sent"}, stranger)) == (200, {"taken": 0})
    assert post_status(statuses(told)) == (200, {"taken": 1})
    assert post_status(statuses(told)) == (200, {"taken": 0})
    assert many("SELECT event, provider, effective_on = day FROM notices_step WHERE machine = 'reminder'") == [
        ("asked", None, None), ("delivered", "wamid.1", False),
    ]  # fmt: skip  # by the wall's clock it arrived long after its day
    asked = {"hub.mode": "subscribe", "hub.challenge": "42"}
    assert Client().get("/webhooks/whatsapp", {**asked, "hub.verify_token": "word"}).content == b"42"
    assert Client().get("/webhooks/whatsapp", {**asked, "hub.verify_token": "guess"}).status_code == 401

"""The programs' door: what it takes, what it answers, whom it lets in."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.test import Client

from bahal.foundation.rows import value
from tests.journeys import interlock, town
from tests.plugin.databases import Database

OpenDoor = Callable[..., None]


def post(body: object, *, key: str = "k1", **headers: str) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, str) else json.dumps(body)
    more = {"Idempotency-Key": key, **headers} if key else headers
    answer = Client().post("/api/v1/payments", content, content_type="application/json", headers=more)
    return answer.status_code, answer.json()


def test_a_payment_is_answered_by_its_receipt(database: Database, open_door: OpenDoor) -> None:
    open_door(rehearsal=True)
    place = town.found(connections=1)
    place.drive()
    interlock.lend(database)
    interlock.step(database, order=value("SELECT id FROM supply_order"), states=("claimed", "sent"))
    body = {"consumer": place.connections[0], "paise": town.DUE, "channel": "counter"}
    status, taken = post(body)
    assert status == 201
    assert taken.keys() == {"receipt", "acknowledged_at", "order"}
    assert post(body) == (201, taken)
    status, refused = post({**body, "paise": 1})
    assert (status, refused["error"], refused["data"]["receipt"]) == (
        409,
        "key_reused_with_other_body",
        taken["receipt"],
    )
    shown = Client().get(f"/api/v1/orders/{taken['order']}")
    assert shown.status_code == 200
    assert (shown.json()["kind"], shown.json()["state"]) == ("restore", "authorised")
    assert shown.json()["cause"] == f"payment {taken['receipt']}"


REFUSED: list[tuple[object, int, str]] = [
    ({"consumer": 2_299_999_999, "paise": 1, "channel": "upi"}, 404, "connection_unknown"),
    ({"consumer": 1, "paise": 0, "channel": "upi"}, 422, "payment_malformed"),
    ({"consumer": 1, "paise": -5, "channel": "upi"}, 422, "payment_malformed"),
    ({"consumer": 1, "paise": 10**30, "channel": "upi"}, 422, "payment_malformed"),
    ({"consumer": 1, "paise": 1, "channel": "cheque"}, 422, "payment_malformed"),
    ({"consumer": 1, "paise": "1", "channel": "upi"}, 400, "body_malformed"),
    ({"consumer": 1, "paise": 1.5, "channel": "upi"}, 400, "body_malformed"),
    ({"consumer": 1, "paise": True, "channel": "upi"}, 400, "body_malformed"),
    ({"consumer": 10**40, "paise": 1, "channel": "upi"}, 400, "body_malformed"),
    ({"consumer": "name", "paise": 1, "channel": "upi"}, 400, "body_malformed"),
    ({"paise": 1, "channel": "upi"}, 400, "body_malformed"),
    ([], 400, "body_malformed"),
    ("{", 400, "body_malformed"),
    ("", 400, "body_malformed"),
]


def test_what_is_refused_says_why_in_both_languages(database: Database, open_door: OpenDoor) -> None:
    open_door(rehearsal=True)
    for body, status, error in REFUSED:
        answered, refused = post(body)
        assert (answered, refused["error"]) == (status, error), body
        assert refused.keys() == {"error", "data", "hi", "en"}
    assert value("SELECT count(*) FROM payments_payment") == 0


def test_a_payment_needs_its_key(database: Database, open_door: OpenDoor) -> None:
    open_door(rehearsal=True)
    status, refused = post({"consumer": 1, "paise": 1, "channel": "upi"}, key="")
    assert (status, refused["error"], refused["data"]["field"]) == (422, "payment_malformed", "Idempotency-Key")


def test_in_production_a_listed_key_opens(database: Database, open_door: OpenDoor) -> None:
    place = town.found(connections=1, reminded=False)
    body = {"consumer": place.connections[0], "paise": 5, "channel": "bbps"}
    open_door(rehearsal=False, hashes=(hashlib.sha256(b"secret-key").hexdigest(),))
    for headers in (
        {},
        {"Authorization": "Bearer other"},
        {"Authorization": "Basic secret-key"},
        {"Authorization": "Bearer "},
    ):
        status, refused = post(body, **headers)
        assert (status, refused["error"]) == (401, "api_key_missing")
    status, _ = post(body, Authorization="Bearer secret-key")
    assert status == 201
    digest = hashlib.sha256(b"secret-key").hexdigest()
    assert value("SELECT actor FROM audit_entry WHERE act = 'payment.taken'") == f"api:{digest[:8]}"
    assert Client().get("/api/v1/orders/1").status_code == 401


def test_a_rehearsals_door_is_open_on_loopback_only(database: Database, open_door: OpenDoor) -> None:
    open_door(rehearsal=True)
    assert Client(REMOTE_ADDR="10.0.0.9").get("/api/v1/orders/1").status_code == 401
    assert Client(REMOTE_ADDR="::1").get("/api/v1/orders/1").status_code == 404
    assert Client(REMOTE_ADDR="").get("/api/v1/orders/1").status_code == 401


def test_without_its_file_the_door_is_shut(database: Database) -> None:
    from bahal.edges import entrance

    entrance.door.cache_clear()
    assert Client().get("/api/v1/orders/1").status_code == 401
    entrance.door.cache_clear()


def test_the_interface_describes_itself(database: Database) -> None:
    described = Client().get("/api/v1/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/v1/payments",
        "/api/v1/orders/{order}",
        "/api/v1/bills/{number}",
        "/api/v1/bills/{number}/lines/{line}",
        "/api/v1/consumers/{consumer}/day",
        "/api/v1/bbps/fetch",
        "/api/v1/bbps/pay",
        "/api/v1/bbps/status/{txn}",
    }


def test_health_is_the_databases(database: Database) -> None:
    assert Client().get("/healthz").json()["status"] == "ok"
    from django.db import connections

    settings = connections.settings["default"]
    connections.close_all()
    settings["PORT"], port = 1, settings["PORT"]
    try:
        away = Client().get("/healthz")
        assert (away.status_code, away.json()["error"], away["Retry-After"]) == (503, "database_away", "1")
        settings_door = post({"consumer": 1, "paise": 1, "channel": "upi"})
        assert settings_door[0] == 401  # no door file here: refused before the database is asked
    finally:
        settings["PORT"] = port
        connections.close_all()

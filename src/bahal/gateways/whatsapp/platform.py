"""The WhatsApp platform's stand-in: takes template messages, logs each, and tells their statuses later by a webhook.

`POST /v21.0/PHONE_NUMBER_ID/messages` as Meta's Cloud API has it, with the bearer token of the instance's secret
`whatsapp`. Like the platform it takes a message again that it was given before. What becomes of a message is the
telephone's (`handsets`): some are not on WhatsApp, some are off, some tell late.
"""

import hashlib
import itertools
import json
import queue
import re
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import structlog

from bahal.gateways.handsets import Handsets
from bahal.gateways.standing_in import Log, serve
from bahal.gateways.whatsapp.client import VERSION
from bahal.gateways.whatsapp.statuses import SIGNATURE_HEADER, signature_of
from bahal.shared.clock import clock_of
from bahal.shared.home import Home

TELL_AFTER_S = 0.2
TELL_BATCH = 200
TELL_RETRY_S = 1.0
_NAME = re.compile(r"[a-z0-9_]{1,512}")


class Platform:
    """The messages taken so far, and the statuses still to be told."""

    def __init__(self, log: Log, handsets: Handsets) -> None:
        self._log = log
        self._handsets = handsets
        self._numbers = itertools.count(1)
        self.owed: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def take(self, message: Any) -> tuple[HTTPStatus, Any]:
        """Take one message, or say by the platform's code why not."""
        template = message["template"]
        words = [each["text"] for part in template["components"] for each in part["parameters"]]
        if message["messaging_product"] != "whatsapp" or message["type"] != "template":
            return _error(100, "Invalid parameter")
        if not _NAME.fullmatch(template["name"]):
            return _error(132001, "Template name does not exist in the translation")
        if not all(isinstance(each, str) and each and "\n" not in each for each in words):
            return _error(132000, "Number of parameters does not match the expected number of params")
        to = str(message["to"])
        fate = self._handsets.fate(to, "whatsapp")
        if fate.refused:
            return _error(int(fate.code or 131009), "Parameter value is not valid")
        seed = f"{next(self._numbers)} {time.time_ns()} {to}"
        receipt = f"wamid.{hashlib.sha256(seed.encode()).hexdigest()[:24].upper()}"
        reference = str(message.get("biz_opaque_callback_data", ""))
        self._log.write(
            {
                "to": to, "template": template["name"], "language": template["language"]["code"], "parameters": words,
                "receipt": receipt, "reference": reference,
            }
        )  # fmt: skip
        if fate.reported:
            status = {"id": receipt, "status": fate.status, "recipient_id": to, "biz_opaque_callback_data": reference}
            if fate.code:
                status["errors"] = [{"code": int(fate.code)}]  # type: ignore[assignment]  # JSON
            later = threading.Timer(TELL_AFTER_S + fate.after_s, self.owed.put, (status,))
            later.daemon = True
            later.start()
        return HTTPStatus.OK, {"messaging_product": "whatsapp", "messages": [{"id": receipt}]}


def tell_forever(platform: Platform, *, callback: str, secret: str) -> None:
    """Tell statuses as they fall due; the next batch only after the last was taken."""
    log = structlog.get_logger()
    clock = clock_of()
    with httpx.Client(timeout=10, trust_env=False) as client:
        while True:
            batch = [platform.owed.get()]
            while len(batch) < TELL_BATCH and not platform.owed.empty():
                batch.append(platform.owed.get())
            at = str(int(clock.wall().timestamp()))
            value = {"messaging_product": "whatsapp", "statuses": [{**each, "timestamp": at} for each in batch]}
            told = {
                "object": "whatsapp_business_account",
                "entry": [{"id": "0", "changes": [{"field": "messages", "value": value}]}],
            }
            body = json.dumps(told).encode()
            while not _told(client, callback, body, secret):
                log.warning("statuses_not_taken", statuses=len(batch))
                time.sleep(TELL_RETRY_S)


def run(*, port: int, log: Path, callback: str) -> None:
    """Stand in for the platform until SIGTERM. Token, number and secret are the instance's secret `whatsapp`.

    :raises OSError: the port is taken, or the log cannot be written.
    """
    home = Home.of()
    kept = home.secret("whatsapp") or {}
    platform = Platform(Log(log, clock_of()), Handsets(home.run / "handsets.json"))
    threading.Thread(
        target=tell_forever,
        args=(platform,),
        kwargs={"callback": callback, "secret": kept.get("app_secret", "")},
        daemon=True,
    ).start()
    serve(
        port=port,
        posts={f"/{VERSION}/{kept.get('phone_number_id', '')}/messages": platform.take},
        name="whatsapp",
        admit=lambda _path, authorization: bool(kept) and authorization == f"Bearer {kept['token']}",
    )


def _error(code: int, message: str) -> tuple[HTTPStatus, Any]:
    return HTTPStatus.BAD_REQUEST, {"error": {"message": message, "code": code}}


def _told(client: httpx.Client, callback: str, body: bytes, secret: str) -> bool:
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature_of(secret, body=body)}
    try:
        return client.post(callback, content=body, headers=headers).is_success
    except httpx.HTTPError:
        return False

"""Statuses as the platform tells them: signed by HMAC-SHA256 over the raw body with the application's secret."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

from bahal.gateways.sms.reports import DeliveryReport, ReportMalformed, ReportUnsigned

SIGNATURE_HEADER = "X-Hub-Signature-256"
ARRIVED = ("delivered", "read")
HEARD = (*ARRIVED, "failed")
"""What is news: that a message was sent we know."""


def signature_of(secret: str, *, body: bytes) -> str:
    """The header's value over a raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read_statuses(*, secret: str, signature: str, body: bytes) -> list[DeliveryReport]:
    """Check and read a callback. Nothing of the body is looked at before its signature is good.

    It carries no time of its own: heard again it changes nothing.

    :raises ReportUnsigned: no secret, or no or another signature.
    :raises ReportMalformed: not what the platform tells.
    """
    if not secret or not hmac.compare_digest(signature_of(secret, body=body), signature):
        raise ReportUnsigned(why="signature")
    try:
        statuses = [
            status
            for entry in json.loads(body)["entry"]
            for change in entry["changes"]
            for status in change["value"].get("statuses", ())
        ]
        return [
            DeliveryReport(
                str(each.get("biz_opaque_callback_data", "")),
                str(each["id"]),
                each["status"] in ARRIVED,
                datetime.fromtimestamp(int(each["timestamp"]), UTC),
                str(each["errors"][0]["code"]) if each.get("errors") else "",
            )
            for each in statuses
            if each["status"] in HEARD
        ]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, OSError) as wrong:
        raise ReportMalformed(why=str(wrong)) from wrong

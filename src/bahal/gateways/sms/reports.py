"""Delivery reports as they arrive: signed by HMAC-SHA256 over time and raw body, at most five minutes old."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bahal.shared.errors import Refusal

TIME_HEADER = "X-Bahal-Time"
SIGNATURE_HEADER = "X-Bahal-Signature"
OLDEST = timedelta(minutes=5)


class ReportUnsigned(Refusal):
    """The signature is missing or not ours, or the report is stale: it may be a replay."""

    code = "report_unsigned"
    hi = "रिपोर्ट का हस्ताक्षर ठीक नहीं ({why})।"
    en = "The report's signature is not good ({why})."


class ReportMalformed(Refusal):
    """The body is not a list of reports."""

    code = "report_malformed"
    hi = "रिपोर्ट ठीक नहीं: {why}"
    en = "The report is malformed: {why}"


class DeliveryReport(NamedTuple):
    """What became of one message; `reference` is the sender's. One that `expired` was given up when its time was over;
    `code` is the reason of one that was not delivered.
    """

    reference: str
    receipt: str
    delivered: bool
    at: datetime
    code: str = ""
    expired: bool = False


def signature_of(key: bytes, *, stamp: str, body: bytes) -> str:
    """The signature in hexadecimal over the stamp (UNIX seconds), a full stop and the raw body."""
    return hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def read_reports(*, key: bytes, stamp: str, signature: str, body: bytes, now: datetime) -> list[DeliveryReport]:
    """Check and read a callback. Nothing of the body is looked at before its signature is good.

    :raises ReportUnsigned: no key, no or another signature, or a time that is more than five minutes away.
    :raises ReportMalformed: not a list of reports.
    """
    if not key or not hmac.compare_digest(signature_of(key, stamp=stamp, body=body), signature):
        raise ReportUnsigned(why="signature")
    if not stamp.isdigit() or abs(now - datetime.fromtimestamp(int(stamp), UTC)) > OLDEST:
        raise ReportUnsigned(why="time")
    try:
        return [
            DeliveryReport(
                str(each["reference"]),
                str(each["receipt"]),
                each["status"] == "delivered",
                datetime.fromisoformat(each["at"]).astimezone(UTC),
                str(each.get("code", "")),
                each["status"] == "expired",
            )
            for each in json.loads(body)
        ]
    except (ValueError, TypeError, KeyError) as wrong:
        raise ReportMalformed(why=str(wrong)) from wrong

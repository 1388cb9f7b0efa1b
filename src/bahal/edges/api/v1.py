"""Version 1 of the interface for programs. Each request is one call of a journey."""

from datetime import datetime

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import Field, Header, NinjaAPI, Query, Schema, Status
from ninja.errors import HttpError, ValidationError

from bahal.edges.answers import DatabaseAway, refused
from bahal.edges.api.bills import router as bills
from bahal.edges.api.consumers import router as consumers
from bahal.edges.clock import clock
from bahal.edges.entrance import admit
from bahal.journeys import serve_bbps
from bahal.journeys import show_order as journey_show_order
from bahal.journeys import take_payment as journey_take_payment
from bahal.shared.errors import Refusal

api = NinjaAPI(title="Bahal", version="1", docs_url=None, openapi_url="/openapi.json", urls_namespace="api-v1")
api.add_router("/consumers", consumers)
api.add_router("/bills", bills)


class BodyMalformed(Refusal):
    """The request is not what the interface describes."""

    code = "body_malformed"
    hi = "अनुरोध ठीक नहीं: {field} ({why})"
    en = "The request is malformed: {field} ({why})"


class PaymentAsked(Schema):
    """A payment for a consumer, in paise."""

    consumer: int = Field(ge=1, le=9_999_999_999, description="The ten-digit consumer number.")
    paise: int = Field(strict=True, description="Integer paise, more than zero.")
    channel: str = Field(description="counter, upi, bbps, card or bank.")


class PaymentTaken(Schema):
    """The receipt; `order` is the restore that the payment brought about, if it did."""

    receipt: str
    acknowledged_at: datetime
    order: int | None


class EvidenceShown(Schema):
    """What an attempt found; relays are true when closed."""

    outcome: str
    reason: str
    relay_before: bool | None
    relay_after: bool | None
    at: datetime


class OrderShown(Schema):
    """An order as it stands; instants in UTC."""

    id: int
    meter: str
    connection: int
    kind: str
    ground: str
    state: str
    cause: str
    reason: str
    drive: int | None
    made_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None
    evidence: list[EvidenceShown]


@api.post("/payments", response={201: PaymentTaken})
def take_payment(
    request: HttpRequest, asked: PaymentAsked, key: str = Header("", alias="Idempotency-Key")
) -> Status[object]:
    """Take a payment once per Idempotency-Key; the same key with another body is refused with 409."""
    taken = journey_take_payment.take_payment(
        key=key,
        connection=asked.consumer,
        paise=asked.paise,
        channel=asked.channel,
        actor=_who(request),
        business_at=clock().now(),
    )
    return Status(201, taken)


class BillFetched(Schema):
    """What BBPS shows the payer; the amount in paise, as BBPS has it."""

    responseCode: str  # BBPS writes it so
    refId: str
    billAmount: int
    customerName: str


class BbpsPayment(Schema):
    """A payment for a bill fetched under `refId`."""

    refId: str = Field(min_length=35, max_length=35)
    txnReferenceId: str = Field(min_length=1, max_length=35, description="Kept for ever.")
    amount: int = Field(strict=True, description="Integer paise, exactly as fetched.")


class BbpsAnswer(Schema):
    """What became of a transaction; `approvalRefNumber` is the receipt."""

    responseCode: str
    txnReferenceId: str
    approvalRefNumber: str | None


@api.get("/bbps/fetch", response=BillFetched)
def bbps_fetch(
    request: HttpRequest,
    refId: str,
    consumer: int = Query(ge=1, le=9_999_999_999),
) -> object:
    """The amount due, kept under `refId`."""
    _who(request)
    bill = serve_bbps.fetch(ref=refId, connection=consumer, at=clock().wall())
    return {
        "responseCode": "000",
        "refId": bill.ref,
        "billAmount": bill.paise,
        "customerName": bill.name,
    }


@api.post("/bbps/pay", response=BbpsAnswer)
def bbps_pay(request: HttpRequest, asked: BbpsPayment) -> object:
    """Book a payment once per `txnReferenceId`; the same again gets the same receipt."""
    _who(request)
    taken = serve_bbps.pay(ref=asked.refId, txn=asked.txnReferenceId, paise=asked.amount, business_at=clock().now())
    return {"responseCode": "000", "txnReferenceId": asked.txnReferenceId, "approvalRefNumber": taken.receipt}


@api.get("/bbps/status/{txn}", response=BbpsAnswer)
def bbps_status(request: HttpRequest, txn: str) -> object:
    """Whether a transaction was booked: 000 with its receipt, else 200 pending: send it again."""
    _who(request)
    receipt = serve_bbps.status(txn=txn)
    code = "200" if receipt is None else "000"
    return {"responseCode": code, "txnReferenceId": txn, "approvalRefNumber": receipt}


@api.get("/orders/{order}", response=OrderShown)
def show_order(request: HttpRequest, order: int) -> object:
    """An order with its evidence."""
    _who(request)
    return journey_show_order.show_order(order=order)


@api.exception_handler(Refusal)
def _refused(_request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return refused(refusal)


@api.exception_handler(ValidationError)
def _malformed(_request: HttpRequest, wrong: ValidationError) -> HttpResponse:
    first = wrong.errors[0]
    return refused(BodyMalformed(field=".".join(map(str, first.get("loc", ()))), why=first.get("msg", "")))


@api.exception_handler(HttpError)
def _unreadable(_request: HttpRequest, wrong: HttpError) -> HttpResponse:
    return refused(BodyMalformed(field="body", why=str(wrong)))


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _away(_request: HttpRequest, _failure: Exception) -> HttpResponse:
    return refused(DatabaseAway())


def _who(request: HttpRequest) -> str:
    return admit(authorization=request.headers.get("Authorization", ""), remote=request.META.get("REMOTE_ADDR", ""))

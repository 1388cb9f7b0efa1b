"""A bill for programs: line by line with its sentences, and a line down to the half hours behind it."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Field, Path, Router, Schema

from bahal.edges.entrance import admit
from bahal.shared.home import Home

router = Router()


class BillLine(Schema):
    """A line: what it charges for and how it comes to its amount, in operands and in sentences. `opens`: the half hours
    behind it can be asked for by its `number`."""

    number: int
    opens: bool
    rule: str
    component: str
    path: str
    unit: str
    quantity: int
    rate: int
    numerator: int
    denominator: int
    above: int
    upto: int
    less: int
    paise: int
    hi: str
    en: str


class BillShown(Schema):
    """A bill: paise, Wh, ISO days. The lines' paise sum to the bill's; arrears stand apart."""

    number: str
    connection: int
    meter: str
    kind: str
    period_from: date | None
    period_to: date | None
    issued_on: date
    due_on: date
    consumption_wh: int
    estimated: bool
    supplementary: bool
    paise: int
    lines: list[BillLine]
    notes: list[dict[str, str]]
    registers: list[dict[str, Any]] = Field(description="meter, from, from_wh, to, to_wh, wh.")
    arrears_paise: dict[str, int]
    advance_paise: int
    months: list[dict[str, Any]]
    versions: list[dict[str, str]]


class OpenedDay(Schema):
    """A day by half hours from midnight in India on: Wh, a letter of status each (`statuses`), and what of it is behind
    the line; null where nothing is known."""

    day: date
    meter: str
    wh: list[int | None]
    status: str
    behind: list[int | None]


class Stretch(Schema):
    """One meter's days of the bill: register and half hours beside one another, and the difference."""

    meter: str
    start: date
    end: date
    from_wh: int | None
    to_wh: int | None
    register_wh: int | None
    half_hours_wh: int
    difference_wh: int | None
    measured: int
    estimated: int
    edited: int
    unknown: int


class LineOpened(Schema):
    """A line opened. What is billed is the register, or an estimate; the half hours tell when it was used.

    `opens_by`: slab, all, zone (Wh), or demand (W above the sanctioned load)."""

    bill: str
    number: int
    line: dict[str, Any]
    opens_by: str
    zone: str
    start: date = Field(alias="from")
    end: date = Field(alias="to")
    billed_by: str
    behind_line: int
    stretches: list[Stretch]
    highest: list[dict[str, Any]]
    days: list[OpenedDay]
    statuses: dict[str, str]
    hi: list[str]
    en: list[str]


Number = Path(max_length=40, description="The bill's printed number, such as 202510-2200000001.")


@router.get("/{number}", response=BillShown)
def show(request: HttpRequest, number: str = Number) -> object:
    """A bill, line by line."""
    _admit(request)
    from bahal.journeys.show_bill import show_bill

    return show_bill(number=number).as_json()


@router.get("/{number}/lines/{line}", response=LineOpened, by_alias=True)
def open_line(request: HttpRequest, number: str = Number, line: int = Path(ge=1, le=10_000)) -> object:
    """A line down to the half hours behind it."""
    _admit(request)
    # The lake's libraries are loaded by the first who asks, not by every web process.
    from bahal.journeys import open_line as journey
    from bahal.lake.layout import lake_uri, open_lake

    return journey.open_line(number=number, line=line, lake=open_lake(lake_uri(Home.of().path))).as_json()


def _admit(request: HttpRequest) -> None:
    admit(authorization=request.headers.get("Authorization", ""), remote=request.META.get("REMOTE_ADDR", ""))

"""A recount of the Monday from the outside world's own logs: the meters', the bank's and the SMS centre's.

Nothing of the product is imported and no database is read. What the logs tell is counted here by a second way, and
`differences` compares it with the demo's JSON, figure by figure:

    python tests/monday/recount.py LOGS [DEMO.json]

Meters are known by serial, payments and messages by consumer number; only the product knows which hangs where, so the
recount keeps the two apart.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

INDIA = timezone(timedelta(hours=5, minutes=30))
KINDS = {"REM": "reminder", "CUT": "cut", "RES": "restored", "PAY": "payment"}
_CONSUMER = re.compile(r"\b[1-9]\d{9}\b")


@dataclass(frozen=True, slots=True)
class Movement:
    """A relay moved."""

    at: datetime
    business_at: datetime
    meter: str
    on: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Payment:
    """The bank took money."""

    at: datetime
    business_at: datetime
    number: str
    consumer: int
    paise: int


@dataclass(frozen=True, slots=True)
class Message:
    """The SMS centre took a message. `consumer` is the number in its text."""

    at: datetime
    day: date
    to: str
    kind: str
    template: str
    consumer: int
    text: str
    receipt: str


class Recount:
    """What the three logs tell."""

    def __init__(self, logs: Path) -> None:
        self.movements = [
            Movement(_at(e), _at(e, "business_at"), e["meter"], e["relay"] == "on", e["cause"])
            for e in _lines(logs / "fleet.jsonl")
        ]
        self.payments = [
            Payment(_at(e), _at(e, "business_at"), e["payment"], e["consumer"], e["paise"])
            for e in _lines(logs / "bank.jsonl")
        ]
        self.messages = [_message(e) for e in _lines(logs / "sms.jsonl")]
        remote = [each for each in self.movements if each.cause == "remote_disconnect"]
        self.cut = {each.meter for each in remote}
        self.restored = {each.meter for each in self.movements if each.on and each.cause == "remote_reconnect"}
        self.forced = {each.meter for each in self.movements if each.on and each.cause == "manual"}
        last = {each.meter: each.on for each in sorted(self.movements, key=lambda each: each.at)}
        self.dark = {meter for meter, on in last.items() if not on}
        self.first_cut_at = min((each.at for each in remote), default=None)

    @property
    def monday(self) -> list[Payment]:
        """Payments since the first cut of the Monday."""
        first = self.first_cut_at
        return [] if first is None else [each for each in self.payments if each.at >= first]

    @property
    def lit(self) -> set[int]:
        """Consumers who were told that their supply is back."""
        return {each.consumer for each in self.messages if each.kind == "restored"}

    @property
    def counter(self) -> list[Payment]:
        """Payments since the first cut by those who were lit again for it."""
        return [each for each in self.monday if each.consumer in self.lit]

    @property
    def raced(self) -> list[Payment]:
        """Payments of the day of the cut by those who were never told of a cut or a light: they paid in time."""
        if self.first_cut_at is None:
            return []
        day = min(each.business_at for each in self.movements).astimezone(INDIA).date()
        told = {each.consumer for each in self.messages if each.kind in ("cut", "restored")}
        return [each for each in self.payments if _day(each.business_at) == day and each.consumer not in told]

    @property
    def dropped_out(self) -> set[int]:
        """Reminded consumers who paid before the day of the cut."""
        if self.first_cut_at is None:
            return set()
        reminded = {each.consumer for each in self.messages if each.kind == "reminder"}
        day = min(each.business_at for each in self.movements).astimezone(INDIA).date()
        return {each.consumer for each in self.payments if _day(each.business_at) < day} & reminded

    def messages_by_day(self) -> Counter[tuple[date, str]]:
        """How many messages of each template went out on each business day."""
        return Counter((each.day, each.template) for each in self.messages)

    def messages_by_kind(self) -> Counter[str]:
        """How many messages of each kind went out."""
        return Counter(each.kind for each in self.messages)

    def inconsistencies(self) -> list[str]:
        """What no run may show: a relay moved twice the same way, a payment or a message numbered twice."""
        wrong = []
        now: dict[str, bool] = {}
        for each in self.movements:
            if now.get(each.meter, True) == each.on:
                wrong.append(f"meter {each.meter} moved {'on' if each.on else 'off'} twice")
            now[each.meter] = each.on
        for what, numbers in (
            ("payment", Counter(each.number for each in self.payments)),
            ("receipt", Counter(each.receipt for each in self.messages)),
        ):
            wrong += [f"{what} {number} is logged {count} times" for number, count in numbers.items() if count > 1]
        said = Counter((each.day, each.to, each.text) for each in self.messages)
        wrong += [f"{to} was told twice on {day}: {text}" for (day, to, text), count in said.items() if count > 1]
        wrong += [f"meter {meter} was restored and never cut" for meter in sorted(self.restored - self.cut)]
        return wrong

    def figures(self) -> dict[str, Any]:
        """The recount as plain values."""
        return {
            "cut": len(self.cut),
            "restored": len(self.restored),
            "forced": len(self.forced),
            "dark": len(self.dark),
            "paid": {"count": len(self.counter), "paise": sum(each.paise for each in self.counter)},
            "raced": {"count": len(self.raced), "paise": sum(each.paise for each in self.raced)},
            "dropped_out": len(self.dropped_out),
            "sms": {
                f"{day:%d-%m-%Y} {template}": count for (day, template), count in sorted(self.messages_by_day().items())
            },
        }


def differences(counted: Recount, told: Mapping[str, Any]) -> list[str]:
    """Every figure of the demo's JSON that the outside logs do not bear out; an empty list is agreement.

    A circle of meters without faults is assumed: each cut that was sent moved its relay.
    """
    by_division = told["cut"]["by_division"].values()
    pairs = [
        ("cut.sent", told["cut"]["sent"], len(counted.cut)),
        ("cut.confirmed", told["cut"]["confirmed"], len(counted.cut)),
        ("cut.by_division sent", sum(each["sent"] for each in by_division), len(counted.cut)),
        ("cut.by_division confirmed", sum(each["confirmed"] for each in by_division), len(counted.cut)),
        ("cut.unknown", told["cut"]["unknown"], 0),
        ("cut.field_tasks", told["cut"]["field_tasks"], 0),
        ("proposed", told["proposed"], len(counted.cut) + len(counted.raced)),
        ("cancelled_paid", told["cancelled_paid"], len(counted.raced)),
        ("dropped_out", told["dropped_out"], len(counted.dropped_out)),
        ("paid.count", told["paid"]["count"], len(counted.counter)),
        ("paid.rupees", told["paid"]["rupees"] * 100, sum(each.paise for each in counted.counter)),
        ("restored.confirmed", told["restored"]["confirmed"], len(counted.restored)),
        ("restored, as told to people", told["restored"]["confirmed"], len(counted.lit)),
        ("still_dark", told["still_dark"], len(counted.cut - counted.restored)),
        ("relay_off", told["relay_off"], len(counted.dark)),
        ("alerts", sorted({each["meter"] for each in told["alerts"]}), sorted(counted.forced)),
        ("sms.sent", told["sms"]["sent"], len(counted.messages)),
        ("sms.delivered", told["sms"]["delivered"], len(counted.messages)),
        ("sms.by_kind", dict(told["sms"]["by_kind"]), dict(counted.messages_by_kind())),
    ]
    return [f"{name}: told {said}, counted {found}" for name, said, found in pairs if said != found]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _message(entry: Mapping[str, Any]) -> Message:
    numbers = _CONSUMER.findall(entry["text"])
    return Message(
        at=_at(entry),
        day=_day(_at(entry, "business_at")),
        to=entry["to"],
        kind=KINDS[entry["template"].split("-")[1]],
        template=entry["template"],
        consumer=int(numbers[0]),
        text=entry["text"],
        receipt=entry["receipt"],
    )


def _at(entry: Mapping[str, Any], name: str = "at") -> datetime:
    return datetime.fromisoformat(entry[name])


def _day(at: datetime) -> date:
    return at.astimezone(INDIA).date()


def main(arguments: list[str]) -> int:
    """Print the recount, and what differs from the demo's JSON; 1 if anything does."""
    counted = Recount(Path(arguments[0]))
    wrong = counted.inconsistencies()
    if len(arguments) > 1:
        wrong += differences(counted, json.loads(Path(arguments[1]).read_text(encoding="utf-8")))
    sys.stdout.write(json.dumps(counted.figures(), ensure_ascii=False, indent=1) + "\n")
    sys.stdout.writelines(f"differs: {each}\n" for each in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The rehearsal's circle: the people of the Monday, what each owes and what each will do.

Everything follows from the seed and the arguments. The people and the layout depend on the seed, the number of
connections and the Monday alone, so that other payers or rupees change dues and choices but nobody's name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from bahal.rehearsal import almanac, dues
from bahal.rehearsal.dues import Account, Bill, Hold, Notice, Payment
from bahal.rehearsal.layout import Connection, Feeder, Office, Transformer, chance_for, lay
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.money import PAISE_IN_RUPEE

MOST_YOUNG = 2
"""So many bills at most are too young for the notice on a Monday."""

LEAST_A_PAYER = dues.LEAST_DUE + MOST_YOUNG * dues.ROOM_FOR_YOUNG
LEAST_RUPEES_A_PAYER = LEAST_A_PAYER + 9
"""With less than this on average the payers could not each owe more than the minimum on bills that a notice names, and
their youngest bills besides, with some room to differ."""


class ImpossibleRehearsal(Refusal):
    """The numbers asked for do not go together."""

    exit_code = USAGE


class NumberOutOfRange(ImpossibleRehearsal):
    """A number is below what makes sense."""

    code = "rehearsal_number_out_of_range"
    hi = "--{option} {value} नहीं चलेगा: कम से कम {least} दें।"
    en = "Option --{option} {value} will not do: give at least {least}."


class TooFewRupees(ImpossibleRehearsal):
    """The payers' money is less than what each of them must owe to have been cut."""

    code = "rehearsal_too_few_rupees"
    hi = "{payers} भुगतानकर्ताओं के लिए {rupees} रुपये कम हैं: कटे हुए हर कनेक्शन पर ₹5,000 से अधिक बकाया है, कम से कम {least} दें।"
    en = (
        "{rupees} rupees are too few for {payers} payers: each of the cut owes over Rs 5,000, so give at least {least}."
    )


class RupeesWithoutPayers(ImpossibleRehearsal):
    """Money to be paid, and nobody to pay it."""

    code = "rehearsal_rupees_without_payers"
    hi = "--payers 0 के साथ {rupees} रुपये कोई नहीं चुका सकता: --rupees 0 दें।"
    en = "With --payers 0 nobody can pay {rupees} rupees: give --rupees 0."


class TooManyPayers(ImpossibleRehearsal):
    """More people pay than are listed."""

    code = "rehearsal_too_many_payers"
    hi = "{payers} भुगतानकर्ता और {race} अंतिम क्षण के भुगतानकर्ता {defaulters} बकायादारों से अधिक हैं।"
    en = "{payers} payers and {race} who pay in the last instant are more than the {defaulters} defaulters."


class TooFewConsumers(ImpossibleRehearsal):
    """The circle is too small for those who owe."""

    code = "rehearsal_too_few_consumers"
    hi = "{consumers} उपभोक्ता कम हैं: बकायादार, बीच में चुकाने वाले और संरक्षित मिलाकर {special} होते हैं।"
    en = "{consumers} consumers are too few: those who owe, those who drop out and the protected ones are {special}."


class RosterTooShort(ImpossibleRehearsal):
    """The fleet has fewer meters than the circle has connections."""

    code = "rehearsal_roster_too_short"
    hi = "{consumers} कनेक्शनों के लिए {meters} मीटर कम हैं।"
    en = "{meters} meters are too few for {consumers} connections."


@dataclass(frozen=True, slots=True)
class Paying:
    """A payment somebody will make: `paise` at the counter."""

    connection: int
    paise: int


@dataclass(frozen=True, slots=True)
class Dropout:
    """Somebody who pays his due after this many reminders, before the next one is sent."""

    connection: int
    paise: int
    after_reminders: int


@dataclass(frozen=True, slots=True)
class Protected:
    """Somebody who owes more than the minimum and must not be cut; `why` is one of `dues.PROTECTIONS`."""

    connection: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """The whole circle before the first reminder. Money in paise; nothing here is changed by what happens later.

    `defaulters` are those of the list, by connection number; `payers` are some of them in the order in which they come
    to the counter, the last one completing the sum; `racers` pay in the instant before their own cut; `forcer`, one of
    those who stay dark, closes his meter by force (None if nobody stays dark).
    """

    seed: int
    monday: date
    offices: tuple[Office, ...]
    feeders: tuple[Feeder, ...]
    transformers: tuple[Transformer, ...]
    connections: tuple[Connection, ...]
    accounts: tuple[Account, ...]
    defaulters: tuple[int, ...]
    dropouts: tuple[Dropout, ...]
    protected: tuple[Protected, ...]
    payers: tuple[Paying, ...]
    racers: tuple[Paying, ...]
    forcer: int | None
    division_of: Mapping[int, int]

    @property
    def bills(self) -> tuple[Bill, ...]:
        """Every bill, by connection, the oldest first."""
        return tuple(bill for account in self.accounts for bill in account.bills)

    @property
    def payments(self) -> tuple[Payment, ...]:
        """Every payment made before the story."""
        return tuple(payment for account in self.accounts for payment in account.payments)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Every written notice."""
        return tuple(account.notice for account in self.accounts if account.notice is not None)

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold in force."""
        return tuple(account.hold for account in self.accounts if account.hold is not None)

    def by_number(self) -> dict[int, Connection]:
        """Connections by their number."""
        return {connection.number: connection for connection in self.connections}

    def due_paise(self) -> dict[int, int]:
        """What each connection owes before the first reminder, in paise."""
        return {
            connection.number: account.due_paise
            for connection, account in zip(self.connections, self.accounts, strict=True)
        }

    def enforceable_paise(self) -> dict[int, int]:
        """What of each connection's due its notice names, in paise."""
        return {account.connection.number: account.enforceable_paise for account in self.accounts}

    def division_names(self) -> dict[int, str]:
        """The division's name of each connection."""
        names = {office.id: office.name for office in self.offices}
        return {each.number: names[self.division_of[each.centre]] for each in self.connections}

    def most_cut(self) -> dict[str, int]:
        """The most of the listed on one transformer and on one feeder, for whoever sets the drive's caps."""
        feeder_of = {transformer.id: transformer.feeder for transformer in self.transformers}
        listed = set(self.defaulters)
        by_transformer: dict[int, int] = {}
        by_feeder: dict[int, int] = {}
        for each in self.connections:
            if each.number in listed:
                by_transformer[each.transformer] = by_transformer.get(each.transformer, 0) + 1
                feeder = feeder_of[each.transformer]
                by_feeder[feeder] = by_feeder.get(feeder, 0) + 1
        return {
            "transformer": max(by_transformer.values(), default=0),
            "feeder": max(by_feeder.values(), default=0),
        }

    def sha256(self) -> str:
        """A digest over everybody and everything, to tell whether two circles are the same."""
        digest = hashlib.sha256()
        for part in (
            self.offices, self.feeders, self.transformers, self.connections, self.accounts,
            self.defaulters, self.dropouts, self.protected, self.payers, self.racers, self.forcer,
        ):  # fmt: skip
            digest.update(repr(part).encode())
        return digest.hexdigest()


def usual_dropouts(defaulters: int) -> int:
    """How many more owe at first and pay between two reminders, unless the caller says otherwise."""
    return max(1, defaulters // 20) if defaulters else 0


def usual_protected(consumers: int) -> int:
    """How many owe and must not be cut: 12 in 10,000, but one of each kind where the circle has room for them."""
    return max(len(dues.PROTECTIONS) if consumers >= 500 else 0, consumers * 12 // 10_000)


def check_wishes(
    *,
    consumers: int,
    defaulters: int,
    payers: int,
    rupees: int,
    race: int,
    monday: date,
    dropouts: int | None = None,
    protected: int | None = None,
) -> tuple[int, int]:
    """Whether a circle of these numbers can be built; returns how many drop out and how many are protected.

    :raises NoCutsThatDay: the policy and calendar let nobody be cut on `monday`.
    :raises ImpossibleRehearsal: the numbers do not go together; the refusal says which.
    """
    almanac.check_cut_day(monday)
    for option, value, least in (
        ("consumers", consumers, 1), ("defaulters", defaulters, 0), ("payers", payers, 0), ("rupees", rupees, 0),
        ("race", race, 0), ("dropouts", dropouts or 0, 0), ("protected", protected or 0, 0),
    ):  # fmt: skip
        if value < least:
            raise NumberOutOfRange(option=option, value=value, least=least)
    room = max(0, consumers - defaulters)
    dropouts = min(usual_dropouts(defaulters), room) if dropouts is None else dropouts
    protected = min(usual_protected(consumers), max(0, room - dropouts)) if protected is None else protected
    special = defaulters + dropouts + protected
    if special > consumers:
        raise TooFewConsumers(consumers=consumers, special=special)
    if payers + race > defaulters:
        raise TooManyPayers(payers=payers, race=race, defaulters=defaulters)
    if rupees and not payers:
        raise RupeesWithoutPayers(rupees=rupees)
    if rupees < payers * LEAST_RUPEES_A_PAYER:
        raise TooFewRupees(rupees=rupees, payers=payers, least=payers * LEAST_RUPEES_A_PAYER)
    return dropouts, protected


def build_circle(
    *,
    seed: int,
    consumers: int,
    defaulters: int,
    payers: int,
    rupees: int,
    monday: date,
    meters: Sequence[Mapping[str, str]],
    race: int = 0,
    dropouts: int | None = None,
    protected: int | None = None,
) -> Circle:
    """Build the circle. `meters` are rows of the fleet's roster (`meter`, `make`); `rupees` is what the payers pay.

    `dropouts` and `protected` come on top of `defaulters`; without them, the usual numbers, as far as there is room.

    :raises NoCutsThatDay: the policy and calendar let nobody be cut on `monday`.
    :raises ImpossibleRehearsal: the numbers do not go together; the refusal says which.
    """
    dropouts, protected = check_wishes(
        consumers=consumers,
        defaulters=defaulters,
        payers=payers,
        rupees=rupees,
        race=race,
        monday=monday,
        dropouts=dropouts,
        protected=protected,
    )
    if len(meters) < consumers:
        raise RosterTooShort(consumers=consumers, meters=len(meters))

    layout = lay(seed=seed, consumers=consumers, meters=meters, monday=monday)
    connections = list(layout.connections)
    months = dues.Months(
        almanac.billing_months(monday, dues.MOST_BILLS),
        almanac.young_months(monday),
        monday - timedelta(days=almanac.POLICY.reminders),
    )
    chance = chance_for(seed, "choices")

    special = _spread(len(connections), defaulters + dropouts + protected, chance)
    _shuffle(special, chance)
    guarded, dropping, listed = (
        special[:protected],
        special[protected : protected + dropouts],
        special[protected + dropouts :],
    )
    paying, racing, staying = listed[:payers], listed[payers : payers + race], listed[payers + race :]

    why_of = {n: dues.PROTECTIONS[at % len(dues.PROTECTIONS)] for at, n in enumerate(guarded)}
    for n, why in why_of.items():
        if why == dues.PART_3:
            connections[n] = connections[n]._replace(phase=3, category="LV-2")
    due_of = dict(zip(paying, dues.shaped(rupees, payers, chance, least=LEAST_A_PAYER), strict=True))
    due_of |= {n: LEAST_A_PAYER + 49 + int(12_000 * chance.random() ** 2) for n in dropping}
    due_of |= {n: dues.long_tail(chance, least=LEAST_A_PAYER) for n in [*racing, *staying]}

    habits = chance_for(seed, "accounts")
    accounts: list[Account] = []
    for n, connection in enumerate(connections):
        if n in due_of:
            accounts.append(dues.defaulter(connection, due=due_of[n], chance=chance, months=months, monday=monday))
        elif n in why_of:
            accounts.append(dues.protected(connection, why=why_of[n], chance=chance, months=months, monday=monday))
        else:
            accounts.append(dues.ordinary(connection, chance=habits, months=months))

    connections = [account.connection for account in accounts]

    def number(n: int) -> int:
        return connections[n].number

    paid = [due_of[n] for n in paying]
    if paid:
        paid[-1] = rupees - sum(paid[:-1])
    return Circle(
        seed=seed,
        monday=monday,
        offices=layout.offices,
        feeders=layout.feeders,
        transformers=layout.transformers,
        connections=tuple(connections),
        accounts=tuple(accounts),
        defaulters=tuple(sorted(map(number, listed))),
        dropouts=tuple(
            Dropout(number(n), due_of[n] * PAISE_IN_RUPEE, 1 + int(chance.random() * (almanac.POLICY.reminders - 1)))
            for n in dropping
        ),
        protected=tuple(Protected(number(n), why) for n, why in why_of.items()),
        payers=tuple(Paying(number(n), paise * PAISE_IN_RUPEE) for n, paise in zip(paying, paid, strict=True)),
        racers=tuple(Paying(number(n), due_of[n] * PAISE_IN_RUPEE) for n in racing),
        forcer=number(staying[0]) if staying else None,
        division_of=layout.division_of,
    )


def _spread(total: int, count: int, chance: Random) -> list[int]:
    """`count` of `total` places, one drawn from each equal stretch: no transformer gets far more than its share."""
    edges = [total * n // count for n in range(count + 1)] if count else [0]
    return [low + int(chance.random() * (high - low)) for low, high in pairwise(edges)]


def _shuffle(items: list[int], chance: Random) -> None:
    for at in range(len(items) - 1, 0, -1):
        other = int(chance.random() * (at + 1))
        items[at], items[other] = items[other], items[at]

"""What went into transformers and feeders against what their meters measured, hour by hour and for the day."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np

from bahal.domains.network.operations import NewLoss, keep_losses
from bahal.domains.network.queries import Input, inputs
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.warn_falling import transformers
from bahal.lake.layout import Lake
from bahal.lake.signals.balance import Balance, balance
from bahal.lake.signals.placed import HOURS, Placed, placed

_SLOTS_AN_HOUR = 2


class _Sums(NamedTuple):
    """Of places of one scope, by id: Wh by hour, estimated half hours by hour, and how many meters came."""

    wh: dict[int, Any]
    estimated: dict[int, Any]
    came: dict[int, int]


def balance_energy(
    *,
    lake: Lake,
    day: date,
    actor: str,
    at: datetime,
    business_at: datetime,
    beside: Callable[[int], None] | None = None,
) -> int:
    """Balance every transformer and feeder that has an input meter; how many places have a row for the day now.

    A meter of which nothing came counts as unknown and lowers the confidence, as an input's estimated hours do. A place
    whose input meter did not come has no balance. A day balanced before is balanced anew.

    :param beside: called with the places inside the transaction, to commit with them.
    """
    wanted = inputs(on=day)
    sums = placed(lake, day=day, place_of=transformers, single=[each.meter for each in wanted])
    expected, feeder_of = _expected()
    with transaction():
        rows = []
        for scope in ("transformer", "feeder"):
            theirs = [each for each in wanted if each.scope == scope and each.meter in sums.single]
            if theirs:
                feeders = feeder_of if scope == "feeder" else None
                rows += _losses(scope, theirs, sums, _expected_of(expected, feeders), feeders, day, at)
        keep_losses(rows)
        record(
            actor=actor,
            act="network.balanced",
            subject="balance",
            data={"day": day, "places": len(rows)},
            at=at,
            business_at=business_at,
        )
        if beside is not None:
            beside(len(rows))
    return len(rows)


def _expected() -> tuple[Mapping[int, int], Mapping[int, int]]:
    """How many meters each transformer has, and on which feeder it is."""
    rows = many("SELECT transformer, feeder, meters FROM incident_place")
    return {row[0]: row[2] for row in rows}, {row[0]: row[1] for row in rows}


def _expected_of(meters: Mapping[int, int], feeder_of: Mapping[int, int] | None) -> dict[int, int]:
    found: dict[int, int] = {}
    for transformer, count in meters.items():
        place = transformer if feeder_of is None else feeder_of[transformer]
        found[place] = found.get(place, 0) + count
    return found


def _by_place(sums: Placed, feeder_of: Mapping[int, int] | None) -> _Sums:
    found = _Sums({}, {}, {})
    for nth, transformer in enumerate(sums.transformer.tolist()):
        place = transformer if feeder_of is None else feeder_of.get(transformer, -1)
        found.wh[place] = found.wh.get(place, 0) + sums.wh[nth]
        found.estimated[place] = found.estimated.get(place, 0) + sums.estimated[nth]
        found.came[place] = found.came.get(place, 0) + int(sums.meters[nth])
    return found


def _losses(
    scope: str,
    theirs: list[Input],
    sums: Placed,
    expected: Mapping[int, int],
    feeder_of: Mapping[int, int] | None,
    day: date,
    at: datetime,
) -> list[NewLoss]:
    out = _by_place(sums, feeder_of)
    zero = np.zeros(HOURS, np.int64)
    places = np.array(sorted(expected), np.int64)
    unknown = {place: max(0, expected[place] - out.came.get(place, 0)) for place in expected}
    out_wh = np.array([out.wh.get(place, zero) for place in places.tolist()])
    slots = np.array([max(expected[place], out.came.get(place, 0)) * _SLOTS_AN_HOUR for place in places.tolist()])
    guessed = np.array([out.estimated.get(place, zero) + unknown[place] * _SLOTS_AN_HOUR for place in places.tolist()])
    place_in = np.array([each.place for each in theirs], np.int64)
    in_wh = np.array([sums.single[each.meter][0] * each.factor for each in theirs])
    measured = _measured(theirs, sums)

    def balanced(wh_in: Any, wh_out: Any, estimated: Any, wanted: Any) -> Balance:
        return balance(
            place_in=place_in, in_wh=wh_in, place_out=places, out_wh=wh_out, estimated=estimated, expected=wanted
        )

    whole = balanced(in_wh.sum(axis=1), out_wh.sum(axis=1), guessed.sum(axis=1), slots * HOURS)
    hourly = [balanced(in_wh[:, hour], out_wh[:, hour], guessed[:, hour], slots) for hour in range(HOURS)]
    rows = []
    for nth, place in enumerate(whole.place.tolist()):
        sure = [each.confidence[nth] * measured[place][hour] for hour, each in enumerate(hourly)]
        rows.append(
            NewLoss(
                scope, place, day, int(whole.in_wh[nth]), int(whole.out_wh[nth]), int(whole.lost_wh[nth]),
                round(float(whole.confidence[nth] * np.mean(measured[place])) * 1_000),
                out.came.get(place, 0), unknown.get(place, 0),
                [int(each.in_wh[nth]) for each in hourly], [int(each.out_wh[nth]) for each in hourly],
                [round(float(share) * 1_000) for share in sure], at,
            )
        )  # fmt: skip
    return rows


def _measured(theirs: list[Input], sums: Placed) -> dict[int, Any]:
    """By place and hour, the share of its input's half hours that was measured: the least of its meters'."""
    found: dict[int, Any] = {}
    for each in theirs:
        share = 1 - sums.single[each.meter][1] / _SLOTS_AN_HOUR
        found[each.place] = np.minimum(found.get(each.place, 1.0), share)
    return found

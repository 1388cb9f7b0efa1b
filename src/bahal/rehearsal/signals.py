"""What the week's readings say: its days worked through as the worker does it, and what the report tells of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bahal.domains.network.queries import losses, names_of
from bahal.domains.protection.queries import warnings
from bahal.domains.readings.work import latest_runs
from bahal.journeys.work_through_days import work_through_days
from bahal.lake.layout import open_lake
from bahal.lake.signals.balance import SURE
from bahal.lake.signals.falling import WEEK
from bahal.rehearsal.circle import Circle
from bahal.rehearsal.collecting import LOOK_BACK_DAYS
from bahal.shared.clock import Clock

_DAY = timedelta(days=1)
_POLL_S = 0.1
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Looks at the week before the Monday in the lake at this address."""

    circle: Circle
    lake: str
    clock: Clock

    def look(self) -> dict[str, Any]:
        """Work through the days, beside the worker if it has begun; what the report says of the week."""
        monday = self.circle.monday
        lake = open_lake(self.lake)
        while True:
            if work_through_days(lake=lake, at=self.clock.wall(), business_at=self.clock.now()):
                continue
            runs = latest_runs(start=monday - timedelta(days=LOOK_BACK_DAYS), end=monday + _DAY)
            if not [run for run in runs.values() if run.done_at is None] and ("falling", monday) in runs:
                break
            time.sleep(_POLL_S)  # the worker is at it
        found: dict[str, int] = {}
        meters = estimated = 0
        for back in range(WEEK, 0, -1):
            outcome = runs["validate", monday - timedelta(days=back)].outcome or {}
            meters += outcome["meters"]
            estimated += outcome["estimated"]
            for rule, count in outcome["found"].items():
                found[rule] = found.get(rule, 0) + count
        return {
            "meter_days": meters,
            "estimated": estimated,
            "found": dict(sorted(found.items())),
            "worst": self._worst(),
            "falling": [
                {"meter": each.meter, "connection": each.connection, "missing_percent": each.missing_permille // 10,
                 "usual_kwh": round(each.usual_wh / 1000, 1)}
                for each in warnings(limit=_TOLD)
            ],
        }  # fmt: skip

    def _worst(self) -> list[dict[str, Any]]:
        sunday = self.circle.monday - _DAY
        rows = losses(day=sunday, scope="transformer", sure_permille=round(SURE * 1_000), limit=_TOLD)
        names = names_of(feeders=[], transformers=[each.place for each in rows])
        return [
            {"transformer": names["transformer", each.place], "in_wh": each.in_wh, "lost_wh": each.lost_wh,
             "confidence_permille": each.confidence_permille}
            for each in rows
        ]  # fmt: skip

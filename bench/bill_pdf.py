"""Bills as PDF: milliseconds a page, and a thousand of them in one set of files.

Each bill has its own numbers, names, bars and QR code. The first page of a process, in which fonts are read, is printed
apart and not counted; the thousand are written to a folder, as for the post.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.gateways.test_paper import BILL

from bahal.gateways.paper.sheets import Month, Words
from bahal.gateways.paper.typesetting import bill_pdf
from bench.figures import closing, median_of

GOAL_MS = 40.0
BATCH = 1_000


def main() -> None:
    """Three runs of a hundred, then the thousand."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--bills", type=int, default=BATCH)
    given = asked.parse_args()

    def bill(nth: int) -> bytes:
        return bill_pdf(
            replace(
                BILL, number=f"202510-{nth}", consumer=2_200_000_000 + nth,
                name=Words(f"उपभोक्ता {nth}", f"Consumer {nth}"), paise=BILL.paise + nth * 100, upi=f"upi://pay?pa=company@bank&am={nth}.00&tr={nth}&cu=INR",
                months=tuple(Month(each.month, (each.units * nth) % 500, each.estimated) for each in BILL.months),
            )
        )  # fmt: skip

    began = time.perf_counter()
    bill(0)
    print(f"the first page of a process: {(time.perf_counter() - began) * 1e3:.0f} ms")
    runs = []
    for run in range(3):
        began = time.perf_counter()
        for nth in range(100):
            bill(run * 100 + nth)
        runs.append((time.perf_counter() - began) * 10)
    page = median_of("a page", runs, unit="ms")
    with tempfile.TemporaryDirectory(prefix="bahal-bills-") as folder:
        began = time.perf_counter()
        for nth in range(given.bills):
            Path(folder, f"202510-{nth:06}.pdf").write_bytes(bill(nth))
        took = time.perf_counter() - began
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{given.bills} bills in one set of files: {took:.1f} s, {size / 2**20:.0f} MiB")
    closing("bill-pdf", round(page, 1), "ms", reference="24 ms: the trial's page", ratio=page / 24, goal=GOAL_MS,
            met=page <= GOAL_MS, batch_s=round(took, 1))  # fmt: skip


if __name__ == "__main__":
    main()

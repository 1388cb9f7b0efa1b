"""How long a drive will take: what a cell did, what it is assumed to do, and never less for more."""

from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.supply.eta import ASSUMED_S, AT_ONCE, ENOUGH, CellHistory, Eta, eta, seconds_of

FAST = CellHistory("fast", 1.0, 1.0, 100, 50.0)
FEW = CellHistory("few", 2.0, 1.5, ENOUGH - 1, 1.0)


def test_a_cell_is_believed_by_its_pace_or_by_its_sessions() -> None:
    assert seconds_of(0, FAST) == 0
    assert seconds_of(200, FAST) == 100.0
    assert seconds_of(1, FAST) == 4.0  # not less than a session
    assert seconds_of(AT_ONCE + 1, FEW) == 2 * 4 * 2.0 * 1.5
    assert seconds_of(AT_ONCE + 1, None) == 2 * ASSUMED_S


def test_the_slowest_cell_ends_the_drive_and_caps_are_told() -> None:
    found = eta(
        {"fast": 200, "few": 3, "": 1}, {"fast": FAST, "few": FEW}, canary=50, ceilings={"drive": 150, "x": 500}
    )
    assert found == Eta(12.0 + 100.0, "fast", 1, 54)  # one order of the canary in the slowest cell, then the rest
    assert eta({}, {}) == Eta(0.0, "", 0, 0)
    assert eta({"a": 5}, {}).beyond_caps == 0


histories = st.none() | st.builds(
    CellHistory, st.just("c"), st.floats(0.01, 60), st.floats(1, 5), st.integers(1, 1000), st.floats(0.1, 10_000)
)


@given(st.integers(0, 5000), st.integers(0, 5000), histories)
def test_more_orders_never_take_less(some: int, more: int, history: CellHistory | None) -> None:
    assert seconds_of(some, history) <= seconds_of(some + more, history)

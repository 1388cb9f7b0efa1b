"""Room and the queue for it: restore > payment > alarm > cut > profile, limits per cell and in total, a bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.headend.pacing import SPARE_IN_CELL, Pacing, PacingFull, Service


class Line:
    """Notes who was started, in order."""

    def __init__(self, pacing: Pacing) -> None:
        self.pacing = pacing
        self.started: list[str] = []

    def offer(self, name: str, service: Service = Service.CUT, cell: str = "a", *, starts: bool = True) -> None:
        def start() -> bool:
            self.started.append(name)
            return starts

        self.pacing.offer(service, cell, start)


def pacing(*, total: int = 2, per_cell: int = 2, waiting: int = 100) -> Line:
    return Line(Pacing(total=total, per_cell=per_cell, waiting=waiting))


def test_starts_at_once_while_there_is_room() -> None:
    line = pacing()
    line.offer("one")
    line.offer("two")
    line.offer("three")
    assert line.started == ["one", "two"]
    assert (line.pacing.running, line.pacing.waiting) == (2, 1)


def test_waiting_ones_go_by_order_of_service_then_arrival() -> None:
    line = pacing(total=1, per_cell=1)
    line.offer("running", Service.PROFILE)
    for name, service in [("p", Service.PROFILE), ("c", Service.CUT), ("a", Service.ALARM), ("m", Service.PAYMENT)]:
        line.offer(name + "1", service)
        line.offer(name + "2", service)
    for _ in range(9):
        line.pacing.ended("a")
    assert line.started[1:] == ["m1", "m2", "a1", "a2", "c1", "c2", "p1", "p2"]


def test_a_restore_goes_over_a_full_cell_and_a_full_process_by_a_little() -> None:
    line = pacing(total=1, per_cell=1)
    line.offer("cut")
    for n in range(4):
        line.offer(f"restore{n}", Service.RESTORE)
    spare_in_total = 1
    assert line.started == ["cut", *(f"restore{n}" for n in range(min(SPARE_IN_CELL, spare_in_total)))]
    line.pacing.ended("a")
    assert line.started[-1] == "restore1"


def test_a_full_cell_does_not_keep_another_cell_waiting() -> None:
    line = pacing(total=10, per_cell=1)
    line.offer("a1", cell="a")
    line.offer("a2", cell="a")
    line.offer("b1", cell="b")
    assert line.started == ["a1", "b1"]
    line.pacing.ended("a")
    assert line.started == ["a1", "b1", "a2"]


def test_cells_take_turns_when_the_total_is_what_lacks() -> None:
    line = pacing(total=1, per_cell=5)
    line.offer("first", cell="x")
    for n in range(3):
        line.offer(f"a{n}", cell="a")
    for n in range(3):
        line.offer(f"b{n}", cell="b")
    cell_of = {"f": "x", "a": "a", "b": "b"}
    for _ in range(6):
        line.pacing.ended(cell_of[line.started[-1][0]])
    assert line.started == ["first", "a0", "b0", "a1", "b1", "a2", "b2"]


def test_who_does_not_start_after_all_holds_no_room() -> None:
    line = pacing(total=1, per_cell=1)
    line.offer("late", starts=False)
    line.offer("next")
    assert line.started == ["late", "next"]
    assert (line.pacing.running, line.pacing.waiting) == (1, 0)


def test_the_wait_is_bounded() -> None:
    line = pacing(total=1, per_cell=1, waiting=2)
    line.offer("one")
    line.offer("two")
    line.offer("three")
    with pytest.raises(PacingFull) as full:
        line.offer("four")
    assert full.value.waiting == 2


def test_room_is_what_can_be_started_and_not_yet_waits() -> None:
    line = pacing(total=3, per_cell=1, waiting=10)
    assert line.pacing.room() == 3
    line.offer("a1", cell="a")
    line.offer("a2", cell="a")
    assert line.pacing.room() == 1
    assert line.pacing.room(Service.RESTORE) == 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(list(Service)), st.sampled_from("abc")),
            st.sampled_from("abc"),
        ),
        max_size=200,
    )
)
def test_limits_hold_and_nobody_waits_beside_free_room(steps: list[tuple[Service, str] | str]) -> None:
    total, per_cell = 4, 2
    paced = Pacing(total=total, per_cell=per_cell, waiting=1000)
    running: dict[str, int] = dict.fromkeys("abc", 0)
    waiting: list[tuple[Service, str]] = []

    def start(service: Service, cell: str) -> bool:
        running[cell] += 1
        waiting.remove((service, cell))
        return True

    for step in steps:
        if isinstance(step, tuple):
            service, cell = step
            waiting.append(step)
            paced.offer(service, cell, lambda service=service, cell=cell: start(service, cell))  # type: ignore[misc]
        elif running[step]:
            running[step] -= 1
            paced.ended(step)
        assert paced.running == sum(running.values())
        assert paced.waiting == len(waiting)
        for service, cell in waiting:
            spare = service is Service.RESTORE
            cell_full = running[cell] >= per_cell + SPARE_IN_CELL * spare
            assert cell_full or paced.running >= total + (total // 20 + 1) * spare
        assert paced.running <= total + total // 20 + 1
        assert max(running.values()) <= per_cell + SPARE_IN_CELL

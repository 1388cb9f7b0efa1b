"""A poor net: each link has a delay of its own, the same for the same seed, and some connections are lost."""

from bahal.fleet.faults import PROFILES, behaviours, link_delay

METERS = [(f"CG{n}", f"cell-{n // 200}") for n in range(2_000)]


def test_each_link_has_its_own_delay() -> None:
    far = PROFILES["far"]
    found = behaviours(far, METERS, seed=7, reply_delay=0.0)
    delays = [found[row].reply_delay for row in range(2_000)]
    assert all(far.link_from_s <= delay <= far.link_to_s for delay in delays)
    assert abs(sum(delays) / 2_000 - (far.link_from_s + far.link_to_s) / 2) < 0.2
    assert delays == [link_delay(far, seed=7, serial=serial) for serial, _ in METERS]
    assert delays != [link_delay(far, seed=8, serial=serial) for serial, _ in METERS]
    assert {each.lost_links for each in found.values()} == {0.05}


def test_other_profiles_leave_links_as_they_are() -> None:
    assert behaviours(PROFILES["none"], METERS, seed=7, reply_delay=0.0) == {}

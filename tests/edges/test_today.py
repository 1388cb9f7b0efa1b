"""Today: what waits for somebody, counted and opened by the same question."""

from bahal.foundation.rows import value
from bahal.journeys.needs_now import QUEUES, SECTIONS, needs_now, open_queue
from tests.edges import staff
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def test_counts_are_those_of_the_lists_and_of_the_circle_alone(database: Database) -> None:
    place = town.found(connections=3)
    staff.found_other_circle()
    staff.enrol()
    place.drive()
    interlock.lend(database)
    first = place.connections[0]
    order = value("SELECT id FROM supply_order WHERE connection = %s", first)
    with database.connect("owner") as owner:
        owner.execute(
            'INSERT INTO fieldwork_task (connection, meter, "order", reason, opened_at)'
            " VALUES (%s, %s, %s, 'unreachable', now()), (%s, 'M', NULL, 'unreachable', now())",
            [first, f"M{first}", order, staff.THEIRS],
        )
        owner.execute(
            "INSERT INTO meters_mismatch (meter, connection, kind, facts, opened_at)"
            " VALUES (%s, %s, 'on_without_order', '{}', now())",
            [f"M{first}", first],
        )
    here, there = frozenset({town.CIRCLE}), frozenset({staff.OTHER_CIRCLE})
    assert needs_now(circles=here).counts == dict.fromkeys(QUEUES, 0) | {"tasks": 1, "mismatches": 1}
    assert needs_now(circles=there).counts == dict.fromkeys(QUEUES, 0) | {"tasks": 1}
    assert needs_now(circles=frozenset()).counts == dict.fromkeys(QUEUES, 0)
    for queue in QUEUES:
        assert len(open_queue(queue=queue, circles=here)) == needs_now(circles=here).counts[queue]
    client = staff.browser("executive_engineer")
    text = client.get("/office/").content.decode()
    assert 'queue?name=tasks"><span class="big">1</span>' in text
    assert 'queue?name=alerts"' not in text, "what is empty opens to nothing"
    assert ">24-11-2025</a> <strong>running</strong>" in text.replace("Drive 1: ", "")
    tasks = client.get("/office/queue?name=tasks&lang=hi").content.decode()
    assert "मीटर से संपर्क नहीं हुआ" in tasks
    assert str(first) in tasks
    assert str(staff.THEIRS) not in tasks


def test_every_queue_has_its_words() -> None:
    assert SECTIONS.keys() == QUEUES.keys()

"""A drive of some of a circle: by office, feeder, arrears, or an uploaded list. A selection adds nobody."""

from datetime import datetime, timedelta

import pytest

from bahal.domains.network.operations import NewFeeder, NewTransformer, add_feeders, add_transformers
from bahal.domains.offices.errors import OfficeUnknown
from bahal.domains.supply.errors import ListChanged, NobodyToCut
from bahal.foundation.transactions import transaction
from bahal.journeys.draft_drive import Draft, draft_drive
from bahal.journeys.eligibility import Selection
from bahal.journeys.propose_drive import propose_drive
from bahal.journeys.replay_drive import replay_drive
from bahal.journeys.take_payment import take_payment
from bahal.journeys.upload_list import ListHasErrors, ListUnreadable, upload_list
from bahal.shared.warrant import sign
from tests.journeys import town
from tests.plugin.databases import Database

FOUR_HOURS = timedelta(hours=4)


def draft(selection: Selection, *, at: datetime = town.NINE) -> Draft:
    return draft_drive(
        office=town.CIRCLE, maker="ee", not_before=town.TEN, expires_at=town.TEN + FOUR_HOURS, business_at=at,
        selection=selection,
    )  # fmt: skip


def test_each_selection_takes_its_part(database: Database) -> None:
    place = town.found(connections=6)
    numbers = place.connections
    with transaction():
        add_feeders([NewFeeder(2, "Feeder 2", "Substation", 200)])
        add_transformers([NewTransformer(2, "T2", 2, 100, 22.0, 82.1)])
    with database.connect("owner") as owner:
        owner.execute("UPDATE network_connection SET transformer_id = 2 WHERE id = %s", [numbers[0]])
    paid = 50_000
    take_payment(key="k", connection=numbers[5], paise=paid, channel="upi", actor="cashier", business_at=town.NINE)
    parts = {
        6: Selection(),
        2: Selection(office=101),
        1: Selection(feeder=2),
        5: Selection(least_paise=town.DUE),
    }
    for count, selection in parts.items():
        assert draft(selection).orders == count
    assert draft(Selection(office=300, feeder=1)).orders == 1
    assert draft(Selection(most_paise=town.DUE - paid)).sum_paise == town.DUE - paid
    assert draft(Selection(least_paise=town.DUE - paid, most_paise=town.DUE)).orders == 6
    assert draft(Selection(connections=frozenset([*numbers[2:4], 9_999_999_999]))).orders == 2
    for nobody in (Selection(feeder=3), Selection(connections=frozenset()), Selection(most_paise=1)):
        with pytest.raises(NobodyToCut):
            draft(nobody)
    with pytest.raises(OfficeUnknown):
        draft(Selection(office=999))


def test_a_draft_is_proposed_for_its_own_selection_and_replays(database: Database) -> None:
    place = town.found(connections=6)
    chosen = Selection(office=101, connections=frozenset(place.connections))
    made = draft(chosen)
    signature = sign(town.key_of("ee"), made.document, "maker")
    how = {"document": made.document, "signature": signature, "name": "part", "at": place.wall}
    with pytest.raises(ListChanged):
        propose_drive(**how, business_at=town.NINE)
    proposed = propose_drive(**how, business_at=town.NINE, selection=chosen)
    assert proposed.orders == 2
    assert replay_drive(drive=proposed.drive).differs == []


def test_a_list_names_each_wrong_row(database: Database) -> None:
    place = town.found(connections=3)
    first, second, third = place.connections
    text = (
        f"\ufeffनाम,उपभोक्ता क्रमांक\r\nA,{first}\r\nB, {second} \r\n\r\nC,22000\r\nD,{first}\r\nE,9999999999\r\n"
        f"F\r\nG,=1+1\r\nH,२२००००००००\r\n"
    )
    found = upload_list(text.encode(), circle=town.CIRCLE)
    assert found.connections == {first, second}
    assert [(each.line, each.given, each.why) for each in found.errors] == [
        (5, "22000", "not_a_number"), (6, str(first), "twice"), (7, "9999999999", "unknown"), (8, "", "not_a_number"),
        (9, "=1+1", "not_a_number"), (10, "२२००००००००", "not_a_number"),
    ]  # fmt: skip
    refusal = ListHasErrors.of(found.errors)
    assert refusal.data["count"] == 6
    assert "unknown" in refusal.text("hi")
    bare = upload_list(f"{third}\n{first}\n".encode(), circle=town.CIRCLE)
    assert (bare.connections, bare.errors) == ({first, third}, [])
    elsewhere = upload_list(f"{first}".encode(), circle=1)
    assert (elsewhere.connections, elsewhere.errors[0].why) == (frozenset(), "another_circle")
    for wrong in (b"", b"consumer\n", b"\xff\xfe\x00", b"1" * (4 * 1024 * 1024 + 1)):
        with pytest.raises(ListUnreadable):
            upload_list(wrong, circle=town.CIRCLE)

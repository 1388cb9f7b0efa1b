"""Every act has its sentences; what is sealed cannot be changed unseen; nobody of ours may change it at all."""

import ast
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

import bahal
from bahal.foundation.audit.checking import Finding, Seal
from bahal.foundation.audit.operations import Act, horizon, record, record_many, seal_batch, verify
from bahal.foundation.audit.queries import story_of
from bahal.foundation.audit.sentences import SENTENCES, sentence
from bahal.foundation.rows import many, value
from bahal.foundation.transactions import transaction
from bahal.journeys.seal_audit import seal_audit
from bahal.shared.database import ROLES, Role
from bahal.shared.errors import names_in
from tests.plugin.databases import Database

AT = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
TIMES = {"at": AT, "business_at": AT}
SOURCE = Path(bahal.__file__).parent


def write(count: int, *, connection: int = 7) -> None:
    with transaction():
        acts = [
            Act("hold.lifted", f"hold {nth}", connection, {"hold": nth, "kind": "complaint"}) for nth in range(count)
        ]
        record_many(acts, actor="ee", **TIMES)  # type: ignore[arg-type]


def seal() -> Seal:
    sealed = seal_audit(horizon(), at=AT)
    assert sealed is not None
    return sealed


def superuser(database: Database, *statements: str) -> None:
    """Do what no role of ours may: with the triggers off, as whoever owns the machine could."""
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
        owner.execute("ALTER TABLE audit_batch DISABLE TRIGGER ALL")
        for statement in statements:
            owner.execute(statement)


def _words_of(value: ast.expr) -> list[ast.Constant]:
    """The act that is named, or both where one of two is."""
    either = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    return [each for each in either if isinstance(each, ast.Constant)]


def test_every_act_in_the_code_has_its_sentences() -> None:
    acts = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).split(".")[-1]
            if called == "Act" and node.args and isinstance(node.args[0], ast.Constant):
                acts.add(node.args[0].value)
            acts.update(
                said.value
                for keyword in node.keywords
                if called == "record" and keyword.arg == "act"
                for said in _words_of(keyword.value)
            )
    built = (
        {f"supply.{kind}.confirmed" for kind in ("cut", "restore")}
        | {f"supply.order.{end}" for end in ("unknown", "field_task", "ended")}
        | {f"ground.{noted}" for noted in ("requested", "hazard", "finding")}
        | {"payment.taken", "notice.steps"}
    )  # written by payment_take and notices_append, in the database
    assert acts | built == SENTENCES.keys()


@pytest.mark.parametrize("act", sorted(SENTENCES))
def test_both_languages_name_the_same_data(act: str) -> None:
    hindi, english = SENTENCES[act]
    assert names_in(hindi) == names_in(english)
    assert any("\u0900" <= letter <= "\u097f" for letter in hindi)
    assert english.isascii()


def test_an_act_without_sentence_or_datum_is_not_recorded(database: Database) -> None:
    for act, data in (("no.such.act", {}), ("hold.lifted", {"hold": 1})):
        with pytest.raises(KeyError), transaction():
            record(actor="ee", act=act, subject="x", data=data, **TIMES)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="needs its caller's transaction"):
        record(actor="ee", act="hold.lifted", subject="x", data={"hold": 1, "kind": "x"}, **TIMES)  # type: ignore[arg-type]
    assert value("SELECT count(*) FROM audit_entry") == 0


def test_a_sentence_shows_rupees_times_and_what_is_missing() -> None:
    data = {"hold": 3, "kind": "hospital", "evidence": "letter", "expires_at": "2025-12-24T04:30:00+00:00"}
    assert (
        sentence("hold.placed", data, "en") == "Hold 3 (hospital) placed, evidence: letter; until 24-12-2025 10:00:00."
    )
    assert sentence("hold.placed", {**data, "expires_at": None}, "en").endswith("until —.")
    assert "₹1,234.50" in sentence("bill.posted", {"bills": 1, "paise": 123450, "advance_paise": 0}, "hi")


def test_a_connections_story_is_told_in_order(database: Database) -> None:
    write(2, connection=7)
    write(1, connection=8)
    assert [told.sentence for told in story_of(connection=7, language="en")] == [
        "Hold 0 (open complaint) lifted.",
        "Hold 1 (open complaint) lifted.",
    ]


def test_batches_chain_and_verify(database: Database) -> None:
    write(3)
    first = seal()
    assert seal_audit(horizon(), at=AT) is None
    write(2)
    second = seal()
    assert (first.entries, second.entries) == (3, 2)
    assert many("SELECT previous_sha256 FROM audit_batch ORDER BY id")[1] == (first.sha256,)
    assert verify([first, second]) == []


def test_a_late_transaction_is_not_sealed_over(database: Database) -> None:
    statement = (
        "INSERT INTO audit_entry (at, business_at, actor, act, subject, data)"
        " VALUES (now(), now(), 'x', 'hold.lifted', 'late', '{\"hold\": 9, \"kind\": \"x\"}')"
    )
    with database.connect("app", autocommit=False) as late:
        late.execute(statement)
        write(2)
        seen = horizon()
        with transaction():
            assert seal_batch(seen, at=AT) is None
        late.commit()
    sealed = seal_audit(seen, at=AT)
    assert sealed is not None
    assert sealed.entries == 3
    assert verify() == []


@pytest.mark.parametrize(
    ("statement", "what", "entry"),
    [
        ("UPDATE audit_entry SET actor = 'nobody' WHERE id = 2", "entry_edited", 2),
        ("UPDATE audit_entry SET data = '{\"hold\": 1}' WHERE id = 2", "entry_edited", 2),
        ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = 2", "entry_edited", 2),
        ("DELETE FROM audit_entry WHERE id = 2", "entry_deleted", 2),
        (
            "INSERT INTO audit_entry (id, at, business_at, actor, act, subject, data)"
            " SELECT 4, at, business_at, actor, act, subject, data FROM audit_entry WHERE id = 2",
            "entry_added",
            4,
        ),
        ("UPDATE audit_batch SET sha256 = repeat('0', 64) WHERE id = 1", "chain_broken", None),
        ("UPDATE audit_batch SET members = members || members WHERE id = 1", "chain_broken", None),
    ],
)
def test_whoever_changes_a_sealed_row_is_found_out(
    database: Database, statement: str, what: str, entry: int | None
) -> None:
    write(3)
    superuser(database, "ALTER TABLE audit_entry ALTER id RESTART WITH 5")
    write(1)
    seal()
    write(2)
    seal()
    superuser(database, statement)
    findings = [replace(finding, line=None) for finding in verify()]
    assert Finding(what, 1, entry) in findings
    assert {finding.what for finding in findings} == {what}


def test_a_cut_off_end_is_found_by_the_seals_kept_outside(database: Database) -> None:
    write(3)
    first = seal()
    write(2)
    second = seal()
    superuser(
        database,
        f"DELETE FROM audit_batch WHERE id = {second.batch}",  # noqa: S608
        f"DELETE FROM audit_entry WHERE id >= {second.first_entry}",  # noqa: S608
    )
    assert verify() == []  # from the inside nothing is missing
    assert verify([first, second]) == [Finding("batch_missing", second.batch)]
    assert verify([replace(first, sha256="0" * 64)]) == [Finding("batch_changed", first.batch)]


MONEY_AND_AUDIT = (
    "ledger_transaction", "ledger_posting", "payments_payment", "billing_bill", "audit_entry", "audit_batch",
    "audit_root",
)  # fmt: skip


def test_no_role_changes_money_or_audit(database: Database) -> None:
    write(1)
    for role in ROLES:
        refused_changes(database, role)


def refused_changes(database: Database, role: Role) -> None:
    with database.connect(role) as connection:
        for table in MONEY_AND_AUDIT:
            for form in ("TRUNCATE {} CASCADE", "UPDATE {} SET id = id", "DELETE FROM {}"):
                statement = form.format(table)
                if role == "owner" and table != "audit_entry" and not statement.startswith("TRUNCATE"):
                    continue  # a row trigger needs a row, and the owner's right is shown by the others
                with pytest.raises(psycopg.Error) as refused:
                    connection.execute(statement)
                assert refused.value.sqlstate in ("42501", "BH001"), statement

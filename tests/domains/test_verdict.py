"""One verdict, in Python for those who look and in SQL for the interlock: both say the same of any facts."""

from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.arrears.verdict import VERDICTS, Facts, judge
from tests.plugin.databases import Database

facts = st.builds(
    Facts,
    enforceable_paise=st.none() | st.integers(min_value=-10, max_value=10) | st.integers(0, 2**62),
    minimum_paise=st.none() | st.integers(min_value=0, max_value=10) | st.integers(0, 2**62),
    noticed=st.none() | st.booleans(),
    reminded=st.none() | st.booleans(),
    held=st.none() | st.sampled_from(["hospital", "court_stay"]),
    policy=st.none() | st.just("p1"),
)


def test_python_and_sql_agree(database: Database) -> None:
    with database.connect("interlock") as interlock:

        @given(st.lists(facts, min_size=1, max_size=50))
        def agree(asked: list[Facts]) -> None:
            rows = interlock.execute(
                "SELECT authority_verdict(f.e, f.m, f.n, f.r, f.h, f.p) FROM unnest(%s::bigint[], %s::bigint[],"
                " %s::boolean[], %s::boolean[], %s::text[], %s::text[]) WITH ORDINALITY AS f (e, m, n, r, h, p, nth)"
                " ORDER BY f.nth",
                [list(column) for column in zip(*map(astuple, asked), strict=True)],
            ).fetchall()
            assert [row[0] for row in rows] == [judge(each) for each in asked]

        agree()


@given(facts)
def test_a_verdict_is_cut_only_when_nothing_speaks_against_it(asked: Facts) -> None:
    verdict = judge(asked)
    assert verdict in VERDICTS
    assert (verdict == "cut") == bool(
        asked.policy
        and not asked.held
        and asked.noticed
        and asked.reminded
        and asked.minimum_paise is not None
        and (asked.enforceable_paise or 0) > asked.minimum_paise
    )

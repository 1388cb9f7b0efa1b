"""One rule, in Python for those who look and in SQL for the interlock: both give the same reasons for any facts."""

from dataclasses import astuple, replace

from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.arrears.models import AREA_KINDS, HOLD_KINDS, NEEDS
from bahal.domains.supply.eligibility import CAUSES, COLUMNS, REASONS, Facts, judge, reasons, told
from bahal.shared.words import WORDS
from tests.plugin.databases import Database

HOURS = ("no_cut_day", "outside_window", "quiet_hours")
CONVERSION = ("conversion_unreconciled", "conversion_grace")
STANDING = ("order_open", "off_already", "cut_within_24_hours")
PENDING = ("cheque", "online_order", "unbooked", "webhook", "payer_to_name")


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.sets(st.sampled_from(names), max_size=3).map(lambda chosen: [name for name in names if name in chosen])


def mostly(nothing: object, otherwise: st.SearchStrategy) -> st.SearchStrategy:
    return st.just(nothing) | st.just(nothing) | st.just(nothing) | otherwise


paise = st.integers(min_value=-10, max_value=10) | st.integers(0, 2**62)
facts = st.builds(
    Facts,
    policy=mostly("p1", st.none()),
    hours=mostly([], st.none() | some_of(HOURS)),
    held=mostly([], some_of(HOLD_KINDS)),
    area_held=mostly([], some_of(AREA_KINDS)),
    vulnerable=mostly(None, st.sampled_from(NEEDS)),
    pending=mostly([], some_of(PENDING)),
    plan_open=mostly(False, st.none() | st.booleans()),
    conversion=mostly([], some_of(CONVERSION)),
    review_open=mostly(False, st.none() | st.booleans()),
    stale_channels=mostly([], some_of(("portal", "gateway"))),
    noticed=mostly(True, st.none() | st.booleans()),
    enforceable_paise=st.none() | paise,
    minimum_paise=st.none() | st.integers(0, 10),
    balance_paise=paise,
    causes=some_of(CAUSES),
    reminded=mostly(True, st.none() | st.booleans()),
    meter=mostly(None, st.sampled_from(("no_meter", "no_relay"))),
    standing=mostly([], some_of(STANDING)),
    waived=mostly([], some_of(REASONS)),
)

_ASK = """
SELECT authority_waive(authority_against(
    %s::text, %s::text[], %s::text[], %s::text[], %s::text, %s::text[], %s::boolean, %s::text[], %s::boolean,
    %s::text[], %s::boolean, %s::bigint, %s::bigint, %s::bigint, %s::text[], %s::boolean, %s::text,
    %s::text[]), %s::text[])
"""


def test_python_and_sql_agree(database: Database) -> None:
    with database.connect("interlock") as interlock:

        @given(st.lists(facts, min_size=1, max_size=20))
        def agree(asked: list[Facts]) -> None:
            for each in asked:
                row = interlock.execute(_ASK, list(astuple(each))).fetchone()
                assert row is not None
                assert tuple(row[0]) == reasons(each)
                verdict = interlock.execute("SELECT authority_verdict(%s)", [row[0]]).fetchone()
                assert verdict == (judge(each),)

        agree()
        assert interlock.execute("SELECT authority_verdict(NULL)").fetchone() == ("no_policy",)


CLEAN = Facts(
    policy="p1", hours=[], held=[], area_held=[], vulnerable=None, pending=[], plan_open=False, conversion=[],
    review_open=False, stale_channels=[], noticed=True, enforceable_paise=11, minimum_paise=10, balance_paise=11,
    causes=[], reminded=True, meter=None, standing=[],
)  # fmt: skip


def test_nothing_against_it_is_a_cut_and_each_single_fact_is_a_reason() -> None:
    assert judge(CLEAN) == "cut"
    against = {
        "no_policy": {"policy": None}, "no_cut_day": {"hours": ["no_cut_day"]}, "outside_window": {"hours": None},
        "quiet_hours": {"hours": ["quiet_hours"]}, "held": {"held": ["hospital"]},
        "area_held": {"area_held": ["examination"]}, "vulnerable": {"vulnerable": "dialysis"},
        "payment_pending": {"pending": ["cheque"]}, "plan_open": {"plan_open": True},
        "conversion_unreconciled": {"conversion": ["conversion_unreconciled"]},
        "conversion_grace": {"conversion": ["conversion_grace"]}, "review_open": {"review_open": True},
        "due_not_visible": {"stale_channels": ["portal"]}, "notice_not_served": {"noticed": False},
        "due_below_minimum": {"enforceable_paise": 10, "balance_paise": 10},
        "reminders_not_delivered": {"reminded": None}, "no_meter": {"meter": "no_meter"},
        "no_relay": {"meter": "no_relay"}, "order_open": {"standing": ["order_open"]},
        "off_already": {"standing": ["off_already"]}, "cut_within_24_hours": {"standing": ["cut_within_24_hours"]},
    }  # fmt: skip
    assert against.keys() | set(CAUSES) == set(REASONS)
    for code, changed in against.items():
        assert reasons(replace(CLEAN, **changed)) == (code,), code
    for cause in CAUSES:
        assert reasons(replace(CLEAN, enforceable_paise=0, causes=[cause])) == ("due_below_minimum", cause)


@given(facts)
def test_every_reason_is_given_and_told_in_both_languages(asked: Facts) -> None:
    found = reasons(asked)
    assert [REASONS.index(code) for code in found] == sorted(REASONS.index(code) for code in found)
    assert len(COLUMNS) == len(astuple(asked))
    for code in found:
        assert any("\u0900" <= letter <= "\u097f" for letter in told(code, asked, "hi"))
        assert told(code, asked, "en").isascii()


def below(**changed: object) -> tuple[str, ...]:
    return reasons(replace(CLEAN, **{"enforceable_paise": 10, "causes": ["stale"], **changed}))  # type: ignore[arg-type]


def test_a_due_at_the_minimum_is_below_it_and_causes_are_told_where_all_that_is_owed_is_above() -> None:
    told_why = ("due_below_minimum", "stale")
    assert below() == told_why
    for balance in (10, 9, -1):
        assert below(balance_paise=balance) == ("due_below_minimum",)
    assert below(enforceable_paise=11) == ()
    assert below(enforceable_paise=None) == told_why
    assert below(enforceable_paise=None, minimum_paise=0, balance_paise=1) == told_why
    assert below(enforceable_paise=0, minimum_paise=0, balance_paise=0) == ("due_below_minimum",)
    assert below(enforceable_paise=1, minimum_paise=0) == ()
    assert below(minimum_paise=None, enforceable_paise=10**9) == ("due_below_minimum",)
    assert below(causes=["not_noticed"]) == ("due_below_minimum", "not_noticed")
    # A connection that was served no notice at all is told that, and not of each bill as well.
    assert below(causes=["stale", "not_noticed"], noticed=None) == ("notice_not_served", *told_why)


def test_all_reasons_at_once_come_in_the_order_of_asking_and_only_a_what_if_waives() -> None:
    everything = Facts(
        policy=None, hours=list(HOURS), held=["hospital"], area_held=["election"], vulnerable="dialysis",
        pending=["cheque"], plan_open=True, conversion=list(CONVERSION), review_open=True, stale_channels=["portal"],
        noticed=False, enforceable_paise=0, minimum_paise=10, balance_paise=11, causes=list(CAUSES), reminded=False,
        meter="no_relay", standing=list(STANDING),
    )  # fmt: skip
    wanted = tuple(code for code in REASONS if code not in ("no_meter", "not_noticed"))
    assert reasons(everything) == wanted
    assert judge(everything) == "no_policy"
    for waived in wanted:
        assert reasons(replace(everything, waived=[waived])) == tuple(code for code in wanted if code != waived)
    assert judge(replace(everything, waived=wanted)) == "cut"
    assert judge(replace(CLEAN, waived=wanted)) == "cut"


def test_what_is_not_known_counts_against_the_cut() -> None:
    for unknown in ("policy", "hours", "noticed", "reminded", "enforceable_paise", "minimum_paise"):
        assert judge(replace(CLEAN, **{unknown: None})) != "cut", unknown  # type: ignore[arg-type]


def test_a_reason_names_what_was_found_and_nothing_else() -> None:
    found = replace(
        CLEAN, held=["hospital", "court_stay"], area_held=["election"], vulnerable="dialysis",
        pending=["cheque", "webhook"], stale_channels=["portal", "some_other"],
    )  # fmt: skip
    for code, section, kinds in (
        ("held", "holds", ["hospital", "court_stay"]),
        ("area_held", "area holds", ["election"]),
        ("vulnerable", "needs", ["dialysis"]),
        ("payment_pending", "payments under way", ["cheque", "webhook"]),
    ):
        for nth, language in enumerate(("hi", "en")):
            named = ", ".join(WORDS[section][kind][nth] for kind in kinds)
            assert told(code, found, language) == f"{WORDS['verdicts'][code][nth]} ({named})"
            assert told(code, CLEAN, language) == WORDS["verdicts"][code][nth]
    portal, visible = WORDS["channels of the due"]["portal"][1], WORDS["verdicts"]["due_not_visible"][1]
    assert told("due_not_visible", found, "en") == f"{visible} ({portal}, some_other)"
    assert told("plan_open", found, "en") == WORDS["verdicts"]["plan_open"][1]

"""The messages: short enough for their parts, both languages for each kind."""

import pytest

from bahal.domains.notices.operations import CHAINED, URGENCY
from bahal.domains.notices.templates import LONGEST_VARIABLE, PRESS_BUTTON, TEMPLATES, Template, template
from bahal.shared.errors import names_in

SHORT = ("cut", "restored", "payment", "sign_in")
LONGEST = {
    "consumer": "2200000001",
    "amount": "₹99,99,999.00",
    "time": "10:00",
    "receipt": "BHL-251124-0000001",
    "code": "123456",
}


def test_each_kind_is_written_in_both_languages_with_the_same_variables() -> None:
    assert {(each.kind, each.language) for each in TEMPLATES} == {
        (kind, language) for kind in (*SHORT, PRESS_BUTTON) for language in ("hi", "en")
    }
    assert names_in(template(PRESS_BUTTON, "hi").text) == names_in(template("restored", "hi").text)
    for kind in (*SHORT, PRESS_BUTTON):
        assert names_in(template(kind, "hi").text) == names_in(template(kind, "en").text)
    assert set(URGENCY) == {*SHORT, *CHAINED}
    assert len({each.id for each in TEMPLATES}) == len(TEMPLATES)


@pytest.mark.parametrize("each", TEMPLATES, ids=lambda each: each.id)
def test_a_message_fits_two_parts(each: Template) -> None:
    text = each.filled(**{name: LONGEST[name] for name in names_in(each.text)})
    # UCS-2: 67 characters a part when there are several, 70 in one; GSM 7-bit: 153 and 160.
    assert len(text) <= (2 * 67 if each.language == "hi" else 160)
    assert "{" not in text
    assert not each.verified


def test_a_variable_the_platform_would_refuse() -> None:
    with pytest.raises(ValueError, match="receipt is longer"):
        template("payment", "hi").filled(consumer="1", amount="1", receipt="x" * (LONGEST_VARIABLE + 1))
    with pytest.raises(KeyError):
        template("payment", "hi").filled(consumer="1")

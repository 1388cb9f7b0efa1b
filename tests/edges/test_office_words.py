"""Every text of the office's pages has its Hindi, and no page is without its words in the catalogue."""

import re
from pathlib import Path

import polib

import bahal

SOURCE = Path(bahal.__file__).parent
EDGES = SOURCE / "edges"
TEMPLATES = [path for room in ("control_room", "counter") for path in (EDGES / room / "templates").rglob("*.html")]
ASKED = re.compile(
    r'{% translate "([^"]+)"|{% blocktranslate[^%]*trimmed %}\s*(.*?)\s*{% endblocktranslate %}', re.DOTALL
)
VARIABLE = re.compile(r"{{ *(\w+) *}}")


def asked() -> set[str]:
    """Every text that a template asks the catalogue for."""
    found = set()
    for path in TEMPLATES:
        for plain, block in ASKED.findall(path.read_text("utf-8")):
            found.add(plain or VARIABLE.sub(r"%(\1)s", " ".join(block.split())))
    return found


def test_every_text_has_its_hindi() -> None:
    catalogue = {each.msgid: each for each in polib.pofile(str(SOURCE / "locale" / "hi" / "LC_MESSAGES" / "django.po"))}
    assert asked() - catalogue.keys() == set()
    for text in asked():
        entry = catalogue[text]
        assert any("\u0900" <= letter <= "\u097f" for letter in entry.msgstr), text
        assert "fuzzy" not in entry.flags
        assert set(re.findall(r"%\(\w+\)s", entry.msgstr)) == set(re.findall(r"%\(\w+\)s", text)), text


def test_no_word_of_a_page_goes_past_the_catalogue() -> None:
    for path in TEMPLATES:
        text = path.read_text("utf-8")
        if path.name == "latest_drive.html":
            continue
        text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", " ", ASKED.sub(" ", text), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL)
        left = [word for word in re.findall(r"[A-Za-z]{2,}", text) if word not in ("English", "doctype", "html")]
        assert left == [], path.name

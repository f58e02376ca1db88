"""Templates: escaped, complete, and with one macro for an item wherever it is shown."""

import re
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

import alsolike
from alsolike.views.templating import environment, fragment, macro, standalone

SOURCE = Path(alsolike.__file__).parent
TEMPLATES = sorted(SOURCE.rglob("templates/*.html"))
EVIL = "\"><script>alert('1')</script>\u202e"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_no_template_goes_around_the_escaping(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|forceescape|\|\s*xmlattr", text)
    environment("alsolike.web").get_template(path.name)


def test_no_two_folders_have_a_template_of_one_name():
    names = [path.name for path in TEMPLATES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_code_writes_markup_of_pages_by_hand(path):
    """Drawings and tables of notebooks aside, elements with a class come from templates."""
    found = re.findall(
        r"<(?:div|p|li|a|td|th|section|article|h[1-6]) class=", path.read_text("utf-8")
    )
    assert not found


@pytest.mark.parametrize("name", ["gallery", "start", "item", "user", "try", "compare"])
def test_every_page_shows_items_by_one_macro(name):
    (path,) = (path for path in TEMPLATES if path.stem == name)
    text = path.read_text(encoding="utf-8")
    assert "item_card(" in text
    assert 'class="name"' not in text


@pytest.mark.parametrize("layout", ["tile", "row", "still"])
def test_a_card_escapes_what_it_is_given(layout):
    card = {"name": EVIL, "address": EVIL, "note": EVIL, "picture": EVIL}
    made = macro("item_card.html", "item_card")(card, layout)
    assert "<script" not in made
    assert made.count("<a ") == (2 if layout == "row" else 1)


def test_what_a_template_names_must_be_given():
    with pytest.raises(jinja2.UndefinedError, match="address"):
        macro("item_card.html", "item_card")({"name": "x", "picture": "", "note": ""})


def test_a_page_escapes_its_title_and_a_body_that_is_no_markup():
    made = standalone(EVIL, EVIL)
    assert "<script" not in made
    assert "\u202e" not in made[: made.index("</title>")]
    assert "<p>x</p>" in standalone("x", Markup("<p>x</p>"))


def test_a_fragment_brings_its_style_and_scripts():
    made = fragment(Markup("<p>x</p>"), "figure.css", "figure.js")
    assert made.startswith("<style>")
    assert made.index("<p>x</p>") < made.index("<script>")
    assert "<script" not in fragment(Markup(), "gallery.css")

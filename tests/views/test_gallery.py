"""Galleries: cards of hostile texts and pictures, from a model or by hand."""

import base64
import dataclasses

import numpy as np
import pytest

from alsolike.data.catalogue import Catalogue
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError, UnknownId
from alsolike.models.factor_model import FactorModel
from alsolike.models.fit import fit
from alsolike.recommending.batch import similar
from alsolike.recommending.co_likes import why_similar
from alsolike.testing import tiny_likes
from alsolike.views.gallery import Card, Gallery, Shelf, gallery
from alsolike.views.images import MOST_BYTES, embedded, placeholder

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_ADDRESS = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def model(images=("", "", "", "")):
    item_factors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 0]], dtype=np.float32)
    return FactorModel(
        users=Vocabulary.of(["u"], kind="user"),
        items=Vocabulary.of(["i0", "i1", "i2", "i3"], kind="item"),
        user_factors=np.ones((1, 2), dtype=np.float32),
        item_factors=item_factors,
        item_counts=np.array([1200, 30, 20, 10]),
        catalogue=Catalogue(
            4,
            names=StringArray.pack(["One", "Two", "Three", ""]),
            images=StringArray.pack(images),
            links=StringArray.pack(["https://example.org/0", "javascript:alert(1)", "", ""]),
        ),
    )


def card(**changes):
    return dataclasses.replace(Card("id", "Name", "", "", None), **changes)


def shown(*cards, **settings):
    return Gallery((Shelf(cards[0], tuple(cards[1:])),), **settings).fragment()


def test_a_gallery_of_a_model_shows_the_nearest_with_names_scores_and_likes():
    made = gallery(model(), ["One", "i2"], k=2, affinity="cosine", popularity_bias=0)
    first, second = made.shelves
    assert (first.card.name, first.card.score, first.card.note) == ("One", None, "1,200 likes")
    assert [near.id for near in first.neighbours] == ["i1"]  # the cosine with i2 is 0
    assert first.neighbours[0].score == pytest.approx(0.9939, abs=1e-4)
    assert [near.id for near in second.neighbours] == ["i1"]
    assert "0.994" in made._repr_html_()


def test_an_item_without_a_direction_has_an_empty_shelf_and_shows_its_id():
    made = gallery(model(), ["i3"], k=2)
    assert made.shelves[0].neighbours == ()
    assert "No similar items." in made.fragment()
    assert "<bdi>i3</bdi>" in made.fragment()


def test_a_gallery_of_nothing_is_empty():
    assert gallery(model(), []).shelves == ()


def test_what_cannot_be_laid_out_is_an_error():
    with pytest.raises(UnknownId, match="'nobody'"):
        gallery(model(), ["nobody"])
    with pytest.raises(SettingError, match="k must be a whole number of at least 1"):
        gallery(model(), ["One"], k=0)
    with pytest.raises(SettingError, match="must be a list"):
        gallery(model(), "One")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onerror='alert(1)", "&#34; onerror=&#39;alert(1)"),
        ("a\u202eb\u2066c\x00d\ud800", "abc\ufffdd\ufffd"),
        ("two\r\nlines", "two lines"),
        ("", "id"),
        (" \u200b\u00ad\u2028", "id"),
        ("{{7*7}}${7*7}", "{{7*7}}${7*7}"),
    ],
)
def test_hostile_names_are_texts(name, seen):
    markup = shown(card(name=name, image=PNG_ADDRESS))
    assert f"<bdi>{seen}</bdi>" in markup
    assert f'alt="{seen}"' in markup
    markup.encode("utf-8")


def test_long_names_are_cut():
    assert len(shown(card(name="x" * 10_000, link="https://example.org"))) < 3_000


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "//example.org",
        "https://exa mple.org",
        'https://example.org/"onmouseover="alert(1)',
        "file:///etc/passwd",
    ],
)
def test_only_web_addresses_are_clickable(address):
    markup = shown(card(link=address))
    assert "<a " not in markup
    assert "als-plain" in markup


def test_web_addresses_are_clickable():
    markup = shown(card(link="https://example.org/a?b=1&c=2"))
    assert 'href="https://example.org/a?b=1&amp;c=2" rel="noopener noreferrer"' in markup


@pytest.mark.parametrize(
    "image",
    [
        "data:text/html;base64,PHN2Zz4=",
        "data:image/svg+xml;x=y,<svg>\n",
        "data:image/bmp;base64,AAAA",
        "/etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_other_pictures_become_a_drawing_and_are_counted(image):
    markup = shown(card(image=image))
    assert "<img" not in markup
    assert '<svg class="als-picture"' in markup
    assert "Unsupported images: 1." in markup


def test_data_pictures_are_embedded_and_svg_stays_within_img():
    svg = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    markup = shown(card(image=svg), card(image=PNG_ADDRESS))
    assert markup.count("<img ") == 2
    assert "<svg xmlns" not in markup


def test_remote_pictures_are_links_unless_asked_for():
    far = card(image="https://Pictures.example.org/1.jpg")
    made = Gallery((Shelf(far, ()),))
    assert "<img" not in made.fragment()
    assert 'href="https://Pictures.example.org/1.jpg"' in made.fragment()
    assert "not loaded" in made.fragment()
    assert "img-src data:;" in made.to_html()
    asked = Gallery((Shelf(far, ()),), remote_images=True)
    assert 'loading="lazy" referrerpolicy="no-referrer"' in asked.fragment()
    assert "img-src data: https://pictures.example.org;" in asked.to_html()


def test_no_address_can_widen_the_policy():
    sly = card(image="https://a.org; script-src *")
    page = Gallery((Shelf(sly, ()),), remote_images=True).to_html()
    assert "img-src data:;" in page
    assert "script-src 'none'" in page


def test_too_large_pictures_are_left_out_and_counted():
    large = "data:image/png;base64," + "A" * (2 * MOST_BYTES)
    assert "too large to embed: 1, left out." in shown(card(image=large))
    middling = "data:image/png;base64," + "A" * MOST_BYTES
    markup = shown(*[card(image=middling)] * 12)
    assert len(markup) < 1_300_000
    assert "too large to embed: 7, left out." in markup


def test_local_pictures_are_embedded_from_their_folder_only(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (folder / "fake.png").write_bytes(b"root:x:0:0")
    (folder / "large.png").write_bytes(PNG + bytes(MOST_BYTES))
    (folder / "drawn.svg").write_bytes(b'<?xml version="1.0"?><!-- x --><svg xmlns="x"/>')
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    made = gallery(model(("a.png", "", "", "")), ["i0"], image_folder=folder)
    assert made.shelves[0].card.image == PNG_ADDRESS
    assert embedded("drawn.svg", folder).startswith("data:image/svg+xml;base64,")
    for image in (
        "fake.png",
        "large.png",
        "link.png",
        "../secret.png",
        str(tmp_path / "secret.png"),
        ".",
        "missing.png",
        "nul\x00.png",
        "x" * 5000,
    ):
        assert embedded(image, folder) == image
    assert embedded("a.png", None) == "a.png"


def test_placeholders_follow_from_the_id():
    assert placeholder("a", "The Name") == placeholder("a", "The Name")
    assert placeholder("a", "The Name") != placeholder("b", "The Name")
    assert ">TN</text>" in placeholder("a", "The Name")
    assert "<script" not in placeholder("a", "<script> x")


def test_scores_are_drawn_within_their_rail():
    markup = shown(card(), card(score=-0.5), card(score=1.0000001), card(score=float("nan")))
    assert 'width="0.0"' in markup
    assert 'width="100.0"' in markup
    assert "nan" not in markup


# --- marks of the dial --------------------------------------------------------------------------

ALS = fit(tiny_likes(40, 30), factors=4)
ITEMS = ["a0", ALS.items.id_of(9)]


def ids(cards):
    return [card.id for card in cards]


def test_each_shelf_has_the_list_of_each_mark():
    made = gallery(ALS, ITEMS, k=4, marks=(1.0, None, 0.0), popularity_bias=0.5)
    assert made.marks == ("Specific (0)", "Chosen (0.5)", "Popular (1)")
    assert made.chosen == 1
    for item, shelf in zip(ITEMS, made.shelves, strict=True):
        for bias, cards in zip((0, 0.5, 1), shelf.at_marks, strict=True):
            wanted = similar(ALS, item, k=4, popularity_bias=bias)
            assert ids(cards) == wanted["similar_item"].tolist()
            assert [card.score for card in cards] == wanted["score"].tolist()
        assert shelf.neighbours == shelf.at_marks[1]
    # The bar of a share is full at 1; elsewhere at the gallery's best score.
    full = [{card.full for shelf in made.shelves for card in shelf.at_marks[place]}
            for place in range(3)]  # fmt: skip
    assert full[2] == {1.0}
    assert full[0] == {max(card.score for shelf in made.shelves for card in shelf.at_marks[0])}
    assert {card.measure for shelf in made.shelves for card in shelf.at_marks[2]} == {
        "the share of this item's likers who like it"
    }


@pytest.mark.parametrize(
    ("bias", "marks", "labels"),
    [
        (None, (), ()),
        (None, (None,), ()),
        (None, (0.8,), ()),
        (0.0, (0, 0.0, None), ()),
        (0.0, (1,), ("Specific (0), chosen", "Popular (1)")),
        (1, (0.25,), ("0.25", "Popular (1), chosen")),
        (0.8, (0, 0.8, 1), ("Specific (0)", "Chosen (0.8)", "Popular (1)")),
    ],
)
def test_marks_by_name(bias, marks, labels):
    made = gallery(ALS, ITEMS, popularity_bias=bias, marks=marks)
    assert made.marks == labels
    assert ("als-dial" in made.fragment()) == bool(labels)
    assert made == gallery(ALS, ITEMS, popularity_bias=bias, marks=marks)


def test_wrong_marks_are_refused():
    for marks, message in (
        ((0, 0.1, 0.2, 0.3, 0.4), "At most 5 marks expected, the model's own included; 6 given"),
        ((1.5,), "popularity_bias must be a number from 0"),
        (("auto",), "popularity_bias must be a number from 0"),
    ):
        with pytest.raises(SettingError, match=message):
            gallery(ALS, ITEMS, marks=marks)


def test_a_model_without_a_dial_has_one_list_and_says_so():
    made = gallery(fit(tiny_likes(40, 30), family="ease"), ["a0"], marks=(0.0, None, 1.0))
    assert made.marks == ()
    assert len(made.shelves[0].neighbours) == 5
    assert "&#39;ease&#39; has no dial: there is one list for each item." in made.fragment()


def test_cards_say_how_many_like_both():
    made = gallery(ALS, ITEMS, k=3)
    for item, shelf in zip(ITEMS, made.shelves, strict=True):
        for near in shelf.neighbours:
            why = why_similar(ALS, item, near.id)
            assert (near.shared, near.why) == (why.evidence.brief(), str(why))
    assert "like it</span>" in made.fragment()
    alone = dataclasses.replace(ALS, history=None)
    assert "als-why" not in gallery(alone, ITEMS).fragment()


def test_an_item_with_few_likes_says_that_it_is_weakly_founded():
    few = dataclasses.replace(ALS, item_counts=np.full(len(ALS.items), 5))
    made = gallery(few, ["a0"], k=2)
    assert made.shelves[0].card.note == "5 likes: weakly founded"
    assert [near.note for near in made.shelves[0].neighbours] == ["5 likes"] * 2


def with_hostile_names(name):
    history = tiny_likes(40, 30)
    names = Catalogue(30, names=StringArray.pack([name] * 30))
    named = dataclasses.replace(history, catalogue=names)
    return fit(named, factors=4)


def test_hostile_names_are_texts_at_every_mark():
    name = "\"'><script>alert(1)</script><i onclick=x>"
    made = gallery(with_hostile_names(name), ITEMS, marks=(0, 1))
    assert "<script" not in made.fragment()
    assert "<i onclick" not in made.fragment()
    assert made.fragment().count("alert(1)") > 30


def test_pictures_shown_first_have_the_first_say_in_the_budget():
    large = f"data:image/png;base64,{'A' * 199_996}"  # five of them fill a gallery
    cards = [card(id=str(one), image=large) for one in range(9)]
    shelf = Shelf(cards[0], tuple(cards[1:4]), at_marks=(tuple(cards[4:7]), tuple(cards[1:4])))
    markup = Gallery((shelf,), marks=("Specific (0)", "Chosen (0.8)"), chosen=1).fragment()
    first, second = markup.split('data-mark="1"')
    assert second.count("<img") == 3
    assert first.count("<img") == 2  # the item's own, and one of another mark
    assert "too large to embed: 2" in markup


def test_galleries_on_one_page_have_choices_of_their_own():
    one, other = (gallery(ALS, [item], marks=(0, 1)) for item in ITEMS)
    assert one.key != other.key
    assert one.fragment().count(f'name="als-{one.key}"') == 3


@pytest.mark.parametrize("width", [1280, 360])
def test_marks_are_chosen_by_mouse_and_keys_without_a_script(width, tmp_path, chromium):
    made = gallery(ALS, ITEMS, k=3, marks=(0.0, None, 1.0))
    other = gallery(ALS, ITEMS[:1], k=3, marks=(0.0, 1.0))
    path = tmp_path / "page.html"
    path.write_text(made.to_html(), encoding="utf-8")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 700}, java_script_enabled=False
        )
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())

        def shown():
            lists = page.locator(".als-list:visible")
            return [lists.nth(at).get_attribute("data-mark") for at in range(lists.count())]

        assert shown() == ["1", "1"]
        assert page.locator(".als-mark:visible").count() == 0
        page.get_by_label("Specific (0)").click()
        assert shown() == ["0", "0"]
        names = page.locator(".als-list:visible").first.locator(".als-name").all_inner_texts()
        assert names == [near.shown_name for near in made.shelves[0].at_marks[0]]
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert shown() == ["2", "2"]
        overflow = page.locator("html").evaluate("one => one.scrollWidth - one.clientWidth")
        assert overflow <= 0
        assert not said
        browser.close()
    # Where inputs are dropped, as in some notebooks, all lists are there, each with its mark.
    assert other.fragment().count('class="als-note als-mark"') == len(other.marks)

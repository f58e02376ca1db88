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

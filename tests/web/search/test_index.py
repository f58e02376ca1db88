"""Search as somebody types: short, without accents, with a slip, hostile."""

import sqlite3

import numpy as np
import pytest

from alsolike.errors import WritingError
from alsolike.web.search.index import SearchIndex, build, fold
from alsolike.web.search.spelling import SCHEMA, edits_within, fill, meant

NAMES = [
    "U2", "Björk", "Radiohead", "Led Zeppelin", "Ke$ha", "Motörhead", "Metallica", "", "日本",
    "AC/DC", "R.E.M.", "Jay-Z & Kanye West", "U-Roy", "!!!", "🎸", "Hüsker Dü", "low_poly_tree",
]  # fmt: skip
LINKS = [f"http://www.pages.example/p/{number * number}/" for number in range(len(NAMES))]
LINKS[2], LINKS[3], LINKS[6] = "javascript:alert(1)", "", "https://pages.example/a-3/1"
IDS = [f"a-{number}" for number in range(len(NAMES))]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    path = tmp_path_factory.mktemp("search") / "index.sqlite"
    counts = np.arange(len(NAMES), 0, -1)
    build(path, IDS, NAMES, counts, links=LINKS)
    return SearchIndex.open(path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("U2", "U2"),
        ("u", "U2"),
        ("bjork", "Björk"),
        ("BJÖ", "Björk"),
        ("radiohed", "Radiohead"),
        ("raidohead", "Radiohead"),
        ("led zepelin", "Led Zeppelin"),
        ("zep", "Led Zeppelin"),
        ("metalica", "Metallica"),
        ("motorhead", "Motörhead"),
        ("日", "日本"),
        ("acdc", "AC/DC"),
        ("ac dc", "AC/DC"),
        ("ac/dc", "AC/DC"),
        ("rem", "R.E.M."),
        ("jayz", "Jay-Z & Kanye West"),
        ("radio head", "Radiohead"),
        ("led-zeppelin", "Led Zeppelin"),
        ("a-3", "Led Zeppelin"),
        ("https://example.org/items/a-3?from=mail", "Led Zeppelin"),
        ("http://www.pages.example/p/25/", "Motörhead"),
        ("https://pages.example/p/25#top", "Motörhead"),
        ("https://pages.example/a-3/1", "Metallica"),
        ("https://shop.example/music/led-zeppelin?from=mail", "Led Zeppelin"),
        ("https://fm.example/music/AC%2FDC", "AC/DC"),
        ("https://fm.example/music/H%C3%BCsker+D%C3%BC/", "Hüsker Dü"),
        ("https://fm.example/music/huskr-du", "Hüsker Dü"),
        ("!!!", "!!!"),
        ("!", "!!!"),
        ("🎸", "🎸"),
        ("ledzeppelin", "Led Zeppelin"),
        ("ledzep", "Led Zeppelin"),
        ("kanye wets", "Jay-Z & Kanye West"),
        ("husker", "Hüsker Dü"),
        ("tree", "low_poly_tree"),
        ("lowpolyt", "low_poly_tree"),
    ],
)
def test_what_is_meant_comes_first(index, text, name):
    assert NAMES[index.find(text)[0]] == name


@pytest.mark.parametrize(
    "text",
    [
        "", " ", '"', "*", "a OR b", "NEAR(", "\x00", "x" * 10_000, "\ud800", "' --", "^-:()",
        "https://", "https://x.example", "http://[", "https://x.example/%ff/%00", "\ue000led",
        "\U0010ffff", "!" * 10_000, "low_poly", "ab\U0001e900cd", "ab \u0bf0\u1734\U00010d00 cd_ef",
    ],
)  # fmt: skip
def test_hostile_queries_are_texts_like_others(index, text):
    assert isinstance(index.find(text), list)


def test_equals_come_by_likes_and_limits_hold(tmp_path):
    counts = np.array([1, 5, 3])
    build(tmp_path / "i", ["x", "y", "z"], ["Same", "Same", "Same"], counts)
    index = SearchIndex.open(tmp_path / "i")
    assert index.find("same") == [1, 2, 0]
    assert index.find("same", limit=2) == [1, 2]


def test_ids_alone_are_searched_where_there_are_no_names(tmp_path):
    build(tmp_path / "i", ["sku 17", "sku 18"], None, np.array([1, 2]))
    assert SearchIndex.open(tmp_path / "i").find("sku 17")[0] == 0


def test_another_file_is_no_index(tmp_path):
    (tmp_path / "i").write_bytes(b"no index at all, but some bytes of another kind" * 50)
    for name in ("i", "missing"):
        with pytest.raises(WritingError):
            SearchIndex.open(tmp_path / name)


def test_a_beginning_finds_the_most_liked_whether_a_word_ends_there_or_not(tmp_path):
    names = ["M. Ward", "Muse", "Bon Iver & M", "Madonna"]
    build(tmp_path / "i", ["a", "b", "c", "d"], names, np.array([1, 3, 9, 4]))
    index = SearchIndex.open(tmp_path / "i")
    assert [names[row] for row in index.find("m")] == ["Madonna", "Muse", "M. Ward", "Bon Iver & M"]


def test_every_slip_of_one_letter_leads_to_the_word(tmp_path):
    connection = sqlite3.connect(":memory:")
    for statement in SCHEMA:
        connection.execute(statement)
    fill(connection, ["radiohead", "radiobread", "abc", "r2d2", "x" * 21, "bjork"])
    word = "radiohead"
    slips = {word[:at] + word[at + 1 :] for at in range(len(word))}
    slips |= {word[:at] + "z" + word[at:] for at in range(len(word) + 1)}
    slips |= {word[:at] + "z" + word[at + 1 :] for at in range(len(word))}
    slips |= {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    for slip in slips:
        assert word in meant(connection, slip), slip
    assert meant(connection, "bjrok") == ["bjork"]
    for none in ("radiohead", "abd", "r2d3", "x" * 20, "", "bkorj"):
        assert meant(connection, none) == []


def test_a_slip_in_a_short_word_or_a_blank_is_forgiven_among_many_that_look_alike(tmp_path):
    # The most liked are all alike, so that what is looked at must be what is most like it.
    names = [f"popstar star {number}" for number in range(3000)]
    names += ["popstar vi", "statue in versailles garden", "til death do us part"]
    build(tmp_path / "i", [f"id{row}" for row in range(len(names))], names, -np.arange(len(names)))
    index = SearchIndex.open(tmp_path / "i")
    slips = {
        "popstar vu": "popstar vi",
        "statue in versaillesjgarden": "statue in versailles garden",
        "til death do ss part": "til death do us part",
    }
    for typed, name in slips.items():
        assert names[index.find(typed)[0]] == name


def test_of_what_a_slip_may_mean_whole_names_come_first_and_then_beginnings(tmp_path):
    names = ["The Black Keys", "Black Sabbath", "Black"]
    build(tmp_path / "i", ["a", "b", "c"], names, np.array([9, 5, 1]))
    assert SearchIndex.open(tmp_path / "i").find("blick") == [2, 1, 0]


def test_edits_count_swaps_once():
    assert edits_within("ab", "ba", 2) == 1
    assert edits_within("", "abc", 5) == 3
    assert edits_within("kitten", "sitting", 5) == 3
    assert fold("Straße—ÉTÉ") == "strasse ete"


def test_slips_in_short_words_and_among_ids_that_look_alike(tmp_path):
    ids = [f"sku-{number:05}" for number in range(4000)]
    names = ["" for _ in ids]
    names[77], names[78], names[79] = "Björk", "Muse", "Arctic Monkeys"
    build(tmp_path / "i", ids, names, np.arange(len(ids)))
    index = SearchIndex.open(tmp_path / "i")
    for typed, row in (("bjrok", 77), ("byork", 77), ("mues", 78), ("arctik monkey", 79)):
        assert index.find(typed)[0] == row
    assert index.find("sku-01234") == [1234]
    assert index.find("https://shop.example/p/sku-01234?from=mail")[0] == 1234

"""Items compared by blocks of features: pictures, tags, texts, likes, and several of them."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.features.features import Block, Features
from alsolike.data.string_array import StringArray
from alsolike.errors import SettingError, Unable
from alsolike.models.fit import fit
from alsolike.recommending.features.aspects import aspects_of, strips_of
from alsolike.recommending.features.comparing import FeatureComparison, UnitRows, unit_rows_of
from alsolike.recommending.features.reasons import shared_words
from alsolike.testing import tiny_likes, tiny_model

N = 12
RNG = np.random.default_rng(4)
LIKES = tiny_likes(20, N)


def made_features():
    """Return tags, numbers, pictures, a text with its parts, and further vectors, by hand."""
    widths = {"tag": 4, "price": 1, "images": 5, "about": 3, "about (parts)": 4, "sound": 2}
    kinds = {"tag": "set", "price": "number", "images": "vector", "about": "text",
             "about (parts)": "text", "sound": "vector"}  # fmt: skip
    more = {"about": {"parts": "words"}, "about (parts)": {"parts": "grams", "column": "about"}}
    parts, blocks = [], []
    for name, width in widths.items():
        values = RNG.normal(size=(N, width))
        if kinds[name] in ("set", "text"):
            values = (RNG.random((N, width)) < 0.5).astype(float)
        values[3] = 0  # nothing is known of it
        parts.append(values)
        words = StringArray.pack(f"{name[0]}{at}" for at in range(width))
        blocks.append(Block(name, kinds[name], words, more.get(name, {})))
    matrix = sp.csr_array(np.concatenate(parts, axis=1).astype(np.float32))
    return Features(matrix, tuple(blocks))


FEATURES = made_features()
MODEL = fit(replace(LIKES, item_features=FEATURES), family="item-knn")


def by_hand(blocks):
    """Return the cosines of the vectors of some blocks, each block of its weight, in float64."""
    dense = FEATURES.matrix.toarray().astype(np.float64)
    rare = np.log((1 + N) / (1 + (dense != 0).sum(axis=0)))
    groups = {"words": [], "vector": [], "number": []}
    for at in blocks:
        block, columns = FEATURES.blocks[at], FEATURES.columns_of(at)
        kind = "words" if block.is_of_words else block.kind
        groups[kind].append(dense[:, columns] * (rare[columns] if kind == "words" else 1))
    rows = [np.zeros((N, 1))]
    for kind, parts in groups.items():
        if parts:
            one = np.concatenate(parts, axis=1)
            lengths = np.linalg.norm(one, axis=1, keepdims=True)
            rows.append(one if kind == "number" else one / np.where(lengths > 0, lengths, 1))
    whole = np.concatenate(rows, axis=1)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    whole = whole / np.where(lengths > 0, lengths, 1)
    return whole @ whole.T


@pytest.mark.parametrize(
    ("by", "blocks"),
    [("features", (0, 1, 2, 3, 5)), ("images", (2,)), ("tag", (0,)), ("tags", (0,)),
     ("about", (3,)), ("texts", (3,)), ("pictures", (2, 5)), ("tag, images", (0, 2)),
     ("price", (1,))],
)  # fmt: skip
def test_cosines_are_those_of_the_blocks(by, blocks):
    comparison = FeatureComparison(MODEL, by)
    expected = by_hand(blocks)
    for row in range(N):
        found = comparison.scores(row)
        shown = np.isfinite(found)
        np.testing.assert_allclose(found[shown], expected[row][shown], atol=1e-6)
        others = np.arange(N) != row
        assert (shown == (others & (expected[row] > 0))).mean() > 0.99
    assert not np.isfinite(comparison.scores(3)).any()


def test_vectors_apart_make_the_same_cosines_as_all_in_one_matrix():
    whole = unit_rows_of(FEATURES)
    units = UnitRows.of(FEATURES)
    assert units.vectors.shape == (N, 7)
    for row in range(N):
        expected = (whole[[row]] @ whole.T).toarray()[0]
        np.testing.assert_allclose(units.cosines(row), expected, atol=1e-6)


def test_likes_and_a_block_are_mixed_by_their_standard_scores():
    likes = FeatureComparison(MODEL, "likes,images", 0.0)
    pictures = FeatureComparison(MODEL, "likes,images", 1.0)
    half = FeatureComparison(MODEL, "likes,images", 0.5)
    for row in (0, 5):
        one, two, both = (each.scores(row) for each in (likes, pictures, half))
        shown = np.isfinite(one)
        np.testing.assert_allclose(both[shown], (one[shown] + two[shown]) / 2, atol=1e-6)
        cosines = by_hand((2,))[row]
        others = np.arange(N) != row
        expected = (cosines - cosines[others].mean()) / cosines[others].std()
        np.testing.assert_allclose(two[shown], expected[shown], atol=1e-5)
    assert half.aspects.title == "likes and images"
    found = al.similar(MODEL, LIKES.items.id_of(0), by="likes,images", k=3, weight=0.5)
    assert found["score"].tolist() == pytest.approx(sorted(half.scores(0), reverse=True)[:3])


def test_names_of_blocks_come_before_names_of_kinds():
    tags = Features.of_words("pictures", [["a"], ["b"]])
    assert aspects_of(tags, "pictures").blocks == (0,)
    assert aspects_of(tags, "tags").blocks == (0,)
    with pytest.raises(SettingError, match="Did you mean 'pictures'"):
        aspects_of(tags, "picture")
    with pytest.raises(SettingError, match="features, both, tags, pictures, not 'texts'"):
        aspects_of(tags, "likes,texts")
    with pytest.raises(SettingError, match="a block of features, not 3"):
        al.similar(MODEL, "i0", by=3)
    with pytest.raises(Unable, match="compare items by pictures"):
        al.similar(tiny_model(), "a0", by="pictures")


def test_each_block_of_words_or_vectors_has_a_strip():
    assert strips_of(MODEL) == ("likes", "tag", "images", "about", "sound", "both")
    one = fit(replace(LIKES, item_features=Features.of_words("tag", [["x"]] * N)),
              family="item-knn")  # fmt: skip
    assert strips_of(one) == ("likes", "features", "both")


def test_shared_words_are_those_of_the_blocks():
    dense = FEATURES.matrix.toarray()
    for blocks in ((0,), (3, 4), (2,)):
        columns = [c for at in blocks for c in range(*FEATURES.columns_of(at).indices(99))]
        both = [c for c in columns if dense[0, c] and dense[1, c]
                and FEATURES.blocks[FEATURES.block_of(c)].kind != "vector"
                and not FEATURES.blocks[FEATURES.block_of(c)].is_of_parts]  # fmt: skip
        found = shared_words(MODEL, 0, 1, 9, blocks)
        assert sorted(found) == sorted(FEATURES.name_of(c) for c in both)

"""Agreement of features, against loops over items written out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.catalogue import Catalogue
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.agreement import (
    FeatureVectors,
    features_of_column,
    read_features,
)


def by_hand(counts: Any) -> list[dict[int, float]]:
    """The tf-idf vectors of items, of length 1."""
    n_items, n_features = counts.shape
    df = [int((counts[:, feature] > 0).sum()) for feature in range(n_features)]
    vectors = []
    for row in counts.tolist():
        own = {
            feature: math.log(1 + count) * math.log(n_items / df[feature])
            for feature, count in enumerate(row)
            if count and 3 <= df[feature] < n_items
        }
        length = math.sqrt(math.fsum(value**2 for value in own.values()))
        vectors.append({feature: value / length for feature, value in own.items()})
    return vectors


def cosine(one: dict[int, float], other: dict[int, float]) -> float:
    return math.fsum(value * other.get(feature, 0.0) for feature, value in one.items())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_equals_loops_over_items(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    n_items = 12
    counts = rng.integers(0, 4, (n_items, 7)) * (rng.random((n_items, 7)) < 0.5)
    counts[:3, 0] = 1
    counts[3:, 0] = 0
    counts[0] = 0
    counts[0, 0] = 1
    features, vectors = FeatureVectors.of(sp.csr_array(counts)), by_hand(counts)
    sources = np.flatnonzero(rng.random(n_items) < 0.8).astype(np.int32)
    lists = np.full((len(sources), k), -1, dtype=np.int32)
    means, shown, bare = [], 0, 0
    for row, source in enumerate(sources.tolist()):
        others = rng.permutation(np.delete(np.arange(n_items), source))[: rng.integers(0, k + 1)]
        lists[row, : len(others)] = others
        shown += len(others)
        bare += sum(not vectors[other] for other in others)
        own = [cosine(vectors[source], vectors[other]) for other in others if vectors[other]]
        if vectors[source] and own:
            means.append(math.fsum(own) / len(own))
    may_show = np.ones(n_items, dtype=bool)
    found = features.agreement(sources, lists, may_show)
    assert found.mean == pytest.approx(np.mean(means) if means else 0.0, abs=1e-12)
    assert found.sources_without == pytest.approx(1 - len(means) / max(len(sources), 1))
    assert found.shown_without == pytest.approx(bare / max(shown, 1))
    nearest = []
    known = [item for item in range(n_items) if vectors[item]]
    for source in known:
        own = sorted(-cosine(vectors[source], vectors[o]) for o in known if o != source)[:k]
        nearest.append(-math.fsum(own) / len(own))
    assert found.ceiling == pytest.approx(np.mean(nearest), abs=1e-12)
    assert found.floor <= found.ceiling + 1e-12
    assert features.bounds(may_show, k) == (found.floor, found.ceiling)


def test_the_floor_is_that_of_random_items() -> None:
    rng = np.random.default_rng(0)
    counts = (rng.random((400, 9)) < 0.3).astype(float)
    features, vectors = FeatureVectors.of(sp.csr_array(counts)), by_hand(counts)
    floor, _ = features.bounds(np.ones(400, dtype=bool), 10)
    known = [item for item in range(400) if vectors[item]]
    pairs = [cosine(vectors[a], vectors[b]) for a in known[:80] for b in known if a != b]
    assert floor == pytest.approx(np.mean(pairs), abs=0.02)


def test_features_are_read_from_a_table_and_unknown_items_counted(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    rows = ["a,rock", "a,rock", "b,rock", "c,rock", "c,jazz", "x,rock", "y,jazz"]
    path.write_text("\n".join(["what,tag", *rows]) + "\n")
    items = Vocabulary.of(list("abcd"), kind="item")
    features = read_features(path, "what", "tag", items)
    # jazz is of one item here.
    assert (features.unknown_items, features.rare_features) == (2, 1)
    expected = FeatureVectors.of(sp.csr_array(np.array([[2.0], [1], [1], [0]])))
    assert features.vectors.toarray().sum(axis=1).tolist() == (
        expected.vectors.toarray().sum(axis=1).tolist()
    )
    assert features.has.tolist() == [True, True, True, False]
    with pytest.raises(DataError, match=r"'tg'; the columns .* is the table of features"):
        read_features(path, "what", "tg", items)
    with pytest.raises(DataError, match=r"No feature is left .*\(5 ids are not among"):
        read_features(path, "what", "tag", Vocabulary.of(["p", "q"], kind="item"))


def test_repeated_rows_count_as_often(tmp_path: Path) -> None:
    items = Vocabulary.of(list("abcd"), kind="item")
    path = tmp_path / "tags.csv"
    pairs = ["a,x", "a,x", "a,y", "b,x", "b,y", "c,x", "c,y"]
    path.write_text("\n".join(["item,tag", *pairs]) + "\n")
    vectors = read_features(path, "item", "tag", items).vectors.toarray()
    assert vectors[0] == pytest.approx(
        np.array([math.log(3), math.log(2)]) / math.hypot(math.log(3), math.log(2))
    )


def test_features_are_a_column_of_the_item_table() -> None:
    items = Vocabulary.of(list("abcd"), kind="item")
    texts = StringArray.pack(["Action| Drama", "Action", "Drama|Action|Action", ""])
    drama = StringArray.pack(["D", "D", "D", ""])
    catalogue = Catalogue(4, more={"genres": texts, "one": drama})
    features = features_of_column(catalogue, "genres", items)
    assert features.has.tolist() == [True, True, True, False]
    assert features.rare_features == 1
    assert features_of_column(catalogue, "one", items).has.tolist() == [True, True, True, False]
    with pytest.raises(SettingError, match=r"no column 'genre': its columns are genres, one\."):
        features_of_column(catalogue, "genre", items)
    with pytest.raises(SettingError, match="there is no item table"):
        features_of_column(None, "genre", items)
    with pytest.raises(SettingError, match="separator of features is empty"):
        features_of_column(catalogue, "genres", items, separator="")
    with pytest.raises(DataError, match="No feature is left"):
        features_of_column(catalogue, "genres", items, separator="/")

"""Who likes an item and who likes two, held to counting in the dense matrix."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError, UnknownId
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.co_likes import Likers, pair_evidence, why_similar
from alsolike.testing import tiny_likes, tiny_model


def likers_of(history):
    model = tiny_model()
    shape = (history.n_users, model.factors), (history.n_items, model.factors)
    return Likers(
        dataclasses.replace(
            model,
            users=history.users,
            items=history.items,
            user_factors=np.ones(shape[0], np.float32),
            item_factors=np.ones(shape[1], np.float32),
            item_counts=history.item_counts,
            catalogue=None,
            history=history,
        )
    )


def held_to_the_matrix(history):
    likers, liked = likers_of(history), history.user_items.toarray() > 0
    together = liked.astype(int).T @ liked.astype(int)
    for row in range(history.n_items):
        assert likers.count(row) == together[row, row]
        shared = [likers.shared(row, other) for other in range(history.n_items)]
        assert shared == together[row].tolist()


def test_counts_are_those_of_the_matrix():
    history = tiny_likes()
    held_to_the_matrix(history)
    assert likers_of(history).count(history.n_items - 1) == 0


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=60)
def test_dislikes_do_not_count(n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, 3, (n_users, n_items))
    values[0, 0] = 1
    rows, columns = np.nonzero(values)
    held_to_the_matrix(
        Interactions.from_columns(
            [f"u{row}" for row in rows], [f"i{column}" for column in columns], values[rows, columns]
        )
    )


def test_without_history_the_way_out_is_named():
    with pytest.raises(SettingError, match="without its history"):
        Likers(dataclasses.replace(tiny_model(), history=None))


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_that_are_none_are_refused(row):
    likers = Likers(tiny_model())
    with pytest.raises(DataError, match="0 to 4"):
        likers.count(row)
    with pytest.raises(DataError, match="0 to 4"):
        likers.shared(0, row)


def liked(**likers):
    """Return a popularity model where item a is liked by the users of its letters, and so on."""
    pairs = [(user, item) for item, users in likers.items() for user in users]
    users, items = zip(*pairs, strict=True)
    return fit_popularity(Interactions.from_columns(list(users), list(items)))


def test_the_reason_is_a_sentence_of_numbers():
    why = why_similar(liked(a="stuvw", b="tuvwxyz", c="s", d="st"), "a", "b")
    assert str(why) == "4 of the 5 who like a like b; of anyone, 4."
    assert (why.item, why.other, why.evidence.shared, why.evidence.likers) == ("a", "b", 4, 5)
    model = fit(tiny_likes(), factors=2)
    row, other = 4, 5
    names = [model.catalogue.name_of(one) for one in (row, other)]
    why = why_similar(model, names[0], model.items.id_of(other))
    assert f"who like {names[0]} like {names[1]}; the model expects " in str(why)
    assert why.evidence == pair_evidence(model, row, other)


def test_fewer_than_three_people_are_never_counted_out():
    model = liked(a="stuvw", b="tuvwxyz", c="s", d="st")
    assert str(why_similar(model, "a", "d")).startswith("A few of the 5 who like a like d; ")
    assert str(why_similar(model, "d", "a")).startswith("A few of the few who like d like a; ")
    assert str(why_similar(model, "c", "b")) == (
        "None of the few who like c like b; of anyone, fewer than 1."
    )
    for one, other in itertools.permutations("abcd", 2):
        found = why_similar(model, one, other)
        told = str(found) + found.evidence.brief()
        assert not re.search(r"\b[12] of|the [12] ", told), told


def test_what_nobody_likes_has_no_reason():
    likes = Interactions.from_columns(["u", "v"], ["a", "b"], [1, -1])
    why = why_similar(fit_popularity(likes), "b", "a")
    assert (str(why), why.evidence.brief()) == ("Nobody likes b.", "")


def test_wrong_pairs_are_refused():
    model = fit(tiny_likes(), factors=2)
    with pytest.raises(UnknownId, match="'a99' is neither an id nor a name"):
        why_similar(model, "a0", "a99")
    with pytest.raises(SettingError, match="Two different items expected, 'a0' given twice"):
        why_similar(model, "a0", "a0")
    with pytest.raises(SettingError, match="item ids must be text"):
        why_similar(model, "a0", 3)
    with pytest.raises(SettingError, match="without its history, which is needed to count"):
        why_similar(dataclasses.replace(model, history=None), "a0", "a12")


def test_the_model_expects_what_items_of_like_predictions_have() -> None:
    model = fit(tiny_likes(200, 60), ALSConfig(factors=6, iterations=3))
    likers, row, other = Likers(model), 3, 17
    terms = model.affinity_terms(SimilarityConfig(affinity="audience", popularity_bias=1.0))
    predicted = terms.targets(slice(None)) @ terms.queries(np.array([row]))[0]
    ranked = [one for one in np.argsort(-predicted, kind="stable").tolist() if one != row]
    place = ranked.index(other)
    assert 5 <= place < len(ranked) - 5
    near = ranked[place - 5 : place] + ranked[place + 1 : place + 6]
    expected = np.mean([likers.shared(row, one) for one in near])
    assert pair_evidence(model, row, other, likers).expected == pytest.approx(expected)
    first = pair_evidence(model, row, ranked[0], likers).expected
    assert first == pytest.approx(np.mean([likers.shared(row, one) for one in ranked[1:11]]))


def test_the_model_expects_something_in_a_catalogue_of_few_items() -> None:
    users, items = ["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "x"]
    model = fit(Interactions.from_columns(users, items), ALSConfig(factors=1, iterations=1))
    assert pair_evidence(model, 0, 1).expected is None  # no item is left to read it from

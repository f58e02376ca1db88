"""Answers in ids and names: items for features, new features for items, items for cold users."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.features.features import Features
from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError, Unable
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import ComparesFeatures, ScoresColdUsers, able
from alsolike.recommending.features.aspects import By
from alsolike.recommending.features.comparing import (
    WEIGHT,
    FeatureComparison,
    unit_rows_of_items,
)
from alsolike.recommending.features.names import (
    Columns,
    FeatureNames,
    Wanted,
    columns_of,
    item_features_of,
    names_of_items,
    row_of,
)
from alsolike.recommending.features.suggesting import (
    MIN_SUPPORT,
    FeatureSuggestions,
    suggestions_of,
)
from alsolike.recommending.ranking.narrowing import best_of
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.score_blocks import ITEMS_PER_BLOCK, blocks_of, whole_rows
from alsolike.recommending.rules.rules import Allowed, Rules, allowed_of
from alsolike.recommending.shared import Indices, Mask, checked_ids, checked_k, list_table
from alsolike.tables import Table
from alsolike.usage_hints import did_you_mean, with_example

SuggestedBy = Literal["neighbours", "model"]

_BY_FEATURES = "list items for features"


@with_example('al.items_for_features(model, ["castle", "medieval"], k=10)')
def items_for_features(
    model: FittedModel,
    features: Wanted,
    *,
    k: int = 10,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
) -> Table:
    """Find the items that fit features such as tags, those that do not have them included.

    A model that learned from features compares its own vectors of them with those of items. For any
    other model that knows features of its items, it is the cosine of the wanted features with those
    of each item, rare ones weighing more, and only items with one of them are listed.

    Parameters
    ----------
    model : FittedModel
        One that knows features of its items.
    features : str, sequence of str, or mapping of str to them
        Words such as tags, as ``"castle"`` or ``"tag: castle"``, or by block:
        ``{"tag": ["castle"]}``. All of them count.
    k : int
        Most items.
    allow, deny, rules
        As in `alsolike.recommend`.

    Returns
    -------
    Table
        Columns ``rank``, ``item``, ``name`` if names are known, ``score``.

    Raises
    ------
    UnknownId
        A feature is unknown; with a hint.
    Unable
        The model knows no features of its items.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alsolike.models.fit import fit
    >>> from alsolike.testing import tiny_likes
    >>> tags = Features.of_words("tag", [["x"], ["y", "x"], ["y"], [], ["z"]])
    >>> model = fit(replace(tiny_likes(4, 5), item_features=tags), family="item-knn")
    >>> items_for_features(model, "y")["item"].tolist()
    ['é1', 'a3']
    """
    known = item_features_of(model, _BY_FEATURES)
    columns = columns_of(names_of_items(model, known), features)
    allowed = allowed_of(model, rules, allow, deny)
    rows, scores = ranked_for_features(model, columns, k, allowed)
    return list_table(model, None, "item", rows, scores)


def ranked_for_features(
    model: Any, columns: Columns, k: int, allowed: Allowed | None = None
) -> tuple[Indices, Floats]:
    """Rank items for columns of features; parameters and errors of `items_for_features`."""
    features = item_features_of(model, _BY_FEATURES)
    scores = scores_for_features(model, features, columns)
    return ranked_scores(model, scores, k, allowed, "these features")


def scores_for_features(model: Any, features: Features, columns: Columns) -> Floats:
    """Score all items for columns of features, float32, (n_items,); -inf: not to be listed."""
    wanted = row_of(columns, features.n_features)
    if isinstance(model, ComparesFeatures):
        blocks = blocks_of(len(model.items), ITEMS_PER_BLOCK)
        scores: Floats = whole_rows(
            model.name, lambda items: model.item_scores_of_features(wanted, items), 1, blocks
        )[0]
        return scores
    units = unit_rows_of_items(model, features)
    having = names_of_items(model, features).counts[columns]
    weights = np.log((1.0 + features.n_rows) / (1.0 + having))
    wanted_row = wanted.astype(np.float64)
    wanted_row.data[:] = weights / max(float(np.sqrt(weights @ weights)), 1e-300)
    cosines = (wanted_row @ units.columns).toarray()[0].astype(np.float32)
    found: Floats = np.where(cosines > 0, cosines, np.float32(-np.inf))
    return found


@with_example('al.suggest_features(model, ["i1"], k=10)')
def suggest_features(
    model: FittedModel,
    items: Id | Sequence[Id],
    *,
    k: int = 10,
    min_support: int = MIN_SUPPORT,
    blocks: str | Sequence[str] | None = None,
    by: SuggestedBy = "neighbours",
) -> Table:
    """Suggest further features for items, such as tags that they lack.

    The features of the nearest items, by features and likes together; see
    `alsolike.recommending.features.suggesting`. No particular model is needed.

    Parameters
    ----------
    model : FittedModel
        One that knows features of its items.
    items : str, int, or sequence of them
        Ids or names.
    k : int
        Most features for each.
    min_support : int
        Least items that have a suggested feature.
    blocks : str, sequence of str, or None
        Names of the blocks of words to suggest from, such as ``"tag"``; None: all sets.
    by : {"neighbours", "model"}
        ``"model"``: the scores of a model that learned from features, not those of the neighbours.

    Returns
    -------
    Table
        Columns ``item``, ``rank``, ``feature`` (as ``"tag: castle"``), ``items`` (how many have
        it), ``score``, comparable within the list of an item.

    Raises
    ------
    UnknownId
        An item or a block is unknown.
    Unable
        The model knows no features of its items, or none that are words; or `by` asks for a model
        that compares features with items.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alsolike.models.fit import fit
    >>> from alsolike.testing import tiny_likes
    >>> tags = Features.of_words("tag", [["x"], ["y", "x"], ["y", "x"], [], ["z"]])
    >>> model = fit(replace(tiny_likes(4, 5), item_features=tags), family="item-knn")
    >>> suggest_features(model, model.items.id_of(0), min_support=2)["feature"].tolist()
    ['tag: y']
    """
    suggesting = suggestions_of(model)
    among = suggesting.among(blocks, min_support)
    rows = [model.item_index(one) for one in checked_ids(items, model.items)]
    scores_of = _scores_of_features(model, suggesting, by)
    found = [suggesting.best(row, checked_k(k), among, scores_of(row)) for row in rows]
    features = suggesting.features
    columns = np.concatenate([each[0] for each in found] or [np.empty(0, dtype=np.int64)])
    lengths = np.array([len(each[0]) for each in found], dtype=np.int64)
    ranks = [np.arange(1, length + 1, dtype=np.int32) for length in lengths]
    return Table(
        {
            "item": model.items.ids_of(np.repeat(np.array(rows, dtype=np.int64), lengths)),
            "rank": np.concatenate(ranks or [np.empty(0, dtype=np.int32)]),
            "feature": texts([features.label(int(one)) for one in columns]),
            "items": suggesting.counts[columns],
            "score": np.concatenate([each[1] for each in found] or [np.empty(0, np.float32)]),
        }
    )


def _scores_of_features(
    model: Any, suggesting: FeatureSuggestions, by: str
) -> Callable[[int], npt.NDArray[Any]]:
    """Return what scores all features for an item (row)."""
    if by == "neighbours":
        return suggesting.scores
    if by != "model":
        known = get_args(SuggestedBy)
        raise SettingError(
            f"by must be one of {', '.join(known)}, not {by!r}.{did_you_mean(by, known)}"
        )
    comparing: ComparesFeatures = able(model, ComparesFeatures, "suggest features by its scores")

    def of_model(row: int) -> npt.NDArray[Any]:
        scores: Floats = comparing.feature_scores(np.array([row], dtype=np.int32))[0]
        return scores

    return of_model


@with_example('al.recommend_for_features(model, ["student", "Spain"], k=10)')
def recommend_for_features(
    model: FittedModel,
    features: Wanted,
    *,
    k: int = 10,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
) -> Table:
    """Recommend items to a person of whom only features are known: a cold user.

    Parameters
    ----------
    model : ScoresColdUsers
        One that learned from features of users.
    features : str, sequence of str, or mapping of str to them
        Words, as in `items_for_features`, of the person.
    k, allow, deny, rules
        As in `alsolike.recommend`.

    Returns
    -------
    Table
        Columns ``rank``, ``item``, ``name`` if names are known, ``score``.

    Raises
    ------
    UnknownId
        A feature is unknown; with a hint.
    Unable
        The model knows users by their likes alone.
    """
    _, scores = cold_user_scores(model, features)
    allowed = allowed_of(model, rules, allow, deny)
    ranked = ranked_scores(model, scores, k, allowed, "a person with these features")
    return list_table(model, None, "item", *ranked)


def cold_user_scores(model: Any, features: Wanted) -> tuple[list[str], Floats]:
    """Score all items for the features of a person; errors of `recommend_for_features`.

    Returns
    -------
    list of str
        The features with the names of their blocks.
    float32, (n_items,)
    """
    purpose = "recommend to a person of whom only features are known"
    cold: ScoresColdUsers = able(model, ScoresColdUsers, purpose)
    known = cold.user_features
    if known is None or not known.n_features:
        raise Unable(
            f"A model trained with features of users is needed to {purpose}; {model.name!r} was "
            "trained without."
        )
    columns = columns_of(
        prepared(model, "names of user features", lambda: FeatureNames(known)), features
    )
    wanted, blocks = row_of(columns, known.n_features), blocks_of(len(model.items), ITEMS_PER_BLOCK)
    scores = whole_rows(
        model.name, lambda items: cold.scores_of_user_features(wanted, items), 1, blocks
    )[0]
    return [known.label(int(one)) for one in columns], scores


def ranked_scores(
    model: Any, scores: Floats, k: int, allowed: Allowed | None, owner: str
) -> tuple[Indices, Floats]:
    """Rank items by scores, as `best_of`, among those that are allowed; None: all."""

    def best(among: Mask, n: int) -> tuple[Indices, Floats]:
        return best_of(model, scores, among, n, owner)

    length = min(checked_k(k), max(len(model.items), 1))
    if allowed is None:
        return best(np.ones(len(scores), dtype=bool), length)
    limits, shown = allowed.limits, allowed.may_appear
    return best(shown, length) if limits is None else limits.best(length, shown, best)


def similar_by(
    model: FittedModel,
    items: Id | Sequence[Id] | None,
    by: By,
    *,
    k: int,
    weight: float = WEIGHT,
    rules: Rules | None = None,
) -> Table:
    """Return the table of `alsolike.similar` by features, or by both."""
    comparison, allowed = FeatureComparison(model, by, weight), allowed_of(model, rules)
    wanted = model.items if items is None else checked_ids(items, model.items)
    rows = [model.item_index(one) for one in wanted]
    length = min(checked_k(k), max(len(model.items), 1))
    found = [
        comparison.similar(row, length, may_appear=allowed.may_appear, limits=allowed.limits)
        for row in rows
    ]
    owners = np.repeat(np.array(rows, dtype=np.int64), [len(one) for one, _ in found])
    listed = np.concatenate([one for one, _ in found] or [np.empty(0, dtype=np.int32)])
    scores = np.concatenate([one for _, one in found] or [np.empty(0, dtype=np.float32)])
    table = list_table(model, None, "similar_item", listed, scores).to_dict()
    ranks = [np.arange(1, len(one) + 1, dtype=np.int32) for one, _ in found]
    table["rank"] = np.concatenate(ranks or [np.empty(0, dtype=np.int32)])
    return Table({"item": model.items.ids_of(owners), **table})


def refuse_settings_of_likes(
    by: By,
    affinity: object,
    popularity_bias: object,
    prior_strength: object,
    include_self: object,
) -> None:
    """Raise SettingError if a setting of the comparison by likes is given for another."""
    given = {
        "affinity": affinity is not None,
        "popularity_bias": popularity_bias is not None,
        "prior_strength": prior_strength is not None,
        "include_self": bool(include_self),
    }
    for name, is_given in given.items():
        if is_given:
            raise SettingError(
                f"{name} belongs to the comparison by likes, and by={by!r} is asked for. Leave one "
                "of them out."
            )


def shown_features(model: Any, features: Features, row: int) -> list[int]:
    """Return the columns of the words that an item has, the rarest last."""
    names = names_of_items(model, features)
    start, end = features.matrix.indptr[row], features.matrix.indptr[row + 1]
    own = [int(one) for one in features.matrix.indices[start:end] if names.is_word[one]]
    return sorted(own, key=lambda one: (-names.counts[one], one))


def texts(values: Mapping[Any, str] | Sequence[str]) -> npt.NDArray[np.object_]:
    """Return texts as a column."""
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return column

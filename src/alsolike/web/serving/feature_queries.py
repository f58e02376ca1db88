"""Answers queries by features, such as tags: items for tags, tags for items, items like one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.data.features.features import Features
from alsolike.errors import SettingError
from alsolike.recommending.features.answers import ranked_for_features, shown_features
from alsolike.recommending.features.aspects import By, aspects_of
from alsolike.recommending.features.comparing import WEIGHT, FeatureComparison
from alsolike.recommending.features.names import (
    Columns,
    FeatureNames,
    columns_of,
    item_features_of,
    names_of_items,
    words_by_block,
)
from alsolike.recommending.features.suggesting import MIN_SUPPORT, suggestions_of
from alsolike.recommending.rules.rules import Allowed
from alsolike.web.serving.queries import Ranking, similar_basis
from alsolike.web.serving.registry import ServedModel

_TABLE = "show features of items"


@dataclass(frozen=True)
class Feature:
    """A feature of items that is a word, such as a tag.

    `label` is its name with that of its block, and `items` how many have it.
    """

    label: str
    block: str
    name: str
    items: int

    def to_plain(self) -> dict[str, Any]:
        """Return it as a part of a response."""
        return {
            "feature": self.label,
            "block": self.block,
            "name": self.name,
            "items": self.items,
        }


def known_features(served: ServedModel) -> tuple[Features, FeatureNames]:
    """Return the item features of a model, and their names; raise Unable if it has none."""
    features = item_features_of(served.model, _TABLE)
    return features, names_of_items(served.model, features)


def feature_at(served: ServedModel, column: int) -> Feature:
    """Return the feature of a column."""
    features, names = known_features(served)
    block = features.blocks[features.block_of(column)].name
    name = features.name_of(column)
    return Feature(features.label(column), block, name, int(names.counts[column]))


def features_of(served: ServedModel, row: int) -> list[Feature]:
    """Return the features of an item that are words of sets, the most frequent first."""
    if not served.has_item_features:
        return []
    features, _ = known_features(served)
    chosen = words_by_block(features).values()
    columns = shown_features(served.model, features, row)
    return [
        feature_at(served, one)
        for one in columns
        if any(part.start <= one < part.stop for part in chosen)
    ]


def find_features(served: ServedModel, text: str, limit: int) -> list[Feature]:
    """Return the features whose name contains a text, the most frequent first."""
    _, names = known_features(served)
    return [feature_at(served, column) for column in names.matching(text, limit=limit)]


def wanted_columns(served: ServedModel, wanted: Sequence[str]) -> Columns:
    """Return the columns of features by name; raise UnknownId with a hint."""
    _, names = known_features(served)
    return columns_of(names, list(wanted))


def items_for(
    served: ServedModel, columns: Columns, k: int, allowed: Allowed | None = None
) -> Ranking:
    """Return the items that fit these features; see `alsolike.items_for_features`."""
    rows, scores = ranked_for_features(served.model, columns, k, allowed)
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def suggested(
    served: ServedModel,
    row: int,
    k: int,
    min_support: int = MIN_SUPPORT,
    blocks: Sequence[str] | None = None,
) -> list[tuple[Feature, float]]:
    """Return further features for an item, best first; see `alsolike.suggest_features`."""
    suggesting = suggestions_of(served.model)
    among = suggesting.among(blocks, min_support)
    columns, scores = suggesting.best(row, k, among, suggesting.scores(row))
    return [
        (feature_at(served, column), score)
        for column, score in zip(columns.tolist(), scores.tolist(), strict=True)
    ]


def similar_by(
    served: ServedModel,
    row: int,
    by: By,
    k: int,
    *,
    weight: float = WEIGHT,
    allowed: Allowed | None = None,
) -> Ranking:
    """Return the items similar to one by features, or by both; see `alsolike.similar`."""
    comparison = FeatureComparison(served.model, by, weight)
    may = None if allowed is None else allowed.may_appear
    limits = None if allowed is None else allowed.limits
    rows, scores = comparison.similar(row, k, may_appear=may, limits=limits)
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def basis_by(served: ServedModel, row: int, by: By) -> dict[str, Any]:
    """Return the fields of `queries.similar_basis` for items compared by features, or by both."""
    found, aspects = similar_basis(served, [row]), aspects_of(known_features(served)[0], by)
    changes = {"affinity": None, "popularity_bias": None, "scale": aspects.scale}
    return {**found, **changes, "weakly_founded": aspects.likes and found["weakly_founded"]}


def refuse_dial(by: By, affinity: object, popularity_bias: object) -> None:
    """Raise SettingError if the dial is given for a comparison by features."""
    for name, value in (("affinity", affinity), ("popularity_bias", popularity_bias)):
        if value is not None:
            raise SettingError(f"{name} belongs to by=likes, and by={by} is asked for.")

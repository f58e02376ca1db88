"""Ablation of features: the same settings with none, a constant, shuffled, and the real ones.

Features can seem to help where only a constant does, which is popularity, and where features of
other items would do as well. So a gain is one only above all three.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split, expect_split
from alsolike.data.string_array import StringArray
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.learning_curve import with_given
from alsolike.evaluation.metrics.evaluate import ACCURACY, checked_metrics, measured
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.statistics.intervals import Estimate, bootstrap_mean, paired_difference
from alsolike.models.fit import fit
from alsolike.models.registry import family_of, needs_features, uses_features
from alsolike.progress import SILENT, Observer
from alsolike.tables import Table, wrapped
from alsolike.text import listed
from alsolike.usage_hints import with_example

Values = npt.NDArray[np.float64]

REAL = "real"
_OTHERS = ("none", "constant", "shuffled")


@dataclass(frozen=True, eq=False)
class Ablation:
    """Result of `ablation`: what the features of a training are worth.

    Parameters
    ----------
    settings : mapping of str to plain values
        Of all trainings.
    measure : str
        Such as ``"recall@20"``.
    per_user : mapping of str to float64, (n_users,)
        By ``"real"``, ``"none"``, ``"constant"`` and ``"shuffled"``: the measure of each test user.
        Without "none" if the family needs features.
    """

    settings: dict[str, Any]
    measure: str
    per_user: dict[str, Values]

    @functools.cached_property
    def gains(self) -> dict[str, Estimate]:
        """The real features minus each other kind, paired over users."""
        real = self.per_user[REAL]
        return {
            kind: paired_difference(real, values, np.random.default_rng(0))
            for kind, values in self.per_user.items()
            if kind != REAL
        }

    def table(self) -> Table:
        """Return features, mean, low, high, gain, gain_low, gain_high, users.

        The gain is that of the real features over these; a kind that cannot be fitted has no
        figures.
        """
        rows: list[dict[str, Any]] = []
        for kind in (REAL, *_OTHERS):
            row: dict[str, Any] = dict.fromkeys(
                ("features", "mean", "low", "high", "gain", "gain_low", "gain_high", "users")
            )
            row["features"] = kind
            if kind in self.per_user:
                mean = bootstrap_mean(self.per_user[kind], np.random.default_rng(0))
                row |= {"mean": mean.mean, "low": mean.low, "high": mean.high, "users": mean.n}
            if kind in self.gains:
                gain = self.gains[kind]
                row |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
            rows.append(row)
        return Table.from_rows(rows)

    def shown(self) -> Table:
        """Return the table for people: four digits, each interval as one text."""
        ends = (("mean", "low", "high"), ("gain", "gain_low", "gain_high"))
        rows = []
        for row in self.table().rows():
            cells: dict[str, Any] = {"features": row["features"]}
            for name, low, high in ends:
                has = row[name] is not None
                cells[name] = f"{row[name]:z.4f}" if has else "-"
                within = f"{row[low]:z.4f} to {row[high]:z.4f}" if has else "-"
                cells[f"interval of the {name}"] = within
            rows.append(cells | {"users": row["users"]})
        return Table.from_rows(rows)

    @property
    def helps(self) -> bool:
        """Whether the real features are better than all other kinds, each interval above 0."""
        return all(gain.low > 0 for gain in self.gains.values())

    @property
    def words(self) -> str:
        """What the features are worth, as a sentence."""
        better = [kind for kind, gain in self.gains.items() if gain.low > 0]
        worse = [kind for kind, gain in self.gains.items() if gain.high < 0]
        same = [kind for kind in self.gains if kind not in (*better, *worse)]
        if self.helps:
            text = f"Features help: the real ones are better than {listed(better)}"
        elif worse:
            text = f"Features do harm: {listed(worse)} are better than the real ones"
        else:
            text = f"Features do not help: the real ones are no better than {listed(same)}"
        family = self.settings.get("model", "als")
        return f"{text}, in {self.measure} of {family} on test users (95 % intervals, paired)."

    def brief(self, width: int) -> str:
        """Return the sentence and the table, at most `width` columns wide."""
        table = self.shown().fitted(width, least=("users",), whole="report.html")
        return f"{wrapped(self.words, width, indent=2)}\n{table}"

    def __str__(self) -> str:
        return f"{self.words}\n{self.table()}"


@with_example('al.ablation(split, al.ItemProfileConfig(), metric="ndcg", k=10)')
def ablation(
    split: Split,
    config: Any,
    *,
    k: int = 10,
    metric: str = "precision",
    exclude_seen: bool = True,
    seed: int = 0,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Ablation:
    """Fit settings with other features in place of the real ones, and compare on test users.

    ``none``: no features. ``constant``: one word that all items have, in each block. ``shuffled``:
    the rows of features in another order. Features of users are replaced likewise. Models are
    fitted to training and validation; in a split by items, lists are of the new items of the test.

    Parameters
    ----------
    split : Split
        Whose items or users have features.
    config : Config
        Of a family that uses features.
    k, metric, exclude_seen
        As of a `RankingObjective`.
    seed : int
        Of the shuffling, at least 0.
    engine : Engine or None
    observer : Observer
        Notified of each training.

    Raises
    ------
    DataError
        There are no features.
    SettingError
        The family does not use features, or a setting is out of its range.

    Examples
    --------
    >>> from alsolike.data.splitting.new_items import hold_out_new_items
    >>> from alsolike.models.profile.config import ItemProfileConfig
    >>> from alsolike.testing import tiny_likes, with_tiny_features
    >>> split = hold_out_new_items(with_tiny_features(tiny_likes()), share=0.2)
    >>> found = ablation(split, ItemProfileConfig(), k=3, metric="recall")
    >>> list(found.per_user), found.table()["features"].tolist()
    (['real', 'constant', 'shuffled'], ['real', 'none', 'constant', 'shuffled'])
    """
    expect_split(split)
    check_whole("k", k, least=1)
    check_whole("seed", seed, least=0)
    if checked_metrics([metric])[0] not in ACCURACY:
        raise SettingError(f"metric must be one of {', '.join(ACCURACY)}, not {metric!r}.")
    _expect_features(split.train, config)
    engine = engine or LocalEngine()
    known = split.train_and_validation()
    kinds = [REAL, *(kind for kind in _OTHERS if kind != "none" or not needs_features(config))]
    shown = split.shown(with_validation=True) if exclude_seen else None
    truth = GroundTruth.of(split.test, shown, split.test_users, among=split.new_items("test"))
    per_user: dict[str, Values] = {}
    name = metric
    observer.start("Ablation of features", len(kinds))
    for kind in kinds:
        model = fit(_with(known, _changed(kind, seed)), config, engine=engine)
        model = with_given(model, split, engine, with_validation=True)
        ranked = truth.ranked(model, k + 1, engine)
        found = measured(truth.asked(model), truth, ranked, [k], [metric], engine)
        name = found.metrics[0]
        per_user[kind] = found.per_user[name]
        observer.advance()
    observer.finish()
    return Ablation(config.to_settings(), name, per_user)


def has_features(train: Interactions) -> bool:
    """Tell whether the items or users have features."""
    return train.item_features is not None or train.user_features is not None


def _expect_features(train: Interactions, config: Any) -> None:
    if not has_features(train):
        raise DataError(
            "An ablation compares features with others, and these interactions have none. Read "
            "them with features."
        )
    if not uses_features(config):
        raise SettingError(
            f"{family_of(config).name} uses no features, so that an ablation would show nothing. "
            "Give the settings of a family that does."
        )


def _with(
    interactions: Interactions, change: Callable[[Features | None, int], Features | None]
) -> Interactions:
    """Return interactions with changed features of both sides."""
    return replace(
        interactions,
        item_features=change(interactions.item_features, 0),
        user_features=change(interactions.user_features, 1),
    )


def _changed(kind: str, seed: int) -> Callable[[Features | None, int], Features | None]:
    """Return what makes features of a kind of real ones; 0 for items, 1 for users."""

    def change(features: Features | None, side: int) -> Features | None:
        if features is None or kind == "none":
            return None
        if kind == "constant":
            return constant_like(features)
        if kind == "shuffled":
            return features.take(np.random.default_rng([seed, side]).permutation(features.n_rows))
        return features

    return change


def constant_like(features: Features) -> Features:
    """Return features of the same blocks, each with one word that all rows have.

    Examples
    --------
    >>> constant_like(Features.of_words("tag", [["rock", "folk"], []])).matrix.toarray().tolist()
    [[1.0], [1.0]]
    """
    names = StringArray.pack(["constant"])
    blocks = tuple(Block(block.name, "set", names) for block in features.blocks)
    ones = np.ones((features.n_rows, len(blocks)), dtype=np.float32)
    return Features(sp.csr_array(ones), blocks)

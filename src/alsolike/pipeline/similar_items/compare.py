"""Measures the similar items of all contestants, and chooses among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.item_to_item.agreement import (
    Features,
    features_of_column,
    read_features,
)
from alsolike.models.base import FittedModel, HasAffinities
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.pipeline.similar_items.choice import choose, decide
from alsolike.pipeline.similar_items.contestants import Contestant
from alsolike.pipeline.similar_items.measurement import Measuring, measure
from alsolike.pipeline.similar_items.report import NotCompared, SimilarItemsReport
from alsolike.pipeline.similar_items.store import FILE, MeasurementStore
from alsolike.progress import Observer


@dataclass(frozen=True)
class FeatureSource:
    """Where features of items are: in a column of the item table, or in a table of their own.

    Parameters
    ----------
    column : str
        Of the features.
    path : Path or None
        The table; None: the item table.
    item : str
        Column of item ids, in a table of its own.

    Examples
    --------
    >>> FeatureSource.of("tags.csv:item,tag")
    FeatureSource(column='tag', path=PosixPath('tags.csv'), item='item')
    >>> FeatureSource.of("genres")
    FeatureSource(column='genres', path=None, item='')
    """

    column: str
    path: Path | None = None
    item: str = ""

    @classmethod
    def of(cls, text: str) -> "FeatureSource":
        """Parse ``"COLUMN"`` or ``"FILE:ITEM,FEATURE"``.

        Raises
        ------
        SettingError
            It is neither.
        """
        path, colon, names = text.rpartition(":")
        if not colon:
            if not text.strip():
                raise SettingError("agree is empty: the name of a column expected.")
            return cls(text)
        item, comma, feature = (part.strip() for part in names.partition(","))
        if not (path and item and comma and feature):
            raise SettingError(
                f"agree is a column of the item table, or FILE:ITEM,FEATURE with the columns of a "
                f"table, such as tags.csv:item,tag, not {text!r}."
            )
        return cls(feature, Path(path), item)

    def read(self, likes: Interactions) -> Features:
        """Return the features of the items of a table of likes."""
        if self.path is None:
            return features_of_column(likes.catalogue, self.column, likes.items)
        return read_features(self.path, self.item, self.column, likes.items)


def describe_features(features: Features) -> str:
    """Say how many items have features, and what was left out."""
    n_items, n_features = features.vectors.shape
    left_out = (
        (features.unknown_items, "{} of unknown items"),
        (features.rare_features, "{} features of fewer than 3 items"),
    )
    words = [text.format(f"{count:,}") for count, text in left_out if count]
    left = f"; left out: {', '.join(words)}" if words else ""
    with_some = int(features.has.sum())
    return f"features of items: {n_features:,}, of {with_some:,} of {n_items:,} items{left}"


def compare_similar_items(
    contestants: Sequence[Contestant],
    how: Measuring,
    chosen_run: int,
    *,
    folder: Path,
    engine: Engine,
    observer: Observer,
    one_model: bool = False,
) -> SimilarItemsReport | NotCompared:
    """Measure all contestants and choose the model of similar items and its mark.

    Parameters
    ----------
    contestants : sequence of Contestant
        From `contestants_of`.
    how : Measuring
    chosen_run : int
        The run whose lists are published.
    folder : Path
        Where measurements are stored, so that a killed run resumes.
    engine : Engine
    observer : Observer
        Receives a step for each contestant.
    one_model : bool
        Publish the similar items of the model of the lists, even if another is better.

    Returns
    -------
    SimilarItemsReport or NotCompared
        NotCompared if no model that may be published compares items.
    """
    choices, failed = [], []
    observer.start("similar items", len(contestants))
    with MeasurementStore(folder / FILE) as store:
        for contestant in contestants:
            try:
                measured = measure(contestant, how, store, engine)
            except (FitError, DataError) as error:
                failed.append(f"{contestant.name} is not compared beside items. {error}")
            else:
                if measured is not None:
                    choices.append(choose(measured, how.popularity_bias))
            observer.advance()
    observer.finish()
    chosen = decide(choices, chosen_run, how.metric, one_model=one_model)
    if chosen is None:
        return NotCompared(
            " ".join(["No model to publish similar items of was measured.", *failed])
        )
    return SimilarItemsReport(chosen, how, tuple(failed))


def with_settings(
    model: FittedModel, settings: SimilarityConfig | None, popularity_bias: float | None
) -> FittedModel:
    """Return a model that compares items by chosen settings; those without a dial as they are.

    Parameters
    ----------
    model : FittedModel
    settings : SimilarityConfig or None
        None: not chosen, then the model's own.
    popularity_bias : float or None
        Given by the user; then it is used in any case.
    """
    if not isinstance(model, HasAffinities):
        return model
    config = settings or model.similarity_config
    if popularity_bias is not None:
        config = replace(config, popularity_bias=popularity_bias)
    found: FittedModel = model.with_similarity(replace(config, affinity=model.affinities[0]))
    return found

"""Measures the similar items of all contestants, and chooses among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.item_to_item.agreement import (
    FeatureVectors,
    features_of_column,
    read_features,
)
from alsolike.evaluation.item_to_item.unseen_users import Fold
from alsolike.models.base import FittedModel
from alsolike.models.protocols import HasAffinities
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.pipeline.similar_items.choice import (
    Choice,
    SimilarItemsChoice,
    choose,
    decide,
    without_losers,
)
from alsolike.pipeline.similar_items.contestants import Contestant
from alsolike.pipeline.similar_items.holdout import measure_test
from alsolike.pipeline.similar_items.measurement import Measured, Measuring, measure
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

    def read(self, of: Interactions | FittedModel) -> FeatureVectors:
        """Return the features of the items of a table of likes or of a model."""
        if self.path is None:
            return features_of_column(of.catalogue, self.column, of.items)
        return read_features(self.path, self.item, self.column, of.items)


def describe_features(features: FeatureVectors) -> str:
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

    With several folds, those that are significantly worse than the best on the first one are not
    trained on the others. Neither is the model of the lists if its family has settings of its own
    for similar items: it may have a thousand factors, which lists need and similar items do not.

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
    has_more = len(how.folds) > 1
    observer.start("similar items", len(contestants) * (1 + has_more))
    with MeasurementStore(folder / FILE) as store:
        race = _Race(how, store, engine, observer)
        whole = first = race.measured(contestants, how.folds[:1])
        kept = [one.contestant for one in first]
        if has_more:
            kept = [one.contestant for one in without_losers(first, chosen_run)]
            if not one_model:
                kept = _without_large(kept, chosen_run)
            whole = race.measured(kept, how.folds)
            observer.advance(len(contestants) - len(kept))
        observer.finish()
        choices = [choose(one, how.popularity_bias) for one in whole]
        left = [choose(one, how.popularity_bias) for one in first if one.contestant not in kept]
        chosen = decide(choices, chosen_run, how.metric, left=left, one_model=one_model)
        failed = tuple(dict.fromkeys(race.failed))
        if chosen is None:
            words = "There is no model to publish similar items of, so none were measured."
            return NotCompared(" ".join([words, *failed]))
        return SimilarItemsReport(race.tested(chosen), how, failed)


def _without_large(contestants: Sequence[Contestant], chosen_run: int) -> list[Contestant]:
    """Leave out the model of the lists, if its family has others for similar items alone."""
    own = {one.family for one in contestants if one.run is None and one.may_win}
    return [one for one in contestants if one.run != chosen_run or one.family not in own]


@dataclass
class _Race:
    """Measures contestants on folds; those that fail are out."""

    how: Measuring
    store: MeasurementStore
    engine: Engine
    observer: Observer
    failed: list[str] = field(default_factory=list)

    def tested(self, chosen: SimilarItemsChoice) -> SimilarItemsChoice:
        """Measure what a report shows on the test users, too."""
        shown = chosen.shown
        self.observer.start("similar items of test users", len(shown))
        tested: dict[int, Choice] = {}
        for one in shown:
            is_own = one is chosen.published or one is chosen.winner
            place = one.published if is_own else one.best
            measured = measure_test(
                one.measured, self.how, self.store, self.engine, spread_at=place
            )
            tested[id(one)] = replace(one, measured=measured)
            self.observer.advance()
        self.observer.finish()
        return chosen.with_choices(tested)

    def measured(self, contestants: Sequence[Contestant], folds: Sequence[Fold]) -> list[Measured]:
        found = []
        for contestant in contestants:
            try:
                one = measure(contestant, folds, self.how, self.store, self.engine)
            except (FitError, DataError) as error:
                self.failed.append(f"{contestant.name} is not compared beside items. {error}")
            else:
                found += [] if one is None else [one]
            self.observer.advance()
        return found


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

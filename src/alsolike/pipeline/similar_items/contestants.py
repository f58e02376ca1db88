"""Lists the contestants: trainings whose similar items are compared, baselines among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.co_counts import CoCountModel
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.leaderboard.runs import model_name
from alsolike.tuning.storage.canonical import canonical_settings

# Always compared, even where they may not be published: the usual counts of common likes, and the
# most liked items, the same beside every item.
_ALWAYS = ("item-knn", "popularity")


@dataclass(frozen=True)
class Contestant:
    """A training whose similar items are compared.

    Parameters
    ----------
    config : Config or None
        With the chosen sweep as ``iterations`` if the family has any. None: plain co-counts, which
        need no training.
    run : int or None
        Its number on the leaderboard; None: it was tried for similar items alone.
    baseline : str
        The baseline that the best of several stands for; empty: none.
    may_win : bool
        Whether it may be published.
    """

    config: Any = None
    run: int | None = None
    baseline: str = ""
    may_win: bool = False

    @property
    def family(self) -> str:
        """The name of its family."""
        return CoCountModel.name if self.config is None else family_of(self.config).name

    @property
    def name(self) -> str:
        """The family and, in brackets, the way in which it compares items if it has several."""
        own = "" if self.config is None else family_of(self.config).compared_by(self.config)
        return model_name(self.family, {"": own} if own else {})

    @property
    def origin(self) -> str:
        """The number of its run, or else its settings that are not the defaults, in words."""
        if self.run is not None:
            return f"run {self.run}"
        if self.config is None:
            return "no settings"
        usual = type(self.config)().to_settings()
        own = self.config.to_settings()
        words = [f"{name} {value}" for name, value in own.items() if value != usual.get(name)]
        return ", ".join(words) or "default settings"

    @property
    def key(self) -> Mapping[str, Any]:
        """All that its training depends on, besides the data."""
        return {} if self.config is None else self.config.to_settings()

    def trained(self, train: Interactions, engine: Engine) -> Any:
        """Return its model of a table, for similar items alone."""
        if self.config is None:
            return CoCountModel(train)
        family = family_of(self.config)
        return family.fit_beside_items(TrainingData(train), self.config, engine=engine)


def contestants_of(found: SearchResult, chosen: int, train: Interactions) -> list[Contestant]:
    """Return what is compared: the best of the search, settings for similar items, and baselines.

    Of each family that may be published, these are the best training of the search, one for each
    way in which it compares items, and the settings of `Family.similar_space`. Of a blend it is the
    member that compares items, which stands for its family.

    Parameters
    ----------
    found : SearchResult
    chosen : int
        The number of the run whose lists are published; it stands for its family.
    train : Interactions
        The training data of the search.

    Returns
    -------
    list of Contestant
        The chosen run first, then by rank, then settings for similar items, then what is only
        compared with; plain co-counts are the last.
    """
    usable = [row for row in found.rows if not row.is_degenerate]
    rows = [row for row in usable if row.is_candidate]
    rows.sort(key=lambda row: row.run != chosen)  # stable: the others remain by rank
    always = {_way(config): name for name, config in _always(train)}
    best: dict[tuple[str, str], Contestant] = {}
    for row in rows:
        baseline = always.get(_way(row.config), "")
        one = Contestant(_beside_items(row.config), row.run, baseline, may_win=True)
        best.setdefault(_way(row.config), one)
    distinct = {_identity(one.config): one for one in best.values()}
    for config in _for_similar_items([row.family for row in found.rows if row.is_candidate], train):
        one = Contestant(config, None, always.get(_way(config), ""), may_win=True)
        distinct.setdefault(_identity(config), one)
    ways = {_way(one.config) for one in distinct.values()}
    for name, config in _always(train):
        if _way(config) not in ways:
            ways.add(_way(config))
            alike = (row.config for row in usable if _way(row.config) == _way(config))
            distinct.setdefault(_identity(config), Contestant(next(alike, config), None, name))
    return [*distinct.values(), Contestant(baseline=CoCountModel.name)]


def baselines_of_lists(found: SearchResult, chosen: int, train: Interactions) -> dict[str, Config]:
    """Return the best settings, by their lists, of each baseline that lists are held against.

    The first ones to try if none are on the leaderboard. Popularity, whose lists are measured in
    any case, and the family of the chosen run are not among them.
    """
    own = next((row.family for row in found.rows if row.run == chosen), "")
    usual = [(name, one) for name, one in _always(train) if not family_of(one).is_baseline]
    best: dict[str, Config] = {}
    for row in found.rows:
        if not row.is_degenerate and row.family in dict(usual):
            best.setdefault(row.family, row.config)
    for name, config in usual:
        best.setdefault(name, config)
    return {name: config for name, config in best.items() if name != own}


def families_of_contestants(configs: Sequence[Config], train: Interactions) -> list[str]:
    """Return the family of each training that a comparison after a search of `configs` has."""
    ways = {_way(one) for one in configs}
    own = [family for family, _ in ways]
    own += [family_of(one).name for one in similar_configs(configs, train)]
    return [*own, *(name for name, one in _always(train) if _way(one) not in ways)]


def similar_configs(configs: Sequence[Config], train: Interactions) -> list[Config]:
    """Return the settings that are tried for similar items alone after a search of `configs`."""
    ways = {_way(one) for one in configs if family_of(one).compared_by(one)}
    families = [family_of(one).name for one in map(_beside_items, configs)]
    return [one for one in _for_similar_items(families, train) if _way(one) not in ways]


def _beside_items(config: Config) -> Any:
    """Return the configuration that similar items come from: of a blend, that of a member."""
    return family_of(config).beside_items(config)


def _way(config: Config) -> tuple[str, str]:
    """Return the family and the way in which it compares items."""
    config = _beside_items(config)
    family = family_of(config)
    return family.name, family.compared_by(config)


def _identity(config: Config) -> tuple[str, str]:
    """Return a key that is equal for trainings with the same similar items."""
    config = _beside_items(config)
    family, way = _way(config)
    return family, way or canonical_settings(config.to_settings())


def _for_similar_items(families: Sequence[str], train: Interactions) -> Iterator[Config]:
    for name in dict.fromkeys(families):
        yield from family_named(name).similar_space(TrainingData(train))


def _always(train: Interactions) -> list[tuple[str, Config]]:
    data = TrainingData(train)
    return [(name, config) for name in _ALWAYS for config in family_named(name).search_space(data)]

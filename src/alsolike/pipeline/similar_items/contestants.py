"""Lists the contestants: finalists of a search, and baselines, whose similar items are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.co_counts import CoCountModel
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult
from alsolike.tuning.leaderboard.runs import model_name

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
        Its number on the leaderboard; None: it is not for publishing.
    baseline : str
        The baseline that the best of several stands for; empty: none.
    """

    config: Any = None
    run: int | None = None
    baseline: str = ""

    @property
    def may_win(self) -> bool:
        """Whether it may be published."""
        return self.run is not None

    @property
    def family(self) -> str:
        """The name of its family."""
        return CoCountModel.name if self.config is None else family_of(self.config).name

    @property
    def name(self) -> str:
        """The family and, in brackets, the settings by which its similar items differ."""
        own = "" if self.config is None else family_of(self.config).compared_by(self.config)
        return model_name(self.family, {"": own} if own else {})

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
    """Return the best training of each family and of each way in which it compares items.

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
        The chosen run first, then by rank, then those that are only compared with; plain co-counts
        are the last.
    """
    usable = [row for row in found.rows if not row.is_degenerate]
    rows = [row for row in usable if row.is_candidate]
    rows.sort(key=lambda row: row.run != chosen)  # stable: the others remain by rank
    always = {_key(config): (name, config) for name, config in reversed(_always(train))}
    best: dict[tuple[str, str], Contestant] = {}
    for row in rows:
        baseline, _ = always.get(_key(row.config), ("", None))
        best.setdefault(_key(row.config), Contestant(row.config, row.run, baseline))
    for key, (name, config) in reversed(always.items()):
        compared = (row.config for row in usable if _key(row.config) == key)
        best.setdefault(key, Contestant(next(compared, config), baseline=name))
    return [*best.values(), Contestant(baseline=CoCountModel.name)]


def baselines_of_lists(found: SearchResult, chosen: int, train: Interactions) -> dict[str, Config]:
    """Return the best settings, by their lists, of each baseline that lists are held against.

    Popularity, whose lists are measured in any case, and the chosen run are not among them.
    """
    keys = {_key(config): name for name, config in _always(train) if not _is_baseline(config)}
    best: dict[str, LeaderboardRow] = {}
    for row in found.rows:
        if not row.is_degenerate and _key(row.config) in keys:
            best.setdefault(keys[_key(row.config)], row)
    return {name: row.config for name, row in best.items() if row.run is None or row.run != chosen}


def expected_contestants(configs: Sequence[Config], train: Interactions) -> list[list[Config]]:
    """Return, for each training that `contestants_of` will name, the configurations it may have."""
    alike: dict[tuple[str, str], list[Config]] = {}
    for config in [*configs, *(config for _, config in _always(train))]:
        alike.setdefault(_key(config), []).append(config)
    return list(alike.values())


def _key(config: Config) -> tuple[str, str]:
    family = family_of(config)
    return family.name, family.compared_by(config)


def _always(train: Interactions) -> list[tuple[str, Config]]:
    data = TrainingData(train)
    return [(name, config) for name in _ALWAYS for config in family_named(name).search_space(data)]


def _is_baseline(config: Config) -> bool:
    return family_of(config).is_baseline

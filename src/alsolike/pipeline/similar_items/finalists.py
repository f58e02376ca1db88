"""Lists the finalists: the trainings of a search whose similar items are compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult
from alsolike.tuning.leaderboard.runs import model_name

# Always compared, even where they may not be published: the usual counts of common likes.
_ALWAYS = ("item-knn",)


@dataclass(frozen=True)
class Finalist:
    """A training whose similar items are compared.

    Parameters
    ----------
    config : Config
        With the chosen sweep as ``iterations`` if the family has any.
    run : int or None
        Its number on the leaderboard; None: it was not trained in the search.
    may_win : bool
        Whether it may be published.
    """

    config: Any
    run: int | None = None
    may_win: bool = True

    @property
    def family(self) -> str:
        """The name of its family."""
        return family_of(self.config).name

    @property
    def compared_by(self) -> str:
        """The settings by which its similar items differ from others of the family, in words."""
        return family_of(self.config).compared_by(self.config)

    @property
    def name(self) -> str:
        """The family and, in brackets, the settings by which its similar items differ."""
        own = self.compared_by
        return model_name(self.family, {"": own} if own else {})


def finalists_of(found: SearchResult, chosen: int, train: Interactions) -> list[Finalist]:
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
    list of Finalist
        The chosen run first, then by rank, then those that only the comparison needs.
    """
    usable = [row for row in found.rows if row.is_candidate and not row.is_degenerate]
    usable.sort(key=lambda row: row.run != chosen)  # stable: the others remain by rank
    best: dict[tuple[str, str], Finalist] = {}
    for row in usable:
        best.setdefault(_key(row.config), Finalist(row.config, row.run))
    for config in _usual(train):
        best.setdefault(_key(config), Finalist(_best_setting(found, config), may_win=False))
    return list(best.values())


def expected_finalists(configs: list[Config], train: Interactions) -> list[Config]:
    """Return a configuration for each finalist that a search of `configs` will have at most."""
    best: dict[tuple[str, str], Config] = {}
    for config in [*configs, *_usual(train)]:
        best.setdefault(_key(config), config)
    return list(best.values())


def _key(config: Config) -> tuple[str, str]:
    family = family_of(config)
    return family.name, family.compared_by(config)


def _usual(train: Interactions) -> Iterator[Config]:
    for name in _ALWAYS:
        yield from family_named(name).search_space(TrainingData(train))


def _best_setting(found: SearchResult, config: Config) -> Config:
    """Return the settings of the best row that compares items as `config` does, else `config`."""
    rows: Iterator[LeaderboardRow] = (
        row for row in found.rows if _key(row.config) == _key(config) and not row.is_degenerate
    )
    return next((row.config for row in rows), config)

"""The lines to beat that stand on every leaderboard, with the settings that are tried of each."""

from collections.abc import Sequence

from alsolike.data.interactions import Interactions
from alsolike.errors import SettingError
from alsolike.hints import did_you_mean
from alsolike.models.chance import ChanceConfig
from alsolike.models.ease import EASEConfig, ease_bytes, refuse_too_large
from alsolike.models.neighbours import ItemKNNConfig
from alsolike.models.popularity import PopularityConfig
from alsolike.tuning.candidates import BASELINES, Config

# Unasked, EASE is tried where its n x n x n operations take seconds.
EASE_UNASKED = 3_000

# Bytes: a number and an index, several times over while lists are put together and turned.
_PER_NEIGHBOUR = 80


def baselines_for(
    names: Sequence[str] | None, interactions: Interactions, *, seed: int = 0
) -> list[Config]:
    """Return the configurations of the lines to beat.

    Parameters
    ----------
    names : sequence of str or None
        Of `alsolike.tuning.candidates.BASELINES`. None: all that take little time, which leaves
        out EASE where there are more than 3,000 items. Popularity is always among them.
    interactions : Interactions
        What they will be fitted to.
    seed : int
        Of the random one.

    Raises
    ------
    SettingError
        There is no baseline of that name.
    DataError
        EASE would need more memory than is available.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"])
    >>> [config.to_settings()["model"] for config in baselines_for(["random"], likes)]
    ['popularity', 'random']
    """
    for name in names or ():
        if name not in BASELINES:
            raise SettingError(
                f"There is no baseline {name!r}; known are {', '.join(sorted(BASELINES))}."
                f"{did_you_mean(name, BASELINES)}"
            )
    asked = set(BASELINES if names is None else names)
    if names is None and interactions.n_items > EASE_UNASKED:
        asked.discard("ease")
    if "ease" in asked:
        refuse_too_large(interactions.n_items)
    found: list[Config] = [PopularityConfig()]
    if "item-knn" in asked:
        found += [
            ItemKNNConfig(weighting="cosine", neighbours=neighbours) for neighbours in (100, 400)
        ]
        # Of BM25 the weight of popularity decides most.
        found += [ItemKNNConfig(weighting="bm25", neighbours=400, b=b) for b in (0.05, 0.2)]
    if "ease" in asked:
        found += [EASEConfig(regularization=regularization) for regularization in (100.0, 500.0)]
    if "random" in asked:
        found.append(ChanceConfig(seed=seed))
    return found


def bytes_of(configs: Sequence[Config], interactions: Interactions, threads: int) -> int:
    """Return what the dearest of these take, as many at once as there are threads."""
    n_items, needed = interactions.n_items, []
    for config in configs:
        if isinstance(config, EASEConfig):
            needed.append(ease_bytes(n_items))
        elif isinstance(config, ItemKNNConfig):
            needed.append(_PER_NEIGHBOUR * n_items * min(config.neighbours, n_items))
    return sum(sorted(needed)[-threads:])

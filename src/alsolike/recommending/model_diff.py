"""Comparison of two models by their similar items."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Id
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import FittedModel
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import described
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.shared import MIN_COUNT, Indices, checked_k
from alsolike.recommending.similarity import similar_indices
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import with_example

Shares = npt.NDArray[np.float64]

_BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
_CELLS = 1 << 22  # pairs of places compared at once, about 12 MB


@dataclass(frozen=True, eq=False)
class ModelDiff:
    """Differences between the similar items of a new model and those of an old one.

    Parameters
    ----------
    k : int
        Length of the compared lists.
    gained, lost : tuple of str or int
        Ids of items that only the new model has; that only the old one has.
    items : Table
        One row per item of both, in the order of their ids: ``item``, ``name`` if the new model
        knows names, ``likes`` (in the new model), ``kept`` (items in both lists), ``jaccard``,
        ``average_overlap`` and ``change``, 1 minus the average overlap: 0 for equal lists, 1 for
        lists without a common item.
    compared : tuple of str, or None
        How the old and the new model compare items, where it is settled by a dial.
    """

    k: int
    gained: tuple[Id, ...]
    lost: tuple[Id, ...]
    items: Table
    compared: tuple[str, str] | None = None

    @property
    def moved(self) -> int:
        """Items of both models whose lists differ."""
        return int(np.count_nonzero(self.items["change"]))

    @property
    def mean_change(self) -> float:
        """Mean change over the old model's items (a lost item counts as 1); 0 without items."""
        changes = self.items["change"]
        n_lists = len(changes) + len(self.lost)
        return float((changes.sum() + len(self.lost)) / n_lists) if n_lists else 0.0

    def distribution(self) -> Table:
        """Return how many lists changed by how much."""
        changes = self.items["change"]
        counts = {"0 (the same list)": int((changes == 0).sum())}
        for low, high in itertools.pairwise(_BANDS):
            last = high == _BANDS[-1]
            inside = (changes > low) & (changes < high if last else changes <= high)
            counts[f"over {low:g}, {'under' if last else 'to'} {high:g}"] = int(inside.sum())
        counts["1 (nothing in common)"] = int((changes == 1).sum())
        shelves = np.array(list(counts.values()), dtype=np.int64)
        share = shelves / max(len(changes), 1)
        return Table({"change": list(counts), "shelves": shelves, "share": share})

    def most_moved(self, n: int = 10) -> Table:
        """Return the `n` rows of `items` that changed most; of equals, the most liked first."""
        order = np.lexsort((-self.items["likes"], -self.items["change"]))
        order = order[self.items["change"][order] > 0][:n]
        return Table({name: column[order] for name, column in self.items.to_dict().items()})

    def brief(self, width: int) -> str:
        """Return the same as ``str()``, at most `width` columns wide."""
        least = ("jaccard", "kept", "likes", "average_overlap", "share", "name")
        return "\n".join(
            part.fitted(width, least=least, whole="--verbose")
            if isinstance(part, Table)
            else wrapped(part, width, indent=2)
            for part in self._parts()
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self._parts()))

    def _parts(self) -> Iterator[str | Table]:
        changes, n_items = self.items["change"], len(self.items)
        yield (
            f"items: {n_items:,} in both, {_listed('gained', self.gained)}, "
            f"{_listed('lost', self.lost)}"
        )
        if self.compared is not None:
            old, new = self.compared
            yield f"compared by: {old}" if old == new else f"compared by: old {old}; new {new}"
        if n_items:
            median = float(np.median(changes))
            yield (
                f"lists of {self.k}: {self.moved:,} of {n_items:,} changed; change (1 - average "
                f"overlap): mean {changes.mean():.4f}, median {median:.4f}; mean Jaccard "
                f"{self.items['jaccard'].mean():.4f}"
            )
            yield self.distribution()
        if self.moved:
            yield from ("changed most:", self.most_moved())
        counted = " (a lost item counts as 1)" if self.lost else ""
        yield (
            f"mean change over the {n_items + len(self.lost):,} items of the old model{counted}: "
            f"{self.mean_change:.4f}"
        )

    def __repr__(self) -> str:
        return (
            f"ModelDiff({len(self.items):,} items in both, {len(self.gained):,} gained, "
            f"{len(self.lost):,} lost, {self.moved:,} lists changed, mean change "
            f"{self.mean_change:.4f})"
        )

    def _repr_html_(self) -> str:
        return self.distribution()._repr_html_() + self.most_moved()._repr_html_()


@with_example("diff(old_model, new_model, k=10)")
def diff(
    old: FittedModel,
    new: FittedModel,
    *,
    k: int = 10,
    min_count: int = MIN_COUNT,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> ModelDiff:
    """Compare the similar items of two models, item by item.

    With A and B the two lists of an item, A_d the first d of A, and m the length of the longer one,

    - Jaccard [1]_ is ``|A and B| / |A or B|``, which ignores the order;
    - the average overlap [2]_, [3]_ is the mean over d = 1 ... m of ``|A_d and B_d| / d``, which
      weighs the first places most.

    Both are 1 for two empty lists.

    Parameters
    ----------
    old, new : FittedModel
        Models that compare items, of any family, each by its own settings, see
        `alsolike.with_similarity`. Items are matched by id.
    k : int
        Length of the lists.
    min_count : int
        Least likes of a neighbour, see `alsolike.similar`.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer

    Raises
    ------
    SettingError
        `k` is below 1, or a model compares no items.
    FitError
        An item's factors or scores are not finite.

    References
    ----------
    .. [1] P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11(2),
       1912.
    .. [2] R. Fagin, R. Kumar, D. Sivakumar, "Comparing top k lists", SIAM Journal on Discrete
       Mathematics 17(1), 2003 (the intersection metric, which is 1 less this).
    .. [3] W. Webber, A. Moffat, J. Zobel, "A similarity measure for indefinite rankings", ACM TOIS
       28(4), 2010, section 3, where it has this name.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alsolike.testing import tiny_model
    >>> old = tiny_model(n_items=12)
    >>> diff(old, old)
    ModelDiff(12 items in both, 0 gained, 0 lost, 0 lists changed, mean change 0.0000)
    >>> turned = replace(old, item_factors=old.item_factors[::-1].copy())
    >>> print(diff(old, turned, k=2).distribution())
    +-----------------------+---------+--------+
    ...
    """
    length = checked_k(k)
    engine = engine or LocalEngine()
    comparable = [expect_item_scorer(model, "compare similar items") for model in (old, new)]
    places = new.items.places_of(old.items)
    common = np.flatnonzero(places >= 0)
    lists = []
    for model, rows in zip(comparable, (common, places[common]), strict=True):
        ranked = similar_indices(
            model,
            rows,
            k=min(length, max(len(model.items), 1)),
            min_count=min_count,
            engine=engine,
            observer=observer,
        )
        lists.append(ranked.indices)
    kept, jaccard, average = overlaps(_renumbered(lists[0], places, len(new.items)), lists[1])
    rows = places[common]
    names = None if new.catalogue is None else new.catalogue.names
    compared = described(old) or f"scores of {old.name}", described(new) or f"scores of {new.name}"
    return ModelDiff(
        k=length,
        compared=compared if described(old) or described(new) else None,
        gained=tuple(new.items.ids_of(np.flatnonzero(old.items.places_of(new.items) < 0)).tolist()),
        lost=tuple(old.items.ids_of(np.flatnonzero(places < 0)).tolist()),
        items=Table(
            {
                "item": old.items.ids_of(common),
                **({} if names is None else {"name": names.take(rows).to_array()}),
                "likes": new.item_counts[rows],
                "kept": kept,
                "jaccard": jaccard,
                "average_overlap": average,
                "change": 1 - average,
            }
        ),
    )


def overlaps(
    one: npt.NDArray[np.int64] | Indices, other: npt.NDArray[np.int64] | Indices
) -> tuple[npt.NDArray[np.int64], Shares, Shares]:
    """Measure the overlap of two lists of each row, see `diff`.

    Parameters
    ----------
    one, other : int, (n, any)
        Distinct items of each row, best first; -1 where a list has ended.

    Returns
    -------
    int64, (n,)
        Items in both.
    float64, (n,), and float64, (n,)
        Jaccard and average overlap.

    Examples
    --------
    >>> import numpy as np
    >>> kept, jaccard, average = overlaps(np.array([[1, 2, 3]]), np.array([[2, 1, 4]]))
    >>> kept.item(), jaccard.item(), round(average.item(), 4)
    (2, 0.5, 0.5556)
    """
    n_rows, depth = len(one), max(one.shape[1], other.shape[1])
    step = max(_CELLS // max(one.shape[1] * other.shape[1], 1), 1)
    # An item counts from the deeper of its two places on.
    deeper = np.maximum.outer(np.arange(one.shape[1]), np.arange(other.shape[1])).ravel()
    found = np.zeros((n_rows, depth), dtype=np.int64)
    for first in range(0, n_rows, step):
        mine, others = one[first : first + step], other[first : first + step]
        same = (mine[:, :, None] == others[:, None, :]) & (mine[:, :, None] >= 0)
        rows, pairs = np.nonzero(same.reshape(len(mine), -1))
        np.add.at(found, (rows + first, deeper[pairs]), 1)
    shared = np.cumsum(found, axis=1)
    lengths = np.stack([(one >= 0).sum(axis=1), (other >= 0).sum(axis=1)])
    longest, kept = lengths.max(axis=0, initial=0), shared[:, -1] if depth else np.zeros(n_rows)
    places = np.arange(1, depth + 1)
    agreed = np.where(places <= longest[:, None], shared / places, 0.0).sum(axis=1)
    union = lengths.sum(axis=0) - kept
    nothing = longest == 0
    return (
        kept.astype(np.int64),
        np.where(nothing, 1.0, kept / np.where(nothing, 1, union)),
        np.where(nothing, 1.0, agreed / np.where(nothing, 1, longest)),
    )


def _renumbered(
    indices: Indices, places: npt.NDArray[np.int64], n_new: int
) -> npt.NDArray[np.int64]:
    """Return rows of the old model as rows of the new; items it lacks get numbers beyond."""
    numbers = np.where(places >= 0, places, n_new + np.arange(len(places)))
    return np.where(indices >= 0, numbers[indices], -1)


def _listed(what: str, ids: tuple[Id, ...]) -> str:
    shown = ", ".join(repr(one[:40] if isinstance(one, str) else one) for one in ids[:3])
    more = ", ..." if len(ids) > 3 else ""
    return f"{len(ids):,} {what}" + (f" ({shown}{more})" if ids else "")

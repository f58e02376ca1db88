"""Scores one set of lists under the metric definitions of several libraries.

Two papers may say "precision@10" and mean different things: `metric_definitions` scores lists as
implicit, irspack, LightFM, RecBole and Spark do, and names the lines that make a difference. The
definitions are in `alsolike.evaluation.metrics.library_definitions`.
"""

from dataclasses import dataclass

import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.metrics import definition_inputs
from alsolike.evaluation.metrics.definition_inputs import DefinitionInputs
from alsolike.evaluation.metrics.ground_truth import GroundTruth, check_matching_ids
from alsolike.evaluation.metrics.library_definitions import DEFINITIONS, SOURCES, Definition
from alsolike.models.protocols import Recommender
from alsolike.progress import SILENT, Observer
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import checked_k
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import did_you_mean

# Values that differ by less are equal up to rounding.
_ROUNDING = 1e-12
_WIDTH = 100
_WHOLE = "--verbose"
_PRINTED = ("library", "metric", "value", "minus_ours", "definition")
_LEGEND = (
    "Per user: k is the requested length, n the number of items in the list, m the number of "
    "relevant items, h the number of hits, s the sum over the hits of the precision at their "
    "place, dcg the sum over the hits of 1 / log2(place + 1). Means are over users with a relevant "
    "item, unless all users are named. For equal scores, ours is the mean over all their orders; "
    "the others use the list as it is, lower item index first."
)


@dataclass(frozen=True, eq=False)
class MetricDefinitions:
    """One set of lists under several definitions; ``print`` it.

    Parameters
    ----------
    name : str
        Name of the model.
    k : int
        Length of the lists.
    excludes_seen : bool or None
        Whether given interactions were left out of the lists; None: unknown.
    n_users, without_relevant : int
        Measured users; requested users who have no relevant item.
    table : Table
        One row per definition: library, metric (ours, with ``@k`` where it stops there), value
        (None if the library has no number, or needs scores that are not known), minus_ours (0 where
        it is the same), definition, differs (in words; empty where it never does), called (the
        library's name for it), file and where (the lines that define it).
    """

    name: str
    k: int
    excludes_seen: bool | None
    n_users: int
    without_relevant: int
    table: Table

    def value(self, library: str, metric: str) -> float | None:
        """Return one value, such as that of ``"Spark"`` for ``"map@10"``."""
        values = {(row["library"], row["metric"]): row["value"] for row in self.table.rows()}
        if (library, metric) not in values:
            known = [f"{of} {one}" for of, one in values]
            raise SettingError(
                f"There is no {library} {metric} here; there are: {', '.join(known)}."
                f"{did_you_mean(f'{library} {metric}', known)}"
            )
        value: float | None = values[library, metric]
        return value

    def brief(self, width: int) -> str:
        """Return the table, at most `width` columns wide, without the differences in words."""
        least = ("definition", "minus_ours")
        head, *legend = (_wrapped(text, width) for text in self._prose())
        text = self._printed().fitted(width, least=least, more=["where they differ"], whole=_WHOLE)
        return "\n".join([head, text, *legend])

    def __str__(self) -> str:
        head, *legend = self._prose()
        parts = [head, str(self._printed()), *map(_wrapped, legend)]
        return "\n".join([*parts, "", "Differences from alsolike:", *self._notes()])

    def _printed(self) -> Table:
        return Table({name: self.table[name] for name in _PRINTED})

    def _prose(self) -> list[str]:
        """Return the texts above and below the table."""
        seen = {True: ", seen excluded", False: ", seen kept", None: ""}[self.excludes_seen]
        head = f"{self.name}: lists of {self.k:,} for {self.n_users:,} users{seen}"
        if self.without_relevant:
            head += f"; {self.without_relevant:,} more users have no relevant item"
        if any(value is None for value in self.table["value"]):
            missing = "No value: it needs all scores, or the library does not define it."
            return [head, _LEGEND, missing]
        return [head, _LEGEND]

    def _notes(self) -> list[str]:
        """Return each difference once, with its metrics and lines."""
        together: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in self.table.rows():
            if row["differs"]:
                together.setdefault((row["library"], row["differs"]), []).append(row)
        notes = []
        for (library, words), rows in together.items():
            metrics = ", ".join(row["metric"] for row in rows)
            lines = "; ".join(row["where"].removeprefix("lines ") for row in rows)
            notes.append(
                _wrapped(f"- {library} {metrics}: {words} [{rows[0]['file']}, lines {lines}]")
            )
        return notes

    def __repr__(self) -> str:
        return f"MetricDefinitions({self.name}, k={self.k}, {self.n_users:,} users)"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def metric_definitions(
    model: Recommender,
    held_out: Interactions,
    *,
    exclude: Interactions | None = None,
    k: int = 10,
    user_indices: npt.ArrayLike | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> MetricDefinitions:
    """Score a model's recommendations under the definitions of several libraries.

    Parameters
    ----------
    model, held_out, exclude, engine, observer
        As in `alsolike.evaluation.metrics.evaluate.evaluate`, as are the errors.
    k : int
        Length of the lists, at least 1.
    user_indices : int, (n,), or None
        As there; users without a relevant item only count for Spark.

    Examples
    --------
    >>> import numpy as np
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> train = Interactions.from_columns(["u1", "u2", "u2", "u3"], ["a", "a", "b", "c"])
    >>> held_out = Interactions(
    ...     sp.csr_array(np.float32([[0, 1, 1], [0, 0, 1], [0, 0, 0]])), train.users, train.items
    ... )
    >>> found = metric_definitions(fit_popularity(train), held_out, exclude=train, k=2)
    >>> found.value("alsolike", "precision@2"), found.value("implicit", "precision@2")
    (0.75, 1.0)
    """
    check_matching_ids(model, "score its lists", held_out=held_out, exclude=exclude)
    length, engine = checked_k(k), engine or LocalEngine()
    truth = GroundTruth.of(held_out, exclude, user_indices)
    # One place more shows whether a tie reaches beyond the list.
    ranked = truth.ranked(model, length + 1, engine, observer)
    found = definition_inputs.of_model(model, truth, ranked, engine)
    return _table_of(model.name, found, excludes_seen=exclude is not None)


def definitions_of_lists(
    lists: Ranked | npt.ArrayLike,
    relevant: sp.sparray | GroundTruth,
    *,
    k: int,
    name: str = "lists",
) -> MetricDefinitions:
    """Score lists from any source under the definitions of several libraries.

    Metrics that need the scores of the whole catalogue (AUC except implicit's, and LightFM's
    reciprocal rank) have no value here.

    Parameters
    ----------
    lists : Ranked, or int, (n_users, at least k)
        Item indices, best first; -1 where a list has ended. With a `Ranked` of more than `k`
        items LightFM's rule of ties is applied; else scores count as distinct.
    relevant : sparse array, (n_users, n_items), or GroundTruth
        The relevant items of the same users: cells above 0.
    k : int
        Length of the lists.
    name : str
        Name of the lists.

    Raises
    ------
    SettingError
        The lists are shorter than `k`.
    DataError
        The shapes differ; a list has an item twice, or an unknown one; a cell is not a number; or
        nobody has a relevant item.

    Examples
    --------
    >>> relevant = sp.csr_array([[1, 0, 0, 1], [0, 1, 0, 0]])
    >>> found = definitions_of_lists([[3, 1], [0, -1]], relevant, k=2)
    >>> [round(found.value(of, "precision@2"), 3) for of in ("alsolike", "implicit", "irspack")]
    [0.25, 0.333, 0.25]
    """
    found = definition_inputs.of_lists(lists, relevant, checked_k(k))
    return _table_of(name, found, excludes_seen=None)


def _table_of(
    name: str, found: DefinitionInputs, *, excludes_seen: bool | None
) -> MetricDefinitions:
    ours = {
        definition.our_metric: definition.value(found)
        for definition in DEFINITIONS
        if definition.library == "alsolike"
    }
    rows = [_line(definition, found, ours[definition.our_metric]) for definition in DEFINITIONS]
    n_users = len(found.relevant)
    table = Table.from_rows(rows)
    return MetricDefinitions(name, found.k, excludes_seen, n_users, found.without_relevant, table)


def _line(
    definition: Definition, found: DefinitionInputs, ours: float | None
) -> dict[str, str | float | None]:
    value = definition.value(found)
    apart = None if value is None or ours is None else value - ours
    return {
        "library": definition.library,
        "metric": definition.metric.replace("@k", f"@{found.k}"),
        "value": value,
        "minus_ours": 0.0 if apart is not None and abs(apart) < _ROUNDING else apart,
        "definition": definition.formula,
        "differs": definition.differs,
        "called": definition.called,
        "file": SOURCES[definition.library],
        "where": definition.where,
    }


def _wrapped(text: str, width: int = _WIDTH) -> str:
    return wrapped(text, width, indent=2)

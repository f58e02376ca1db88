"""The figures to quote: what was chosen, on the test users, whom no choice has seen."""

from collections.abc import Mapping
from dataclasses import dataclass

from alsolike.evaluation.intervals import Estimate
from alsolike.evaluation.results import Evaluation
from alsolike.evaluation.shelves import ShelfEvaluation, of_shelf
from alsolike.evaluation.slices import Slices
from alsolike.tables import Table


@dataclass(frozen=True)
class TestFigures:
    """What the chosen model and popularity reach on the test users.

    Parameters
    ----------
    measure : str
        The measure that settings were chosen by, as `table` calls it.
    evaluations : tuple of Evaluation
        The chosen model's, then popularity's, over the same users.
    errors : mapping of str to float
        The chosen model's mean squared errors: ``mse_users``, over all cells of the test users'
        rows against the test items (the article's), and ``mse_all``, over all cells against what
        it was fitted to.
    difference : Estimate
        Chosen minus popularity in that measure, paired over the users.
    slices : tuple of Slices
        Both models' figures by length of history and by popularity, and how they are spread.
    shelves : tuple of ShelfEvaluation
        Both models' shelves of similar items: whether who likes an item likes what stands beside
        it.
    """

    measure: str
    evaluations: tuple[Evaluation, ...]
    errors: Mapping[str, float]
    difference: Estimate
    slices: tuple[Slices, ...] = ()
    shelves: tuple[ShelfEvaluation, ...] = ()

    def table(self) -> Table:
        """Return model, metric, mean, low, high, users; the chosen measure first.

        What was measured on shelves is called so: ``"shelf_precision@10"``.
        """
        rows = [
            {"model": evaluation.model_name} | row
            for evaluation in self.evaluations
            for row in [*evaluation.summary().rows(), *_coverage(evaluation)]
        ]
        rows += [
            {"model": one.model_name} | row | {"metric": of_shelf(row["metric"])}
            for one in self.shelves
            for row in one.summary().rows()
        ]
        order = [self.measure, *(row["metric"] for row in rows)]
        rows.sort(key=lambda row: order.index(row["metric"]))  # the models of a metric together
        model, users = self.evaluations[0].model_name, len(self.evaluations[0].user_indices)
        rows += [
            {"model": model, "metric": metric, "mean": error, "users": users}
            for metric, error in self.errors.items()
        ]
        return Table.from_rows(rows)

    def further(self) -> list[tuple[str, Table]]:
        """Return the slices as tables, each with its heading."""
        found = []
        for one in self.slices:
            found += [
                (f"{one.model_name}: {one.metric} by what a user likes already", one.by_history),
                (f"{one.model_name}: held-out pairs found, by popularity of the item",
                 one.by_popularity),
                (f"{one.model_name}: how recommendations are spread",
                 one.concentration.to_table()),
            ]  # fmt: skip
        return found

    def __str__(self) -> str:
        gain = self.difference
        told = "no difference can be told" if gain.low <= 0 <= gain.high else "a difference"
        return (
            f"On {gain.n:,} test users, whom no choice has seen:\n{self.table()}\n"
            f"{self.measure} above popularity by {gain.mean:.4f} "
            f"(95 % interval {gain.low:.4f} to {gain.high:.4f}): {told}"
        )


def _coverage(evaluation: Evaluation) -> list[dict[str, object]]:
    users = len(evaluation.user_indices)
    return [
        {"metric": f"coverage@{k}", "mean": share, "users": users}
        for k, share in evaluation.coverage_at.items()
    ]

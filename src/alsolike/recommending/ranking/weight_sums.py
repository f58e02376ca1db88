"""Ranks items by sums of sparse item weights, one row for each like."""

from collections.abc import Iterator
from dataclasses import dataclass

from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.topk import sort_heaps
from alsolike.models.base import Floats
from alsolike.models.neighbours.weight_rows import Rows, WeightRows
from alsolike.models.protocols import HasItemWeights
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.scan import Bounds, Filler, Heaps, NotFiniteError
from alsolike.recommending.shared import Indices, Mask


@dataclass(frozen=True, eq=False)
class WeightSums:
    """Scores of users by a model with item weights; a `ScoreSource`.

    Only the items to which some like adds are looked at; all others have score 0.
    """

    rows: Indices
    model: HasItemWeights

    def filler(self, may_appear: Mask) -> Filler:
        """Weigh the likes of all queries."""
        weights, open_items = self._weights, plain(may_appear)
        pulls = Rows.of(self.model.user_pulls(self.rows))

        def fill(
            queries: slice, taken: Indices, starts: Bounds, stops: Bounds, heaps: Heaps
        ) -> None:
            lists = heaps.scores, heaps.items, heaps.filled
            bad = weights.rank(pulls, queries, open_items, taken, (starts, stops), lists)
            if bad >= 0:
                row, item = divmod(bad, weights.n_items)
                own = self.model.user_pulls(self.rows[queries][row : row + 1])
                raise NotFiniteError(queries.start + row, item, float(weights.add_up(own)[0, item]))
            sort_heaps(*lists)

        return fill

    def scored(self, queries: slice, chosen: Bounds) -> Iterator[tuple[slice, Floats]]:
        """Yield the scores of some queries of a block with all items."""
        weights = self._weights
        pulls = self.model.user_pulls(self.rows[queries][chosen])
        yield slice(0, weights.n_items), weights.add_up(pulls)

    @property
    def _weights(self) -> WeightRows:
        return prepared(self.model, "item weights", lambda: WeightRows.of(self.model.item_weights))

"""What is shown beside all items: share of the catalogue, popularity, agreement of features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alsolike.evaluation.item_to_item.agreement import Agreement, FeatureVectors
from alsolike.evaluation.item_to_item.item_queries import Indices, ItemQueries, Items


@dataclass(frozen=True, eq=False)
class ShownItems:
    """What is shown beside all items that may have a list, by the lists as they are shown.

    Equal scores are in the order of the items here.

    Parameters
    ----------
    share : float
        Distinct items in these lists, over the items that may be shown; of folds, the mean.
    likes : int64, (n_shown,)
        Likes in training of each shown item, once per list that it is in, ascending.
    agreement : Agreement or None
        Of features, where given; of folds, the means.
    """

    share: float
    likes: Indices
    agreement: Agreement | None = None

    @classmethod
    def of(
        cls, queries: ItemQueries, sources: Items, lists: Items, features: FeatureVectors | None
    ) -> "ShownItems":
        """Collect what is shown in the lists of `sources`, int32, (n_sources, k); -1: ended."""
        shown = lists[lists >= 0]
        agreement = None
        if features is not None:
            agreement = features.agreement(sources, lists, queries.may_show)
        share = len(np.unique(shown)) / max(int(np.count_nonzero(queries.may_show)), 1)
        return cls(share, np.sort(queries.likes[shown]), agreement)

    @classmethod
    def pooled(cls, folds: Sequence["ShownItems"]) -> "ShownItems | None":
        """Return several folds as one; None for no fold."""
        if len(folds) < 2:
            return folds[0] if folds else None
        agreements = [one.agreement for one in folds if one.agreement is not None]
        columns = zip(
            *((a.mean, a.floor, a.ceiling, a.sources_without, a.shown_without) for a in agreements),
            strict=True,
        )
        return cls(
            float(np.mean([one.share for one in folds])),
            np.sort(np.concatenate([one.likes for one in folds])),
            Agreement(*(float(np.mean(column)) for column in columns)) if agreements else None,
        )

    @property
    def median_likes(self) -> float:
        """Median likes of what is shown; 0 if nothing is."""
        return float(np.median(self.likes)) if len(self.likes) else 0.0

    def facts(self) -> list[tuple[str, str]]:
        """Return the figures as pairs of a label and a text."""
        facts = [
            ("share of the catalogue shown", f"{100 * self.share:.3g} %"),
            ("median likes of what is shown", f"{self.median_likes:,.6g}"),
        ]
        if self.agreement is not None:
            facts.append(("agreement of features", str(self.agreement)))
        return facts

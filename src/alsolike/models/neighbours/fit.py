"""Fits item-kNN: finds the nearest neighbours of each item."""

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.model import ItemKNNModel
from alsolike.models.neighbours.similarities import BLOCK, nearest_items
from alsolike.progress import SILENT, Observer


def fit_item_knn(
    train: Interactions,
    config: ItemKNNConfig,
    *,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    block_items: int = BLOCK,
) -> ItemKNNModel:
    """Find the nearest neighbours of each item by its users.

    Neighbours have a user in common; of equally similar items the first are kept. Memory grows with
    items x neighbours, not items x items.

    Parameters
    ----------
    train : Interactions
        Values above zero are likes, each counted once; the rest is left out.
    config : ItemKNNConfig
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each block of items, perhaps from another thread.
    block_items : int
        Items compared at once; no result depends on it.

    References
    ----------
    Deshpande, Karypis 2004, "Item-Based Top-N Recommendation Algorithms": neighbours are kept for
    each item that a user likes.
    Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond".
    Koren 2008, "Factorization Meets the Neighborhood", eq. 2: shrinkage.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> model = fit_item_knn(likes, ItemKNNConfig(neighbours=1))
    >>> model.similarities.toarray()
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 0., 0.]])
    >>> model.scores([0], slice(None))
    array([[1., 1., 0.]], dtype=float32)
    """
    expect_interactions(train)
    found = nearest_items(
        train, config, engine or LocalEngine(), observer=observer, block_items=block_items
    )
    return ItemKNNModel.of(train, config, similarities=found)

"""Who likes two items: counted as the matrix says, dislikes left out."""

import numpy as np
import pytest

from alsolike.errors import DataError
from alsolike.recommending.sharing import Likers
from alsolike.testing import tiny_model


def test_counts_are_those_of_the_matrix():
    model = tiny_model()
    likes = (model.history.user_items.toarray() > 0).astype(int)
    together, likers = likes.T @ likes, Likers(model)
    found = [[likers.shared(one, other) for other in range(5)] for one in range(5)]
    np.testing.assert_array_equal(found, together)
    assert [likers.count(row) for row in range(5)] == together.diagonal().tolist()


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_that_are_none_are_refused(row):
    with pytest.raises(DataError):
        Likers(tiny_model()).count(row)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.kernels.ranking.catalogue_order import measure_order
from alsolike.kernels.ranking.metrics import LIST_MEASURES, measure_lists


def _packed(sets):
    starts = np.concatenate(([0], np.cumsum([len(one) for one in sets]))).astype(np.int64)
    return starts, np.array([item for one in sets for item in sorted(one)], dtype=np.int32)


def _measured(lists, sets, ks):
    ranked = np.full((len(lists), max(ks)), -1, dtype=np.int32)
    for row, items in enumerate(lists):
        ranked[row, : len(items)] = items[: max(ks)]
    out = np.empty((len(ks), len(LIST_MEASURES), len(lists)))
    # No two scores are equal.
    scores = np.tile(-np.arange(max(ks), dtype=np.float32), (len(lists), 1))
    cut = np.zeros(len(lists), dtype=np.int64)
    measure_lists(ranked, scores, cut, cut, *_packed(sets), np.array(ks, dtype=np.int64), out)
    return out


def test_worked_by_hand():
    # Places 1 and 3 hit, of 3 relevant items.
    (values,) = _measured([[7, 1, 4, 9]], [{4, 7, 8}], [4])
    dcg, ideal = 1 + 1 / 2, 1 + 1 / np.log2(3) + 1 / 2
    expected = [2, 2 / 4, 2 / 3, 2 / 3, dcg / ideal, (1 + 2 / 3) / 3, 1, 1]
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-15)


def test_a_list_that_ends_early_is_divided_by_k_all_the_same():
    (values,) = _measured([[3]], [{3}], [5])
    assert dict(zip(LIST_MEASURES, values[:, 0].tolist(), strict=True)) == {
        "hits": 1, "precision": 0.2, "recall": 1, "capped_recall": 1,
        "ndcg": 1, "map": 1, "mrr": 1, "hit_rate": 1,
    }  # fmt: skip


def test_the_two_recalls_differ_where_more_is_relevant_than_fits():
    (values,) = _measured([[0, 1]], [{0, 1, 2, 3}], [2])
    named = dict(zip(LIST_MEASURES, values[:, 0].tolist(), strict=True))
    assert (named["recall"], named["capped_recall"]) == (0.5, 1.0)
    assert named["ndcg"] == named["map"] == 1.0


lists = st.lists(
    st.permutations(range(9)).flatmap(lambda p: st.integers(0, 9).map(lambda n: list(p[:n]))),
    min_size=3,
    max_size=3,
)
sets = st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(lists, sets)
def test_lists_equal_the_oracle(lists, sets):
    ks = [1, 3, 9, 12]
    out = _measured(lists, sets, ks)
    for at, k in enumerate(ks):
        for row in range(3):
            expected = oracle.list_measures(lists[row], sets[row], k)
            for column, name in enumerate(LIST_MEASURES):
                assert out[at, column, row] == pytest.approx(expected[name], abs=1e-14), name


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=8, max_size=8), min_size=2, max_size=2),
    st.lists(st.permutations(range(8)), min_size=2, max_size=2),
    st.integers(1, 8),
    st.integers(0, 8),
    st.integers(0, 10**6),
)
def test_order_equals_all_pairs_and_all_orders(scores, orders, n_relevant, n_left_out, seed):
    relevant = [set(order[:n_relevant]) for order in orders]
    left_out = [set(order[n_relevant : n_relevant + n_left_out]) for order in orders]
    out = np.empty((2, 2))
    block = np.array(scores, dtype=np.float32)
    weights = np.random.default_rng(seed).uniform(0.1, 9, 2 * n_relevant)
    assert measure_order(block, *_packed(relevant), weights, *_packed(left_out), out) == -1
    for row in range(2):
        expected = oracle.auc(scores[row], relevant[row], left_out[row])
        assert out[0, row] == pytest.approx(expected, abs=1e-15)
        own = weights[row * n_relevant :]
        values = dict(zip(sorted(relevant[row]), own.tolist(), strict=False))
        expected = oracle.percentile_rank_by_counts(scores[row], values, left_out[row])
        assert out[1, row] == pytest.approx(expected, abs=1e-14)


def test_auc_by_hand_and_its_edges():
    def auc(scores, relevant, left_out=()):
        out, weights = np.empty((2, 1)), np.ones(len(relevant))
        line = np.array([scores], dtype=np.float32)
        broken = measure_order(line, *_packed([relevant]), weights, *_packed([left_out]), out)
        return out[0, 0] if broken < 0 else broken

    assert auc([3, 2, 1], {0}) == 1
    assert auc([3, 2, 1], {2}) == 0
    assert auc([3, 2, 1], {1}) == 0.5
    assert auc([3, 2, 1], {1}, {0}) == 1
    assert auc([2, 2, 2], {1}) == 0.5
    assert auc([1, 2], {0, 1}) == 0.5
    assert auc([-np.inf, 2, 1], {2}) == 0.5
    assert auc([1, np.nan, 1], {0}, {1}) == 1  # the item whose score is broken

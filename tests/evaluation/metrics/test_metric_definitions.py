"""The passport against the libraries themselves where they are installed, else worked by hand."""

import math
import re
import warnings
from dataclasses import astuple
from pathlib import Path

import click.testing
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from alsolike.cli.query import metric_definitions as verb
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.data.splitting.splitters import hold_out, hold_out_fraction
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.definition_inputs import of_model
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.library_definitions import DEFINITIONS, SOURCES
from alsolike.evaluation.metrics.metric_definitions import (
    MetricDefinitions,
    definitions_of_lists,
    metric_definitions,
)
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.bundle import io as bundle
from alsolike.recommending.batch import top_items
from alsolike.recommending.ranking.scan import Ranked
from fixed_model import Fixed

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
OF_IMPLICIT = {"precision": "precision", "map": "map", "ndcg": "ndcg", "auc": "auc"}
OF_IRSPACK = {"precision": "precision", "recall": "recall", "hit": "hit_rate", "ndcg": "ndcg",
              "map": "map"}  # fmt: skip
TOLERANCE = 1e-6


class Stub:
    """What implicit asks a model for: it gets the lists that it is to judge."""

    def __init__(self, lists):
        self.lists = np.asarray(lists, dtype=np.int32)

    def recommend(self, userid, user_items, N):
        return np.ascontiguousarray(self.lists[np.asarray(userid)][:, :N]), None


def by_implicit(lists, relevant, k):
    objective = pytest.importorskip("implicit.evaluation")
    test = sp.csr_matrix(relevant)
    nothing = sp.csr_matrix(test.shape)
    found = objective.ranking_metrics_at_k(Stub(lists), nothing, test, K=k, show_progress=False)
    again = objective.AUC_at_k(Stub(lists), nothing, test, K=k, show_progress=False)
    assert again == found["auc"]
    return found


def by_irspack(lists, relevant, k):
    """Score each item by its place; -inf is what irspack takes for no item of the list."""
    n_users, n_items = relevant.shape
    scores = np.full((n_users, n_items), -np.inf)
    for row, items in enumerate(lists):
        for place, item in enumerate(items):
            if item >= 0:
                scores[row, item] = -place
    return of_irspack(scores, relevant, k)


def of_irspack(scores, relevant, k, exclude=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what irspack is built on
        irspack = pytest.importorskip("irspack.evaluation")
    test = sp.csr_matrix(relevant)
    mask = None if exclude is None else sp.csr_matrix(exclude)
    found = {}
    for with_cutoff in (False, True):
        objective = irspack.Evaluator(
            test, cutoff=k, recall_with_cutoff=with_cutoff, masked_interactions=mask, n_threads=1
        )
        values = objective.get_score_from_score_matrix(scores)
        found |= {OF_IRSPACK[name]: values[name] for name in OF_IRSPACK}
        found["capped_recall"] = values["recall"]
        if not with_cutoff:
            plain_recall = values["recall"]
    return found | {"recall": plain_recall}


def agrees_with_implicit(found: MetricDefinitions, theirs):
    for name, ours in OF_IMPLICIT.items():
        value = found.value("implicit", f"{ours}@{found.k}")
        assert value == pytest.approx(theirs[name], abs=TOLERANCE), name


def agrees_with_irspack(found: MetricDefinitions, theirs):
    for name, expected in theirs.items():
        value = found.value("irspack", f"{name}@{found.k}")
        assert value == pytest.approx(expected, abs=TOLERANCE), name


def drawn_lists(seed, k, *, n_users=40, n_items=60):
    """Short and empty lists; users with no, few and more than k relevant items."""
    rng = np.random.default_rng(seed)
    lists = np.full((n_users, k), -1)
    relevant = np.zeros((n_users, n_items))
    for user in range(n_users):
        length = rng.integers(0, k + 1) if user % 3 == 0 else k
        lists[user, :length] = rng.permutation(n_items)[:length]
        relevant[user, rng.permutation(n_items)[: rng.integers(0, n_items - k)]] = 1
        if user % 5 == 0:
            relevant[user] = 0
    return lists, sp.csr_array(relevant)


@pytest.mark.parametrize("k", [1, 2, 7, 20])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_lists_as_implicit_and_irspack_score_them(seed, k):
    lists, relevant = drawn_lists(seed, k)
    counts = np.diff(relevant.indptr)
    assert (counts == 0).any()
    assert (counts[counts > 0] <= k).any() or k < 7
    assert (counts > k).any()
    assert (lists[:, -1] < 0).any()
    found = definitions_of_lists(lists, relevant, k=k)
    assert found.without_relevant == (counts == 0).sum()
    agrees_with_implicit(found, by_implicit(lists, relevant, k))
    agrees_with_irspack(found, by_irspack(lists, relevant, k))


@pytest.fixture(scope="module")
def likes(tmp_path_factory: pytest.TempPathFactory) -> Interactions:
    """Return likes as they are: a few items are liked by many, a few users like many."""
    rng = np.random.default_rng(3)
    odds = 1 / (1 + np.arange(80))
    liked = {
        (user, int(item))
        for user in range(120)
        for item in rng.choice(80, 3 + rng.geometric(0.1), p=odds / odds.sum())
    }
    lines = ["user,item", *(f"u{user},i{item}" for user, item in sorted(liked))]
    file = tmp_path_factory.mktemp("passport") / "likes.csv"
    file.write_text("\n".join(lines))
    return read(file, user="user", item="item")[0]


@pytest.fixture(scope="module")
def split(likes):
    return hold_out_fraction(likes, fraction=0.4, seed=0)


def agrees_on_a_model(model, split, k):
    """Let both libraries judge the lists, and irspack the scores, with what was seen left out."""
    train, test = split.train, split.test
    found = metric_definitions(model, test, exclude=train, k=k)
    everybody = np.arange(len(model.users))
    lists = top_items(model, everybody, k=k, exclude=train.user_items)
    agrees_with_implicit(found, by_implicit(lists.indices, test.user_items, k))
    scores = model.scores(everybody, slice(0, len(model.items)))
    agrees_with_irspack(found, of_irspack(scores, test.user_items, k, train.user_items))
    ours = evaluate(model, test, exclude=train, k=k)
    for name in ours.metrics:
        assert found.value("alsolike", name) == ours.mean(name)
    return found


def test_a_model_on_likes_with_a_long_tail(split):
    for k in (1, 5, 40):
        model = fit(split.train, ALSConfig(factors=4, iterations=3))
        agrees_on_a_model(model, split, k)
        popular = agrees_on_a_model(fit_popularity(split.train), split, k)
        # Many items are liked equally often.
        assert popular.value("LightFM", "auc") < popular.value("alsolike", "auc")


def test_a_model_that_implicit_asks_itself(split):
    """The same factors within implicit: it makes its own lists, and leaves out what was seen."""
    implicit_als = pytest.importorskip("implicit.cpu.als")
    objective = pytest.importorskip("implicit.evaluation")
    model = fit(split.train, ALSConfig(factors=4, iterations=2))
    with threadpool_limits(1, "blas"):  # implicit warns of anything else
        theirs = implicit_als.AlternatingLeastSquares(factors=4)
        theirs.user_factors, theirs.item_factors = model.user_factors, model.item_factors
        train, test = (sp.csr_matrix(one.user_items) for one in (split.train, split.test))
        found = objective.ranking_metrics_at_k(theirs, train, test, K=6, show_progress=False)
    agrees_with_implicit(metric_definitions(model, split.test, exclude=split.train, k=6), found)


def test_a_model_on_real_likes(shared_data):
    file = shared_data / "lastfm-2k" / "user_artists.dat.gz"
    likes = read(file, user="userID", item="artistID", value="weight")[0]
    split = hold_out(likes, k=5, share=0.2, seed=0)
    agrees_on_a_model(fit_popularity(split.train), split, 10)
    agrees_on_a_model(fit(split.train, ALSConfig(factors=8, iterations=1)), split, 10)


def over(matrix, like=None) -> Interactions:
    cells = sp.csr_array(np.asarray(matrix, dtype=np.float32))
    if like is None:
        return Interactions.from_matrix(cells)
    return Interactions.from_matrix(cells, users=list(like.users), items=list(like.items))


@pytest.fixture(scope="module")
def worked() -> MetricDefinitions:
    """Return the passport of four users at k = 2, of whom the last has no relevant item.

    ======= ================== ======== ============= ======== ======
    user    scores             relevant excluded      list     hits
    ======= ================== ======== ============= ======== ======
    0       6 5 4 3 2 1        0, 3, 4  5             0, 1     first
    1       1 1 1 0 0 0        1                      0, 1     second
    2       0 0 1 0 0 2        2        0, 1, 3, 4    5, 2     second
    3       0 0 0 0 0 0                               0, 1
    ======= ================== ======== ============= ======== ======

    User 1's items 0, 1 and 2 are a tie that reaches beyond the list.
    """
    wanted = over([[1, 0, 0, 1, 1, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0] * 6])
    seen = over([[0, 0, 0, 0, 0, 1], [0] * 6, [1, 1, 0, 1, 1, 0], [0] * 6], wanted)
    table = [[6, 5, 4, 3, 2, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 2], [0] * 6]
    model = Fixed(wanted.users, wanted.items, np.float32(table))
    return metric_definitions(model, wanted, exclude=seen, k=2, user_indices=[0, 1, 2, 3])


SECOND = 1 / math.log2(3)
BOTH = 1 + SECOND

WORKED = [
    # LightFM 1.17, lightfm/evaluation.py, line 80: a rank counts where it is below k. User 1's
    # relevant item has rank 2, for _lightfm_fast.pyx.template, line 1318, counts equal scores.
    # Line 82 divides by k, line 85 leaves user 3 out.
    ("LightFM", "precision@2", (1 / 2 + 0 + 1 / 2) / 3),
    # Line 166: the same hits over the relevant items.
    ("LightFM", "recall@2", (1 / 3 + 0 + 1) / 3),
    # Line 320: 1 / (rank + 1), of the ranks 0, 2 and 1; line 322 takes the largest.
    ("LightFM", "mrr", (1 + 1 / 3 + 1 / 2) / 3),
    # _lightfm_fast.pyx.template, lines 1357-1373. User 0: ranks 0, 3, 4 less 0, 1, 2 of 2 others;
    # user 1: rank 2 of 5 others; user 2: rank 1 of 1.
    ("LightFM", "auc", ((1 + 0 + 0) / 3 + (1 - 2 / 5) + 0) / 3),
    # RecBole 1.2.1, recbole/evaluator/metrics.py, line 227: hits over places.
    ("RecBole", "precision@2", 1 / 2),
    # Line 160: hits over relevant items.
    ("RecBole", "recall@2", (1 / 3 + 1 + 1) / 3),
    # Line 64: any hit.
    ("RecBole", "hit_rate@2", 1.0),
    # Lines 188-194: the ideal of user 0 ends at place 2.
    ("RecBole", "ndcg@2", (1 / BOTH + SECOND + SECOND) / 3),
    # Lines 129-135: user 0's sum of precisions, 1, is divided by min(3, 2).
    ("RecBole", "map@2", (1 / 2 + 1 / 2 + 1 / 2) / 3),
    # Line 93.
    ("RecBole", "mrr@2", (1 + 1 / 2 + 1 / 2) / 3),
    # Lines 310-316: user 0 (5 candidates, places 1, 4, 5) has (6 * 3 - 6 - 10) / 6, user 1 (6
    # candidates, mean place 2 of the tie) (7 - 1 - 2) / 5, user 2 (2, place 2) (3 - 1 - 2) / 1.
    ("RecBole", "auc", (3 * 2 / 6 + 1 * 4 / 5 + 1 * 0) / 5),
    # Spark, RankingMetrics.scala, line 69 with 259: over k; line 262: user 3 adds 0; line 71.
    ("Spark", "precision@2", (1 / 2 + 1 / 2 + 1 / 2 + 0) / 4),
    # Line 227 with 259.
    ("Spark", "recall@2", (1 / 3 + 1 + 1 + 0) / 4),
    # Lines 167, 175-181, 196; line 200 for user 3.
    ("Spark", "ndcg@2", (1 / BOTH + SECOND + SECOND + 0) / 4),
    # Line 100 with 128: over min(m, k).
    ("Spark", "map@2", (1 / 2 + 1 / 2 + 1 / 2 + 0) / 4),
    # Lines 83-84 with 128: k is at least m there, so it is over m.
    ("Spark", "map", (1 / 3 + 1 / 2 + 1 / 2 + 0) / 4),
]


@pytest.mark.parametrize(("library", "metric", "expected"), WORKED)
def test_cases_worked_by_hand(worked, library, metric, expected):
    assert worked.value(library, metric) == pytest.approx(expected, rel=1e-14)


def test_every_line_of_the_others_is_worked_by_hand(worked):
    rows = {(row["library"], row["metric"]) for row in worked.table.rows()}
    assert len(rows) == len(worked.table)
    assert {row for row in rows if row[0] in ("LightFM", "RecBole", "Spark")} == {
        case[:2] for case in WORKED
    }


def test_what_the_passport_says_beside_the_values(worked, split):
    rows = {(row["library"], row["metric"]): row for row in worked.table.rows()}
    # Of the three equal scores of user 1 one is relevant, and two are in the list: a hit in two of
    # three orders, where the list as it stands has one.
    assert rows["alsolike", "precision@2"]["value"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    assert rows["Spark", "precision@2"]["minus_ours"] == pytest.approx(3 / 8 - 4 / 9)
    model = fit(split.train, ALSConfig(factors=4, iterations=2))
    untied = metric_definitions(model, split.test, exclude=split.train, k=6).table.rows()
    assert all(row["minus_ours"] == 0 for row in untied if not row["differs"])
    printed = str(worked)
    assert printed.startswith("fixed: lists of 2 for 3 users, seen excluded; 1 more users have")
    assert "No value" not in printed
    for definition in DEFINITIONS:
        if definition.differs:
            numbers = definition.where.removeprefix("lines ").split(", ")
            assert all(number in printed for number in numbers)
    assert "<table>" in worked._repr_html_()
    assert repr(worked) == "MetricDefinitions(fixed, k=2, 3 users)"
    with pytest.raises(SettingError, match="no Spark auc here; there are: alsolike precision@2,"):
        worked.value("Spark", "auc")


def test_it_fits_on_a_terminal(split):
    for k in (1, 10, 1000):
        printed = str(
            metric_definitions(fit_popularity(split.train), split.test, exclude=split.train, k=k)
        )
        assert max(map(len, printed.splitlines())) <= 100
        assert "…" not in printed


def lightfm_ranks(scores, relevant, excluded):
    """Count item by item, as LightFM does."""
    others = [item for item in range(len(scores)) if item not in excluded]
    return {
        one: sum(item != one and scores[item] >= scores[one] for item in others) for one in relevant
    }


def gauc(scores, relevant, excluded):
    """Return RecBole's area of one user from mean places, or None without another item."""
    others = [item for item in range(len(scores)) if item not in excluded]
    n, m = len(others), len(relevant)
    if n == m:
        return None
    places = sum(
        sum(scores[item] > scores[one] for item in others)
        + (sum(scores[item] == scores[one] for item in others) + 1) / 2
        for one in relevant
    )
    return ((n + 1) * m - m * (m + 1) / 2 - places) / (m * (n - m))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 9), st.integers(1, 12))
def test_whatever_is_asked_is_between_0_and_1(seed, n_users, n_items, k):
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 3, (n_users, n_items))
    part[0, 0] = 1
    wanted = over(part == 1)
    seen = over(part == 2, wanted)
    table = rng.integers(0, rng.choice([2, 50]), (n_users, n_items)).astype(np.float32)
    model = Fixed(wanted.users, wanted.items, table)
    found = metric_definitions(model, wanted, exclude=seen, k=k, user_indices=np.arange(n_users))
    for row in found.table.rows():
        if row["value"] is None:
            assert row["minus_ours"] is None
        elif (row["library"], row["metric"]) == ("LightFM", "auc"):
            assert row["value"] <= 1
        else:
            assert 0 <= row["value"] <= 1 + 1e-12, row
            assert abs(row["minus_ours"]) <= 1
    users = [user for user in range(n_users) if (part[user] == 1).any()]
    cases = [
        (table[user], *(set(np.flatnonzero(part[user] == which)) for which in (1, 2)))
        for user in users
    ]
    ranks = [lightfm_ranks(*case) for case in cases]
    assert found.value("LightFM", f"recall@{k}") == pytest.approx(
        np.mean([np.mean([rank < k for rank in own.values()]) for own in ranks])
    )
    assert found.value("LightFM", "mrr") == pytest.approx(
        np.mean([1 / (min(own.values()) + 1) for own in ranks])
    )
    areas = [(len(case[1]), gauc(*case)) for case in cases]
    counted = [(m, area) for m, area in areas if area is not None]
    expected = (
        sum(m * area for m, area in counted) / sum(m for m, _ in counted) if counted else None
    )
    assert found.value("RecBole", "auc") == pytest.approx(expected)


def test_where_a_library_has_no_number():
    """A user to whom all items are relevant: implicit stops there, LightFM's area is NaN."""
    wanted = over([[1, 1], [1, 0]])
    model = Fixed(wanted.users, wanted.items, np.float32([[1, 0], [1, 0]]))
    found = metric_definitions(model, wanted, k=2)
    with pytest.raises(ZeroDivisionError):
        by_implicit([[0, 1], [0, 1]], wanted.user_items, 2)
    assert found.value("implicit", "auc@2") is found.value("LightFM", "auc") is None
    assert (found.value("alsolike", "auc"), found.value("RecBole", "auc")) == (0.75, 1.0)
    assert "No value: it needs all scores, or the library does not define it." in str(found)
    alone = metric_definitions(model, over([[1, 1], [0, 0]], wanted), k=2)
    assert alone.value("RecBole", "auc") is None


def test_area_of_lightfm_falls_below_0_where_all_scores_are_equal():
    """Ranks 3, 3, 3 less 0, 1, 2, each over the one other item: 1 - 3, 1 - 2, 1 - 1."""
    wanted = over([[1, 1, 1, 0]])
    model = Fixed(wanted.users, wanted.items, np.zeros((1, 4), dtype=np.float32))
    assert metric_definitions(model, wanted, k=2).value("LightFM", "auc") == pytest.approx(-1)


def test_area_of_implicit_counts_no_more_misses_than_there_are():
    """Of five items one is not relevant; implicit fills a list with other items, never with -1."""
    relevant = sp.csr_array([[1, 1, 1, 1, 0]])
    short, full = [[4, -1, -1, -1, -1]], [[4, 0, 1, 2, 3]]
    assert definitions_of_lists(short, relevant, k=5).value("implicit", "auc@5") == 0
    theirs = by_implicit(full, relevant, 5)["auc"]
    assert definitions_of_lists(full, relevant, k=5).value("implicit", "auc@5") == theirs == 0


def test_lists_alone_leave_out_what_needs_scores(split):
    truth = GroundTruth.of(split.test, split.train, None)
    model = fit(split.train, ALSConfig(factors=4, iterations=2))
    ranked = truth.ranked(model, 6, LocalEngine())
    whole = metric_definitions(model, split.test, exclude=split.train, k=5)
    found = definitions_of_lists(ranked, truth, k=5, name="als")
    bare = definitions_of_lists(ranked.indices[:, :5].astype(np.uint16), truth.wanted, k=5)
    for row, full, other in zip(
        found.table.rows(), whole.table.rows(), bare.table.rows(), strict=True
    ):
        needs_scores = row["metric"] in ("mrr", "auc")
        assert row["value"] == (None if needs_scores else full["value"])
        assert row == other
    assert (found.excludes_seen, whole.excludes_seen) == (None, True)
    assert "No value" in str(found)


def test_ties_are_seen_where_a_list_comes_with_scores():
    relevant = sp.csr_array([[0, 1, 0]])
    ranked = Ranked(np.int32([[0, 1, 2]]), np.float32([[1, 1, 1]]))
    assert definitions_of_lists(ranked, relevant, k=2).value("LightFM", "recall@2") == 0
    for without in (ranked.indices, Ranked(ranked.indices[:, :2], ranked.scores[:, :2])):
        assert definitions_of_lists(without, relevant, k=2).value("LightFM", "recall@2") == 1


@pytest.mark.parametrize(
    ("lists", "relevant", "error", "words"),
    [
        ([[0, 1]], [[1, 0], [0, 1]], DataError, "one row for each of the 2 users"),
        ([[0.0, 1.0]], [[1, 0]], DataError, "must be integers"),
        ([0, 1], [[1, 0]], DataError, "must be integers"),
        ([[0]], [[1, 0]], SettingError, "Lists of 1 cannot be measured at k=2"),
        ([[0, 2]], [[1, 0]], DataError, "row 0 has an item outside 0 to 1"),
        ([[0, 1], [0, -2]], [[1, 0], [1, 0]], DataError, "row 1 has an item outside"),
        ([[-1, 1]], [[1, 0]], DataError, "an item after a -1"),
        ([[1, 1]], [[1, 0]], DataError, r"an item twice: \[1, 1\]"),
        ([[0, 1]], [[1, np.nan]], DataError, "not a finite number"),
        ([[0, 1]], [[0, -1]], DataError, "None of the 1 users has a relevant item"),
    ],
)
def test_lists_that_cannot_be_scored(lists, relevant, error, words):
    with pytest.raises(error, match=words):
        definitions_of_lists(lists, sp.csr_array(relevant), k=2)


def test_what_cannot_be_asked(split):
    model = fit_popularity(split.train)
    with pytest.raises(SettingError, match="k must be a whole number of at least 1, not 0"):
        metric_definitions(model, split.test, k=0)
    with pytest.raises(DataError, match="do not have the same users and items"):
        metric_definitions(model, over([[1, 0]]), k=1)
    with pytest.raises(DataError, match="can never be found"):
        metric_definitions(model, split.train, exclude=split.train, k=1)


def test_same_bytes_for_any_number_of_threads(split):
    model = fit(split.train, ALSConfig(factors=4, iterations=2))
    one, four = (
        metric_definitions(model, split.test, exclude=split.train, engine=LocalEngine(threads))
        for threads in (1, 4)
    )
    assert list(one.table["value"]) == list(four.table["value"])
    truth = GroundTruth.of(split.test, split.train, None)
    ranked = truth.ranked(model, 6, LocalEngine(1))
    one, four = (
        astuple(of_model(model, truth, ranked, LocalEngine(threads), block=300).whole)
        for threads in (1, 4)
    )
    assert [part.tobytes() for part in one] == [part.tobytes() for part in four]


def test_relevant_cells_may_be_stored_in_any_way():
    lists = [[2, 0], [1, 2]]
    plain = sp.csr_array([[1, 0, 1], [0, 1, 0]])
    odd = sp.csr_array(
        ([2.0, 1.0, 1.0, 0.0, 3.0, -1.0], [2, 0, 0, 1, 1, 2], [0, 4, 6]), shape=(2, 3)
    )
    assert str(definitions_of_lists(lists, odd, k=2)) == str(
        definitions_of_lists(lists, plain, k=2)
    )


def test_the_verb(split, likes, tmp_path):
    bundle.save(fit(split.train, ALSConfig(factors=4, iterations=2)), tmp_path / "model")
    rows = split.test.user_items.tocoo()
    lines = [
        f"{likes.users.id_of(int(user))},{likes.items.id_of(int(item))}"
        for user, item in zip(rows.row, rows.col, strict=True)
    ]
    (tmp_path / "test.csv").write_text("\n".join(["user,item", *lines, "nobody,nothing"]))
    words = [str(tmp_path / "model"), str(tmp_path / "test.csv"), "--k", "4"]
    result = click.testing.CliRunner().invoke(verb, words, catch_exceptions=False)
    assert result.output.startswith(
        "Left out 1 like of users or items that the model does not know"
    )
    assert f"als: lists of 4 for {len(np.unique(rows.row)):,} users, seen excluded" in result.output
    kept = click.testing.CliRunner().invoke(verb, [*words, "--keep-seen"])
    assert "seen kept" in kept.output
    seen = split.train.user_items.tocoo()
    user, item = likes.users.id_of(int(seen.row[0])), likes.items.id_of(int(seen.col[0]))
    (tmp_path / "test.csv").write_text(f"user,item\n{user},{item}\n")
    again = click.testing.CliRunner().invoke(verb, words)
    assert isinstance(again.exception, SettingError)


def test_the_page_has_every_definition():
    text = PAGE.read_text(encoding="utf-8")
    rows = {
        (cells[0], cells[1]): cells
        for line in text.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 6
    }
    for one in DEFINITIONS:
        if one.library == "alsolike":
            assert f"| `{one.metric.removesuffix('@k')}`" in text
            continue
        _, _, called, formula, where, _ = rows[one.library, f"`{one.metric}`"]
        assert called == f"`{one.called}`"
        assert formula == f"`{one.formula}`"
        assert where == one.where.removeprefix("lines ")
    for library, file in SOURCES.items():
        assert library == "alsolike" or file in re.sub(r"[`\s]+", " ", text)

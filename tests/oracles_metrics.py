"""Slow, literal float64 definitions of what the fast code computes. Never imported by src."""

import itertools
import math


def filtered_pairs(pairs, min_per_user, min_per_item):
    """The article's loop over a list of (user, item) pairs."""
    while True:
        users = {u for u, _ in pairs if sum(v == u for v, _ in pairs) >= min_per_user}
        after = [(u, i) for u, i in pairs if u in users]
        items = {i for _, i in after if sum(j == i for _, j in after) >= min_per_item}
        after = [(u, i) for u, i in after if i in items]
        if after == pairs:
            return pairs
        pairs = after


def ranking(scores, excluded):
    """Items by falling score, the lower number first among equals, without the excluded ones."""
    return sorted((i for i in range(len(scores)) if i not in excluded), key=lambda i: -scores[i])


def list_measures(ranked, relevant, k):
    """One list (no padding) against a set of relevant items."""
    top, m = ranked[:k], len(relevant)
    is_hit = [item in relevant for item in top]
    hits = sum(is_hit)
    dcg = sum(1 / math.log2(place + 2) for place in range(len(top)) if is_hit[place])
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, m)))
    precisions = [sum(is_hit[: place + 1]) / (place + 1) for place in range(len(top))]
    places = [place + 1 for place in range(len(top)) if is_hit[place]]
    return {
        "hits": hits,
        "precision": hits / k,
        "recall": hits / m,
        "capped_recall": hits / min(k, m),
        "ndcg": dcg / ideal,
        "map": sum(p for p, hit in zip(precisions, is_hit, strict=True) if hit) / min(k, m),
        "mrr": 1 / places[0] if places else 0.0,
        "hit_rate": float(hits > 0),
    }


def all_orders(scores, excluded):
    """Every ranking by falling score of the items that may appear: equal scores in all orders."""
    groups = {}
    for item, score in enumerate(scores):
        if item not in excluded and score > -math.inf:
            groups.setdefault(score, []).append(item)
    ordered = [groups[score] for score in sorted(groups, reverse=True)]
    for parts in itertools.product(*map(itertools.permutations, ordered)):
        yield [item for part in parts for item in part]


def orders_of_hits(scores, excluded, relevant):
    """The same, where orders that differ among equals of one kind alone count once."""
    groups = {}
    for item, score in enumerate(scores):
        if item not in excluded and score > -math.inf:
            groups.setdefault(score, []).append(item)
    ways = []
    for score in sorted(groups, reverse=True):
        hits = [item for item in groups[score] if item in relevant]
        rest = [item for item in groups[score] if item not in relevant]
        ways.append([])
        for slots in itertools.combinations(range(len(groups[score])), len(hits)):
            left, right = iter(hits), iter(rest)
            ways[-1].append(
                [next(left if slot in slots else right) for slot in range(len(groups[score]))]
            )
    for parts in itertools.product(*ways):
        yield [item for part in parts for item in part]


def expected_measures(scores, excluded, relevant, k):
    """The mean of each measure over all orders of equal scores."""
    found = [list_measures(one, relevant, k) for one in orders_of_hits(scores, excluded, relevant)]
    return {name: math.fsum(one[name] for one in found) / len(found) for name in found[0]}


def chances(scores, excluded, k):
    """The probability that each item is among the first k, over all orders of equal scores."""
    often = [0.0] * len(scores)
    for item, score in enumerate(scores):
        if item in excluded or score == -math.inf:
            continue
        others = [s for i, s in enumerate(scores) if i not in excluded]
        before, size = sum(s > score for s in others), sum(s == score for s in others)
        often[item] = min(max(k - before, 0) / size, 1.0)
    return often


def auc(scores, relevant, left_out):
    """All pairs of a relevant and another item, one by one."""
    others = [i for i in range(len(scores)) if i not in relevant and i not in left_out]
    if not others:
        return 0.5
    wins = sum(
        1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
        for i in relevant
        for j in others
    )
    return wins / (len(relevant) * len(others))


def percentile_rank(scores, values, left_out):
    """The mean over all orders of the place of each relevant item (of its value), 0 to 1."""
    found = []
    for order in all_orders(scores, left_out):
        last = len(order) - 1
        ranks = {i: order.index(i) / last if last else 0.5 for i in values}
        total = math.fsum(values.values())
        found.append(math.fsum(values[i] * ranks[i] for i in values) / total)
    return math.fsum(found) / len(found)


def percentile_rank_by_counts(scores, values, left_out):
    """The same, by counting the items above each relevant one: any number of orders."""
    kept = [i for i in range(len(scores)) if i not in left_out]
    total = 0.0
    for item, value in values.items():
        others = [scores[j] for j in kept if j != item]
        above = sum(1.0 if s > scores[item] else 0.5 if s == scores[item] else 0.0 for s in others)
        total += value * (above / len(others) if others else 0.5)
    return total / math.fsum(values.values())


def novelty(listed, likers, n_users):
    """Mean self-information of the items of one list; nobody's items count as one user's."""
    if not listed:
        return 0.0
    return math.fsum(-math.log2(max(len(likers[i]), 1) / n_users) for i in listed) / len(listed)


def cosine_of_likers(one, other):
    """Cosine of two columns of ones."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def diversity(listed, cosine):
    """1 - the mean cosine of all pairs of items of one list; 0 without a pair."""
    pairs = list(itertools.combinations(listed, 2))
    return 1 - math.fsum(cosine(i, j) for i, j in pairs) / len(pairs) if pairs else 0.0


def expected_over_orders(scores, excluded, k, measure):
    """The mean over all orders of equal scores of a measure of the first k items."""
    found = [measure(order[:k]) for order in all_orders(scores, excluded)]
    return math.fsum(found) / len(found)


def mean_squared_error(user_factors, item_factors, values, rows):
    """Every cell, dense."""
    cells = [
        (float(value > 0) - float(user_factors[u].astype("f8") @ item_factors[i].astype("f8"))) ** 2
        for u in rows
        for i, value in enumerate(values[u])
    ]
    return sum(cells) / len(cells)


def stratified_precision(ranked, relevant, likes, all_wanted, exponent, k):
    """One list: each hit weighs n^-g, over the mean of n^-g of all wanted likes."""
    mean = math.fsum(max(likes[item], 1) ** -exponent for item in all_wanted) / len(all_wanted)
    hits = [item for item in ranked[:k] if item in relevant]
    return math.fsum(max(likes[item], 1) ** -exponent for item in hits) / mean / k

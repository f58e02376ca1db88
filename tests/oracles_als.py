"""Literal float64 ALS on dense matrices: slow, obvious, and never imported by the package."""

import math

import numpy as np


def weighed(values, settings):
    """Return values by `settings.values`, cell by cell, as alsolike.models.values defines them."""
    n_items = values.shape[1]
    user_likes, item_likes = (values > 0).sum(axis=1), (values > 0).sum(axis=0)
    found = np.zeros(values.shape)
    s, b = settings.value_scale, settings.value_length
    for u, i in zip(*values.nonzero(), strict=True):
        v, likes = abs(values[u, i]), user_likes[u]
        rarity = math.log(1 + (n_items - likes + 0.5) / (likes + 0.5))
        length = 1 - b + b * item_likes[i] / item_likes.mean()
        size = {
            "given": v,
            "binary": 1.0,
            "log": math.log1p(v / s),
            "capped": min(v / s, 1),
            "tf-idf": math.sqrt(v / s) * rarity,
            "bm25": (s + 1) * v / (s * length + v) * rarity,
        }[settings.values]
        found[u, i] = math.copysign(size, values[u, i])
    return found


def cell_weights(values, config):
    """Return c_ui relative to everything, the pull r_ui, and the observed mask, dense."""
    observed = values != 0
    d, empty = np.abs(values), config.loss_config.unobserved_weight
    if config.confidence == "linear":
        confidence = empty + config.alpha * d
    elif config.confidence == "scaled":
        confidence = config.alpha * d
    elif config.confidence == "log":
        confidence = empty + config.alpha * np.log1p(d / config.epsilon)
    else:
        confidence = empty + config.alpha * d
    liked = values > 0
    pull = np.where(liked, config.alpha * d if config.confidence == "additive" else confidence, 0)
    return np.where(observed, confidence, empty), pull, observed


def row_lambda(n, columns, base, config):
    if config.regularization_exponent == 0:
        return base
    count = n + config.loss_config.unobserved_weight * columns
    if config.regularization_count == "observed":
        count = max(n, 1)
    return base * count**config.regularization_exponent


def solve_rows(values, other, config, base):
    """Return the solution of every row by its dense normal equations."""
    confidence, pull, observed = cell_weights(values, config)
    out = np.zeros((len(values), other.shape[1]))
    for row in range(len(values)):
        n = observed[row].sum()
        if n == 0:
            continue
        lam = row_lambda(n, values.shape[1], base, config)
        system = (other.T * confidence[row]) @ other + lam * np.eye(other.shape[1])
        out[row] = np.linalg.solve(system, other.T @ pull[row])
    return out


def sweeps(values, users, config, count):
    """Return both factor matrices after `count` sweeps from the user factors `users`."""
    items = np.zeros((values.shape[1], users.shape[1]))
    for _ in range(count):
        items = solve_rows(values.T, users, config, config.loss_config.regularization_of("item"))
        users = solve_rows(values, items, config, config.loss_config.regularization_of("user"))
    return users, items


def loss(values, users, items, config):
    """Return the objective as its formula reads, over every cell."""
    confidence, _, observed = cell_weights(values, config)
    scores = users @ items.T
    preference = (values > 0).astype(float)
    if config.confidence == "additive":
        a = config.alpha * np.abs(values)
        cells = config.loss_config.unobserved_weight * scores**2 + a * (preference - scores) ** 2
    else:
        cells = confidence * (preference - scores) ** 2
    penalty = 0.0
    sides = (
        (users, observed, values.shape[1], config.loss_config.regularization_of("user")),
        (items, observed.T, values.shape[0], config.loss_config.regularization_of("item")),
    )
    for factors, mask, columns, base in sides:
        for row, x in enumerate(factors):
            penalty += row_lambda(mask[row].sum(), columns, base, config) * (x @ x)
    return cells.sum() + penalty

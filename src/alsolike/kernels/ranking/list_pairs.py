"""Adds up the cosines of all pairs of items within lists, with ties averaged.

Notation
--------
starts, columns, weights : int64 (n_items + 1,), int32 (n_cells,), float64 (n_cells,)
    Vectors of items: item i has ``weights[starts[i]:starts[i + 1]]`` at ``columns`` of the same
    places. Each has the length 1, or no cell at all.
ranked : int32, (n, K)
    One list per row, best item first; -1 after its end.
a, b : float64, (n_columns,)
    Sums of vectors; all 0 between lists.

A cosine is a product with the sum of the vectors before it, so a list takes as long as its vectors
have cells, however many pairs it has. All sums run in the order of the list and of the columns.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import kernel, part

Array = npt.NDArray[Any]


@part
def _product(first: int, last: int, columns: Array, weights: Array, a: Array) -> float:
    """Return the product of one vector with `a`."""
    total = 0.0
    for cell in range(first, last):
        total += weights[cell] * a[columns[cell]]
    return total


@part
def _add(first: int, last: int, columns: Array, weights: Array, a: Array) -> None:
    """Add one vector to `a`."""
    for cell in range(first, last):
        a[columns[cell]] += weights[cell]


@part
def _clear(first: int, last: int, columns: Array, a: Array) -> None:
    """Set `a` to 0 where one vector has cells."""
    for cell in range(first, last):
        a[columns[cell]] = 0.0


@kernel
def sum_pairs(
    ranked: Array,
    whole: Array,
    cut: Array,
    single: Array,
    double: Array,
    starts: Array,
    columns: Array,
    weights: Array,
    n_columns: int,
    out: Array,
) -> None:
    """Fill `out` with the expected sum of the cosines of all pairs in each list.

    Parameters
    ----------
    whole, cut : int64, (n,)
        The first ``whole`` items are in the list; of the next ``cut``, which have equal scores,
        only some are.
    single, double : float64, (n,)
        Probability that one of the latter is in the list, and that two of them are.
    out : float64, (n,)
    """
    a, b = np.zeros(n_columns), np.zeros(n_columns)
    for row in range(ranked.shape[0]):
        within, across, among = 0.0, 0.0, 0.0
        end = whole[row] + cut[row]
        for place in range(end):
            item = ranked[row, place]
            first, last = starts[item], starts[item + 1]
            if place < whole[row]:
                within += _product(first, last, columns, weights, a)
                _add(first, last, columns, weights, a)
            else:
                across += _product(first, last, columns, weights, a)
                among += _product(first, last, columns, weights, b)
                _add(first, last, columns, weights, b)
        out[row] = within + single[row] * across + double[row] * among
        for place in range(end):
            item = ranked[row, place]
            _clear(starts[item], starts[item + 1], columns, a)
            _clear(starts[item], starts[item + 1], columns, b)


@kernel
def sum_pairs_of_groups(
    ranked: Array,
    whole: Array,
    group_starts: Array,
    group: Array,
    is_rest: Array,
    total: Array,
    starts: Array,
    columns: Array,
    weights: Array,
    out: Array,
) -> None:
    """Fill `out` with the sums of the cosines of the items of a group with a list and among them.

    Parameters
    ----------
    whole : int64, (n,)
        The list of a row is the first ``whole`` items of `ranked`; none is in the group.
    group_starts, group : int64 (n + 1,), int32
        The items of the group of each row.
    is_rest : bool, (n,)
        Whether `group` has all items but those of the group: for groups of most of the catalogue.
    total : float64, (n_columns,)
        Sum of the vectors of all items.
    out : float64, (2, n)
        Over pairs of a list's and a group's item, and over pairs of items of the group.
    """
    a, b = np.zeros(len(total)), np.zeros(len(total))
    of_all = 0.0
    for cell in range(len(weights)):
        of_all += weights[cell] * weights[cell]
    squared_total = 0.0
    for column in range(len(total)):
        squared_total += total[column] * total[column]
    for row in range(ranked.shape[0]):
        with_total = 0.0
        for place in range(whole[row]):
            item = ranked[row, place]
            with_total += _product(starts[item], starts[item + 1], columns, weights, total)
            _add(starts[item], starts[item + 1], columns, weights, a)
        across, among, squares, in_total = 0.0, 0.0, 0.0, 0.0
        own = group[group_starts[row] : group_starts[row + 1]]
        for item in own:
            first, last = starts[item], starts[item + 1]
            across += _product(first, last, columns, weights, a)
            among += _product(first, last, columns, weights, b)
            _add(first, last, columns, weights, b)
            if is_rest[row]:
                in_total += _product(first, last, columns, weights, total)
                for cell in range(first, last):
                    squares += weights[cell] * weights[cell]
        if is_rest[row]:
            # The group's sum is the total less b, whose square is 2 * among + squares.
            squared = squared_total - 2.0 * in_total + 2.0 * among + squares
            out[0, row] = with_total - across
            out[1, row] = 0.5 * (squared - (of_all - squares))
        else:
            out[0, row], out[1, row] = across, among
        for place in range(whole[row]):
            item = ranked[row, place]
            _clear(starts[item], starts[item + 1], columns, a)
        for item in own:
            _clear(starts[item], starts[item + 1], columns, b)

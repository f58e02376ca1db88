"""Half-sweep: solves all rows of one side against the other side, on an engine.

The other side's factors are in the basis of their own Gramian, see
`alsolike.models.als.gramian_basis`.
"""

import itertools
from dataclasses import astuple, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine, pieces
from alsolike.errors import DataError, FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.solver.batch import SMALL, solve_small
from alsolike.kernels.solver.conjugate_gradient import solve_cg
from alsolike.kernels.solver.dense import observed_loss
from alsolike.kernels.solver.float64_rows import solve_hard
from alsolike.kernels.solver.nonnegative import solve_nonnegative
from alsolike.kernels.solver.single import solve_single
from alsolike.models.als.confidence import LikeCounts, Weighing, amounts_of
from alsolike.models.als.config import LossConfig, SolverConfig
from alsolike.models.als.gramian_basis import filled_up, gramian, squared_length
from alsolike.models.als.nonnegative import PATIENCE, ROUNDING, most_exchanges
from alsolike.models.als.prior import NO_PRIOR, PulledToPrior
from alsolike.models.values import ages_by_item

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# Enough pieces for an even load, few enough to cost nothing.
_CHUNKS = 64

# Rows of more gain than this are refined with float64 residuals: float32 alone may lose more than
# 1e-5 of their scores (benchmarks/accuracy.py).
FLOAT32_GAIN = 128.0
# Rows of more gain than this are solved in float64: one refinement is not enough.
REFINED_GAIN = 2.0**16
# From so many factors on, the other side's Gramian and basis are computed in float32 if the dense
# part of all systems has eigenvalues that differ by at most this factor (benchmarks/accuracy.py).
MANY, FLOAT32_SPREAD = 256, 1e3


@dataclass(frozen=True, eq=False)
class Side:
    """One side's rows, prepared for the loss and the solvers.

    Parameters
    ----------
    matrix : CSR of float32, (n_rows, n_columns)
    amounts : float32 or float64, (interactions,)
        Of the matrix' values, see `alsolike.models.als.confidence.amounts_of`.
    regularization : float64, (n_rows,)
        lambda of each row.
    kind : {"user", "item"}
    ids : Vocabulary or None
        Names of the rows, for messages.
    n_chunks : int
        Pieces that the rows are cut into; no result depends on it.
    """

    matrix: sp.csr_array
    amounts: npt.NDArray[Any]
    regularization: Doubles
    kind: Literal["user", "item"]
    ids: Vocabulary | None
    n_chunks: int = _CHUNKS
    _cuts: dict[tuple[int, SolverConfig], list[Rows]] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls,
        matrix: sp.csr_array,
        loss_config: LossConfig,
        kind: Literal["user", "item"],
        ids: Vocabulary | None,
        likes: LikeCounts | None = None,
        *,
        ages: Doubles | None = None,
        n_chunks: int = _CHUNKS,
    ) -> "Side":
        """Prepare the rows of `matrix` for a loss; `likes` and `ages` as in `amounts_of`."""
        _refuse_infinite_values(matrix)
        amounts = amounts_of(matrix, loss_config, kind, likes, ages)
        _refuse_overflow(amounts, loss_config)
        counts = np.diff(matrix.indptr).astype(np.float64)
        return cls(
            matrix=matrix,
            amounts=amounts,
            regularization=loss_config.row_regularization(kind, counts, matrix.shape[1]),
            kind=kind,
            ids=ids,
            n_chunks=n_chunks,
        )

    @classmethod
    def both_of(cls, data: Interactions, loss_config: LossConfig) -> "tuple[Side, Side]":
        """Prepare the users and the items of a table for a loss."""
        ages = loss_config.value_weights.ages(data)
        by_item = ages_by_item(data, ages)
        return (
            cls.of(data.user_items, loss_config, "user", data.users, ages=ages),
            cls.of(data.item_users, loss_config, "item", data.items, ages=by_item),
        )

    @property
    def n_rows(self) -> int:
        """Rows of this side."""
        return int(self.matrix.shape[0])

    def chunks(self, factors: int, solver: SolverConfig) -> list[Rows]:
        """Cut all rows with interactions into chunks of about equal work, once for all sweeps.

        Rows ascend by number of interactions within a chunk; the longest rows come first.
        """
        key = factors, solver
        if key not in self._cuts:
            counts = np.diff(self.matrix.indptr).astype(np.float64)
            self._cuts[key] = _equal_chunks(
                counts, _row_work(counts, factors, solver), self.n_chunks
            )
        return self._cuts[key]

    def longest(self, chunk: Rows) -> int:
        """Return the largest number of interactions in a chunk, that of its last row."""
        return int(self.matrix.indptr[chunk[-1] + 1] - self.matrix.indptr[chunk[-1]])

    def pulled_to(
        self, prior: Floats, dense: Doubles, factors: Floats, engine: Engine
    ) -> PulledToPrior:
        """Prepare the rows for being pulled to a prior, see `PulledToPrior`."""
        return PulledToPrior.of(self.matrix, self.regularization, prior, dense, factors, engine)

    def row_name(self, row: int) -> str:
        """Name a row in a message."""
        return f"{self.kind} {self.ids.id_of(row)!r} (row {row})" if self.ids else f"row {row}"


def solve_side(
    side: Side,
    other: Floats,
    eigenvalues: Doubles,
    out: Floats,
    loss_config: LossConfig,
    solver: SolverConfig,
    engine: Engine,
    *,
    prior: Floats | None = None,
) -> None:
    """Solve all rows of `side` into `out`.

    Parameters
    ----------
    other : float32, (n_columns, f)
        The other side's factors in the basis of their Gramian, whose eigenvalues are
        `eigenvalues`, float64, (f,).
    out : float32, (n_rows, f)
        Receives the solutions; conjugate gradients start from what it holds.
    loss_config : LossConfig
        The one that `side` was prepared for.
    prior : float32, (n_rows, f), or None
        Factors that rows are pulled to, in the same basis; None: 0.

    Raises
    ------
    FitError
        A row has no unique finite solution.
    """
    dense = loss_config.unobserved_weight * eigenvalues
    _refuse_singular(side, dense)
    factors = plain(filled_up(other))
    indptr, indices = plain(side.matrix.indptr), plain(side.matrix.indices)
    amounts, weighing = plain(side.amounts), np.array(astuple(Weighing.of(loss_config)))

    pulled = None if prior is None else side.pulled_to(prior, dense, factors, engine)
    scores = NO_PRIOR if pulled is None else pulled.scores

    rows = (indptr, indices, amounts, weighing, scores, factors)
    ways = (dense, side.regularization)

    def part(chunk: Rows) -> int:
        if not solver.is_exact:
            solve_cg(chunk, *rows, *ways, solver.cg_steps, out)
            return -1
        if min(side.longest(chunk), factors.shape[1]) <= SMALL:
            left = np.empty(len(chunk), dtype=np.int64)
            count = solve_small(chunk, *rows, *ways, FLOAT32_GAIN, out, left)
            chunk = plain(left[:count])
        if not len(chunk):
            return -1
        left = np.empty(len(chunk), dtype=np.int64)
        limits = FLOAT32_GAIN, REFINED_GAIN
        count = solve_single(chunk, *rows, *ways, *limits, out, left)
        return solve_hard(plain(np.sort(left[:count])), *rows, *ways, out) if count else -1

    out[np.diff(side.matrix.indptr) == 0] = 0
    if pulled is not None and not solver.is_exact:
        pulled.take_from(out)
    failures = [row for row in engine.each(part, side.chunks(len(dense), solver)) if row >= 0]
    if failures:
        raise FitError(_singular(side, min(failures), len(dense)))
    if pulled is not None:
        pulled.add_to(out)
    if not solver.is_exact:  # the exact kernels look at each solution
        _refuse_infinite(side, out, engine)


def solve_nonnegative_side(
    side: Side, other: Floats, out: Floats, loss_config: LossConfig, engine: Engine
) -> None:
    """Solve all rows of `side` into `out`, (n_rows, f), for factors that are not below 0.

    `other` are the other side's factors, float32, (n_columns, f), as they are: what is not below 0
    in one basis is in another.

    Raises
    ------
    FitError
        A row has no unique finite solution.
    """
    dense = plain(loss_config.unobserved_weight * gramian(other, engine))
    factors, solver = plain(other), SolverConfig()
    indptr, indices = plain(side.matrix.indptr), plain(side.matrix.indices)
    weights, pulls = map(plain, Weighing.of(loss_config).weights_and_pulls(side.amounts))
    most = most_exchanges(len(dense))

    def part(chunk: Rows) -> int:
        return solve_nonnegative(
            chunk, indptr, indices, weights, pulls, factors, dense, side.regularization,
            ROUNDING, PATIENCE, most, out,
        )  # fmt: skip

    out[np.diff(side.matrix.indptr) == 0] = 0
    failures = [row for row in engine.each(part, side.chunks(len(dense), solver)) if row >= 0]
    if failures:
        raise FitError(_singular(side, min(failures), len(dense)))
    _refuse_infinite(side, out, engine)


def float32_basis(side: Side, other: Floats, loss_config: LossConfig, engine: Engine) -> bool:
    """Return whether float32 is enough for the other side's Gramian and the change of basis.

    The dense part of a row, ``unobserved_weight * G + lambda I``, has eigenvalues from lambda to
    lambda plus ``unobserved_weight`` times the trace of G, which is the squared length of `other`.
    """
    occupied = np.diff(side.matrix.indptr) > 0
    if other.shape[1] < MANY or not occupied.any():
        return False
    most = loss_config.unobserved_weight * squared_length(other, engine)
    return most <= FLOAT32_SPREAD * float(side.regularization[occupied].min())


def may_need_float64(train: Interactions, loss_config: LossConfig, factors: int) -> bool:
    """Return whether some row may need the float64 kernel.

    The trace of BB' of a row is at most its largest weight times the factors, over
    ``unobserved_weight``.
    """
    ages = loss_config.value_weights.ages(train)
    sizes = np.abs(amounts_of(train.user_items, loss_config, "user", None, ages))
    ends = np.array([sizes.min(initial=np.inf), sizes.max(initial=0.0)])
    weights, _ = Weighing.of(loss_config).weights_and_pulls(ends)
    gain = weights[1] * factors / max(loss_config.unobserved_weight, np.finfo(np.float32).tiny)
    return bool(weights[0] < 0 or gain > REFINED_GAIN)


def total_loss(
    user_side: Side,
    item_side: Side,
    user_factors: Floats,
    item_factors: Floats,
    loss_config: LossConfig,
    engine: Engine,
) -> float:
    """Return the exact loss, float64; see `alsolike.models.als.train.loss`."""
    matrix = user_side.matrix
    indptr, indices = plain(matrix.indptr), plain(matrix.indices)
    users, items = plain(user_factors), plain(item_factors)

    weighing = Weighing.of(loss_config)

    def part(piece: slice) -> float:
        first, last = piece.start, piece.stop
        own = user_side.amounts[matrix.indptr[first] : matrix.indptr[last]]
        weights, pulls = weighing.weights_and_pulls(own)
        return observed_loss(indptr, indices, weights, pulls, first, last, users, items)

    observed = sum(engine.each(part, pieces(user_side.n_rows)))
    everywhere = np.vdot(gramian(user_factors, engine), gramian(item_factors, engine))
    penalty = sum(
        float(side.regularization @ np.einsum("rf,rf->r", factors, factors, dtype=np.float64))
        for side, factors in ((user_side, user_factors), (item_side, item_factors))
    )
    return float(loss_config.unobserved_weight * everywhere + observed + penalty)


def _refuse_infinite_values(matrix: sp.csr_array) -> None:
    """Raise DataError if a value is not finite."""
    least, most = matrix.data.min(initial=0.0), matrix.data.max(initial=0.0)
    largest = np.maximum(-least, most)
    if not np.isfinite(largest):
        raise DataError(f"Values must be finite; one of them is {largest}.")


def _refuse_overflow(amounts: npt.NDArray[Any], loss_config: LossConfig) -> None:
    """Raise FitError if a weight exceeds float32."""
    largest = np.maximum(-amounts.min(initial=0.0), amounts.max(initial=0.0))
    weights, pulls = Weighing.of(loss_config).weights_and_pulls(np.array([largest]))
    if max(abs(weights[0]), pulls[0]) > np.finfo(np.float32).max:
        raise FitError(
            f"alpha={loss_config.alpha:g} times the largest weight of a value, {largest:g}, with "
            f"unobserved_weight={loss_config.unobserved_weight:g}, is more than float32 holds. "
            "Lower alpha, or use values='log' or confidence='log'."
        )


def _refuse_infinite(side: Side, out: Floats, engine: Engine) -> None:
    """Raise FitError if a solution is not finite; piece by piece, since masks are large."""

    def is_finite(piece: slice) -> bool:
        return bool(np.isfinite(out[piece]).all())

    parts = pieces(len(out))
    fine = engine.each(is_finite, parts)
    if not all(fine):
        odd = parts[fine.index(False)]
        row = odd.start + int(np.flatnonzero(~np.isfinite(out[odd]).all(axis=1))[0])
        raise FitError(f"{side.row_name(row)} gave factors that are not finite. Lower alpha.")


def _row_work(counts: Doubles, f: int, solver: SolverConfig) -> Doubles:
    """Estimate the multiply-adds of each row of f factors."""
    if not solver.is_exact:
        return 4.0 * f * counts * (solver.cg_steps + 1) + f
    size = np.minimum(counts, f)
    return counts * size * f / 2 + size**3 / 6 + 2 * counts * f + f


def _equal_chunks(counts: Doubles, work: Doubles, n_chunks: int) -> list[Rows]:
    """Cut the rows with interactions into chunks of similar work and length, longest first."""
    order = np.argsort(counts, kind="stable")
    order = order[np.count_nonzero(counts == 0) :]
    if not len(order):
        return []
    done = np.cumsum(work[order])
    goals = done[-1] * np.arange(1, n_chunks) / n_chunks
    # Small systems have their own kernel.
    small = np.searchsorted(counts[order], SMALL, side="right")
    ends = np.array([0, small, len(order)])
    cuts = np.unique(np.concatenate((ends, np.searchsorted(done, goals) + 1)))
    cuts = cuts[cuts <= len(order)]
    return [plain(order[first:last]) for first, last in itertools.pairwise(cuts)][::-1]


def _refuse_singular(side: Side, dense: Doubles) -> None:
    """Raise FitError if some row's dense part is singular."""
    occupied = np.flatnonzero(np.diff(side.matrix.indptr))
    if not len(occupied):
        return
    weakest = occupied[side.regularization[occupied].argmin()]
    diagonal = dense + side.regularization[weakest]
    # Below this, an eigenvalue of the float64 Gramian is rounding.
    if not diagonal.min() > len(dense) * np.finfo(np.float64).eps * diagonal.max():
        raise FitError(_singular(side, int(weakest), len(dense)))


def _singular(side: Side, row: int, factors: int) -> str:
    other = {"user": "items", "item": "users"}[side.kind]
    count: Any = side.matrix.shape[1]
    return (
        f"{side.row_name(row)} gave a singular system (regularization="
        f"{side.regularization[row]:g}, {count:,} {other}, factors={factors}). Raise "
        "regularization or lower factors."
    )

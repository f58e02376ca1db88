"""Non-negative least squares of one row, exactly and without the compiler.

References
----------
J. Kim, H. Park 2011, "Fast Nonnegative Matrix Factorization: An Active-Set-Like Method and
Comparisons", section 3: block principal pivoting, with the backup rule of Murty that makes it end.
"""

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Gradients of factors at 0 above minus this, in units of the right side's largest part, are 0.
ROUNDING = 1e-12
# Exchanges of all factors on the wrong side without progress, before single ones.
PATIENCE = 3


def nonnegative_support(matrix: Doubles, right: Doubles) -> tuple[Doubles, Mask]:
    """Minimize ``x'Ax / 2 - b'x`` with ``x >= 0``; return x, (f,), and which of it are above 0.

    Parameters
    ----------
    matrix : float64, (f, f)
        A, positive definite.
    right : float64, (f,)
        b.

    Raises
    ------
    FitError
        A is not positive definite up to rounding.

    Examples
    --------
    >>> x, above = nonnegative_support(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([2.0, -1.0]))
    >>> x, above
    (array([1., 0.]), array([ True, False]))
    """
    above = right > 0
    least = -ROUNDING * float(np.abs(right).max(initial=0.0))
    best, patience = len(right) + 1, PATIENCE
    for _ in range(most_exchanges(len(right))):
        x = np.zeros(len(right))
        x[above] = _solved(matrix[np.ix_(above, above)], right[above])
        wrong = np.where(above, x < 0, matrix @ x - right < least)
        count = int(wrong.sum())
        if not count:
            return x, above
        if count < best:
            best, patience = count, PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong[: np.flatnonzero(wrong)[-1]] = False
        above ^= wrong
    raise FitError(
        "No non-negative factors were found for a row. Fit with more regularization, or a smaller "
        "alpha."
    )


def most_exchanges(factors: int) -> int:
    """Return after how many exchanges a row counts as unsolvable; some ten are usual."""
    return 100 + 20 * factors


def _solved(matrix: Doubles, right: Doubles) -> Doubles:
    try:
        lower = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise FitError(
            "The equations for a row are too ill-conditioned to solve. Fit with more "
            "regularization, or a smaller alpha."
        ) from None
    found: Doubles = np.linalg.solve(lower.T, np.linalg.solve(lower, right))
    return found

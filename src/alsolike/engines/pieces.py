"""Rows cut into pieces of work, the same for any number of threads."""

# Rows in one piece of work that sums nothing.
_PIECE = 2048


def pieces(n_rows: int, size: int = _PIECE) -> list[slice]:
    """Cut rows into pieces of `size`, whatever the number of threads."""
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]

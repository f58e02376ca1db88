"""Writes counts, lists and lengths of time for people."""

import math
from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """Return a number of things: ``1 run``, ``2,000 runs``."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(words: Sequence[str]) -> str:
    """Return words as ``a, b and c``.

    Examples
    --------
    >>> listed(["als"]), listed(["als", "ease"]), listed(["als", "item-knn", "ease"])
    ('als', 'als and ease', 'als, item-knn and ease')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def in_two_columns(facts: Sequence[tuple[str, str]]) -> str:
    """Return labels and texts as lines, with all texts below each other.

    Examples
    --------
    >>> print(in_two_columns([("rows", "7"), ("duplicate rows", "0")]))
    rows            7
    duplicate rows  0
    """
    width = max((len(label) for label, _ in facts), default=0)
    return "\n".join(f"{label.ljust(width)}  {text}" for label, text in facts)


def duration(seconds: float | None) -> str:
    """Return a time for people, to two digits or to the second.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.0123, 4.21, 59.96, 754, 7260, None)]
    ['0.012 s', '4.2 s', '1 min', '12 min 34 s', '2 h 1 min', '-']
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if round(seconds) < 60:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h" + (f" {minutes} min" if minutes else "")

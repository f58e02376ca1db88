"""Reports what features were found: of how many rows, how often each, and what was left out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.features.features import Block
from alsolike.text import counted, in_two_columns

_SHOWN = 5  # most frequent features
_LONG = 40  # characters of a feature that are shown


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[: _LONG - 3]}..."


@dataclass(frozen=True, kw_only=True)
class BlockReport:
    """What one block of features holds.

    Parameters
    ----------
    name, kind : str
    features, rows : int
        Columns, and rows that have any.
    unit : str
        What the columns of words are: "words", or "parts of words".
    occurrences : tuple of int
        Of words: rows with each, the least, the median, the 90th hundredth and the most.
    frequent : tuple of (str, int)
        The most frequent words with their rows.
    dropped : int
        Words, or parts of words, left out because too few rows have them.
    unknown : int
        Of further rows: cells with words that the rows before had not.
    note : str
        How it was read, such as a guess.
    """

    name: str
    kind: str
    features: int
    rows: int
    unit: str = "words"
    occurrences: tuple[int, ...] = ()
    frequent: tuple[tuple[str, int], ...] = ()
    dropped: int = 0
    unknown: int = 0
    note: str = ""

    @classmethod
    def of(cls, block: Block, matrix: sp.csr_array, **counts: Any) -> "BlockReport":
        """Count the cells of a block, (n_rows, n_features)."""
        occurrences: tuple[int, ...] = ()
        frequent: tuple[tuple[str, int], ...] = ()
        unit = "parts of words" if block.is_of_parts else "words"
        rows_of = np.bincount(matrix.indices, minlength=matrix.shape[1])
        if block.is_of_words and len(rows_of):
            ranks = np.quantile(rows_of, (0, 0.5, 0.9, 1), method="lower")
            occurrences = tuple(map(int, ranks))
            shown = 0 if block.is_of_parts else _SHOWN
            often = np.argsort(-rows_of, kind="stable")[:shown].tolist()
            frequent = tuple((block.names[at], int(rows_of[at])) for at in often if rows_of[at])
        return cls(
            name=block.name,
            kind=block.kind,
            features=matrix.shape[1],
            rows=int(np.count_nonzero(np.diff(matrix.indptr))),
            unit=unit,
            occurrences=occurrences,
            frequent=frequent,
            **counts,
        )

    def text(self, n_rows: int, side: str) -> str:
        """Return the facts as one line."""
        parts = []
        if self.occurrences:
            least, median, high, most = self.occurrences
            parts.append(f"{self.kind}, {self.features:,} {self.unit}")
            parts.append(
                f"each of {least:,} to {most:,} {side}s (median {median:,}, 90 % at most {high:,})"
            )
        else:
            parts.append(self.kind + (f" of {self.features:,}" if self.kind == "vector" else ""))
        if self.frequent:
            often = (f"{_short(name)} ({rows:,})" for name, rows in self.frequent)
            parts.append(f"most: {', '.join(often)}")
        if self.dropped:
            parts.append(f"{self.dropped:,} rare ones left out")
        if self.unknown:
            parts.append(f"{self.unknown:,} cells with unknown words left out")
        without = n_rows - self.rows
        parts.append(f"{counted(without, side)} without" if without else f"all {side}s have it")
        return "; ".join([*parts, *filter(None, [self.note])])


@dataclass(frozen=True, kw_only=True)
class FeatureReport:
    """What features were read. ``str()`` gives lines for people, `facts` pairs for a page.

    Parameters
    ----------
    side : str
        "item" or "user".
    sources : tuple of str
    rows, with_features : int
        Items or users, and those of which anything is known.
    minimum : int or None
        The least rows of a word; None where words were given.
    blocks : tuple of BlockReport
    unknown_ids : int
        Ids of the sources that are not among those asked for, left out.
    repeated : int
        Rows beyond the first of an id, in tables with a row for each id; left out.
    without_id : int
        Rows without an id, left out.
    zeros : int
        Rows whose value is 0, left out.
    left_out : tuple of str
        Columns that hold nothing to learn from, with the reason.
    notes, warnings : tuple of str
    """

    side: str
    sources: tuple[str, ...] = ()
    rows: int = 0
    with_features: int = 0
    minimum: int | None = None
    blocks: tuple[BlockReport, ...] = ()
    unknown_ids: int = 0
    repeated: int = 0
    without_id: int = 0
    zeros: int = 0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def facts(self) -> list[tuple[str, str]]:
        """Return (label, text) pairs; zero counts are left out."""
        side, width = self.side, sum(block.features for block in self.blocks)
        without = self.rows - self.with_features
        facts = [
            (
                f"features of {side}s",
                f"{width:,}, of {self.with_features:,} {side}s ({without:,} without); from "
                f"{', '.join(self.sources)}",
            )
        ]
        facts += [
            (f"{side} feature {block.name}", block.text(self.rows, side)) for block in self.blocks
        ]
        counts = (
            ("ids that are unknown", self.unknown_ids),
            ("further rows of an id", self.repeated),
            ("rows without an id", self.without_id),
            ("rows with the value 0", self.zeros),
        )
        facts += [
            (f"{side} features: {label}", f"{count:,} left out") for label, count in counts if count
        ]
        facts += [(f"{side} features: left out", text) for text in self.left_out]
        facts += [(f"{side} features: note", note) for note in self.notes]
        return facts

    def __str__(self) -> str:
        warnings = (("warning", warning) for warning in self.warnings)
        return in_two_columns([*self.facts(), *warnings])

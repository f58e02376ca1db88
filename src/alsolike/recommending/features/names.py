"""Finds features by what people call them: ``"castle"``, ``"tag: castle"``, or by block."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.data.validation import said
from alsolike.errors import SettingError, Unable, UnknownId
from alsolike.recommending.ranking.prepared import prepared
from alsolike.usage_hints import did_you_mean_id

Wanted = str | Sequence[str] | Mapping[str, str | Sequence[str]]
Columns = npt.NDArray[np.int64]

_SHOWN = 5  # names in a message


class FeatureNames:
    """The names of the features that are words, such as tags; finds columns by them.

    Parameters
    ----------
    features : Features

    Examples
    --------
    >>> names = FeatureNames(Features.of_words("tag", [["rock", "Folk"], ["rock"]]))
    >>> names.column_of("rock"), names.column_of("tag: rock"), names.column_of("folk")
    (1, 1, 0)
    >>> names.column_of("rokc")
    Traceback (most recent call last):
        ...
    alsolike.errors.UnknownId: no feature 'rokc' among the 2 here. Did you mean 'rock'?
    >>> names.matching("RO")
    [1]
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self.counts = np.bincount(features.matrix.indices, minlength=features.n_features)
        self.is_word = np.zeros(features.n_features, dtype=bool)
        exact: dict[str, list[int]] = {}
        for number, block in enumerate(features.blocks):
            if not block.is_of_words or block.encoding.get("parts") == "grams":
                continue
            columns = features.columns_of(number)
            self.is_word[columns] = True
            for column, name in enumerate(block.names, start=columns.start):
                exact.setdefault(name, []).append(column)
        self._exact, self._folded = exact, _folded(exact)

    def column_of(self, wanted: str, block: str | None = None) -> int:
        """Return the column of a word, exact or without case, or of ``"block: word"``.

        Raises
        ------
        UnknownId
            There is none, or several blocks have it.
        """
        found = self._among(wanted, block)
        if not found and block is None and ": " in wanted:
            before, _, word = wanted.partition(": ")
            if before in self._blocks:
                found = self._among(word, before)
        if len(found) == 1:
            return found[0]
        if found:
            labels = " or ".join(repr(self._features.label(one)) for one in found[:_SHOWN])
            raise UnknownId(f"{len(found)} features are called {wanted!r}. Give one of {labels}.")
        among = "" if block is None else f" of {block!r}"
        known = list(self._exact) if block is None else self._words_of(block)
        hint = did_you_mean_id(wanted, known, set(known).__contains__)
        raise UnknownId(f"no feature {wanted!r}{among} among the {len(known):,} here.{hint}")

    def matching(self, text: str, *, limit: int = 50) -> list[int]:
        """Return columns whose name contains a text, without case; the most frequent first."""
        part = text.strip().casefold()
        found = [one for name, columns in self._folded.items() if part in name for one in columns]
        return sorted(found, key=lambda one: (-self.counts[one], one))[:limit]

    @property
    def _blocks(self) -> list[str]:
        return [block.name for block in self._features.blocks if block.is_of_words]

    def _words_of(self, block: str) -> list[str]:
        if block not in self._blocks:
            raise UnknownId(
                f"no features {block!r} that are words here. Known are: "
                f"{', '.join(self._blocks) or 'none'}."
            )
        return self._features.blocks[self._number_of(block)].names.to_list()

    def _number_of(self, block: str) -> int:
        return [one.name for one in self._features.blocks].index(block)

    def _among(self, wanted: str, block: str | None) -> list[int]:
        found = self._exact.get(wanted) or self._folded.get(wanted.casefold(), [])
        if block is None:
            return found
        if block not in self._blocks:
            self._words_of(block)  # raises
        columns = self._features.columns_of(self._number_of(block))
        return [one for one in found if columns.start <= one < columns.stop]


def _folded(exact: Mapping[str, list[int]]) -> dict[str, list[int]]:
    folded: dict[str, list[int]] = {}
    for name, columns in exact.items():
        folded.setdefault(name.casefold(), []).extend(columns)
    return folded


def item_features_of(model: Any, purpose: str) -> Features:
    """Return what a model knows of its items; raise Unable if that is nothing."""
    found = getattr(model, "item_features", None)
    if found is None or not found.n_features:
        raise Unable(
            f"A model that knows features of items, such as tags, is needed to {purpose}; "
            f"{getattr(model, 'name', said(model))!r} knows none. Train on likes with item "
            "features."
        )
    features: Features = found
    return features


def names_of_items(model: Any, features: Features) -> FeatureNames:
    """Return the names of a model's item features, prepared once."""
    return prepared(model, "names of item features", lambda: FeatureNames(features))


def columns_of(names: FeatureNames, wanted: Wanted) -> Columns:
    """Return the distinct columns that are asked for, ascending.

    Parameters
    ----------
    names : FeatureNames
    wanted : str, sequence of str, or mapping of str to them
        Words, ``"block: word"``, or words by block.

    Raises
    ------
    UnknownId
        A feature or block is unknown, or several blocks have the word.
    SettingError
        Something else than text is given, nothing, or a feature twice.
    """
    pairs = list(_pairs(wanted))
    if not pairs:
        raise SettingError("No feature is given. Give one or more, such as ['rock'].")
    odd = next((word for _, word in pairs if not isinstance(word, str)), None)
    if odd is not None:
        raise SettingError(f"Features are asked for by their names, not by {said(odd)}.")
    found = [names.column_of(word, block) for block, word in pairs]
    distinct, counts = np.unique(np.array(found, dtype=np.int64), return_counts=True)
    if len(distinct) < len(found):
        again = pairs[found.index(int(distinct[counts.argmax()]))][1]
        raise SettingError(f"feature {again!r} is given more than once. Give it once.")
    return distinct


def _pairs(wanted: Wanted) -> Iterable[tuple[str | None, str]]:
    if isinstance(wanted, Mapping):
        for block, words in wanted.items():
            for word in [words] if isinstance(words, str) else words:
                yield block, word
        return
    if not isinstance(wanted, (str, Iterable)):
        raise SettingError(f"Features are asked for by their names, not by {said(wanted)}.")
    for word in [wanted] if isinstance(wanted, str) else wanted:
        yield None, word


def words_by_block(
    features: Features, blocks: str | Sequence[str] | None = None
) -> dict[str, slice]:
    """Return the columns of blocks of words by name; None: of all sets, such as tags.

    Words of texts are written but not chosen, so only sets are taken unless others are named.
    Parts of words and bins of numbers never are.

    Raises
    ------
    UnknownId
        There is no such block of words.
    """
    known = {
        block.name: (block, features.columns_of(number))
        for number, block in enumerate(features.blocks)
        if block.is_of_words and _is_chosen(block)
    }
    if blocks is None:
        return {name: columns for name, (block, columns) in known.items() if block.kind == "set"}
    wanted = [blocks] if isinstance(blocks, str) else list(blocks)
    for one in wanted:
        if one not in known:
            raise UnknownId(
                f"no features {one!r} that are words here. Known are: {', '.join(known) or 'none'}."
            )
    return {name: known[name][1] for name in wanted}


def has_words(model: Any) -> bool:
    """Tell whether a model knows features of items that people choose among, such as tags."""
    features = getattr(model, "item_features", None)
    return features is not None and bool(words_by_block(features))


def _is_chosen(block: Block) -> bool:
    """Tell whether people choose among the names of a block of words."""
    return block.encoding.get("parts") != "grams" and "edges" not in block.encoding


def row_of(columns: Columns, n_features: int) -> sp.csr_array:
    """Return a row of float32 with 1 in these columns, (1, n_features)."""
    ones = np.ones(len(columns), dtype=np.float32)
    return sp.csr_array((ones, columns, np.array([0, len(columns)])), shape=(1, n_features))

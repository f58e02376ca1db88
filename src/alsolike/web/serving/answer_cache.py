"""Caches responses with similar items, the API's most frequent request, as JSON bytes."""

import json
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from alsolike.models.similarity.config import SimilarityConfig
from alsolike.web.serving import queries
from alsolike.web.serving.registry import ServedModel

_MOST_KEPT = 64 << 20  # bytes of responses per model and worker
_MOST_ITEMS = 100_000  # items with cached JSON, some tens of megabytes
_OVERHEAD = 300  # bytes per cached response besides its own

# Row of the item, length of the list, minimum likes, settings other than the model's own.
Key = tuple[int, int, int, SimilarityConfig | None]


class AnswerCache:
    """Caches the responses of one worker, at most `most_kept` bytes per served model."""

    def __init__(self, *, most_kept: int = _MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._made: WeakKeyDictionary[ServedModel, _ModelAnswers] = WeakKeyDictionary()

    def similar(
        self,
        served: ServedModel,
        row: int,
        k: int,
        min_count: int,
        similarity: SimilarityConfig | None = None,
    ) -> bytes:
        """Return the response with `queries.similar` without filters, as JSON.

        Raises
        ------
        Unable
            The model compares no items.
        FitError
            A score is not finite.
        """
        made = self._made.get(served)
        if made is None:
            made = self._made[served] = _ModelAnswers(served, self._most_kept)
        key = (row, k, min_count, similarity)
        content = made.answers.get(key)
        if content is None:
            ranking = queries.similar(served, row, k, min_count=min_count, similarity=similarity)
            content = made.to_json(served, row, ranking, similarity)
            made.keep(key, content)
        return content

    def has(self, served: ServedModel, key: Key) -> bool:
        """Return whether a response is ready."""
        made = self._made.get(served)
        return made is not None and key in made.answers


class _ModelAnswers:
    """Cached responses of one model."""

    def __init__(self, served: ServedModel, most_kept: int) -> None:
        self._most_kept = most_kept
        self.answers: dict[Key, bytes] = {}
        self._size = 0
        self._items: dict[int, bytes] = {}
        head = json.dumps({"model": queries.source_of(served)}, ensure_ascii=False)
        self._head = head[:-1].encode("utf-8")

    def keep(self, key: Key, content: bytes) -> None:
        """Keep a response; when full, drop all others."""
        size = len(content) + _OVERHEAD
        if self._size + size > self._most_kept:
            self.answers.clear()
            self._size = 0
        self.answers[key] = content
        self._size += size

    def to_json(
        self,
        served: ServedModel,
        row: int,
        ranking: Sequence[tuple[int, float]],
        similarity: SimilarityConfig | None,
    ) -> bytes:
        """Return the JSON of `schemas.Similar`, in a tenth of its time."""
        parts = [
            b'{"rank":%d,%b,"score":%b}' % (rank, self._known(served, other), b"%r" % score)
            for rank, (other, score) in enumerate(ranking, start=1)
        ]
        item = json.dumps(served.model.items.id_of(row), ensure_ascii=False).encode("utf-8")
        basis = json.dumps(queries.similar_basis(served, [row], similarity), ensure_ascii=False)
        about = basis[1:-1].encode("utf-8")
        return b'%b,%b,"item":%b,"similar":[%b],"note":null}' % (
            self._head,
            about,
            item,
            b",".join(parts),
        )

    def _known(self, served: ServedModel, row: int) -> bytes:
        """Return the JSON fields of an item that do not depend on the list."""
        text = self._items.get(row)
        if text is None:
            (known,) = queries.ranked(served, [(row, 0.0)])
            del known["rank"], known["score"]
            text = json.dumps(known, ensure_ascii=False)[1:-1].encode("utf-8")
            if len(self._items) >= _MOST_ITEMS:
                self._items.clear()
            self._items[row] = text
        return text

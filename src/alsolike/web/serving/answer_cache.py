"""Cache answers to the API's most frequent question, similar items, as bytes of JSON."""

import json
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from alsolike.web.serving import queries
from alsolike.web.serving.registry import ServedModel

_MOST_KEPT = 64 << 20  # bytes of answers of one model in one worker
_MOST_PLACES = 100_000  # items whose texts are kept, some tens of megabytes
_OVERHEAD = 300  # bytes that keeping one takes besides


class AnswerCache:
    """Ready-made answers for one worker; each goes with the model that it was made from.

    Parameters
    ----------
    most_kept : int
        Bytes of answers of one model.
    """

    def __init__(self, *, most_kept: int = _MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._made: WeakKeyDictionary[ServedModel, _ModelAnswers] = WeakKeyDictionary()

    def similar(self, served: ServedModel, row: int, k: int, min_count: int) -> bytes:
        """Return the answer to `alsolike.web.serving.queries.similar` without filters, as JSON.

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
        key = (row, k, min_count)
        content = made.answers.get(key)
        if content is None:
            ranking = queries.similar(served, row, k, min_count=min_count)
            content = made.told(served, row, ranking)
            made.keep(key, content)
        return content


class _ModelAnswers:
    """What was made ready from one model."""

    def __init__(self, served: ServedModel, most_kept: int) -> None:
        self._most_kept = most_kept
        self.answers: dict[tuple[int, int, int], bytes] = {}
        self._size = 0
        self._places: dict[int, bytes] = {}
        head = json.dumps({"model": queries.source_of(served)}, ensure_ascii=False)
        self._head = head[:-1].encode("utf-8")

    def keep(self, key: tuple[int, int, int], content: bytes) -> None:
        """Keep an answer; where there is no room, throw away the others."""
        size = len(content) + _OVERHEAD
        if self._size + size > self._most_kept:
            self.answers.clear()
            self._size = 0
        self.answers[key] = content
        self._size += size

    def told(self, served: ServedModel, row: int, ranking: Sequence[tuple[int, float]]) -> bytes:
        """Return an answer: what `schemas.Similar` would make of it, in a tenth of the time."""
        parts = [
            b'{"rank":%d,%b,"score":%b}' % (rank, self._known(served, other), b"%r" % score)
            for rank, (other, score) in enumerate(ranking, start=1)
        ]
        asked = json.dumps(served.model.items.id_of(row), ensure_ascii=False).encode("utf-8")
        return b'%b,"item":%b,"similar":[%b]}' % (self._head, asked, b",".join(parts))

    def _known(self, served: ServedModel, row: int) -> bytes:
        """Return what an answer says of an item, whatever its place."""
        text = self._places.get(row)
        if text is None:
            (known,) = queries.ranked(served, [(row, 0.0)])
            del known["rank"], known["score"]
            text = json.dumps(known, ensure_ascii=False)[1:-1].encode("utf-8")
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            self._places[row] = text
        return text

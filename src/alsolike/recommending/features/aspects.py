"""Names what items can be compared by: likes, all features, blocks such as tags, or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from alsolike.data.features.features import BlockKind, Features
from alsolike.errors import SettingError
from alsolike.models.protocols import compares_items
from alsolike.usage_hints import did_you_mean

By = str
_WORDS = ("likes", "features", "both")
# Names for all blocks of a kind, where no block has that name.
_OF_KIND: dict[str, BlockKind] = {"tags": "set", "texts": "text", "pictures": "vector"}
_SHELVES: tuple[BlockKind, ...] = ("set", "text", "vector")  # kinds with lists of their own
_MOST_SHELVES = 4

ALL_FEATURES = "the cosine of the features of both items, rare ones weighing more"
BOTH = "the mean of the scores by likes and by features, each in standard deviations"


@dataclass(frozen=True)
class Aspects:
    """What items are compared by.

    Parameters
    ----------
    by : str
    likes : bool
        Whether likes are among it.
    blocks : tuple of int, or None
        Blocks of features; None: all.
    vectors_alone : bool
        Whether these are all vectors, such as those of pictures.
    """

    by: By
    likes: bool
    blocks: tuple[int, ...] | None
    vectors_alone: bool = False

    @property
    def title(self) -> str:
        """The words after "by", such as "tags" or "likes and pictures"."""
        return self.by.replace(",", " and ")

    @property
    def scale(self) -> str:
        """What a score means, in words."""
        if self.by in ("features", "both"):
            return ALL_FEATURES if self.by == "features" else BOTH
        names = self.title.removeprefix("likes and ")
        if self.likes:
            return f"the mean of the scores by likes and by {names}, each in standard deviations"
        if self.vectors_alone:
            return f"the cosine of the {names} of both items, which is 0 for two that are unrelated"
        return f"the cosine of the {names} of both items, rare words weighing more"


def check_by(by: object) -> By:
    """Return what items are compared by; raise SettingError for what is no text.

    Which blocks there are, a model knows: see `aspects_of`.
    """
    if not isinstance(by, str) or not by.strip():
        raise SettingError(
            f"by must be one of {', '.join(_WORDS)}, or a block of features, not {by!r}."
        )
    return by.strip()


def aspects_of(features: Features, by: By) -> Aspects:
    """Find what items are compared by among the blocks of features.

    Parameters
    ----------
    features : Features
    by : str
        ``"features"``: all blocks; ``"both"``: likes and all blocks; the name of a block; or
        several with commas between them, perhaps with ``"likes"``. ``"tags"``, ``"texts"`` and
        ``"pictures"`` are all sets, texts and vectors, unless a block has that name.

    Raises
    ------
    SettingError
        There is no such block.

    Examples
    --------
    >>> tags = Features.of_words("genre", [["rock"], ["folk"]])
    >>> aspects_of(tags, "likes,genre"), aspects_of(tags, "tags").blocks
    (Aspects(by='likes,genre', likes=True, blocks=(0,), vectors_alone=False), (0,))
    >>> aspects_of(tags, "genres")
    Traceback (most recent call last):
    alsolike.errors.SettingError: by must be one of likes, features, both, tags, genre, not
    'genres'. Did you mean 'genre'?
    """
    if by in ("features", "both"):
        return Aspects(by, likes=by == "both", blocks=None)
    wanted = [part.strip() for part in by.split(",") if part.strip()]
    chosen: dict[int, None] = {}
    for one in wanted or [by]:
        if one == "likes":
            continue
        blocks = _named(features, one)
        if not blocks:
            kinds = [name for name, kind in _OF_KIND.items()
                     if any(block.kind == kind for block in features.blocks)]  # fmt: skip
            names = [block.name for block in features.blocks if not block.is_of_parts]
            known = list(dict.fromkeys((*_WORDS, *kinds, *names)))
            raise SettingError(
                f"by must be one of {', '.join(known)}, not {one!r}.{did_you_mean(one, known)}"
            )
        chosen |= dict.fromkeys(blocks)
    of_vectors = bool(chosen) and all(features.blocks[at].kind == "vector" for at in chosen)
    return Aspects(",".join(wanted), "likes" in wanted, tuple(sorted(chosen)), of_vectors)


def _named(features: Features, name: str) -> list[int]:
    """Return the blocks of a name: a column's, with the parts of its words; or all of a kind."""
    found = [
        at
        for at, block in enumerate(features.blocks)
        if name in (block.name, block.encoding.get("column"))
    ]
    if found or name not in _OF_KIND:
        return found
    return [at for at, block in enumerate(features.blocks) if block.kind == _OF_KIND[name]]


def strips_of(model: Any) -> tuple[By, ...]:
    """Return by what a model can compare items, in lists side by side.

    Where there are several blocks of tags, texts or vectors, each has a list of its own.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> strips_of(tiny_model())
    ('likes',)
    """
    features = getattr(model, "item_features", None)
    if features is None or not features.n_features:
        return ("likes",)
    own = _shelves(features)
    single: Sequence[By] = own if len(own) > 1 else ("features",)
    return ("likes", *single, "both") if compares_items(model) else tuple(single)


def _shelves(features: Features) -> list[By]:
    """Return the names of up to four blocks that have lists of their own."""
    taken = (*_WORDS, *get_args(BlockKind))
    return [
        block.name
        for block in features.blocks
        if block.kind in _SHELVES and not block.is_of_parts and "edges" not in block.encoding
        and "," not in block.name and block.name not in taken and len(block.names)
    ][:_MOST_SHELVES]  # fmt: skip

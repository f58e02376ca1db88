"""Builds the lists of similar items on an item's page, one per model, and of popular items."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alsolike.errors import SettingError, Unable, UnknownId
from alsolike.models.base import Floats
from alsolike.models.similarity.config import SimilarityConfig, SimilarityScale
from alsolike.recommending.co_likes import pair_evidence
from alsolike.recommending.features.aspects import By, strips_of
from alsolike.recommending.features.comparing import FeatureComparison
from alsolike.recommending.features.reasons import nearer_than, shared_words
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.rules.rules import Rules
from alsolike.recommending.shared import MIN_COUNT, why_no_neighbours
from alsolike.recommending.unknown.fallback import MostLiked
from alsolike.views.page import clean
from alsolike.web.serving.item_cards import ItemCard, card_of, with_parameter
from alsolike.web.serving.registry import ServedModel

_SHARED = 4  # features that two items have, on a card


@dataclass(frozen=True)
class Entry:
    """One card of a list.

    Parameters
    ----------
    card : ItemCard
    score : str
        Printed similarity, or empty.
    bar : int
        Length of its bar, 0 to 100.
    why : (str, str) or None
        Why it is similar, in a sentence: the words before and after the name of the page's item.
    shared : str
        Features that both have, cleaned, where items are compared by them.
    reason : str
        Why it is similar, in a sentence, where items are compared by vectors.
    """

    card: ItemCard
    score: str = ""
    bar: int = 0
    why: tuple[str, str] | None = None
    shared: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ItemList:
    """The list of one model, best first.

    Parameters
    ----------
    title, about : str
    entries : tuple of Entry
    empty : str
        Is shown if there are no entries.
    note : str
        Why rules make the list shorter.
    """

    title: str
    about: str
    entries: tuple[Entry, ...]
    empty: str = ""
    note: str = ""


def lists_for(
    models: Sequence[ServedModel],
    item: str,
    *,
    k: int,
    popularity_bias: float | None = None,
    rules: Rules | None = None,
    keep: Callable[[str], str] = str,
    featured: Sequence[ServedModel] = (),
) -> list[ItemList]:
    """Return a list for each model, and one of the most liked items of the first model.

    Of the first model that knows features of the item, there are also lists by features and by
    both.

    Parameters
    ----------
    models : sequence of ServedModel
        Those for similar items.
    item : str
        Id of the page's item.
    k : int
    popularity_bias : float or None
        The mark of the dial; None: each model's own.
    rules : Rules or None
    keep : callable
        Adds what links to other items keep, such as the mark, to an address.
    featured : sequence of ServedModel
        Further models that may know features.
    """
    lists = [_similar(served, item, k, popularity_bias, rules, keep) for served in models]
    for served in (*models, *featured):
        row = served.model.items.find(item)
        if row is None or not served.has_item_features:
            continue
        slots = [one.name for one in models]
        first = slots.index(served.name)
        lists[first] = replace(lists[first], title=f"{lists[first].title} by likes")
        wanted: tuple[By, ...] = tuple(by for by in strips_of(served.model) if by != "likes")
        lists[first + 1 : first + 1] = [
            _by_features(served, row, by, k, rules, keep) for by in wanted
        ]
        break
    return [*lists, _popular(models[0], item, k, rules, keep)]


def _by_features(
    served: ServedModel,
    row: int,
    by: By,
    k: int,
    rules: Rules | None,
    keep: Callable[[str], str],
) -> ItemList:
    comparison = FeatureComparison(served.model, by)
    aspects = comparison.aspects
    title = f"{served.name} by {clean(aspects.title)}"
    scale = SimilarityScale(clean(aspects.scale), None if aspects.likes else 1.0)
    about = f"The bar shows {scale.words}{', at most 1' if scale.most else ''}."
    try:
        allowed = None if rules is None else rules.of(served.model)
        every = comparison.scores(row)
        rows, scores = comparison.best(
            every, row, k,
            may_appear=None if allowed is None else allowed.may_appear,
            limits=None if allowed is None else allowed.limits,
        )  # fmt: skip
    except (SettingError, UnknownId) as error:
        return ItemList(title, about, (), clean(str(error)))
    entries = []
    for other, score, bar in zip(rows, scores, _bars(scale, scores), strict=True):
        printed = score_text(float(score), scale.most)
        entry = _entry(served, row, int(other), keep, printed, bar)
        if aspects.vectors_alone:
            reason = clean(nearer_than(aspects.title, float(score), every))
            entries.append(replace(entry, reason=reason))
            continue
        words = shared_words(served.model, row, int(other), _SHARED, aspects.blocks)
        entries.append(replace(entry, shared=clean(", ".join(words))))
    note = "" if allowed is None else allowed.shortfall(k, len(entries))
    return ItemList(
        title, about, tuple(entries), "" if note else "No item shares features with it.", note
    )


def _popular(
    served: ServedModel, item: str, k: int, rules: Rules | None, keep: Callable[[str], str]
) -> ItemList:
    """Return the list of the most liked items."""
    row, about = served.model.items.find(item), "The most liked items, the same for every item."
    own = () if row is None else (row,)
    if rules is None:
        rows, note = popular_rows(served, k, without=own), ""
    else:
        try:
            allowed = rules.of(served.model)
        except (SettingError, UnknownId) as error:
            return ItemList("popularity", about, (), clean(str(error)))
        nothing = np.empty(0, dtype=np.int32)
        order = MostLiked.of(served.model, allowed.may_appear)
        rows = order.after(nothing, k, np.array(own, dtype=np.int32), allowed.limits).tolist()
        note = allowed.shortfall(k, len(rows))
    entries = tuple(_entry(served, row, other, keep) for other in rows)
    return ItemList("popularity", about, entries, "No other item has likes yet.", note)


def mark_text(popularity_bias: float) -> str:
    """Return a mark of the dial as text: ``0.3``."""
    return f"{popularity_bias:g}"


def at_mark(address: str, popularity_bias: float | None) -> str:
    """Return the address of a page at a mark of the dial; None: each model's own."""
    if popularity_bias is None:
        return address
    return with_parameter(address, "popularity_bias", mark_text(popularity_bias))


def popular_rows(served: ServedModel, k: int, *, without: Iterable[int] = ()) -> list[int]:
    """Return the rows of the most liked items, except some; ties by row."""
    left_out = set(without)
    kept = (row for row in map(int, served.most_liked) if row not in left_out)
    return list(itertools.islice(kept, k))


def _similar(
    served: ServedModel,
    item: str,
    k: int,
    bias: float | None,
    rules: Rules | None,
    keep: Callable[[str], str],
) -> ItemList:
    has_dial = served.own_similarity is not None
    similarity = served.similarity(popularity_bias=bias) if has_dial else None
    scale = served.scale(similarity)
    about = _about(served, similarity, scale)
    if bias is not None and not has_dial:
        about += " This model has no dial: its list is the same at every mark."
    row = served.model.items.find(item)
    if row is None:
        return ItemList(served.name, about, (), "This model does not have the item.")
    try:
        model = expect_item_scorer(served.model, "compare items")
        allowed = None if rules is None else rules.of(served.model)
        rows, scores = served.neighbours.similar(
            row, k,
            similarity=similarity,
            may_appear=None if allowed is None else allowed.may_appear,
            limits=None if allowed is None else allowed.limits,
        )  # fmt: skip
    except Unable as error:
        return ItemList(served.name, "", (), clean(str(error)))
    except (SettingError, UnknownId) as error:
        return ItemList(served.name, about, (), clean(str(error)))
    entries = tuple(
        _entry(served, row, int(other), keep, score_text(float(score), scale.most), bar)
        for other, score, bar in zip(rows, scores, _bars(scale, scores), strict=True)
    )
    note = "" if allowed is None else allowed.shortfall(k, len(entries))
    empty = "" if entries or note else why_no_neighbours(model, row, MIN_COUNT)
    return ItemList(served.name, about, entries, empty, note)


def _about(served: ServedModel, similarity: SimilarityConfig | None, scale: SimilarityScale) -> str:
    """Return family and factors of the model, how it compares, and the meaning of the bars."""
    manifest, config = served.manifest, similarity or served.own_similarity
    # A slot keeps its name after a swap to another family.
    what = [manifest.family] * (manifest.family != served.name)
    what += [f"{manifest.factors} factors"] * bool(manifest.factors)
    if config is not None:
        what.append(f"{config.affinity} at mark {mark_text(config.popularity_bias)}")
    kind = f"{', '.join(what)}. " if what else ""
    most = "relative to the first item" if scale.most is None else f"at most {scale.most:g}"
    return f"{kind[:1].upper()}{kind[1:]}The bar shows {scale.words}, {most}."


def _bars(scale: SimilarityScale, scores: Floats) -> list[int]:
    """Return the lengths of the bars, 0 to 100."""
    most = scale.most
    if most is None:
        most = max((float(score) for score in scores), default=0.0)
    if most <= 0:
        return [0] * len(scores)
    return [round(min(max(100 * float(score) / most, 0.0), 100.0)) for score in scores]


def score_text(score: float, most: float | None) -> str:
    """Format a score with significant digits; `most`: as in `SimilarityScale`.

    Examples
    --------
    >>> score_text(0.031, 1.0), [score_text(one, None) for one in (0.031, 1234.0, 12.345)]
    ('0.03', ['0.031', '1,234', '12.35'])
    """
    if most is None and abs(score) < 0.1:
        return f"{score:z.3f}"
    return f"{score:,.0f}" if most is None and score.is_integer() else f"{score:z.2f}"


def _entry(
    served: ServedModel,
    row: int | None,
    other: int,
    keep: Callable[[str], str],
    score: str = "",
    bar: int = 0,
) -> Entry:
    card = card_of(served, other)
    card = replace(card, address=keep(card.address))
    if row is None or served.likers is None or not served.likers.count(row):
        return Entry(card, score, bar)
    sentence = pair_evidence(served.model, row, other, served.likers).sentence("\0", "it")
    before, _, after = sentence.partition("\0")
    return Entry(card, score, bar, (before, after))

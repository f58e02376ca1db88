"""Defines `Rules`: which items lists may have, by columns of the item table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.data.catalogue import Catalogue
from alsolike.data.validation import check_whole, said
from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError, UnknownId
from alsolike.models.protocols import Recommender
from alsolike.recommending.rules.limits import Limit, Limits
from alsolike.recommending.rules.values import SEPARATOR, ItemValues
from alsolike.recommending.shared import Indices, Mask, checked_ids, open_ids, open_items
from alsolike.text import counted
from alsolike.usage_hints import did_you_mean, with_hints

Conditions = tuple[tuple[str, tuple[str, ...]], ...]

_SHOWN = 10  # values in a message
_LONGEST = 60  # characters of each
# Columns whose texts are not lists of values.
_WHOLE = ("name", "image", "link")
_AT_MOST = re.compile(r"\s*([0-9]{1,9})\s*:(.+)", re.DOTALL)


@with_hints
@dataclass(frozen=True, kw_only=True)
class Rules:
    """Business rules on lists: which items may appear, and how many of a kind.

    Columns are those of the item table, see ``item_columns`` of `alsolike.read`. Where a text has
    several values with ``|`` between them, the item has each of them; names, images and links are
    one value. Items are left out before they are ranked, and a list is the best that the rules
    allow: it has `k` items unless they allow fewer.

    Parameters
    ----------
    only : mapping of str to str or sequence of str, or such pairs
        Columns, and the values of which an item must have one. An item without a value is left
        out. Every column must fit; pairs may repeat a column.
    exclude : mapping of str to str or sequence of str, or such pairs
        Columns, and the values that no item may have.
    at_most : mapping of str to int
        Columns, and how many items of one value a list may have. Items without a value are not
        limited.
    one_of : str or sequence of str
        Columns of which a list has one item of each value, such as the name, for near-duplicates.
    available : iterable of str, or None
        Ids of the items that may appear; ids that the model does not know are passed over.

    Raises
    ------
    SettingError
        A rule has another form. Whether columns and values exist depends on the model, and is
        checked where the rules are used.

    Examples
    --------
    >>> rules = Rules(only={"kind": ["album", "single"]}, at_most={"artist": 2})
    >>> print(rules)
    only kind=album|single; at most 2 per artist
    >>> Rules.parsed(only=["kind=album|single"], at_most=["2:artist"]) == rules
    True
    >>> Rules(only={"kind": []})
    Traceback (most recent call last):
        ...
    alsolike.errors.SettingError: only= needs at least one value of 'kind'.
    """

    only: Any = ()
    exclude: Any = ()
    at_most: Any = ()
    one_of: Any = ()
    available: Iterable[Id] | None = None

    def __post_init__(self) -> None:
        for name in ("only", "exclude"):
            object.__setattr__(self, name, _conditions(name, getattr(self, name)))
        limits: dict[str, int] = {}
        for column, most in _pairs("at_most", self.at_most):
            wanted = check_whole(f"at_most of {_column('at_most', column)!r}", most, least=1)
            limits[column] = min(wanted, limits.get(column, wanted))
        object.__setattr__(self, "at_most", tuple(limits.items()))
        object.__setattr__(self, "one_of", tuple(dict.fromkeys(_texts("one_of", self.one_of))))
        if self.available is not None:
            ids: Any = self.available
            is_single = isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable)
            object.__setattr__(self, "available", (ids,) if is_single else tuple(ids))

    @classmethod
    def parsed(
        cls,
        *,
        only: Iterable[str] = (),
        exclude: Iterable[str] = (),
        at_most: Iterable[str] = (),
        one_of: Iterable[str] = (),
        available: Iterable[Id] | None = None,
    ) -> "Rules":
        """Make rules of texts such as ``category=shoes|boots`` and ``2:artist``.

        Empty texts, as of fields of a form that were not filled in, are passed over.
        """
        return cls(
            only=[_condition("only", text) for text in only if text],
            exclude=[_condition("exclude", text) for text in exclude if text],
            at_most=[_at_most(text) for text in at_most if text],
            one_of=[text for text in one_of if text],
            available=available,
        )

    def __bool__(self) -> bool:
        by_column = self.only or self.exclude or self.at_most or self.one_of
        return bool(by_column) or self.available is not None

    def __str__(self) -> str:
        parts = [f"only {column}={SEPARATOR.join(values)}" for column, values in self.only]
        parts += [f"not {column}={SEPARATOR.join(values)}" for column, values in self.exclude]
        parts += [f"at most {most} per {column}" for column, most in self.at_most]
        parts += [f"one of each {column}" for column in self.one_of]
        if self.available is not None:
            parts.append(f"{len(self.available):,} available ids")  # type: ignore[arg-type]
        return "; ".join(parts)

    def of(self, model: Recommender) -> "Allowed":
        """Apply the rules to the items of a model.

        Raises
        ------
        SettingError
            The item table has no such column, or no item has the value.
        UnknownId
            The model knows none of the available ids.
        """
        columns = ItemColumns(model)
        may_appear = np.ones(len(model.items), dtype=bool)
        for column, values in self.only:
            may_appear &= columns.having("only", column, values)
        for column, values in self.exclude:
            may_appear &= ~columns.having("exclude", column, values)
        unknown: list[Id] = []
        if self.available is not None:
            ids = checked_ids(self.available, model.items)
            places = model.items.places_of(ids)
            unknown = [ids[place] for place in np.flatnonzero(places < 0)]
            if len(unknown) == len(ids):
                raise UnknownId(_none_known(ids, model))
            is_available = np.zeros(len(model.items), dtype=bool)
            is_available[places[places >= 0]] = True
            may_appear &= is_available
        limits = [
            Limit(column, columns.values("at_most", column), most) for column, most in self.at_most
        ]
        limits += [Limit(column, columns.values("one_of", column), 1) for column in self.one_of]
        return Allowed(may_appear, Limits(tuple(limits)) if limits else None, tuple(unknown))


@dataclass(frozen=True, eq=False)
class Allowed:
    """The rules, applied to the items of a model.

    Parameters
    ----------
    may_appear : bool, (n_items,)
        Items that may be listed.
    limits : Limits or None
        How many of a kind; None: any number.
    unknown : tuple of str
        Available ids that the model does not know.
    """

    may_appear: Mask
    limits: Limits | None = None
    unknown: tuple[Id, ...] = ()

    def shortfall(self, k: int, found: int) -> str:
        """Say in a sentence why a list has `found` items, not `k`; or nothing.

        Examples
        --------
        >>> Allowed(np.array([True, True, False])).shortfall(10, 2)
        '2 of 10 asked: only 2 items are allowed.'
        """
        if found >= k:
            return ""
        allowed = int(np.count_nonzero(self.may_appear))
        most = allowed if self.limits is None else self.limits.length(allowed, self.may_appear)
        kinds = "" if self.limits is None else f", {self.limits}"
        asked = f"{found:,} of {k:,} asked:"
        if found < most:
            return (
                f"{asked} {_items(allowed)} allowed{kinds}; no other of them can be listed here "
                "(seen, too few likes, or no score)."
            )
        return f"{asked} only {_items(most)} allowed{kinds if most < allowed else ''}."

    def notes(self, k: int, lengths: Mapping[Any, int], kind: str) -> list[str]:
        """Say in sentences which lists are shorter than `k`, and which available ids are unknown.

        Parameters
        ----------
        k : int
        lengths : mapping of str to int
            Items of each list, by the id of its owner.
        kind : {"user", "item"}
            What the owners are.

        Examples
        --------
        >>> Allowed(np.array([True, False]), unknown=("x",)).notes(3, {"u1": 1, "u2": 0}, "user")
        ["Available ids that are no items of this model: 1, such as 'x'.", \
"2 users have fewer than 3 items; the first is 'u1': 1 of 3 asked: only 1 item is allowed."]
        """
        found = []
        if self.unknown:
            found.append(
                f"Available ids that are no items of this model: {len(self.unknown):,}, such as "
                f"{_short(self.unknown[0])!r}."
            )
        short = [(owner, length) for owner, length in lengths.items() if length < k]
        if short:
            owner, length = short[0]
            have = "has" if len(short) == 1 else "have"
            head = (
                f"{counted(len(short), kind)} {have} fewer than {counted(k, 'item')}; the first is "
            )
            head = "" if len(lengths) == 1 else head
            found.append(f"{head}{owner!r}: {self.shortfall(k, length)}")
        return found


def allowed_of(
    model: Recommender,
    rules: Rules | None,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
) -> Allowed:
    """Return what the rules, and allowed and denied ids or names, leave of a model's items."""
    among: tuple[Indices | None, Indices | None] = open_ids(model, allow, deny)
    may_appear = open_items(len(model.items), *among)
    if rules is None:
        return Allowed(may_appear)
    if not isinstance(rules, Rules):
        raise SettingError(
            f"rules= takes alsolike.Rules, such as Rules(at_most={{'artist': 2}}), not "
            f"{said(rules)}."
        )
    found = rules.of(model)
    return Allowed(found.may_appear & may_appear, found.limits, found.unknown)


def allowed_neighbours(model: Any, rules: Rules | None, *, include_self: bool = False) -> Allowed:
    """Return what the rules leave of a model's items, as similar items."""
    if rules is not None and include_self:
        raise SettingError(
            "include_self and rules do not go together: the item itself may be one that the rules "
            "leave out. Give one of them."
        )
    return allowed_of(model, rules)


class ItemColumns:
    """Looks up columns of a model's items, and their values."""

    def __init__(self, model: Recommender) -> None:
        catalogue = getattr(model, "catalogue", None)
        self._catalogue: Catalogue | None = catalogue
        self._columns = {} if catalogue is None else catalogue.columns()

    def values(self, rule: str, column: str) -> ItemValues:
        """Return the values of a column; raise SettingError if there is no such column."""
        if self._catalogue is None or column not in self._columns:
            asked = f"{rule}= asks for the column {column!r} of the items"
            if not self._columns:
                raise SettingError(
                    f"{asked}, of which this model has none. Read the likes with a table of the "
                    "items, or name columns of the likes to keep, and fit the model again."
                )
            raise SettingError(
                f"{asked}; the columns are {_listed(list(self._columns))}."
                f"{did_you_mean(column, self._columns)}"
            )
        return values_of(self._catalogue, column)

    def having(self, rule: str, column: str, wanted: Sequence[str]) -> Mask:
        """Return which items have a value; raise SettingError if a value is unknown."""
        values = self.values(rule, column)
        for value in wanted:
            if value not in values.places:
                by_items = np.argsort(-values.counts, kind="stable").tolist()
                listed = _listed([values.values[place] for place in by_items])
                known = f"the values are {listed}" if values.values else "it is empty"
                raise SettingError(
                    f"{rule}= asks for {value!r}, which is no value of the column {column!r}; "
                    f"{known}."
                    f"{did_you_mean(value, values.values)}"
                )
        return values.having(wanted)


def values_of(catalogue: Catalogue, column: str) -> ItemValues:
    """Return the values of a column of a catalogue, which keeps them."""
    made: dict[Any, ItemValues] = catalogue.made
    if column not in made:
        separator = None if column in _WHOLE else SEPARATOR
        made[column] = ItemValues.of(catalogue.columns()[column], separator)
    return made[column]


def _pairs(rule: str, given: Any) -> list[tuple[Any, Any]]:
    """Return a mapping, or pairs, as pairs."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    is_pairs = isinstance(pairs, (list, tuple)) and all(
        isinstance(one, (list, tuple)) and len(one) == 2 for one in pairs
    )
    if not is_pairs:
        example = "{'artist': 2}" if rule == "at_most" else "{'category': ['shoes']}"
        raise SettingError(
            f"{rule}= takes columns and values, such as {example}, not {said(given)}."
        )
    return [(column, value) for column, value in pairs]


def _conditions(rule: str, given: Any) -> Conditions:
    found = []
    for column, values in _pairs(rule, given):
        texts = tuple(dict.fromkeys(_texts(rule, values, f" of {_column(rule, column)!r}")))
        if not texts:
            raise SettingError(f"{rule}= needs at least one value of {column!r}.")
        if "" in texts:
            raise SettingError(f"{rule}= needs a value of {column!r}; an empty text is none.")
        found.append((column, texts))
    return tuple(found)


def _column(rule: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise SettingError(f"{rule}= takes the names of columns, not {said(given)}.")
    return given


def _texts(rule: str, given: Any, whose: str = "") -> list[str]:
    texts = [given] if isinstance(given, str) else given
    is_list = isinstance(texts, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(one, str) for one in texts):
        raise SettingError(f"{rule}= takes texts{whose}, such as ['shoes'], not {said(given)}.")
    found = [one.strip() for one in texts]
    return sorted(found) if isinstance(texts, (set, frozenset)) else found


def _condition(rule: str, text: str) -> tuple[str, list[str]]:
    column, sign, values = text.partition("=")
    if not column.strip() or not sign or not all(map(str.strip, values.split(SEPARATOR))):
        raise SettingError(
            f"{rule}= takes COLUMN=VALUE or COLUMN=VALUE|VALUE, such as category=shoes|boots, not "
            f"{text[:_LONGEST]!r}."
        )
    return column.strip(), values.split(SEPARATOR)


def _at_most(text: str) -> tuple[str, int]:
    found = _AT_MOST.fullmatch(text)
    if found is None or not found[2].strip() or not int(found[1]):
        raise SettingError(
            f"at_most= takes NUMBER:COLUMN, such as 2:artist, not {text[:_LONGEST]!r}."
        )
    return found[2].strip(), int(found[1])


def _none_known(ids: list[Id], model: Recommender) -> str:
    if not ids:
        return "available= needs the id of at least one item."
    known = [model.items.text_of(row) for row in range(min(3, len(model.items)))]
    return (
        f"available= has no item of this model among its {counted(len(ids), 'id')}; the first is "
        f"{_short(ids[0])!r}. Ids of the model are {_listed(known)}."
    )


def _items(count: int) -> str:
    return f"{counted(count, 'item')} {'is' if count == 1 else 'are'}"


def _listed(names: Sequence[str]) -> str:
    shown = [repr(one if len(one) <= _LONGEST else f"{one[:_LONGEST]}…") for one in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{', '.join(shown)}{more}"


def _short(one: Id) -> Id:
    return one[:_LONGEST] if isinstance(one, str) else one

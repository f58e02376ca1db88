"""Parses what is asked of features: columns with their kinds, and files with their columns."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from alsolike.data.features.columns import DEFAULT_BINS, ColumnKind
from alsolike.data.reading.cleaning.number_form import NumberForm
from alsolike.data.reading.cleaning.time_form import TimeForm
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.usage_hints import did_you_mean

KINDS = (*get_args(ColumnKind), "category")
EVERY = "*"
_SEPARATORS = {
    "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "tab": "\t", "none": "",
}  # fmt: skip
_FORMS = ("comma", "point")
_MOST_BINS = 1_000
_EXAMPLE = "category,tags:set,price:number,description:text,released:date"


@dataclass(frozen=True)
class AskedColumn:
    """A column that is to be read as features.

    Parameters
    ----------
    ref : str or int
    kind : ColumnKind or None
        None: guessed.
    separator : str or None
        Between the words of a cell of a set; None: found, or none.
    n_bins : int
    form : str
        How numbers are written, ``"comma"`` or ``"point"`` before decimals and the other between
        thousands, or dates, such as ``"%d.%m.%Y"``; empty: plainly.
    """

    ref: str | int
    kind: ColumnKind | None = None
    separator: str | None = None
    n_bins: int = DEFAULT_BINS
    form: str = ""

    @property
    def numbers(self) -> NumberForm | None:
        """How numbers are written, where that is given."""
        marks = {"comma": (",", "."), "point": (".", ",")}
        return NumberForm(*marks[self.form]) if self.form in marks else None

    @property
    def times(self) -> TimeForm | None:
        """How dates are written, where that is given."""
        return TimeForm.of(None, self.form) if self.kind == "date" and self.form else None


def asked_columns(option: str, given: Any) -> tuple[AskedColumn, ...]:
    """Parse columns with their kinds.

    Parameters
    ----------
    option : str
        For messages.
    given : str, sequence of str or int, or mapping of str to str or None
        ``"price:number,tags:set"``, the same as a list, or as a dict, whose names may hold any
        character. ``"*"`` is all columns but the ids.

    Raises
    ------
    SettingError
        A kind is unknown, or a column is given twice.

    Examples
    --------
    >>> [(one.ref, one.kind, one.separator) for one in asked_columns("", "year,tags:set:comma")]
    [('year', None, None), ('tags', 'set', ',')]
    >>> asked_columns("item_feature", "price:nmber")
    Traceback (most recent call last):
    alsolike.errors.SettingError: item_feature: 'nmber' is no kind of a column 'price'; known are
    set, number, bins, date, text, words, vector, category. Did you mean number?
    """
    if isinstance(given, Mapping):
        found = [_asked(option, name, _parts(kind)) for name, kind in given.items()]
    else:
        texts = given.split(",") if isinstance(given, str) else given
        if isinstance(texts, int) and not isinstance(texts, bool):
            texts = [texts]
        if not isinstance(texts, Sequence):
            raise SettingError(f"{option}: columns expected, such as {_EXAMPLE!r}, not "
                               f"{said(given)}.")  # fmt: skip
        found = []
        for one in texts:
            name, *parts = one.strip().split(":") if isinstance(one, str) else [one]
            found.append(_asked(option, name, parts))
    refs = [str(one.ref) for one in found]
    if again := next((ref for ref in refs if refs.count(ref) > 1), None):
        raise SettingError(f"{option}: column {again!r} is given twice.")
    if not found or (EVERY in refs and len(refs) > 1):
        raise SettingError(f"{option}: columns expected, such as {_EXAMPLE!r}, or {EVERY!r} alone.")
    return tuple(found)


def _parts(kind: str | None) -> list[str]:
    return [] if kind is None else kind.split(":")


def _asked(option: str, name: Any, parts: Sequence[str]) -> AskedColumn:
    if isinstance(name, bool) or not isinstance(name, (str, int)) or name == "":
        raise SettingError(f"{option}: names of columns expected, such as {_EXAMPLE!r}; {name!r} "
                           "is none.")  # fmt: skip
    kind, more = (parts[0].strip() if parts else ""), list(parts[1:])
    if not kind:
        return AskedColumn(name)
    if kind not in KINDS:
        raise SettingError(
            f"{option}: {kind!r} is no kind of a column {name!r}; known are {', '.join(KINDS)}."
            f"{did_you_mean(kind, KINDS, plain=True)}"
        )
    if kind == "category":
        return AskedColumn(name, "set", _one(option, name, more, none=True))
    if kind == "set":
        return AskedColumn(name, "set", _one(option, name, more))
    if kind == "date" and more:
        asked = AskedColumn(name, "date", form=":".join(more))
        _ = asked.times  # raises for a format that is none
        return asked
    form = ""
    if kind in ("number", "bins") and more and more[-1].strip() in _FORMS:
        form = more.pop().strip()
    if kind == "bins":
        number = more[0].strip() if more else str(DEFAULT_BINS)
        if len(more) > 1 or not number.isdecimal() or not 2 <= int(number) <= _MOST_BINS:
            raise SettingError(
                f"{option}: a number of bins from 2 to {_MOST_BINS:,} expected, such as "
                f"{name}:bins:10, not {':'.join(more)!r}."
            )
        return AskedColumn(name, "bins", n_bins=int(number), form=form)
    if more:
        raise SettingError(f"{option}: nothing is expected after {name}:{kind}, found "
                           f"{':'.join(more)!r}.")  # fmt: skip
    return AskedColumn(name, cast("ColumnKind", kind), form=form)


def _one(option: str, name: Any, more: Sequence[str], *, none: bool = False) -> str | None:
    """Return the separator of a set; None: to be found."""
    if not more:
        return "" if none else None
    text = ":".join(more)
    mark = _SEPARATORS.get(text, text)
    if none or (text not in _SEPARATORS and len(mark) != 1):
        raise SettingError(
            f"{option}: after {name}:set, what stands between words is expected: one character, or "
            f"{', '.join(_SEPARATORS)}; not {text!r}."
        )
    return mark


@dataclass(frozen=True)
class AskedTable:
    """A table of its own with features, or with vectors: its columns by name or number, or none.

    `user` is the column of the people who gave each feature, such as a tag.

    Examples
    --------
    >>> AskedTable.of("item_features", "tags.csv:artist,tag", 3)
    AskedTable(source='tags.csv', columns=('artist', 'tag'), user=None)
    >>> AskedTable.of("item_features", "tags.csv:artist,tag@who", 3).user
    'who'
    >>> AskedTable.of("item_features", "tags.csv", 3)
    AskedTable(source='tags.csv', columns=(), user=None)
    """

    source: Any
    columns: tuple[str | int, ...] = ()
    user: str | int | None = None

    @classmethod
    def of(cls, option: str, given: Any, most: int) -> "AskedTable":
        """Parse ``"FILE"`` or ``"FILE:ITEM,FEATURE"`` of at most so many columns."""
        if not isinstance(given, (str, os.PathLike)):
            return cls(given)
        path, colon, names = os.fspath(given).rpartition(":")
        if not colon or "," not in names or os.path.exists(given):  # noqa: PTH110 - a text
            return cls(given)
        names, at, user = names.partition("@") if most > 2 else (names, "", "")
        columns = tuple(name.strip() for name in names.split(","))
        if not path or not all(columns) or len(columns) > most or (at and not user.strip()):
            raise SettingError(
                f"{option}: a file, or a file and its columns, expected, such as "
                f"tags.csv:item,tag{',weight' if most > 2 else ''}, not {os.fspath(given)!r}."
            )
        return cls(path, columns, user.strip() or None)


def several(given: Any) -> list[Any]:
    """Return sources given as one or as a list; none for None."""
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]

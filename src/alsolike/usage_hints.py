"""Suggests similar names for misspelt ones, lists missing arguments, names packages to install."""

import functools
import inspect
import itertools
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")
Kind = TypeVar("Kind")

# Comparing so many takes a tenth of a second.
_COMPARED = 10_000
ASKS = " Did you mean"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_ "


def did_you_mean(
    given: object, known: Iterable[str], *, cutoff: float = 0.6, plain: bool = False
) -> str:
    """Return a sentence with the most similar names, with a leading blank, or an empty text.

    Parameters
    ----------
    given : object
        The unknown name; only texts have suggestions.
    known : iterable of str
        Names; the first 10,000 are compared.
    cutoff : float
        Minimum similarity, from 0 to 1: twice the common letters, in order, over all letters.
    plain : bool
        No quotation marks, for names that are keywords.

    Examples
    --------
    >>> did_you_mean("presicion", ["ndcg", "precision", "recall"])
    " Did you mean 'precision'?"
    >>> did_you_mean("Alpha", ["alpha"]), did_you_mean("x", ["alpha"]), did_you_mean(3, ["alpha"])
    (" Did you mean 'alpha'?", '', '')
    """
    if not isinstance(given, str):
        return ""
    folded: dict[str, str] = {}
    for one in itertools.islice(known, _COMPARED):
        folded.setdefault(_folded(one), one)
    from rapidfuzz import process  # noqa: PLC0415 - slow to load, and few names are misspelt
    from rapidfuzz.distance import Indel  # noqa: PLC0415

    near = process.extract(
        _folded(given),
        folded.keys(),
        scorer=Indel.normalized_similarity,
        limit=3,
        score_cutoff=cutoff,
    )
    return suggestion([folded[one] for one, _, _ in near], plain=plain)


def did_you_mean_id(
    given: str, known: Iterable[str], is_known: Callable[[str], bool], *, plain: bool = False
) -> str:
    """Suggest similar ids among perhaps millions: one typo away, or else by `did_you_mean`.

    `is_known` tests a text; `known` is searched only without a match, its first 10,000 ids.
    `plain` writes them without quotes, as numbers.

    Examples
    --------
    >>> ids = {"item 7", "item 8", "thing"}
    >>> did_you_mean_id("itme 7", ids, ids.__contains__)
    " Did you mean 'item 7'?"
    """
    slips = dict.fromkeys(filter(is_known, _slips(given)))
    found = list(itertools.islice(slips, 3))
    if found:
        return suggestion(found, plain=plain)
    return did_you_mean(given, known, cutoff=0.7, plain=plain)


def suggestion(near: Sequence[str], *, plain: bool = False) -> str:
    """Return the sentence that suggests these names, with a leading blank, or an empty text."""
    return f"{ASKS} {' or '.join(near if plain else map(repr, near))}?" if near else ""


def way_to_install(*packages: str) -> str:
    """Return the command that installs packages for this Python.

    Examples
    --------
    >>> way_to_install("optuna>=4.0").endswith(" -m pip install 'optuna>=4.0'")
    True
    """
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *packages])


def with_example(example: str) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Make calls with wrong arguments say which, with an example: a decorator.

    Examples
    --------
    >>> @with_example("area(2, height=3)")
    ... def area(width, *, height):
    ...     return width * height
    >>> area(2, hieght=3)
    Traceback (most recent call last):
        ...
    TypeError: area has no argument 'hieght'. Did you mean height? Example: area(2, height=3)
    >>> area()
    Traceback (most recent call last):
        ...
    TypeError: area needs width and height. Example: area(2, height=3)
    """

    def decorated(function: Callable[Given, Result]) -> Callable[Given, Result]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                fault = _misfit(signature, args, kwargs) or str(error)
                raise TypeError(f"{function.__name__} {fault} Example: {example}") from None
            return function(*args, **kwargs)

        return called

    return decorated


def with_hints(config: type[Kind]) -> type[Kind]:
    """Make a class of settings suggest names for unknown arguments: a decorator.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @with_hints
    ... @dataclass
    ... class Box:
    ...     width: int = 1
    >>> Box(widht=3)
    Traceback (most recent call last):
        ...
    TypeError: Box has no argument 'widht'. Did you mean width?
    """
    signature, build = inspect.signature(config), config.__init__

    @functools.wraps(build)
    def built(self: Kind, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in signature.parameters:
                hint = did_you_mean(name, signature.parameters, plain=True)
                raise TypeError(f"{config.__name__} has no argument {name!r}.{hint}")
        build(self, *args, **kwargs)

    config.__init__ = built  # type: ignore[assignment]  # what a class decorator is for
    return config


def _misfit(signature: inspect.Signature, args: tuple[object, ...], given: Iterable[str]) -> str:
    """Return the wrong or missing arguments of a call, as the rest of a sentence."""
    kinds = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    takes_any = len(kinds) < len(signature.parameters)
    named = list(given)
    for name in named:
        if name not in signature.parameters and not takes_any:
            return (
                f"has no argument {name!r}.{did_you_mean(name, signature.parameters, plain=True)}"
            )
    in_order = [one.name for one in kinds if one.kind is one.POSITIONAL_OR_KEYWORD]
    if len(args) > len(in_order):
        by_name = [one.name for one in kinds if one.kind is one.KEYWORD_ONLY]
        return (
            f"takes {len(in_order)} arguments in order, {len(args)} given; by name it takes "
            f"{', '.join(by_name)}."
        )
    reached = {*in_order[: len(args)], *named}
    lacking = [one.name for one in kinds if one.default is one.empty and one.name not in reached]
    return f"needs {' and '.join(lacking)}." if lacking else ""


def _folded(name: str) -> str:
    return name.strip().casefold()


def _slips(text: str) -> Iterable[str]:
    """Yield all texts that are one typo away: case, blanks, one letter."""
    yield from (text.strip(), text.lower(), text.upper(), text.title(), text.casefold())
    if len(text) > 40:
        return
    letters = _LETTERS + _LETTERS.upper() if text != text.lower() else _LETTERS
    for at in range(len(text)):
        before, after = text[:at], text[at + 1 :]
        if after:
            yield before + after[0] + text[at] + after[1:]
        yield before + after
    for at in range(len(text) + 1):
        for letter in letters:
            yield text[:at] + letter + text[at:]
            yield text[:at] + letter + text[at + 1 :]

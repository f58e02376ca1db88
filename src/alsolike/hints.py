"""What a misspelt name was probably meant to be."""

import difflib
import itertools
from collections.abc import Callable, Iterable

# Comparing with so many takes a tenth of a second; a hint is worth no more.
_COMPARED = 10_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_ "


def did_you_mean(
    given: object, known: Iterable[str], *, cutoff: float = 0.6, plain: bool = False
) -> str:
    """Return a sentence with the names that are nearest, with a blank before it, or nothing.

    Parameters
    ----------
    given : object
        What is not known; only of a text is there anything to say.
    known : iterable of str
        Names; the first 10,000 are compared.
    cutoff : float
        How alike a name must be at the least, from 0 to 1, see ``difflib.get_close_matches``.
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
    near = difflib.get_close_matches(_folded(given), folded, n=3, cutoff=cutoff)
    return _sentence([folded[one] for one in near], plain=plain)


def did_you_mean_id(given: str, known: Iterable[str], is_known: Callable[[str], bool]) -> str:
    """Return the same of an id among perhaps millions: one slip away from it, or else near it.

    Parameters
    ----------
    given : str
    known : iterable of str
        Looked through where nothing is one slip away; the first 10,000 of them.
    is_known : callable
        Tells whether a text is an id.

    Examples
    --------
    >>> ids = {"item 7", "item 8", "thing"}
    >>> did_you_mean_id("itme 7", ids, ids.__contains__)
    " Did you mean 'item 7'?"
    """
    slips = dict.fromkeys(filter(is_known, _slips(given)))
    found = list(itertools.islice(slips, 3))
    return _sentence(found) if found else did_you_mean(given, known, cutoff=0.7)


def _sentence(near: list[str], *, plain: bool = False) -> str:
    return f" Did you mean {' or '.join(near if plain else map(repr, near))}?" if near else ""


def _folded(name: str) -> str:
    return name.strip().casefold()


def _slips(text: str) -> Iterable[str]:
    """Yield what a text may have been before one slip: of case, of a blank, of one letter."""
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

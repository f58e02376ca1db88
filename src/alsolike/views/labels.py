"""Labels runs and columns in figures: settings, values, families."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from alsolike.models.registry import USUAL
from alsolike.views.page import clean

_NOT_SETTINGS = {
    "run", "rank", "sweep", "model", "state", "tie", "ties", "best", "seconds", "loss",
    "mean", "low", "high", "degenerate_share",
}  # fmt: skip
_FIGURES = ("train_", "validation_", "test_")
_MOST_CHARACTERS = 40


def setting_names(names: Sequence[str], score: str = "") -> list[str]:
    """Return the columns of a leaderboard or of a table of curves that are settings.

    Parameters
    ----------
    names : sequence of str
    score : str
        The column that ranks; neither it nor an end of its interval is a setting.

    Examples
    --------
    >>> setting_names(("rank", "run", "model", "alpha", "sweep", "test_mrr", "ties", "state"))
    ['alpha']
    """
    figures = {score, f"{score}_low", f"{score}_high"} | _NOT_SETTINGS
    return [name for name in names if name not in figures and not name.startswith(_FIGURES)]


def plain(value: Any) -> str:
    """Return a setting's value as text: a number to four digits, yes or no, a short text.

    Examples
    --------
    >>> [plain(value) for value in (0.1, 1e-05, 36.62361, 12345.0, True, "log")]
    ['0.1', '1e-05', '36.62', '12345', 'yes', 'log']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:z.4g}" if abs(value) < 1000 else f"{value:g}"
    return clean(str(value), most=_MOST_CHARACTERS)


def settings_of(row: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the settings of one row as text, without those that are None.

    Examples
    --------
    >>> settings_of({"run": 3, "factors": 40, "alpha": None, "confidence": "log"},
    ...             ["factors", "alpha", "confidence"])
    'factors 40 · confidence log'
    """
    known = (name for name in names if row[name] is not None)
    return " · ".join(f"{clean(name)} {plain(row[name])}" for name in known)


def flat_settings(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield labels and values of settings; those of models within a model with its name in front.

    Examples
    --------
    >>> dict(flat_settings({"members": [{"factors": 8}, {"model": "ease"}], "weights": [0.5, 0.5]}))
    {'1 als: factors': 8, '2 ease: model': 'ease', 'weights': [0.5, 0.5]}
    """
    for label, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{before}{label}: ")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, start=1):
                yield from flat_settings(one, f"{before}{number} {one.get('model', USUAL)}: ")
        else:
            yield f"{before}{label}", value


def family_in(model: str) -> str:
    """Return the family of a model on a leaderboard: ``ease`` of ``ease (500)``."""
    return model.split(" (", maxsplit=1)[0]


def spoken(name: str) -> str:
    """Return the name of a column as words: ``validation_mrr`` becomes ``validation mrr``."""
    return clean(name.replace("_", " "))


def begun(name: str) -> str:
    """Return the name of a column as words, with a capital."""
    words = spoken(name)
    return words[:1].upper() + words[1:]

"""Converts the texts of options to values, and makes the arguments of a job of them."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from alsolike.cli.options import STRATEGY
from alsolike.errors import SettingError
from alsolike.usage_hints import did_you_mean


def settings_of(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return ``name=value`` texts as settings; numbers become numbers, and lists lists.

    >>> settings_of(("alpha=40", "confidence=log", "steps=[1, 2]"))
    {'alpha': 40, 'confidence': 'log', 'steps': [1, 2]}
    """
    return {name: _value(text, name) for name, text in _named(texts)}


def settings_with(texts: tuple[str, ...], half_life: str | None) -> dict[str, Any]:
    """Return the settings of --set and --half-life; SettingError if both give a half-life.

    >>> settings_with(("alpha=40",), "90d")
    {'alpha': 40, 'half_life': '90d'}
    """
    found = settings_of(texts)
    if half_life is None:
        return found
    if "half_life" in found:
        raise SettingError("--half-life is short for --set half_life. Give one of them.")
    return {**found, "half_life": half_life}


def grid_of(texts: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return ``name=value,value`` texts as lists of values to try.

    >>> grid_of(("factors=16,32",))
    {'factors': [16, 32]}
    """
    return {name: [_value(part) for part in text.split(",")] for name, text in _named(texts)}


def search_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of searching out of `options`; return them as arguments of a `Job`.

    Merges the command line with the file of --space; a name may be in only one of them.
    """
    from alsolike.tuning.options import Searching, seconds_of
    from alsolike.tuning.toml_config import read_recipe

    preset, thorough = options.pop("preset"), options.pop("thorough")
    if preset and thorough:
        raise SettingError("--thorough is short for --preset thorough. Give one of them.")
    options["preset"] = "thorough" if thorough else preset or "quick"
    objective, judge = options.pop("objective"), options.pop("judge")
    if objective and judge:
        raise SettingError("--judge is the old name of --objective. Give only --objective.")
    typed = {
        "space": checked(grid_of(options.pop("grid"))),
        "settings": checked(settings_with(options.pop("settings"), options.pop("half_life", None))),
        "sweeps": numbers_of(options.pop("sweeps")),
        "objective": objective or judge,
        "families": names_of(options.pop("families")),
        "baselines": names_of(options.pop("baselines")),
        "popularity_bias": bias_of(options.pop("popularity_bias", None)),
        "one_model": options.pop("one_model", None),
        "agree": options.pop("agree", None),
        **{name: options.pop(name) for name in STRATEGY},
    }
    file = options.pop("space")
    found = {} if file is None else read_recipe(file)
    for name, value in typed.items():
        if value in (None, {}):
            continue
        if name in found:
            raise SettingError(
                f"{name} is set in {file} and on the command line. Set it in one of them."
            )
        found[name] = value
    job = {"grid": found.pop("space", {}), "settings": found.pop("settings", {})}
    job |= {name: found.pop(name, None) for name in ("sweeps", "objective", "agree")}
    job |= {name: found.pop(name) for name in ("popularity_bias", "one_model") if name in found}
    how = {"by" if name == "search" else name: value for name, value in found.items()}
    if "budget" in how:
        how["budget"] = seconds_of(str(how["budget"]))
        # Python and its libraries have been loaded by now, on the same budget.
        how["began"] = time.monotonic() - time.process_time()
    return job | {"search": Searching(**how)}


def checked(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `settings`, or raise SettingError if a name is not a setting that is searched."""
    from alsolike.models.registry import trained

    searched = [one for one in trained() if one.scored == "sweeps"]
    known = [setting.name for one in searched for setting in fields(one.config)]
    for name in settings:
        if name not in known:
            others = [one for one in trained() if name in {s.name for s in fields(one.config)}]
            if others:
                raise SettingError(
                    f"{name} is a setting of {others[0].name}; a run tries fixed settings of that "
                    "family. Use alsolike fit for other values."
                )
            raise SettingError(
                f"Unknown setting {name!r}.{did_you_mean(name, known, plain=True)} Known are: "
                f"{', '.join(known)}."
            )
    return settings


def ratings_of(texts: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """Yield ``item=rating`` texts as items and numbers; SettingError for another text.

    >>> list(ratings_of(("a=b=4.5",)))
    [('a=b', 4.5)]
    """
    for text in texts:
        item, _, number = text.rpartition("=")
        try:
            yield item, float(number)
        except ValueError:
            item = ""
        if not item:
            raise SettingError(f"--rated {text!r}: an item and a number expected: --rated ITEM=4.")


def bias_of(text: str | None) -> float | str | None:
    """Return a popularity bias as a number; None and other texts as they are.

    >>> bias_of("0.3"), bias_of("auto")
    (0.3, 'auto')
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def names_of(text: str | None) -> list[str] | None:
    """Return names with commas between them as a list.

    >>> names_of("als, item-knn")
    ['als', 'item-knn']
    """
    return None if text is None else [one.strip() for one in text.split(",")]


def numbers_of(text: str | None) -> list[int] | None:
    """Return whole numbers with commas between them as a list."""
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingError(f"Numbers with commas expected, such as 2,4,8, not {text!r}.") from None


def _named(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the names and the values, each name once."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name.strip() or not equals or not all(map(str.strip, value.split(","))):
            raise SettingError(f"NAME=VALUE expected, such as alpha=40, not {text!r}.")
        name = name.strip().replace("-", "_")
        if name in pairs:
            raise SettingError(f"{name} is given twice: {pairs[name]} and {value}.")
        pairs[name] = value
    return list(pairs.items())


def _value(text: str, name: str = "") -> Any:
    """Return a text as a number, None, a truth value or, for a setting, a TOML list or table."""
    plain = text.strip()
    named = {"none": None, "true": True, "false": False}
    if plain.casefold() in named:
        return named[plain.casefold()]
    if name and plain[0] in "[{\"'":
        import tomllib

        try:
            return tomllib.loads(f"value = {plain}")["value"]
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{name}={plain:.60}: a TOML value expected. {error}.") from error
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return plain

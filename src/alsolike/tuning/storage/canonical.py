"""Writes settings and facts as canonical text, and describes differences between two of them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

DATA = "data of "
_LONGEST = 60


def canonical_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON, the same text for equal settings in any order.

    Examples
    --------
    >>> canonical_settings({"factors": 8, "alpha": 10.0, "regularization": 1e-5})
    '{"alpha": 10, "factors": 8, "regularization": 1e-05}'
    """
    return to_json({name: plain_value(value) for name, value in settings.items()})


def plain_value(value: Any) -> Any:
    """Return a NumPy scalar as a Python one, and a whole float as an int, also inside others."""
    if isinstance(value, Mapping):
        return {name: plain_value(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def to_json(value: Any) -> str:
    """Return a value as JSON that does not depend on the order of its keys."""
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Describe the differences of two mappings of names to JSON texts; empty if there are none.

    Likely causes come first: a setting, the seed, a version. Differing data, which often follow
    from these, come last, without their fingerprints.

    Examples
    --------
    >>> differences({"judge": '{"k": 10, "metric": "auc"}', "data of test": '"0f3a"'},
    ...             {"judge": '{"k": 7, "metric": "auc"}', "data of test": '"77c1"'})
    'k of judge was 10 and is now 7; the data differ (test)'
    """
    differing = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    data = [name.removeprefix(DATA) for name in differing if name.startswith(DATA)]
    texts = [
        text
        for name in differing
        if not name.startswith(DATA)
        for text in _changes(name, before.get(name), now.get(name))
    ]
    if data:
        texts.append(f"the data differ ({', '.join(data)})")
    return "; ".join(texts)


def apart(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """Describe the differences of two scores of one point; empty if there are none."""
    return "; ".join(
        f"{name} was {before.get(name)!r} and is now {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )


def _changes(name: str, before: str | None, now: str | None) -> Iterator[str]:
    was, is_now = (None if text is None else json.loads(text) for text in (before, now))
    if not (isinstance(was, dict) and isinstance(is_now, dict)):
        yield f"{name} was {_short(before)} and is now {_short(now)}"
        return
    for key in sorted({*was, *is_now}):
        if was.get(key) != is_now.get(key):
            yield f"{key} of {name} was {_shown(was, key)} and is now {_shown(is_now, key)}"


def _shown(values: Mapping[str, Any], key: str) -> str:
    return _short(json.dumps(values[key], ensure_ascii=False) if key in values else None)


def _short(text: str | None) -> str:
    if text is None:
        return "not there"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

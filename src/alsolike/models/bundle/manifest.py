"""`Manifest`: what a bundle says about itself, and its one form as ``manifest.json``.

The file is exactly what its content renders to, byte for byte, its own checksum included. So a
changed digit in a metric is found as surely as a flipped byte in a matrix, and equal models have
equal manifests. No clock is read.
"""

import hashlib
import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from alsolike._version import __version__
from alsolike.errors import BundleError
from alsolike.storage.safetensors import DAMAGED, map_file

MANIFEST = "manifest.json"
FORMAT = "alsolike model"
FORMAT_VERSION = 2
HISTORY_PART = "history"

SIZE_LIMIT = 1 << 24


@dataclass(frozen=True)
class FileRecord:
    """What the manifest knows of one file.

    Parameters
    ----------
    sha256 : str
        Of its bytes, in hexadecimal.
    size : int
        Bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says about itself.

    Parameters
    ----------
    format_version : int
        Of the folder's layout; a program reads its own and older ones.
    versions : mapping of str to str
        Of alsolike, NumPy and Python, when the bundle was saved.
    name : str
        Of the model, one word.
    family : str
        What kind of model it is, as `alsolike.models.registry` knows it.
    n_users, n_items, factors, sweeps : int
        Its size, and the sweeps behind it.
    settings : mapping
        What it was fitted with.
    metrics : mapping of str to float or str
        What was measured of it, by whoever saved it.
    notes : mapping
        Whatever else whoever saved it wanted to say.
    data_fingerprint : str or None
        `Interactions.fingerprint` of the training data; None where the model had none with it.
    item_columns : tuple of str, or None
        Columns of the item table; None without a table.
    left_out : tuple of str
        ``("history",)`` where the training interactions are not inside, else empty.
    files : mapping of str to FileRecord
        All other files of the bundle.
    """

    format_version: int = FORMAT_VERSION
    versions: Mapping[str, str]
    name: str
    family: str
    n_users: int
    n_items: int
    factors: int
    sweeps: int
    settings: Mapping[str, Any]
    metrics: Mapping[str, float | str]
    notes: Mapping[str, Any]
    data_fingerprint: str | None
    item_columns: tuple[str, ...] | None
    left_out: tuple[str, ...]
    files: Mapping[str, FileRecord]

    @property
    def has_history(self) -> bool:
        """Whether the training interactions are inside."""
        return HISTORY_PART not in self.left_out

    def to_bytes(self) -> bytes:
        """Return the content of ``manifest.json``."""
        return _render({"format": FORMAT, **asdict(self)})

    def _model(self) -> Iterator[str]:
        yield self.name
        if self.factors:
            yield f"{self.factors} factors"
        if self.sweeps:
            yield f"{self.sweeps} sweeps"

    def __str__(self) -> str:
        columns = "none" if self.item_columns is None else ", ".join(self.item_columns)
        told = {
            "model": ", ".join(self._model()),
            "users": f"{self.n_users:,}",
            "items": f"{self.n_items:,}",
            "item columns": columns,
            "training data": self.data_fingerprint or "unknown",
            "history": "inside" if self.has_history else "left out",
            **{f"setting {name}": value for name, value in self.settings.items()},
            **self.metrics,
            **self.notes,
            **{f"made with {name}": number for name, number in self.versions.items()},
            "format version": self.format_version,
            **{name: f"{record.size:,} bytes" for name, record in self.files.items()},
        }
        width = max(map(len, told))
        return "\n".join(
            f"{label:{width}}  {f'{value:.4g}' if isinstance(value, float) else value}"
            for label, value in told.items()
            if value is not None
        )


def current_versions() -> dict[str, str]:
    """Return the versions that decide which bytes a fit gives."""
    return {
        "alsolike": __version__,
        "numba": version("numba"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "scipy": version("scipy"),
    }


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json`` of the bundle `folder`.

    Raises
    ------
    BundleError
        It is missing, damaged, of a newer format, or does not say what it must.
    """
    path = folder / MANIFEST
    if not path.exists() and not path.is_symlink():
        raise BundleError(f"{folder}: a folder with a {MANIFEST} expected, {_instead(folder)}")
    content = map_file(path)
    if len(content) > SIZE_LIMIT:
        raise _damaged(path, f"at most {SIZE_LIMIT:,} bytes expected, {len(content):,} found")
    raw = content.tobytes()
    stated = _parse(path, raw)
    if stated.get("format") != FORMAT:
        raise _damaged(path, f'"format": "{FORMAT}" expected, and not found')
    _check_version(path, stated.get("format_version"))
    _check_unchanged(path, stated, raw)
    del stated["format"], stated["checksum"]
    return _checked(path, stated)


def _render(content: Mapping[str, Any]) -> bytes:
    body = _dump(content)
    return _dump({**content, "checksum": hashlib.sha256(body).hexdigest()})


def _dump(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=2, allow_nan=False).encode("ascii") + b"\n"


def _instead(folder: Path) -> str:
    if not folder.exists():
        return "and there is nothing of that name. Check the path."
    if not folder.is_dir() and not (folder.parent / MANIFEST).is_file():
        return "a file found. Give the folder that fit or run has written."
    if not folder.is_dir():
        return f"a file found. Give the folder that holds it: {folder.parent}"
    inside = sorted(found.parent.name for found in folder.glob(f"*/{MANIFEST}"))
    if inside:
        return f"found one inside instead: {folder / inside[0]}"
    return f"found a folder without one. Is the copy complete? {DAMAGED}"


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text} is not finite")
        return number

    def refuse(text: str) -> NoReturn:
        raise ValueError(f"{text} is not finite")

    try:
        stated = json.loads(raw.decode("utf-8"), parse_float=finite, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"JSON expected, something else found ({error})") from error
    if not isinstance(stated, dict):
        raise _damaged(path, f"a JSON object expected, {type(stated).__name__} found")
    return stated


def _check_version(path: Path, version: object) -> None:
    if type(version) is not int or version < 1:
        raise _damaged(path, f"a format version of at least 1 expected, {version!r} found")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{path}: format version {version} found; alsolike {__version__} reads "
            f"versions up to {FORMAT_VERSION}. Upgrade alsolike."
        )


def _check_unchanged(path: Path, stated: Mapping[str, Any], raw: bytes) -> None:
    try:
        expected = _render({key: value for key, value in stated.items() if key != "checksum"})
    except RecursionError as error:
        raise _damaged(path, "a manifest expected, JSON nested without end found") from error
    if raw != expected:
        raise _damaged(path, "changed since it was saved: its checksum does not fit its content")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_columns(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and _is_texts(value) and len(set(value)) == len(value)
    )


def _is_versions(value: object) -> bool:
    return isinstance(value, dict) and _is_texts(list(value.values())) and "alsolike" in value


def _is_metrics(value: object) -> bool:
    return isinstance(value, dict) and all(type(cell) in (float, str) for cell in value.values())


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_fingerprint(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_left_out(value: object) -> bool:
    return value in ([], [HISTORY_PART])


def _is_files(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(record, dict)
        and record.keys() == {"sha256", "size"}
        and isinstance(record["sha256"], str)
        and _is_count(record["size"])
        for record in value.values()
    )


_EXPECTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "format_version": (_is_count, "a number"),
    "versions": (_is_versions, "an object with the version of alsolike among its texts"),
    "name": (_is_text, "a text"),
    "family": (_is_text, "a text"),
    "n_users": (_is_count, "a number from 0"),
    "n_items": (_is_count, "a number from 0"),
    "factors": (_is_count, "a number from 0"),
    "sweeps": (_is_count, "a number from 0"),
    "settings": (_is_object, "an object"),
    "metrics": (_is_metrics, "an object of numbers with a decimal point, and texts"),
    "notes": (_is_object, "an object"),
    "data_fingerprint": (_is_fingerprint, "a text or null"),
    "item_columns": (_is_columns, "a list of distinct texts, or null"),
    "left_out": (_is_left_out, f'[] or ["{HISTORY_PART}"]'),
    "files": (_is_files, "an object with the sha256 and size of each file"),
}


def _checked(path: Path, stated: Mapping[str, Any]) -> Manifest:
    if stated["format_version"] == 1:
        stated = {**stated, "family": _family_of_format_1(stated.get("settings"))}
    if stated.keys() != _EXPECTED.keys():
        missing = sorted(_EXPECTED.keys() - stated.keys())
        unknown = sorted(stated.keys() - _EXPECTED.keys())
        raise _damaged(path, f"keys missing: {missing}, keys unknown: {unknown}")
    for key, (holds, expected) in _EXPECTED.items():
        if not holds(stated[key]):
            raise _damaged(path, f'"{key}": {expected} expected, {str(stated[key])[:200]!r} found')
    columns = stated["item_columns"]
    return Manifest(
        **{
            **stated,
            "item_columns": None if columns is None else tuple(columns),
            "left_out": tuple(stated["left_out"]),
            "files": {file: FileRecord(**record) for file, record in stated["files"].items()},
        }
    )


def _family_of_format_1(settings: object) -> str:
    """Return what format 1, which knew factors alone, did not say: whether ALS made them."""
    return "als" if isinstance(settings, dict) and "alpha" in settings else "factors"


def _damaged(path: Path, finding: str) -> BundleError:
    return BundleError(f"{path}: {finding}. {DAMAGED}")

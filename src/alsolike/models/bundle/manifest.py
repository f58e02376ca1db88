"""`Manifest`: the description of a bundle in ``manifest.json``.

The file has one canonical form with a checksum, so any change is detected, and equal models have
equal manifests. No clock is read.
"""

import hashlib
import json
import math
import platform
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct, to_builtins

from alsolike._version import __version__
from alsolike.data.features.features import BlockKind
from alsolike.data.whole_numbers import IdType
from alsolike.errors import BundleError, DataError
from alsolike.models.similarity.evidence import KEPT
from alsolike.storage.safetensors import DAMAGED, map_file
from alsolike.storage.strict_json import checked_as, read_json

MANIFEST = "manifest.json"
SIMILAR = "similar.safetensors"
FORMAT = "alsolike model"
FORMAT_VERSION = 5
_OF_WHOLE_NUMBERS = 4  # written for models without features
_OF_TEXT_IDS = 3  # written for models whose ids are text: earlier versions of alsolike read them
HISTORY_PART: Literal["history"] = "history"

SIZE_LIMIT = 1 << 24

Side = Literal["users", "items"]
Text = Annotated[str, Meta(description="a text")]
Count = Annotated[int, Meta(ge=0, description="a number from 0")]
Object = Annotated[Mapping[str, Any], Meta(description="an object")]


class FileRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256, in hexadecimal, and size in bytes of a file."""

    sha256: str
    size: Count


class BlockRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """All of a block of features but the names of its columns, see `Block`."""

    name: Text
    kind: BlockKind
    encoding: Object


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The description of a bundle.

    Parameters
    ----------
    format_version : int
        Of the folder's layout; older ones are read too. 0: the oldest that has all that is in it,
        to be written.
    versions : mapping of str to str
        Versions of alsolike and its dependencies that saved the bundle.
    name : str
        One word for the model.
    family : str
        A name in `alsolike.models.registry`.
    n_users, n_items, factors, sweeps : int
    settings : mapping
        Settings of the training.
    similarity : mapping
        Settings of similar items, of `SimilarityConfig`; empty: the usual ones.
    metrics, notes : mapping
        As given to `alsolike.models.bundle.io.save`.
    data_fingerprint : str or None
        `Interactions.fingerprint` of the training data, if the model had them.
    item_columns : tuple of str, or None
        Columns of the item table, if any.
    left_out : tuple of str
        ``("history",)`` if the training interactions are not saved, else empty.
    files : mapping of str to FileRecord
        All other files of the bundle.
    id_types : mapping of str to {"int64", "uint64"}
        The type of the ids of ``"users"`` and ``"items"``, where they are whole numbers.
    features : mapping of {"users", "items"} to list of objects
        Blocks of the features of either side, if there are any; see `Block`.
    """

    format_version: Annotated[int, Meta(description="a number")] = 0
    versions: Annotated[
        Mapping[str, str],
        Meta(
            description="an object with the version of alsolike among its texts",
            extra={"holds": lambda versions: "alsolike" in versions},
        ),
    ]
    name: Text
    family: Text
    n_users: Count
    n_items: Count
    factors: Count
    sweeps: Count
    settings: Object
    similarity: Object
    metrics: Annotated[
        Mapping[str, float | str],
        Meta(
            description="an object of numbers with a decimal point, and texts",
            extra={"holds": lambda metrics: int not in map(type, metrics.values())},
        ),
    ]
    notes: Object
    data_fingerprint: Annotated[str | None, Meta(description="a text or null")]
    item_columns: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="a list of distinct texts, or null",
            extra={"holds": lambda columns: len(columns or ()) == len(set(columns or ()))},
        ),
    ]
    left_out: Annotated[
        tuple[Literal["history"], ...],
        Meta(max_length=1, description=f'[] or ["{HISTORY_PART}"]'),
    ]
    files: Annotated[
        Mapping[str, FileRecord],
        Meta(description="an object with the sha256 and size of each file"),
    ]
    id_types: Annotated[
        Mapping[Side, Literal["int64", "uint64"]],
        Meta(description="an object with the type of users or items, int64 or uint64"),
    ] = field(default_factory=dict)
    features: Annotated[
        Mapping[Side, tuple[BlockRecord, ...]],
        Meta(description="an object with the blocks of the features of users or items"),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.format_version:
            version = _OF_WHOLE_NUMBERS if self.id_types else _OF_TEXT_IDS
            version = FORMAT_VERSION if self.features else version
            object.__setattr__(self, "format_version", version)

    def type_of(self, side: Side) -> IdType:
        """Return the type of the ids of a side; text if it is not stated."""
        return self.id_types.get(side, "text")

    @property
    def has_history(self) -> bool:
        """Whether the bundle holds the training interactions."""
        return HISTORY_PART not in self.left_out

    def to_bytes(self) -> bytes:
        """Render the content of ``manifest.json``."""
        stated = to_builtins(self)
        for name in ("id_types", "features"):
            if not stated[name]:
                del stated[name]
        return _render({"format": FORMAT, **stated})

    def _model(self) -> Iterator[str]:
        yield self.name
        if self.factors:
            yield f"{self.factors} factors"
        if self.sweeps:
            yield f"{self.sweeps} sweeps"

    def _similarity(self) -> Iterator[tuple[str, Any]]:
        for name, value in self.similarity.items():
            yield name, "the default" if value is None else value
        if SIMILAR in self.files:
            yield "counts", f"of the {KEPT} strongest neighbours"

    def __str__(self) -> str:
        columns = "none" if self.item_columns is None else ", ".join(self.item_columns)
        facts = {
            "model": ", ".join(self._model()),
            "users": f"{self.n_users:,}",
            "items": f"{self.n_items:,}",
            **{f"ids of {side}": f"whole numbers ({kind})" for side, kind in self.id_types.items()},
            "item columns": columns,
            **{
                f"features of {side}": ", ".join(f"{one.name} ({one.kind})" for one in blocks)
                for side, blocks in self.features.items()
            },
            "training data": self.data_fingerprint or "unknown",
            "history": "inside" if self.has_history else "left out",
            **{f"setting {name}": value for name, value in self.settings.items()},
            **{f"similar items {name}": value for name, value in self._similarity()},
            **self.metrics,
            **self.notes,
            **{f"made with {name}": number for name, number in self.versions.items()},
            "format version": self.format_version,
            **{name: f"{record.size:,} bytes" for name, record in self.files.items()},
        }
        width = max(map(len, facts))
        return "\n".join(
            f"{label:{width}}  {f'{value:.4g}' if isinstance(value, float) else value}"
            for label, value in facts.items()
            if value is not None
        )


def current_versions() -> dict[str, str]:
    """Return the versions on which the bytes of a fit depend."""
    return {
        "alsolike": __version__,
        "numba": version("numba"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "scipy": version("scipy"),
    }


def plain_values(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert to plain values; DataError if JSON would change one."""
    plain: dict[str, Any] = {}
    for label, value in values.items():
        try:
            plain[label] = json.loads(json.dumps(value, allow_nan=False, default=_number))
            same = isinstance(label, str) and plain[label] == value
        except (TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise DataError(
                f"The {kind} {label!r} cannot be saved: texts, finite numbers, booleans, None, "
                f"lists and dicts of them expected, {reprlib.repr(value)} found."
            )
    return plain


def _number(value: object) -> Any:
    """Convert a number of NumPy to Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value))


def checked_metric(label: str, value: float | str) -> float | str:
    """Return a metric as a text or a finite number; DataError for others."""
    if isinstance(value, str):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise DataError(f"The metric {label!r} cannot be saved: it is {number}.")
    return number


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json`` of the bundle `folder`.

    Raises
    ------
    BundleError
        It is missing, damaged or of a newer format, or a key or a value is wrong.
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


def models_of_run(path: Path) -> tuple[Path, Path]:
    """Return the bundles of users' lists and of similar items that a path names.

    The folder of a run has ``model`` and, if another model is better for similar items,
    ``similar``. Any other path names one bundle for both.

    Examples
    --------
    >>> models_of_run(Path("runs/first/model"))
    (PosixPath('runs/first/model'), PosixPath('runs/first/model'))
    """
    for_lists, for_similar = path / "model", path / "similar"
    if (path / MANIFEST).exists() or not (for_lists / MANIFEST).is_file():
        return path, path
    return for_lists, for_similar if (for_similar / MANIFEST).is_file() else for_lists


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
    try:
        stated = read_json(raw)
    except ValueError as error:
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


def _checked(path: Path, stated: dict[str, Any]) -> Manifest:
    if stated["format_version"] == 1:
        stated = {**stated, "family": _family_of_format_1(stated.get("settings"))}
    if stated["format_version"] < 3:
        stated = {**stated, "similarity": _similarity_before_format_3(stated.get("factors"))}
    stated = {"id_types": {}, "features": {}, **stated}
    try:
        return checked_as(Manifest, stated)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _family_of_format_1(settings: object) -> str:
    """Return the family for format 1, which had factors, of ALS or others, and no name."""
    return "als" if isinstance(settings, dict) and "alpha" in settings else "factors"


def _similarity_before_format_3(factors: object) -> dict[str, Any]:
    """Return the settings of similar items that older bundles had: the cosine of factors."""
    return {"affinity": "cosine", "popularity_bias": 0.0} if factors else {}


def _damaged(path: Path, finding: str) -> BundleError:
    return BundleError(f"{path}: {finding}. {DAMAGED}")

"""Saves and loads a model as a folder with ``manifest.json`` and safetensors files.

::

    model/
      manifest.json          description, with a SHA-256 of each file; see `Manifest`
      model.safetensors      arrays of the family: factors, neighbours, weights
      ids.safetensors        users.*, items.*: UTF-8 bytes and offsets
      items.safetensors      counts, column.N.*: the item table, packed likewise
      history.safetensors    indptr, indices, values, timestamps: the training interactions
      features.safetensors   users.*, items.*: features, and the names of their columns
      similar.safetensors    without history: audiences, shares, sizes, and the counts of the
                             strongest neighbours of each item (starts, items, counts)

Format 1, with ``factors.safetensors`` instead of ``model.safetensors`` and no family in the
manifest, is read too. Ids without a type in the manifest, as up to format 3, are text.

Loading runs no code, maps the files into memory and checks all that later code relies on. Saving
runs the same checks.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.validation import said
from alsolike.data.whole_numbers import IdType
from alsolike.errors import AlsolikeError, BundleError, DataError, SettingError, WritingError
from alsolike.models.arrays import BundleArrays, BundleFault
from alsolike.models.base import FittedModel
from alsolike.models.bundle.features import features_of, packed, records, unpacked
from alsolike.models.bundle.manifest import (
    HISTORY_PART,
    MANIFEST,
    SIMILAR,
    SIZE_LIMIT,
    FileRecord,
    Manifest,
    Side,
    checked_metric,
    current_versions,
    plain_values,
    read_manifest,
)
from alsolike.models.family import Family, Known
from alsolike.models.protocols import HasAffinities
from alsolike.models.registry import family_named, family_of_model
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.storage.atomic import replacing
from alsolike.storage.safetensors import DAMAGED, Tensors, chunks_of, map_file, read_tensors
from alsolike.usage_hints import with_example

MODEL = "model.safetensors"
_MODEL_OF_FORMAT_1 = "factors.safetensors"
IDS = "ids.safetensors"
ITEMS = "items.safetensors"
HISTORY = "history.safetensors"
FEATURES = "features.safetensors"
_ALWAYS = frozenset({IDS, ITEMS})

_INT32_MAX = np.iinfo(np.int32).max

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@with_example('al.save(model, "model")')
def save(
    model: FittedModel,
    path: str | os.PathLike[str],
    *,
    metrics: Mapping[str, float | str] = _NOTHING,
    with_history: bool = True,
    notes: Mapping[str, Any] = _NOTHING,
) -> None:
    """Save `model` as the folder `path`: all of it or nothing; equal models give equal bytes.

    Parameters
    ----------
    model : FittedModel
        With a history, if any, over its own users and items.
    path : path
        The folder to make. Replaces a bundle of that name, but no other folder.
    metrics : mapping of str to float or str
        Metrics, for `describe`.
    with_history : bool
        Save the training interactions, which are needed to leave out seen items, to explain and to
        continue training.
    notes : mapping of str to plain values
        Anything else that JSON can represent.

    Raises
    ------
    DataError
        The model, a setting, a metric or a note cannot be saved as it is.
    WritingError
        The path cannot be written, or is a folder with other files.

    Examples
    --------
    >>> import tempfile
    >>> from alsolike.testing import tiny_model
    >>> model = tiny_model()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model", metrics={"ndcg@10": 0.25})
    ...     print(load(f"{folder}/model"), describe(f"{folder}/model").metrics)
    ALSModel(4 users, 5 items, 2 factors, 3 sweeps) {'ndcg@10': 0.25}
    """
    target = _folder(path)
    family = family_of_model(model)
    refuse_other_folder(target)
    history = model.history if with_history else None
    parts = _parts(family, model, history)
    manifest = Manifest(
        id_types=_id_types(model),
        versions=current_versions(),
        name=model.name,
        n_users=len(model.users),
        n_items=len(model.items),
        family=family.name,
        factors=int(getattr(model, "factors", 0)),
        sweeps=int(model.sweeps),
        settings=plain_values("setting", model.settings),
        similarity=_similarity(model),
        metrics={label: checked_metric(label, value) for label, value in metrics.items()},
        notes=plain_values("note", notes),
        data_fingerprint=None if model.history is None else model.history.fingerprint,
        item_columns=None if model.catalogue is None else tuple(model.catalogue.columns()),
        left_out=() if history is not None else (HISTORY_PART,),
        features=records(features_of(model)),
        files={},
    )
    _refuse_unloadable(family, model, manifest, parts)
    with replacing(target) as part:
        part.mkdir()
        # One at a time: the weights of EASE alone may fill half of the memory.
        files = {file: _written(part / file, tensors) for file, tensors in parts.items()}
        content = replace(manifest, files=files).to_bytes()
        if len(content) > SIZE_LIMIT:
            raise DataError(
                f"At most {SIZE_LIMIT:,} bytes of settings, metrics and notes can be saved, these "
                f"are {len(content):,}."
            )
        (part / MANIFEST).write_bytes(content)


@with_example('model = al.load("model")')
def load(path: str | os.PathLike[str], *, check: bool = True) -> FittedModel:
    """Load the model of the folder `path`; its arrays are read-only views of the files.

    Parameters
    ----------
    path : path
        A bundle.
    check : bool
        Compare each file with its SHA-256, which reads all of it. Sizes, shapes, order, bounds and
        finite numbers are always checked.

    Returns
    -------
    FittedModel
        Equal to the saved one, bit for bit, apart from a history that was left out.

    Raises
    ------
    BundleError
        Something is missing, damaged, contradicts itself, or is of a newer format.
    """
    folder = _folder(path)
    manifest = describe(folder)
    wanted = {*_ALWAYS, _model_file(manifest)} | ({HISTORY} if manifest.has_history else set())
    if SIMILAR in manifest.files and not manifest.has_history:
        wanted.add(SIMILAR)
    if manifest.features:
        wanted.add(FEATURES)
    if manifest.files.keys() != wanted:
        raise BundleError(
            f"{folder / MANIFEST}: the files {sorted(wanted)} expected, "
            f"{sorted(manifest.files)} found. {DAMAGED}"
        )
    parts = {
        file: _verified(folder / file, record, check=check)
        for file, record in sorted(manifest.files.items())
    }
    family = _family(folder / MANIFEST, manifest)
    try:
        model = _assemble(parts, manifest, family)
    except BundleFault as fault:
        raise BundleError(f"{folder / fault.file}: {fault}. {DAMAGED}") from fault
    history = model.history
    if check and history is not None and history.fingerprint != manifest.data_fingerprint:
        raise BundleError(
            f"{folder / HISTORY}: interactions with fingerprint {manifest.data_fingerprint} "
            f"expected, {history.fingerprint} found. {DAMAGED}"
        )
    return model


def describe(path: str | os.PathLike[str]) -> Manifest:
    """Read the manifest of the bundle `path`, and none of its other files.

    Raises
    ------
    BundleError
        There is no manifest, or it is damaged or of a newer format.
    """
    return read_manifest(_folder(path))


def _folder(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise SettingError(f"The path of a model's folder expected, not {said(path)}.")
    return Path(path)


def _model_file(manifest: Manifest) -> str:
    return _MODEL_OF_FORMAT_1 if manifest.format_version == 1 else MODEL


def _parts(family: Family, model: FittedModel, history: Interactions | None) -> dict[str, Tensors]:
    """Return the arrays of each file of the bundle."""
    columns = model.catalogue.columns() if model.catalogue is not None else {}
    parts: dict[str, Tensors] = {
        MODEL: family.pack(model),
        IDS: {**_packed("users", model.users.ids), **_packed("items", model.items.ids)},
        ITEMS: {"counts": model.item_counts},
    }
    # Columns are numbered, since labels may be any text.
    for number, column in enumerate(columns.values()):
        parts[ITEMS] = {**parts[ITEMS], **_packed(f"column.{number}", column)}
    if features := packed(features_of(model)):
        parts[FEATURES] = features
    if history is not None:
        matrix = canonical(history.user_items)
        tensors = {"indptr": matrix.indptr, "indices": matrix.indices, "values": matrix.data}
        if history.timestamps is not None:
            tensors["timestamps"] = history.timestamps
        parts[HISTORY] = tensors
    elif isinstance(model, HasAffinities):
        evidence = model.evidence_to_store()
        if evidence is not None:
            parts[SIMILAR] = evidence.to_arrays()
    return parts


def _id_types(model: FittedModel) -> dict[Side, Literal["int64", "uint64"]]:
    """Return the types of the ids that are whole numbers, by side."""
    types: dict[Side, IdType] = {"users": model.users.id_type, "items": model.items.id_type}
    return {side: kind for side, kind in types.items() if kind != "text"}


def _similarity(model: FittedModel) -> dict[str, Any]:
    """Return the settings of similar items; empty for a model without a dial."""
    if not isinstance(model, HasAffinities):
        return {}
    return model.similarity_config.to_settings()


def _packed(label: str, texts: StringArray) -> dict[str, npt.NDArray[Any]]:
    return {f"{label}.blob": texts.blob, f"{label}.offsets": texts.offsets}


def refuse_other_folder(target: Path) -> None:
    """Raise WritingError if a folder has files that are not of a bundle."""
    if not target.is_dir():
        return
    others = sorted(
        name
        for name in {entry.name for entry in target.iterdir()}
        - {*_ALWAYS, MODEL, _MODEL_OF_FORMAT_1, HISTORY, FEATURES, SIMILAR, MANIFEST}
        if not name.startswith(f".{MANIFEST}.")  # left by a kill while settings were changed
    )
    if others:
        raise WritingError(
            f"{target}: a new name or a bundle to replace expected, a folder with other files "
            f"found ({', '.join(others[:3])}). Choose a name of its own for the model."
        )


def _refuse_unloadable(
    family: Family, model: FittedModel, manifest: Manifest, parts: Mapping[str, Tensors]
) -> None:
    try:
        _assemble(parts, manifest, family)
    except BundleFault as fault:
        raise DataError(f"This model cannot be saved: {fault}. Nothing was written.") from fault
    history = model.history
    if history is None or HISTORY not in parts:
        return
    if history.users != model.users or history.items != model.items:
        raise DataError(
            "This model cannot be saved: its history has other users or items than the model."
        )
    known = None if model.catalogue is None else model.catalogue.columns()
    if history.catalogue is not None and history.catalogue.columns() != known:
        raise DataError(
            "This model cannot be saved: its history has another item table than the model."
        )


def _written(path: Path, tensors: Tensors) -> FileRecord:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks_of(tensors):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(digest.hexdigest(), size)


def _verified(path: Path, record: FileRecord, *, check: bool) -> Tensors:
    content = map_file(path)
    if len(content) != record.size:
        raise BundleError(
            f"{path}: {record.size:,} bytes expected, {len(content):,} found. {DAMAGED}"
        )
    if check and (found := hashlib.sha256(content).hexdigest()) != record.sha256:
        raise BundleError(f"{path}: SHA-256 {record.sha256} expected, {found} found. {DAMAGED}")
    return read_tensors(path, content)


def _family(path: Path, manifest: Manifest) -> Family:
    try:
        return family_named(manifest.family)
    except SettingError as error:
        raise BundleError(
            f"{path}: {error} Install the package that provides this model's family."
        ) from error


def _assemble(parts: Mapping[str, Tensors], manifest: Manifest, family: Family) -> FittedModel:
    """Build the model from the arrays of each file; BundleFault if one is invalid."""
    ids, items = BundleArrays(IDS, parts), BundleArrays(ITEMS, parts)
    n_users, n_items = manifest.n_users, manifest.n_items
    catalogue = None
    if manifest.item_columns is not None:
        columns = {
            label: items.texts(f"column.{number}", n_items)
            for number, label in enumerate(manifest.item_columns)
        }
        catalogue = Catalogue.from_columns(columns, n_items=n_items)
    known = Known(
        users=ids.vocabulary("users", n_users, kind="user", id_type=manifest.type_of("users")),
        items=ids.vocabulary("items", n_items, kind="item", id_type=manifest.type_of("items")),
        item_counts=items.within("counts", np.int64, n_items),
        settings=manifest.settings,
        factors=manifest.factors,
        sweeps=manifest.sweeps,
        name=manifest.name,
        catalogue=catalogue,
    )
    try:
        config = SimilarityConfig.from_settings(manifest.similarity)
    except SettingError as error:
        raise BundleFault(MANIFEST, str(error).rstrip(".")) from error
    known = replace(known, similarity_config=config)
    taken = [ids, items]
    if SIMILAR in parts:
        similar = BundleArrays(SIMILAR, parts)
        known = replace(known, stored_evidence=ItemEvidence.from_arrays(similar, n_items))
        taken.append(similar)
    if manifest.features:
        features = BundleArrays(FEATURES, parts)
        own = unpacked(features, manifest.features, {"users": n_users, "items": n_items})
        known = replace(known, user_features=own.get("users"), item_features=own.get("items"))
        taken.append(features)
    if manifest.has_history:
        history = BundleArrays(HISTORY, parts)
        known = replace(known, history=_interactions(history, known))
        taken.append(history)
    arrays = BundleArrays(_model_file(manifest), parts)
    try:
        model = family.unpack(arrays, known)
    except AlsolikeError as error:
        raise BundleFault(MANIFEST, str(error).rstrip(".")) from error
    for part in (*taken, arrays):
        part.done()
    return model


def _interactions(part: BundleArrays, known: Known) -> Interactions:
    matrix = part.matrix("values", np.float32, len(known.users), len(known.items))
    times = part.take("timestamps", np.float64, matrix.nnz) if "timestamps" in part else None
    try:
        return Interactions(
            matrix, known.users, known.items, times, known.catalogue, known.item_features,
            known.user_features,
        )  # fmt: skip
    except DataError as error:
        raise BundleFault(HISTORY, str(error).rstrip(".")) from error

"""Packs the features that a model knows of users and items into a bundle, and builds them again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import to_builtins

from alsolike.data.features.features import Block, Features
from alsolike.data.interactions import canonical
from alsolike.errors import DataError
from alsolike.models.arrays import BundleArrays, BundleFault
from alsolike.models.base import FittedModel
from alsolike.models.bundle.manifest import BlockRecord, Side, plain_values
from alsolike.storage.safetensors import Tensors

BySide = Mapping[Side, Features]


def features_of(model: FittedModel) -> dict[Side, Features]:
    """Return what the model, or else its history, knows of users and items, by side."""
    history = model.history
    both: dict[Side, Features | None] = {"users": model.user_features, "items": model.item_features}
    if history is not None:  # of a model that ignores features, in whose history they count
        both["users"] = both["users"] or history.user_features
        both["items"] = both["items"] or history.item_features
    return {side: features for side, features in both.items() if features is not None}


def records(features: BySide) -> dict[Side, tuple[BlockRecord, ...]]:
    """Return all of the blocks but the names of their columns, for the manifest."""
    return {
        side: tuple(
            BlockRecord(block.name, block.kind, plain_values("encoding", block.encoding))
            for block in one.blocks
        )
        for side, one in features.items()
    }


def packed(features: BySide) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of the features, named by side, with the names of their columns."""
    return {
        f"{side}.{name}": array
        for side, one in features.items()
        for name, array in _packed(one).items()
    }


def _packed(features: Features) -> Tensors:
    matrix = canonical(features.matrix)
    tensors: dict[str, npt.NDArray[Any]] = {
        "values": matrix.data, "indptr": matrix.indptr, "indices": matrix.indices,
    }  # fmt: skip
    for number, block in enumerate(features.blocks):
        label = f"block.{number}"
        tensors[f"{label}.width"] = np.array([len(block.names)])
        tensors[f"{label}.blob"] = block.names.blob
        tensors[f"{label}.offsets"] = block.names.offsets
    return tensors


def unpacked(
    arrays: BundleArrays,
    blocks: Mapping[Side, tuple[BlockRecord, ...]],
    n_rows: Mapping[Side, int],
) -> dict[Side, Features]:
    """Build the features of each side; BundleFault if something does not fit."""
    return {
        side: _features(arrays.inside(side), of_side, n_rows[side])
        for side, of_side in blocks.items()
    }


def _features(arrays: BundleArrays, records: tuple[BlockRecord, ...], n_rows: int) -> Features:
    blocks = []
    for number, record in enumerate(records):
        label = f"block.{number}"
        width = int(arrays.take(f"{label}.width", np.int64, 1)[0])
        arrays.expect(width >= 0, f"{label}.width", "a number from 0")
        names = arrays.texts(label, width)
        blocks.append(Block(**to_builtins(record), names=names))
    total = sum(len(block.names) for block in blocks)
    matrix = arrays.matrix("values", np.float32, n_rows, total)
    try:
        return Features(matrix, tuple(blocks))
    except DataError as error:
        raise BundleFault(arrays.file, str(error).rstrip(".")) from error

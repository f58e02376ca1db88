"""Changes the settings of similar items of a saved model: of its manifest, and of no other file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from alsolike.errors import BundleError, SettingError
from alsolike.models.bundle.io import describe, load
from alsolike.models.bundle.manifest import MANIFEST
from alsolike.models.protocols import HasAffinities, able
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.storage.atomic import alone_in, write_bytes


def set_similarity(
    path: str | os.PathLike[str], **changes: Any
) -> tuple[SimilarityConfig, SimilarityConfig]:
    """Change settings of similar items of the model at `path`, without training it again.

    Only ``manifest.json`` is written, in one step: readers see the old settings or the new. The
    model's version is another one then, since its lists are.

    Parameters
    ----------
    path : path
        A bundle, as `alsolike.save` makes it.
    **changes
        Settings of `SimilarityConfig`, such as ``popularity_bias=0.3``; None: not changed.

    Returns
    -------
    SimilarityConfig, SimilarityConfig
        What it was, and what it is.

    Raises
    ------
    BundleError
        The bundle is damaged, was replaced meanwhile, or is of the first format.
    Unable
        The model has no dial.
    SettingError
        No setting is given, one is out of its range, or the model does not have the affinity.
    WritingError
        The manifest cannot be written, or another process is changing it.

    Examples
    --------
    >>> import tempfile
    >>> from alsolike.models.bundle.io import save
    >>> from alsolike.testing import tiny_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(tiny_model(), f"{folder}/model")
    ...     before, after = set_similarity(f"{folder}/model", popularity_bias=0.3)
    ...     load(f"{folder}/model").similarity_config == after
    True
    >>> before.popularity_bias, after.popularity_bias
    (0.8, 0.3)
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise SettingError(
            "Nothing to change is given. Give one of affinity=, popularity_bias=, prior_strength=."
        )
    manifest = describe(path)
    if manifest.format_version == 1:
        raise BundleError(
            f"{path}: saved in format 1, which has no settings of similar items. Load the model "
            "and save it again."
        )
    model: HasAffinities = able(
        load(path, check=False), HasAffinities, "change how items are compared"
    )
    before = model.similarity_config
    after = replace(before, **given)
    model.with_similarity(after)
    changed = replace(manifest, format_version=0, similarity=after.to_settings())
    with alone_in(path):
        if describe(path) != manifest:
            raise BundleError(f"{path}: replaced while it was being read. Run the command again.")
        if changed != manifest:
            write_bytes(Path(path) / MANIFEST, changed.to_bytes())
    return before, after

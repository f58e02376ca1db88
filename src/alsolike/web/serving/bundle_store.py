"""Keeps the service's own checked copies of bundles, named by version.

A process that has a file mapped dies if somebody truncates it (SIGBUS). So a bundle is copied once,
each byte checked against its manifest, into a folder of the service::

    models/<version>/          the bundle
    models/<version>.aside/    the run's report.html and leaderboard.csv
    search/<version>.sqlite    its search index
    similar/<version>.safetensors    precomputed similar items

The version is the SHA-256 of ``manifest.json``, which holds those of all other files.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from alsolike.errors import BundleError
from alsolike.models.base import FittedModel
from alsolike.models.bundle.io import describe, load, save
from alsolike.models.bundle.manifest import MANIFEST, SIZE_LIMIT, FileRecord, Manifest
from alsolike.storage.atomic import alone_in, replacing
from alsolike.storage.safetensors import DAMAGED, open_regular
from alsolike.web.settings import MODEL_OF_A_RUN

# Files that `alsolike run` writes next to its model.
RUN_FILES = ("report.html", "leaderboard.csv")

_MOST_OF_A_RUN_FILE = 64 << 20  # bytes
_CHUNK = 1 << 20
_PATIENCE = 60.0  # seconds that one swap waits for another


def bundle_path(state: Path, version: str) -> Path:
    """Return the folder of the copy of a version."""
    return state / "models" / version


def run_files_path(state: Path, version: str) -> Path:
    """Return the folder of the run's files; it may be missing."""
    return state / "models" / f"{version}.aside"


def index_of(state: Path, version: str) -> Path:
    """Return the file of the search index of a version."""
    return state / "search" / f"{version}.sqlite"


def neighbours_path(state: Path, version: str) -> Path:
    """Return the file of the precomputed similar items of a version."""
    return state / "similar" / f"{version}.safetensors"


def version_of(folder: Path) -> str:
    """Return the version of a bundle: the SHA-256 of its checked manifest.

    Raises
    ------
    BundleError
        There is no manifest, or it is damaged or of a newer format.
    """
    describe(folder)
    return hashlib.sha256(_read_manifest(folder)).hexdigest()


def locked(state: Path) -> contextlib.AbstractContextManager[None]:
    """Lock the copies until the block ends; a kill releases them, too.

    Raises
    ------
    WritingError
        Another swap takes longer than a minute, or the folder cannot be made.
    """
    return alone_in(state / "models", patience=_PATIENCE)


def copy_bundle(state: Path, folder: Path) -> str:
    """Copy the bundle `folder`, each byte checked, unless there is a copy; return its version.

    Raises
    ------
    BundleError
        The bundle is incomplete, damaged, or of a newer format. No copy is left.
    WritingError
        The copy cannot be written.
    """
    raw = _read_manifest(folder)
    version = hashlib.sha256(raw).hexdigest()
    target = bundle_path(state, version)
    if is_whole(target):
        # The offered bundle must be sound, too.
        _read_files(folder, describe(folder), None)
        return version
    with replacing(target) as part:
        part.mkdir()
        (part / MANIFEST).write_bytes(raw)
        try:
            _read_files(folder, describe(part), part)
            load(part)
        except BundleError as error:
            raise BundleError(str(error).replace(str(part), str(folder))) from error
    return version


def add_bundle(state: Path, model: FittedModel, of: str) -> str:
    """Save a model that the service made of the copy `of`, as a copy too; return its version.

    Metrics, notes and the run's files are those of that copy.

    Raises
    ------
    DataError
        The model cannot be saved as it is.
    WritingError
        The copy cannot be written.
    """
    made, manifest = state / "models" / ".made", describe(bundle_path(state, of))
    save(
        model,
        made,
        metrics=manifest.metrics,
        notes=manifest.notes,
        with_history=manifest.has_history,
    )
    version = version_of(made)
    with replacing(bundle_path(state, version)) as part:
        made.rename(part)
    beside = run_files_path(state, of)
    if beside.is_dir() and version != of:
        with replacing(run_files_path(state, version)) as part:
            shutil.copytree(beside, part)
    return version


def is_whole(copy: Path) -> bool:
    """Return whether there is a copy and every byte of it is unchanged."""
    try:
        load(copy)
    except BundleError:
        return False
    return True


def copy_run_files(state: Path, version: str, folder: Path) -> None:
    """Copy the report and leaderboard that `alsolike run` wrote next to the model `folder`."""
    if folder.absolute().name != MODEL_OF_A_RUN:
        return
    found = {
        name: content
        for name in RUN_FILES
        if (content := _read_run_file(folder.absolute().parent / name)) is not None
    }
    if not found:
        return
    with replacing(run_files_path(state, version)) as part:
        part.mkdir()
        for name, content in found.items():
            (part / name).write_bytes(content)


def remove_unused(state: Path, keep: Collection[str]) -> None:
    """Remove all versions but these, and leftovers of killed swaps; mapped pages stay valid."""
    for part in ("models", "search", "similar"):
        folder = state / part
        for entry in folder.iterdir() if folder.is_dir() else ():
            if part != "models" and entry.name.startswith("."):
                continue  # a worker may be building it
            if entry.name.split(".")[0] in keep:
                continue
            with contextlib.suppress(OSError):  # the next swap tries again
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _read_manifest(folder: Path) -> bytes:
    describe(folder)
    content = _read_regular(folder / MANIFEST, SIZE_LIMIT)
    if content is None:
        raise BundleError(f"{folder / MANIFEST}: cannot be read. {DAMAGED}")
    return content


def _read_files(folder: Path, manifest: Manifest, part: Path | None) -> None:
    """Check all files of a manifest, and copy them to `part` if given."""
    for name, record in sorted(manifest.files.items()):
        if Path(name).name != name or name in {"", ".", "..", MANIFEST}:
            raise BundleError(f"{folder / MANIFEST}: no file of a bundle is called {name!r}.")
        _read_file(folder / name, record, None if part is None else part / name)


def _read_file(source: Path, record: FileRecord, target: Path | None) -> None:
    digest, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        handle = open_regular(source)
        stack.callback(os.close, handle)
        copy = None if target is None else stack.enter_context(target.open("xb"))
        while size <= record.size and (chunk := _next_chunk(source, handle)):
            size += len(chunk)
            digest.update(chunk)
            if copy is not None:
                copy.write(chunk)
    if size != record.size:
        found = "more" if size > record.size else f"{size:,}"
        raise BundleError(f"{source}: {record.size:,} bytes expected, {found} found. {DAMAGED}")
    if digest.hexdigest() != record.sha256:
        raise BundleError(
            f"{source}: SHA-256 {record.sha256} expected, {digest.hexdigest()} found. {DAMAGED}"
        )


def _next_chunk(path: Path, handle: int) -> bytes:
    try:
        return os.read(handle, _CHUNK)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error


def _read_run_file(path: Path) -> bytes | None:
    """Return the content of a file of the run, or None."""
    try:
        return _read_regular(path, _MOST_OF_A_RUN_FILE)
    except BundleError:
        return None


def _read_regular(path: Path, most: int) -> bytes | None:
    handle = open_regular(path)
    try:
        parts, size = [], 0
        while size <= most and (chunk := _next_chunk(path, handle)):
            parts.append(chunk)
            size += len(chunk)
        return b"".join(parts) if size <= most else None
    finally:
        os.close(handle)

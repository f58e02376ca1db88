"""Bundles changed by somebody who makes the checksums fit."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Edit = Callable[[dict[str, Any]], object]


def rewrite(folder: Path, edit: Edit) -> None:
    """Change the manifest as an attacker would: with a checksum that fits."""
    path = folder / "manifest.json"
    stated = json.loads(path.read_text())
    edit(stated)
    stated.pop("checksum", None)
    digest = hashlib.sha256(dump(stated)).hexdigest()
    path.write_bytes(dump({**stated, "checksum": digest}))


def dump(stated: Mapping[str, Any]) -> bytes:
    return (json.dumps(stated, sort_keys=True, indent=2) + "\n").encode()

"""Bundles for tests of the web floor: untrained models with texts that nobody should trust."""

import base64
import itertools
from pathlib import Path

import numpy as np

from als_settings import classic
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.als.model import ALSModel
from alsolike.models.bundle.io import save
from alsolike.testing import tiny_likes

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_ADDRESS = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"

_PAYLOADS = (
    "<script>alert(1)</script>",
    "</title></textarea></style></script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "\"><iframe src='https://evil.example'></iframe>",
    "' onmouseover='alert(1)' x='",
    '" autofocus onfocus="alert(1)',
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "${alert(1)}",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<form action=https://evil.example><button>x",
    "<!--<script>alert(1)//",
    "]]><![CDATA[<script>alert(1)</script>",
    "\u202egnp.exe\u2066\u2069",
    "\x00\x08\x1b[31m",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\u003cscript\\u003ealert(1)",
)
HOSTILE = tuple(
    f"{before}{payload}{after}"
    for payload, (before, after) in itertools.product(
        _PAYLOADS,
        (
            ("", ""),
            ("a ", " z"),
            ("\n", "\r\n"),
            ("\u200b", "\u0301" * 20),
            ("]]>", "<!--"),
            ("'", '"'),
            ("日本 ", " العربية"),
            ("x" * 90, ""),
            ("%3C", "%00"),
            ("\\", "\\"),
        ),
    )
)


def model_of(ids, names, *, images=None, links=None, n_users=30, factors=3, seed=0):
    """Return an untrained model with these items, in whatever order they come."""
    order = sorted(range(len(ids)), key=lambda row: ids[row].encode("utf-8"))
    likes = tiny_likes(n_users, len(ids))
    items = Vocabulary.of(ids, kind="item")

    def column(texts):
        return None if texts is None else StringArray.pack([texts[row] for row in order])

    catalogue = Catalogue(len(ids), names=column(names), images=column(images), links=column(links))
    history = Interactions(likes.user_items, likes.users, items, likes.timestamps, catalogue)
    generator = np.random.default_rng(seed)
    return ALSModel(
        users=likes.users,
        items=items,
        user_factors=generator.standard_normal((n_users, factors), dtype=np.float32),
        item_factors=generator.standard_normal((len(ids), factors), dtype=np.float32),
        eigenvalues=np.arange(factors, 0, -1, dtype=np.float64),
        item_counts=likes.item_counts,
        settings=classic(factors=factors, alpha=1.0, regularization=0.5).to_settings(),
        sweeps=3,
        catalogue=catalogue,
        history=history,
    )


def saved(model, folder: Path, **more) -> Path:
    """Save a model as the folder and return it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(model, folder, **more)
    return folder

"""What the commands of each page of the documentation take for granted: files and models."""

import csv
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from doc_pages import DATA_PAGES, DOCS, ROOT

import alsolike as al
from alsolike.data.datasets.demo import planted_tastes, write_demo
from alsolike.data.datasets.synthetic import write_article_file
from alsolike.web.serving.state_store import Store


def lay_out(page: Path, folder: Path, *, clone: bool = False) -> None:
    """Put into an empty folder what the commands of a page need.

    Parameters
    ----------
    page : Path
        README.md or a page of docs/.
    folder : Path
        An empty folder.
    clone : bool
        Give README a clone of this repository, for its commands that install; else it gets what
        `make demo` leaves.

    Raises
    ------
    KeyError
        A page of docs/data, and ``ALSOLIKE_DATA`` does not name the folder of the data.
    """
    name = page.relative_to(ROOT).as_posix()
    if page in DATA_PAGES:
        _link_data(folder, Path(os.environ["ALSOLIKE_DATA"]))
    if name == "README.md" and clone:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    elif name == "README.md":
        write_demo(folder / "demo")
    elif name in {"docs/commands.md", "docs/tuning.md"}:
        _write_likes(folder)
        with Store(folder / "runs/first/serving") as state:
            state.add_likes("u17", {"Radiohead": 1.0})
    elif name == "docs/coming-from.md":
        _write_likes(folder)
    elif name == "docs/extending.md":
        _write_likes(folder)
        _install_aside(folder)
    elif name == "docs/serving.md":
        _fit_demo(folder)
    elif page == DOCS / "data" / "sketchfab.md":
        _write_sketchfab(folder)


def _link_data(folder: Path, data: Path) -> None:
    """Make the files of all public sets reachable by their plain names."""
    for file in sorted(data.glob("*/*.gz")):
        (folder / file.name).symlink_to(file)
    (folder / "gowalla").symlink_to(data / "lightgcn-gowalla")


def _write_likes(folder: Path) -> None:
    """Write likes with plain names: likes.csv with who and what, dated.csv, and newer ones."""
    likes = planted_tastes(n_users=400, n_items=80).user_items.tocoo()
    items = ["Radiohead", *(f"band {number}" for number in range(1, 80))]
    rows = [(f"u{row}", items[column]) for row, column in zip(likes.row, likes.col, strict=True)]
    _write_csv(folder / "likes.csv", ("who", "what"), rows)
    days = (f"2025-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(len(rows)))
    dated = [(*row, day) for row, day in zip(rows, days, strict=True)]
    _write_csv(folder / "dated.csv", ("who", "what", "when"), dated)
    _write_csv(folder / "newer.csv", ("who", "what"), [("u17", "Radiohead"), ("new", "band 1")])
    _write_csv(folder / "test.csv", ("user", "item"), [("u1", "Radiohead"), ("u2", "band 2")])


def _install_aside(folder: Path) -> None:
    """Let `pip` install offline into a folder of the page, where `Session` lets Python look."""
    pip = folder / ".venv" / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    options = f"--quiet --no-deps --no-index --no-build-isolation --target '{folder}/installed'"
    pip.write_text(f'#!/bin/sh\nexec python -m pip "$@" {options}\n', encoding="utf-8")
    pip.chmod(0o755)


def _write_sketchfab(folder: Path) -> None:
    """Make up likes in place of Sketchfab's, which are not public."""
    write_article_file(
        folder / "model_likes_anon.psv", rows=8_000, users=800, items=400, duplicates=20
    )
    catalogue, _ = al.read(folder / "model_urls.psv.gz", user="name", item="mid")
    likes = planted_tastes(n_users=600, n_items=300).user_items.tocoo()
    ids = catalogue.items.ids[:300]
    rows = [(f"u{row}", ids[column]) for row, column in zip(likes.row, likes.col, strict=True)]
    _write_csv(folder / "likes.csv", ("user", "mid"), rows)


def _fit_demo(folder: Path) -> None:
    """Leave a model of the demo where `make demo` leaves it, and others to serve and swap."""
    files = write_demo(folder / "demo")
    likes, _ = al.read(
        files.likes, user="uid", item="mid", items=files.items, item_name="name", item_image="image"
    )
    kept, _ = al.filter_counts(likes, min_per_user=5, min_per_item=5)
    for place, alpha in (
        ("runs/demo/model", 4),
        ("runs/first/model", 4),
        ("runs/second/model", 10),
        ("bundles/second", 10),
    ):
        config = al.ALSConfig(factors=32, confidence="linear", alpha=alpha, regularization=30,
                              regularization_exponent=0, iterations=4)  # fmt: skip
        al.save(al.fit(kept, config), folder / place)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)

"""Reads the public tables that several benchmarks use, from the folder of public data."""

import gzip
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import Interactions


def lastfm(folder: Path) -> Interactions:
    """Read the plays of Last.fm."""
    return al.read(
        folder / "lastfm-2k/user_artists.dat.gz", user="userID", item="artistID", value="weight"
    )[0]


def steam(folder: Path) -> Interactions:
    """Read the hours of Steam."""
    return al.read(
        folder / "steam-200k/game_play.dat.gz", user="User_ID", item="Game_ID", value="Hours"
    )[0]


def online_retail(folder: Path) -> Interactions:
    """Read the purchases of Online Retail."""
    return al.read(
        folder / "online-retail-2010-2011/online_retail_2010_2011.csv.gz",
        user="CustomerID", item="Description", value="Quantity", missing_id="drop", negative="net",
        duplicates="keep",
    )[0]  # fmt: skip


def citeulike(folder: Path) -> Interactions:
    """Read the bookmarks of citeulike-a, without its cold items."""
    return al.read(folder / "citeulike-a-cold/train.csv.gz", user="uid", item="iid")[0]


def citeulike_cold(folder: Path, kinds: str) -> al.Split:
    """Read the split of citeulike-a by articles that Zhu et al. published, SIGIR 2020.

    `kinds`: ``"tags"``, ``"citations"``, or both with a comma: what the articles have, and at least
    three of them.
    """
    own = folder / "citeulike-a-cold"
    files = {"tags": "item-tag.dat.gz", "citations": "citations.dat.gz"}
    of_kinds = {kind: dict(enumerate(_numbers(own / files[kind]))) for kind in kinds.split(",")}
    n_items = len(next(iter(of_kinds.values())))
    parts = [
        np.loadtxt(own / f"{name}.csv.gz", delimiter=",", skiprows=1, dtype=np.int64)
        for name in ("train", "vali", "test")
    ]
    n_users = 1 + max(int(part[:, 0].max()) for part in parts)
    known, _ = al.read_features(of_kinds)
    tables = []
    for part in parts:
        cells = np.ones(len(part), dtype=np.float32), (part[:, 0], part[:, 1])
        likes = al.Interactions.from_matrix(sp.csr_array(cells, shape=(n_users, n_items)))
        tables.append(al.with_features(likes, items=known))
    return al.Split(*tables, "published, by articles", is_by_items=True)


def _numbers(path: Path) -> list[list[str]]:
    """Return what each line has after the count that it begins with."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return [line.split()[1:] for line in lines]

"""Reads the public tables that several benchmarks use, from the folder of public data."""

from pathlib import Path

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

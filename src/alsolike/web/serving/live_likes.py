"""Reads the live likes of a running service, or of a copy of its state, as a table."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from alsolike.errors import SettingError
from alsolike.storage.sqlite import Database
from alsolike.tables import Table
from alsolike.usage_hints import suggestion
from alsolike.web.serving.state_store import FILE, STATE, file_of


@dataclass(frozen=True)
class LiveLikes:
    """The live likes of a service.

    Parameters
    ----------
    table : Table
        One row per user and item, in the order of their first mention: ``user``, ``item``,
        ``value`` (float32) and ``timestamp`` (float64, seconds since 1970) of the last request.
    undated : int
        Likes that an earlier version stored without a time. They get the time at which the file
        was written last.
    """

    table: Table
    undated: int

    def __str__(self) -> str:
        times = self.table["timestamp"]
        if not len(self.table):
            return "No live likes"
        first, last = (
            datetime.fromtimestamp(float(one), UTC).strftime("%Y-%m-%d %H:%M")
            for one in (times.min(), times.max())
        )
        users, items = (len(set(self.table[name].tolist())) for name in ("user", "item"))
        return (
            f"Live likes: {len(self.table):,}. Users: {users:,}. Items: {items:,}. Sent from "
            f"{first} to {last} (UTC)"
        )


def live_likes(path: str | os.PathLike[str]) -> LiveLikes:
    """Read the live likes of a service, which may be running; nothing is written.

    Parameters
    ----------
    path : path
        The state folder, its ``state.sqlite``, or a copy of either.

    Raises
    ------
    SettingError
        There is no state of a service.
    WritingError
        It is another kind of file, or damaged.
    """
    place = state_at(path)
    file = Database(place, STATE, only_read=True)
    try:
        columns = {row[1] for row in file.rows("PRAGMA table_info(likes)")}
        time = "time" if "time" in columns else "NULL"
        rows = file.rows(f"SELECT user, item, value, {time} FROM likes ORDER BY number")  # noqa: S608 - own names
    finally:
        file.close()
    times = np.array([row[3] for row in rows], dtype=np.float64)
    is_undated = np.isnan(times)
    table = Table(
        {
            "user": _texts([row[0] for row in rows]),
            "item": _texts([row[1] for row in rows]),
            "value": np.array([row[2] for row in rows], dtype=np.float32),
            "timestamp": np.where(is_undated, round(_written(place), 3), times),
        }
    )
    return LiveLikes(table, int(is_undated.sum()))


def state_at(path: str | os.PathLike[str]) -> Path:
    """Return the file of an existing state; raise SettingError if there is none."""
    place = file_of(path)
    if not place.is_file():
        given = Path(path)
        beside = (given / "serving", given.parent / "serving")
        near = [one for one in beside if (one / FILE).is_file()]
        raise SettingError(
            f"{place}: the state of a service expected, no such file found. It is in the folder "
            "'serving' next to the model, or in the one given by --state."
            f"{suggestion([str(one) for one in near[:1]], plain=True)}"
        )
    return place


def _written(place: Path) -> float:
    """Return when a file or its write-ahead log was written last."""
    log = place.with_name(f"{place.name}-wal")
    return max(one.stat().st_mtime for one in (place, log) if one.exists())


def _texts(texts: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column

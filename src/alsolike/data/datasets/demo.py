"""Makes the demo: users with known tastes, and items whose drawings show their hidden kind."""

import base64
import colorsys
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.datasets.demo_words import descriptions_of, tags_of
from alsolike.data.datasets.synthetic import (
    article_text,
    coin_names,
    numbered,
    power_law,
    shuffled_rows,
)
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.storage.atomic import write_text

_NOISE = 0.1  # share of likes drawn by popularity, not by a taste
_MOST_LIKES = 120  # of one user
_DUPLICATES = 12  # rows of the file
_NEW_ITEMS = 24  # without likes

_SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'>"
    "<rect width='100' height='100' fill='{paper}'/>"
    "<g transform='translate(50 50) rotate({angle}) scale({scale}) translate(-50 -50)' "
    "stroke-linecap='round' stroke-linejoin='round'>{shape}</g></svg>"
)

# Each motif fills the middle of a 100 x 100 square; {main}, {deep} and {pale} are its shades.
_BODIES = {
    "fish": (
        "<path d='M66 50L90 32Q83 50 90 68Z' fill='{deep}'/>"
        "<path d='M34 35Q46 20 58 33Z' fill='{deep}'/>"
        "<ellipse cx='42' cy='50' rx='32' ry='20' fill='{main}'/>"
        "<path d='M26 35Q34 50 26 65' stroke='{deep}' stroke-width='2.5' fill='none'/>"
        "<circle cx='20' cy='46' r='4.5' fill='#fff'/><circle cx='19' cy='46' r='2.4'/>"
    ),
    "mushroom": (
        "<path d='M39 50Q42 72 36 86H64Q58 72 61 50Z' fill='{pale}' stroke='{deep}' "
        "stroke-width='2'/>"
        "<path d='M12 56C12 8 88 8 88 56Q50 66 12 56Z' fill='{main}'/>"
        "<path d='M12 56Q50 66 88 56Q50 50 12 56Z' fill='{deep}'/>"
    ),
    "lighthouse": (
        "<path d='M58 25L98 12V40Z' fill='{pale}'/>"
        "<path d='M38 36H62L68 88H32Z' fill='{main}'/>"
        "<rect x='41' y='20' width='18' height='12' fill='#fff4c2'/>"
        "<path d='M36 21L50 7L64 21Z' fill='{deep}'/>"
        "<rect x='34' y='31' width='32' height='6' rx='2' fill='{deep}'/>"
        "<rect x='24' y='86' width='52' height='6' rx='3' fill='{deep}'/>"
    ),
    "rocket": (
        "<path d='M42 74Q50 104 58 74Z' fill='#ffc83d'/>"
        "<path d='M36 52L20 78L38 74ZM64 52L80 78L62 74Z' fill='{deep}'/>"
        "<path d='M50 6C70 26 68 54 62 76H38C32 54 30 26 50 6Z' fill='{main}'/>"
        "<path d='M50 6C56 12 60 18 62 25H38C40 18 44 12 50 6Z' fill='{deep}'/>"
        "<circle cx='50' cy='40' r='8' fill='{pale}' stroke='{deep}' stroke-width='3'/>"
    ),
    "cat": (
        "<path d='M20 50L18 12L46 28ZM80 50L82 12L54 28Z' fill='{deep}'/>"
        "<ellipse cx='50' cy='54' rx='34' ry='30' fill='{main}'/>"
        "<ellipse cx='37' cy='50' rx='5.5' ry='7' fill='#fff'/>"
        "<ellipse cx='63' cy='50' rx='5.5' ry='7' fill='#fff'/>"
        "<ellipse cx='37' cy='50' rx='2' ry='6'/><ellipse cx='63' cy='50' rx='2' ry='6'/>"
        "<path d='M46 62H54L50 67Z' fill='{pale}'/>"
        "<path d='M50 67Q44 75 38 70M50 67Q56 75 62 70M30 64L8 60M30 68L8 72M70 64L92 60"
        "M70 68L92 72' stroke='{deep}' stroke-width='2' fill='none'/>"
    ),
    "cactus": (
        "<path d='M50 70V22M50 54H30V36M50 62H71V44' stroke='{main}' stroke-width='15' "
        "fill='none'/>"
        "<path d='M33 70H67L62 92H38Z' fill='{deep}'/>"
        "<rect x='30' y='66' width='40' height='7' rx='2' fill='{deep}'/>"
    ),
}
# Items of a kind differ by these marks: each shows some of them.
_MARKS = {
    "fish": (
        "<path d='M42 33Q49 50 42 67' stroke='{pale}' stroke-width='4' fill='none'/>",
        "<path d='M55 36Q61 50 55 64' stroke='{pale}' stroke-width='4' fill='none'/>",
        "<circle cx='10' cy='28' r='3' fill='{pale}'/>"
        "<circle cx='16' cy='18' r='2' fill='{pale}'/>",
    ),
    "mushroom": (
        "<circle cx='34' cy='40' r='7' fill='{pale}'/>",
        "<circle cx='58' cy='32' r='6' fill='{pale}'/>",
        "<circle cx='72' cy='47' r='4.5' fill='{pale}'/>",
    ),
    "lighthouse": (
        "<path d='M37 48H63L64 57H36Z' fill='{pale}'/>",
        "<path d='M35 67H65L66 76H34Z' fill='{pale}'/>",
        "<path d='M42 25L4 12V40Z' fill='{pale}'/>",
    ),
    "rocket": (
        "<circle cx='50' cy='61' r='5' fill='{pale}' stroke='{deep}' stroke-width='2'/>",
        "<path d='M38 70H62' stroke='{pale}' stroke-width='4'/>",
        "<path d='M14 24L14 32M10 28H18M84 38V46M80 42H88' stroke='{deep}' stroke-width='2'/>",
    ),
    "cat": (
        "<path d='M50 26V38M41 28L43 37M59 28L57 37' stroke='{deep}' stroke-width='3.5'/>",
        "<path d='M24 36L22 21L34 29ZM76 36L78 21L66 29Z' fill='{pale}'/>",
        "<path d='M32 82Q50 94 68 82' stroke='{pale}' stroke-width='5' fill='none'/>",
    ),
    "cactus": (
        "<circle cx='50' cy='13' r='6' fill='#ffd84d'/>",
        "<circle cx='30' cy='28' r='5' fill='#ffd84d'/>",
        "<path d='M50 26V30M50 38V42M50 50V54' stroke='{pale}' stroke-width='2.5'/>",
    ),
}
_HUES = {"coral": 0.025, "teal": 0.48, "violet": 0.75}

KINDS = tuple(f"{colour} {motif}" for motif in _BODIES for colour in _HUES)


class DemoFiles(NamedTuple):
    """Paths of the files of the demo."""

    likes: Path
    items: Path
    new_items: Path


@dataclass(frozen=True)
class PlantedItem:
    """An item of the demo: its name, its kind, one of `KINDS`, and its drawing as a data URL."""

    name: str
    kind: str
    image: str


def planted_tastes(*, n_users: int = 2000, n_items: int = 1500, seed: int = 0) -> Interactions:
    """Make users who like a few kinds of items each, and the items.

    The likes do not tell an item's kind; its drawing shows it. A user likes one to four kinds,
    popular items before others, and some items only because they are popular. Likes per user and
    per item follow power laws. All values are 1. The catalogue has ``name``, ``image`` (a data URL)
    and ``kind``.

    Examples
    --------
    >>> likes = planted_tastes(n_users=50, n_items=40, seed=1)
    >>> likes.n_users, likes.n_items, sorted(likes.catalogue.columns())
    (50, 40, ['image', 'kind', 'name'])
    """
    rng = np.random.default_rng(seed)
    planted = plant_items(n_items, rng)
    kinds = np.array([KINDS.index(item.kind) for item in planted])
    chances = _chances(kinds, n_users, rng)
    wanted = np.minimum(3 + 9 * rng.pareto(1.4, size=n_users), _MOST_LIKES).astype(np.int64)
    # The largest of Gumbel noise + log chance, per user: a weighted draw without replacement.
    noisy = np.log(chances) + rng.gumbel(size=chances.shape)
    least = np.sort(noisy, axis=1)[np.arange(n_users), -np.minimum(wanted, n_items)]
    liked = noisy >= least[:, np.newaxis]
    catalogue = Catalogue(
        n_items=n_items,
        names=StringArray.pack(item.name for item in planted),
        images=StringArray.pack(item.image for item in planted),
        more={"kind": StringArray.pack(item.kind for item in planted)},
    )
    matrix = canonical(sp.csr_array(liked.astype(np.float32)))
    users, items = numbered("u", n_users, "user"), numbered("m", n_items, "item")
    return Interactions(matrix, users, items, catalogue=catalogue)


def write_demo(folder: str | os.PathLike[str], *, seed: int = 0) -> DemoFiles:
    """Write the demo as three files: likes in the article's format, items, and new items.

    ``likes.psv`` has the columns ``modelName|mid|uid`` and 12 duplicate rows; ``items.csv`` has
    ``mid,name,image,kind,tags,description``. Tags and descriptions follow from the kind, but are
    incomplete, and some are wrong. ``new-items.csv`` has items that nobody likes yet, with the
    same columns.
    """
    likes = planted_tastes(seed=seed)
    rng = np.random.default_rng(seed)
    items = likes.user_items.indices.astype(np.int64)
    users = np.repeat(np.arange(likes.n_users), likes.user_counts)
    catalogue = likes.catalogue
    columns = {} if catalogue is None else catalogue.columns()
    folder = Path(folder)
    files = DemoFiles(folder / "likes.psv", folder / "items.csv", folder / "new-items.csv")
    names, mids, uids = list(columns["name"]), list(likes.items.ids), list(likes.users.ids)
    rows = shuffled_rows(len(users), _DUPLICATES, rng)
    write_text(files.likes, article_text(names, mids, uids, users[rows], items[rows]))
    # Of their own, so that the likes do not depend on what is told of the items.
    told = np.random.default_rng((seed, 1))
    _write_items(files.items, mids, columns, told)
    known = {name.casefold() for name in names}
    planted = [
        item for item in plant_items(10 * _NEW_ITEMS, told) if item.name.casefold() not in known
    ][:_NEW_ITEMS]
    new = {
        "name": [item.name for item in planted],
        "image": [item.image for item in planted],
        "kind": [item.kind for item in planted],
    }
    _write_items(files.new_items, list(numbered("n", _NEW_ITEMS, "item").ids), new, told)
    return files


def _write_items(
    file: Path,
    ids: Sequence[object],
    columns: Mapping[str, Iterable[str]],
    rng: np.random.Generator,
) -> None:
    """Write a table of items with columns, and with tags and descriptions."""
    kinds = list(columns["kind"])
    told = {"tags": tags_of(kinds, rng), "description": descriptions_of(kinds, rng)}
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("mid", *columns, *told))
    writer.writerows(zip(ids, *columns.values(), *told.values(), strict=True))
    write_text(file, table.getvalue())


def plant_items(n_items: int, rng: np.random.Generator) -> list[PlantedItem]:
    """Make items with distinct names; all kinds are about equally frequent."""
    names: dict[str, str] = {}
    while len(names) < n_items:
        for name in coin_names(n_items, rng):
            names.setdefault(name.casefold(), name)
    kinds = rng.integers(len(KINDS), size=n_items)
    return [
        PlantedItem(name, KINDS[kind], _data_url(draw(KINDS[kind], rng)))
        for name, kind in zip(names.values(), kinds, strict=False)
    ]


def draw(kind: str, rng: np.random.Generator) -> str:
    """Draw one item of a kind, one of `KINDS`, as an SVG of less than 1 kB.

    Examples
    --------
    >>> drawing = draw("teal cat", np.random.default_rng(1))
    >>> drawing[:31], len(drawing) < 1000
    ("<svg xmlns='http://www.w3.org/2", True)
    """
    colour, motif = kind.split()
    shown = rng.random(len(_MARKS[motif])) < 0.5
    marks = "".join(mark for mark, seen in zip(_MARKS[motif], shown, strict=True) if seen)
    hue = _HUES[colour] + rng.uniform(-0.02, 0.02)
    light = rng.uniform(-0.06, 0.06)
    shades = {
        "main": _hex(hue, 0.56 + light, 0.62),
        "deep": _hex(hue, 0.33 + light, 0.6),
        "pale": _hex(hue, 0.85 + light / 2, 0.75),
    }
    return _SVG.format(
        paper=_hex(hue, 0.955, 0.6),
        angle=round(rng.uniform(-14, 14)),
        scale=round(rng.uniform(0.72, 0.9), 2),
        shape=(_BODIES[motif] + marks).format(**shades),
    )


def _chances(
    kinds: npt.NDArray[np.int64], n_users: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return the probability of each item as a user's next like, (n_users, n_items)."""
    popularity = power_law(len(kinds), rng)
    members = (kinds == np.arange(len(KINDS))[:, np.newaxis]) * popularity
    masses = members.sum(axis=1, keepdims=True)
    within = np.divide(members, masses, out=np.zeros_like(members), where=masses > 0)
    tastes = rng.gamma(1.0, size=(n_users, len(KINDS)))
    ranks = np.argsort(rng.random(tastes.shape), axis=1)
    tastes[ranks >= rng.integers(1, 5, size=(n_users, 1))] = 0.0
    tastes /= tastes.sum(axis=1, keepdims=True)
    chances: npt.NDArray[np.float64] = (1 - _NOISE) * (tastes @ within) + _NOISE * popularity
    return chances


def _hex(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _data_url(svg: str) -> str:
    # Base64 rather than percent signs: no page, table or delimiter can take it for something else.
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("ascii")).decode("ascii")

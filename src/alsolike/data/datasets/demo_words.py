"""Makes tags and descriptions of the demo's items, as people write them: incomplete, some wrong."""

from collections.abc import Sequence

import numpy as np

# What people call a colour or a motif of the demo, and what they say of it in a sentence.
_COLOURS = {
    "coral": ("coral", "warm", "red"),
    "teal": ("teal", "cool", "green"),
    "violet": ("violet", "cool", "purple"),
}
_MOTIFS = {
    "fish": ("fish", "animal", "sea"),
    "mushroom": ("mushroom", "forest", "plant"),
    "lighthouse": ("lighthouse", "building", "sea"),
    "rocket": ("rocket", "space", "vehicle"),
    "cat": ("cat", "animal", "pet"),
    "cactus": ("cactus", "desert", "plant"),
}
_SCENES = {
    "fish": ("Swims below the waves", "From a trip to the reef", "With fins and a curious eye"),
    "mushroom": ("Found under old trees", "After a night of rain", "With a broad cap and gills"),
    "lighthouse": ("Guides ships home", "Stands on the cliffs", "With a lamp above the harbour"),
    "rocket": ("Ready for the countdown", "Bound for the moon", "With engines and a window"),
    "cat": ("Purrs on the windowsill", "Waits for supper", "With whiskers and sharp ears"),
    "cactus": ("Needs little water", "Flowers once a year", "With spines, from dry sands"),
}
_GENERAL = ("drawing", "icon", "cute")
_ENDS = ("made for a poster", "free to print", "part of a series", "drawn in an evening")

_GIVEN = 0.6  # chance of each tag that fits
_UNTAGGED = 0.1  # share of items without tags
_WRONG = 0.15  # share of items with a tag of another kind
_TOLD = 0.6  # share of items whose description is of what they show


def tags_of(kinds: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return the tags of items, with ``|`` between them; some lack, and some are wrong.

    Examples
    --------
    >>> tags_of(["teal cat", "coral fish"], np.random.default_rng(3))
    ['teal|cool|cat|animal|pet|icon|forest', 'coral|warm|animal|icon|cute']
    """
    others = [*_COLOURS.values(), *_MOTIFS.values()]
    texts = []
    for kind in kinds:
        colour, motif = kind.split()
        fitting = [*_COLOURS[colour], *_MOTIFS[motif]]
        tags = [tag for tag in fitting if rng.random() < _GIVEN]
        tags += [tag for tag in _GENERAL if rng.random() < 1 / len(_GENERAL)]
        if rng.random() < _WRONG:
            words = others[rng.integers(len(others))]
            tags.append(words[rng.integers(len(words))])
        untagged = rng.random() < _UNTAGGED
        texts.append("" if untagged else "|".join(dict.fromkeys(tags)))
    return texts


def descriptions_of(kinds: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return a sentence on each item; some say nothing of what it shows.

    Examples
    --------
    >>> descriptions_of(["teal cat"], np.random.default_rng(0))
    ['With whiskers and sharp ears, part of a series.']
    """
    texts = []
    for kind in kinds:
        scenes = _SCENES[kind.split()[1]]
        scene, end = scenes[rng.integers(len(scenes))], _ENDS[rng.integers(len(_ENDS))]
        told = rng.random() < _TOLD
        texts.append(f"{scene}, {end}." if told else f"{end.capitalize()}.")
    return texts

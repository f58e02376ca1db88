"""The demo's data, the made-up tables, and the readers of public sets."""

import base64
import csv
import gzip
import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import numpy as np
import pytest

from als_settings import classic
from alsolike.data.datasets.demo import KINDS, draw, planted_tastes, write_demo
from alsolike.data.datasets.public import gowalla
from alsolike.data.datasets.synthetic import article_shape, synthetic, write_article_file
from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.models.als.train import fit
from alsolike.models.factor_model import FactorModel


def read_psv(path: Path) -> list[list[str]]:
    """Read the article's dialect with the standard library alone."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="|", quotechar="\\", doublequote=True))


def svg_of(data_url: str) -> str:
    head, _, body = data_url.partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(body).decode("ascii")


@pytest.fixture(scope="module")
def tastes() -> Interactions:
    return planted_tastes()


# The planted tastes


def test_demo_has_the_promised_size_and_power_laws(tastes: Interactions) -> None:
    assert (tastes.n_users, tastes.n_items) == (2000, 1500)
    assert tastes.user_counts.min() >= 1
    assert (tastes.user_items.data == 1).all()
    # A few are far above the middle on both sides, and the filter of five has something to do.
    assert tastes.item_counts.max() > 8 * np.median(tastes.item_counts)
    assert tastes.user_counts.max() > 8 * np.median(tastes.user_counts)
    assert (tastes.user_counts < 5).any()


def test_names_are_distinct_and_say_nothing_of_the_kind(tastes: Interactions) -> None:
    names = list(tastes.catalogue.names)
    assert len({name.casefold() for name in names}) == len(names)
    words = {word for kind in KINDS for word in kind.split()}
    assert not any(words & set(re.findall(r"\w+", name.casefold())) for name in names)
    for trap in ("|", "\\", "<", "&", '"'):
        assert any(trap in name for name in names), trap


def test_every_drawing_is_small_well_formed_and_shows_the_colour_of_its_kind(
    tastes: Interactions,
) -> None:
    catalogue = tastes.catalogue
    seen = Counter(catalogue.more["kind"])
    assert set(seen) == set(KINDS)
    assert min(seen.values()) > 40
    drawings = [svg_of(url) for url in catalogue.images]
    assert max(map(len, drawings)) < 1000
    assert len(set(drawings)) > 0.99 * len(drawings)
    for drawing in drawings[:50]:
        assert ET.fromstring(drawing).tag.endswith("svg")  # noqa: S314 - our own text
    assert "href" not in "".join(drawings)


def test_a_kind_is_one_shape_in_one_colour() -> None:
    rng = np.random.default_rng(5)
    for kind in KINDS:
        first, second = draw(kind, rng), draw(kind, rng)
        assert first != second
        paths = [set(re.findall(r" d='([^']+)'", drawing)) for drawing in (first, second)]
        assert paths[0] & paths[1], kind


def test_same_seed_same_tastes() -> None:
    again = [planted_tastes(n_users=60, n_items=50, seed=seed) for seed in (4, 4, 5)]
    assert again[0].fingerprint == again[1].fingerprint != again[2].fingerprint
    assert list(again[0].catalogue.images) == list(again[1].catalogue.images)


def test_nearest_neighbours_share_the_hidden_kind(tastes: Interactions) -> None:
    model = fit(tastes, classic(factors=24, alpha=10.0, regularization=1.0, iterations=8))
    kinds = np.array(list(tastes.catalogue.more["kind"]))
    unit = model.item_factors / np.maximum(model.item_norms, 1e-9)[:, np.newaxis]
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    alike = (kinds[nearest] == kinds[:, np.newaxis]).mean(axis=1)
    often = tastes.item_counts >= 10
    assert alike[often].mean() > 0.9
    # By chance it would be one in eighteen.
    assert alike[~often].mean() > 0.5


def test_als_beats_popularity_on_held_out_likes(tastes: Interactions) -> None:
    rng = np.random.default_rng(0)
    held = (rng.random(tastes.n_interactions) < 0.2) & (
        np.repeat(tastes.user_counts, tastes.user_counts) >= 10
    )
    train, test = tastes.keep(~held), tastes.keep(held)
    model = fit(train, classic(factors=24, alpha=10.0, regularization=1.0, iterations=8))
    popular = np.tile(train.item_counts.astype(np.float32), (tastes.n_users, 1))
    mine, line = (precision_at_5(scores, train, test) for scores in (all_scores(model), popular))
    assert mine > 2 * line


def all_scores(model: FactorModel) -> np.ndarray:
    return model.scores(slice(None), slice(None)).copy()


def precision_at_5(scores: np.ndarray, train: Interactions, test: Interactions) -> float:
    scores[train.user_items.toarray() > 0] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :5]
    hits = np.take_along_axis(test.user_items.toarray() > 0, best, axis=1)
    return float(hits[test.user_counts > 0].mean())


# The demo's files


def test_demo_files_hold_the_tastes_and_twelve_duplicates(
    tmp_path: Path, tastes: Interactions
) -> None:
    files = write_demo(tmp_path / "new" / "demo")
    header, *rows = read_psv(files.likes)
    assert header == ["modelName", "mid", "uid"]
    assert len(rows) == tastes.n_interactions + 12
    assert len({tuple(row) for row in rows}) == tastes.n_interactions
    back = Interactions.from_columns(*zip(*{(row[2], row[1]) for row in rows}, strict=True))
    assert back.fingerprint == tastes.fingerprint
    with files.items.open(encoding="utf-8", newline="") as file:
        items = list(csv.DictReader(file))
    assert [item["mid"] for item in items] == list(tastes.items)
    assert [item["name"] for item in items] == list(tastes.catalogue.names)
    assert [item["kind"] for item in items] == list(tastes.catalogue.more["kind"])
    names = {item["mid"]: item["name"] for item in items}
    assert all(names[mid] == name for name, mid, _ in rows)
    # Of the file as it was before items had tags, which change no like.
    assert hashlib.sha256(files.likes.read_bytes()).hexdigest().startswith("fda2f9f519d607a6")


def test_demo_tags_mostly_fit_and_some_lack(tmp_path: Path) -> None:
    files = write_demo(tmp_path)
    known, new = (
        list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        for file in (files.items, files.new_items)
    )
    assert list(new[0]) == list(known[0])
    assert not {item["mid"] for item in new} & {item["mid"] for item in known}
    assert not {item["name"].casefold() for item in new} & {i["name"].casefold() for i in known}
    motifs = {kind.split()[1] for kind in KINDS}
    told = [(item["kind"].split()[1], motifs & set(item["tags"].split("|"))) for item in known]
    right = sum(kind in tags for kind, tags in told)
    wrong = sum(bool(tags - {kind}) for kind, tags in told)
    assert 0.4 < right / len(known) < 0.7
    assert 0 < wrong / len(known) < 0.1
    assert 0.05 < np.mean([not item["tags"] for item in known]) < 0.2


def test_demo_files_are_the_same_bytes_again(tmp_path: Path) -> None:
    first, second = write_demo(tmp_path / "a"), write_demo(tmp_path / "b")
    assert first.likes.read_bytes() == second.likes.read_bytes()
    assert first.items.read_bytes() == second.items.read_bytes()
    assert first.new_items.read_bytes() == second.new_items.read_bytes()


# The article's file


def five_core(likes: Interactions) -> tuple[int, int, int]:
    """Filter users and items with fewer than five likes in turn, until nothing changes."""
    users = np.repeat(np.arange(likes.n_users), likes.user_counts)
    items = likes.user_items.indices
    while True:
        kept = (np.bincount(users)[users] >= 5) & (np.bincount(items)[items] >= 5)
        if kept.all():
            return len(np.unique(users)), len(np.unique(items)), len(users)
        users, items = users[kept], items[kept]


def test_article_file_has_every_count_of_the_article(tmp_path: Path) -> None:
    path = write_article_file(tmp_path / "model_likes_anon.psv")
    rows = read_with_duckdb(path)
    assert len(rows) == 632_840
    distinct = set(rows)
    assert len(distinct) == 632_840 - 155
    likes = Interactions.from_columns([row[2] for row in distinct], [row[1] for row in distinct])
    assert (likes.n_users, likes.n_items, likes.n_interactions) == (62_583, 28_806, 632_685)
    assert five_core(likes) == (15_274, 25_655, 547_477)


def read_with_duckdb(path: Path) -> list[tuple[str, ...]]:
    return duckdb.sql(
        "from read_csv(?, delim='|', quote='\\', escape='\\', all_varchar=true, header=true)",
        params=[str(path)],
    ).fetchall()


def test_small_article_file_holds_every_trap_and_duckdb_reads_it_alike(tmp_path: Path) -> None:
    path = write_article_file(
        tmp_path / "small.psv", rows=6_328, users=625, items=288, duplicates=11, seed=2
    )
    rows = read_psv(path)[1:]
    names = {row[0] for row in rows}
    assert sum("\n" in name for name in names) == 1
    assert {"\\", '"Deathwing" Revisited', "Mouse, without w\\o \\\\ with"} <= names
    found = read_with_duckdb(path)
    assert Counter(found) == Counter(map(tuple, rows))
    assert len(rows) - len(set(found)) == 11


def test_article_file_is_seeded(tmp_path: Path) -> None:
    sizes = {"rows": 6_328, "users": 625, "items": 288, "duplicates": 11}
    contents = [
        write_article_file(tmp_path / f"{number}.psv", seed=seed, **sizes).read_bytes()
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"rows": 63_280}, "at most half"),
        ({"rows": 700}, "too few for minimum=5"),
        ({"rows": 15_500}, "cannot be spread over 472 users"),
        ({"duplicates": -1}, "duplicates must be"),
    ],
)
def test_article_file_refuses_impossible_sizes(
    tmp_path: Path, sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        write_article_file(
            tmp_path / "none.psv",
            **{"rows": 6_328, "users": 625, "items": 288, "duplicates": 11} | sizes,
        )
    assert not list(tmp_path.iterdir())


# Tables without tastes


def test_article_shape_is_the_filtered_article() -> None:
    likes = article_shape()
    assert (likes.n_users, likes.n_items, likes.n_interactions) == (15_274, 25_655, 547_477)
    assert likes.user_counts.min() >= 5
    assert likes.item_counts.min() >= 5
    assert likes.user_counts.max() > 1000
    assert likes.item_counts.max() > 1000
    likes.users.checked()
    likes.items.checked()


@pytest.mark.parametrize("size", [(1, 2, 1, 0), (10, 10, 50, 3), (200, 30, 3_000, 5)])
def test_synthetic_is_exact(size: tuple[int, int, int, int]) -> None:
    n_users, n_items, n_interactions, minimum = size
    table = synthetic(n_users, n_items, n_interactions, minimum=minimum, seed=3)
    assert (table.n_users, table.n_items, table.n_interactions) == size[:3]
    assert min(table.user_counts.min(), table.item_counts.min()) >= minimum
    assert (
        table.fingerprint
        == synthetic(n_users, n_items, n_interactions, minimum=minimum, seed=3).fingerprint
    )


@pytest.mark.parametrize("size", [(10, 10, 0), (10, 10, 51), (0, 10, 5), (100, 100, 60)])
def test_synthetic_refuses_impossible_sizes(size: tuple[int, int, int]) -> None:
    with pytest.raises(SettingError):
        synthetic(*size)


# Public sets


def test_gowalla_of_two_small_files(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0 5 10\n2 5\n\n3 \n")
    with gzip.open(tmp_path / "test.txt.gz", "wt") as file:
        file.write("2 10\n")
    train, test = gowalla(tmp_path)
    assert list(train.users) == list(test.users) == ["0", "2"]
    assert list(train.items) == list(test.items) == ["10", "5"]
    assert train.user_items.toarray().tolist() == [[1, 1], [0, 1]]
    assert test.user_items.toarray().tolist() == [[0, 0], [1, 0]]
    # The line of user 0 has item 5 before item 10; by text, 10 comes first.
    assert train.timestamps is not None
    assert train.timestamps.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 1\n0 x\n", "line 2: whole numbers expected, not '0 x'"),
        (b"0 1\n0 -4\n", "line 2: -4 is below 0"),
        (b"0 1.5\n", "line 1: whole numbers"),
        (b"0 99999999999999999999\n", "line 1: whole numbers"),
        (b"", "empty"),
        (b"0 1\n0 1\n", "1 \\(user, item\\) pairs repeat"),
        (b"0 \xff\n", "cannot be read to its end"),
    ],
)
def test_gowalla_names_the_line_that_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "train.txt").write_bytes(content)
    (tmp_path / "test.txt").write_text("0 2\n")
    with pytest.raises(DataError, match=message):
        gowalla(tmp_path)


def test_gowalla_says_which_file_is_missing_or_cut_short(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither train\.txt nor train\.txt\.gz"):
        gowalla(tmp_path)
    whole = gzip.compress(b"0 1 2 3\n" * 500)
    (tmp_path / "train.txt.gz").write_bytes(whole[:-12])
    with pytest.raises(DataError, match=r"train\.txt\.gz: cannot be read to its end"):
        gowalla(tmp_path)


def test_gowalla_as_published() -> None:
    if "ALSOLIKE_DATA" not in os.environ:
        pytest.skip("ALSOLIKE_DATA is not set")
    train, test = gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")
    assert (train.n_users, train.n_items) == (test.n_users, test.n_items) == (29_858, 40_981)
    assert (train.n_interactions, test.n_interactions) == (810_128, 217_242)
    both = train.user_items.multiply(test.user_items)
    assert both.nnz == 0

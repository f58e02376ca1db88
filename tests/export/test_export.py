"""Every form of the shelves says the same, by hostile ids too; and the pages run nothing."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import click.testing
import duckdb
import numpy as np
import pytest

from alsolike.cli import export as handing
from alsolike.cli.group import Verbs
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError, SettingError, WritingError
from alsolike.export.export import FORMATS, export
from alsolike.export.filenames import id_of, place_of
from alsolike.export.incremental_writer import LIST, FileCounts
from alsolike.models.bundle import io as bundle
from alsolike.models.bundle.configure import set_similarity
from alsolike.models.bundle.manifest import MANIFEST
from alsolike.models.factor_model import FactorModel
from alsolike.models.fit import fit
from alsolike.models.protocols import HasAffinities
from alsolike.models.registry import trained
from alsolike.recommending.batch import recommend, similar
from alsolike.testing import tiny_likes, tiny_model, with_tiny_features

PNG = "data:image/png;base64,iVBORw0KGgo="
IDS = [
    "../../x", "/etc/passwd", "CON", "con", "Con", "a/b", " ", ".", "..", "A", "a", "ß", "-rf",
    "\u202eevil", "x" * 3000, "</script><script>alert(1)</script>", "\" onerror='alert(1)",
    "__proto__", "🎸", "a\nb",
]  # fmt: skip
NAME = "<img src=x onerror=alert(1)>"
IMAGES = [
    "https://pictures.example.org/1.png; script-src *",
    PNG,
    "https://pictures.example.org/2.png",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
]
LINKS = ["javascript:alert(1)", "https://shop.example.org/1"]

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# click keeps the options for help with a command: as in `alsolike.cli.group.main`.
HELP = {"help_option_names": ["-h", "--help"]}
VERBS = Verbs(commands={"export": handing.export}, context_settings=HELP)


def hostile_model(ids: list[str], image: str = "") -> FactorModel:
    """Return a model whose ids, names, links and images come from a stranger."""
    items = Vocabulary.of(ids, kind="item")
    users = Vocabulary.of([*IDS, "u"], kind="user")
    rng = np.random.default_rng(1)
    catalogue = Catalogue(
        n_items=len(ids),
        names=StringArray.pack(NAME if row % 2 else "" for row in range(len(ids))),
        images=StringArray.pack(image or IMAGES[row % 4] for row in range(len(ids))),
        links=StringArray.pack(LINKS[row % 2] for row in range(len(ids))),
    )
    return replace(
        tiny_model(),
        users=users,
        items=items,
        user_factors=rng.standard_normal((len(users), 2), dtype=np.float32),
        item_factors=rng.standard_normal((len(ids), 2), dtype=np.float32),
        item_counts=np.full(len(ids), 5, dtype=np.int64),
        catalogue=catalogue,
        history=None,
    )


@pytest.fixture(scope="module")
def model() -> FactorModel:
    tiny = tiny_model(n_users=12, n_items=30)
    factors = tiny.item_factors.copy()
    factors[3] = 0  # no direction: an empty shelf
    return replace(tiny, item_factors=factors)


@pytest.fixture(scope="module")
def saved(model: FactorModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exporting") / "model"
    bundle.save(model, path)
    return path


@pytest.fixture(scope="module")
def shelves(saved: Path) -> Path:
    export(saved, saved.with_name("shelves"), k=4, users=True)
    return saved.with_name("shelves")


@pytest.fixture(scope="module")
def version(saved: Path) -> str:
    return hashlib.sha256((saved / MANIFEST).read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rows_of(path: Path) -> list[dict[str, object]]:
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_tables_say_what_similar_and_recommend_say(
    model: FactorModel, shelves: Path, version: str
) -> None:
    for name, table in (
        ("similar_items", similar(model, k=4)),
        ("recommendations", recommend(model, k=4)),
    ):
        rows = rows_of(shelves / f"{name}.parquet")
        assert [row.pop("model") for row in rows] == [version] * len(table)
        assert rows == list(table.rows())


def test_json_lines_have_every_shelf(model: FactorModel, shelves: Path, version: str) -> None:
    expected: dict[str, list[tuple[object, ...]]] = {one: [] for one in model.items}
    for row in similar(model, k=4).rows():
        expected[row["item"]].append((row["similar_item"], row["name"], np.float32(row["score"])))
    lines = json_lines(shelves / "similar_items.jsonl")
    assert {line["model"] for line in lines} == {version}
    found = {
        line["item"]: [(*list(one.values())[:2], np.float32(one["score"])) for one in near]
        for line in lines
        for near in [line["similar_items"]]
    }
    assert found == expected
    assert lines[0]["name"] == model.catalogue.name_of(0)  # type: ignore[union-attr]
    assert [] in found.values()
    users = json_lines(shelves / "recommendations.jsonl")
    assert [line["user"] for line in users] == list(model.users)


def test_a_product_page_can_ask_the_database(
    model: FactorModel, shelves: Path, version: str
) -> None:
    with closing(sqlite3.connect(shelves / "shelves.sqlite")) as database:
        assert dict(database.execute("SELECT * FROM about"))["model"] == version
        asked = (
            "SELECT similar_item, name, score FROM similar_items JOIN items ON "
            "items.item = similar_item WHERE similar_items.item = ? ORDER BY rank"
        )
        one = model.items.id_of(5)
        near = similar(model, one, k=4)
        rows = list(zip(near["similar_item"], near["name"], near["score"].tolist(), strict=True))
        assert database.execute(asked, (one,)).fetchall() == rows
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {asked}", (one,)))
        assert "SCAN" not in plan
        found = database.execute("SELECT user, rank, item, score FROM recommendations").fetchall()
        table = recommend(model, k=4).rows()
        assert found == [(row["user"], row["rank"], row["item"], row["score"]) for row in table]
        assert database.execute("SELECT count(*) FROM items").fetchone() == (30,)


def test_small_files_say_where_to_go_on(model: FactorModel, shelves: Path, version: str) -> None:
    index = json.loads((shelves / "json/index.json").read_bytes())
    assert (index["model"], index["k"], len(index["users"])) == (version, 4, 12)
    assert list(index["items"]) == list(model.items)
    for one, path in index["items"].items():
        shelf = json.loads((shelves / "json" / path).read_bytes())
        assert shelf["item"] == one
        assert shelf["likes"] == model.item_counts[model.items.index_of(one)]
        table = list(similar(model, one, k=4).rows())
        assert [near["item"] for near in shelf["similar_items"]] == [
            row["similar_item"] for row in table
        ]
        for near, row in zip(shelf["similar_items"], table, strict=True):
            assert near["score"] == float(f"{row['score']:.4g}")
            assert near["file"] == index["items"][near["item"]]
    user = json.loads((shelves / "json" / index["users"]["user 3"]).read_bytes())
    assert user["recommendations"][0]["item"] == recommend(model, "user 3", k=1)["item"][0]


def test_pages_lead_to_pages_that_are_there(shelves: Path) -> None:
    pages = [*(shelves / "html").rglob("*.html")]
    assert len(pages) == 1 + 2 + 30 + 12
    for page in pages:
        text = page.read_text()
        targets = [part.split('"')[0] for part in text.split('href="')[1:]]
        for target in targets:
            if target != "data:,":
                assert (page.parent / target).resolve().is_file(), (page, target)
    reached = {page for page in pages if page.name == "index.html"}
    new = set(reached)
    while new:
        found = {
            (page.parent / part.split('"')[0]).resolve()
            for page in new
            for part in page.read_text().split('href="')[1:]
            if part.split('"')[0].endswith(".html")
        }
        new = found - reached
        reached |= found
    assert reached == set(pages)


def test_equal_models_give_equal_bytes(saved: Path, shelves: Path, tmp_path: Path) -> None:
    done = export(saved, tmp_path / "s", k=4, users=True, engine=LocalEngine(1))
    assert tree(tmp_path / "s") == tree(shelves)
    assert done.files == FileCounts(written=len(tree(shelves)) - 1)
    assert "42 lists of model" in str(done)


def test_a_new_model_leaves_what_it_does_not_move(
    model: FactorModel, saved: Path, tmp_path: Path
) -> None:
    # By the cosine: of evidence each score depends on all likes.
    out, how = tmp_path / "s", {"affinity": "cosine", "popularity_bias": 0, "marks": ()}
    export(saved, out, formats=["json", "html"], k=2, **how)
    before = tree(out)
    keep = np.flatnonzero(np.arange(30) != 7)
    likes = tiny_likes(12, 30)
    smaller = replace(
        model, items=model.items.subset(keep), item_factors=model.item_factors[keep],
        item_counts=model.item_counts[keep], catalogue=likes.catalogue.subset(keep),  # type: ignore[union-attr]
        history=None,
    )  # fmt: skip
    bundle.save(smaller, tmp_path / "smaller")
    done = export(tmp_path / "smaller", out, formats=["json", "html"], k=2, **how)
    after = tree(out)
    gone = {path for path in before if place_of(model.items.id_of(7)) in path}
    assert len(gone) == 2
    assert before.keys() - after.keys() == gone
    assert done.files.removed == 2
    same = sum(before[path] == after[path] for path in after if path != LIST)
    assert done.files == FileCounts(len(after) - 1 - same, same, 2)
    assert same > 40
    export(tmp_path / "smaller", tmp_path / "fresh", formats=["json", "html"], k=2, **how)
    assert tree(tmp_path / "fresh") == after


def test_formats_that_are_not_asked_for_go(saved: Path, tmp_path: Path) -> None:
    export(saved, tmp_path / "s", formats=["jsonl", "sqlite"])
    done = export(saved, tmp_path / "s", formats=["parquet"])
    assert done.files == FileCounts(written=1, removed=2)
    assert sorted(tree(tmp_path / "s")) == [LIST, "similar_items.parquet"]


def test_hostile_ids_stay_in_their_folder(tmp_path: Path) -> None:
    bundle.save(hostile_model(IDS), tmp_path / "model")
    export(tmp_path / "model", tmp_path / "s", users=True, exclude_seen=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "s"]
    index = json.loads((tmp_path / "s/json/index.json").read_bytes())
    assert sorted(index["items"]) == sorted(IDS)
    assert len({path.casefold() for path in index["items"].values()}) == len(IDS)
    for one, path in index["items"].items():
        assert json.loads((tmp_path / "s/json" / path).read_bytes())["item"] == one
        assert id_of(Path(path).stem) in (one, None)
    with closing(sqlite3.connect(tmp_path / "s/shelves.sqlite")) as database:
        found = {row[0] for row in database.execute("SELECT DISTINCT item FROM similar_items")}
    assert found == set(IDS)
    assert {row["item"] for row in rows_of(tmp_path / "s/similar_items.parquet")} == set(IDS)


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    bundle.save(hostile_model(IDS), folder / "model")
    done = export(folder / "model", folder / "s", formats=["html"], users=True, exclude_seen=False)
    assert any("web: 5," in note for note in done.notes)
    return folder / "s" / "html"


def test_pages_hold_no_markup_of_strangers(hostile_site: Path) -> None:
    pages = [page.read_text() for page in hostile_site.rglob("*.html")]
    for text in pages:
        assert "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'" in text
        assert "<script" not in text
        assert "<img src=x" not in text
        assert 'href="javascript' not in text
        assert 'src="http' not in text
    assert any("&lt;img src=x onerror=alert(1)&gt;" in text for text in pages)
    assert any('src="../../pictures/4c/' in text for text in pages)
    assert not list(hostile_site.rglob("*.svg"))
    assert [path.suffix for path in (hostile_site / "pictures").rglob("*.*")] == [".png"]


def test_pictures_from_the_web_open_the_policy_for_their_host_alone(tmp_path: Path) -> None:
    bundle.save(hostile_model(IDS, image="https://Other.example.net/1.png"), tmp_path / "model")
    export(tmp_path / "model", tmp_path / "s", formats=["html"], remote_images=True, k=30)
    page = next((tmp_path / "s/html/items").rglob("*.html")).read_text()
    hosts = "img-src 'self' data: https://other.example.net; base-uri"
    assert hosts in page
    assert 'loading="lazy" referrerpolicy="no-referrer" src="https://' in page


def test_pages_run_nothing_and_ask_nobody(hostile_site: Path, chromium: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    asked: list[str] = []
    said: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=SWITCHES)
        for width in (360, 1440):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: said.append(message.text))
            page.on("dialog", lambda dialog: said.append(dialog.message))
            page.goto((hostile_site / "index.html").as_uri())
            for _ in range(3):  # hop from neighbour to neighbour
                page.click("ol.near a")
                assert "/items/" in page.url
            page.goto((hostile_site / "users" / f"{place_of('u')}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert (
                page.evaluate("getComputedStyle(document.querySelector('.near')).display") == "grid"
            )
        browser.close()
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert [text for text in said if "ERR_INVALID" not in text] == []


def test_sizes_at_the_edges(tmp_path: Path) -> None:
    bundle.save(hostile_model(["only"]), tmp_path / "one")
    done = export(tmp_path / "one", tmp_path / "s", k=5, users=True, exclude_seen=False)
    assert done.lists == 1 + len(IDS) + 1
    shelf = json.loads((tmp_path / "s/json/items" / f"{place_of('only')}.json").read_bytes())
    assert shelf["similar_items"] == []
    assert rows_of(tmp_path / "s/similar_items.parquet") == []
    page = (tmp_path / "s/html/items" / f"{place_of('only')}.html").read_text()
    assert "No similar items." in page


def test_models_without_names_or_history(tmp_path: Path, model: FactorModel) -> None:
    bundle.save(replace(model, catalogue=None, history=None), tmp_path / "bare")
    export(tmp_path / "bare", tmp_path / "s")
    line = json_lines(tmp_path / "s/similar_items.jsonl")[0]
    assert list(line) == ["item", "similar_items", "model"]
    with pytest.raises(SettingError, match="without its history"):
        export(tmp_path / "bare", tmp_path / "s", users=True)
    export(tmp_path / "bare", tmp_path / "s", users=True, exclude_seen=False, formats=["jsonl"])


def test_what_stands_in_the_way_is_said(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"formats out of .* 'csv' given"):
        export(saved, tmp_path / "s", formats=["json", "csv"])
    with pytest.raises(SettingError, match="none given"):
        export(saved, tmp_path / "s", formats=[])
    with pytest.raises(SettingError, match="k must be"):
        export(saved, tmp_path / "s", k=0)
    with pytest.raises(WritingError, match="would write over it"):
        export(saved, saved.parent)
    with pytest.raises(BundleError):
        export(tmp_path / "nothing", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_model_that_is_replaced_meanwhile_is_not_mixed(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(saved, tmp_path / "model")
    load = bundle.load

    def swapped(path: Path) -> FactorModel:
        model = load(path)
        bundle.save(replace(model, sweeps=9), tmp_path / "model")
        return model

    monkeypatch.setattr("alsolike.export.factors.bundle.load", swapped)
    with pytest.raises(BundleError, match="replaced while it was being read"):
        export(tmp_path / "model", tmp_path / "s")


def test_the_verb_says_what_it_did(saved: Path, tmp_path: Path) -> None:
    def call(*words: object) -> click.testing.Result:
        return click.testing.CliRunner().invoke(VERBS, ["export", *map(str, words)])

    words = (saved, "--to", tmp_path / "s", "--format", "jsonl", "--k", 3)
    assert (call(*words, "--quiet").exit_code, call(*words, "--quiet").output) == (0, "")
    done = call(*words)
    assert "30 lists of model" in done.output
    assert "0 files written, 1 unchanged, 0 removed" in done.output
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "x").write_text("")
    refused = call(saved, "--to", tmp_path / "t", "--quiet")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr.splitlines()) == 1


def test_the_verb_knows_every_format() -> None:
    [given] = [option for option in handing.export.params if option.name == "formats"]
    assert isinstance(given.type, click.Choice)
    assert tuple(given.type.choices) == FORMATS


@pytest.mark.parametrize("family", [family.name for family in trained()])
def test_every_family_is_exported_in_all_forms(family: str, tmp_path: Path) -> None:
    likes = with_tiny_features(tiny_likes())
    model = fit(likes, family=family, **({"factors": 3} if family == "als" else {}))
    bundle.save(model, tmp_path / "model")
    to = tmp_path / "shelves"
    found = export(tmp_path / "model", to, k=30, users=True)
    assert found.lists == len(model.items) + len(model.users)
    assert export(tmp_path / "model", to, k=30, users=True).files.written == 0
    wanted = [
        (row["user"], row["item"], row["score"], row["basis"])
        for row in recommend(model, k=30).rows()
    ]
    table = rows_of(to / "recommendations.parquet")
    assert [(row["user"], row["item"], row["score"], row["basis"]) for row in table] == wanted
    listed = []
    for line in json_lines(to / "recommendations.jsonl"):
        for one in line["recommendations"]:
            how = one.get("basis", line["basis"])
            listed.append((line["user"], one["item"], pytest.approx(one["score"], rel=1e-6), how))
    assert listed == wanted
    with closing(sqlite3.connect(to / "shelves.sqlite")) as database:
        stored = database.execute("SELECT user, item, score, basis FROM recommendations").fetchall()
    assert sorted(stored) == sorted(wanted)
    pairs = [(row["item"], row["similar_item"]) for row in similar(model, k=30).rows()]
    near = json_lines(to / "similar_items.jsonl")
    assert [(one["item"], other["item"]) for one in near for other in one["similar_items"]] == pairs
    index = (to / "html" / "index.html").read_text(encoding="utf-8")
    assert "The score of a similar item: " in index
    assert ("popularity bias 0.8" in index) == isinstance(model, HasAffinities)
    page = (to / "html" / "items" / f"{place_of(model.items.id_of(0))}.html").read_text("utf-8")
    assert page.count('height="1"/></svg>') == sum(one == model.items.id_of(0) for one, _ in pairs)


def test_what_comes_after_a_models_own_says_how_it_was_found(tmp_path: Path) -> None:
    likes = Interactions.from_columns(list("aabbcdee"), list("xyxywzzw"))
    bundle.save(fit(likes, family="item-knn"), tmp_path / "model")
    to = tmp_path / "shelves"
    export(tmp_path / "model", to, k=3, users=True, exclude_seen=False, formats=["json", "html"])
    index = json.loads((to / "json" / "index.json").read_bytes())
    shelf = json.loads((to / "json" / index["users"]["a"]).read_bytes())
    assert shelf["basis"] == "model"
    assert [one["item"] for one in shelf["recommendations"]] == ["x", "y", "w"]
    assert [one.get("basis") for one in shelf["recommendations"]] == [None, None, "popularity"]
    page = (to / "html" / "users" / f"{place_of('a')}.html").read_text("utf-8")
    first, _, rest = page.partition("The model has no further recommendations.")
    assert (first.count("<li>"), rest.count("<li>")) == (2, 1)
    assert "Recommended for" in first


DIALLED = fit(tiny_likes(40, 30), factors=4)


def stated(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / LIST).read_bytes())
    return found


def test_settings_of_similar_items_are_stated_and_their_change_is_noticed(tmp_path: Path) -> None:
    bundle.save(DIALLED, tmp_path / "model")
    out = tmp_path / "s"
    export(tmp_path / "model", out, k=4)
    first, about = tree(out), stated(out)
    assert (about["affinity"], about["popularity_bias"], about["prior_strength"]) == (
        "evidence", 0.8, 30,
    )  # fmt: skip
    done = export(tmp_path / "model", out, k=4, popularity_bias=0.1)
    assert done.files.written > 30
    assert done.files.removed == 0
    assert stated(out)["popularity_bias"] == 0.1
    for line in json_lines(out / "similar_items.jsonl"):
        near = similar(DIALLED, line["item"], k=4, popularity_bias=0.1)
        assert [one["item"] for one in line["similar_items"]] == near["similar_item"].tolist()
    # The same by the settings of the bundle, apart from its version.
    by_option = tree(out)
    set_similarity(tmp_path / "model", popularity_bias=0.1)
    export(tmp_path / "model", out, k=4)
    changed = {path for path, content in tree(out).items() if by_option[path] != content}
    assert changed == {
        LIST, "html/index.html", "json/index.json", "shelves.sqlite", "similar_items.jsonl",
        "similar_items.parquet",
    }  # fmt: skip
    with closing(sqlite3.connect(out / "shelves.sqlite")) as database:
        assert dict(database.execute("SELECT * FROM about"))["popularity_bias"] == 0.1
    set_similarity(tmp_path / "model", popularity_bias=0.8)
    export(tmp_path / "model", out, k=4, engine=LocalEngine(1))
    assert tree(out) == first


def test_pages_have_the_names_at_other_marks_behind_a_click(tmp_path: Path) -> None:
    bundle.save(DIALLED, tmp_path / "model")
    out = tmp_path / "s"
    export(tmp_path / "model", out, k=4, formats=["html"])
    one = DIALLED.items.id_of(5)
    page = (out / "html" / "items" / f"{place_of(one)}.html").read_text("utf-8")
    parts = page.split("<details>")[1:]
    assert [part.split("<")[1].split(">")[1] for part in parts] == [
        "More specific items (popularity bias 0)", "More popular items (popularity bias 1)",
    ]  # fmt: skip
    for part, bias in zip(parts, (0, 1), strict=True):
        wanted = similar(DIALLED, one, k=4, popularity_bias=bias)["similar_item"]
        links = [f"../../items/{place_of(other)}.html" for other in wanted]
        assert [link.partition('"')[0] for link in part.split('href="')[1:]] == links
    plain = tmp_path / "plain"
    export(tmp_path / "model", plain, k=4, formats=["html"], marks=())
    small = (plain / "html" / "items" / f"{place_of(one)}.html").read_text("utf-8")
    assert "<details>" not in small
    # As the documentation says: about 130 bytes for each name.
    assert len(page) - len(small) < 8 * 130 + 300
    own = export(tmp_path / "model", plain, k=4, formats=["html"], popularity_bias=0, marks=[0, 0])
    assert own.files.written
    assert "<details>" not in (plain / "html/items" / f"{place_of(one)}.html").read_text("utf-8")
    with pytest.raises(SettingError, match="popularity_bias must be a number"):
        export(tmp_path / "model", plain, formats=["html"], marks=[2])


def test_a_run_with_two_models_gives_the_lists_of_each(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "s"
    knn = fit(tiny_likes(40, 30), family="item-knn")
    bundle.save(DIALLED, run / "model")
    alone = export(run, out, k=4, users=True)
    assert "recommending_model" not in stated(out)
    assert (alone.model, stated(out)["name"]) == (stated(out)["model"], "als")
    before = tree(out)
    export(run / "model", out, k=4, users=True)
    assert tree(out) == before
    bundle.save(knn, run / "similar")
    both = export(run, out, k=4, users=True)
    about = stated(out)
    versions = {
        name: hashlib.sha256((run / name / MANIFEST).read_bytes()).hexdigest()
        for name in ("model", "similar")
    }
    assert (both.model, about["model"]) == (versions["similar"],) * 2
    assert (about["recommending_model"], about["affinity"]) == (versions["model"], "counts")
    near = rows_of(out / "similar_items.parquet")
    assert {row.pop("model") for row in near} == {versions["similar"]}
    assert near == list(similar(knn, k=4).rows())
    lists = rows_of(out / "recommendations.parquet")
    assert {row.pop("model") for row in lists} == {versions["model"]}
    assert lists == list(recommend(DIALLED, k=4).rows())
    one = export(run / "model", out, k=4)
    assert "The run chose another model for them" in str(one)
    assert one.model == versions["model"]
    bundle.save(fit(tiny_likes(40, 31), family="item-knn"), run / "similar")
    with pytest.raises(BundleError, match="have different items"):
        export(run, out, users=True)


def test_weak_foundations_and_stored_counts_are_said(tmp_path: Path) -> None:
    bundle.save(DIALLED, tmp_path / "model", with_history=False)
    done = export(tmp_path / "model", tmp_path / "s", formats=["html"])
    assert "counts of the 200 strongest neighbours" in str(done)
    few = np.flatnonzero((DIALLED.item_counts > 0) & (DIALLED.item_counts <= 5))
    many = np.flatnonzero(DIALLED.item_counts > 5)
    assert len(few)
    for row in (few[0], many[0]):
        place = place_of(DIALLED.items.id_of(int(row)))
        page = (tmp_path / "s/html/items" / f"{place}.html").read_text("utf-8")
        assert ("weakly founded." in page) == (row == few[0])

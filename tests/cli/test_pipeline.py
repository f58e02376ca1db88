"""From a file to a page: the whole job by its command, on 200 rows and on real data."""

import csv
import gzip
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import numpy as np
import pytest

import alsolike
from als_settings import set_loss
from alsolike.cli.group import main
from alsolike.engines.local import LocalEngine
from alsolike.pipeline.outputs import FILES

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"' onmouseover='alert(3)' x=\"",
    "two\nlines",
    "\u202eturned round",
    "\x1b[31mred\x1b[0m",
    "العربية",
    "日本語 | 한국어",
    "{{constructor.constructor('alert(4)')()}}",
    "</title></style><svg onload=alert(5)>",
)
PICTURES = ("https://pictures.example/{}.png", "http://other.example:8080/{}.jpg", "javascript:{}")
SETTINGS = (
    "--held-out", "2", "--search", "growth", "--set", "factors=2", "--set", "regularization=0.01",
    "--grid", "unobserved_weight=0.3,1", "--set", "values=log", "--sweeps", "1,2,4", "--baselines",
    "popularity", "--value", "hours", "--user", "who", "--item", "what",
)  # fmt: skip
RUNS, POINTS = 6, 19  # two with 2, 4 and 8 factors each; popularity has a point of its own

# What must be the same to the last byte, whatever interrupted the run.
SAME = (
    "leaderboard.csv",
    "learning_curves.parquet",
    "learning_curves.csv",
    "similar_items.parquet",
    "recommendations.parquet",
    "best_curve.svg",
    "all_curves.png",
    "all_curves.html",
    "model/manifest.json",
    "model/model.safetensors",
    "model/ids.safetensors",
    "model/items.safetensors",
    "model/history.safetensors",
)


def item_id(number: int) -> str:
    return f"00{number}" if number % 3 else f"<i>{number}|ü"


def alsolike_says(*words: object) -> str:
    """Run a verb in this process and return what it prints; it must end well."""
    result = click.testing.CliRunner().invoke(main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    return result.stdout


def rows_of(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 200 likes of two tastes, and items with hostile names and pictures."""
    folder = tmp_path_factory.mktemp("flow")
    rng = np.random.default_rng(0)
    with (folder / "likes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "what", "hours"])
        for user in range(25):
            for place in rng.choice(12, size=8, replace=False):
                hours = rng.integers(1, 90) / 10
                writer.writerow([f"{user:04}", item_id(2 * place + user % 2), hours])
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "title", "picture", "page"])
        for item in range(24):
            name = f"{HOSTILE[item % len(HOSTILE)]} {item}"
            picture = PICTURES[item % len(PICTURES)].format(item)
            writer.writerow([item_id(item), name, picture, f"https://pages.example/{item}"])
    return folder


def words(data: Path, out: Path, *more: str) -> list[str]:
    items = ("--items", str(data / "items.csv"), "--item-name", "title", "--item-image", "picture",
             "--item-link", "page")  # fmt: skip
    return ["run", str(data / "likes.csv"), *SETTINGS, *items, "--out", str(out), *more]


@dataclass
class Ran:
    """A run, what it said, and what it left."""

    out: Path
    said: str
    model: alsolike.FactorModel = field(init=False)

    def __post_init__(self) -> None:
        self.model = alsolike.load(self.out / "model")


@pytest.fixture(scope="module")
def ran(data: Path) -> Ran:
    out = data / "undisturbed"
    return Ran(out, alsolike_says(*words(data, out, "--verbose")))


def test_every_file_that_the_page_names_is_there(ran: Ran) -> None:
    for name, _ in FILES:
        first, *others = name.split(", ")
        for path in [first, *(str(Path(first).with_suffix(other)) for other in others)]:
            place = ran.out / path
            assert place.is_dir() if path.endswith("/") else place.stat().st_size > 0, path
    assert not [path.name for path in ran.out.rglob(".*")]


def test_what_it_says_is_all_that_the_article_prints(ran: Ran) -> None:
    for part in (
        "delimiter ','", "rows                       200", "duplicate rows", "before the filter",
        "after the filter", "split:", "run 4:", "| sweep |", "validation precision@10",
        "popularity", "test users", "Done. Open",
    ):  # fmt: skip
        assert part in ran.said
    assert "\x1b" not in ran.said


def test_learning_curves_are_complete_and_popularity_is_on_the_leaderboard(ran: Ran) -> None:
    points = rows_of(ran.out / "learning_curves.parquet")
    found = [(point["run"], point["sweep"]) for point in points]
    assert found == [(run, sweep) for run in range(1, RUNS + 1) for sweep in (1, 2, 4)]
    assert all(point["train_mse"] > 0 for point in points)
    with (ran.out / "leaderboard.csv").open() as file:
        board = list(csv.DictReader(file))
    assert [row["rank"] for row in board] == [str(rank) for rank in range(1, RUNS + 2)]
    assert sorted(row["model"] for row in board) == ["als"] * RUNS + ["popularity"]
    scores = [float(row["validation_precision@10"]) for row in board]
    assert scores == sorted(scores, reverse=True)


def test_ids_in_are_ids_out(ran: Ran, data: Path) -> None:
    with (data / "likes.csv").open(encoding="utf-8", newline="") as file:
        likes = list(csv.DictReader(file))
    assert set(ran.model.items) <= {item_id(number) for number in range(24)}
    assert set(ran.model.users) == {like["who"] for like in likes}
    for row in rows_of(ran.out / "similar_items.parquet"):
        assert {row["item"], row["similar_item"]} <= set(ran.model.items)


def test_every_item_has_ten_neighbours_of_its_own_taste(ran: Ran) -> None:
    neighbours: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(ran.out / "similar_items.parquet"):
        neighbours.setdefault(row["item"], []).append(row)
    assert set(neighbours) == set(ran.model.items)
    number_of = {item_id(number): number for number in range(24)}
    same_taste = []
    for item, rows in neighbours.items():
        assert [row["rank"] for row in rows] == list(range(1, 11))
        assert item not in [row["similar_item"] for row in rows]
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert all(-1 <= score <= 1 for score in scores)
        same_taste += [number_of[item] % 2 == number_of[row["similar_item"]] % 2 for row in rows]
        names = ran.model.catalogue.names if ran.model.catalogue else None
        assert names is not None
        assert rows[0]["name"] == names[ran.model.items.index_of(rows[0]["similar_item"])]
    assert np.mean(same_taste) > 0.95


def test_every_user_has_ten_recommendations_and_none_of_them_seen(ran: Ran) -> None:
    history = ran.model.history
    assert history is not None
    cells = history.user_items.tocoo()
    seen = set(zip(history.users.ids_of(cells.row), history.items.ids_of(cells.col), strict=True))
    rows = rows_of(ran.out / "recommendations.parquet")
    per_user: dict[str, int] = {}
    for row in rows:
        per_user[row["user"]] = per_user.get(row["user"], 0) + 1
        assert (row["user"], row["item"]) not in seen
    assert per_user == dict.fromkeys(ran.model.users, 10)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=switches)
        yield opened
        opened.close()


@dataclass
class Visited:
    """What a page from disk complained of and asked other hosts for, and what it holds."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    text: str = ""
    scripts: int = 0


@pytest.fixture
def visit(browser: Any) -> Callable[[Path], Visited]:
    def opened(path: Path) -> Visited:
        found = Visited()
        context = browser.new_context()

        def answer(route: Any) -> None:
            if route.request.url.startswith("file:"):
                route.continue_()
            else:
                found.requests.append(route.request.url)
                route.fulfill(status=200, content_type="image/svg+xml", body=_PICTURE)

        def scold(dialog: Any) -> None:
            found.complaints.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        context.route("**/*", answer)
        page = context.new_page()
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("dialog", scold)
        page.goto(path.as_uri())
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        for image in page.query_selector_all("img"):
            if image.is_visible():  # and not of a mark that is not chosen
                image.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        found.text = page.inner_text("body")
        found.scripts = page.evaluate("document.scripts.length")
        context.close()
        return found

    return opened


_PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"


def test_the_page_opens_without_a_complaint_or_a_request(
    ran: Ran, visit: Callable[[Path], Visited]
) -> None:
    page = visit(ran.out / "report.html")
    assert (page.complaints, page.requests) == ([], [])
    assert page.scripts == 6  # five figures and what draws them: none of the names
    for part in ("precision@10", "popularity", "Similar items", "25"):
        assert part in page.text
    for name in ("<script>alert(1)</script>", "العربية"):
        assert name in page.text
    assert "\x1b" not in page.text


def test_pictures_are_loaded_from_their_hosts_when_asked_for_and_from_no_other(
    data: Path, visit: Callable[[Path], Visited], tmp_path: Path
) -> None:
    shutil.copytree(data / "undisturbed", tmp_path / "out")  # the search need not be done again
    said = alsolike_says(*words(data, tmp_path / "out", "--remote-images"))
    assert said.count("2 of 2 runs are already in") == RUNS // 2  # one in each round
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', report)
    [sources] = re.findall(r"img-src ([^;]*)", policy)
    hosts = {"https://pictures.example", "http://other.example:8080"}
    assert set(sources.split()) == {"data:", *hosts}
    assert "default-src 'none'" in policy.replace("&#x27;", "'")
    page = visit(tmp_path / "out" / "report.html")
    assert page.complaints == []
    assert {re.sub(r"(://[^/]*)/.*", r"\1", address) for address in page.requests} == hosts


class Started:
    """A run in a process of its own, to be killed at a moment of the test's choice."""

    def __init__(self, command: list[str], out: Path) -> None:
        self.out = out
        self._process = subprocess.Popen(
            [sys.executable, "-m", "alsolike", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_once(self, moment: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not moment():
            assert self._process.poll() is None, "it ended before the moment came"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() == -signal.SIGKILL

    def points(self) -> int:
        """Return how many points the ledger holds so far."""
        try:
            with sqlite3.connect(f"file:{self.out}/ledger.sqlite?mode=ro", uri=True) as ledger:
                [[count]] = ledger.execute("SELECT count(*) FROM points").fetchall()
        except sqlite3.OperationalError:
            return 0
        finally:
            if "ledger" in locals():
                ledger.close()
        return int(count)


def test_a_run_killed_in_its_search_and_in_its_writing_goes_on_to_the_same_bytes(
    ran: Ran, data: Path, tmp_path: Path
) -> None:
    command, out = words(data, tmp_path), tmp_path
    started = Started(command, out)
    started.kill_once(lambda: started.points() >= 4)
    started = Started(command, out)
    started.kill_once(lambda: started.points() >= 8)
    assert not (out / "report.html").exists()
    started = Started(command, out)
    started.kill_once((out / "best_curve.svg").exists)
    assert started.points() == POINTS
    said = alsolike_says(*command)
    assert said.count(f"2 of 2 runs are already in {out / 'ledger.sqlite'}.") == RUNS // 2
    for name in SAME:
        assert (out / name).read_bytes() == (ran.out / name).read_bytes(), name
    assert not [path.name for path in out.rglob(".*")]


def test_another_command_into_the_same_place_is_one_error_and_nothing_is_lost(
    ran: Ran, data: Path
) -> None:
    before = {path: path.read_bytes() for path in ran.out.rglob("*") if path.is_file()}
    for other in (["--seed", "7"], ["--k", "5"], ["--sweeps", "1,2"], ["--repeats", "once"]):
        result = click.testing.CliRunner().invoke(main, [*words(data, ran.out), *other])
        assert result.exit_code == 1
        [line] = result.stderr.splitlines()
        assert "belongs to another run" in line
        assert "choose another folder" in line
        assert {path: path.read_bytes() for path in before} == before


def test_the_same_bytes_for_any_number_of_threads_from_file_to_recommendations(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)
    users, items = rng.zipf(1.3, 200_000) % 900, rng.zipf(1.2, 200_000) % 400
    # What such values sum to depends on their order, and not in the last bits alone.
    values = rng.choice([0.1, 0.7, 1e17, -1e17, 0.3], size=200_000)
    lines = (
        f"u{user},i{item},{value}" for user, item, value in zip(users, items, values, strict=True)
    )
    (tmp_path / "likes.csv").write_text("user,item,value\n" + "\n".join(lines) + "\n")
    results = []
    for threads in (1, 2, 4):
        engine = LocalEngine(threads)
        likes, _ = alsolike.read(
            tmp_path / "likes.csv", user="user", item="item", value="value", threads=threads,
            duplicates="keep", negative="net",
        )  # fmt: skip
        settings = alsolike.ALSConfig(factors=12, iterations=2, confidence="log")
        model = alsolike.fit(likes, settings, engine=engine)
        best = alsolike.recommend(model, engine=engine)
        near = alsolike.similar(model, engine=engine)
        results.append(
            (
                likes.fingerprint,
                model.user_factors.tobytes(),
                model.item_factors.tobytes(),
                best["item"].tolist(),
                best["score"].tobytes(),
                near["similar_item"].tolist(),
                near["score"].tobytes(),
            )
        )
    assert results[0] == results[1] == results[2]


RADIOHEAD = {
    "Thom Yorke", "Muse", "Coldplay", "Sigur Rós", "Portishead", "Beck", "Björk", "Jeff Buckley",
    "The Smashing Pumpkins", "Massive Attack", "Arcade Fire", "Pixies", "Blur", "The Beatles",
    "Air", "Gorillaz", "Interpol", "The Strokes", "R.E.M.", "Nirvana", "The White Stripes", "Moby",
    "Pink Floyd", "David Bowie", "Oasis", "Placebo", "Franz Ferdinand", "The Cure", "Travis",
    "Snow Patrol", "Keane", "The Killers", "Bloc Party", "Sonic Youth", "The Verve",
}  # fmt: skip
MADONNA = {
    "Kylie Minogue", "Lady Gaga", "Beyoncé", "Michael Jackson", "Britney Spears", "Rihanna",
    "Christina Aguilera", "Shakira", "Black Eyed Peas", "The Pussycat Dolls", "Cher", "P!nk",
    "Katy Perry", "Jennifer Lopez", "Mariah Carey", "Janet Jackson", "Gwen Stefani", "Ke$ha",
    "Nelly Furtado", "Justin Timberlake", "Robyn", "Whitney Houston", "Fergie", "Sugababes",
}  # fmt: skip
METALLICA = {
    "Iron Maiden", "Guns N' Roses", "Megadeth", "Black Label Society", "Black Sabbath", "AC/DC",
    "System of a Down", "Tenacious D", "Ozzy Osbourne", "Pantera", "Slayer", "Motörhead",
    "Slipknot", "Korn", "Judas Priest", "Anthrax", "Rammstein", "Disturbed", "Led Zeppelin",
    "Deep Purple", "Nirvana", "Alice in Chains", "Rage Against the Machine", "Dream Theater",
    "Testament", "Apocalyptica", "Children of Bodom", "In Flames", "Audioslave", "Foo Fighters",
}  # fmt: skip


@pytest.fixture(scope="module")
def lastfm(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder, out = shared_data / "lastfm-2k", tmp_path_factory.mktemp("lastfm")
    return Ran(
        out,
        alsolike_says(
            "run", folder / "user_artists.dat.gz", "--user", "userID", "--item", "artistID",
            "--value", "weight", "--items", folder / "artists.dat.gz", "--item-id", "id",
            "--item-name", "name", "--item-link", "url", "--item-image", "pictureURL",
            "--set", "regularization=0.03", "--set", "factors=32", "--set", "values=binary",
            "--grid", "unobserved_weight=0.03,0.1", "--sweeps", "8",
            "--families", "als", "--out", out, "--verbose",
        ),
    )  # fmt: skip


def test_lastfm_beats_popularity_with_intervals_apart(lastfm: Ran) -> None:
    assert "duplicate rows             0" in lastfm.said
    assert "users                      1,892" in lastfm.said
    _, lists = lastfm.said.split("test users (not used for any choice)")
    lines = [line.split("|") for line in lists.splitlines() if "| precision@10 " in line]
    found = {line[1].strip(): [float(one) for one in line[3:6]] for line in lines}
    assert list(found) == ["als", "popularity", "item-knn"]
    ours, theirs = found["als"], found["popularity"]
    assert ours[0] > 0.11
    assert ours[1] > theirs[2]
    assert "Lists: better than popularity: precision@10 higher by 0." in lastfm.said


@pytest.mark.parametrize(
    ("artist", "kindred"),
    [("Radiohead", RADIOHEAD), ("Madonna", MADONNA), ("Metallica", METALLICA)],
)
def test_lastfm_neighbours_make_sense(lastfm: Ran, artist: str, kindred: set[str]) -> None:
    near = alsolike.similar(lastfm.model, artist)
    assert len(set(near["name"]) & kindred) >= 7, near["name"].tolist()
    rows = [lastfm.model.items.index_of(item) for item in near["similar_item"]]
    assert lastfm.model.item_counts[rows].min() >= 5


def test_lastfm_report_asks_no_other_host_for_anything(
    lastfm: Ran, visit: Callable[[Path], Visited]
) -> None:
    assert b"userserve-ak.last.fm" in (lastfm.out / "model" / "items.safetensors").read_bytes()
    page = visit(lastfm.out / "report.html")
    assert (page.complaints, page.requests) == ([], [])
    assert "last.fm/music" in (lastfm.out / "report.html").read_text(encoding="utf-8")


def test_steam_with_confidence_scaled(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "steam-200k"
    said = alsolike_says(
        "search", folder / "game_play.dat.gz", "--user", "User_ID", "--item", "Game_ID", "--value",
        "Hours", "--items", folder / "item_info.dat.gz", "--item-name", "Game Name",
        *set_loss(confidence="scaled", regularization=10), "--set", "factors=16",
        "--grid", "alpha=0.1,1", "--sweeps", "3", "--out", tmp_path, "--verbose",
    )  # fmt: skip
    assert "run 1: alpha 0.1" in said
    with (tmp_path / "leaderboard.csv").open() as file:
        board = list(csv.DictReader(file))
    assert {row["alpha"] for row in board} == {"0.1", "1.0", ""}
    scores = {row["model"]: float(row["validation_precision@10"]) for row in board}
    assert all((score > 0.03) == (model != "random") for model, score in scores.items())


def test_retail_with_customers_missing_and_returns_negative(shared_data: Path) -> None:
    source = shared_data / "online-retail-2010-2011" / "online_retail_2010_2011.csv.gz"
    said = alsolike_says(
        "read", source, "--user", "CustomerID", "--item", "Description", "--value", "Quantity",
        "--timestamp", "InvoiceDate", "--missing-id", "drop", "--negative", "net",
    )  # fmt: skip
    assert re.search(r"^rows +541,909$", said, re.MULTILINE)
    for counts in ("6,007 dropped", "134,374 dropped", "8,871 net", "65,859 (132,371 further"):
        assert counts in said
    assert re.search(r"^users +4,326\nitems +3,861\ninteractions +266,704 ", said, re.MULTILINE)


def test_the_articles_command_on_the_articles_dialect(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "sketchfab-catalogue-only" / "model_urls.psv.gz"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        lines = file.read().split("\r\n")[1:]
    whole = [line for line in lines if re.fullmatch(r"[^\\]*\|[0-9a-f]{32}", line)][:20]
    quoted = [line for line in lines if re.fullmatch(r"\\[^\\]*\\\|[0-9a-f]{32}", line)][:20]
    rng = np.random.default_rng(0)
    with (tmp_path / "model_likes_anon.psv").open("w", encoding="utf-8", newline="") as file:
        file.write("modelName|mid|uid\n")
        for user in range(40):
            chosen = quoted if user % 2 else whole
            for place in rng.choice(20, size=12, replace=False):
                file.write(f"{chosen[place]}|{user:032x}\n")
    said = alsolike_says(
        "run", tmp_path / "model_likes_anon.psv", "--user", "uid", "--item", "mid", "--item-name",
        "modelName", "--item-link", "https://sketchfab.com/models/{id}", "--out", tmp_path / "out",
        "--set", "factors=4", "--set", "regularization=0.01", "--grid", "unobserved_weight=0.3",
        "--sweeps", "2", "--verbose",
    )  # fmt: skip
    assert "delimiter '|', quote '\\', escape '\\'" in said
    assert re.search(r"^interactions +480 ", said, re.MULTILINE)
    model = alsolike.load(tmp_path / "out" / "model")
    assert model.catalogue is not None
    assert model.catalogue.names is not None
    name, mid = quoted[0].removeprefix("\\").split("\\|")
    assert "|" in name
    row = model.item_index(name)
    assert model.items.id_of(row) == mid
    assert model.catalogue.links is not None
    assert model.catalogue.links[row] == f"https://sketchfab.com/models/{mid}"


def test_a_quiet_run_prints_warnings_alone_and_writes_in_its_own_place_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(data / "undisturbed", tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in data.iterdir())
    result = click.testing.CliRunner().invoke(main, words(data, Path("out"), "--quiet"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert all(line.startswith("warning: ") for line in result.stderr.splitlines())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in data.iterdir()) == before

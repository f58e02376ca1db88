"""The report page: read as text, and opened in a browser that may not reach any network."""

import dataclasses
import itertools
import re
import shutil

import numpy as np
import pytest
from markupsafe import Markup

from alsolike.tables import Table
from alsolike.views import leaderboard as leaderboards
from alsolike.views.figures.learning_curves import all_curves, best_curve
from alsolike.views.gallery import Card, Gallery, Shelf
from alsolike.views.page import web_origin
from alsolike.views.report import ReportContent, report_html
from alsolike.views.templating import standalone

METRIC = "precision@10"
SCORE = f"validation_{METRIC}"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "\"' onmouseover='alert(4)' x=\"",
    "</style></title></svg><svg onload=alert(5)>",
    "{{constructor.constructor('alert(6)')()}}",
    "\u202eevil\u2066\u0000\ud800",
    "<!--<iframe src='https://evil.example'>",
    "]]><base href='https://evil.example/'>",
    "W" * 10_000,
    "null",
    "",
    "Ünïcödé العربية 日本語 " * 40,
)
ADDRESSES = ("javascript:alert(7)", "https://evil.example/p.jpg", "data:text/html,x", "", "//x.y")


def curves(runs):
    grid = itertools.product((10, 20, 40, 80, 120), (0.0, 1e-5, 1e-3, 0.1, 10.0, 1e3), range(6))
    return [
        {
            "run": run,
            "rank": run,
            "sweep": sweep,
            "factors": factors,
            "regularization": regularization,
            "alpha": alpha,
            f"train_{METRIC}": 0.3 + 0.1 / sweep,
            SCORE: 0.05 - 0.0001 * run - 0.03 / sweep,
            f"{SCORE}_low": 0.048 - 0.0001 * run - 0.03 / sweep,
            f"{SCORE}_high": 0.052 - 0.0001 * run - 0.03 / sweep,
            "train_mse": 0.0128 + 0.001 / sweep,
            "validation_mse": 0.0137 + 0.001 / sweep,
        }
        for run, (factors, regularization, alpha) in enumerate(itertools.islice(grid, runs), 1)
        for sweep in range(2, 39, 2)
    ]


def leaderboard(rows):
    best = [row for row in rows if row["sweep"] == 38]
    shown = ("rank", "run", "factors", "regularization", "alpha", "sweep", SCORE)
    lines = [
        {name: row[name] for name in (*shown, f"{SCORE}_low", f"{SCORE}_high")}
        | {"model": "als", "ties": row["run"] in (2, 3)}
        for row in best
    ]
    popularity = {"rank": len(best) + 1, "model": "popularity", SCORE: 0.0213}
    return Table.from_rows([*lines, popularity | {f"{SCORE}_low": 0.02, f"{SCORE}_high": 0.0226}])


def families(text):
    rows = [("als", 3, 0.15, True), (text, 5, 0.149, True), ("item-knn", 8, 0.12, False)]
    return Table.from_rows(
        [
            {"family": family, "run": run, "mean": mean, "low": mean - 0.01, "high": mean + 0.01}
            | {"ties": ties, "size": "2.1 MiB", "seconds": "1.2 s"}
            for family, run, mean, ties in rows
        ]
    )


def folds(text):
    rows = [("fold 1", 0.1), (text, 0.12), ("all folds", 0.11)]
    return Table.from_rows(
        [
            {"model": fold, "metric": METRIC, "mean": mean, "low": mean - 0.01, "high": mean + 0.01}
            | {"users": 70}
            for fold, mean in rows
        ]
    )


def galleries(names, remote=False):
    cards = itertools.cycle(
        Card(f"id {place}", name, address, ADDRESSES[(place + 1) % len(ADDRESSES)], 0.9, name[:40])
        for place, (name, address) in enumerate(zip(names, itertools.cycle(ADDRESSES)))
    )
    shelves = tuple(
        Shelf(dataclasses.replace(next(cards), score=None), tuple(itertools.islice(cards, 5)))
        for _ in range(3)
    )
    return [(f"{kind} items", Gallery(shelves, remote)) for kind in ("Popular", "Middling", "Rare")]


def content(runs=3, text="Likes", names=("Radiohead", "Muse", "Björk"), remote=False):
    rows = curves(runs)
    table = Table.from_rows(rows)
    first = Table.from_rows([row for row in rows if row["run"] == 1])
    scores = [
        {"model": model, "metric": metric, "mean": mean, "low": mean - 0.004, "high": mean + 0.004}
        | {"users": 1234}
        for metric in (METRIC, "ndcg@10")
        for model, mean in (("als", 0.15), ("popularity", 0.07))
    ]
    return ReportContent(
        title=text,
        command=f"alsolike run likes.csv --out {text}",
        reading=[("file", text), (text, "tab")],
        filtering=Table(
            {
                "stage": ["before", "after"],
                "users": [1892, 1870],
                "items": [17632, 3000],
                "interactions": [92834, 71000],
                "density": [0.00278, 0.0126],
            }
        ),
        splitting=[("test", text)],
        leaderboard=leaderboard(rows),
        families=families(text),
        about_families=[text],
        folds=[
            folds(text),
            Table({"fold": ["1", text], "seen": [5, 7], "test from": [text, None]}),
        ],
        chosen=[("factors", "40"), (text, text)],
        scores=Table.from_rows(scores),
        best_curve=best_curve(first, metric=METRIC, title=text, chosen_sweep=22),
        all_curves=all_curves(table, metric=METRIC, best=1, baseline=0.0213),
        further=[],
        tables=[],
        galleries=galleries(names, remote),
        warnings=[text],
        notes=[text],
        files=[("model/", text)],
        versions=[("alsolike", text)],
    )


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=switches)
        yield browser
        browser.close()


class Visit:
    """A page opened from disk; what it says, asks and requests is written down, and refused."""

    def __init__(self, browser, path, **context):
        self.context = browser.new_context(**context)
        self.complaints, self.requests = [], []
        self.context.route("**/*", self._answer)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.goto(path.as_uri())

    def _dialog(self, dialog):
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _answer(self, route):
        address = route.request.url
        if address.startswith("file:"):
            route.continue_()
        else:
            self.requests.append(address)
            route.abort()


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    text = "".join(HOSTILE[:9])
    path.write_text(report_html(content(180, text, HOSTILE)), encoding="utf-8")
    return path


def test_the_page_stays_small_at_the_size_of_the_article(hostile_report):
    assert hostile_report.stat().st_size < 5_000_000 / 5


def test_hostile_texts_are_inert(chromium, hostile_report):
    visit = Visit(chromium, hostile_report, viewport={"width": 1280, "height": 900})
    visit.page.hover(".als-wide svg >> nth=1")
    assert (
        visit.page.evaluate("document.querySelectorAll('iframe, base, object, [onload]').length")
        == 0
    )
    assert visit.page.evaluate("[...document.scripts].length") == 3
    assert (visit.complaints, visit.requests) == ([], [])
    addresses = visit.page.eval_on_selector_all("a", "links => links.map(link => link.href)")
    assert {address.split(":")[0] for address in addresses} == {"file", "https"}
    assert visit.page.locator(".als-tip:visible").count() == 1
    visit.context.close()


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_width_scrolls_sideways(chromium, hostile_report, width):
    visit = Visit(chromium, hostile_report, viewport={"width": width, "height": 800})
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.page.locator("svg:visible").count() > 0
    shown = ".als-narrow" if width < 640 else ".als-wide"
    assert visit.page.locator(f"{shown}:visible").count() == 2
    visit.context.close()


def test_the_page_makes_sense_without_scripts(chromium, hostile_report):
    visit = Visit(chromium, hostile_report, java_script_enabled=False)
    page = visit.page
    assert page.locator("path[data-trace]:visible").count() == 4 + 180
    rest = page.locator("#runs details table")
    assert not rest.is_visible()
    page.locator("#runs summary").click()
    assert rest.is_visible()
    visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_in_light_and_dark(chromium, hostile_report, scheme):
    visit = Visit(chromium, hostile_report, color_scheme=scheme)
    pairs = visit.page.evaluate(
        """() => {
            const canvas = document.createElement("canvas").getContext("2d");
            const paint = (colour, under) => {
                canvas.globalAlpha = 1;
                for (const one of [under, colour]) {
                    canvas.fillStyle = one; canvas.fillRect(0, 0, 1, 1);
                }
                return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
            };
            const paper = getComputedStyle(document.body).backgroundColor;
            const tint = getComputedStyle(document.querySelector(".warnings")).backgroundColor;
            const chosen = "body, .lede, .brand, a, th, td, dt, summary, .als-note, .als-away, " +
                "tr.best td, tr.line td, .whisker span, .tile .big, .warnings li, pre";
            return [...document.querySelectorAll(chosen)].slice(0, 400).map(element => {
                const under = element.closest(".warnings, pre") ? tint : paper;
                return [paint(getComputedStyle(element).color, under), paint(under, under)];
            });
        }"""
    )
    worst = min(contrast(*pair) for pair in pairs)
    assert worst >= 4.5
    visit.context.close()


def contrast(one, other):
    """WCAG 2.2: the ratio of relative luminances."""

    def luminance(colour):
        parts = np.array(colour) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722) + 0.05

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return light / dark


@pytest.fixture(scope="module")
def page():
    return report_html(content(remote=True))


def test_a_report_loads_no_picture_of_a_gallery_that_would(page):
    assert "img-src data:;" in page
    assert "evil.example" not in "".join(re.findall(r"<img [^>]*>", page))


def test_remote_pictures_are_loaded_when_asked_for(chromium, tmp_path):
    path = tmp_path / "gallery.html"
    (_, gallery), *_ = galleries(("Radiohead", "Muse"), remote=True)
    path.write_text(gallery.to_html(), encoding="utf-8")
    visit = Visit(chromium, path)
    visit.page.wait_for_timeout(100)
    assert {web_origin(address) for address in visit.requests} == {"https://evil.example"}
    visit.context.close()


def test_headings_are_in_order_and_pictures_have_words(page):
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(' alt="' in image for image in re.findall(r"<img [^>]*>", page))
    assert page.count('role="img" aria-label="') == 4


def test_the_policy_forbids_all_that_is_not_named(page):
    named = re.compile(r'Policy" content="([^"]*)"')
    small = named.search(standalone("x", Markup(), scripts=["figure.js"]))[1]
    assert small.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in named.search(page)[1]


def test_the_answer_stands_first(page):
    assert page.index('class="big">0.1500') < page.index('class="big">0.0700')
    assert page.index("0.0700") < page.index("Popular items") < page.index("<h3>Input</h3>")
    assert "0.278 %" in page
    assert "2 runs, marked ≈, do not differ significantly from the best" in page


def test_nothing_to_show_is_said():
    bare = dataclasses.replace(
        content(), scores=Table({"model": [], "metric": []}), galleries=[], warnings=[], notes=[]
    )
    page = report_html(bare)
    assert "no score to report" in page
    assert 'href="#similar"' not in page
    assert 'class="warnings"' not in page


def test_the_leaderboard_keeps_popularity_in_sight():
    shown, hidden = leaderboards.leaderboard(leaderboard(curves(30))).split("<details>")
    assert shown.count("<tr") == 1 + 15 + 1
    assert shown.count("popularity") == 1
    assert "Show the other 16 of 31 rows" in hidden
    assert shown.count('class="best"') == 1
    assert shown.count("≈") == 2


def test_families_are_shown_with_the_best_and_those_that_tie():
    markup = leaderboards.families(families("ease"))
    assert markup.count("<tr") == 4
    assert markup.count('class="best"') == 1
    assert markup.count("≈") == 1
    assert "2.1 MiB" in markup
    page = report_html(content())
    assert page.count("<h3>Families</h3>") == page.count("<h3>Folds by time</h3>") == 1
    assert '<th scope="col">fold</th>' in page
    none = dataclasses.replace(content(), about_families=[], families=Table({}), folds=[])
    assert "<h3>Families</h3>" not in report_html(none)
    assert "<h3>Folds by time</h3>" not in report_html(none)


def test_a_short_leaderboard_is_whole_and_gaps_are_dashes():
    markup = leaderboards.leaderboard(leaderboard(curves(2)))
    assert "<details>" not in markup
    # Popularity has no factors: the table then keeps that column as text.
    assert "<bdi>10</bdi>" in markup
    assert "<bdi>0</bdi>" in markup
    assert "<bdi>-</bdi>" in markup


def test_equal_means_and_missing_intervals_are_drawn():
    table = Table({"rank": [1, 2], "model": ["als", "als"], "mean": [0.1, 0.1]})
    markup = leaderboards.leaderboard(table)
    assert markup.count('x1="50.0"') == 2
    assert "nan" not in markup


def test_the_first_lines_say_whether_the_model_is_better_than_popularity():
    verdicts = [
        ("Similar items: not better <b>than</b> popularity.", False),
        ("Lists: better.", True),
    ]
    shown = dataclasses.replace(content(), verdicts=verdicts, warnings=["Something else."])
    page = report_html(shown)
    places = [
        page.index(part)
        for part in (
            "</h1>",
            "not better &lt;b&gt;than",
            "Lists: better.",
            "Something else.",
            "<nav",
        )
    ]
    assert places == sorted(places)
    assert page.count('class="verdict poor"') == page.count('class="verdict"') == 1
    assert 'class="verdict' not in report_html(content())


def test_sweeps_have_no_column_where_nothing_has_any():
    table = leaderboard(curves(3))
    assert ">sweep<" in leaderboards.leaderboard(table)
    ended = [row | {"sweep": None} for row in table.rows()]
    assert ">sweep<" not in leaderboards.leaderboard(Table.from_rows(ended))


def test_what_was_published_is_said_and_figures_may_be_missing():
    whole = content()
    told = "Published: ease (regularization 500), run 6."
    made = report_html(dataclasses.replace(whole, published=told))
    assert made.index("Published: ease") < made.index('<nav aria-label="Contents')
    without = dataclasses.replace(whole, best_curve=None, further=[("Time", whole.all_curves)])
    headings = re.findall(r"<h3[^>]*>([^<]*)</h3>", report_html(without))
    assert "The chosen run" not in headings
    assert {"All learning curves", "Time"} <= set(headings)
    none = report_html(dataclasses.replace(whole, best_curve=None, all_curves=None))
    assert 'href="#curves"' not in none

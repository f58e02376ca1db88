"""Pictures of a search: settings and time against the score, and how curves end."""

import itertools
import json
import math
import re
import shutil

import numpy as np
import pytest
from markupsafe import Markup

from alsolike.errors import SettingError
from alsolike.tables import Table
from alsolike.views.figures import label_placement, marks
from alsolike.views.figures.axes import number_axis, text_axis, time_axis
from alsolike.views.figures.frontier import frontier, time_and_score
from alsolike.views.figures.learning_curves import all_curves, figure, to_html, to_png, to_svg
from alsolike.views.figures.settings import settings_and_score
from alsolike.views.templating import standalone

METRIC = "precision@10"
SCORE = f"validation_{METRIC}"
SETTINGS = ("factors", "regularization", "alpha")
HOSTILE = "</script><script>alert(1)</script>{{7*7}} \u202e\x00'\"" + "W" * 1000


def board(runs=180, *, baselines=True, **more):
    """A leaderboard as the article's grid would leave it, and what each run took."""
    grid = itertools.product(
        (10, 20, 40, 80, 120), (0.0, 1e-5, 1e-3, 0.1, 10.0, 1e3), (1.0, 10.0, 50.0, 100.0, 5e2, 1e3)
    )
    rows = [
        {"rank": 0, "run": run, "model": "als", "factors": factors}
        | {"regularization": regularization, "alpha": alpha, "sweep": 22}
        | {SCORE: 0.05 - 0.01 * abs(math.log10(alpha / 50)) - 1e-4 * abs(factors - 40) - 1e-6 * run}
        for run, (factors, regularization, alpha) in enumerate(itertools.islice(grid, runs), 1)
    ]
    if baselines:
        rows += [{"model": "popularity", SCORE: 0.021}, {"model": "ease", SCORE: 0.0432}]
    rows.sort(key=lambda row: -row[SCORE])
    rows = [
        row
        | {"rank": rank, f"{SCORE}_low": row[SCORE] - 0.002, f"{SCORE}_high": row[SCORE] + 0.002}
        | {"ties": rank <= 5}
        | more
        for rank, row in enumerate(rows, 1)
    ]
    seconds = [0.5 * row.get("factors", 3) + row.get("run", 0) / 1000 for row in rows]
    return Table.from_rows(rows), seconds


def curves(states, sweeps=(2, 4, 6)):
    rows = [
        {"run": run, "rank": run, "sweep": sweep, "factors": 10 * run, SCORE: 0.1 / run + sweep}
        | {"state": state}
        for run, state in enumerate(states, 1)
        for sweep in (sweeps if state in ("done", "stopped") else sweeps[:2])
    ]
    return Table.from_rows(rows)


def dots(view):
    layer = next(layer for layer in view["layer"] if layer["mark"]["type"] == "point")
    return layer.get("data", view.get("data"))["values"]


def told_in(markup):
    start = markup.index('<script type="application/json">') + 32
    return json.loads(markup[start : markup.index("</script>", start)])


# Settings against the score


def test_each_panel_holds_the_values_of_the_table():
    table, _ = board()
    spec = settings_and_score(table, SETTINGS, SCORE)
    assert [panel["title"]["text"] for panel in spec["concat"]] == list(SETTINGS)
    als = [row for row in table.rows() if row["model"] == "als"]
    for name, panel in zip(SETTINGS, spec["concat"], strict=True):
        drawn = [(dot["setting"], dot["value"], dot["low"], dot["high"]) for dot in dots(panel)]
        expected = [
            (row[name], row[SCORE], row[f"{SCORE}_low"], row[f"{SCORE}_high"]) for row in als
        ]
        assert sorted(drawn) == sorted(expected)
        assert panel["encoding"]["y"]["scale"] == spec["concat"][0]["encoding"]["y"]["scale"]


def test_the_best_is_on_top_and_ties_are_told_apart_by_more_than_colour():
    spec = settings_and_score(board()[0], SETTINGS, SCORE)
    points = dots(spec["concat"][0])
    assert points[-1]["standing"] == "best: run 75, 0.0499"
    assert (
        sum(point["standing"] == "not significantly different from it (4 runs)" for point in points)
        == 4
    )
    layer = spec["concat"][0]["layer"][-1]["encoding"]
    looks = [layer[channel]["scale"]["range"] for channel in ("size", "stroke", "fill")]
    assert all(len(look) == 3 for look in looks)
    assert len(set(looks[0])) == 3  # sizes
    assert looks[2][1] != looks[2][2]  # filled, hollow
    assert "; 2 rows of other models not shown" in spec["description"]


def test_what_was_pruned_is_drawn_as_such():
    table, _ = board(6, baselines=False)
    states = ["done", "pruned", "done", "done", "done", "pruned"]
    spec = settings_and_score(
        Table({**table.to_dict(), "state": states, "ties": [True] * 2 + [False] * 4}),
        ["alpha"],
        SCORE,
    )
    standings = [point["standing"] for point in reversed(dots(spec["concat"][0]))]
    assert standings[1] == "not significantly different from it (1 run)"
    assert standings[-1] == "stopped early (1 run)"


def test_ties_with_the_best_of_all_models_are_not_called_ties_with_the_best_drawn():
    table, _ = board(12)
    rows = [row | {"rank": row["rank"] + 1} for row in table.rows()]
    above = {"rank": 1, "model": "ease", SCORE: 0.06, "ties": True}
    spec = settings_and_score(Table.from_rows([above, *rows]), ["alpha"], SCORE)
    standings = {point["standing"] for point in dots(spec["concat"][0])}
    assert any(
        "not significantly different from the best of all" in standing for standing in standings
    )


def test_points_at_one_place_stand_beside_each_other():
    spec = settings_and_score(board()[0], ["regularization"], SCORE)
    (panel,) = spec["concat"]
    places = [(dot["place"], round(dot["value"], 4), dot["aside"]) for dot in dots(panel)]
    assert len(set(places)) > 0.9 * len(places)
    assert dots(panel)[-1]["aside"] == 0


def test_columns_that_may_be_missing_may_be_missing():
    table = Table({"rank": [1, 2], "alpha": [1.0, 2.0], SCORE: [0.2, 0.1]})
    spec = settings_and_score(table, ["alpha"], SCORE)
    (layer,) = spec["concat"][0]["layer"]
    assert layer["mark"]["type"] == "point"
    assert "2 runs by their settings" in spec["description"]
    svg = to_svg(spec)
    assert "nan" not in svg.lower().replace("nance", "")
    assert [
        dot["value"] for dot in dots(time_and_score(table, [2.0, 1.0], SCORE)["concat"][0])
    ] == [
        0.1,
        0.2,
    ]


def test_gaps_are_counted_and_no_value_is_made_up():
    table = Table(
        {
            "rank": [1, 2, 3, None],
            "run": [1, 2, 3, 4],
            "alpha": [1.0, None, 50.0, 2.0],
            SCORE: [0.3, 0.2, 0.1, np.nan],
        }
    )
    spec = settings_and_score(table, ["alpha"], SCORE)
    assert [dot["setting"] for dot in dots(spec["concat"][0])] == [50.0, 1.0]
    assert spec["concat"][0]["title"]["subtitle"] == "best: 1, set in 2 of 3 runs"
    assert "; 1 run without a score not shown" in spec["description"]
    assert "NaN" not in figure(spec)


@pytest.mark.parametrize(
    ("settings", "model", "message"),
    [
        (["beta"], "als", r"columns \['beta'\]"),
        (["sweep"], "als", "none of .* has two values"),
        (["alpha"], "bpr", "a run of 'bpr'"),
    ],
)
def test_what_cannot_be_drawn_is_said(settings, model, message):
    with pytest.raises(SettingError, match=message):
        settings_and_score(board()[0], settings, SCORE, model=model)


# Axes


def test_zero_stands_beside_the_decades_under_its_own_name():
    axis = number_axis([0.0, 1e-5, 1e-3, 0.1, 1e3], width=800)
    assert axis.encoding["scale"]["type"] == "log"
    assert axis.places[1e-3] == 1e-3
    assert 0 < axis.places[0.0] < 1e-5
    assert axis.encoding["axis"]["values"][0] == axis.places[0.0]
    assert re.findall("'([^']*)'", axis.encoding["axis"]["labelExpr"]) == [
        "0", "1e-5", "0.001", "0.1", "1000", ""
    ]  # fmt: skip
    assert axis.share(0.0) == 0
    assert axis.share(1e3) == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([10, 20, 40, 80, 120], "log"),
        ([5, 6, 7], "linear"),
        ([-1000.0, 1.0, 1000.0], "linear"),
        ([0.0], "linear"),
        ([1.0, 50.0, 51.0, 52.0, 1000.0], "point"),  # the ticks would run into each other
        (list(np.linspace(1, 9, 30)), "linear"),
        (list(np.geomspace(1e-6, 1, 30)), "log"),
    ],
)
def test_numbers_get_the_axis_on_which_they_can_be_read(values, kind):
    axis = number_axis(values, width=250)
    assert axis.encoding["scale"]["type"] == kind
    shares = [axis.share(value) for value in sorted(values)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_texts_that_are_one_when_cleaned_stay_two():
    axis = text_axis(["log", "lo\u202eg", "", "x" * 500], width=300)
    assert len(set(axis.places.values())) == 4
    assert axis.places[""] == "(empty)"
    assert max(map(len, axis.places.values())) <= 40


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        ([0.01, 500.0], ["0.01 s", "0.1 s", "1 s", "10 s", "1 min"]),
        ([50.0, 80.0], ["50 s", "1 min", "1 min 10 s", "1 min 20 s"]),
        ([0.0, 1.0, 30.0], ["0 s", "1 s", "2 s", "5 s", "10 s", "20 s", "30 s"]),
        ([4000.0, 8000.0], ["1 h 20 min", "1 h 40 min", "2 h"]),
        ([7.0], ["7 s"]),
        ([0.0], ["0 s"]),
    ],
)
def test_times_are_told_in_words(seconds, ticks):
    axis = time_axis(seconds)
    assert re.findall("'([^']+)'", axis.encoding["axis"]["labelExpr"]) == ticks
    assert list(axis.encoding["axis"]["values"]) == sorted(axis.encoding["axis"]["values"])


# Time against the score


def test_the_frontier_is_what_no_other_run_beats():
    rng = np.random.default_rng(7)
    runs = [{"seconds": s, "value": v} for s, v in rng.random((200, 2)).round(2).tolist()]
    reached = frontier(runs)
    for run in runs:
        beaten = any(
            other["seconds"] <= run["seconds"]
            and other["value"] >= run["value"]
            and (other["seconds"], other["value"]) != (run["seconds"], run["value"])
            for other in runs
        )
        pairs = [(one["seconds"], one["value"]) for one in reached]
        assert ((run["seconds"], run["value"]) in pairs) == (not beaten)


def test_times_and_scores_are_those_of_the_table_and_models_have_shapes_and_names():
    table, seconds = board()
    spec = time_and_score(table, seconds, SCORE)
    drawing, listed = spec["concat"]
    drawn = [(dot["seconds"], dot["value"]) for dot in dots(drawing)]
    assert sorted(drawn) == sorted(zip(seconds, table[SCORE].tolist(), strict=True))
    steps = next(layer for layer in drawing["layer"] if layer["mark"]["type"] == "line")
    assert steps["mark"]["interpolate"] == "step-after"
    assert steps["data"]["values"][-1]["value"] == max(table[SCORE])
    shape = next(layer for layer in drawing["layer"] if "shape" in layer.get("encoding", {}))
    scale = shape["encoding"]["shape"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        "als": "circle",
        "ease": "diamond",
        "popularity": "triangle-down",
    }
    words = {
        layer["data"]["values"][0]["words"]
        for layer in drawing["layer"]
        if layer["mark"]["type"] == "text"
    }
    numbers = [entry["number"] for entry in listed["data"]["values"]]
    assert words == {"als", "ease", "popularity", *numbers}
    assert listed["data"]["values"][-1]["reached"] == "0.0499 after 20 s, als"
    assert listed["data"]["values"][-1]["settings"] == [
        "factors 40 · regularization 0",
        "alpha 50",
    ]


def test_runs_stand_where_the_words_beside_them_think():
    table, seconds = board(30)
    svg = to_svg(time_and_score(table, seconds, SCORE))
    named = re.findall(r'aria-label="row \d+" [^>]*"point" transform="translate\(([\d.]+),', svg)
    places = sorted(map(float, named))
    assert len(places) == len(table)
    assert places[0] == pytest.approx(marks.EDGE, abs=0.6)
    assert places[-1] == pytest.approx(528 - marks.EDGE, abs=0.6)


def test_words_cover_neither_each_other_nor_the_edge():
    free = label_placement.Drawing((100, 50), 300, [])
    assert label_placement.best_side("ease", [free]) == ("left", 9.0, 0.0)
    right = label_placement.Drawing((290, 50), 300, [])
    assert label_placement.best_side("ease", [right])[0] == "right"
    blocked = label_placement.Drawing((100, 50), 300, [(105, 40, 140, 60), (60, 40, 95, 60)])
    assert label_placement.best_side("ease", [blocked])[2] != 0.0
    assert label_placement.best_side("ease", [free, right])[0] == "right"


def test_numbers_on_the_frontier_keep_apart_and_the_last_has_one():
    places = [(10.0 * at, -3.0 * at) for at in range(40)]
    chosen = label_placement.apart(places, distance=20, most=5)
    assert len(chosen) == 5
    assert chosen[-1] == 39
    assert all(places[b][0] - places[a][0] >= 20 for a, b in itertools.pairwise(chosen))
    assert label_placement.apart([(0.0, 0.0)], distance=20, most=5) == [0]


def test_runs_without_a_time_are_counted_and_bad_times_refused():
    table, seconds = board(6)
    spec = time_and_score(table, [None, math.nan, *seconds[2:]], SCORE)
    assert len(dots(spec["concat"][0])) == len(table) - 2
    assert "; 2 runs without a time not shown" in spec["description"]
    with pytest.raises(SettingError, match="must not be negative"):
        time_and_score(table, [-1.0, *seconds[1:]], SCORE)
    with pytest.raises(SettingError, match="8 rows, and there are 1 times"):
        time_and_score(table, [1.0], SCORE)
    with pytest.raises(SettingError, match="a time and a"):
        time_and_score(table, [None] * len(table), SCORE)


# How curves end


def test_curves_that_were_given_up_are_dashed_and_end_in_a_cross():
    table = curves(["done", "stopped", "pruned", "pruned", "failed"])
    spec = all_curves(table, metric=METRIC, best=1)
    dashed = next(layer for layer in spec["layer"] if "strokeDash" in layer["mark"])
    assert {point["run"] for point in dashed["data"]["values"]} == {3, 4, 5}
    ends = next(layer for layer in spec["layer"] if "shape" in layer["encoding"])
    assert [(point["end"], point["sweep"]) for point in ends["data"]["values"]] == [
        ("stopped early (1 run)", 6),
        ("pruned (2 runs)", 4),
        ("pruned (2 runs)", 4),
        ("failed (1 run)", 4),
    ]
    assert spec["description"].endswith("1 stopped early, 2 pruned, 1 failed.")
    svg = to_svg(spec)
    assert "stopped early (1 run)" in svg
    assert "stroke-dasharray" in svg
    assert len(told_in(figure(spec))) == 5


def test_without_states_all_curves_is_as_it_was():
    with_states = curves(["done", "done"])
    plain = {name: with_states[name] for name in with_states.column_names if name != "state"}
    before = all_curves(Table(plain), metric=METRIC, best=1)
    after = all_curves(with_states, metric=METRIC, best=1)
    assert to_svg(before) == to_svg(after)
    assert before["description"] == after["description"]


def test_an_unknown_state_is_refused():
    with pytest.raises(SettingError, match="state 'lost'; a figure knows done, stopped"):
        all_curves(curves(["done", "lost"]), metric=METRIC, best=1)


# What is drawn


@pytest.fixture(scope="module")
def drawn():
    table, seconds = board()
    states = ["done"] * 20 + ["stopped"] * 20 + ["pruned"] * 140
    return {
        "All runs": all_curves(curves(states, tuple(range(2, 39, 2))), metric=METRIC, best=1),
        "Settings": settings_and_score(table, SETTINGS, SCORE),
        "Time": time_and_score(table, seconds, SCORE),
    }


@pytest.fixture(scope="module")
def page_of_all(drawn):
    return to_html(drawn)


def test_figures_of_180_runs_are_small(page_of_all):
    assert len(page_of_all) < 1_000_000
    assert page_of_all.count("<script>") == 1
    assert page_of_all.count("<style>") == 1


def test_the_same_runs_give_the_same_bytes():
    first, second = (
        [settings_and_score(table, SETTINGS, SCORE), time_and_score(table, seconds, SCORE)]
        for table, seconds in (board(40), board(40))
    )
    for one, other in zip(first, second, strict=True):
        assert to_svg(one) == to_svg(other)
        assert to_png(one, scale=1) == to_png(other, scale=1)
        assert to_png(one, scale=1).startswith(b"\x89PNG\r\n\x1a\n")


def test_the_pointer_finds_a_run_in_all_panels():
    markup = figure(settings_and_score(board()[0], SETTINGS, SCORE))
    told = told_in(markup)["row 0"]
    assert told["label"] == "rank 1 · als · run 75 · factors 40 · regularization 0 · alpha 50"
    assert told["text"] == "validation precision@10 0.0499 (0.0479 to 0.0519)"
    assert markup.count('data-point="row 0"') == 2 * len(SETTINGS)
    assert "<details>" not in markup
    assert "var(--als-accent)" in markup
    assert "#0b6a60" not in markup


def test_hostile_texts_are_inert_in_every_figure():
    table, seconds = board(12)
    renamed = {HOSTILE if name == "alpha" else name: table[name] for name in table.column_names}
    renamed["model"] = [HOSTILE if name == "ease" else name for name in table["model"].tolist()]
    renamed["text"] = [f"{HOSTILE[: 9 + at % 2]}{at % 3}" for at in range(len(table))]
    hostile = Table(renamed)
    page = to_html(
        {
            HOSTILE: settings_and_score(hostile, [HOSTILE, "text"], SCORE),
            "Time": time_and_score(hostile, seconds, SCORE),
        }
    )
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "W" * 301 not in page


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


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_in_a_browser_nothing_is_cut_off_and_a_run_lights_up_everywhere(
    chromium, drawn, tmp_path, width
):
    figures = [figure(spec, caption=name) for name, spec in drawn.items()]
    body = Markup("<main>{}</main>").format(Markup().join(figures))
    path = tmp_path / "page.html"
    made = standalone("x", body, styles=["page.css", "figure.css"], scripts=["figure.js"])
    path.write_text(made, "utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 900})
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url))
    page.goto(path.as_uri())
    complaints.remove(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator('path[data-point="row 0"]:visible').first.hover(force=True)
    page.locator("path.als-lit:visible").first.wait_for()
    assert page.locator("path.als-lit:visible").count() == len(SETTINGS)
    assert "rank 1" in page.locator(".als-tip:visible").inner_text()
    right = page.evaluate(
        "Math.max(...[...document.querySelectorAll('svg text')]"
        ".map(text => text.getBoundingClientRect().right))"
    )
    assert right <= width
    assert complaints == []
    page.close()


def mixed():
    """A leaderboard on which models without columns for their settings stand among others."""
    models = ["ease (500)", "als", "ease (100)", "toy (3)", "item-knn (bm25, 400, 0.2)", "als"]
    scores = [0.09 - place / 100 for place in range(len(models))]
    return Table(
        {
            "rank": range(1, 7),
            "run": [3, 1, 4, 6, 5, 2],
            "model": models,
            "factors": [64 if model == "als" else None for model in models],
            "alpha": [place if model == "als" else None for place, model in enumerate(models)],
            "sweep": [4 if model == "als" else None for model in models],
            SCORE: scores,
            "ties": [place < 2 for place in range(6)],
        }
    )


def test_families_stand_by_their_names_and_their_settings_in_the_list():
    board = mixed()
    spec = time_and_score(board, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], SCORE)
    drawing, listed = spec["concat"]
    written = [
        layer["data"]["values"][0]["words"]
        for layer in drawing["layer"]
        if "words" in layer.get("data", {"values": [{}]})["values"][0]
    ]
    assert set(written) - set("12345") == {"ease", "als", "toy", "item-knn"}
    entries = {entry["reached"]: entry["settings"] for entry in listed["data"]["values"]}
    assert entries["0.0500 after 2 s, item-knn"] == ["bm25, 400, 0.2"]
    assert entries["0.0900 after 6 s, ease"] == ["500"]
    shape = next(
        layer["encoding"]["shape"]["scale"]
        for layer in drawing["layer"]
        if "shape" in layer.get("encoding", {})
    )
    shapes = dict(zip(shape["domain"], shape["range"], strict=True))
    assert shapes == {
        "ease": "diamond", "als": "circle", "toy": "triangle-down", "item-knn": "triangle-up",
    }  # fmt: skip
    assert "ease (500), 6 s: 0.0900" in spec["description"]
    told = {point["label"] for point in drawing["data"]["values"]}
    assert "rank 1 · ease · run 3 · 500" in told
    assert "best: ease (500), 0.0900" in str(spec)


def test_settings_are_drawn_of_the_model_that_has_columns_for_them():
    spec = settings_and_score(mixed(), ["alpha"], SCORE)
    assert (
        "of 2 runs by their settings. The best, run 1 (alpha 1), reaches 0.0800"
        in (spec["description"])
    )
    assert spec == settings_and_score(mixed(), ["alpha"], SCORE, model="als")


def test_the_best_without_a_curve_is_a_line_above_the_curves():
    table = curves(["done", "done"])
    alone = all_curves(table, metric=METRIC, best=1)
    spec = all_curves(
        table, metric=METRIC, best=1, above=("ease (500)", 9.0), what="runs with sweeps"
    )
    assert (
        "the best, run 1 (factors 10), reaches 6.1000; ease (500), without a curve"
        in (spec["description"])
    )
    assert "of all 2 runs with sweeps" in str(spec["title"])
    assert "ease (500): 9.0000" in str(spec)
    assert len(spec["layer"]) > len(alone["layer"])
    assert "of all 2 runs'" in str(alone["title"])

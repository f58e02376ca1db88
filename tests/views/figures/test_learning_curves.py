"""Figures: their specifications, and what is drawn from them."""

import itertools
import json
from xml.etree import ElementTree

import numpy as np
import pytest

from alsolike.errors import SettingError
from alsolike.tables import Table
from alsolike.views.figures.learning_curves import (
    all_curves,
    best_curve,
    figure,
    to_html,
    to_png,
    to_svg,
)

METRIC = "precision@10"
HOSTILE = "</script><script>alert(1)</script>{{7*7}} \u202e\x00'\""


def curves(runs=4, sweeps=(2, 4, 6), **more):
    rows = [
        {
            "run": run,
            "rank": runs + 1 - run,
            "sweep": sweep,
            "factors": 10 * run,
            f"validation_{METRIC}": 0.01 * run + 0.001 * sweep,
            f"train_{METRIC}": 0.3,
            "train_mse": 0.013,
            "validation_mse": 0.014,
            **more,
        }
        for run, sweep in itertools.product(range(1, runs + 1), sweeps)
    ]
    return Table.from_rows(rows)


def one_curve():
    return curves(runs=1, **{f"validation_{METRIC}_low": 0.01, f"validation_{METRIC}_high": 0.02})


def parsed(svg):
    return ElementTree.fromstring(svg)  # noqa: S314 - our own output


def drawn_lines(svg):
    return [path for path in parsed(svg).iter() if "data-trace" in path.attrib]


def test_best_curve_has_a_panel_for_each_measure_and_marks_the_chosen_sweep():
    spec = best_curve(one_curve(), metric=METRIC, title="Run 1", chosen_sweep=4)
    titles = [panel["title"] for panel in spec["concat"]]
    assert [title["text"] for title in titles] == [
        "precision@10, validation",
        "mse, validation",
        "precision@10, train",
        "mse, train",
    ]
    assert titles[0]["subtitle"] == "0.0140 at sweep 4"
    kinds = [[layer["mark"]["type"] for layer in panel["layer"]] for panel in spec["concat"]]
    assert kinds == [["area", "rule", "line", "point"], *[["rule", "line", "point"]] * 3]


def test_best_curve_of_the_article_stands_beside_test():
    table = Table({"sweep": [2], "test_precision@5": [0.04], "test_mse": [0.01]})
    spec = best_curve(table, metric="precision@5", title="As then", chosen_sweep=2, held_out="test")
    assert [panel["title"]["text"] for panel in spec["concat"]] == [
        "precision@5, test",
        "mse, test",
    ]


def test_all_curves_puts_the_best_on_top_and_fades_the_others_by_rank():
    spec = all_curves(curves(), metric=METRIC, best=4, baseline=0.02)
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    assert {point["run"] for point in lines[-1]["data"]["values"]} == {4}
    assert lines[0]["encoding"]["strokeOpacity"]["field"] == "rank"
    assert "run 4 (factors 40), reaches 0.0460; popularity reaches 0.0200" in spec["description"]
    svg = to_svg(spec)
    opacities = [
        float(path.attrib["stroke-opacity"])
        for path in parsed(svg).iter()
        if path.attrib.get("aria-label", "").startswith("run") and "stroke-opacity" in path.attrib
    ]
    assert opacities == sorted(opacities)
    assert len(opacities) == 3
    assert "popularity: 0.0200" in svg


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (Table({"sweep": [2]}), "columns"),
        (Table({"sweep": [], f"validation_{METRIC}": []}), "no rows"),
        (Table({"sweep": [2], f"validation_{METRIC}": [0.1]}), "sweep to mark is 22"),
    ],
)
def test_best_curve_says_what_is_missing(table, message):
    with pytest.raises(SettingError, match=message):
        best_curve(table, metric=METRIC, title="", chosen_sweep=22)


def test_all_curves_wants_the_best_among_its_runs():
    with pytest.raises(SettingError, match="best run is said to be 9"):
        all_curves(curves(), metric=METRIC, best=9)


def test_png_and_svg_are_what_they_say_and_the_same_each_time():
    spec = best_curve(one_curve(), metric=METRIC, title="Run 1", chosen_sweep=4)
    png, svg = to_png(spec), to_svg(spec)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert parsed(svg).tag.endswith("svg")
    assert svg == to_svg(spec)


@pytest.mark.parametrize("sweeps", [(2,), (2, 4)])
def test_one_run_and_one_sweep_are_enough(sweeps):
    spec = all_curves(curves(runs=1, sweeps=sweeps), metric=METRIC, best=1)
    assert "run 1, sweep" in to_svg(spec)


def test_gaps_and_nan_are_gaps_and_never_in_the_page():
    table = Table({"sweep": [2, 4, 6], f"validation_{METRIC}": np.array([0.1, np.nan, 0.2])})
    markup = figure(best_curve(table, metric=METRIC, title="", chosen_sweep=4))
    assert "NaN" not in markup
    assert '"points":[[2,0.1],[6,0.2]]' in markup
    assert "no value at sweep 4" in markup


def test_hostile_texts_stay_texts():
    table = curves()
    renamed = {HOSTILE if name == "factors" else name: table[name] for name in table.column_names}
    spec = all_curves(Table(renamed), metric=METRIC, best=4)
    titled = best_curve(one_curve(), metric=METRIC, title=HOSTILE, chosen_sweep=4)
    assert "<script>alert" not in to_svg(titled)
    page = to_html({HOSTILE: spec, "Best": titled})
    assert page.count("<script>") == 1
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert page.count("<style>") == 1


def test_a_figure_is_drawn_wide_and_narrow_and_takes_the_colours_of_the_page():
    markup = figure(all_curves(curves(), metric=METRIC, best=4), caption="All runs")
    assert markup.count("<svg ") == 2
    assert "var(--als-accent)" in markup
    assert "#0b6a60" not in markup
    assert 'style="' not in markup
    whole = [f"<svg {piece.split('</svg>')[0]}</svg>" for piece in markup.split("<svg ")[1:]]
    assert [len(drawn_lines(svg)) for svg in whole] == [4, 4]
    start = markup.index('<script type="application/json">') + 32
    traces = json.loads(markup[start : markup.index("</script>", start)])
    assert traces["run 4"]["label"] == "rank 1 · run 4 · factors 40"
    assert traces["run 4"]["points"] == [[2, 0.042], [4, 0.044], [6, 0.046]]

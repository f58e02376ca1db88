"""The picture of the dials: what it draws, what it says, and that its labels are apart."""

from typing import Any

import pytest

from alsolike.errors import SettingError
from alsolike.tables import Table
from alsolike.views.figures.dials import dials
from alsolike.views.figures.inline import traces
from alsolike.views.figures.learning_curves import figure, to_svg
from alsolike.views.figures.marks import ACCENT

X, Y = "share shown", "precision@10"


def table(hostile: str = "item-knn (bm25)") -> Table:
    rows: list[dict[str, Any]] = [
        {
            "model": model,
            "mark": mark / 10,
            X: 0.9 - 0.05 * mark - lower,
            Y: 0.2 + mark / 50 - lower,
        }
        for model, lower in (("als", 0.0), (hostile, 0.02))
        for mark in range(11)
    ]
    rows += [
        {"model": "popularity", "mark": None, X: 0.01, Y: 0.24},
        {"model": "random", "mark": None, X: None, Y: 0.01},
    ]
    return Table.from_rows(rows)


def words(spec: Any) -> list[tuple[str, str]]:
    """Return the labels, each with its colour."""
    return [
        (point["words"], layer["mark"]["color"])
        for layer in spec["layer"]
        if layer["mark"]["type"] == "text" and "stroke" not in layer["mark"]
        for point in layer["data"]["values"]
    ]


def test_each_family_is_a_line_and_the_published_mark_stands_out() -> None:
    spec = dials(table(), x=X, y=Y, chosen=("als", 0.7))
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    assert [len(layer["data"]["values"]) for layer in lines] == [11, 11]
    assert [layer["mark"]["color"] == ACCENT for layer in lines] == [False, True]
    labels = words(spec)
    assert {("als", ACCENT), ("0.7", ACCENT)} <= set(labels)
    assert {"item-knn (bm25)", "popularity", "0", "1"} <= {text for text, _ in labels}
    assert "random" not in {text for text, _ in labels}
    assert "; 1 without a value." in spec["description"]
    assert "at mark 0.7 (published)" in spec["description"]
    assert (spec["encoding"]["x"]["title"], spec["encoding"]["y"]["title"]) == (X, Y)
    published = [
        point for layer in spec["layer"] if layer["mark"]["type"] == "point"
        for point in layer["data"]["values"] if point["standing"] == "published"
    ]  # fmt: skip
    assert [(point["model"], point["mark"]) for point in published] == [("als", 0.7)]


def test_a_model_without_a_dial_may_be_published() -> None:
    spec = dials(table(), x=X, y=Y, chosen=("popularity", None))
    assert ("popularity", ACCENT) in words(spec)


def test_the_pointer_reads_every_point_and_texts_are_harmless() -> None:
    spec = dials(table("<b>&</b>"), x=X, y=Y, chosen=("als", 1.0))
    found = traces(spec)
    assert len(found) == 23
    assert found["row 10"]["label"] == "als at mark 1, published"
    assert found["row 10"]["text"] == "precision@10 0.4000, share shown 0.4000"
    page = str(figure(spec))
    assert "<b>" not in page
    assert page.count("data-point=") == 2 * 23
    assert to_svg(spec) == to_svg(spec)


def test_a_table_without_a_column_or_a_value_is_refused() -> None:
    with pytest.raises(SettingError, match="needs the columns"):
        dials(table(), x="agreement", y=Y, chosen=("als", 0.5))
    only = Table({"model": ["als"], "mark": [None], X: [None], Y: [0.1]})
    with pytest.raises(SettingError, match="needs at least one value"):
        dials(only, x=X, y=Y, chosen=("als", None))
    one = Table({"model": ["als"], "mark": [0.5], X: [0.1], Y: [0.1]})
    assert dials(one, x=X, y=Y, chosen=("als", 0.5))["layer"]

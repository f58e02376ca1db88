"""Events count by their weights, and ratings by a mark; the report accounts for each row."""

import click.testing
import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.cli.group import main
from alsolike.data.reading.cleaning.events import EventWeights
from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

EVENTS = """user,item,action,qty
a,1,view,
a,1,cart,2
b,2,view,
b,1,purchase,3
,,scroll,
c,2,remove,1
"""
RATINGS = "user,item,stars\na,1,5\na,2,0\nb,1,4\nb,2,3\nc,1,-1\n"


def triples(interactions):
    cells = interactions.user_items.tocoo()
    return [
        (interactions.users.id_of(int(u)), interactions.items.id_of(int(i)), float(v))
        for u, i, v in zip(cells.row, cells.col, cells.data, strict=True)
    ]


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    return path


@pytest.fixture
def ratings(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS)
    return path


def read_events(path, weights, **options):
    return read(path, user="user", item="item", event="action", weights=weights, **options)


def test_a_row_counts_the_weight_of_its_event(events):
    weights = {"view": 1, "cart": 3, "purchase": 10, "other": 0}
    found, report = read_events(events, weights)
    # The row without ids has the weight 0, so nobody asks for them.
    assert triples(found) == [("a", "1", 4.0), ("b", "1", 10.0), ("b", "2", 1.0)]
    assert [(one.event, one.rows, one.weight) for one in report.events] == [
        ("view", 2, 1.0),
        ("cart", 1, 3.0),
        ("purchase", 1, 10.0),
        ("remove", 1, 0.0),
        ("scroll", 1, 0.0),
    ]
    assert sum(one.rows for one in report.events) == report.rows == 6
    assert (
        "events          view 2 x 1, cart 1 x 3, purchase 1 x 10; "
        "2 of weight 0 dropped (remove 1, scroll 1)" in str(report)
    )
    assert triples(read_events(events, "view=1, cart=3,purchase=10,other=0")[0]) == triples(found)


def test_a_value_is_multiplied_by_the_weight(events):
    found, _ = read_events(events, "cart=3,purchase=10,other=0", value="qty")
    assert triples(found) == [("a", "1", 6.0), ("b", "1", 30.0)]
    with pytest.raises(DataError, match=r"line 2, column 'qty'.*empty.*leave out value="):
        read_events(events, "view=1,other=0", value="qty")


def test_other_events_may_have_a_weight(events):
    found, report = read_events(events, {"purchase": 10, "other": 0.5}, missing_id="drop")
    assert triples(found) == [("a", "1", 1.0), ("b", "1", 10.0), ("b", "2", 0.5), ("c", "2", 0.5)]
    assert report.missing == 1


def test_weights_below_zero_follow_negative(events):
    weights = "view=1,remove=-2,other=0"
    with pytest.raises(DataError, match=r"line 7, column 'action': a value above 0 expected.*-2"):
        read_events(events, weights)
    found, report = read_events(events, weights, negative="dislike")
    assert triples(found)[-1] == ("c", "2", -2.0)
    assert (report.negatives, report.dislikes) == (1, 1)


def test_unknown_events_and_weights_are_said(events):
    with pytest.raises(DataError, match=r"line 6.*'scroll'.*'view' \(2\).*'remove' \(1\).*other=0"):
        read_events(events, {"view": 1, "cart": 1, "purchase": 1})
    with pytest.raises(SettingError, match=r"needs a weight.*'view' \(2\), 'cart' \(1\)"):
        read_events(events, None)
    _, report = read_events(events, "view=1,purchse=9,other=0")
    assert "no row has the event 'purchse'" in report.warnings[0]
    assert "Did you mean 'purchase'?" in report.warnings[0]
    with pytest.raises(SettingError, match="needs event="):
        read(events, user="user", item="item", weights="view=1")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("view", "NAME=WEIGHT"),
        ("view=x", "a number for 'view'"),
        ({"view": "nan"}, "a number for 'view'"),
        ("view=1,view=2", "twice"),
        ("view=0,other=0", "at least one weight"),
        ({}, "at least one weight"),
        ({3: 1}, "names of events"),
    ],
)
def test_bad_weights(weights, said):
    with pytest.raises(SettingError, match=said):
        EventWeights.of(weights)


def test_ratings_become_likes(ratings):
    columns = {"user": "user", "item": "item", "value": "stars"}
    found, report = read(ratings, **columns, at_least=4)
    assert triples(found) == [("a", "1", 1.0), ("b", "1", 1.0)]
    assert (report.liked, report.below, report.zeros, report.notes) == (2, 3, 0, ())
    assert "ratings of 4 or more  2 (each counts 1)\nratings below 4       3 dropped" in str(report)
    found, report = read(ratings, **columns, at_least=4, below="dislike")
    assert [value for *_, value in triples(found)] == [1.0, -1.0, 1.0, -1.0, -1.0]
    assert report.dislikes == 3
    assert "3 kept as dislikes" in str(report)
    with pytest.raises(DataError, match=r"none of the 5 rows.*5 have ratings below the mark"):
        read(ratings, **columns, at_least=6)


def test_ratings_in_a_matrix_become_likes():
    matrix = sp.csr_array(np.array([[5.0, 1.0], [0.0, 4.0]]))
    found, report = read(matrix, at_least=4)
    assert triples(found) == [(0, 0, 1.0), (1, 1, 1.0)]
    assert (report.liked, report.below) == (2, 1)
    found, _ = read(matrix, at_least=4, below="dislike")
    assert triples(found) == [(0, 0, 1.0), (0, 1, -1.0), (1, 1, 1.0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at_least": 4}, "needs value="),
        ({"below": "drop"}, "below= needs at_least="),
        ({"value": "stars", "at_least": "x"}, "a number expected"),
        ({"value": "stars", "at_least": 4, "below": "hate"}, "'drop', 'dislike'"),
        ({"value": "stars", "at_least": 4, "negative": "net"}, "does not apply"),
        ({"value": "stars", "at_least": 4, "below": "dislike", "repeats": "once"}, "throws away"),
        (
            {"value": "stars", "at_least": 4, "event": "item", "weights": "1=1"},
            "Give one of them",
        ),
    ],
)
def test_marks_that_contradict(ratings, options, said):
    with pytest.raises(SettingError, match=said):
        read(ratings, user="user", item="item", **options)


@pytest.mark.parametrize(
    ("name", "values", "mark"),
    [
        ("stars", [5, 1], "4"),
        ("score", [10, 3, 7], "8"),
        ("n", [5, 4.5, 3, 2, 4] * 5, "4"),
        ("n", [1, 1, 1, 1, 2, 3, 5] * 5, None),  # counts: low ones more often
        ("stars", [7, 1], None),
        ("stars", [5, 5], None),
        ("price", [5, 1.25], None),
    ],
)
def test_values_like_ratings_are_noted(tmp_path, name, values, mark):
    path = tmp_path / "l.csv"
    rows = [f"u{at},m,{value}\n" for at, value in enumerate(values)]
    path.write_text(f"user,item,{name}\n" + "".join(rows))
    _, report = read(path, user="user", item="item", value=name)
    assert [f"at_least={mark};" in note for note in report.notes] == ([True] if mark else [])
    assert ("note: column" in report.brief(100)) == bool(mark)


def test_the_command_line_has_the_same(events, ratings):
    run = click.testing.CliRunner().invoke
    done = run(main, ["read", str(events), "--event", "action", "--weights", "cart=2,other=0"])
    assert "cart 1 x 2; 5 of weight 0 dropped" in done.output
    done = run(main, ["read", str(ratings), "--value", "stars", "--at-least", "4"])
    assert "ratings below 4       3 dropped" in done.output
    ratings.write_text("user,item,stars\na,1,5\nb,1,2\n")
    done = run(main, ["read", str(ratings), "--value", "stars"])
    assert "pass --at-least 4; with --below dislike" in done.output
    done = run(main, ["read", str(events), "--value", "action"])
    assert "--event action with --weights view=1,cart=1,purchase=1,remove=1" in done.output

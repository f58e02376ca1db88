"""The public door: what it names, that each name is there and documented, and what it costs."""

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

import alsolike
from alsolike.data.catalogue import Catalogue
from alsolike.data.string_array import StringArray

HEAVY = (
    "numba", "duckdb", "scipy.sparse", "vl_convert", "pandas", "polars", "pyarrow", "sklearn",
    "jinja2",
)  # fmt: skip


def modules_after(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_all_is_sorted_and_short() -> None:
    names = list(alsolike.__all__)
    assert names == sorted(set(names))
    assert 15 <= len(names) <= 80


@pytest.mark.parametrize("name", alsolike.__all__)
def test_name_is_there_and_documented(name: str) -> None:
    thing = getattr(alsolike, name)
    if name == "__version__":
        assert isinstance(thing, str)
        return
    assert inspect.getdoc(thing), f"{name} has no docstring"
    if inspect.isclass(thing) or inspect.isfunction(thing):
        home = importlib.import_module(thing.__module__)
        assert getattr(home, thing.__name__) is thing


def test_dir_lists_the_door() -> None:
    assert set(alsolike.__all__) <= set(dir(alsolike))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = alsolike.no_such_name


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import alsolike") & set(HEAVY)


def test_the_command_lines_help_loads_nothing_heavy() -> None:
    loaded = modules_after(
        "from alsolike.cli.group import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    pass"
    )
    assert not loaded & {*HEAVY, "numpy"}


def test_what_a_server_loads_has_no_compiler() -> None:
    loaded = modules_after("import alsolike.models.bundle.io, alsolike.recommending.single")
    assert not loaded & {"numba", "llvmlite", "duckdb"}


LIKES = alsolike.Interactions.from_columns(list("aabbcd"), list("xyxzyx"))
MODEL = alsolike.fit(LIKES, alsolike.ALSConfig(factors=2, iterations=1))
EXTREME = alsolike.fit(LIKES, alsolike.ALSConfig(factors=8, iterations=5, alpha=1e38))
POPULAR = alsolike.fit_popularity(LIKES)


@pytest.mark.parametrize(
    ("misuse", "sentence"),
    [
        (lambda: alsolike.recommend(MODEL, 1), "user ids must be text: 1"),
        (lambda: alsolike.recommend(MODEL, b"a"), "Pass 'a'"),
        (lambda: alsolike.recommend(MODEL, "a", deny=3), "item ids must be text: 3"),
        (lambda: alsolike.recommend_for_likes(MODEL, ["x"]), "likes must map items to values"),
        (lambda: alsolike.recommend_for_likes(MODEL, {"x": 1e39}), "too large for a model"),
        (lambda: alsolike.recommend_for_likes(MODEL, {"x": "much"}), "values of items are numbers"),
        (lambda: alsolike.explain(POPULAR, "a", "x"), "o explain a score"),
        (lambda: alsolike.save(MODEL, ""), "path of a model's folder expected"),
        (lambda: alsolike.load(None), "path of a model's folder expected"),
        (lambda: alsolike.explain(EXTREME, "a", "z"), "smaller alpha"),
        (lambda: alsolike.expand([1], alsolike.ALSConfig()), "list of values for each setting"),
        (
            lambda: alsolike.expand({"alpha": []}, alsolike.ALSConfig()),
            r"such as \[1.0\]; it is \[\]",
        ),
        (lambda: alsolike.search(None, [{"factors": 3}]), "Settings expected, not a dict"),
        (lambda: alsolike.search(None, alsolike.ALSConfig()), "Put it in a list"),
        (lambda: alsolike.evaluate(MODEL, LIKES, exclude=None, k=2.5), "whole numbers"),
        (lambda: alsolike.evaluate(MODEL, LIKES, exclude=None, k=[1, "2"]), "whole numbers"),
        (lambda: alsolike.evaluate(MODEL, LIKES, exclude=None, k=True), "whole numbers"),
        (lambda: alsolike.ALSConfig(regularization_exponent=True), "finite number, not True"),
        (
            lambda: alsolike.fit(LIKES, alsolike.ALSConfig(regularization_exponent=1e5)),
            "0 to 1 is usual",
        ),
    ],
)
def test_misuse_is_answered_with_a_sentence(misuse: Callable[[], object], sentence: str) -> None:
    with pytest.raises(alsolike.AlsolikeError, match=sentence):
        misuse()


def test_lists_of_items_take_names_as_similar_does() -> None:
    catalogue = Catalogue.from_columns({"name": StringArray.pack(["X", "Y", "Z"])}, n_items=3)
    named = replace(MODEL, catalogue=catalogue)
    assert alsolike.recommend(named, "a", deny=["z"], exclude_seen=False)["item"].tolist() == (
        alsolike.recommend(named, "a", deny=["Z"], exclude_seen=False)["item"].tolist()
    )
    assert alsolike.recommend(named, "a", allow=["Z"])["item"].tolist() == ["z"]

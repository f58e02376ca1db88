"""Each public name given the wrong kind of thing, too little, or a misspelt name."""

import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.recommending.model_diff import diff
from alsolike.recommending.single import recommend_one, similar_to
from alsolike.testing import tiny_likes
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.options import Searching
from alsolike.tuning.presets import preset_for
from alsolike.usage_hints import did_you_mean, did_you_mean_id

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
LIKES = tiny_likes(30, 20)
CONFIG = al.ALSConfig(factors=2, iterations=1)
MODEL = al.fit(LIKES, CONFIG)
SPLIT = al.hold_out(LIKES, k=2)
USER, ITEM, OTHER = MODEL.users.id_of(0), MODEL.items.id_of(0), MODEL.items.id_of(1)
ITEM_USERS = sp.csr_array((2, len(MODEL.users)))

WRONG = {
    "a dict": {"user": ["a"], "item": ["x"]},
    "a list": [("a", "x")],
    "a tuple": al.read(sp.csr_array(np.eye(3))),
    "a set": {"x"},
    "a dense array": np.eye(3),
    "a SciPy csr_array": sp.csr_array(np.eye(3)),
    "a SciPy csr_matrix": sp.csr_matrix(np.eye(3)),
    "a pandas DataFrame": pd.DataFrame({"user": ["a"], "item": ["x"]}),
    "a Polars DataFrame": pl.DataFrame({"users": ["a"], "items": ["x"], "scores": [1]}),
    "the text 'likes.csv'": "likes.csv",
    "None": None,
    "3": 3,
    "the class FactorModel": al.FactorModel,
    "an ALSConfig": CONFIG,
    "Interactions": LIKES,
    "an ALSModel": MODEL,
    "a Split": SPLIT,
}
Take = Callable[[object], object]
OF_MODELS: dict[str, Take] = {
    "evaluate": lambda given: al.evaluate(given, LIKES, exclude=None),
    "explain": lambda given: al.explain(given, USER, ITEM),
    "fit": lambda given: al.fit(LIKES, CONFIG, start=given),
    "iterate": lambda given: next(iter(al.iterate(LIKES, CONFIG, start=given))),
    "fold_in": lambda given: al.fold_in(given, LIKES),
    "fold_in_items": lambda given: al.fold_in_items(given, ITEM_USERS),
    "gallery": lambda given: al.gallery(given, [ITEM]),
    "loss": al.loss,
    "recommend": al.recommend,
    "recommend_for_likes": lambda given: al.recommend_for_likes(given, {ITEM: 1}),
    "recommend_one": lambda given: recommend_one(given, USER),
    "save": lambda given: al.save(given, "nowhere"),
    "scores": lambda given: al.scores(given, USER, ITEM),
    "similar": lambda given: al.similar(given, ITEM),
    "similar_users": lambda given: al.similar_users(given, USER),
    "similar_to": lambda given: similar_to(given, ITEM),
    "similar_to_set": lambda given: al.similar_to_set(given, [ITEM]),
    "why_similar": lambda given: al.why_similar(given, ITEM, OTHER),
    "with_similarity": lambda given: al.with_similarity(given, popularity_bias=0.5),
    "diff, old": lambda given: diff(given, MODEL),
    "diff, new": lambda given: diff(MODEL, given),
}
OF_LIKES: dict[str, Take] = {
    "evaluate": lambda given: al.evaluate(MODEL, given, exclude=None),
    "evaluate, exclude": lambda given: al.evaluate(MODEL, LIKES, exclude=given),
    "filter_counts": al.filter_counts,
    "fit": lambda given: al.fit(given, CONFIG),
    "iterate": lambda given: next(iter(al.iterate(given, CONFIG))),
    "fit_popularity": al.fit_popularity,
    "hold_out": al.hold_out,
    "hold_out_by_time": lambda given: al.hold_out_by_time(given, k=1),
    "hold_out_fraction": al.hold_out_fraction,
    "hold_out_unseen_users": al.hold_out_unseen_users,
    "hold_out_users": al.hold_out_users,
    "leave_one_out": al.leave_one_out,
    "joined, before": lambda given: al.joined(given, LIKES),
    "joined, newer": lambda given: al.joined(LIKES, given),
    "loss": lambda given: al.loss(MODEL, given),
    "Split": lambda given: al.Split(given, LIKES, LIKES, "by hand"),
}
OTHERS: dict[str, Take] = {
    "a Split": lambda given: al.search(given, [CONFIG]),
    "list of configurations": lambda given: al.search(SPLIT, given),
    "Settings": lambda given: al.fit(LIKES, given),
    "Settings of expand": lambda given: al.expand({"factors": [2]}, given),
    "list of values": lambda given: al.expand(given, CONFIG),
    "Job": al.run_job,
    "path": al.load,
    "a path of save": lambda given: al.save(MODEL, given),
    "give each item a value": lambda given: al.recommend_for_likes(MODEL, given),
    "matrix of rows x items": lambda given: al.fold_in(MODEL, given),
    "matrix of rows x users": lambda given: al.fold_in_items(MODEL, given),
    "users": lambda given: al.recommend(MODEL, given),
    "items": lambda given: al.similar(MODEL, given),
    "items of a set": lambda given: al.similar_to_set(MODEL, given),
    "items of a gallery": lambda given: al.gallery(MODEL, given),
}
RIGHT = {
    "evaluate, exclude": {"None"}, "loss": {"None"}, "fit": {"None"}, "iterate": {"None"},
    "a Split": {"a Split"}, "Settings": {"an ALSConfig", "None"},
    "Settings of expand": {"an ALSConfig"},
    "a path of save": {"the text 'likes.csv'"}, "users": {"None"}, "items": {"None"},
    "matrix of rows x items": {"Interactions"}, "list of configurations": set(),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("take", OF_MODELS)
def test_what_is_no_model_is_named(take, name):
    if name == "an ALSModel" or (name == "None" and take in ("fit", "iterate")):
        return
    with pytest.raises(al.AlsolikeError) as raised:
        OF_MODELS[take](WRONG[name])
    assert str(raised.value).startswith("A model is needed to ")
    assert name in str(raised.value)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("take", OF_LIKES)
def test_what_is_no_interactions_is_named_with_the_way_out(take, name):
    if name == "Interactions" or (name == "None" and take in ("evaluate, exclude", "loss")):
        return
    if name.startswith("a SciPy") and take in ("fit", "iterate"):
        return
    with pytest.raises(al.AlsolikeError, match="Interactions expected, not ") as raised:
        OF_LIKES[take](WRONG[name])
    assert name in str(raised.value)
    ways = ("alsolike.read", "split.train")
    assert any(way in str(raised.value) for way in ways)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("take", OTHERS)
def test_what_else_is_of_the_wrong_kind_is_an_error_of_ours(take, name):
    if name in RIGHT.get(take, set()):
        return
    with pytest.raises(al.AlsolikeError):
        OTHERS[take](WRONG[name])


def test_the_way_out_for_an_array_and_a_matrix_works():
    matrix = sp.csr_array(np.array([[1, 0, 1], [0, 1, 1]]))
    for given, take in ((matrix, al.fit_popularity), (matrix.toarray(), al.fit)):
        with pytest.raises(al.AlsolikeError, match=r"likes, report = alsolike\.read"):
            take(given)
        likes, _ = al.read(sp.csr_array(given))
        assert al.fit(likes, CONFIG).users == likes.users


@pytest.mark.parametrize(
    "model",
    [
        al.fit_popularity(LIKES),
        fit_item_knn(LIKES, ItemKNNConfig()),
        fit_ease(LIKES, EASEConfig()),
    ],
    ids=lambda model: model.name,
)
@pytest.mark.parametrize("take", ["fit", "iterate", "fold_in", "fold_in_items", "loss"])
def test_what_only_als_can_do_is_said(take, model):
    with pytest.raises(
        al.AlsolikeError, match=r"A model of alternating least squares is n"
    ) as said:
        OF_MODELS[take](model)
    assert f" {type(model).__name__}." in str(said.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (al.fit, "fit needs likes. Example: model = al.fit(likes)"),
        (lambda: al.fit(factors=3), "fit needs likes. Example: model = al.fit(likes)"),
        (lambda: al.fit(LIKES, CONFIG, 3), "fit takes 2 arguments in order, 3 given; by name"),
        (lambda: al.search(SPLIT), "search needs strategy. Example: al.search(split, al.expand("),
        (lambda: al.evaluate(MODEL, LIKES), "evaluate needs exclude. Example: al.evaluate(model"),
        (lambda: al.explain(MODEL), "explain needs user and item. Example: "),
        (al.recommend, "recommend needs model. Example: "),
        (
            lambda: al.recommend(MODEL, USER, 5),
            "recommend takes 2 arguments in order, 3 given; by ",
        ),
        (lambda: al.recommend(MODEL, exlude_seen=False), "Did you mean exclude_seen?"),
        (lambda: al.hold_out_by_time(LIKES, fractoin=0.1), "Did you mean fraction"),
        (lambda: al.read("likes.csv", usr="u"), "read has no argument 'usr'. Did you mean user?"),
        (lambda: al.save(MODEL), "save needs path. Example: "),
        (lambda: al.gallery(MODEL), "gallery needs items. Example: "),
        (
            lambda: al.ALSConfig(factor=3),
            "ALSConfig has no argument 'factor'. Did you mean factors?",
        ),
        (lambda: al.Job(sorce="x", out="y"), "Did you mean source"),
        (lambda: al.Searching(trails=3), "Did you mean trials?"),
        (lambda: al.Range(lwo=1, high=2), "Did you mean low"),
    ],
)
def test_a_call_that_does_not_fit_says_what_is_missing(call, message):
    with pytest.raises(TypeError) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: al.hold_out_by_time(LIKES), "Give exactly one of k, fraction and at, not none."),
        (lambda: al.hold_out_by_time(LIKES), "hold_out_by_time(likes, k=5)"),
        (lambda: al.read("likes.csv"), 'read(source, user="user", item="item")'),
        (lambda: al.recommend(MODEL, f"{USER}x"), f"Did you mean '{USER}'"),
        (lambda: recommend_one(MODEL, USER.upper()), f"Did you mean '{USER}'"),
        (lambda: al.similar(MODEL, ITEM.upper()), f"Did you mean '{ITEM}'"),
        (lambda: al.explain(MODEL, USER, f" {ITEM}"), f"Did you mean '{ITEM}'"),
        (lambda: al.gallery(MODEL, [f"{ITEM}x"]), f"Did you mean '{ITEM}'"),
        (lambda: al.recommend(MODEL, deny=[f"{ITEM}-"]), f"Did you mean '{ITEM}'"),
        (lambda: al.ALSConfig(confidence="liner"), "Did you mean 'linear'?"),
        (lambda: al.ALSConfig(solver="exakt"), "Did you mean 'exact'?"),
        (lambda: al.ALSConfig.from_settings({"alhpa": 3}), "Did you mean alpha?"),
        (lambda: al.expand({"factor": [1]}, CONFIG), "Did you mean factors?"),
        (
            lambda: al.evaluate(MODEL, LIKES, exclude=None, metrics=["presicion"]),
            "Did you mean 'precision'?",
        ),
        (
            lambda: al.evaluate(MODEL, LIKES, exclude=None, metrics=["ndgc@10"]),
            "Did you mean 'ndcg'?",
        ),
        (
            lambda: al.evaluate(MODEL, LIKES, exclude=None, k=5).mean("presicion@5"),
            "Did you mean 'precision@5'",
        ),
        (lambda: al.search(SPLIT, [CONFIG], objective="presicion@5"), "Did you mean 'precision'?"),
        (lambda: preset_for("quik", LIKES), "Did you mean 'quick'?"),
        (lambda: lineup_for(None, ["poplarity"], LIKES), "Did you mean 'popularity'?"),
        (lambda: Searching(by="gird").strategy(preset_for("quick", LIKES)), "Did you mean 'grid'?"),
        (lambda: Searching(choose="cheepest"), "Did you mean 'cheapest'?"),
        (
            lambda: al.read(pd.DataFrame({"usr": ["a"], "item": ["b"]}), user="user", item="item"),
            "Did you mean 'usr'?",
        ),
        (
            lambda: al.read(
                pd.DataFrame({"user": ["a"], "item": ["b"]}),
                user="user",
                item="item",
                duplicates="dorp",
            ),
            "Did you mean 'drop'?",
        ),
        (lambda: al.recommend(MODEL, without_likes="popluar"), "Did you mean 'popular'?"),
    ],
)
def test_misspelt_names_get_a_hint(call, message):
    with pytest.raises(al.AlsolikeError) as raised:
        call()
    assert message in str(raised.value)


def test_a_misspelt_name_of_the_package_and_of_a_column():
    with pytest.raises(AttributeError, match=r"'recomend'.*Did you mean 'recommend' or"):
        _ = al.recomend
    with pytest.raises(KeyError, match=r"no column 'scroe'.*Did you mean 'score'\?"):
        _ = al.recommend(MODEL)["scroe"]
    assert not hasattr(al, "nothing_like_it")


def test_hints_are_quick_and_silent_where_nothing_is_near():
    many = {f"{number:09d}" for number in range(300_000)}
    assert did_you_mean_id("00004x2711", many, many.__contains__) == " Did you mean '000042711'?"
    assert did_you_mean_id("something else", many, many.__contains__) == ""
    assert did_you_mean("alpha", []) == ""
    assert did_you_mean("x" * 10_000, ["alpha"]) == ""


def test_what_is_not_installed_is_named_with_a_command_that_installs_it() -> None:
    """Of packages that exist: alsolike itself may be a clone that no index knows."""
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    tpe = "from alsolike.tuning.strategies.by_name import strategy_of\n"
    tpe += "strategy_of('tpe', {'factors': [2]}, None, trials=1)"
    serve = "from alsolike.cli.group import main; main(['serve', 'none'])"
    for extra, lacking, code in (
        ("sklearn", "sklearn", "import alsolike.sklearn"),
        ("tune", "optuna", tpe),
        ("serve", "uvicorn", serve),
    ):
        gone = f"import sys, importlib.util as u; sys.modules[{lacking!r}] = None; "
        gone += f"f = u.find_spec; u.find_spec = lambda n: None if n == {lacking!r} else f(n)\n"
        done = subprocess.run(
            [sys.executable, "-c", gone + code], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        packages = [one.partition(";")[0].strip() for one in extras[extra]]
        assert shlex.join([sys.executable, "-m", "pip", "install", *packages]) in done.stderr

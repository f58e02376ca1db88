"""Models on disk: nothing changes on the way, and no damage goes unseen."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import alsolike
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary, is_blank
from alsolike.errors import BundleError, DataError, SettingError, WritingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit, fold_in
from alsolike.models.base import FittedModel
from alsolike.models.bundle.io import describe, load, save
from alsolike.models.factor_model import FactorModel
from alsolike.models.registry import family_of_model, names
from alsolike.recommending.batch import recommend
from alsolike.testing import tiny_likes, tiny_model, with_tiny_features
from forged import Edit, rewrite

FILES = [
    "history.safetensors",
    "ids.safetensors",
    "items.safetensors",
    "manifest.json",
    "model.safetensors",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tiny_model(), tmp_path / "model", metrics={"ndcg@10": 0.25}, notes={"by": "a test"})
    return tmp_path / "model"


def reseal(folder: Path, file: str) -> None:
    """Make the manifest agree with a changed file."""
    content = (folder / file).read_bytes()
    record = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    rewrite(folder, lambda stated: stated["files"].update({file: record}))


def retensor(folder: Path, file: str, **changed: npt.NDArray[Any] | None) -> None:
    tensors = {**load_file(folder / file), **changed}
    save_file({name: array for name, array in tensors.items() if array is not None}, folder / file)
    reseal(folder, file)


def arrays_of(model: FittedModel) -> dict[str, npt.NDArray[Any]]:
    return {**family_of_model(model).pack(model), "item_counts": model.item_counts}


def assert_equal(found: FittedModel, expected: FittedModel) -> None:
    assert type(found) is type(expected)
    arrays = arrays_of(found)
    for name, right in arrays_of(expected).items():
        assert arrays[name].dtype == right.dtype
        assert arrays[name].shape == right.shape
        assert arrays[name].tobytes() == right.tobytes()
    for name in ("users", "items", "settings", "sweeps", "name"):
        assert getattr(found, name) == getattr(expected, name)
    assert (found.users.kind, found.items.kind) == ("user", "item")
    assert (found.catalogue is None) == (expected.catalogue is None)
    if found.catalogue is not None and expected.catalogue is not None:
        assert list(found.catalogue.columns()) == list(expected.catalogue.columns())
        assert found.catalogue.columns() == expected.catalogue.columns()
    assert (found.history is None) == (expected.history is None)
    if found.history is not None and expected.history is not None:
        assert found.history.fingerprint == expected.history.fingerprint
        for name in ("indptr", "indices", "data"):
            left, right = (getattr(m.history.user_items, name) for m in (found, expected))
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes()


# --- there and back -----------------------------------------------------------------------------


def test_loading_gives_what_was_saved(tmp_path: Path) -> None:
    config = ALSConfig(factors=5, iterations=2)
    model = fit(tiny_likes(), config)
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_equal(loaded, model)
    assert ALSConfig.from_settings(loaded.settings) == config.for_table(tiny_likes())
    assert_equal(load(tmp_path / "model", check=False), model)


IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda text: not is_blank(text)
)


@settings(max_examples=40, deadline=None)
@given(
    users=st.sets(IDS, max_size=6),
    items=st.sets(IDS, min_size=1, max_size=6),
    factors=st.integers(0, 5),
    labels=st.none() | st.lists(st.text(), unique=True, max_size=3),
    timed=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_model_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    users: set[str],
    items: set[str],
    factors: int,
    labels: list[str] | None,
    timed: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    n_users, n_items = len(users), len(items)
    liked = Interactions.from_matrix(
        sp.csr_array(generator.integers(-1, 2, (n_users, n_items)).astype(np.float32)),
        users=sorted(users),
        items=sorted(items),
    )
    times = generator.random(liked.n_interactions) if timed else None
    catalogue = None
    if labels is not None:
        catalogue = Catalogue.from_columns(
            {label: StringArray.pack(sorted(items)) for label in labels}, n_items=n_items
        )
    history = dataclasses.replace(liked, timestamps=times, catalogue=catalogue)
    model = FactorModel(
        users=liked.users,
        items=liked.items,
        user_factors=generator.standard_normal((n_users, factors), dtype=np.float32),
        item_factors=generator.standard_normal((n_items, factors), dtype=np.float32),
        item_counts=liked.item_counts,
        settings={"deep": [1, 0.1, None, True, {"ж": "\ud800"}]},
        catalogue=catalogue,
        history=history,
        name="any",
    )
    path = tmp_path_factory.mktemp("any") / "model"
    save(model, path)
    assert_equal(load(path), model)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, order in (("a", 1), ("b", -1)):
        metrics = dict([("p@5", 0.1), ("ndcg", 0.2)][::order])
        save(fit(tiny_likes(), ALSConfig(factors=3)), tmp_path / name, metrics=metrics)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    save(load(tmp_path / "a"), tmp_path / "c", metrics={"ndcg": 0.2, "p@5": 0.1})
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == FILES
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()


def test_a_model_is_saved_over_the_one_it_was_loaded_from(folder: Path) -> None:
    model = load(folder)
    save(dataclasses.replace(model, sweeps=4), folder)
    assert load(folder).sweeps == 4
    assert_equal(model, tiny_model())


def test_loaded_arrays_are_mapped_and_read_only(folder: Path) -> None:
    model = load(folder)
    history = model.history
    assert history is not None
    arrays = [model.user_factors, model.item_factors, model.eigenvalues, model.item_counts]
    matrix = history.user_items
    for array in (*arrays, model.users.ids.blob, matrix.data, matrix.indices, matrix.indptr):
        assert not array.flags.writeable
        assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        model.user_factors[0, 0] = 1


def test_ids_are_found_in_the_mapped_bytes(folder: Path) -> None:
    model = load(folder)
    assert model.items.index_of("a3") == tiny_model().items.index_of("a3")
    assert model.item_index("item 2 ♪") == 2
    assert model.users.find("nobody") is None


def test_the_files_are_ordinary_safetensors(folder: Path) -> None:
    factors = load_file(folder / "model.safetensors")
    assert np.array_equal(factors["item_factors"], tiny_model().item_factors)
    assert sorted(load_file(folder / "history.safetensors")) == [
        "indices",
        "indptr",
        "timestamps",
        "values",
    ]


def test_without_history(tmp_path: Path) -> None:
    model = tiny_model()
    save(model, tmp_path / "model", with_history=False)
    assert not (tmp_path / "model" / "history.safetensors").exists()
    assert load(tmp_path / "model").history is None
    manifest = describe(tmp_path / "model")
    assert manifest.left_out == ("history",)
    assert model.history is not None
    assert manifest.data_fingerprint == model.history.fingerprint
    save(load(tmp_path / "model"), tmp_path / "again")
    assert describe(tmp_path / "again").data_fingerprint is None
    assert_equal(load(tmp_path / "again"), dataclasses.replace(model, history=None))


def test_describe_says_what_is_inside(folder: Path) -> None:
    manifest = describe(folder)
    assert manifest.format_version == 3  # the oldest with all that is inside
    assert manifest.versions["alsolike"] == alsolike.__version__
    assert (manifest.n_users, manifest.n_items, manifest.factors, manifest.sweeps) == (4, 5, 2, 3)
    assert manifest.metrics == {"ndcg@10": 0.25}
    assert manifest.notes == {"by": "a test"}
    assert manifest.item_columns == ("name",)
    assert (manifest.settings["factors"], manifest.settings["alpha"]) == (2, 1.0)
    for file, record in manifest.files.items():
        content = (folder / file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (record.size, record.sha256)


def test_a_mapped_model_folds_in_and_recommends(tmp_path: Path) -> None:
    model = fit(tiny_likes(), ALSConfig(factors=5, iterations=2))
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.history is not None
    assert fold_in(loaded, loaded.history).tobytes() == model.user_factors.tobytes()
    assert str(recommend(loaded)) == str(recommend(model))
    further = fit(loaded.history, ALSConfig(factors=5, iterations=1), start=loaded)
    assert further.sweeps == 3


def test_loading_imports_nothing_heavy(tmp_path: Path) -> None:
    folders = [saved(name, tmp_path) for name in SETTINGS]
    code = (
        "import sys; from alsolike.models.bundle.io import load;"
        "[load(one) for one in sys.argv[1:]];"
        "print([m for m in ('numba', 'duckdb', 'pandas', 'scipy.linalg') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, check=True)
    assert found.stdout.decode().strip() == "[]"


# --- every family -------------------------------------------------------------------------------


SETTINGS: dict[str, dict[str, Any]] = {
    "feature-als": {"factors": 4, "iterations": 2},
    "als": {"factors": 3, "iterations": 2},
    "explicit-als": {"factors": 3, "iterations": 2, "bias_regularization": 0.2},
    "item-knn": {"neighbours": 5, "weighting": "bm25"},
    "ease": {"regularization": 20.0},
    "sparse-linear": {"neighbours": 5, "regularization": 20.0},
    "item-profile": {"weights": "tag=2"},
    "bpr": {"factors": 4, "iterations": 2},
    "warp": {"factors": 4, "iterations": 2, "kos_draws": 3, "kos_order": 2},
    "lmf": {"factors": 3, "iterations": 2},
    "popularity": {},
    "random": {"seed": 5},
    "blend": {"members": [{"factors": 3}, {"model": "ease"}], "weights": [3, 1]},
}


def saved(family: str, tmp_path: Path, *, with_history: bool = True) -> Path:
    model = alsolike.fit(with_tiny_features(tiny_likes()), family=family, **SETTINGS[family])
    save(model, tmp_path / family, with_history=with_history)
    return tmp_path / family


def test_the_settings_here_are_of_every_family() -> None:
    assert set(SETTINGS) == set(names())


def with_no_likes(model: Any) -> Any:
    """Return a model, and the members of a blend, without likes."""
    if members := getattr(model, "members", ()):
        return dataclasses.replace(model, members=tuple(map(with_no_likes, members)))
    return dataclasses.replace(model, history=None)


@pytest.mark.parametrize("family", SETTINGS)
@pytest.mark.parametrize("with_history", [True, False])
def test_a_model_of_every_family_comes_back_mapped(
    tmp_path: Path, family: str, with_history: bool
) -> None:
    model: Any = alsolike.fit(with_tiny_features(tiny_likes()), family=family, **SETTINGS[family])
    folder = saved(family, tmp_path, with_history=with_history)
    expected = model if with_history else with_no_likes(model)
    for check in (True, False):
        loaded: Any = load(folder, check=check)
        assert_equal(loaded, expected)
        for name, array in arrays_of(loaded).items():
            if name.endswith("known.sweeps"):  # made of a number when a blend is packed
                continue
            assert not array.flags.writeable
            assert not array.flags.owndata
    likes = tiny_likes(seed=1).user_items
    everything = slice(None)
    assert (
        loaded.user_scores(likes, everything).tobytes()
        == model.user_scores(likes, everything).tobytes()
    )
    assert describe(folder).family == family
    save(loaded, tmp_path / "again", with_history=with_history)
    if with_history:
        for file in FILES:
            assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize("family", ["item-knn", "ease"])
def test_without_history_known_users_are_not_scored_in_silence(tmp_path: Path, family: str) -> None:
    model = load(saved(family, tmp_path, with_history=False))
    with pytest.raises(SettingError, match=f"saved without its history, which {family} needs to"):
        model.scores(slice(None), slice(None))
    with pytest.raises(SettingError, match=f"which {family} needs to"):  # not: keep what was seen
        recommend(model, ["user 0"])
    fewer = tiny_likes().keep(np.arange(tiny_likes().n_interactions) % 2 == 0)
    moved = model.with_history(fewer)  # type: ignore[attr-defined]
    assert np.isfinite(moved.scores(slice(None), slice(None))).all()


@pytest.mark.parametrize("family", SETTINGS)
def test_damage_of_every_family_is_found(tmp_path: Path, family: str) -> None:
    folder, generator = saved(family, tmp_path), np.random.default_rng(0)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    for place in generator.integers(0, len(content), 30).tolist():
        changed = bytearray(content)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        with pytest.raises(BundleError, match=r"model\.safetensors"):
            load(folder)
    for left in (0, 7, len(content) // 2, -1):
        path.write_bytes(content[:left])
        for check in (True, False):
            with pytest.raises(BundleError, match=r"model\.safetensors"):
                load(folder, check=check)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    family=st.sampled_from(["item-knn", "ease"]),
    start=st.floats(0, 1, exclude_max=True),
    length=st.integers(0, 40),
    patch=st.binary(max_size=40),
)
def test_patched_and_resealed_arrays_are_sound_or_refused(
    tmp_path: Path, family: str, start: float, length: int, patch: bytes
) -> None:
    folder = tmp_path / family if (tmp_path / family).exists() else saved(family, tmp_path)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    place = int(start * len(content))
    path.write_bytes(content[:place] + patch + content[place + length :])
    try:
        reseal(folder, "model.safetensors")
        model: Any = load(folder, check=False)
        with np.errstate(over="ignore"):  # of weights that no training gives
            model.scores(slice(None), slice(None))
            model.item_scores(slice(None), slice(None))
    except BundleError:
        assert path.read_bytes() != content
    finally:
        path.write_bytes(content)
        reseal(folder, "model.safetensors")


WEIGHTS = np.zeros((40, 40))
ARRAYS: list[tuple[str, dict[str, Any], str]] = [
    ("item-knn", {"similarities": None}, "tensor 'similarities': .* missing"),
    ("item-knn", {"similarities": np.array([np.nan])}, "finite numbers expected"),
    ("item-knn", {"similarities": np.zeros(3)}, "ascend from 0 to 3"),
    ("item-knn", {"similarities": np.zeros(3, np.float32)}, "float64 .* expected, float32"),
    ("item-knn", {"indptr": np.zeros(40, np.int32)}, r"int32 \(41\) expected"),
    ("item-knn", {"indices": "above"}, "from 0 and below 40 expected"),
    ("item-knn", {"indices": "below"}, "from 0 and below 40 expected"),
    ("item-knn", {"surprise": np.zeros(3)}, r"unknown tensors \['surprise'\]"),
    ("ease", {"weights": WEIGHTS[:39]}, r"float64 \(40, 40\) expected, float64 \(39, 40\) found"),
    ("ease", {"weights": WEIGHTS + np.inf}, "finite numbers expected, NaN or inf in row 0"),
    ("ease", {"weights": None}, "missing"),
    ("popularity", {"weights": WEIGHTS}, r"unknown tensors \['weights'\]"),
    ("random", {"seed": WEIGHTS}, r"unknown tensors \['seed'\]"),
]


@pytest.mark.parametrize(("family", "changed", "message"), ARRAYS)
def test_arrays_of_a_family_that_contradict(
    tmp_path: Path, family: str, changed: dict[str, Any], message: str
) -> None:
    folder = saved(family, tmp_path)
    fills = {"above": 40, "below": -1}
    stored = load_file(folder / "model.safetensors")
    tensors = {
        name: np.full_like(stored[name], fills[change]) if isinstance(change, str) else change
        for name, change in changed.items()
    }
    retensor(folder, "model.safetensors", **tensors)
    with pytest.raises(BundleError, match=f"(?s)model.safetensors.*{message}"):
        load(folder)


HOSTILE: list[tuple[str, dict[str, Any], str]] = [
    ("als", {"settings": {"alpha": "much"}}, "alpha must be a finite number"),
    ("als", {"settings": {"alhpa": 1.0}}, "Did you mean alpha?"),
    ("als", {"settings": {"model": "ease"}}, "Unknown settings"),
    ("item-knn", {"settings": {}}, "Settings of the model 'item-knn' expected, not None"),
    ("item-knn", {"settings": {"model": "ease"}}, "'item-knn' expected, not 'ease'"),
    ("item-knn", {"settings": {"model": "item-knn", "neighbours": -1}}, "at least 1, not -1"),
    ("item-knn", {"settings": {"model": "item-knn", "neighbours": [1]}}, r"not \[1\]"),
    ("item-knn", {"settings": {"model": "item-knn", "self": 1}}, r"Unknown settings \['self'\]"),
    ("item-knn", {"settings": {"model": "item-knn", "weighting": {}}}, "weighting must be one of"),
    ("ease", {"settings": {"model": "ease", "regularization": None}}, "finite number above 0"),
    ("random", {"settings": {"model": "random", "seed": 2**70}}, r"seed must be below 2\*\*64"),
    ("popularity", {"family": "random"}, "'random' expected, not 'popularity'"),
    ("ease", {"family": "als"}, "Unknown settings"),
    ("als", {"family": "factors"}, None),
    ("als", {"family": "wide-and-deep"}, "Unknown model 'wide-and-deep'.*Install the package that"),
    ("als", {"family": "../x"}, "Unknown model '../x'"),
    ("als", {"family": ""}, "Unknown model ''"),
    ("als", {"family": None}, '"family": a text expected'),
    ("als", {"family": ["als"]}, '"family": a text expected'),
]


@pytest.mark.parametrize(("family", "stated", "message"), HOSTILE)
def test_what_a_manifest_says_of_a_family_is_checked(
    tmp_path: Path, family: str, stated: dict[str, Any], message: str | None
) -> None:
    folder = saved(family, tmp_path)
    rewrite(folder, lambda manifest: manifest.update(stated))
    if message is None:  # factors are factors, and what made them is not asked
        assert type(load(folder)) is FactorModel
        return
    with pytest.raises(BundleError, match=f"(?s)manifest.json.*{message}"):
        load(folder)


# --- what cannot be saved -----------------------------------------------------------------------


def with_nan() -> FactorModel:
    factors = tiny_model().user_factors.copy()
    factors[2, 1] = np.nan
    return dataclasses.replace(tiny_model(), user_factors=factors)


def with_other_history() -> FactorModel:
    other = tiny_likes(4, 5)
    users = Vocabulary.of(["a", "b", "c", "d"], kind="user")
    return dataclasses.replace(tiny_model(), history=dataclasses.replace(other, users=users))


def with_other_catalogue() -> FactorModel:
    return dataclasses.replace(tiny_model(), catalogue=Catalogue(n_items=5))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (with_nan, r"'user_factors': finite numbers expected, NaN or inf in row 2"),
        (with_other_history, "history has other users"),
        (with_other_catalogue, "history has another item table"),
        (
            lambda: dataclasses.replace(tiny_model(), eigenvalues=np.ones(2, dtype=np.float32)),
            r"float64 \(2\) expected, float32 \(2,\) found",
        ),
        (
            lambda: dataclasses.replace(tiny_model(), settings={"odd": (1, 2)}),
            r"setting 'odd' cannot be saved: .* \(1, 2\) found",
        ),
        (
            lambda: dataclasses.replace(tiny_model(), settings={"odd": float("inf")}),
            "setting 'odd' cannot be saved",
        ),
        (
            lambda: dataclasses.replace(tiny_model(), settings={"odd": {1: 2}}),
            "setting 'odd' cannot be saved",
        ),
        (
            lambda: dataclasses.replace(
                tiny_model(),
                users=Vocabulary(StringArray.pack(["b", "a", "c", "d"]), kind="user"),
                history=None,
            ),
            "user ids: distinct and sorted ones expected, 'a' after 'b' found",
        ),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(
    tmp_path: Path, model: Callable[[], FactorModel], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        save(model(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_metrics_and_numbers_of_numpy_are_saved_as_plain_ones(tmp_path: Path) -> None:
    model = dataclasses.replace(
        tiny_model(), settings={"factors": np.int64(2), "alpha": np.float32(0.1)}
    )
    save(model, tmp_path / "model", metrics={"hits": np.int64(3), "shown": "exclude_seen"})  # type: ignore[dict-item]
    assert describe(tmp_path / "model").metrics == {"hits": 3.0, "shown": "exclude_seen"}
    assert load(tmp_path / "model").settings == model.settings
    with pytest.raises(DataError, match="metric 'p@5' cannot be saved: it is nan"):
        save(model, tmp_path / "model", metrics={"p@5": float("nan")})


def test_more_notes_than_can_be_read_back_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="At most 16,777,216 bytes of settings, metrics and notes"):
        save(tiny_model(), tmp_path / "model", notes={"log": "x" * (1 << 24)})
    assert list(tmp_path.iterdir()) == []


def test_notes_nested_without_end_are_refused(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(DataError, match="note 'deep' cannot be saved"):
        save(tiny_model(), tmp_path / "model", notes={"deep": deep})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("four years")
    with pytest.raises(WritingError, match=r"folder with other files found \(thesis\.tex\)"):
        save(tiny_model(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "four years"


# --- damage -------------------------------------------------------------------------------------


def test_every_flipped_byte_is_found(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for file in FILES:
        path = folder / file
        content = path.read_bytes()
        places = {0, 7, 8, len(content) - 1, *generator.integers(0, len(content), 60).tolist()}
        for place in places:
            changed = bytearray(content)
            changed[place] ^= 1 << int(generator.integers(8))
            path.write_bytes(changed)
            with pytest.raises(BundleError, match=file):
                load(folder)
        path.write_bytes(content)
    assert_equal(load(folder), tiny_model())


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    file=st.sampled_from(FILES),
    start=st.floats(0, 1, exclude_max=True),
    length=st.integers(0, 40),
    patch=st.binary(max_size=40),
    check=st.booleans(),
)
def test_random_patches_never_crash(
    folder: Path, file: str, start: float, length: int, patch: bytes, check: bool
) -> None:
    """Checksums apart, what loads is at least a sound model; with them, it is the same model."""
    path = folder / file
    content = path.read_bytes()
    place = int(start * len(content))
    path.write_bytes(content[:place] + patch + content[place + length :])
    try:
        if file != "manifest.json" and not check:
            reseal(folder, file)
        changed = path.read_bytes() != content
        model = load(folder, check=check)
        model.scores(slice(None), slice(None))
        assert not (changed and check)
    except BundleError:
        assert changed
    finally:
        path.write_bytes(content)
        if file != "manifest.json":
            reseal(folder, file)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("left", [0, 5, 9, 100, -1])
def test_truncated_files(folder: Path, file: str, left: int) -> None:
    path = folder / file
    path.write_bytes(path.read_bytes()[:left])
    for check in (True, False):
        with pytest.raises(BundleError, match=file):
            load(folder, check=check)


@pytest.mark.parametrize("file", FILES)
def test_missing_files(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BundleError, match=file):
        load(folder)


@pytest.mark.parametrize("file", FILES)
def test_links_pipes_and_folders_are_refused(folder: Path, tmp_path: Path, file: str) -> None:
    outside = tmp_path / "outside"
    (folder / file).rename(outside)
    (folder / file).symlink_to(outside)
    with pytest.raises(BundleError, match=f"{file}: a file expected, a link found"):
        load(folder)
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(BundleError, match=f"{file}: a regular file expected"):
        load(folder)
    (folder / file).unlink()
    (folder / file).mkdir()
    with pytest.raises(BundleError, match=f"{file}: a regular file expected"):
        load(folder)


def test_places_without_a_bundle(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is nothing of that name"):
        load(tmp_path / "modle")
    with pytest.raises(BundleError, match=f"found one inside instead: {folder}"):
        load(tmp_path)
    with pytest.raises(BundleError, match=f"Give the folder that holds it: {folder}"):
        load(folder / "manifest.json")
    (tmp_path / "likes.csv").write_text("user,item\n")
    with pytest.raises(BundleError, match="Give the folder that fit or run has"):
        load(tmp_path / "likes.csv")


MANIFESTS: list[tuple[Edit, str]] = [
    (lambda m: m.update(format_version=99), "reads versions up to 5. Upgrade alsolike"),
    (lambda m: m.update(format_version=True), "format version of at least 1 expected"),
    (lambda m: m.update(format_version=0), "format version of at least 1 expected"),
    (lambda m: m.update(id_types={"users": "text"}), '"id_types": an object with the type'),
    (lambda m: m.update(id_types={"user": "int64"}), '"id_types": an object with the type'),
    (lambda m: m.update(id_types={"items": "int64"}), r"ids of items are whole numbers \(int64\)"),
    (lambda m: m.update(format="gguf"), '"format": "alsolike model" expected'),
    (lambda m: m.pop("metrics"), r"keys missing: \['metrics'\]"),
    (lambda m: m.update(surprise=1), r"unknown key 'surprise'"),
    (lambda m: m.update(metrics={"p": 1}), '"metrics": an object of numbers with a decimal'),
    (lambda m: m.update(metrics=[]), '"metrics": an object'),
    (lambda m: m.update(settings=None), '"settings": an object expected'),
    (lambda m: m.update(n_users=-1), '"n_users": a number from 0'),
    (lambda m: m.update(n_users=10**30), r"users\.offsets': int64 \(10{29}1\) expected"),
    (lambda m: m.update(n_items=5.0), '"n_items": a number from 0'),
    (lambda m: m.update(n_items=True), '"n_items": a number from 0 expected, True found'),
    (lambda m: m.update(metrics={"p": True}), '"metrics": an object of numbers'),
    (lambda m: m["versions"].update(alsolike=1), '"versions": an object with the version'),
    (lambda m: m["files"]["ids.safetensors"].update(more=1), '"files": an object with the sha256'),
    (lambda m: m.update(settigns={}), r"unknown key 'settigns'\. Did you mean 'settings'\?"),
    (lambda m: m.update(factors=3), r"float32 \(4, 3\) expected, float32 \(4, 2\) found"),
    (lambda m: m.update(versions={}), '"versions"'),
    (lambda m: m.update(name=7), '"name": a text expected'),
    (lambda m: m.update(item_columns=["name", "name"]), '"item_columns": a list of distinct'),
    (lambda m: m.update(item_columns=["name", "more"]), r"column\.1\.blob.* and missing"),
    (lambda m: m.update(item_columns=None), r"tensors \['column\.0\.blob'"),
    (lambda m: m.update(left_out=["everything"]), '"left_out"'),
    (lambda m: m.update(left_out=["history"]), "history.safetensors'.* found"),
    (lambda m: m.update(data_fingerprint="0"), "interactions with fingerprint 0 expected"),
    (lambda m: m.update(files={}), "files .* expected, .* found"),
    (lambda m: m.update(files=[]), '"files"'),
    (lambda m: m["files"].pop("ids.safetensors"), "files .* expected"),
    (lambda m: m["files"].update({"../x": m["files"]["ids.safetensors"]}), r"'\.\./x'.* found"),
    (lambda m: m["files"].update({"/etc/passwd": {"sha256": "", "size": 1}}), "passwd"),
    (lambda m: m["files"].update({"ids.safetensors": {"sha256": "", "size": -1}}), '"files"'),
    (lambda m: m["files"].update({"ids.safetensors": {"sha256": "", "size": 3}}), "3 bytes expec"),
    (lambda m: m["files"]["ids.safetensors"].update(sha256="f" * 64), "SHA-256 f{64} expected"),
]


@pytest.mark.parametrize(("edit", "message"), MANIFESTS)
def test_wrong_manifests(folder: Path, edit: Edit, message: str) -> None:
    rewrite(folder, edit)
    with pytest.raises(BundleError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04pickled", "JSON expected"),
        (b"[" * 100_000, "JSON expected"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, '"format"'),
        (b"[1]", "a JSON object expected, list found"),
        (b"{}", '"format": "alsolike model" expected'),
        (b'{"format": "alsolike model", "format_version": NaN}', "NaN is not finite"),
        (b'{"format": "alsolike model", "format_version": 1e999}', "1e999 is not finite"),
        (b'{"format": "alsolike model", "format_version": ' + b"9" * 5000 + b"}", "JSON expected"),
        (b'{"format": "alsolike model", "format_version": 1}', "changed since it was saved"),
        (b'{"format": "alsolike model", "format": 1}', "the key 'format' is there twice"),
        (b'{"format": "\\ud800"}', '"format": "alsolike model" expected'),
        ('{"format": "alsolike model"}'.encode("utf-16"), "format version of at least 1 expected"),
        (b" " * (1 << 24) + b"{}", "bytes expected"),
    ],
)
def test_manifests_of_other_kinds(folder: Path, content: bytes, message: str) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=message):
        load(folder)


def test_a_deeply_nested_manifest(folder: Path) -> None:
    deep = b'{"format": "alsolike model", "format_version": 1, "notes": %s}'
    (folder / "manifest.json").write_bytes(deep % (b"[" * 900 + b"]" * 900))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load(folder)


@pytest.mark.parametrize("depth", [100, 1000, 10_000])
def test_deeply_nested_notes_are_an_error(folder: Path, depth: int) -> None:
    path = folder / "manifest.json"
    mark = '"deep-notes"'
    rewrite(folder, lambda stated: stated["notes"].update(by="deep-notes"))
    deep = path.read_text().replace(mark, "[" * depth + "]" * depth)
    path.write_text(deep)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load(folder)


def test_an_edited_metric_is_found(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("0.25", "0.95"))
    with pytest.raises(BundleError, match="changed since it was saved"):
        describe(folder)


NAN = np.float32(np.nan)
TENSORS: list[tuple[str, dict[str, Any], str]] = [
    ("model", {"user_factors": np.full((4, 2), NAN)}, "finite numbers expected"),
    ("model", {"eigenvalues": np.array([np.inf, 1.0])}, "finite numbers expected"),
    ("model", {"user_factors": np.zeros((4, 2))}, r"float32 \(4, 2\) expected, float64"),
    ("model", {"item_factors": np.zeros((4, 2), np.float32)}, r"\(5, 2\) expected"),
    ("model", {"item_factors": np.zeros(10, np.float32)}, r"\(5, 2\) expected"),
    ("model", {"item_factors": None}, "'item_factors': .* missing"),
    ("model", {"surprise": np.zeros(1)}, r"unknown tensors \['surprise'\]"),
    ("ids", {"users.offsets": np.array([0, 6, 4, 12, 24])}, "ascend from 0 to 24"),
    ("ids", {"users.offsets": np.array([1, 6, 12, 18, 24])}, "ascend from 0 to 24"),
    ("ids", {"users.offsets": np.array([0, 6, 12, 18, 25])}, "ascend from 0 to 24"),
    ("ids", {"users.offsets": np.array([0, 6, 2**63 - 1, -(2**63), 24])}, "ascend from 0 to 24"),
    ("ids", {"users.offsets": np.array([0, 6, 6, 18, 24])}, "user ids: distinct and sorted"),
    ("ids", {"users.blob": np.full(24, 255, np.uint8)}, "UTF-8 expected, byte 0 is not"),
    ("ids", {"users.blob": np.full(24, 65, np.uint8)}, "distinct and sorted ones expected, 'AAAA"),
    ("ids", {"items.offsets": np.array([0, 2, 5, 7, 10, 13])}, "inside a character"),
    ("items", {"counts": np.array([1, 1, 1, 1, -1])}, "numbers from 0 expected"),
    ("items", {"column.0.offsets": np.zeros(5, np.int64)}, r"int64 \(6\) expected"),
    ("history", {"indices": "above"}, r"from 0 and below 5 expected, 5 to 5 found"),
    ("history", {"indices": "below"}, r"from 0 and below 5 expected, -1 to -1 found"),
    ("history", {"indices": "same"}, "only once"),
    ("history", {"indptr": np.array([0, 9, 1, 1, 4], np.int32)}, "ascend from 0"),
    ("history", {"indptr": "above"}, "ascend from 0"),
    ("history", {"values": "zero"}, "finite and not zero|finite numbers expected"),
    ("history", {"values": "nan"}, "finite and not zero|finite numbers expected"),
    ("history", {"timestamps": np.zeros(1)}, r"'timestamps': float64 \(\d+\) expected"),
    ("history", {"timestamps": None}, "fingerprint"),
]


@pytest.mark.parametrize(("stem", "changed", "message"), TENSORS)
def test_files_that_contradict(
    folder: Path, stem: str, changed: dict[str, Any], message: str
) -> None:
    file = f"{stem}.safetensors"
    stored = load_file(folder / file)
    fills = {"above": 5, "below": -1, "same": 0, "zero": 0, "nan": np.nan}
    tensors = {
        name: np.full_like(stored[name], fills[change]) if isinstance(change, str) else change
        for name, change in changed.items()
    }
    retensor(folder, file, **tensors)
    with pytest.raises(BundleError, match=f"(?s){file}.*{message}"):
        load(folder)


def header(**entries: Any) -> bytes:
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 8 + b"{}", "18,446,744,073,709,551,615 bytes announced"),
        ((2**40).to_bytes(8, "little") + b"{}", "1,099,511,627,776 bytes announced"),
        ((4).to_bytes(8, "little") + b"\xff\xff{}", "JSON header"),
        ((9000).to_bytes(8, "little") + b"[" * 9000, "JSON header"),
        ((2).to_bytes(8, "little") + b"[]", "JSON object as header expected, list"),
        (header(a=1), "tensor 'a': a dtype of"),
        (header(a=entry(dtype="BF16")) + bytes(4), "tensor 'a': a dtype of"),
        (header(a=entry(dtype=[1])) + bytes(4), "tensor 'a': a dtype of"),
        (header(a=entry(shape=[-1])) + bytes(4), "tensor 'a': a dtype of"),
        (header(a=entry(shape=[True])) + bytes(4), "tensor 'a': a dtype of"),
        (header(a=entry(shape=[2**70, 0], offsets=[0, 0])), "tensor 'a': a dtype of"),
        (header(a=entry(shape=[2**62, 0], offsets=[0, 0])), "no array can be"),
        (header(a=entry(shape=[2**62, 2**62])) + bytes(4), "tensor 'a': bytes 0 to"),
        (header(a=entry(shape=[1, 1, 1])) + bytes(4), "tensor 'a': a dtype of"),
        (header(a=entry(offsets=[4, 8])) + bytes(8), "tensor 'a': bytes 0 to 4 expected"),
        (header(a=entry(offsets=[4, 0])) + bytes(8), "tensor 'a': bytes 0 to 4 expected"),
        (header(a=entry(), b=entry()) + bytes(4), "tensor 'b': bytes 4 to 8 expected"),
        (header(a=entry()) + bytes(3), "truncated"),
        (header(a=entry()) + bytes(5), "bytes expected"),
        (
            header(a=entry("U8", [1], [0, 1]), b=entry("F64", [1], [1, 9])) + bytes(9),
            "'b' is not aligned",
        ),
    ],
)
def test_headers_that_lie(folder: Path, content: bytes, message: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    reseal(folder, "model.safetensors")
    with pytest.raises(BundleError, match=f"model.safetensors: .*{message}"):
        load(folder)


# --- what a bundle without history keeps for similar items --------------------------------------

SIMILAR = "similar.safetensors"


@pytest.fixture
def without_history(tmp_path: Path) -> Path:
    save(tiny_model(), tmp_path / "small", with_history=False)
    return tmp_path / "small"


@pytest.mark.parametrize(
    ("tensor", "change", "message"),
    [
        ("audiences", lambda one: one[:, :1].copy(), r"\(5, 2\) expected, as the item factors"),
        ("audiences", lambda one: np.full_like(one, np.nan), "finite numbers expected"),
        ("shares", lambda one: one - 100, "'shares': numbers of at least 0 expected"),
        ("sizes", lambda one: -one - 1, "'sizes': numbers of at least 0 expected"),
        ("sizes", lambda one: one[:-1], r"float64 \(5\) expected"),
        ("counts", lambda one: -one, "'counts': numbers of at least 0 expected"),
        ("items", lambda one: one * 0 + 5, "below 5 expected"),
        ("items", lambda one: one * 0, "'items': ascending numbers for each item expected"),
        ("starts", lambda one: one[::-1].copy(), "numbers that ascend from 0"),
    ],
)
def test_damaged_counts_and_audiences_are_refused(
    without_history: Path, tensor: str, change: Callable[[Any], Any], message: str
) -> None:
    tensors = load_file(without_history / SIMILAR)
    retensor(without_history, SIMILAR, **{tensor: change(tensors[tensor])})
    with pytest.raises(BundleError, match=message):
        load(without_history)


def test_counts_and_audiences_must_be_there_whole(without_history: Path) -> None:
    path = without_history / SIMILAR
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(BundleError, match=SIMILAR):
        load(without_history)
    path.unlink()
    with pytest.raises(BundleError, match=SIMILAR):
        load(without_history)

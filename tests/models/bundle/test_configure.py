"""Settings of similar items change in the manifest alone, whole or not at all."""

import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import alsolike as al
from alsolike.errors import BundleError, SettingError, Unable, WritingError
from alsolike.models.bundle import configure
from alsolike.models.bundle.configure import set_similarity
from alsolike.models.bundle.io import describe, load, save
from alsolike.models.bundle.manifest import MANIFEST, models_of_run
from alsolike.models.fit import fit
from alsolike.storage.atomic import alone_in
from alsolike.testing import tiny_likes, tiny_model
from forged import rewrite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tiny_model(), tmp_path / "model", metrics={"ndcg@10": 0.25}, notes={"by": "a test"})
    return tmp_path / "model"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_the_manifest_changes_and_only_the_settings_in_it(folder: Path) -> None:
    files, stated = content(folder), describe(folder)
    before, after = set_similarity(folder, popularity_bias=0.3, affinity="audience")
    assert before == al.SimilarityConfig()
    assert after == al.SimilarityConfig(affinity="audience", popularity_bias=0.3)
    assert load(folder).similarity_config == after
    changed = content(folder)
    assert changed.pop(MANIFEST) != files.pop(MANIFEST)
    assert changed == files
    now = describe(folder)
    assert now.similarity == after.to_settings()
    for name in ("settings", "metrics", "notes", "files", "versions", "data_fingerprint"):
        assert getattr(now, name) == getattr(stated, name)
    # What is not given stays.
    assert set_similarity(folder, prior_strength=30)[1].popularity_bias == 0.3


def test_the_bytes_are_those_of_a_model_saved_so(folder: Path) -> None:
    set_similarity(folder, popularity_bias=0.3)
    model = al.with_similarity(tiny_model(), popularity_bias=0.3)
    other = folder.with_name("other")
    save(model, other, metrics={"ndcg@10": 0.25}, notes={"by": "a test"})
    assert content(other) == content(folder)
    times = (folder / MANIFEST).stat().st_mtime_ns
    set_similarity(folder, popularity_bias=0.3)  # nothing to write
    assert (folder / MANIFEST).stat().st_mtime_ns == times


def test_without_history_the_same_settings_change(tmp_path: Path) -> None:
    model = fit(tiny_likes(), factors=4)
    save(model, tmp_path / "model", with_history=False)
    set_similarity(tmp_path / "model", popularity_bias=0.0)
    found = al.similar(load(tmp_path / "model"), "a0", k=5)
    wanted = al.similar(model, "a0", k=5, popularity_bias=0)
    assert found["similar_item"].tolist() == wanted["similar_item"].tolist()
    assert "of the 200 strongest neighbours" in str(describe(tmp_path / "model"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Nothing to change is given"),
        ({"affinity": None}, "Nothing to change is given"),
        ({"popularity_bias": 1.2}, "popularity_bias must be a number from 0"),
        ({"popularity_bias": float("nan")}, "popularity_bias must be a number from 0"),
        ({"popularity_bias": "auto"}, "popularity_bias must be a number from 0"),
        ({"affinity": "evidense"}, "Did you mean 'evidence'"),
        ({"affinity": "counts"}, "has the affinities evidence, .*, not 'counts'"),
    ],
)
def test_wrong_settings_change_nothing(folder: Path, changes: dict, message: str) -> None:
    before = content(folder)
    with pytest.raises(SettingError, match=message):
        set_similarity(folder, **changes)
    assert content(folder) == before


def test_an_affinity_that_needs_the_likes_is_refused_without_them(tmp_path: Path) -> None:
    model = tiny_model()
    save(al.FactorModel(model.users, model.items, model.user_factors, model.item_factors,
                        model.item_counts), tmp_path / "model")  # fmt: skip
    with pytest.raises(SettingError, match="It was saved without its likes"):
        set_similarity(tmp_path / "model", affinity="evidence")


@pytest.mark.parametrize("family", ["ease", "popularity", "random"])
def test_a_family_without_a_dial_is_refused_in_one_sentence(tmp_path: Path, family: str) -> None:
    save(fit(tiny_likes(), family=family), tmp_path / "model")
    with pytest.raises(Unable, match=f"change how items are compared; '{family}' has none.$"):
        set_similarity(tmp_path / "model", popularity_bias=0.3)


def test_damaged_and_old_bundles_are_refused(folder: Path) -> None:
    rewrite(folder, lambda stated: stated.update(format_version=1))
    with pytest.raises(BundleError, match=r"saved in format 1.* Load the model and save it again"):
        set_similarity(folder, popularity_bias=0.3)
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(BundleError, match=r"damaged|expected"):
        set_similarity(folder, popularity_bias=0.3)
    with pytest.raises(BundleError, match="nothing of that name"):
        set_similarity(folder.with_name("none"), popularity_bias=0.3)
    assert not folder.with_name("none").exists()


def test_the_second_format_becomes_the_third(folder: Path) -> None:
    def older(stated: dict) -> None:
        stated.update(format_version=2)
        del stated["similarity"]

    rewrite(folder, older)
    cosine = al.SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    before, after = set_similarity(folder, popularity_bias=0.3)
    assert (before, after) == (cosine, replace(cosine, popularity_bias=0.3))
    assert describe(folder).format_version == 3
    assert load(folder).similarity_config == after


def test_a_model_that_is_replaced_meanwhile_is_not_mixed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(path: Path, **how: bool) -> al.FactorModel:
        found = load(path, **how)
        save(tiny_model(n_items=7), folder)
        return found

    monkeypatch.setattr(configure, "load", replaced)
    with pytest.raises(BundleError, match="replaced while it was being read"):
        set_similarity(folder, popularity_bias=0.3)
    assert len(load(folder).items) == 7


def test_another_process_that_changes_it_is_waited_for_by_the_caller(folder: Path) -> None:
    with alone_in(folder), pytest.raises(WritingError, match="another alsolike is running"):
        set_similarity(folder, popularity_bias=0.3)
    assert load(folder).similarity_config == al.SimilarityConfig()


@pytest.mark.parametrize("at", ["write", "flush", "rename"])
def test_a_kill_leaves_the_old_settings_or_the_new(folder: Path, at: str) -> None:
    code = """
        import os, pathlib, signal, sys
        from alsolike.models.bundle.configure import set_similarity
        from alsolike.storage import atomic
        die = lambda *args, **how: os.kill(os.getpid(), signal.SIGKILL)
        at = sys.argv[2]
        if at == "write":
            atomic._flush = die
        elif at == "flush":
            atomic._swap = die
        else:
            swap = atomic._swap
            atomic._swap = lambda *args: (swap(*args), die())
        set_similarity(sys.argv[1], popularity_bias=0.3)
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(folder), at]
    assert subprocess.run(words, check=False).returncode < 0
    bias = load(folder).similarity_config.popularity_bias
    assert bias == (0.3 if at == "rename" else 0.8)
    # What the kill has left is in nobody's way.
    save(load(folder), folder)
    set_similarity(folder, popularity_bias=0.5)
    assert load(folder).similarity_config.popularity_bias == 0.5
    assert not [one for one in folder.iterdir() if one.name.startswith(".")]


def test_readers_meanwhile_see_one_of_the_two(folder: Path) -> None:
    done, seen, failed = threading.Event(), set(), []

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(load(folder).similarity_config.popularity_bias)
            except al.AlsolikeError as error:
                failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(20):
            set_similarity(folder, popularity_bias=0.2 + 0.4 * (turn % 2))
    finally:
        done.set()
        reader.join()
    assert not failed
    assert seen <= {0.8, 0.2, 0.6000000000000001}


def test_the_folder_of_a_run_has_a_model_for_lists_and_perhaps_another(tmp_path: Path) -> None:
    save(tiny_model(), tmp_path / "out/model")
    assert models_of_run(tmp_path / "out") == (tmp_path / "out/model",) * 2
    save(tiny_model(), tmp_path / "out/similar")
    both = tmp_path / "out/model", tmp_path / "out/similar"
    assert models_of_run(tmp_path / "out") == both
    for one in (*both, tmp_path / "none"):
        assert models_of_run(one) == (one, one)

"""The option --half-life: of one model, of all families of a run, and without times."""

import numpy as np
import pytest

import alsolike as al
from alsolike.errors import SettingError
from alsolike.pipeline.job import Job, resolve
from alsolike.testing import tiny_likes
from command import fine, refused


@pytest.fixture(scope="module")
def likes(tmp_path_factory):
    rng, lines = np.random.default_rng(1), ["user,item,time"]
    for user in range(30):
        for place in rng.choice(12, size=7, replace=False):
            lines.append(f"u{user},i{2 * place + user % 2},{1e9 + rng.integers(10**8)}")
    file = tmp_path_factory.mktemp("half_life") / "likes.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_fit_has_the_half_life(likes, tmp_path):
    timed = (likes, "--timestamp", "time")
    fine("fit", *timed, "--to", tmp_path / "als", "--half-life", "12h", "--set", "factors=4")
    assert al.load(tmp_path / "als").settings["half_life"] == 0.5
    fine("fit", *timed, "--to", tmp_path / "als", "--from", tmp_path / "als")
    assert al.load(tmp_path / "als").settings["half_life"] == 0.5
    fine("fit", *timed, "--to", tmp_path / "als", "--from", tmp_path / "als",
         "--set", "half_life=none")  # fmt: skip
    assert al.load(tmp_path / "als").settings["half_life"] is None
    fine("fit", *timed, "--to", tmp_path / "blend", "--half-life", "2w", "--family", "blend",
         "--set", 'members=[{factors=4}, {model="item-knn"}]')  # fmt: skip
    members = al.load(tmp_path / "blend").settings["members"]
    assert [one["half_life"] for one in members] == [14.0, 14.0]
    assert "test" in fine("evaluate-folds", *timed, "--family", "item-knn", "--half-life", "90d",
                          "--folds", 1).output  # fmt: skip


def test_what_cannot_be_is_one_line(likes, tmp_path):
    def said(*words):
        return refused("fit", likes, "--to", tmp_path / "none", *words)

    assert said("--half-life", "90d") == (
        "error: --half-life needs the time of each like, and these likes have no times. Name the "
        "column that holds them, such as --timestamp time, or leave --half-life out."
    )
    timed = ("--timestamp", "time", "--half-life")
    assert "'12h' or '2w', or None, not 'soon'." in said(*timed, "soon")
    assert "'popularity' has no setting" in said(*timed, "9d", "--family", "popularity")
    assert "Give one of them" in said(*timed, "9d", "--set", "half_life=3")
    assert refused("run", likes, "--out", tmp_path / "run", "--half-life", "90d").startswith(
        "error: --half-life needs the time of each like"
    )


def test_a_run_gives_it_to_all_families():
    likes = tiny_likes()

    def of(**given):
        resolved = resolve(Job(source="likes.csv", out="none", **given))
        preset = resolved.preset(likes)
        return preset, resolved.lineup(likes, preset)

    preset, lineup = of(settings={"half_life": "90d"})
    assert {one.half_life for one in (*preset.configs(), *lineup.candidates)} == {90.0}
    assert not any(hasattr(one, "half_life") for one in lineup.baselines)
    _, plain = of()
    assert {one.half_life for one in plain.candidates} == {None}
    preset, lineup = of(grid={"half_life": [None, "30d"]})
    assert {one.half_life for one in preset.configs()} == {None, 30.0}
    assert len(lineup.candidates) == 2 * len(plain.candidates)
    only = al.Range(low=1, high=90)
    _, lineup = of(grid={"half_life": only}, search=al.Searching(by="random", trials=3))
    assert lineup == plain
    _, lineup = of(settings={"half_life": 9}, search=al.Searching(families=["ease"]))
    assert {one.half_life for one in lineup.candidates} == {9.0}
    with pytest.raises(SettingError, match="half_life is set and searched"):
        of(settings={"half_life": 9}, grid={"half_life": [9]})

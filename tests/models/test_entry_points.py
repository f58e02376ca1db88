"""Families that installed packages bring: looked up where a name is not known, and only there."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import alsolike as al
from alsolike.models import registry
from alsolike.testing import tiny_likes

TOY = Path(__file__).parents[1] / "toy_family.py"


def install(folder: Path, lines: str, **modules: str) -> None:
    """Lay out what an installer leaves of a package: its modules, and what it says of itself."""
    about = folder / "alsolike_toys-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: alsolike-toys\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(f"[alsolike.families]\n{lines}\n")
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder that Python looks into; what a test makes known is forgotten after it."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(registry, "FAMILIES", list(registry.FAMILIES))
    yield tmp_path / "site"
    sys.modules.pop("brought", None)


def test_a_package_brings_a_family(site, tmp_path):
    install(site, "co-counts = brought:CoCountsFamily", brought=TOY.read_text())
    known = len(registry.FAMILIES)
    model = al.fit(tiny_likes(), family="co-counts", damping=0.1)
    assert type(model).__module__ == "brought"
    assert len(registry.FAMILIES) == known + 1
    assert registry.family_named("co-counts") is registry.FAMILIES[-1]
    al.save(model, tmp_path / "model")
    assert al.load(tmp_path / "model").settings == {"model": "co-counts", "damping": 0.1}


def test_its_configuration_alone_tells_which_it_is(site):
    install(site, "co-counts = brought:CoCountsFamily", brought=TOY.read_text())
    config = importlib.import_module("brought").CoCountsConfig(damping=0.1)
    split = al.hold_out(tiny_likes(), k=2)
    found = al.search(split, [], candidates=[config], objective="precision@5")
    assert found.best == config
    assert al.fit(tiny_likes(), config).settings == {"model": "co-counts", "damping": 0.1}


def test_known_names_and_others_do_not_run_what_is_installed(site):
    install(site, "co-counts = brought:None", brought="raise RuntimeError('it was imported')")
    for family in ("als", "item-knn", "ease", "popularity", "random"):
        assert registry.family_named(family).name == family
    known = (
        "known are als, item-knn, ease, sparse-linear, feature-als, explicit-als, item-profile, "
        "lmf, bpr, warp, popularity, random, blend, co-counts. Did you mean 'co-counts'?"
    )
    with pytest.raises(al.AlsolikeError, match=re.escape(f"Unknown model 'cocounts'; {known}")):
        al.fit(tiny_likes(), family="cocounts")
    with pytest.raises(RuntimeError, match="it was imported"):
        al.fit(tiny_likes(), family="co-counts")


@pytest.mark.parametrize(
    ("lines", "code", "came"),
    [
        ("odd = brought:made", "def made():\n    return 3", ", not 3."),
        ("odd = brought:Odd", "class Odd:\n    name = 'odd'", ", not an Odd."),
        ("odd = brought:CoCountsFamily", TOY.read_text(), ", not a CoCountsFamily."),
    ],
)
def test_what_is_no_family_of_that_name_is_refused(site, lines, code, came):
    install(site, lines, brought=code)
    with pytest.raises(al.AlsolikeError, match=r"The entry point odd = brought:.* of ") as said:
        al.fit(tiny_likes(), family="odd")
    assert came in str(said.value)


def test_a_bundle_of_a_family_that_is_not_installed_says_so(site, tmp_path):
    install(site, "co-counts = brought:CoCountsFamily", brought=TOY.read_text())
    al.save(al.fit(tiny_likes(), family="co-counts"), tmp_path / "model")
    registry.FAMILIES.pop()
    shutil.rmtree(site)
    message = r"manifest.json: Unknown model 'co-counts'; .* Install the package that provides"
    with pytest.raises(al.AlsolikeError, match=message):
        al.load(tmp_path / "model")


def test_another_process_knows_it_too(tmp_path):
    install(tmp_path / "site", "co-counts = brought:CoCountsFamily", brought=TOY.read_text())
    rows = [f"u{row % 9},i{row % 7}" for row in range(60)]
    (tmp_path / "likes.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])
    command = [sys.executable, "-m", "alsolike", "fit", "likes.csv", "--family", "co-counts"]
    done = subprocess.run(
        [*command, "--to", "model", "--quiet"], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [sys.executable, "-m", "alsolike", "similar", "model", "i1"], cwd=tmp_path, check=False,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert "similar_item" in found.stdout, found.stderr

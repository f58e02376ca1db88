"""The built wheel, in an environment that has the dependencies but not the sources."""

import email
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "alsolike"


def run(*command: object, cwd: Path) -> str:
    """Run a command that must succeed, away from the sources; return what it printed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of a new environment: the wheel, and the libraries of this one."""
    home = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    bins = home / "bin"
    (site,) = home.glob("lib/python*/site-packages")
    target = ("--python", bins / "python", "install", "--no-deps", "--no-index", "--quiet")
    run(sys.executable, "-m", "pip", *target, wheel, cwd=home)
    # Python does not read the .pth files of a folder that a .pth file adds, so the one that makes
    # the sources importable stays out.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return bins


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("alsolike/")}
        others = {name.split("/")[0] for name in archive.namelist()} - {"alsolike"}
    ours = {
        f"alsolike/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == ours
    assert "alsolike/py.typed" in held
    assert any(name.startswith("alsolike/views/") and name.endswith(".css") for name in held)
    assert {"alsolike/views/templates/item_card.html", "alsolike/web/templates/base.html"} <= held
    assert all(name.endswith(".dist-info") for name in others)


def test_metadata_is_complete_and_asks_for_little(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
        assert any("licenses/LICENSE" in name for name in archive.namelist())
    direct = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert 0 < len(direct) <= 14
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["Version"])
    assert metadata["Summary"]
    assert metadata.get_payload().strip()


def test_installed_package_is_not_the_sources(installed: Path, tmp_path: Path) -> None:
    code = "import alsolike; print(alsolike.__file__)"
    found = run(installed / "python", "-c", code, cwd=tmp_path).strip()
    assert Path(found).is_relative_to(installed.parent)


def test_command_line_answers(installed: Path, tmp_path: Path) -> None:
    assert "similar" in run(installed / "alsolike", "--help", cwd=tmp_path)
    assert re.search(r"\d+\.\d+\.\d+", run(installed / "alsolike", "--version", cwd=tmp_path))


def test_a_tiny_fit_works(installed: Path, tmp_path: Path) -> None:
    code = """
from alsolike.data.interactions import Interactions
from alsolike.models.als.train import fit
from alsolike.models.als.config import ALSConfig
likes = Interactions.from_columns(list("aabbcc"), list("xyxzyz"))
model = fit(likes, ALSConfig(factors=2, iterations=2))
print(model.user_factors.shape, model.items.id_of(0))
"""
    assert run(installed / "python", "-c", code, cwd=tmp_path).strip() == "(3, 2) x"

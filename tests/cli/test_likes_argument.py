"""LIKES on the command line: one path, several, or a query in their place."""

from pathlib import Path

import click.testing
import pytest

from alsolike.cli.group import main
from alsolike.pipeline.job import Job, resolve


def said(*words: object, code: int = 0) -> str:
    result = click.testing.CliRunner().invoke(main, ["read", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for at in range(2):
        Path(f"{at}.csv").write_text(f"user,item\nu{at},x\n")
    return tmp_path


def test_several_paths_are_one_table(folder: Path) -> None:
    for words in (["0.csv", "1.csv"], ["*.csv"], ["."], ["--sql", "FROM '*.csv'"]):
        assert "rows            2\n" in said(*words), words
    assert "Missing argument 'LIKES...'" in said(code=2)
    assert "--sql is a source of its own" in said("0.csv", "--sql", "SELECT 1", code=1)
    assert "Pass another --encoding" in said("0.csv", "--encoding", "utf-16", code=1)


@pytest.mark.parametrize("likes", [["*.csv"], ["0.csv", "1.csv"], ["."]])
def test_no_output_overwrites_a_part(likes: list[str], folder: Path) -> None:
    assert "would write over it" in said(*likes, "--to", "1.csv", code=1)
    assert (folder / "1.csv").read_text() == "user,item\nu1,x\n"


def test_pictures_lie_next_to_the_first_file(folder: Path) -> None:
    (folder / "out").mkdir()
    for source, place in ((["1.csv", "0.csv"], folder), ("*.csv", folder), (None, None)):
        found = resolve(Job(source=source, out=folder / "out")).image_folder
        assert found == place

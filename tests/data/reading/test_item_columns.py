"""The columns of items that are asked for, of the item table or of the likes."""

from pathlib import Path

import pytest

import alsolike as al
from alsolike.errors import DataError, SettingError

LIKES = "user,item,artist,kind\na,1,X,shoes\nb,1,X,shoes\na,2,Y,boots\nc,3,,gift\n"
ITEMS = "item,title,kind,price\n1,One,shoe,3\n2,Two,boot,4\n3,Three,gift,5\n"


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "likes.csv", tmp_path / "items.csv"
    for path, text in zip(paths, (LIKES, ITEMS), strict=True):
        path.write_text(text)
    return paths


def columns(path: Path, **how: object) -> dict[str, list[str]]:
    found, _ = al.read(path, user="user", item="item", **how)
    known = {} if found.catalogue is None else found.catalogue.columns()
    return {label: list(texts) for label, texts in known.items()}


def test_columns_of_the_likes_are_kept_if_they_are_asked_for(tables: tuple[Path, Path]) -> None:
    likes, _ = tables
    artists = {"artist": ["X", "Y", ""]}
    assert columns(likes) == {}
    assert columns(likes, item_columns="artist") == artists
    assert columns(likes, item_columns=["artist", 3]) == artists  # the same column
    both = columns(likes, item_columns=["kind", "artist"], item_name="artist")
    assert both == {"name": ["X", "Y", ""], "kind": ["shoes", "boots", "gift"], **artists}


def test_columns_of_the_item_table_come_first(tables: tuple[Path, Path]) -> None:
    likes, items = tables
    assert list(columns(likes, items=items)) == ["title", "kind", "price"]
    found = columns(likes, items=items, item_columns=["kind", "artist"], item_name="title")
    assert found == {
        "name": ["One", "Two", "Three"], "kind": ["shoe", "boot", "gift"], "artist": ["X", "Y", ""],
    }  # fmt: skip
    assert columns(likes, items=items, item_columns=[]) == {}


def test_columns_that_are_not_there_are_errors(tables: tuple[Path, Path]) -> None:
    likes, items = tables
    for how in ({}, {"items": items}):
        with pytest.raises(DataError, match=r"no item_columns column 'knd'.*Did you mean 'kind'"):
            columns(likes, item_columns=["knd"], **how)
    for wrong in ([None], [1.5], [True]):
        with pytest.raises(SettingError, match="item_columns"):
            columns(likes, item_columns=wrong)


def test_columns_are_saved_with_a_model(tables: tuple[Path, Path], tmp_path: Path) -> None:
    likes, _ = al.read(tables[0], user="user", item="item", item_columns=["artist"])
    al.save(al.fit_popularity(likes), tmp_path / "model")
    catalogue = al.load(tmp_path / "model").catalogue
    assert catalogue is not None
    assert list(catalogue.columns()["artist"]) == ["X", "Y", ""]

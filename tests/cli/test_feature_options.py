"""Options of features on the command line: what they read, what a model keeps, what is refused."""

from pathlib import Path

import pytest

import alsolike as al
from command import fine, refused


@pytest.fixture
def likes(tmp_path: Path) -> Path:
    rows = [f"u{user},i{item}" for user in range(8) for item in range(6) if (user + item) % 2]
    (tmp_path / "likes.csv").write_text("\n".join(["user,item", *rows]))
    items = [f"i{item},Item {item},{'odd' if item % 2 else 'even'},{item}.5" for item in range(7)]
    (tmp_path / "items.csv").write_text("\n".join(["item,name,kind,price", *items]))
    tags = [f"i{item},{tag}" for item in range(7) for tag in ("all", f"t{item % 2}")]
    (tmp_path / "tags.csv").write_text("\n".join(["item,tag", *tags]))
    people = [f"u{user},{'ch' if user % 2 else 'de'}" for user in range(8)]
    (tmp_path / "users.csv").write_text("\n".join(["user,country", *people]))
    return tmp_path / "likes.csv"


def test_a_model_keeps_the_features_that_options_read(likes: Path, tmp_path: Path) -> None:
    done = fine(
        "fit", likes, "--family", "item-knn", "--items", tmp_path / "items.csv",
        "--item-feature", "kind:category,price:number", "--item-features", tmp_path / "tags.csv",
        "--user-table", tmp_path / "users.csv", "--user-feature", "country",
        "--to", tmp_path / "model",
    )  # fmt: skip
    assert "item feature tag: set, 3 words" in " ".join(done.output.split())
    assert "user feature country" in done.output
    model = al.load(tmp_path / "model")
    assert model.item_features is not None
    assert [block.name for block in model.item_features.blocks] == ["kind", "price", "tag"]
    assert model.user_features is not None
    assert model.user_features.has.all()
    table, _ = al.encode_more(model.item_features, tmp_path / "tags.csv")
    assert list(table.ids)[-1] == "i6"  # an item without likes
    assert table.features.same_columns(model.item_features)


def test_wrong_options_are_said_in_their_own_words(likes: Path, tmp_path: Path) -> None:
    assert "--item-feature: 'nmber' is no kind" in refused(
        "read", likes, "--item-feature", "price:nmber"
    )
    assert "--user-table and --user-feature go together" in refused(
        "read", likes, "--user-feature", "country"
    )
    tags = f"{tmp_path / 'tags.csv'}:item,tag"
    assert "would write over it" in refused(
        "read", likes, "--item-features", tags, "--to", tmp_path / "tags.csv"
    )
    assert "a smaller --feature-min keeps more" in refused(
        "read", likes, "--item-features", tags, "--feature-min", "9"
    )

"""The verbs of features: items-for, suggest-features, add-items, and similar --by."""

import pytest

import alsolike as al
from alsolike.models.registry import FAMILIES
from command import fine, refused
from toy_features import TagSumsFamily, tagged_model


@pytest.fixture(scope="module")
def knn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("knn") / "model"
    al.save(tagged_model(), folder)
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    family = TagSumsFamily()
    FAMILIES.append(family)
    folder = tmp_path_factory.mktemp("toy") / "model"
    al.save(tagged_model("tag-sums"), folder)
    yield folder
    FAMILIES.remove(family)


def test_items_for_lists_items_of_tags(knn, tmp_path):
    assert (
        "Item 30 ♪" in fine("items-for", knn, "castle", "medieval", "--k", 40, "--verbose").stdout
    )
    fine("items-for", knn, "tag: Sea", "--k", 3, "--to", tmp_path / "sea.csv")
    assert len((tmp_path / "sea.csv").read_text().splitlines()) == 4
    assert "Did you mean 'castle'?" in refused("items-for", knn, "castel")


def test_suggest_features_lists_tags_that_items_lack(knn, tmp_path):
    item = al.load(knn).items.id_of(5)
    table = al.suggest_features(al.load(knn), item)
    assert table["feature"].tolist()[0] in fine("suggest-features", knn, item).stdout
    fine("suggest-features", knn, "--all", "--min-support", 30, "--to", tmp_path / "none.csv")
    assert "no features 'genre'" in refused("suggest-features", knn, item, "--block", "genre")


def test_similar_compares_by_features_and_by_both(knn):
    item = al.load(knn).items.id_of(5)
    for by in ("features", "both"):
        found = al.similar(al.load(knn), item, by=by, k=1)["similar_item"].tolist()[0]
        assert f" {found} " in fine("similar", knn, item, "--by", by, "--k", 2).stdout
    assert "belongs to the comparison by likes" in refused(
        "similar", knn, item, "--by", "both", "--affinity", "counts"
    )
    refused("similar", knn, item, "--together", "--by", "both", status=2)
    alone = al.load(knn).items.id_of(int((~al.load(knn).item_features.has).argmax()))
    assert "No item shares features" in fine("similar", knn, alone, "--by", "features").stderr


def test_add_items_saves_a_model_with_them(toy, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text(
        "id,name,tag\nn1,A castle,castle|gold\nn2,A beach,Sea|sand\nn3,Nothing,gold\n", "utf-8"
    )
    out = tmp_path / "out"
    printed = fine("add-items", toy, table, "--out", out).stdout
    assert "Added 2 items." in printed
    assert "Left out 1 item of which" in printed
    assert "Left out 2 words of 'tag' that the model does not know." in printed
    model = al.load(out)
    assert model.catalogue.name_of(model.items.index_of("n1")) == "A castle"
    assert "n1" in al.items_for_features(model, "castle", k=60)["item"].tolist()
    assert "n1" not in al.load(toy).items
    item = model.items.id_of(0)
    table.write_text(f"item,tag\n{item},Sea\n{item},sand\nn9,Sea\n", "utf-8")
    assert "has likes in the model already" in refused("add-items", out, table, "--header")
    assert "Renewed the features of 1 item" in fine("add-items", out, table, "--renew").stdout
    assert "n9" in al.load(out).items
    table.write_text("item,colour\nn1,red\n", "utf-8")
    assert "no item has a feature that the model knows" in refused(
        "add-items", out, table, "--header"
    )


def test_add_items_says_what_a_model_cannot(knn, tmp_path):
    (tmp_path / "new.csv").write_text("item,tag\nn1,castle\n", "utf-8")
    assert "'item-knn' knows items by their likes alone" in refused(
        "add-items", knn, tmp_path / "new.csv"
    )

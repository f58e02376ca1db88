"""A service compares items by pictures, tags and likes: in the API, and side by side on a page."""

import re

import numpy as np
import pytest

import alsolike as al
from alsolike.data.reading.features.read_features import with_features
from alsolike.testing import tiny_likes
from serving import client_of, settings_of


@pytest.fixture(scope="module")
def model():
    likes = tiny_likes()
    rng = np.random.default_rng(0)
    told = {
        "images": {one: rng.normal(size=6).tolist() for one in likes.items},
        "tag": {one: [f"t{at % 3}"] for at, one in enumerate(likes.items)},
    }
    return al.fit(with_features(likes, items=told), family="item-knn")


def test_a_service_shows_what_looks_alike(model, tmp_path):
    al.save(model, tmp_path / "model")
    item = model.items.id_of(0)
    with client_of(settings_of(tmp_path / "state", tmp_path / "model")) as client:
        for by in ("images", "pictures", "likes,images", "tags"):
            answer = client.get(f"/api/v1/items/{item}/similar", params={"by": by, "k": 4}).json()
            table = al.similar(model, item, by=by, k=4)
            assert [one["item"] for one in answer["similar"]] == table["similar_item"].tolist()
        assert "the cosine of the tags of both items" in answer["scale"]
        error = client.get(f"/api/v1/items/{item}/similar?by=image")
        assert error.status_code == 422
        assert "Did you mean 'images'" in error.json()["error"]["message"]
        page = client.get(f"/items/{item}").text
        titles = re.findall(r'<h2 id="list-\d">([^<]*)</h2>', page)
        assert titles == ["item-knn by likes", "item-knn by images", "item-knn by tag",
                          "item-knn by both", "popularity"]  # fmt: skip
        assert "The nearest of all by images." in page
        assert re.search(r"Nearer by images than [\d.]+ % of all items\.", page)
        assert "Both have <bdi>t0</bdi>" in page

"""The pages of features: a search for them, items that fit some, and strips on an item's page."""

from dataclasses import replace

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

import alsolike as al
from serving import client_of, settings_of
from toy_features import tagged_likes, tagged_model


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    likes = tagged_likes()
    al.save(al.fit(likes, family="feature-als", factors=4, iterations=3), folder / "one")
    al.save(al.fit(replace(likes, item_features=None), family="item-knn"), folder / "two")
    with client_of(settings_of(folder / "state", folder / "one", folder / "two")) as one:
        yield one


def test_features_are_found_and_linked(client):
    page = client.get("/features").text
    assert 'href="/features?feature=tag%3A+castle"' in page
    assert "&lt;b&gt;hill&lt;/b&gt;" in page
    assert "<b>hill" not in page
    assert "3 found" in client.get("/features?q=S&model=feature-als").text
    assert "Nothing found" in client.get("/features?q=zzz").text


def test_items_of_features_are_listed(client):
    page = client.get("/features?feature=castle").text
    rows = al.items_for_features(al.load(_folder(client)), "castle", k=24)
    assert page.count("<li><a href=") >= len(rows) - 1
    both = client.get("/features?feature=castle&feature=tag%3A+medieval").text
    assert "castle, medieval" in both
    assert "without it" in both
    missing = client.get("/features?feature=castel")
    assert missing.status_code == 404
    assert "Did you mean" in missing.text


def test_an_item_has_its_features_and_strips(client):
    item = tagged_model().items.id_of(2)  # has one of two tags that go together
    page = client.get(f"/items/{item}").text
    assert "Items near it also have" in page
    for title in ("feature-als by likes", "feature-als by features", "feature-als by both"):
        assert f">{title}</h2>" in page
    assert "Both have <bdi>castle</bdi>" in page
    assert 'href="/features?feature=tag%3A+medieval"' in page


def test_an_item_without_likes_is_new(client):
    model = tagged_model()
    cold = model.items.id_of(int(model.item_counts.argmin()))
    assert "New: no likes yet" in client.get(f"/items/{cold}").text


def test_a_model_without_features_says_so(client):
    missing = client.get("/features?model=item-knn")
    assert missing.status_code == 404
    assert "knows no features of items" in missing.text
    assert 'href="/features"' in client.get("/").text


def test_recommendations_say_which_features_are_behind_them(client):
    user = next(iter(tagged_model().users))
    assert "Features behind it: <bdi>" in client.get(f"/users/{user}").text
    top = client.get(f"/api/v1/users/{user}/recommendations?k=1").json()["recommendations"][0]
    why = client.get(f"/api/v1/users/{user}/explanations", params={"item": top["item"]}).json()
    assert why["features"]


def _folder(client):
    return client.app.state.service.registry.of(None).folder

"""Similar items found ahead are those that are found one by one, and a damaged file is no more."""

import numpy as np
import pytest

from alsolike.models.bundle.io import load
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.web.serving import neighbour_cache
from alsolike.web.serving.bundle_store import neighbours_path, version_of
from alsolike.web.serving.deploy import prepare, swap
from alsolike.web.serving.registry import load_model
from alsolike.web.serving.state_store import Store
from serving import bundle, client_of, settings_of, wait_for


def same(one, other):
    return [array.tobytes() for array in one] == [array.tobytes() for array in other]


@pytest.mark.parametrize("most", [4e10, 900, 0])
def test_ready_made_neighbours_are_those_found_one_by_one(tmp_path, most):
    model = load(bundle(tmp_path / "model"))
    neighbours = Neighbours(model)
    ready = neighbour_cache.NeighbourCache(tmp_path / "s", model)
    assert not ready.is_ready
    neighbour_cache.build(tmp_path / "s", model, most_work=most, block_rows=5)
    ready.look()
    assert ready.is_ready
    here = np.ones(len(model.items), dtype=bool)
    here[::3] = False
    for row in range(len(model.items)):
        for asked in ({"k": 1}, {"k": 20}, {"k": 21}, {"k": 3, "min_count": 1}):
            assert same(ready.similar(row, **asked), neighbours.similar(row, **asked))
        assert same(
            ready.similar(row, 4, may_appear=here), neighbours.similar(row, 4, may_appear=here)
        )


@pytest.mark.parametrize("family", ["als", "item-knn", "ease"])
def test_compiled_kernels_write_the_same_file(tmp_path, family):
    model = load(bundle(tmp_path / "model", family=family))
    for name, compiled in (("one", False), ("other", True)):
        neighbour_cache.build(tmp_path / name, model, compiled=compiled)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_those_most_liked_come_first(tmp_path):
    model = load(bundle(tmp_path / "model"))
    neighbour_cache.build(tmp_path / "s", model, most_work=3.0 * model.item_factors.size)
    ready = neighbour_cache.NeighbourCache(tmp_path / "s", model)
    kept = np.flatnonzero(ready._places >= 0)
    assert len(kept) == 3
    assert model.item_counts[kept].min() >= np.sort(model.item_counts)[-3]


@pytest.mark.parametrize("family", ["als", "item-knn"])
def test_what_takes_too_long_is_left_to_those_who_ask(tmp_path, family):
    model = load(bundle(tmp_path / "model", family=family))
    neighbour_cache.build(tmp_path / "s", model, most_seconds=0.0, block_rows=4)
    ready = neighbour_cache.NeighbourCache(tmp_path / "s", model)
    kept = np.flatnonzero(ready._places >= 0)
    assert sorted(kept) == sorted(model.items_by_likes[:4])
    neighbours = Neighbours(model)
    for row in range(len(model.items)):
        assert same(ready.similar(row, 5), neighbours.similar(row, 5))


def test_a_damaged_file_is_made_anew(tmp_path):
    folder = bundle(tmp_path / "model")
    settings = settings_of(tmp_path / "state", folder)
    with Store(settings.state) as state:
        prepare(settings, state)
        (served,) = state.served()
    path = neighbours_path(settings.state, served.version)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"\x7f", content + b"x"):
        path.write_bytes(damaged)
        served = load_model(settings, "model", served.version)
        assert not served.neighbours.is_ready
        assert len(served.neighbours.similar(0, 5)[0])
        with Store(settings.state) as state:
            prepare(settings, state)
        assert path.read_bytes() == content


def test_after_a_swap_another_process_finds_them(tmp_path):
    one, two = bundle(tmp_path / "one"), bundle(tmp_path / "two", seed=1)
    with client_of(settings_of(tmp_path / "state", one)) as client:
        service = client.app.state.service
        assert service.registry.of(None).neighbours.is_ready
        swap(service.settings, service.state, "als", two)
        wait_for(lambda: service.registry.of(None).version == version_of(two))
        wait_for(lambda: service.registry.of(None).neighbours.is_ready, 30)


def test_what_keeps_the_other_process_is_logged(tmp_path, caplog):
    neighbour_cache.build_in_background(tmp_path / "nothing", tmp_path / "s")
    wait_for(lambda: "could not be precomputed" in caplog.text, 30)


def test_other_settings_are_asked_beside_the_file(tmp_path):
    model = load(bundle(tmp_path / "model"))
    neighbour_cache.build(tmp_path / "s", model)
    ready = neighbour_cache.NeighbourCache(tmp_path / "s", model)
    assert ready.is_precomputed(0, 5)
    differ = 0
    for mark in MARKS:
        config = SimilarityConfig(popularity_bias=mark)
        assert not ready.is_precomputed(0, 5, config)
        for row in range(len(model.items)):
            found = ready.similar(row, 5, similarity=config)
            assert same(found, Neighbours(model, config).similar(row, 5))
            differ += not same(found, ready.similar(row, 5))
        pair = np.array([1, 4], dtype=np.int32)
        assert same(
            ready.similar_to_set(pair, 5, similarity=config),
            Neighbours(model, config).similar_to_set(pair, 5),
        )
    assert differ > 0


def test_settings_used_long_ago_are_dropped_and_the_own_stay(tmp_path):
    model = load(bundle(tmp_path / "model"))
    cache = neighbour_cache.NeighbourCache(tmp_path / "none", model)
    cache.prepare()
    own = cache._prepared[None]
    for number in range(40):
        config = SimilarityConfig(popularity_bias=number / 40)
        cache.similar(0, 5, similarity=config)
        assert config in cache._prepared
        assert len(cache._prepared) <= 17
    assert cache._prepared[None] is own


def test_lists_by_other_settings_are_made_anew(tmp_path):
    model = load(bundle(tmp_path / "model"))
    neighbour_cache.build(tmp_path / "s", model)
    turned = model.with_similarity(SimilarityConfig(popularity_bias=0.1))
    assert not neighbour_cache.NeighbourCache(tmp_path / "s", turned).is_ready
    assert not (tmp_path / "s").exists()
    neighbour_cache.build(tmp_path / "s", turned)
    ready = neighbour_cache.NeighbourCache(tmp_path / "s", turned)
    assert ready.is_ready
    for row in range(len(model.items)):
        assert same(ready.similar(row, 5), Neighbours(turned).similar(row, 5))

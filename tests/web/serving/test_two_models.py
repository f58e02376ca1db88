"""A run's folder with a second model: it answers for similar items, the first for all else."""

import json
import shutil
import sqlite3

import httpx
import pytest

from alsolike.errors import BundleError, SettingError
from alsolike.models.bundle.io import load
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.single import recommend_one
from alsolike.web.pages import votes
from alsolike.web.serving.bundle_store import neighbours_path, version_of
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.state_store import STATE, Store
from alsolike.web.settings import model_folders, slots
from serving import bundle, client_of, running, settings_of, wait_for

API = "/api/v1"
NO_SECOND = "this folder has no second model for them"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the folder of a run whose winner beside items is another model."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    bundle(folder / "model")
    bundle(folder / "similar", family="item-knn")
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Give the folders of two further runs, with and without a second model."""
    folder = tmp_path_factory.mktemp("runs")
    bundle(folder / "two" / "model", seed=1)
    bundle(folder / "two" / "similar", seed=2)
    bundle(folder / "alone" / "model", seed=3)
    return folder / "two", folder / "alone"


@pytest.fixture
def client(run, tmp_path):
    with client_of(settings_of(tmp_path / "state", run)) as one:
        yield one


def versions(folder):
    main, second = model_folders(folder)
    return version_of(main), None if second is None else version_of(second)


def now(client):
    told = client.get("/readyz").json()
    return told["models"]["als"], told["similar"].get("als")


def test_similar_items_are_of_the_second_model_and_all_else_of_the_first(client, run):
    first, second = load(run / "model"), load(run / "similar")
    main, similar = versions(run)
    row = second.items.index_of("i3")
    for query, config in (("", None), ("?popularity_bias=.1", 0.1)):
        answer = client.get(f"{API}/items/i3/similar{query}").json()
        assert answer["model"] == {"name": "als", "version": similar}
        assert answer["affinity"] == "counts"
        changed = second
        if config is not None:
            changed = second.with_similarity(type(second.similarity_config)(popularity_bias=config))
        rows, scores = Neighbours(changed).similar(row, 10)
        assert [one["item"] for one in answer["similar"]] == second.items.ids_of(rows).tolist()
        assert [one["score"] for one in answer["similar"]] == scores.tolist()
    for path, body in (
        ("items/i3/explanations?other=i5", None),
        ("items/i3/similar?deny=i5", None),
        ("similar", {"items": ["i3", "i5"]}),
    ):
        method = "GET" if body is None else "POST"
        answer = client.request(method, f"{API}/{path}", json=body).json()
        assert answer["model"]["version"] == similar, path
    told = client.get(f"{API}/users/u5/recommendations?k=7").json()
    assert told["model"] == {"name": "als", "version": main}
    table = recommend_one(first, "u5", k=7)
    assert [one["item"] for one in told["recommendations"]] == table["item"].tolist()
    for path in ("items/i3", "items?q=i3", "users/u5/explanations?item=i3"):
        assert client.get(f"{API}/{path}").json()["model"]["version"] == main, path


def test_both_models_are_told_of(client, run):
    main, similar = versions(run)
    assert now(client) == (main, similar)
    (facts,) = client.get(f"{API}/model").json()["models"]
    assert (facts["version"], facts["family"]) == (main, "als")
    assert (facts["similar"]["version"], facts["similar"]["family"]) == (similar, "item-knn")
    told = client.get("/metrics").text
    for version in (main, similar):
        assert f'alsolike_model_workers{{slot="als",version="{version}"}} 1.0\n' in told
    about = client.get("/about").text
    assert main in about
    assert similar in about
    assert "als: similar items" in about


def test_pages_show_the_list_of_the_second_model(client, run):
    second = load(run / "similar")
    rows, _ = Neighbours(second).similar(second.items.index_of("i3"), 10)
    page = client.get("/items/i3").text
    assert page.count('<h2 id="list-') == 2  # and popularity
    assert "Item-knn, counts at mark 0.8. The bar shows" in page
    for item in second.items.ids_of(rows):
        assert f'href="/items/{item}"' in page
    version = now(client)[0][:16]
    near = client.get(f"/map/item/als/{version}?id=i3").json()["near"]
    assert [one["address"] for one in near] == [
        f"/items/{item}" for item in second.items.ids_of(rows)
    ]
    (pair,) = votes.pairs_of(client.app.state.service.registry.served).values()
    assert pair.name == "als|popularity"
    assert pair.versions == (now(client)[1], now(client)[1])
    assert client.get("/compare").status_code == 200
    for path in ("/", "/users/u1", "/try?item=i1", "/map"):
        assert client.get(path).status_code == 200


def test_only_the_second_model_has_its_lists_computed_ahead(client, run):
    state = client.app.state.service.settings.state
    main, similar = versions(run)
    assert neighbours_path(state, similar).exists()
    assert not neighbours_path(state, main).exists()
    served = client.app.state.service.registry.of(None)
    assert served.companion.neighbours.is_ready
    client.get(f"{API}/items/i3/similar")
    assert not served.neighbours._prepared  # nor is anything kept in memory for the first


def test_a_swap_of_a_run_swaps_both_or_says_what_it_did(run, others, tmp_path):
    two, alone = others
    settings = settings_of(tmp_path / "state", run)
    with client_of(settings) as client, Store(settings.state) as state:
        done = swap(settings, state, "als", two)
        assert (done.before, done.similar_before) == versions(run)
        assert (done.version, done.similar) == versions(two)
        assert f"similar items are of {done.similar[:12]} after {done.similar_before[:12]}" in str(
            done
        )
        wait_for(lambda: now(client) == versions(two))
        told = client.get(f"{API}/items/i3/similar").json()["model"]["version"]
        assert told == versions(two)[1]
        wait_for(lambda: neighbours_path(settings.state, versions(two)[1]).exists(), 30)
        again = swap(settings, state, "als", two)
        assert not again.changed
        assert "already" in str(again)
        done = swap(settings, state, "als", alone)
        assert (done.similar, done.similar_before) == (None, versions(two)[1])
        assert NO_SECOND in str(done)
        wait_for(lambda: now(client) == versions(alone))
        told = client.get(f"{API}/items/i3/similar").json()["model"]["version"]
        assert told == versions(alone)[0]
        # The former two are kept, for a return.
        kept = state.versions_in_use(with_former=True)
        assert kept == {versions(alone)[0], *versions(two)}
        done = swap(settings, state, "als", run / "model")  # a bundle has one model
        assert (done.version, done.similar) == (versions(run)[0], None)
        done = swap(settings, state, "als", run)
        assert (done.similar, done.similar_before) == (versions(run)[1], None)
        assert f"similar items are of {done.similar[:12]} after {done.before[:12]}" in str(done)


def test_neither_model_is_taken_where_one_is_broken(run, others, tmp_path):
    settings = settings_of(tmp_path / "state", run)
    spoilt = tmp_path / "spoilt"
    for part in ("model", "similar"):
        shutil.copytree(others[0], spoilt)
        path = spoilt / part / "ids.safetensors"
        path.write_bytes(path.read_bytes()[:-7])
        with client_of(settings) as client, Store(settings.state) as state:
            with pytest.raises(BundleError, match=f"spoilt/{part}"):
                swap(settings, state, "als", spoilt)
            assert now(client) == versions(run)
            assert client.get(f"{API}/items/i1/similar").status_code == 200
        shutil.rmtree(spoilt)
    (run.parent / "empty" / "similar").mkdir(parents=True)
    shutil.copytree(run / "model", run.parent / "empty" / "model")
    with pytest.raises(BundleError, match="empty/similar"):
        client_of(settings_of(tmp_path / "other", run.parent / "empty")).__enter__()


def test_checks_of_similar_items_ask_the_second_model(run, others, tmp_path):
    golden = tmp_path / "golden.json"
    second = load(others[0] / "similar")
    rows, _ = Neighbours(second).similar(second.items.index_of("i1"), 3)
    expected = second.items.ids_of(rows).tolist()
    golden.write_text(json.dumps([{"similar": "i1", "among": 3, "expect": expected}]))
    settings = settings_of(tmp_path / "state", run)
    with client_of(settings), Store(settings.state) as state:
        asking = settings_of(settings.state, run, golden=golden)
        assert swap(asking, state, "als", others[0]).similar == versions(others[0])[1]
        golden.write_text(json.dumps([{"similar": "i1", "among": 3, "expect": ["i1"]}]))
        with pytest.raises(BundleError, match="'i1' expected"):
            swap(asking, state, "als", others[1])


def test_a_start_takes_what_the_folder_holds_now(run, others, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    settings = settings_of(tmp_path / "state", folder)
    with client_of(settings) as client:
        assert now(client) == versions(run)
    shutil.rmtree(folder / "similar")
    with client_of(settings) as client:
        assert now(client) == (versions(run)[0], None)
    shutil.copytree(others[0] / "similar", folder / "similar")
    with client_of(settings) as client, Store(settings.state) as state:
        assert now(client) == (versions(run)[0], versions(others[0])[1])
        swap(settings, state, "als", others[1])
    with client_of(settings) as client:  # a swap outlives the service
        assert now(client) == versions(others[1])
    shutil.rmtree(folder)
    with client_of(settings) as client:  # nor is the folder needed any more
        assert now(client) == versions(others[1])


def test_a_state_that_knew_one_model_for_each_slot_goes_on(run, tmp_path):
    settings = settings_of(tmp_path / "state", run / "model")
    with client_of(settings) as client:
        before = now(client)
    with sqlite3.connect(settings.state / "state.sqlite") as file:
        for column in ("similar", "similar_before"):
            file.execute(f"ALTER TABLE slots DROP COLUMN {column}")
        file.execute("DROP TABLE new_items")
        file.execute("PRAGMA user_version = 2")
    file.close()
    with client_of(settings) as client:
        assert now(client) == before == (versions(run)[0], None)
    assert STATE.version == 4


def test_the_endpoint_swaps_both_models_of_a_run(run, others, tmp_path):
    given = {"swap_token": "s" * 40, "bundles": others[0].parent}
    headers = {"Authorization": f"Bearer {'s' * 40}"}
    with client_of(settings_of(tmp_path / "state", run, **given)) as client:

        def told(**body):
            answer = client.post(f"{API}/model/swap", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            return answer.json()["version"], answer.json()["similar"]

        assert told(bundle="two") == versions(others[0]) == now(client)
        assert told(bundle="alone") == versions(others[1]) == now(client)
        assert told() == versions(run) == now(client)
        assert told() == versions(run)
        counted = client.get("/metrics").text
        assert 'alsolike_swaps_total{result="done"} 3.0' in counted
        assert 'alsolike_swaps_total{result="same"} 1.0' in counted


def test_slots_are_named_after_the_first_model(run, tmp_path):
    assert [(one.name, one.folder) for one in slots([run, f"b={run}", run / "model"])] == [
        ("als", run),
        ("b", run),
        ("als-2", run / "model"),
    ]
    with pytest.raises((BundleError, SettingError)):
        slots([tmp_path])


def test_the_command_serves_both_with_workers(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    with running(str(folder), "--workers", "2", "--log", "") as (address, _):

        def asked(path):
            return httpx.get(f"{address}{path}", timeout=20).json()

        for _ in range(6):
            told = asked("/api/v1/items/i3/similar")["model"]["version"]
            assert told == versions(run)[1]
            assert asked("/api/v1/users/u1/recommendations")["model"]["version"] == versions(run)[0]
    assert (folder / "serving" / "state.sqlite").exists()

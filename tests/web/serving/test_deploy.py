"""Hot swap: a sound bundle is taken, a broken one leaves the old in place and says why."""

import json
import shutil

import pytest

from alsolike.errors import BundleError, SettingError
from alsolike.web.serving.bundle_store import bundle_path, version_of
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.smoke_tests import read_smoke_tests
from alsolike.web.serving.state_store import Store
from serving import bundle, client_of, settings_of, wait_for


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return bundle(folder / "one"), bundle(folder / "two", seed=1)


def version_now(client):
    return client.get("/readyz").json()["models"]["als"]


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def flipped(folder):
    path = folder / "history.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_a_newer_format(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"format_version": 3', b'"format_version": 9'))


def without_a_file(folder):
    (folder / "ids.safetensors").unlink()


@pytest.mark.parametrize("broken", [truncated, flipped, of_a_newer_format, without_a_file])
def test_a_broken_bundle_leaves_the_old_in_place_and_says_why(models, tmp_path, broken):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(models[1], spoilt)
    broken(spoilt)
    settings = settings_of(tmp_path / "state", models[0])
    with client_of(settings) as client, Store(settings.state) as state:
        before = version_now(client)
        with pytest.raises(BundleError, match="spoilt"):
            swap(settings, state, "als", spoilt)
        assert [one.version for one in state.served()] == [before]
        assert client.get("/api/v1/items/i1/similar").status_code == 200
        left = {entry.name for entry in bundle_path(settings.state, before).parent.iterdir()}
        assert left == {before}


def test_a_swap_is_followed_within_seconds(models, tmp_path):
    settings = settings_of(tmp_path / "state", models[0])
    with client_of(settings) as client, Store(settings.state) as state:
        before = version_now(client)
        done = swap(settings, state, "als", models[1])
        assert (done.before, done.version) == (before, version_of(models[1]))
        wait_for(lambda: version_now(client) == done.version, 5)
        answer = client.get("/api/v1/items/i1/similar").json()
        assert answer["model"]["version"] == done.version
    with client_of(settings) as client:  # outlives the service
        assert version_now(client) == done.version


def test_swaps_are_counted_by_what_became_of_them(models, tmp_path):
    shutil.copytree(models[0], tmp_path / "bundles/one")
    shutil.copytree(models[1], tmp_path / "bundles/two")
    shutil.copytree(models[1], tmp_path / "bundles/bad")
    truncated(tmp_path / "bundles/bad")
    given = {"swap_token": "s" * 40, "bundles": tmp_path / "bundles"}
    with client_of(settings_of(tmp_path / "state", models[0], **given)) as client:
        for name in ("bad", "two", "two"):
            client.post(
                "/api/v1/model/swap",
                json={"bundle": name},
                headers={"Authorization": f"Bearer {'s' * 40}"},
            )
        told = client.get("/metrics").text
    for result in ("refused", "done", "same"):
        assert f'alsolike_swaps_total{{result="{result}"}} 1.0' in told


def test_the_folder_may_be_rewritten_while_it_is_served(models, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(models[0], folder)
    settings = settings_of(tmp_path / "state", folder)
    with client_of(settings) as client:
        for path in folder.iterdir():
            path.write_bytes(b"")
        assert client.get("/api/v1/items/i1/similar").status_code == 200
    with client_of(settings) as client:  # what was served is served again
        assert client.get("/api/v1/items/i2/similar").status_code == 200


def test_a_new_bundle_in_the_folder_is_taken_at_the_start(models, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(models[0], folder)
    settings = settings_of(tmp_path / "state", folder)
    with client_of(settings) as client:
        before = version_now(client)
    shutil.rmtree(folder)
    shutil.copytree(models[1], folder)
    with client_of(settings) as client:
        assert version_now(client) == version_of(models[1]) != before


def test_smoke_tests_are_run(models, tmp_path):
    questions = tmp_path / "golden.json"
    settings = settings_of(tmp_path / "state", models[0])
    with client_of(settings) as client, Store(settings.state) as state:
        (first, *_) = client.get("/api/v1/items/i1/similar").json()["similar"]
        asking = settings_of(settings.state, models[0], golden=questions)
        questions.write_text(json.dumps([{"similar": "i1", "among": 5, "expect": ["i1"]}]))
        with pytest.raises(BundleError, match="'i1' expected among the first 5 neighbours"):
            swap(asking, state, "als", models[1])
        questions.write_text(json.dumps([{"similar": "i1", "among": 5}]))
        with pytest.raises(SettingError, match="check 1 is not"):
            swap(asking, state, "als", models[1])
        expected = [{"similar": "i1", "among": 29, "expect": [first["item"]]}]
        questions.write_text(json.dumps(expected))
        assert swap(asking, state, "als", models[1]).version == version_of(models[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\xfa", "smoke tests expected"),
        (b"[" * 100_000, "smoke tests expected .nested too deeply"),
        (b"[NaN]", "smoke tests expected .NaN is not finite"),
        (b"[1e999]", "smoke tests expected .1e999 is not finite"),
        (b"[" + b"9" * 5000 + b"]", "smoke tests expected .*digits"),
        (
            b'[{"among": 1, "among": 2}]',
            "the key .among. is there twice",
        ),
        (b" " * (1 << 20) + b"[]", "at most 1,048,576 bytes of smoke tests expected"),
        (b"{}", "a list of checks expected"),
        (b"[7]", "check 1 is not .*keys missing: .'among', 'expect', 'similar'."),
        (
            b'[{"similar": "a", "among": true, "expect": []}]',
            '"among": a number from 1 expected',
        ),
        (b'[{"similar": "a", "among": 0, "expect": []}]', '"among": a number from 1 expected'),
        (b'[{"similar": "a", "among": 1, "expect": [1]}]', '"expect": a list of ids expected'),
        (b'[{"similar": 1, "among": 1, "expect": []}]', '"similar": an id expected, 1 found'),
        (
            b'[{"similar": "a", "among": 1, "expect": [], "expects": []}]',
            "unknown key 'expects'. Did you mean 'expect'?",
        ),
    ],
)
def test_malformed_smoke_tests_are_refused(tmp_path, content, message):
    path = tmp_path / "golden.json"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=message) as caught:
        read_smoke_tests(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_endpoint_asks_for_its_own_token_and_takes_only_names(models, tmp_path):
    token = {"Authorization": "Bearer a-token-to-swap-with"}
    settings = settings_of(
        tmp_path / "state",
        models[0],
        swap_token="a-token-to-swap-with",
        bundles=models[0].parent,
    )
    with client_of(settings) as client:

        def asked(body, headers=token):
            return client.post("/api/v1/model/swap", json=body, headers=headers)

        assert asked({"bundle": "two"}, {}).status_code == 403
        assert asked({"bundle": "two"}, {"Authorization": "Bearer another"}).status_code == 403
        for name in ("../one", "/etc", "three", "."):
            assert asked({"bundle": name}).status_code == 404
        done = asked({"bundle": "two"})
        assert done.status_code == 200
        assert version_now(client) == done.json()["version"] == version_of(models[1])
        assert asked({}).json()["version"] == version_of(models[0])


def test_nothing_but_the_swap_token_swaps(models, tmp_path):
    token, swap_token = "correct-horse-battery", "swap-horse-battery-9"
    settings = settings_of(tmp_path / "state", models[0], token=token, swap_token=swap_token)
    with client_of(settings) as client:

        def status(**headers):
            return client.post("/api/v1/model/swap", json={}, headers=headers).status_code

        assert status() == 401
        assert status(authorization=f"Bearer {token}x") == 401
        assert status(authorization=f"Bearer {token}") == 403
        login = client.post("/login", data={"token": token}, follow_redirects=False)
        cookie = login.headers["set-cookie"].partition(";")[0]
        assert status(cookie=cookie) == 403
        assert status(cookie=cookie, authorization=f"Bearer {swap_token}") == 200
        assert status(authorization=f"bearer  {swap_token}") == 200
        client.cookies.clear()
        headers = {"authorization": f"Bearer {swap_token}"}
        assert client.get("/api/v1/items/i1", headers=headers).status_code == 401

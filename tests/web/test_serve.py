"""The service as processes: two workers, a swap that both follow, kills that lose no like."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from uvicorn.importer import import_from_string

import alsolike.web.serving as serving_package
from alsolike.web import server
from serving import BASE, bundle, running, wait_for


def asked(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310
        address + path, data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.load(answer)


def alsolike(*given):
    command = [sys.executable, "-m", "alsolike", *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_two_workers_follow_a_swap_and_share_likes(tmp_path: Path) -> None:
    one, two = bundle(tmp_path / "one"), bundle(tmp_path / "two", seed=1)
    state = tmp_path / "state"
    given = [str(one), "--workers", "2", "--state", str(state), "--log", "", "--rate", "0"]
    with running(*given) as (address, _):
        before = asked(address, "/readyz")["models"]["als"]
        done = alsolike("swap", state, two)
        assert done.returncode == 0, done.stderr

        def versions():
            return {asked(address, "/readyz")["models"]["als"] for _ in range(20)}

        wait_for(lambda: before not in versions(), 5)
        asked(address, "/api/v1/users/u1/likes", {"likes": [{"item": "i5"}]})
        for _ in range(20):
            known = asked(address, "/api/v1/users/u1/recommendations")
            assert known["live_likes"] == 1
        (two / "model.safetensors").write_bytes(b"")
        broken = alsolike("swap", state, two)
        assert broken.returncode != 0
        assert "model.safetensors" in broken.stderr
        assert before not in versions()
        again = alsolike("serve", one, "--state", state, "--port", "0")
        assert again.returncode != 0
        assert "another service uses this folder" in again.stderr


def test_an_address_is_not_shared_with_another_service(tmp_path: Path) -> None:
    model = bundle(tmp_path / "model")
    for workers, others in (("1", "2"), ("2", "1")):
        state = str(tmp_path / f"state{workers}{others}")
        with running(str(model), "--workers", workers, "--state", state) as (address, _):
            port = address.rpartition(":")[2]
            given = ["serve", model, "--state", tmp_path / "other", "--port", port]
            again = alsolike(*given, "--workers", others)
            assert again.returncode != 0
            assert "Is another service running there?" in again.stderr


def test_no_like_that_was_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    model, kept = bundle(tmp_path / "model"), []
    given = [str(model), "--log", "", "--rate", "0"]
    with running(*given) as (address, process):

        def write():
            number = 0
            while True:
                user = f"new {number}"
                try:
                    asked(
                        address,
                        f"/api/v1/users/{user.replace(' ', '%20')}/likes",
                        {"likes": [{"item": "i1"}, {"item": "i2"}]},
                    )
                except OSError:
                    return
                kept.append(user)
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        wait_for(lambda: len(kept) > 20, 30)
        os.kill(process.pid, signal.SIGKILL)
        writer.join()
    with running(*given) as (address, _):
        for user in kept:
            told = asked(address, f"/api/v1/users/{user.replace(' ', '%20')}/recommendations")
            assert told["live_likes"] == 2


def test_no_like_is_lost_after_another_process_has_used_the_state(tmp_path: Path) -> None:
    one, two = bundle(tmp_path / "one"), bundle(tmp_path / "two", seed=1)
    given = [str(one), "--log", "", "--rate", "0", "--state", str(tmp_path / "state")]
    likes = {"likes": [{"item": "i1"}]}
    for workers in ("1", "2"):
        with running(*given, "--workers", workers) as (address, process):
            for number, model in enumerate((two, one)):
                done = alsolike("swap", tmp_path / "state", model)
                assert done.returncode == 0, done.stderr
                assert asked(address, f"/api/v1/users/w{workers}n{number}/likes", likes)["kept"]
                seen = alsolike("likes", tmp_path / "state").stdout
                assert f"Live likes: {2 * int(workers) - 1 + number}." in seen
            os.kill(process.pid, signal.SIGKILL)
        with running(*given) as (address, _):
            for number in range(2):
                path = f"/api/v1/users/w{workers}n{number}/recommendations"
                assert asked(address, path)["live_likes"] == 1


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    model = str(bundle(tmp_path / "model"))
    given = [model, "--workers", "2", "--log", "", "--rate", "0"]
    likes = {"likes": [{"item": "i1"}]}
    with running(*given) as (address, process):
        port = address.rpartition(":")[2]
        for number in range(20):
            assert asked(address, f"/api/v1/users/n{number}/likes", likes)["kept"] == 1
        os.kill(process.pid, signal.SIGKILL)
    # At the same address, at once: the workers must be gone, and with them the address be free.
    with running(*given, "--port", port) as (again, _):
        assert again == address
        for number in range(20):
            assert asked(again, f"/api/v1/users/n{number}/recommendations")["live_likes"] == 1


def test_one_client_has_one_rate_whatever_the_number_of_workers(tmp_path: Path) -> None:
    given = [str(bundle(tmp_path / "model")), "--log", "", "--rate", "0.5", "--burst", "30"]
    with running(*given, "--workers", "3") as (address, _):
        start, statuses = time.monotonic(), []
        for _ in range(90):  # a connection each: the kernel spreads them over the workers
            try:
                asked(address, "/api/v1/items/i1/similar")
                statuses.append(200)
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
        paid_off = 0.5 * (time.monotonic() - start)
    assert set(statuses) == {200, 429}
    # Some of the burst went into finding out that all workers had come.
    assert 20 <= statuses.count(200) <= 30 + paid_off


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["none"], "manifest.json"),
        (["MODEL", "--host", "0.0.0.0"], "a token is needed"),  # noqa: S104
        (["MODEL", "--golden", "none.json"], "smoke tests expected"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path, given, message) -> None:
    model = bundle(tmp_path / "model")
    done = alsolike("serve", *[str(model) if one == "MODEL" else one for one in given])
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_service_never_imports_the_compiler() -> None:
    code = (
        "import sys, alsolike.web.server; "
        "sys.exit(len({'numba', 'llvmlite', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_log_that_cannot_be_written_is_refused_before_anybody_is_served(tmp_path: Path) -> None:
    model = bundle(tmp_path / "model")
    done = alsolike("serve", model, "--port", "0", "--log", tmp_path / "nowhere" / "log")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "access log cannot be written (No such file or directory)" in done.stderr


def test_malformed_smoke_tests_are_refused_before_anybody_is_served(
    tmp_path: Path,
) -> None:
    model, golden = bundle(tmp_path / "model"), tmp_path / "golden.json"
    golden.write_text("similar: i1")
    done = alsolike("serve", model, "--port", "0", "--golden", golden)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{golden}: smoke tests expected" in done.stderr


def test_the_former_path_of_the_application_still_works(tmp_path, monkeypatch):
    state = tmp_path / "state"
    with running(str(bundle(tmp_path / "model")), "--state", str(state), "--log", ""):
        pass
    monkeypatch.setenv(server.VARIABLE, str(state / server.SETTINGS_FILE))
    app = import_from_string("alsolike.web.serving:application")()
    with TestClient(app, base_url=BASE) as client:
        assert client.get("/healthz").json()["ready"]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(serving_package, "nothing")  # noqa: B009 - mypy does not see it

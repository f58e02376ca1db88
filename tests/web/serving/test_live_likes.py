"""Live likes taken out for the next training: beside a service, from copies, and the whole loop."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from alsolike.cli.group import main
from alsolike.data.reading.read import read
from alsolike.models.bundle.io import load
from alsolike.web.serving.live_likes import live_likes
from alsolike.web.serving.state_store import FILE, Store
from serving import bundle, client_of, running, settings_of, wait_for

ODD = (
    "a,b",
    'say "no"',
    "two\nlines",
    "cr\rhere",
    " blank ",
    "🎸 ö",
    "007",
    "NULL",
    "\u202eevil",
    "1e3",
)
READING = ("--value", "value", "--timestamp", "timestamp", "--negative", "dislike")


def alsolike(*given, status=0):
    done = CliRunner().invoke(main, [str(one) for one in given], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


def told(folder, likes):
    """Make a state with these likes."""
    with Store(folder) as state:
        for user, items in likes.items():
            state.add_likes(user, items)


def rows_of(folder):
    table = live_likes(folder).table
    return [tuple(row[name] for name in ("user", "item", "value")) for row in table.rows()]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_was_told_comes_out_and_is_read_again(tmp_path, ending):
    likes = {user: {item: 1.5 + at for at, item in enumerate(ODD)} for user in ("ann", *ODD)}
    likes["bob"] = {"i1": -2.0, "i2": 0.1}
    told(tmp_path, likes)
    out = tmp_path / f"likes.{ending}"
    printed = alsolike("likes", tmp_path, "--to", out)
    count = sum(map(len, likes.values()))
    assert printed == f"Wrote {count} rows to {out}\n"
    found, _ = read(
        out, user="user", item="item", value="value", timestamp="timestamp", negative="dislike"
    )
    assert found.n_interactions == count
    matrix = found.user_items.tocoo()
    again = {
        (found.users.id_of(row), found.items.id_of(column)): float(value)
        for row, column, value in zip(matrix.row, matrix.col, matrix.data, strict=True)
    }
    assert again == {
        (user, item): float(np.float32(value))
        for user, items in likes.items()
        for item, value in items.items()
    }
    assert (np.abs(found.timestamps - (tmp_path / FILE).stat().st_mtime) < 60).all()
    printed = alsolike("likes", tmp_path, "--forget", out)
    assert printed == f"Forgotten: all {count} likes in {out}. Live likes left: 0\n"
    assert rows_of(tmp_path) == []


def test_the_order_is_that_of_the_first_mention(tmp_path):
    told(tmp_path, {"ann": {"b": 1.0, "a": 1.0}, "bob": {"c": 1.0}})
    told(tmp_path, {"ann": {"b": 3.0}})
    assert rows_of(tmp_path) == [("ann", "b", 3.0), ("ann", "a", 1.0), ("bob", "c", 1.0)]
    printed = alsolike("likes", tmp_path)
    assert printed.startswith("Live likes: 3. Users: 2. Items: 3. Sent from 20")
    assert alsolike("likes", tmp_path / FILE) == printed


def test_only_what_is_as_it_was_is_forgotten(tmp_path, monkeypatch):
    moment = iter((1000.0, 2000.0, 3000.0))
    monkeypatch.setattr("alsolike.web.serving.state_store.time.time", lambda: next(moment))
    told(tmp_path, {"ann": {"same": 0.1, "again": 1.0, "other": 1.0, "back": 1.0}})
    out = tmp_path / "likes.csv"
    alsolike("likes", tmp_path, "--to", out)
    told(tmp_path, {"ann": {"again": 1.0}, "bob": {"same": 1.0}})
    with sqlite3.connect(tmp_path / FILE) as file:  # another value, at the very same time
        file.execute("UPDATE likes SET value = 2 WHERE item = 'other'")
        file.execute("DELETE FROM likes WHERE item = 'back'")
    file.close()
    printed = alsolike("likes", tmp_path, "--forget", out)
    assert printed.startswith("Forgotten: 1 of the 4 likes")
    assert "Live likes left: 3" in printed
    assert rows_of(tmp_path) == [
        ("ann", "again", 1.0), ("ann", "other", 2.0), ("bob", "same", 1.0)
    ]  # fmt: skip
    assert alsolike("likes", tmp_path, "--forget", out).startswith("Forgotten: 0 of the 4")


def test_many_are_forgotten_in_parts(tmp_path):
    told(tmp_path, {f"u{user}": {f"i{item}": 1.0 for item in range(4000)} for user in range(3)})
    out = tmp_path / "likes.parquet"
    alsolike("likes", tmp_path, "--to", out)
    assert "Forgotten: all 12,000" in alsolike("likes", tmp_path, "--forget", out)


def test_a_service_without_likes_has_an_empty_table(tmp_path):
    told(tmp_path, {})
    assert alsolike("likes", tmp_path).startswith("No live likes")
    assert alsolike("likes", tmp_path, "--to", tmp_path / "none.csv").startswith("Wrote 0 rows")
    assert (tmp_path / "none.csv").read_text().strip() == "user,item,value,timestamp"


def test_what_is_no_state_is_said_and_stays_as_it_is(tmp_path):
    for given in (tmp_path, tmp_path / "none", tmp_path / "none.sqlite"):
        for more in ((), ("--to", tmp_path / "out.csv"), ("--forget", tmp_path / "out.csv")):
            printed = alsolike("likes", given, *more, status=1)
            assert "the state of a service expected" in printed
    assert list(tmp_path.iterdir()) == []
    told(tmp_path / "run" / "serving", {})
    for given in (tmp_path / "run", tmp_path / "run" / "model"):
        printed = alsolike("likes", given, status=1)
        assert f"Did you mean {tmp_path / 'run' / 'serving'}?" in printed
    other = tmp_path / FILE
    other.write_text("no database", encoding="ascii")
    assert "another kind of file" in alsolike("likes", tmp_path, status=1)
    assert other.read_text(encoding="ascii") == "no database"
    other.unlink()
    told(tmp_path, {"ann": {"a": 1.0}})
    before = other.read_bytes()
    assert "write over it" in alsolike("likes", tmp_path, "--to", other, status=1)
    both = alsolike("likes", tmp_path, "--to", "x.csv", "--forget", "y.csv", status=2)
    assert "--forget" in both
    assert other.read_bytes() == before


def test_a_state_of_an_earlier_version_is_read_and_left_as_it_is(tmp_path):
    told(tmp_path, {"ann": {"a": 1.0}})
    place = tmp_path / FILE
    with sqlite3.connect(place) as file:
        file.execute("ALTER TABLE likes DROP COLUMN time")
        for column in ("similar", "similar_before"):  # of version 3
            file.execute(f"ALTER TABLE slots DROP COLUMN {column}")
        file.execute("DROP TABLE new_items")  # of version 4
        file.execute("PRAGMA user_version = 1")
    file.close()
    os.utime(place, (1_700_000_000, 1_700_000_000))
    before = place.read_bytes()
    out = tmp_path / "likes.csv"
    printed = alsolike("likes", tmp_path, "--to", out)
    assert "warning: likes stored without a time by an earlier version: 1." in printed
    assert place.read_bytes() == before
    assert live_likes(tmp_path).table["timestamp"].tolist() == [1_700_000_000]
    assert "Forgotten: all 1 likes" in alsolike("likes", tmp_path, "--forget", out)


def test_beside_a_running_service_and_after_a_kill(tmp_path):
    model = bundle(tmp_path / "model")
    settings = settings_of(tmp_path / "state", model)
    with client_of(settings) as client:
        body = {"likes": [{"item": "i1"}, {"item": "new"}]}
        client.post("/api/v1/users/ann/likes", json=body)
        # What stands in the log alone, as after a kill; and once more with no index of it.
        shutil.copytree(settings.state, tmp_path / "killed")
        shutil.copytree(settings.state, tmp_path / "bare")
        (tmp_path / "bare" / f"{FILE}-shm").unlink()
        for folder in (settings.state, tmp_path / "killed", tmp_path / "bare"):
            before = {one.name: one.stat().st_size for one in folder.glob(f"{FILE}*")}
            assert rows_of(folder) == [("ann", "i1", 1.0), ("ann", "new", 1.0)]
            assert {one.name: one.stat().st_size for one in folder.glob(f"{FILE}*")} == before
    shutil.copy(settings.state / FILE, tmp_path / "alone.sqlite")
    assert len(rows_of(tmp_path / "alone.sqlite")) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_may_read_what_may_be_read(tmp_path):
    told(tmp_path, {"ann": {"a": 1.0}})
    for one in (tmp_path, *tmp_path.parents):
        if one.owner() == "root" and one != Path("/"):
            one.chmod(one.stat().st_mode | 0o055)
    code = (
        "import os; from alsolike.web.serving.live_likes import live_likes;"
        "os.setgid(65534); os.setuid(65534);"
        f"print(len(live_likes({str(tmp_path)!r}).table))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "1\n", done.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == [FILE]


def test_the_whole_loop_from_a_service_to_the_next_model(tmp_path):
    first = bundle(tmp_path / "first" / "model")
    given = [str(first), "--log", "", "--rate", "0"]
    with running(*given) as (address, _):
        import json
        import urllib.request

        def asked(path, body=None, method=None):
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(  # noqa: S310
                address + path, data, {"Content-Type": "application/json"}, method=method
            )
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.load(answer)

        for user in ("new user", "u1"):
            likes = [{"item": "new item", "value": 3}, {"item": "i2"}, {"item": "i5", "value": -1}]
            assert asked(f"/api/v1/users/{user.replace(' ', '%20')}/likes", {"likes": likes})
        state, out = tmp_path / "first" / "serving", tmp_path / "new.csv"
        alsolike("likes", state, "--to", out)
        second = tmp_path / "second"
        alsolike("fit", out, *READING, "--from", first, "--add", "--to", second, "--quiet")
        asked("/api/v1/users/late/likes", {"likes": [{"item": "new item"}, {"item": "newest"}]})
        alsolike("swap", state, second)

        def standing(user="new%20user"):
            return asked(f"/api/v1/users/{user}/recommendations")

        wait_for(lambda: standing()["ignored_likes"] == 0)
        assert (standing()["live_likes"], standing()["training_likes"]) == (3, 3)
        assert (standing("late")["live_likes"], standing("late")["ignored_likes"]) == (1, 1)
        assert "Live likes left: 2" in alsolike("likes", state, "--forget", out)
        assert (standing()["live_likes"], standing()["training_likes"]) == (0, 3)
        assert standing("late")["live_likes"] == 1
    before, after = load(first).history, load(second).history
    assert after.n_users == before.n_users + 1
    row, column = after.users.index_of("new user"), after.items.index_of("new item")
    assert after.user_items[row, column] == 3
    old = before.user_items[before.users.index_of("u1"), before.items.index_of("i2")]
    new = after.user_items[after.users.index_of("u1"), after.items.index_of("i2")]
    assert new == old + 1

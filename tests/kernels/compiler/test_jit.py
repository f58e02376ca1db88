"""How kernels are compiled and kept: what is loaded, what is refused, and what is said then."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from alsolike.kernels.compiler import cache, jit, linking
from alsolike.kernels.solver.dense import GRAMIAN_ROWS, STRIP, add_gramian

PACKAGE = Path(jit.__file__).resolve().parents[2]

# A kernel and a part of it in another module, as small as can be.
PART = "\n\n@fast_part\ndef added(x: float) -> float:\n    return x + 1.0\n"
WHOLE = """

from alsolike.kernels.solver.rows import added

@fast_kernel
def whole(x: float) -> float:
    return added(2.0 * x)
"""
REPORT = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from alsolike.kernels.solver.dense import whole
    from alsolike.kernels.compiler import cache
found = {"kept": cache.is_kept(whole), "loaded": cache.is_loaded(whole)}
found |= {"result": whole(20.0), "hits": sum(whole.stats.cache_hits.values())}
found |= {"in_use": cache.is_loaded(whole), "place": whole.stats.cache_path}
found["said"] = [str(one.message) for one in caught]
print(json.dumps(found))
"""


@pytest.fixture(autouse=True)
def nothing_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after each test what could not be kept in it."""
    monkeypatch.setattr(cache, "_lost", [])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package that has the two small functions."""
    home = tmp_path / "site"
    kept = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, home / "alsolike", ignore=kept)
    for name, code in (("rows", PART), ("dense", WHOLE)):
        with (home / f"alsolike/kernels/solver/{name}.py").open("a") as file:
            file.write(code)
    return home


def report(home: Path, folder: Path) -> dict[str, Any]:
    """Call the small kernel in a process of its own that keeps what it compiles in `folder`."""
    settings = {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(home)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", REPORT],  # no .pyc: Python would go by dates
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that the user has named for compiled code."""
    place = tmp_path / "kept"
    place.mkdir(mode=0o700)
    monkeypatch.setattr(cache.config, "CACHE_DIR", str(place))
    return place


def chosen() -> Path | None:
    """Return the place that a new process would choose."""
    place: Path | None = cache._place.__wrapped__()
    return place


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_second_process_loads_and_a_changed_part_compiles_anew(
    copied: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "kept"
    first, second = report(copied, folder), report(copied, folder)
    assert (first["result"], first["hits"], first["said"]) == (41.0, 0, [])
    assert (second["result"], second["hits"]) == (41.0, 1)
    assert [one["kept"] for one in (first, second)] == [False, True]
    assert [(one["loaded"], one["in_use"]) for one in (first, second)] == [(False, True)] * 2
    assert {mode(path) for path in (folder.parent, folder)} == {0o700}
    assert {mode(path) for path in folder.rglob("*") if path.is_dir()} == {0o700}
    part = copied / "alsolike/kernels/solver/rows.py"
    before = part.stat()
    part.write_bytes(part.read_bytes().replace(b"return x + 1.0", b"return x + 3.0"))
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert part.stat().st_size == before.st_size
    third = report(copied, folder)
    assert (third["result"], third["hits"]) == (43.0, 0)
    assert third["place"] != second["place"]


def test_half_a_file_costs_time_and_no_result(copied: Path, tmp_path: Path) -> None:
    place = Path(report(copied, tmp_path / "kept")["place"])
    for ending in ("*.nbi", "*.nbc"):
        for file in place.glob(ending):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        found = report(copied, tmp_path / "kept")
        assert (found["result"], found["hits"], found["said"]) == (41.0, 0, [])
        assert report(copied, tmp_path / "kept")["hits"] == 1


def test_a_folder_that_others_can_write_is_refused_once_and_costs_no_result(
    copied: Path, tmp_path: Path
) -> None:
    place = Path(report(copied, tmp_path / "kept")["place"])
    place.chmod(0o770)
    before = {file: file.stat().st_mtime_ns for file in place.iterdir()}
    found = report(copied, tmp_path / "kept")
    assert (found["result"], found["hits"], found["place"]) == (41.0, 0, None)
    assert not found["kept"]
    [said] = found["said"]
    assert f"chmod 700 {place}" in said
    assert "NUMBA_CACHE_DIR" in said
    assert {file: file.stat().st_mtime_ns for file in place.iterdir()} == before


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o722])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_folder_that_others_could_exchange_is_looked_at(
    folder: Path, bits: int, level: int
) -> None:
    place = chosen()
    assert place is not None
    own = [place, *place.parents][level]
    own.chmod(bits)
    with pytest.warns(RuntimeWarning, match=f"chmod 700 {own}, or set NUMBA_CACHE_DIR"):
        assert chosen() is None


def test_a_sticky_folder_of_all_may_hold_ours(folder: Path) -> None:
    folder.chmod(0o1777)
    place = chosen()
    assert place is not None
    assert place.is_relative_to(folder)
    assert mode(place) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_folder_of_another_user_is_refused(folder: Path, level: int) -> None:
    place = chosen()
    assert place is not None
    other = [place, *place.parents][level]
    os.chown(other, 12345, -1)
    with pytest.warns(RuntimeWarning, match=f"{other} is not a folder of this user.*NUMBA_CACHE"):
        assert chosen() is None


def test_a_link_in_place_of_our_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "alsolike").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(RuntimeWarning, match="is not a folder of this user"):
        assert chosen() is None


def test_a_place_that_cannot_be_made_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setattr(cache.config, "CACHE_DIR", str(folder / "file"))
    with pytest.warns(RuntimeWarning, match="no place for them.*NUMBA_CACHE_DIR"):
        assert chosen() is None


def test_a_full_disk_is_said_and_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.caching.FunctionCache, "save_overload", full)
    double = numba.njit(lambda x: 2 * x)
    double._cache = cache._Cache(double.py_func)
    with pytest.warns(RuntimeWarning, match="cannot be written.*No space left"):
        assert double(21) == 42


@pytest.mark.parametrize("named", ["", "not/absolute"])
def test_without_a_folder_named_it_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setattr(cache.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    place = chosen()
    assert place is not None
    assert place.parent == tmp_path / ".cache/alsolike/kernels"
    assert mode(tmp_path / ".cache") == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    place = chosen()
    assert place is not None
    assert place.parent == tmp_path / "xdg/alsolike/kernels"


def test_the_code_of_old_versions_goes_and_nothing_else(folder: Path) -> None:
    old = [folder / "alsolike/kernels" / f"{number:032x}" for number in range(12)]
    for number, one in enumerate(old):
        one.mkdir(parents=True)
        (one / "code.nbc").touch()
        os.utime(one, (number, number))
    other = folder / "alsolike/kernels/of-somebody-else"
    other.mkdir()
    place = chosen()
    assert place is not None
    left = {path for path in place.parent.iterdir() if path != other}
    assert left == {place, *old[-(cache._KEPT - 1) :]}
    assert other.exists()
    assert chosen() == place  # what is there already is not gone through again
    assert len(list(place.parent.iterdir())) == cache._KEPT + 1


def test_functions_that_stand_elsewhere_are_not_kept() -> None:
    double = jit.kernel(lambda x: 2 * x)
    assert double(21) == 42
    assert double.stats.cache_path is None  # type: ignore[attr-defined]


def test_kernels_are_made_of_nothing_that_the_stamp_leaves_out() -> None:
    for module in (PACKAGE / "kernels").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            name = node.module if isinstance(node, ast.ImportFrom) else None
            # Errors and their words are raised by what launches kernels, never compiled.
            if name in ("alsolike.errors", "alsolike.system_errors"):
                continue
            if name and name.startswith("alsolike"):
                assert name.startswith("alsolike.kernels"), module.name


# Hides a private name of Numba while alsolike loads, and no longer: Numba itself needs it.
HIDDEN = """
import importlib, sys, warnings
import numpy as np
path, name = sys.argv[1:]
import numba.core.caching, numba.core.codegen, numba.core.compiler
holder = eval(path)
holder = next(one for one in getattr(holder, "__mro__", [holder]) if name in vars(one))
held = vars(holder)[name]
delattr(holder, name)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import alsolike.kernels.compiler.jit
    setattr(holder, name, held)
    from alsolike.kernels.solver.dense import GRAMIAN_ROWS, STRIP, add_gramian
    total = np.zeros((16, STRIP))
    factors = np.sin(np.arange(1600, dtype=np.float32)).reshape(100, 16)
    add_gramian(factors, np.empty(16 * GRAMIAN_ROWS), total)
print(total.tobytes().hex())
print(*(one.message for one in caught), sep="\\n")
"""


def gramian_without(holder: str, name: str, folder: Path) -> tuple[bytes, list[str]]:
    """Return a Gramian and the warnings of a process where Numba has no such name."""
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, holder, name],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    numbers, *said = done.stdout.splitlines()
    return bytes.fromhex(numbers), said


@pytest.fixture(scope="module")
def usual() -> bytes:
    total = np.zeros((16, STRIP))
    factors = np.sin(np.arange(1600, dtype=np.float32)).reshape(100, 16)
    add_gramian(factors, np.empty(16 * GRAMIAN_ROWS), total)
    return total.tobytes()


@pytest.mark.parametrize(("holder", "name"), linking.NEEDED)
def test_without_a_private_name_numba_compiles_in_its_own_way(
    tmp_path: Path, usual: bytes, holder: Any, name: str
) -> None:
    path = holder.__name__
    path = path if path.startswith("numba") else f"{holder.__module__}.{path}"
    found, said = gramian_without(path, name, tmp_path)
    assert found == usual
    [line] = said
    assert re.match(rf"Numba: version \S+ has no .*{name}: kernels take longer to compile", line)
    assert "numba<" in line


@pytest.mark.parametrize("name", ["CompileResultCacheImpl", "FunctionCache"])
def test_without_a_name_of_numbas_cache_nothing_is_kept(
    tmp_path: Path, usual: bytes, name: str
) -> None:
    found, said = gramian_without("numba.core.caching", name, tmp_path)
    assert found == usual
    [line] = said
    assert re.search(r"not cached, .* again: Numba \S+ stores code in another way\. .*numba<", line)
    assert list(tmp_path.iterdir()) == []


def test_what_numba_does_for_others_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(
        "import numba\n@numba.njit(cache=True)\ndef f(): return 1\n"
    )
    code = (
        "import alsolike.kernels.compiler.jit, others; others.f(); print(others.f.stats.cache_path)"
    )
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=kept, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / "__pycache__")


@pytest.mark.parametrize(
    "fault",
    ["raise OSError('Could not load libllvmlite.so')", "raise ImportError('needs NumPy 2.3')"],
)
def test_where_there_is_no_compiler_one_line_says_so(tmp_path: Path, fault: str) -> None:
    (tmp_path / "llvmlite.py").write_text(fault)
    (tmp_path / "likes.csv").write_text("user,item\na,b\n")
    done = subprocess.run(
        [sys.executable, "-m", "alsolike", "run", "likes.csv", "--out", "o"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: Numba, which compiles what alsolike computes with, cannot work")
    assert fault.split("'")[1] in line
    assert "pip install --upgrade numba llvmlite" in line


def test_a_processor_that_the_compiler_does_not_know_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def njit(**_: Any) -> Any:
        def refuse(_: Any) -> Any:
            raise RuntimeError("No available targets are compatible with this triple.")

        return refuse

    monkeypatch.setattr(jit, "njit", njit)
    with pytest.raises(jit.CompilerError, match=r"compatible with this triple\. Install"):
        jit.kernel(lambda x: x)


def test_plain_gives_one_kind_of_array_over_the_same_memory() -> None:
    array = np.arange(4.0)
    view = jit.plain(array)
    assert not view.flags.writeable
    assert np.shares_memory(view, array)
    assert array.flags.writeable


@pytest.mark.parametrize(
    ("variable", "status", "words"),
    [
        ("NUMBA_NUM_THREADS=many", 0, "warning: Numba: Environment variable 'NUMBA_NUM_THREADS'"),
        ("NUMBA_NUM_THREADS=0", 1, "error: Numba, .* must be > 0. Unset the variables"),
        ("NUMBA_DISABLE_JIT=1", 1, "error: Numba, .* NUMBA_DISABLE_JIT switches compiling off"),
    ],
)
def test_what_numba_says_of_its_settings_is_one_line_of_ours(
    tmp_path: Path, variable: str, status: int, words: str
) -> None:
    users = [f"u{user},i{item}" for user in range(40) for item in range(12) if (user * item) % 5]
    (tmp_path / "likes.csv").write_text("user,item\n" + "\n".join(users) + "\n")
    name, value = variable.split("=")
    command = "search likes.csv --out o --grid factors=2 --sweeps 1 --workers 2 --quiet"
    done = subprocess.run(
        [sys.executable, "-m", "alsolike", *command.split(), "--baselines", "popularity",
         "--held-out", "2", "--share", "0.5"],
        cwd=tmp_path, env=os.environ | {name: value}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    ours = [line for line in done.stderr.splitlines() if "Numba" in line or "NUMBA" in line]
    assert len(ours) == 1, done.stderr
    assert re.match(words, ours[0]), ours
    assert all(line.startswith(("warning: ", "error: ")) for line in done.stderr.splitlines())

"""The rules of the packages that no linter knows: sizes, names, who writes, prints or reads."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from alsolike import errors

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "alsolike"
MODULES = sorted(SOURCE.rglob("*.py"))
# Where packages came from, or a folder of the machine that this was written on.
NEVER_COMMITTED = re.compile(r"(?:extra-)?index-url|find-links|/root/|/home/\w+/")
# The same marks where they are options that a script passes on or a pattern that looks for them.
SPEAKS_OF_THEM = {"scripts/lock", "tests/project/test_packages.py"}

# Above 400 lines a module is likely to do several things; no module has more than 600.
LONG: dict[str, str] = {}
# Below 60 lines a module is likely to be better off within another.
SMALL = {
    "_version.py": "the version alone, for modules below the front door",
    "data/reading/formats/parquet.py": "each format has a module of its own",
    "data/reading/formats/folder_keys.py": "columns of folders, for one file and for several parts",
    "pipeline/recommendations.py": "one table in parts, for writing and for the forecast of memory",
    "storage/table_parts.py": "one idea, beside storage/atomic.py, which is as long as may be",
    "engines/base.py": "a protocol that engines and models import",
    "engines/hardware.py": "below all other modules",
    "text.py": "below all other modules; it will take more",
    "recommending/ranking/prepared.py": "one idea, with a lock of its own",
    "models/explicit_als/fold_in.py": "what the model needs of the compiler, which it does without",
    "models/pairwise/squares.py": "of the model and of its training, which import each other not",
    "kernels/pairwise/move.py": "LLVM code, apart from the loops that call it",
    "kernels/pairwise/draws.py": "the random numbers of all kernels of pairs",
    "models/feature_als/loss.py": "loads the compiler, which the model does without",
    "kernels/solver/prior.py": "one loop over interactions, which no other solver needs",
    "models/linear/training_rows.py": "for both families of linear models",
    "models/similarity/exact.py": "the one sum of lists, explanations and reasons",
    "recommending/ranking/weight_sums.py": "one source of scores, as the compiler needs it",
    "models/sweeps.py": "the one loop of trainings in sweeps",
    "progress.py": "protocols that all layers above import",
    "tuning/budget/warm_up.py": "also for workers, which forecast nothing",
    "web/edge/exchange.py": "headers, path and client of a request, for all middlewares",
    "web/edge/head.py": "each middleware has a module of its own",
    "web/serving/pair_queries.py": "the queries of two items, and nothing else",
    "web/service.py": "what all routes are given",
}
# Modules that write files otherwise than through `storage.atomic.replacing`.
WRITES = {
    "storage/cleanup.py": "makes scratch folders and their locks, and removes them",
    "pipeline/similar_items/store.py": "packs arrays in memory, for SQLite",
    "cli/group.py": "opens the null device where a reader has gone",
    "data/reading/files/unpacking.py": "unpacks into a scratch folder",
    "storage/sqlite.py": "SQLite keeps a journal of its own; copies go to a temporary folder",
    "data/pictures/drawings.py": "opens the pipe to the process that asked",
    "cli/signals.py": "opens standard streams that are closed",
    "testing.py": "writes to a temporary folder",
    "web/monitoring/access_log.py": "appends lines, each in one write",
    "web/edge/rate_limit.py": "maps counters that workers share",
    "web/server.py": "makes a file to lock",
    "web/monitoring/counters.py": "maps counters that workers share",
}


def named(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), filename=str(module))


def calls(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def committed_files() -> list[Path]:
    """Return the files that git knows or would take, or all that lie here without git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_module_is_well_named(module: Path) -> None:
    assert module.stem not in {"utils", "util", "helpers", "common", "core", "misc"}


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_of_an_unusual_size_has_a_reason(module: Path) -> None:
    lines, name = len(module.read_text(encoding="utf-8").splitlines()), named(module)
    assert lines <= 600
    assert (lines > 400) == (name in LONG), f"{lines} lines; see LONG"
    if module.name not in {"__init__.py", "__main__.py"}:
        assert (lines < 60) == (name in SMALL), f"{lines} lines; see SMALL"


def test_each_exception_is_of_a_module_that_is_there() -> None:
    assert {*LONG, *SMALL, *WRITES} <= {named(module) for module in MODULES}
    assert all([*LONG.values(), *SMALL.values(), *WRITES.values()])


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(tree_of(module)), "no docstring"


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_assert_and_no_loose_ends(module: Path) -> None:
    tree = tree_of(module)
    if named(module) != "testing.py":  # whose checks are assertions by trade
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", module.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_only_the_command_line_prints_and_reads_the_environment(module: Path) -> None:
    # A supervisor of servers tells its workers by a variable where their settings are.
    if named(module).startswith("cli/") or named(module) == "web/server.py":
        return
    found = set(calls(tree_of(module)))
    assert not found & {"print", "input", "os.getenv", "click.echo", "sys.stdout.write"}
    assert "os.environ" not in module.read_text(encoding="utf-8")


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_files_are_written_through_one_module(module: Path) -> None:
    """Others write where `storage.atomic.replacing` says, or have a reason in WRITES."""
    tree, name = tree_of(module), named(module)
    found = sorted(set(writes(tree)))
    if "replacing" not in {call.rpartition(".")[2] for call in calls(tree)}:
        assert bool(found) == (name in WRITES), f"{found}; see WRITES"


@pytest.mark.parametrize(
    "line",
    [
        "path.open('wb')",
        "open(path, mode='a+')",
        "gzip.open(path, 'xt')",
        "path.write_text('x')",
        "np.savez(path, x)",
        "os.open(path, os.O_RDWR | os.O_CREAT)",
        "os.open(path, flags)",
        "os.fdopen(handle, 'w')",
        "os.ftruncate(handle, 0)",
        "mmap.mmap(handle, 8)",
        "np.memmap(path, mode='w+')",
        "sqlite3.connect(path)",
        "shutil.copyfile(one, other)",
        "shutil.move(one, other)",
        "os.rename(one, other)",
        "one.replace(other)",
        "one.symlink_to(other)",
        "tempfile.NamedTemporaryFile()",
        "tempfile.mkdtemp()",
        "connection.execute('COPY (SELECT 1) TO x')",
    ],
)
def test_each_way_to_write_a_file_is_seen(line: str) -> None:
    assert list(writes(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "path.open('rb')",
        "path.open()",
        "os.open(path, os.O_RDONLY | os.O_NOFOLLOW)",
        "mmap.mmap(handle, 0, access=mmap.ACCESS_READ)",
        "sqlite3.connect('file:x?mode=ro', uri=True)",
        "text.replace('a', 'b')",
        "replace(config, alpha=1.0)",
        "tempfile.gettempdir()",
    ],
)
def test_what_only_reads_is_no_writing(line: str) -> None:
    assert not list(writes(ast.parse(line)))


def writes(tree: ast.AST) -> Iterator[str]:
    """Yield the text of each call that may write a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            if writes_by(owner, name, node):
                yield ast.unparse(node.func)
        elif isinstance(node, ast.Constant) and "copy (" in str(node.value).lower():
            yield "COPY"


def writes_by(owner: str, name: str, call: ast.Call) -> bool:
    given = [*call.args, *(one.value for one in call.keywords)]
    text = ast.unparse(call)
    if (owner, name) == ("os", "open"):
        return "os.O_RDONLY" not in text
    if (owner, name) == ("mmap", "mmap"):
        return "ACCESS_READ" not in text
    if (owner, name) == ("sqlite3", "connect"):
        return "mode=ro" not in text
    if name == "replace":  # of a path, for that of a text takes two, and that of a dataclass names
        return len(call.args) == 1 and not call.keywords and owner != ""
    if name.endswith("open") or name == "memmap":
        modes = [one.value for one in given if isinstance(one, ast.Constant)]
        return any(re.fullmatch(r"(?=.*[wax+])[rwaxbt+]+", str(mode)) for mode in modes)
    of_owner = {
        "os": r"rename|replace|link|symlink|f?truncate|mkfifo",
        "shutil": r"copy\w*|move|unpack_archive|make_archive",
        "tempfile": r"mk\w+|\w*Temporary\w+",
    }
    anywhere = r"write_bytes|write_text|savez\w*|tofile|save_file|rename|(sym|hard)link_to|touch"
    # The functions of these names without an owner are those of `alsolike.storage.atomic`.
    known = owner in of_owner and re.fullmatch(of_owner[owner], name)
    return bool(known or (owner and re.fullmatch(anywhere, name)))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_chance_comes_from_a_generator_that_was_passed_in(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert not re.search(r"np\.random\.(?!default_rng|Generator|SeedSequence|PCG64|Philox)", text)
    assert not re.search(r"^\s*(?:import random|from random import)", text, re.MULTILINE)
    assert "default_rng()" not in text


def test_compiler_flags_stand_in_one_place() -> None:
    users = {
        named(module)
        for module in MODULES
        if re.search(r"import njit|numba\.njit", module.read_text(encoding="utf-8"))
    }
    assert users <= {"kernels/compiler/jit.py"}


def test_no_module_is_dead() -> None:
    """A test or another module imports each; the command line is where it all begins."""
    rooms = {dotted(module) for module in MODULES if module.stem != "__init__"} - {
        "alsolike.cli",
        "alsolike.__main__",
    }
    tests = Path(__file__).parents[1].rglob("*.py")
    imported = {name for file in [*MODULES, *tests] for name in imports(tree_of(file))}
    assert sorted(rooms - imported) == []


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported, and for ``from a import b`` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(module: Path) -> str:
    return "alsolike." + named(module).removesuffix(".py").replace("/", ".")


def test_no_machine_path_and_no_registry_is_committed() -> None:
    faults = []
    for path in committed_files():
        name = path.relative_to(ROOT).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hit = NEVER_COMMITTED.search(text)
        if hit and name not in SPEAKS_OF_THEM:
            faults.append(f"{name}: {hit.group()}")
    assert not faults


def test_requirements_are_pins_with_hashes() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        logical = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        assert logical, path
        for line in logical:
            assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line
    assert not (ROOT / "uv.lock").exists()


def test_all_locks_agree() -> None:
    pins: dict[str, set[str]] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(
            r"^([a-z0-9._-]+==\S+)( ; [^\\]+)?", path.read_text(), re.M
        ):
            package, _, number = name.partition("==")
            pins.setdefault(package + version, set()).add(number)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "pins", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name
)
def test_pins_name_no_address(pins: Path) -> None:
    assert "://" not in pins.read_text(encoding="utf-8")


def test_the_tree_of_errors_is_whole() -> None:
    """All errors of ours stand in `errors.py`, and its docstring draws each in its place."""
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    ours = {one.__name__: one for one in classes if issubclass(one, errors.AlsolikeError)}
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.ClassDef) and named(module) != "errors.py":
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                assert not bases & ours.keys(), f"{named(module)}: {node.name}"
    drawn, above = {}, ["AlsolikeError"]
    for indent, name in re.findall(r"^    ([│├└─ ]*)(\w+)  ", errors.__doc__ or "", re.MULTILINE):
        above = [*above[: len(indent) // 4], name]
        drawn[name] = above[-2]
    assert drawn == {
        name: one.__mro__[1].__name__ for name, one in ours.items() if name != "AlsolikeError"
    }
    assert set(imports(tree_of(SOURCE / "errors.py"))) <= {"typing", "typing.Any"}

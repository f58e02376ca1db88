"""The house rules that no linter knows: sizes, names, who may write, print or read what."""

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
def test_module_is_short_and_well_named(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 400
    assert module.stem not in {"utils", "util", "helpers", "common", "core", "misc"}


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
    """Others write only where `writing.replacing` says, or to a folder that goes when they do."""
    # zstandard.py unpacks into a folder that `sources` makes and sweeps away; signals.py opens
    # standard streams that are closed.
    if named(module) in {"storage/atomic.py", "data/reading/files/zstandard.py", "cli/signals.py"}:
        return
    text = module.read_text(encoding="utf-8")
    found = [call.rpartition(".")[2] for call in calls(tree_of(module))]
    writes = {"write_bytes", "write_text", "savez", "tofile", "save_file"} & set(found)
    if writes or re.search(r"open\([^)]*[\"'][wax]b?\+?[\"']", text) or "copy (" in text.lower():
        assert re.search(r"from alsolike\.storage\.atomic import|TemporaryDirectory\(", text)


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

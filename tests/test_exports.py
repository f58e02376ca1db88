"""The public door: what it names, that each name is there and documented, and what it costs."""

import importlib
import inspect
import subprocess
import sys

import pytest

import alsolike

HEAVY = ("numba", "duckdb", "scipy.sparse", "vl_convert", "pandas", "polars", "pyarrow", "sklearn")


def modules_after(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_all_is_sorted_and_short() -> None:
    names = list(alsolike.__all__)
    assert names == sorted(set(names))
    assert 15 <= len(names) <= 32


@pytest.mark.parametrize("name", alsolike.__all__)
def test_name_is_there_and_documented(name: str) -> None:
    thing = getattr(alsolike, name)
    if name == "__version__":
        assert isinstance(thing, str)
        return
    assert inspect.getdoc(thing), f"{name} has no docstring"
    if inspect.isclass(thing) or inspect.isfunction(thing):
        home = importlib.import_module(thing.__module__)
        assert getattr(home, thing.__name__) is thing


def test_dir_lists_the_door() -> None:
    assert set(alsolike.__all__) <= set(dir(alsolike))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = alsolike.no_such_name


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import alsolike") & set(HEAVY)


def test_the_command_lines_help_loads_nothing_heavy() -> None:
    loaded = modules_after(
        "from alsolike.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass"
    )
    assert not loaded & {*HEAVY, "numpy"}


def test_what_a_server_loads_has_no_compiler() -> None:
    loaded = modules_after("import alsolike.models.bundle, alsolike.recommending.one")
    assert not loaded & {"numba", "llvmlite", "duckdb"}

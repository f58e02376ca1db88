"""Print the tree of packages with the first docstring line of each; --write: into the docs.

Run as ``python scripts/package_tree.py [--write]``. docs/architecture.md holds the tree, and a test
compares the two.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "alsolike"
PAGE = ROOT / "docs" / "architecture.md"
_BLOCK = re.compile(r"(?<=<!-- tree -->\n\n)(?: {4}.*\n)*")
_WIDTH = 30  # of the column of names


def tree(folder: Path = SOURCE, depth: int = 0) -> Iterator[str]:
    """Yield a line for each module of a folder, then each package with what is in it."""
    indent = "  " * depth
    for module in sorted(folder.glob("*.py")):
        if module.stem != "__init__":
            yield _line(f"{indent}{module.name}", module)
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield _line(f"{indent}{package.name}/", package / "__init__.py")
        yield from tree(package, depth + 1)


def _line(name: str, module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return f"{name:{_WIDTH}} {docstring.partition(chr(10))[0]}".rstrip()


def with_tree(page: str) -> str:
    """Return the page with the tree as it is now in its block."""
    return _BLOCK.sub(lambda _: "".join(f"    {line}\n" for line in tree()), page)


def main() -> None:
    """Print the tree, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/architecture.md")
    if parser.parse_args().write:
        PAGE.write_text(with_tree(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n".join(tree()))


if __name__ == "__main__":
    main()

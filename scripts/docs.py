"""Build the documentation into site/: the pages of docs/, and a reference made from the code.

The reference is never committed, so it cannot fall behind: a page with the
public names of each package, and a page with every command and its options.
"""

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import click

import alsolike

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "docs"
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_CONFIG = """\
site_name: alsolike
site_description: The recommender for anyone with a table of likes
docs_dir: {stage}
site_dir: {site}
theme:
  name: readthedocs
  highlightjs: false
use_directory_urls: false
strict: true
validation:
  omitted_files: ignore
  unrecognized_links: ignore
plugins: [search]
markdown_extensions: [tables, fenced_code, toc]
nav: {nav}
"""
_FIRST = (
    *("index.md", "tutorial.md", "features.md", "pictures-and-texts.md", "ratings.md"),
    *("commands.md", "recipes.md", "settings.md", "tuning.md", "metrics.md", "coming-from.md"),
    "architecture.md",
)


def stage() -> None:
    """Lay the pages out for the builder: README as the front page, docs/, the reference."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", STAGE)
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    front = front.replace("](docs/", "](").replace("](CHANGELOG.md)", "](changelog.md)")
    (STAGE / "index.md").write_text(front, encoding="utf-8")
    shutil.copy(ROOT / "CHANGELOG.md", STAGE / "changelog.md")
    reference = STAGE / "reference"
    reference.mkdir()
    (reference / "python.md").write_text(python_page(), encoding="utf-8")
    (reference / "commands.md").write_text(commands_page(), encoding="utf-8")


def nav() -> list[Any]:
    """Return the pages in the order in which one reads them, then the folders, then the changes."""
    folders = {
        folder.name.capitalize(): [
            page.relative_to(STAGE).as_posix()
            # A folder's README is its own first page.
            for page in sorted(folder.glob("*.md"), key=lambda page: (page.stem != "README", page))
        ]
        for folder in sorted(STAGE.iterdir())
        if folder.is_dir() and any(folder.glob("*.md"))
    }
    others = sorted(page.name for page in STAGE.glob("*.md") if page.name not in _FIRST)
    return [*_FIRST, *({name: pages} for name, pages in folders.items()), *others]


def python_page() -> str:
    """Return the reference of all public names, as Markdown."""
    parts = ["# Python reference", "Everything below is `from alsolike import ...`."]
    for name in alsolike.__all__:
        if not name.startswith("_"):
            parts += described(name, getattr(alsolike, name))
    return "\n\n".join(parts) + "\n"


def described(name: str, thing: Any, level: int = 2) -> list[str]:
    """Return the paragraphs on one name and, for a class or module, on its public parts."""
    parts = [f"{'#' * level} {name}"]
    if callable(thing) and not isinstance(thing, type | ModuleType):
        parts.append(f"```python\n{name}{signature_of(thing)}\n```")
    parts.append(markdown_of(inspect.getdoc(thing) or ""))
    if inspect.isclass(thing):
        for part, value in vars(thing).items():
            member = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if isinstance(value, property):
                parts.append(f"**`{part}`**: {inspect.getdoc(value) or ''}")
            elif inspect.isfunction(member) and not part.startswith("_"):
                parts += described(f"{name}.{part}", member, level + 1)
    return parts


class Written(str):
    """An annotation or default as it stands in the source; shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature_of(thing: Any) -> str:
    """Return the signature as written, with each parameter on a line of its own where it is long.

    What Python has made of annotations and defaults is not for people: ``npt.ArrayLike`` is a union
    of seven by then, and ``SILENT`` an address in memory.
    """
    source = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    if not isinstance(source, ast.FunctionDef):
        raise TypeError(f"{thing} is no function.")
    given = source.args
    places = [*given.posonlyargs, *given.args]
    defaults = dict(zip(reversed(places), reversed(given.defaults), strict=False))
    defaults |= {
        node: default
        for node, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is not None
    }
    parameters = []
    for node in (*places, *given.kwonlyargs):
        parameter = inspect.signature(thing).parameters[node.arg]
        if node.annotation is not None:
            parameter = parameter.replace(annotation=Written(ast.unparse(node.annotation)))
        if node in defaults:
            parameter = parameter.replace(default=Written(ast.unparse(defaults[node])))
        parameters.append(parameter)
    end = "" if source.returns is None else " -> " + ast.unparse(source.returns).strip("'")
    text = str(inspect.Signature(parameters)) + end
    if len(text) <= 80:
        return text
    one_per_line, star = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            one_per_line.append("    *,")
            star = True
        one_per_line.append(f"    {parameter},")
    return "(\n" + "\n".join(one_per_line) + f"\n){end}"


def markdown_of(docstring: str) -> str:
    """Turn a numpydoc docstring into Markdown: headings bold, parameters and examples as code."""
    pieces = _SECTION.split(docstring)
    parts = [pieces[0].replace("::\n", ":\n").strip()]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        text = body.strip("\n")
        if title == "Examples":
            text = f"```python\n{text}\n```"
        elif title in {"Parameters", "Returns", "Yields", "Raises", "Attributes"}:
            text = re.sub(r"^(\S.*)$", r"- `\1`  ", text, flags=re.MULTILINE)
        parts += [f"**{title}**", text]
    return "\n\n".join(parts)


def commands_page() -> str:
    """Return the help of every command, as Markdown."""
    command = importlib.import_module("alsolike.cli.group").main
    parts = ["# Command reference"]
    names = list(command.commands) if isinstance(command, click.Group) else []
    context = click.Context(command, info_name="alsolike")
    parts.append(f"```text\n{command.get_help(context)}\n```")
    for name in names:
        inner = command.commands[name]
        if inner.hidden:
            continue
        below = click.Context(inner, info_name=name, parent=context)
        parts += [f"## alsolike {name}", f"```text\n{inner.get_help(below)}\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Build the site; return the exit status."""
    stage()
    config = ROOT / "build" / "mkdocs.yml"
    site = ROOT / "site"
    text = _CONFIG.format(stage=STAGE, site=site, nav=json.dumps(nav()))
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--clean", "-f", str(config)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        return 1
    print(f"open {(site / 'index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

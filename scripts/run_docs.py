"""Run the documentation: every block of README.md and docs/, those that take long included.

The tests run the quick blocks. This script runs whole pages, compares what each block prints with
what the page shows, and prints a line for each. The pages of docs/data need ``ALSOLIKE_DATA``, the
folder of the public data, and are left out without it. README runs in a clone, and installs there.

``python scripts/run_docs.py`` runs all pages, ``python scripts/run_docs.py steam lastfm`` these.
With ``--write``, what is printed now takes the place of what no longer holds; then look at the
sentences that it names.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from doc_folders import lay_out
from doc_pages import (
    DATA_PAGES,
    PAGES,
    Block,
    Session,
    blocks_of,
    check_shown,
    elided,
    loose_numbers,
    rewrite,
)

# Runs this very script, or is a whole test run: .ci/run does that.
_NOT_HERE = {".ci/run"}


def run_page(page: Path, *, write: bool) -> list[str]:
    """Run a page in a scratch folder; return what is wrong with it."""
    faults: list[str] = []
    outputs: list[tuple[Block, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "page"
        folder.mkdir()
        lay_out(page, folder, clone=True)
        with Session(folder) as session:
            for block in blocks_of(page):
                if not block.does or block.run_by in _NOT_HERE:
                    continue
                began = time.monotonic()
                try:
                    outputs.append((block, session.run(block)))
                except Exception as error:
                    # What follows on the page may need what this block would have made.
                    return [f"{block.where}: {error!r}"]
                seconds = time.monotonic() - began
                first = block.code.splitlines()[0]
                print(f"{block.where}: {seconds:.1f} s: {first}", flush=True)
                faults += [f"{block.where}: no longer holds: {one}" for one in session.fails(block)]
    if write and (changed := rewrite(page, outputs)):
        print(f"{page.name}: {changed} outputs rewritten")
    elif not write:
        faults += shown_otherwise(page, outputs)
    if page in DATA_PAGES:
        faults += [f"{page.name}: no output holds the number {n}" for n in loose_numbers(page)]
    return faults


def shown_otherwise(page: Path, outputs: list[tuple[Block, str]]) -> list[str]:
    """Return which blocks of a page print something else than it shows."""
    near = {"rel": 0.02, "near": 0.002} if page in DATA_PAGES else {}
    faults = []
    for block, printed in outputs:
        if block.shown is not None:
            try:
                check_shown(block.shown, elided(printed, block.patterns), block.where, **near)
            except AssertionError as error:
                faults.append(str(error))
    return faults


def main() -> int:
    """Run the pages that are asked for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="such as steam or README; all, if none is named")
    parser.add_argument("--write", action="store_true", help="rewrite what no longer holds")
    chosen = parser.parse_args()
    pages = {page.stem: page for page in PAGES if any(block.does for block in blocks_of(page))}
    if unknown := set(chosen.names) - pages.keys():
        parser.error(f"no page is called {', '.join(sorted(unknown))}: {', '.join(pages)}")
    faults, ran = [], 0
    for name in chosen.names or pages:
        if pages[name] in DATA_PAGES and "ALSOLIKE_DATA" not in os.environ:
            print(f"{name}: left out because ALSOLIKE_DATA is not set")
            continue
        faults += run_page(pages[name], write=chosen.write)
        ran += 1
    print("\n\n".join(faults))
    print(f"ran {ran} pages, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""Draws SVG as PNG, in a process of its own, so that no drawing can end or stop the job.

A few numbers in an SVG can ask for more memory than there is, upon which the library that draws
ends its process; a few others keep it busy for hours. Here it has a limit on memory and on time.
"""

import contextlib
import os
import re
import select
import subprocess
import sys
import threading
from typing import IO

from alsolike.data.pictures.sources import Unreadable

SIDE = 256  # pixels of the longer side

_PATIENCE = 20.0  # seconds for a drawing; the first one waits for the library
_MEMORY = 4 * 2**30  # bytes of addresses
_MOST_TEXT = 8 * 2**20
_MOST_RATIO = 20.0  # of the sides

_ROOT = re.compile(r"<svg\b((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL)
_ATTRIBUTE = re.compile(r"\s+([\w:.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')", re.DOTALL)
_HREF = re.compile(r"([\w:.-]*href)\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE | re.DOTALL)
_KEPT_HREF = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp)[;,])", re.IGNORECASE)
_LENGTH = re.compile(r"\s*\+?(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(?:px|pt|mm|cm|in|em|pc)?\s*", re.I)
_ENTITY_OF_ELEMENTS = re.compile(r"<!ENTITY[^>]*[<&]", re.IGNORECASE | re.DOTALL)


class Drawer:
    """Draws SVG in another process, which is started for the first and again after a failure.

    Examples
    --------
    >>> with Drawer() as drawer:
    ...     drawer.png(b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'/>")[1:4]
    b'PNG'
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Drawer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def png(self, content: bytes) -> bytes:
        """Return a drawing as PNG whose longer side has `SIDE` pixels.

        Raises
        ------
        Unreadable
            It is no SVG, or takes too much memory or time.
        """
        text = in_our_size(_decoded(content)).encode("utf-8", "replace")
        with self._lock:
            try:
                found = self._drawn(text)
            except (EOFError, OSError) as error:
                self._stop()
                raise Unreadable("drawings that cannot be drawn") from error
        if not found:
            raise Unreadable("drawings that cannot be drawn")
        return found

    def close(self) -> None:
        """End the other process."""
        with self._lock:
            self._stop()

    def _drawn(self, text: bytes) -> bytes:
        if self._process is None:
            # Its path is set, since a program may have changed its own.
            code = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as it; it.serve()"
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        pipe, answers = self._process.stdin, self._process.stdout
        if pipe is None or answers is None:
            raise EOFError
        pipe.write(len(text).to_bytes(8, "little") + text)
        pipe.flush()
        ready, _, _ = select.select([answers], [], [], self._patience)
        if not ready:
            raise EOFError
        return _exactly(answers, int.from_bytes(_exactly(answers, 8), "little"))

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):
                self._process.communicate()
            self._process = None


def in_our_size(text: str) -> str:
    """Return an SVG of `SIDE` pixels, that refers to nothing but its own parts.

    Raises
    ------
    Unreadable
        It has no root, or entities that hold elements.

    Examples
    --------
    >>> in_our_size('<svg width="90000" height="45000" xmlns="u"><use href="b.svg#x"/></svg>')
    '<svg xmlns="u" width="256" height="128" viewBox="0 0 90000 45000"><use href="#"/></svg>'
    """
    root = _ROOT.search(text)
    if root is None or len(text) > _MOST_TEXT or _ENTITY_OF_ELEMENTS.search(text):
        raise Unreadable("drawings that cannot be drawn")
    attributes = {one[1]: one[2][1:-1] for one in _ATTRIBUTE.finditer(root[1])}
    box = [float(one) for one in re.findall(r"[-+]?[\d.]+(?:e[-+]?\d+)?", attributes.get(
        "viewBox", ""), re.I) if one.count(".") < 2 and one.strip("+-.")]  # fmt: skip
    width, height = (_length(attributes.get(name, "")) for name in ("width", "height"))
    if len(box) != 4 or min(box[2:]) <= 0:
        box = [0.0, 0.0, width or 100.0, height or 100.0]
        attributes["viewBox"] = "0 0 {:g} {:g}".format(*box[2:])
    if not width or not height:
        width, height = box[2:]
    longest = max(width, height)
    width, height = (max(one, longest / _MOST_RATIO) * SIDE / longest for one in (width, height))
    sized = {"width": f"{round(width)}", "height": f"{round(height)}",
             "viewBox": attributes["viewBox"]}  # fmt: skip
    if not any(name.startswith("xmlns") for name in attributes):  # as within pages
        sized["xmlns"] = "http://www.w3.org/2000/svg"
    kept = _ATTRIBUTE.sub(lambda one: "" if one[1] in sized else one[0], root[1])
    end = "/" if kept.rstrip().endswith("/") else ""
    kept = kept.rstrip().removesuffix("/")
    ours = " ".join(f'{name}="{value.replace(chr(34), "")}"' for name, value in sized.items())
    whole = f"{text[: root.start()]}<svg{kept} {ours}{end}>{text[root.end() :]}"
    return _HREF.sub(lambda one: one[0] if _KEPT_HREF.match(one[2][1:-1]) else f'{one[1]}="#"',
                     whole)  # fmt: skip


def _length(text: str) -> float:
    """Return a length of at most 1e9, or 0 for one that is none, such as a percentage."""
    found = _LENGTH.fullmatch(text)
    return 0.0 if found is None else min(float(found[1]), 1e9)


def _decoded(content: bytes) -> str:
    for encoding in (
        ("utf-8-sig", "utf-16")
        if content[:2] in (b"\xff\xfe", b"\xfe\xff")
        else (
            "utf-8-sig",
            "latin-1",
        )
    ):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise Unreadable("drawings that cannot be drawn")


def serve() -> None:
    """Draw what comes on standard input, until its end: the other process."""
    import resource  # noqa: PLC0415 - of this process alone
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job says when it ends
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else may be printed
    import vl_convert  # noqa: PLC0415

    while True:
        try:
            text = _exactly(asked, int.from_bytes(_exactly(asked, 8), "little"))
        except EOFError:
            return
        try:
            drawn = vl_convert.svg_to_png(text.decode("utf-8"))
        except Exception:  # whatever the library raises, this drawing is none
            drawn = b""
        with contextlib.suppress(OSError):
            answers.write(len(drawn).to_bytes(8, "little") + drawn)
            answers.flush()


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise EOFError
    return found

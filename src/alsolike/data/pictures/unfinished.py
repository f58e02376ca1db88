"""Keeps the vectors of a job that is not finished, so that it goes on where it was.

A file of records of one length, appended to: the SHA-256 of what a vector was made of, whether the
picture has further frames, the vector, and a checksum. A record that a kill cut off is not used.
"""

import hashlib
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt

from alsolike.errors import WritingError

Floats = npt.NDArray[np.float32]

_KEY, _SIZE, _CHECK = 32, 4, 4  # bytes: of a key, of the number of components, of a checksum
_START = b"alsolike vectors 1\n"


class Unfinished:
    """Vectors by key, in a file.

    Parameters
    ----------
    path : Path or None
        None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._width: int | None = None
        self._known: dict[bytes, tuple[Floats, bool]] = {}

    def __enter__(self) -> "Unfinished":
        if self._path is not None:
            try:
                self._open(self._path)
            except WritingError:
                raise
            except OSError as error:
                raise WritingError(
                    f"{self._path}: unfinished vectors cannot be kept there: {error.strerror}."
                ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: bytes) -> tuple[Floats, bool] | None:
        """Return a vector and whether its picture has further frames, if it is known."""
        return self._known.get(key)

    def add(self, key: bytes, vector: Floats, is_animated: bool) -> None:
        """Keep a vector."""
        if self._file is not None:
            content = key + bytes([is_animated]) + vector.astype("<f4").tobytes()
            if len(vector) != self._width:  # the first one, or of another network than before
                self._file.seek(len(_START))
                self._file.truncate()
                self._file.write(len(vector).to_bytes(_SIZE, "little"))
                self._width = len(vector)
            self._file.write(content + zlib.crc32(content).to_bytes(_CHECK, "little"))

    def flush(self) -> None:
        """Hand what was added to the system."""
        if self._file is not None:
            self._file.flush()

    def _open(self, path: Path) -> None:
        """Read the whole records, and cut off what follows them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = self._file = path.open("r+b" if path.exists() else "w+b")
        start = file.read(len(_START))
        if not _START.startswith(start):
            file.close()
            raise WritingError(
                f"{path}: unfinished vectors expected, found another file. Choose another name."
            )
        size = file.read(_SIZE)
        end, width = len(_START), int.from_bytes(size, "little")
        while len(size) == _SIZE and (content := file.read(_KEY + 1 + 4 * width + _CHECK)):
            body, check = content[:-_CHECK], content[-_CHECK:]
            if zlib.crc32(body).to_bytes(_CHECK, "little") != check:
                break
            vector = np.frombuffer(body[_KEY + 1 :], dtype="<f4").astype(np.float32)
            self._known[body[:_KEY]] = vector, bool(body[_KEY])
            end, self._width = file.tell(), width
        file.seek(0)
        file.write(_START)
        file.seek(end)
        file.truncate()


def key_of(fingerprint: str, signature: bytes) -> bytes:
    """Return the key of the vector of a picture by a network."""
    return hashlib.sha256(fingerprint.encode() + b"\0" + signature).digest()

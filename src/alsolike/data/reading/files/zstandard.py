"""Zstandard files, unpacked line by line: DuckDB reads them, and Python below 3.14 does not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.reading.files.folders import pattern_of
from alsolike.errors import DataError
from alsolike.storage.cleanup import no_room
from alsolike.system_errors import raise_of_system

_MAGIC = b"\x28\xb5\x2f\xfd"


def unpack(path: Path, scratch: Path, settings: Mapping[str, Any]) -> tuple[Path, bool]:
    """Unpack a Zstandard file with DuckDB; tell whether CRLF may have become LF.

    DuckDB gives lines that all ended alike. Their ends follow from the size that the file states.

    Parameters
    ----------
    path : Path
    scratch : Path
        Where the plain text is written to.
    settings : mapping of str to values
        Of the database.

    Returns
    -------
    plain : Path
    is_bent : bool

    Raises
    ------
    DataError
        The file is damaged or cut short, or cannot be unpacked line by line.
    WritingError
        There is no room for the plain text.
    """
    stated = _stated_size(path)
    size = lines = 0
    plain = scratch / "unpacked.txt"
    # Of itself DuckDB takes a buffer of 16 times the longest line: 2 GiB.
    query = (
        "SELECT line FROM read_csv(?, compression='zstd', auto_detect=false, header=false, "
        "delim='\x02', quote='', escape='', max_line_size=134217728, buffer_size=134217728, "
        "hive_partitioning=false, columns={'line': 'VARCHAR'})"
    )
    try:
        connected = duckdb.connect(":memory:", config=dict(settings))
        with connected as connection, plain.open("wb") as out:
            cursor = connection.execute(query, [pattern_of(path)])
            while rows := cursor.fetchmany(1 << 16):
                block = "".join(f"{line or ''}\n" for (line,) in rows).encode()
                size, lines = size + len(block), lines + len(rows)
                out.write(block)
    except duckdb.Error as error:
        raise_of_system(error)
        raise _zstd_error(path, str(error)) from None
    except OSError as error:
        raise no_room(scratch, error) from error
    if stated is None:
        return plain, True
    # The last line may be open, and DuckDB drops the mark of UTF-8 (3 bytes).
    if stated - size in (lines, lines - 2, lines + 3, lines + 1) and lines > 2:
        return _with_returns(plain, scratch), False
    return plain, False


def _with_returns(plain: Path, scratch: Path) -> Path:
    """Write the lines of a file with CRLF in place of LF."""
    returned = scratch / "returned.txt"
    try:
        with plain.open("rb") as lines, returned.open("wb") as out:
            out.writelines(line[:-1] + b"\r\n" for line in lines)
    except OSError as error:
        raise no_room(scratch, error) from error
    plain.unlink()
    return returned


def _zstd_error(path: Path, message: str) -> DataError:
    place = re.search(r"Line: (\d+)", message)
    where = f"{path}, line {place[1]}" if place else str(path)
    if "unicode" in message:
        return DataError(f"{where}: bytes that are not UTF-8. Convert the file to UTF-8 first.")
    if place or "state machine" in message:
        return DataError(
            f"{where}: LF and CRLF line ends are mixed, or a line holds a control character. "
            "Unpack the file (zstd -d) and read the plain text."
        )
    return DataError(f"{path}: the Zstandard data are damaged. Fetch it again.")


def _stated_size(path: Path) -> int | None:
    """Return the size of what a Zstandard file holds, or None where it does not say.

    Walks over the blocks of all frames, too: DuckDB takes a file that was cut short as complete.
    """
    content = path.read_bytes()
    position, total = 0, 0
    is_stated = True
    while position < len(content):
        magic = int.from_bytes(content[position : position + 4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a frame to be skipped
            position += 8 + int.from_bytes(content[position + 4 : position + 8], "little")
        elif content[position : position + 4] == _MAGIC:
            position, size = _frame_end(content, position + 4)
            is_stated &= size is not None
            total += size or 0
        else:
            raise DataError(f"{path}: the Zstandard data are damaged. Fetch it again.")
    if position != len(content):
        raise DataError(
            f"{path}: the Zstandard data end too early; the file was cut short. Fetch it again."
        )
    return total if is_stated else None


def _frame_end(content: bytes, position: int) -> tuple[int, int | None]:
    """Return where the frame whose header begins at `position` ends, and the size that it states.

    RFC 8878, section 3.1.1.
    """
    missing = len(content) + 1
    if position >= len(content):
        return missing, None
    descriptor = content[position]
    single, checksum = bool(descriptor & 0x20), bool(descriptor & 0x04)
    size_bytes = (int(single), 2, 4, 8)[descriptor >> 6]
    position += 1 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    size = int.from_bytes(content[position : position + size_bytes], "little")
    size += 256 * (size_bytes == 2)
    position += size_bytes
    while position + 3 <= len(content):
        header = int.from_bytes(content[position : position + 3], "little")
        position += 3 + (1 if (header >> 1) & 3 == 1 else header >> 3)
        if header & 1:
            return position + 4 * checksum, size if size_bytes else None
    return missing, None

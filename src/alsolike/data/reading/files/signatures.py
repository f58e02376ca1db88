"""Recognizes files that are not tables by their content, and explains how to get a table."""

import codecs
import json
import pickletools
import re
import shlex
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import DataError

_READ = 1 << 12
# Control characters that no text holds.
CONTROL = frozenset({*range(1, 9), *range(14, 27), *range(28, 32), 127})


@dataclass(frozen=True)
class FileKind:
    """A kind of file, and how to make a table of it.

    `way` is a command, with ``{old}`` for the path; `code` is Python that converts it to ``{new}``,
    a file with the ending `makes`.
    """

    what: str
    way: str = ""
    code: str = ""
    makes: str = "parquet"

    def way_out(self, name: str) -> str:
        """Return how to read the file of this name."""
        way = self.way.replace("{old}", shlex.quote(name))
        if not self.code:
            return way if " > " in way else f"{way}."  # no point that would belong to a file's name
        named = {"{old}": name, "{new}": f"new.{self.makes}"}
        code = self.code
        for mark, text in named.items():
            code = code.replace(mark, json.dumps(text, ensure_ascii=False))
        return f"{way or 'Turn it into Parquet'}: python -c {shlex.quote(code)}"


def _packed(what: str, command: str) -> FileKind:
    return FileKind(what, f"Unpack it: {command} -dc {{old}} > new")


_TO_PARQUET = "import {} as a, pyarrow.parquet as p; p.write_table({}, {{new}})"
_FEATHER = _TO_PARQUET.format("pyarrow.feather", "a.read_table({old})")
_STREAM = _TO_PARQUET.format("pyarrow", "a.ipc.open_stream(a.memory_map({old})).read_all()")
_ORC = _TO_PARQUET.format("pyarrow.orc", "a.read_table({old})")
_WITH_PANDAS = "import pandas as p; p.{}.to_parquet({{new}})"
_AVRO = "import polars; polars.read_avro({old}).write_parquet({new})"
_IN_R = "Export the table in R: write.csv({}, 'new.csv', row.names = FALSE)"
_LFS = FileKind("a pointer of Git LFS, not the file itself", "Fetch that: git lfs pull")
_STATA = FileKind("a Stata file (.dta)", code=_WITH_PANDAS.format("read_stata({old})"))
_CELLS = (
    "import numpy as n, scipy.sparse as s; m = s.coo_array({}); n.savetxt({{new}}, "
    'n.c_[m.row, m.col, m.data], "%d,%d,%.9g", header="user,item,value", comments="")'
)
_TRUST = "It may run code when it is loaded. If you trust it, and it holds a pandas frame"
_EXPORT = "Export the table as CSV or Parquet"
_OTHER = "Get the table itself, as CSV"
_MEMBER = "Unpack it ({}), and name a file of it"
_TAR = FileKind("a tar archive", _MEMBER.format("tar -xf {old}"))
_PAGE = FileKind("a web page (HTML), perhaps a login page", _OTHER)

# Kinds by their first bytes, with which no text begins.
_CERTAIN = {
    b"ARROW1\0\0": FileKind("an Arrow IPC file (Feather)", code=_FEATHER),
    b"\xff\xff\xff\xff": FileKind("an Arrow IPC stream", code=_STREAM),
    b"PAR1\x15": FileKind("a Parquet file", "Pass it as it is"),
    b"Obj\x01": FileKind("an Avro file", code=_AVRO),
    b"\xfd7zXZ\0": _packed("an xz file", "xz"),
    b"\x04\x22\x4d\x18": _packed("an lz4 file", "lz4"),
    b"\x02\x21\x4c\x18": _packed("an lz4 file", "lz4"),
    b"\xff\x06\0\0sNaPpY": _packed("a snappy file", "snzip"),
    b"\x89LZO\0": _packed("an lzop file", "lzop"),
    b"LZIP\x01": _packed("an lzip file", "lzip"),
    b"\x1f\x9d": _packed("a file of compress (.Z)", "gzip"),
    b"\x1f\x8b": _packed("a gzip file", "gzip"),
    b"\x28\xb5\x2f\xfd": _packed("a Zstandard file", "zstd"),
    b"7z\xbc\xaf\x27\x1c": FileKind("a 7z archive", _MEMBER.format("7z x {old}")),
    b"Rar!\x1a\x07": FileKind("a RAR archive", _MEMBER.format("unrar x {old}")),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": FileKind("an Excel workbook (.xls)", "Unpack it"),
    b"\x89HDF\r\n": FileKind("an HDF5 file", _EXPORT),
    b"CDF\x01": FileKind("a NetCDF file", _EXPORT),
    b"X\n\0\0\0": FileKind("an R file (.rds)", _IN_R.format("readRDS(...)")),
    b"\xff\xd8\xff": FileKind("a picture (JPEG)", _OTHER),
    b"\x89PNG\r\n": FileKind("a picture (PNG)", _OTHER),
    b"%PDF-": FileKind("a PDF document", _OTHER),
    b"{\\rtf": FileKind("an RTF document", _OTHER),
    b"HEADER RECORD*******LIB": FileKind("a SAS transport file (.xpt)", _EXPORT),
    b"<stata_dta>": _STATA,
    b"version https://git-lfs.github.com/spec/": _LFS,
}  # fmt: skip
# Kinds by first bytes that a text may have as well: only if a NUL follows.
_BINARY = {
    b"FEA1": FileKind("a Feather file of version 1", code=_FEATHER),
    b"ORC": FileKind("an ORC file", code=_ORC),
    b"PARE": FileKind("an encrypted Parquet file", "Write it again without encryption"),
    b"SQLite format 3": FileKind("an SQLite database", "Unpack it"),
    b"MATLAB 5.0 MAT": FileKind("a MATLAB file (.mat)", _EXPORT),
    b"RDX": FileKind("an R workspace (.RData)", _IN_R.format("...")),
    b"$FL": FileKind("an SPSS file (.sav)", _EXPORT),
}  # fmt: skip
_MATRIX = FileKind(
    "a matrix in the Matrix Market format",
    "If it is users x items",
    "import scipy.io; " + _CELLS.format("scipy.io.mmread({old})"),
    "csv",
)
_ARFF = FileKind(
    "an ARFF file",
    "Keep the rows below @data: awk 'f; tolower($1) == \"@data\" {f = 1}' {old} > new.csv",
)
_RELATION = re.compile(rb"(?i)(?:\s*%[^\n]*\n|\s*\n)*\s*@relation\s")
_STATA_OLD = re.compile(rb"[\x69-\x73][\x01\x02]\x01\x00")
_HTML = re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|meta)\b")
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DATABASE = b"SQLite format 3\0"


def table_file(path: Path, start: bytes, name: str) -> str:
    """Return "zip", "excel" or "sqlite" for files that hold one or more tables, or "".

    `start` holds its first bytes. Raises DataError for ZIP archives of another kind, such as
    documents and NumPy arrays.
    """
    if start.startswith(_DATABASE):
        return "sqlite"
    if start.startswith(_OLE):
        return "excel"
    if not start.startswith(_ZIP):
        return ""
    found = _zip(path)
    if isinstance(found, str):
        return found
    raise DataError(_refusal(name, found.what, found.way_out(name)))


def refuse_foreign(start: bytes, name: str, packed: str = "") -> None:
    """Raise DataError for a file of a kind that is not supported.

    `start` is the start of its decompressed content; `packed` the program that decompresses it.
    """
    kind = _kind(start)
    if kind is None:
        return
    what, way_out = kind.what, kind.way_out(name)
    if packed:
        what, unpacked = f"{what} in {packed}", f"{packed} -dc {shlex.quote(name)}"
        if kind is _TAR:
            way_out = f"Unpack it ({unpacked} | tar -xf -), and name a file of it."
        elif not what.startswith("an R file"):  # R unpacks it by itself
            way_out = f"Unpack it: {unpacked} > new"
    raise DataError(_refusal(name, what, way_out))


def _refusal(name: str, what: str, way_out: str) -> str:
    return f"{name}: text, Parquet or JSON lines expected, this is {what}. {way_out}"


def encoding_of(start: bytes) -> str:
    """Return the iconv name of the UTF-16 or UTF-32 encoding of a text, or "".

    Examples
    --------
    >>> encoding_of("user,item".encode("utf-16")), encoding_of("user,item".encode("utf-32-be"))
    ('UTF-16', 'UTF-32BE')
    >>> encoding_of(b"user,item"), encoding_of(bytes(range(200)))
    ('', '')
    """
    marks = {
        codecs.BOM_UTF32_LE: "UTF-32",
        codecs.BOM_UTF32_BE: "UTF-32",
        codecs.BOM_UTF16_LE: "UTF-16",
        codecs.BOM_UTF16_BE: "UTF-16",
    }
    for mark, name in marks.items():
        if start.startswith(mark) and _is_text(start, name):
            return name
    head = start[:_READ]
    # A few NULs in what is else text in UTF-8 are strays; decoded as pairs it gives odd letters.
    if b"\0" not in head or (4 * head.count(b"\0") < len(head) and _is_plain(head)):
        return ""
    named = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
    return next((name for name in named if _is_text(start, name)), "")


def is_binary(start: bytes) -> bool:
    """Return whether bytes are not text, apart from a stray NUL."""
    head = start[:_READ]
    if b"\0" not in head:
        return False
    return not _is_utf8(head) or not CONTROL.isdisjoint(head)


def _kind(start: bytes) -> FileKind | None:
    tables = [_CERTAIN] if b"\0" not in start[:_READ] else [_CERTAIN, _BINARY]
    for table in tables:
        for magic, kind in table.items():
            if start.startswith(magic):
                return kind
    return _binary(start) or _marked_up(start)


def _binary(start: bytes) -> FileKind | None:
    if start.startswith(_ZIP):
        return FileKind("a ZIP archive", "Unpack it")
    if re.match(rb"BZh[1-9]1AY&SY", start):
        return _packed("a bzip2 file", "bzip2")
    if start[8:12] == b"DUCK" and is_binary(start):
        return FileKind("a DuckDB database", _EXPORT)
    if _STATA_OLD.match(start):
        return _STATA
    if _is_tar(start):
        return _TAR
    return _of_python(start)


def _of_python(start: bytes) -> FileKind | None:
    """Recognize files of Python: arrays, pickles, compressed pickles of joblib."""
    if start.startswith(b"\x93NUMPY"):
        code = _CELLS.format("n.load({old})")
        return FileKind("a NumPy array (.npy)", "If it is users x items", code, "csv")
    if _is_pickle(start):
        return FileKind("a pickle", _TRUST, _WITH_PANDAS.format("read_pickle({old}, None)"))
    if start[:2] in (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda") and not _is_plain(start):
        try:
            inside = zlib.decompressobj().decompress(start, _READ)
        except zlib.error:
            return None
        if _is_pickle(inside):
            code = "import joblib; joblib.load({old}).to_parquet({new})"
            return FileKind("a pickle of joblib", _TRUST, code)
        return FileKind("data packed with zlib", "Unpack them first")
    return None


def _is_pickle(start: bytes) -> bool:
    if start[:1] == b"\x80":
        return start[1:2] in (b"\2", b"\3", b"\4", b"\5")
    if start[:1] not in (b"(", b"c", b"}", b"]"):
        return False
    # Protocols 0 and 1 have no mark of their own, but soon put something into memo number 0.
    try:
        for step, (operation, argument, _) in enumerate(pickletools.genops(start[:_READ])):
            if "PUT" in operation.name:
                return step > 0 and argument == 0
    except (ValueError, IndexError, OverflowError):
        return False
    return False


def _is_tar(start: bytes) -> bool:
    """Return whether the first block is a tar header, by its checksum."""
    header = start[:512]
    if len(header) < 512 or not header[0]:
        return False
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    return header[148:156].strip(b"\0 ").lstrip(b"0") == b"%o" % total


def _marked_up(start: bytes) -> FileKind | None:
    if _HTML.match(start):
        return _PAGE
    if start.startswith(b"%%MatrixMarket "):
        return _MATRIX
    if _RELATION.match(start[:_READ]):
        return _ARFF
    return FileKind("an XML file", _EXPORT) if _XML.match(start) else None


def _zip(path: Path) -> FileKind | str:
    """Return "zip" or "excel" for what is read, or the kind of another archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            kind = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return FileKind("a ZIP archive that is damaged or truncated", "Download it again")
    office = "[Content_Types].xml" in names or b"opendocument" in kind
    if office and (any(name.startswith("xl/") for name in names) or b"spreadsheet" in kind):
        return "excel"
    return FileKind("an Office document", _OTHER) if office else _of_members(names)


def _of_members(names: Sequence[str]) -> FileKind | str:
    if "indptr.npy" in names or "row.npy" in names:
        code = _CELLS.format("s.load_npz({old})")
        return FileKind("a SciPy matrix (.npz)", "If it is users x items", code, "csv")
    if names and all(name.endswith(".npy") for name in names):
        return FileKind("a file of NumPy arrays (.npz)", _EXPORT)
    if any(name.endswith("data.pkl") for name in names):
        return FileKind("a PyTorch file", _EXPORT)
    return "zip"


def _is_text(start: bytes, name: str) -> bool:
    """Return whether bytes, perhaps cut short, are text in an encoding."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(start[:_READ])
    except UnicodeDecodeError:
        return False
    return bool(text) and not any(
        one not in "\t\r\n\f\x1a" and unicodedata.category(one) in ("Cc", "Cn", "Co")
        for one in text
    )


def _is_plain(start: bytes) -> bool:
    return _is_utf8(start[:_READ]) and CONTROL.isdisjoint(start[:_READ])


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True

"""Files that hold no table as it is: named by their content, with a way out that works."""

import bz2
import gzip
import io
import pickle
import shlex
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from alsolike.data.reading.read import read
from alsolike.errors import DataError

TABLE = pa.table({"user": ["ann", "bob"], "item": ["m1", "m2"]})
TEXT = "user,item\nann,m1\nbob,m2\n"
CSV = TEXT.encode()


def written(write) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def stream(out) -> None:
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)


def old_feather(out) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyarrow.feather.write_feather(TABLE, out, version=1)


def archive(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        member = tarfile.TarInfo("likes.csv")
        member.size = len(CSV)
        tar.addfile(member, io.BytesIO(CSV))
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def message_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path, user="user", item="item")
    assert str(path) in str(caught.value)
    return str(caught.value)


PARQUET = written(lambda out: pq.write_table(TABLE, out))
FRAME = TABLE.to_pandas()
# What the file holds, what it is called, and whether the message's command leads to a table.
KINDS = {
    "Arrow stream": (written(stream), "an Arrow IPC stream", "python"),
    "Arrow file": (
        written(lambda out: pyarrow.feather.write_feather(TABLE, out)),
        "an Arrow IPC file (Feather)", "python",
    ),
    "Feather 1": (written(old_feather), "a Feather file of version 1", ""),
    "ORC": (written(lambda out: pyarrow.orc.write_table(TABLE, out)), "an ORC file", "python"),
    "Avro": (written(pl.DataFrame(TABLE.to_pydict()).write_avro), "an Avro file", "python"),
    "tar": (archive("w"), "a tar archive", ""),
    "tar.gz": (archive("w:gz"), "a tar archive in gzip", ""),
    "docx": (zipped(**{"[Content_Types].xml": b"", "word/a.xml": b""}), "an Office document", ""),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file", ""),
    **{
        f"pickle {protocol}": (pickle.dumps(FRAME, protocol), "a pickle. It may run code", "python")
        for protocol in range(6)
    },
    **{
        f"pickled dict {protocol}": (pickle.dumps(TABLE.to_pydict(), protocol), "a pickle", "")
        for protocol in range(6)
    },
    "pickle.gz": (gzip.compress(pickle.dumps(FRAME)), "a pickle in gzip", ""),
    "joblib": (zlib.compress(pickle.dumps(FRAME)), "a pickle of joblib", ""),
    "npy": (written(lambda out: np.save(out, np.eye(2))), "a NumPy array (.npy)", "python"),
    "npz": (written(lambda out: np.savez(out, a=np.eye(2))), "a file of NumPy arrays (.npz)", ""),
    "sparse": (
        written(lambda out: sp.save_npz(out, sp.csr_array(np.eye(2)))), "a SciPy matrix", "python",
    ),
    "rds": (gzip.compress(b"X\n\0\0\0\3" + bytes(40)), "an R file (.rds) in gzip", ""),
    "sav": (b"$FL2@(#) SPSS DATA FILE" + bytes(40), "an SPSS file", ""),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF document", ""),
    "page": (b"\n<!DOCTYPE html>\n<html><body>Log in</body></html>", "a web page", ""),
    "bzip2 in gzip": (gzip.compress(bz2.compress(CSV)), "a bzip2 file in gzip", "shell"),
    "gzip twice": (gzip.compress(gzip.compress(CSV)), "a gzip file in gzip", "shell"),
    "Parquet in gzip": (gzip.compress(PARQUET), "a Parquet file in gzip", "shell"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(30), "a 7z archive", ""),
    "lz4": (pa.compress(CSV, codec="lz4", asbytes=True), "an lz4 file", ""),
    "snappy": (b"\xff\x06\0\0sNaPpY" + bytes(30), "a snappy file", ""),
    "tar.zst": (pa.compress(archive("w"), codec="zstd", asbytes=True), "a tar archive in zstd", ""),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "of Git LFS", ""),
    "noise": (np.random.default_rng(0).bytes(3000), "bytes of another kind of file", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_files_are_told_by_their_content(name, tmp_path):
    content, told, way_out = KINDS[name]
    endings = (
        ["csv", "bin"] if "gzip" in told or "zstd" in told else ["csv", "parquet", "csv.gz", "bin"]
    )
    for ending in endings:
        path = tmp_path / f"my likes.{ending}"
        path.write_bytes(content)
        message = message_of(path)
        assert told in message, message
        assert "UTF-16" not in message
        assert "NUL" not in message
    if way_out:
        follow(message, way_out, tmp_path)


def follow(message: str, how: str, folder: Path) -> None:
    """Run the message's command as somebody would, and read what it makes."""
    if how == "python":
        words = shlex.split(message[message.index("python -c ") :])
        command = [sys.executable, *words[1:]]
    else:
        command = ["sh", "-c", message[message.index(": ", message.index("Unpack")) + 2 :]]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    [new] = folder.glob("new*")
    found, _ = read(new, user="user", item="item")
    assert list(found.users) in (["ann", "bob"], ["0", "1"])


def test_databases_are_told(tmp_path):
    duckdb.connect(str(tmp_path / "likes.duckdb")).close()
    assert "a DuckDB database" in message_of(tmp_path / "likes.duckdb")


@pytest.mark.parametrize(
    "name",
    ["ORCID", "FEA1", "PARENT", "PAR1", "PK", "BZh", "LZIP", "customer", "(user)", "}u", "x^"],
)
def test_texts_that_begin_like_another_kind_are_read(name, tmp_path):
    path = tmp_path / "likes.csv"
    path.write_text(f"{name},item,DUCK\nann,m1,p0\nbob,m2,p1\n")
    found, _ = read(path, user=name, item="item")
    assert list(found.users) == ["ann", "bob"]


def test_a_stray_nul_stays_one(tmp_path):
    path = tmp_path / "likes.csv"
    path.write_bytes(b"user,item\nann,m\x001\n" + b"bob,m2\n" * 9)
    assert "line 2: a NUL character" in message_of(path)

"""Writes a large table to one Parquet file, part by part."""

import itertools
import os
from collections.abc import Iterable

from alsolike.storage.atomic import copy_rows, write_table
from alsolike.storage.cleanup import scratch_folder
from alsolike.tables import Table


def write_parts(path: str | os.PathLike[str], parts: Iterable[Table]) -> None:
    """Write tables with the same columns as one Parquet file; one at a time is in memory.

    They are files in the temporary folder until all are made. Equal parts give equal bytes, and a
    single one those of `alsolike.storage.atomic.write_table`.
    """
    tables = iter(parts)
    first, second = next(tables), next(tables, None)
    if second is None:
        write_table(path, first)
        return
    import duckdb  # noqa: PLC0415 - half of the time that importing alsolike may take

    with scratch_folder() as scratch:
        files: list[str] = []
        for table in itertools.chain((first, second), tables):
            files.append(str(scratch / f"part-{len(files)}.parquet"))
            write_table(files[-1], table)
        with duckdb.connect(config={"threads": 1}) as connection:
            listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
            copy_rows(
                connection,
                f"SELECT * FROM read_parquet([{listed}])",  # noqa: S608 - own names
                path,
                "FORMAT parquet, COMPRESSION zstd",
            )

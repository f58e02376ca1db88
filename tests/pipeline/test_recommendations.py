"""The recommendations of all users are written in parts, and are those of `recommend`."""

from pathlib import Path

import duckdb
import pytest

import alsolike as al
from alsolike.data.datasets.synthetic import synthetic
from alsolike.models.base import FittedModel
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.pipeline.recommendations import recommended_in_parts
from alsolike.storage.atomic import write_table
from alsolike.storage.table_parts import write_parts


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return fit_popularity(synthetic(50, 20, 200))


def test_parts_together_are_all_lists(model: FittedModel, tmp_path: Path) -> None:
    whole = al.recommend(model, k=3)
    parts = list(recommended_in_parts(model, k=3, users=20))
    assert len(parts) == 3
    assert [row for part in parts for row in part.rows()] == list(whole.rows())
    write_parts(tmp_path / "parts.parquet", parts)
    write_table(tmp_path / "whole.parquet", whole)
    read = [
        duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        for path in (tmp_path / "parts.parquet", tmp_path / "whole.parquet")
    ]
    assert read[0].description == read[1].description
    assert read[0].fetchall() == read[1].fetchall()


def test_a_single_part_is_written_as_any_table(model: FittedModel, tmp_path: Path) -> None:
    write_parts(tmp_path / "part.parquet", recommended_in_parts(model, k=3))
    write_table(tmp_path / "whole.parquet", al.recommend(model, k=3))
    same = [(tmp_path / f"{name}.parquet").read_bytes() for name in ("part", "whole")]
    assert same[0] == same[1]

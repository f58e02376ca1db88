"""A family from outside that scores items for users, and does nothing else, is run and served."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import alsolike as al
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.family import Known
from alsolike.models.registry import FAMILIES
from alsolike.pipeline.run import run_job
from alsolike.pipeline.similar_items.report import NotCompared
from alsolike.testing import tiny_likes
from alsolike.tuning.options import Searching
from serving import client_of, settings_of
from toy_family import CoCountsConfig, CoCountsFamily, CoCountsModel

LIKES = tiny_likes(60, 40)


@dataclass(frozen=True, kw_only=True)
class SilentConfig(CoCountsConfig):
    family: ClassVar[str] = "silent"


class SilentModel(CoCountsModel):
    name: ClassVar[str] = "silent"
    item_scores = None  # type: ignore[assignment]
    contributions = None  # type: ignore[assignment]


class SilentFamily(CoCountsFamily):
    name: ClassVar[str] = "silent"
    config: ClassVar[type[Any]] = SilentConfig
    model: ClassVar[type[FittedModel]] = SilentModel

    def iterate(self, *given: Any, **named: Any) -> Iterator[FittedModel]:
        for made in super().iterate(*given, **named):
            yield SilentModel(**{one.name: getattr(made, one.name) for one in fields(SilentModel)})

    def search_space(self, data: Any, *, seed: int = 0) -> list[SilentConfig]:
        return [SilentConfig()]

    def unpack(self, arrays: BundleArrays, known: Known) -> SilentModel:
        n = len(known.items)
        counts = arrays.matrix("together", np.float64, n, n)
        return SilentModel(**known.of_history(SilentConfig), together=counts)


@pytest.fixture
def silent() -> Iterator[None]:
    FAMILIES.append(SilentFamily())
    yield
    FAMILIES.pop()


@pytest.mark.usefixtures("silent")
def test_a_run_publishes_what_has_no_similar_items(tmp_path: Path) -> None:
    job = al.Job(
        source=LIKES.user_items,
        out=tmp_path / "out",
        search=Searching(families=["silent"]),
        held_out=2,
        k=5,
        min_per_user=1,
        min_per_item=1,
    )
    outcome = run_job(job)
    assert isinstance(outcome.model, SilentModel)
    assert isinstance(outcome.compared, NotCompared)
    assert str(outcome.compared) in outcome.warnings()
    assert not (tmp_path / "out" / "similar").exists()
    assert not len(outcome.similar_items)
    assert len(outcome.recommendations)
    told = "silent only scores items for users: there are no similar items"
    assert any(told in one for one in outcome.warnings())
    assert told in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "similar_items.parquet").exists()
    assert isinstance(al.load(tmp_path / "out" / "model"), SilentModel)


@pytest.mark.usefixtures("silent")
def test_no_page_says_that_scores_are_sums_where_they_are_not_explained(tmp_path: Path) -> None:
    said = "The score is the sum of the contributions of each like."
    user = LIKES.users.id_of(1)
    for family, is_said in (("silent", False), ("item-knn", True)):
        al.save(al.fit(LIKES, family=family), tmp_path / family)
        with client_of(settings_of(tmp_path / f"state of {family}", tmp_path / family)) as client:
            page = client.get(f"/users/{user}")
            assert page.status_code == 200
            assert (said in page.text) == is_said

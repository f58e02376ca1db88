"""A family from outside, and a model made of models, go all the way; only `FAMILIES` knows them."""

import pytest

import alsolike as al
from alsolike.models.registry import FAMILIES
from alsolike.testing import CONTRACT, tiny_likes
from toy_blend import BlendConfig, BlendFamily
from toy_family import CoCountsConfig, CoCountsFamily

LIKES = tiny_likes(60, 40)


@pytest.fixture(params=[CoCountsFamily, BlendFamily], ids=["co-counts", "blend"])
def family(request):
    one = request.param()
    FAMILIES.append(one)
    yield one
    FAMILIES.remove(one)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_it_keeps_to_the_contract(family, check):
    check(lambda likes: al.fit(likes, family=family.name))

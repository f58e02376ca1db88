"""Defines the query parameters of lists."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from alsolike.models.similarity.config import Affinity
from alsolike.recommending.features.aspects import By
from alsolike.recommending.features.comparing import WEIGHT
from alsolike.recommending.shared import MIN_COUNT
from alsolike.recommending.unknown import fallback
from alsolike.web.api import schemas
from alsolike.web.api.fast_path import DEFAULT_K
from alsolike.web.api.id_types import IdText
from alsolike.web.api.rules import RulesQuery

K = Annotated[int, Query(ge=1, description="length of the list")]
MinCount = Annotated[int, Query(ge=0, le=2**31, description="minimum likes of a listed item")]
PopularityBias = Annotated[
    float | None,
    Query(ge=0, le=1, description=f"{schemas.DIAL}; without it, the model's own, see affinity"),
]
WantedAffinity = Annotated[
    Affinity | None,
    Query(description="how items are compared; without it, as the model is set to"),
]
WantedBy = Annotated[
    By,
    Query(
        max_length=200,
        description="compare items by likes, as the model does; by features, all of them; by the "
        "name of a block of features, such as tags, or pictures for vectors; or by several with "
        "commas, such as likes,pictures; both is likes,features. All but likes list new items, "
        "too",
    ),
]
FeatureWeight = Annotated[
    float,
    Query(ge=0, le=1, description="weight of features, where items are compared by likes, too"),
]
Slot = Annotated[
    str | None,
    Query(alias="model", max_length=64, description="model name, or popularity"),
]
Ids = list[IdText] | None
Allowed = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="only these ids; repeatable")
]
Denied = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="never these ids; repeatable")
]
WithoutLikes = Annotated[
    fallback.WithoutLikes,
    Query(description="for users without known likes: the most liked items, or an empty list"),
]
ForUnknown = Annotated[
    fallback.Fallback,
    Query(
        description="for a user who is not in the model and has no live likes: the most liked "
        "items, an empty list, or the error 404; the answer's fallback says which"
    ),
]
ExcludeSeen = Annotated[bool, Query(description="leave out items that the user already likes")]


@dataclass(frozen=True)
class _Filters(RulesQuery):
    """Parameters of all lists."""

    slot: Slot = None
    allow: Allowed = None
    deny: Denied = None


@dataclass(frozen=True)
class _SimilarQuery(_Filters):
    k: K = DEFAULT_K
    min_count: MinCount = MIN_COUNT
    popularity_bias: PopularityBias = None
    affinity: WantedAffinity = None
    by: WantedBy = "likes"
    feature_weight: FeatureWeight = WEIGHT


@dataclass(frozen=True)
class _ListQuery(_Filters):
    k: K = DEFAULT_K


@dataclass(frozen=True)
class _RecommendedQuery(_Filters):
    k: K = 10
    exclude_seen: ExcludeSeen = True
    without_likes: WithoutLikes = "popular"
    fallback: ForUnknown = "error"


SimilarQuery = Annotated[_SimilarQuery, Depends()]
ListQuery = Annotated[_ListQuery, Depends()]
RecommendedQuery = Annotated[_RecommendedQuery, Depends()]

"""Defines the request and response bodies of the API, for validation and OpenAPI."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from alsolike.models.base import Basis
from alsolike.models.similarity.config import FEW_LIKES, Affinity
from alsolike.recommending.shared import MIN_COUNT
from alsolike.recommending.unknown.fallback import ForUnknown, WithoutLikes
from alsolike.web.api.id_types import AnsweredId, OutsideId
from alsolike.web.api.rules import NOTE, RulesFields
from alsolike.web.api.schema_bases import Answer, Taken

PREFERENCE = (
    "a predicted preference: models with factors aim at 1 for liked items and 0 for the rest, "
    "other models have their own scale; it may be above 1 or below 0 and is not a probability, so "
    "compare only scores of the same user and model"
)
SIMILARITY = (
    "for a similar item, its similarity, as scale says, comparable within a list and not a "
    "probability"
)
DIAL = "the dial of similar items, from 0 (specific) to 1 (popular)"
NEW = Field(
    False, description="whether it was added by its features, without a like in the training data"
)
MOST_LIKES = 1_000
MOST_IDS = 1_000


class Like(Taken):
    """One like."""

    item: OutsideId
    value: FiniteFloat = Field(
        1.0, strict=True, ge=-1e9, le=1e9, description="a number, as in the training data"
    )


class Likes(Taken):
    """Likes of one user."""

    likes: list[Like] = Field(min_length=1, max_length=MOST_LIKES)


class Wish(Taken, RulesFields):
    """Likes, and options of the recommendations for them."""

    likes: list[Like] = Field(max_length=MOST_LIKES, description="may be empty; see without_likes")
    k: int = Field(10, ge=1, description="length of the list")
    allow: list[OutsideId] | None = Field(None, max_length=MOST_IDS, description="only these items")
    deny: list[OutsideId] | None = Field(None, max_length=MOST_IDS, description="never these items")
    exclude_seen: bool = Field(True, description="leave out items already liked")
    without_likes: WithoutLikes = Field(
        "popular",
        description="list if no value is above zero: the most liked items, or empty",
    )


class Basket(Taken, RulesFields):
    """A set of items, and options of the items similar to it."""

    items: list[OutsideId] = Field(
        min_length=1, max_length=MOST_IDS, description="distinct ids, in any order"
    )
    k: int = Field(10, ge=1, description="length of the list")
    min_count: int = Field(MIN_COUNT, ge=0, le=2**31, description="minimum likes of a listed item")
    popularity_bias: float | None = Field(
        None, strict=True, ge=0, le=1, description=f"{DIAL}; null: the model's own"
    )
    affinity: Affinity | None = Field(
        None, description="how items are compared; null: as the model is set to"
    )
    allow: list[OutsideId] | None = Field(None, max_length=MOST_IDS, description="only these items")
    deny: list[OutsideId] | None = Field(None, max_length=MOST_IDS, description="never these items")


class Swap(Taken):
    """Slot and bundle of a swap."""

    model: str | None = Field(None, max_length=64, description="slot; by default the first")
    bundle: str | None = Field(
        None, max_length=255, description="name of a folder; by default the slot's own folder"
    )


class Item(BaseModel):
    """One item."""

    item: AnsweredId
    name: str | None
    likes: int
    new: bool = NEW
    image: str | None = None
    link: str | None = None


class Ranked(BaseModel):
    """Entry of a list."""

    rank: int
    item: AnsweredId
    name: str | None
    likes: int
    new: bool = NEW
    score: float = Field(
        description=f"for a recommendation, {PREFERENCE}; {SIMILARITY}; for items listed by "
        "popularity, the number of likes"
    )


class Suggested(Ranked):
    """Entry of a list of recommendations."""

    model_config = ConfigDict(title="Ranked")  # the name for generated clients

    basis: Basis = Field(
        description="how this item was found: by the model, or by popularity, which fills a list "
        "if the model finds too few items"
    )


class ItemAnswer(Answer, Item):
    """One item."""


class Found(Answer):
    """Items matching a text, best match first."""

    items: list[Item]


class Founded(Answer):
    """What similar items rest on."""

    likes: int = Field(description="likes of the item, or of all items of the set together")
    weakly_founded: bool = Field(
        description=f"whether these likes are at most {FEW_LIKES}: the list is then mostly what "
        "the model expects of so few users"
    )
    affinity: str | None = Field(
        description="how the items were compared: by evidence (likes in common, and what the model "
        "expects), audience (what the model expects), counts (likes in common), cosine or dot (of "
        "factors); null for a model with scores of its own, and for popularity"
    )
    popularity_bias: float | None = Field(description=f"{DIAL}; null for a list without a dial")
    scale: str = Field(description="what the similarity is, in words")
    counts_as_of: str = Field(
        description="time of the newest like that counts, in UTC; if the training likes have no "
        "times, when the service took the model in. Live likes do not change similar items"
    )


class Similar(Founded):
    """Similar items, the most similar first."""

    item: AnsweredId
    similar: list[Ranked]
    note: str | None = NOTE


class SimilarToSet(Founded):
    """Items similar to a set of items, the most similar first."""

    items: list[AnsweredId]
    similar: list[Ranked]
    note: str | None = NOTE


class Recommended(Answer):
    """Recommendations, the best first."""

    user: AnsweredId | None
    basis: Basis = Field(
        description="basis of the first item: the model's scores, or popularity if no like is "
        "known; each score is then the number of likes"
    )
    fallback: ForUnknown | None = Field(
        None,
        description="null for a personal list; else the user is not in the model and has no like "
        "that counts, and the list is the most liked items (popular) or empty (none), as asked for",
    )
    recommendations: list[Suggested]
    training_likes: int | None = Field(
        description="likes of this user in the training data; null if the model was saved without "
        "its history: they can be neither counted nor left out"
    )
    live_likes: int = Field(description="live likes that count")
    ignored_likes: int = Field(
        description="live likes that do not count: of items unknown to this model, or all if it "
        "cannot use likes after its training"
    )
    note: str | None = NOTE


class Kept(Answer):
    """Result of storing likes."""

    user: AnsweredId
    kept: int = Field(description="likes of this request now on disk")
    unknown_items: list[AnsweredId] = Field(
        description="items of these that this model does not know: stored for the next model"
    )
    hints: list[str] = Field(
        description="for people: likely ids, if one of the first ten unknown items is a name or "
        "almost an id"
    )
    live_likes: int = Field(description="all live likes that count with this model")
    ignored_likes: int = Field(description="all live likes that do not count")


class TakenBack(Answer):
    """Result of removing a like."""

    user: AnsweredId
    item: AnsweredId
    taken_back: bool = Field(
        description="false if there was no such like, for example after an earlier request"
    )
    in_training: bool | None = Field(
        description="whether this model was trained on that like, so that its training value "
        "counts again; null if the model was saved without its history"
    )
    live_likes: int = Field(description="remaining live likes that count")
    ignored_likes: int = Field(description="remaining live likes that do not count")


class Part(BaseModel):
    """Contribution of one like to a score."""

    item: AnsweredId
    name: str | None
    value: float
    contribution: float
    members: dict[str, float] | None = Field(
        description="of a model made of models, what each of them adds; else null"
    )


class FeaturePart(BaseModel):
    """Contribution of one feature of the item, such as a tag, to a score."""

    feature: str
    contribution: float


class Explained(Answer):
    """Explanation of a recommendation; the contributions and `by_item` add up to the score."""

    user: AnsweredId
    item: AnsweredId
    basis: Basis = Field(
        description="popularity if no like is known: the score is then the number of likes, "
        "without contributions"
    )
    score: float = Field(description=PREFERENCE)
    parts: list[Part]
    by_item: float = Field(
        0.0,
        description="of a model of ratings, the part of the score that anybody gets: the mean and "
        "the item's bias",
    )
    features: list[FeaturePart] = Field(
        [], description="of a model that explains by features, those that add most to the score"
    )


class Neighbourhood(Founded):
    """Explanation of why an item is similar to another."""

    item: AnsweredId
    other: AnsweredId
    cosine: float = Field(
        description="cosine of the items' factors, from -1 to 1, for a model with factors, else "
        "the same as similarity; not a probability"
    )
    similarity: float = Field(
        description="score of the other among the items similar to the item; 0: not listed"
    )
    likes_of_other: int
    shared: int | None = Field(
        description="users who like both; null without history, and for one or two users, who are "
        "not counted out"
    )
    expected: float | None = Field(
        description="how many of the item's likers the model expects to like the other; null for "
        "a model without factors, and without history"
    )
    by_popularity: float | None = Field(
        description="how many of as many users would like the other, whoever they are; null "
        "without history"
    )
    sentence: str = Field(description="these numbers in words")


class Facts(BaseModel):
    """Facts about a model."""

    name: str
    version: str
    fingerprint: str | None
    users: int
    items: int
    family: str = Field(description="family of the model")
    factors: int = Field(description="0 if the model has none")
    metrics: dict[str, Any]
    settings: dict[str, Any]
    similarity: dict[str, Any] = Field(
        description="settings of similar items: affinity, popularity_bias, prior_strength; empty "
        "for a model without the dial"
    )
    affinities: list[str] = Field(description="affinities that can be asked for")


class ModelFacts(Facts):
    """Model of a slot."""

    similar: Facts | None = Field(
        description="the model that similar items are of, if that is another one"
    )


class Models(BaseModel):
    """Served models, the default first."""

    models: list[ModelFacts]


class SwapAnswer(BaseModel):
    """Result of a swap."""

    name: str
    version: str
    before: str | None
    seconds: float
    similar: str | None = Field(
        description="version of the model for similar items, if that is another one"
    )
    similar_before: str | None = Field(description="former version of that, if there was one")
    new_items: int = Field(description="items sent to the slot that the model took over")
    new_items_left: list[str] = Field(description="those that it cannot take; they stay stored")
    why_left: str | None = Field(description="why the first of these cannot be taken")


class Health(BaseModel):
    """Readiness of the service."""

    ready: bool
    models: dict[str, str] = Field(description="versions by slot")
    similar: dict[str, str] = Field(
        description="versions of the models for similar items, where a slot has another one"
    )
    failures: dict[str, str]

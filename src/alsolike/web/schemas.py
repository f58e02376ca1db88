"""What the API takes and gives, as OpenAPI states it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from alsolike.recommending.fallback import Basis, WithoutLikes

MOST_OF_AN_ID = 16_384
MOST_LIKES = 1_000
MOST_IDS = 1_000
NO_NUL = r"^[^\x00]*$"

OutsideId = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_OF_AN_ID, pattern=NO_NUL)
]


class Taken(BaseModel):
    """What a client sends; anything unknown in it is an error."""

    model_config = ConfigDict(extra="forbid")


class Like(Taken):
    """One like."""

    item: OutsideId
    value: FiniteFloat = Field(
        1.0, strict=True, ge=-1e9, le=1e9, description="a number, as in the training data"
    )


class Likes(Taken):
    """Likes of one user."""

    likes: list[Like] = Field(min_length=1, max_length=MOST_LIKES)


class Wish(Taken):
    """Somebody's likes, and what to recommend for them."""

    likes: list[Like] = Field(min_length=1, max_length=MOST_LIKES)
    k: int = Field(10, ge=1, description="length of the list")
    allow: list[OutsideId] | None = Field(None, max_length=MOST_IDS, description="only these items")
    deny: list[OutsideId] | None = Field(
        None, max_length=MOST_IDS, description="none of these items"
    )
    exclude_seen: bool = Field(True, description="leave out what is liked already")
    without_likes: WithoutLikes = Field(
        "popular",
        description="what is listed where no value is above zero: the most liked items, or none",
    )


class Swap(Taken):
    """Which slot is to take which bundle."""

    model: str | None = Field(None, max_length=64, description="slot; the default where left out")
    bundle: str | None = Field(
        None, max_length=255, description="a folder's name; left out: the slot's own folder again"
    )


class Fault(BaseModel):
    """What is wrong."""

    code: str
    message: str
    field: str | None = None


class Refused(BaseModel):
    """The answer to what cannot be answered."""

    error: Fault


class Source(BaseModel):
    """Which model answered."""

    name: str
    version: str


class Answer(BaseModel):
    """What every answer carries."""

    model: Source


class Item(BaseModel):
    """One item."""

    item: str
    name: str | None
    likes: int
    image: str | None = None
    link: str | None = None


class Ranked(BaseModel):
    """One place of a list."""

    rank: int
    item: str
    name: str | None
    likes: int
    score: float


class ItemAnswer(Answer, Item):
    """One item."""


class Found(Answer):
    """Items that a text may mean, the likeliest first."""

    items: list[Item]


class Similar(Answer):
    """Similar items, the most similar first."""

    item: str
    similar: list[Ranked]


class Recommended(Answer):
    """Recommendations, the best first."""

    user: str | None
    basis: Basis = Field(
        description="how the items were found: by the scores of the model, or by popularity, where "
        "it knows no like to go by; each score is then how many like the item"
    )
    recommendations: list[Ranked]
    training_likes: int | None = Field(
        description="in the training data, of this user; null where the model was saved without "
        "its history, so that they are neither counted nor left out"
    )
    live_likes: int = Field(description="told to the service, and counted here")
    ignored_likes: int = Field(description="of items that this model does not know")


class Kept(Answer):
    """What was kept."""

    user: str
    kept: int
    live_likes: int


class Part(BaseModel):
    """What one like adds to a score."""

    item: str
    name: str | None
    value: float
    contribution: float


class Explained(Answer):
    """Why an item is recommended; the contributions add up to the score."""

    user: str
    item: str
    basis: Basis = Field(
        description="popularity where the model knows no like to go by: the score is then how many "
        "like the item, and has no parts"
    )
    score: float
    parts: list[Part]


class Neighbourhood(Answer):
    """Why two items are neighbours."""

    item: str
    other: str
    cosine: float
    likes: int
    likes_of_other: int
    shared: int | None = Field(description="users who like both; null without a history")
    sentence: str


class ModelFacts(BaseModel):
    """What a slot serves."""

    name: str
    version: str
    fingerprint: str | None
    users: int
    items: int
    factors: int
    metrics: dict[str, Any]
    settings: dict[str, Any]


class Models(BaseModel):
    """What the service serves, the default first."""

    models: list[ModelFacts]


class SwapAnswer(BaseModel):
    """What a swap did."""

    name: str
    version: str
    before: str | None
    seconds: float


class Health(BaseModel):
    """Whether the service can answer."""

    ready: bool
    models: dict[str, str]
    failures: dict[str, str]


def told(kind: type[BaseModel], **fields: Any) -> bytes:
    """Return an answer as JSON."""
    return kind.model_validate(fields).model_dump_json().encode("utf-8")


# What every route may answer instead.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused}
    for status in (400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 422, 429, 500, 503)
}

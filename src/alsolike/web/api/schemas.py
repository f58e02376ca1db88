"""What the API takes and gives, as OpenAPI states it."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from alsolike.models.base import Basis
from alsolike.recommending.fallback import WithoutLikes
from alsolike.suggestions import did_you_mean

# What a score of a recommendation is: said wherever one is given.
PREFERENCE = (
    "a predicted preference: a model with factors aims at 1 for what the user likes and at 0 for "
    "the rest, others have scales of their own; it may be above 1 or below 0 and is no "
    "probability, so compare scores of one user and one model only"
)
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

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        """Name what is unknown before what is missing: the one is often the other, misspelt."""
        known = sorted(cls.model_fields)
        for name in given if isinstance(given, dict) else ():
            if name not in known:
                raise ValueError(
                    f"{name[:60]!r} is no part of {cls.__name__}.{did_you_mean(name, known)} "
                    f"It takes: {', '.join(known)}"
                )
        return given


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

    likes: list[Like] = Field(
        max_length=MOST_LIKES, description="may be empty; see without_likes for what is listed then"
    )
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

    code: str = Field(
        description="for programs; model_unable: this kind of model cannot do what is asked, and "
        "another one that is served may"
    )
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
    score: float = Field(
        description=f"of a recommendation, {PREFERENCE}; of a similar item, the cosine, from -1 to "
        "1, or where the model has no factors its own similarity; of what is listed by "
        "popularity, how many like it"
    )


class Suggested(Ranked):
    """One place of a list of recommendations."""

    model_config = ConfigDict(title="Ranked")  # what it is, to clients made from the description

    basis: Basis = Field(
        description="how this item was found: by the model, or by popularity, which fills a list "
        "where the model has no reason for more"
    )


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
        description="how the first of the items was found: by the scores of the model, or by "
        "popularity, where it knows no like to go by; each score is then how many like the item"
    )
    recommendations: list[Suggested]
    training_likes: int | None = Field(
        description="in the training data, of this user; null where the model was saved without "
        "its history, so that they are neither counted nor left out"
    )
    live_likes: int = Field(description="told to the service, and counted here")
    ignored_likes: int = Field(
        description="told to the service, and not counted: of items that this model does not know, "
        "or all of them where it takes in no likes after its training"
    )


class Kept(Answer):
    """What was kept."""

    user: str
    kept: int = Field(description="likes of this request that are on disk now")
    unknown_items: list[str] = Field(
        description="those of them that this model does not know: kept for the next one, and "
        "counted by any model that knows them"
    )
    hints: list[str] = Field(
        description="for people: where an unknown one of the first ten is the name of an item, or "
        "nearly an id, which ids may be meant"
    )
    live_likes: int = Field(description="all that the service was told and this model counts")
    ignored_likes: int = Field(description="all that this model does not count")


class TakenBack(Answer):
    """What became of a like that was to be taken back."""

    user: str
    item: str
    taken_back: bool = Field(
        description="false where the service had no such like, such as after an earlier request"
    )
    in_training: bool | None = Field(
        description="whether this model was trained on that like, so that the value of the "
        "training data counts again; null where the model was saved without its history"
    )
    live_likes: int = Field(description="all that are left and this model counts")
    ignored_likes: int = Field(description="all that are left and it does not count")


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
    score: float = Field(description=PREFERENCE)
    parts: list[Part]


class Neighbourhood(Answer):
    """Why two items are neighbours."""

    item: str
    other: str
    cosine: float = Field(
        description="how similar they are: the cosine, from -1 to 1, of a model with factors, and "
        "else the same as similarity; no probability"
    )
    similarity: float = Field(description="how similar they are in the eyes of the model")
    scale: str = Field(description="what that number is, in words")
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
    family: str = Field(description="which kind of model it is")
    factors: int = Field(description="0 of a model without any")
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

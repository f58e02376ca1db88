"""Renders the page of features such as tags: a search for them, and the items that fit some."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import SettingError, Unable, UnknownId
from alsolike.views.page import clean
from alsolike.web.pages.base import (
    missing,
    model_links,
    page,
    query_of,
    requested_model,
    with_model,
)
from alsolike.web.pages.rules import form_of, given_rules, rules_in, with_parameters
from alsolike.web.serving import feature_queries
from alsolike.web.serving.feature_queries import Feature
from alsolike.web.serving.item_cards import ItemCard, card_of
from alsolike.web.serving.queries import Ranking
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import score_text
from alsolike.web.templating import below

_LISTED = 60  # features
_ITEMS = 24
_MOST_WANTED = 20
_LONGEST = 60  # characters of a name


@dataclass(frozen=True)
class FeatureLink:
    """A feature on a page: its cleaned name, how many items have it, and a page of those."""

    name: str
    items: int
    address: str


@dataclass(frozen=True)
class Fitting:
    """An item that fits, with its printed score."""

    card: ItemCard
    score: str


def address_of(features: Sequence[str], model: str | None = None) -> str:
    """Return the address of the page of features.

    Examples
    --------
    >>> address_of(["tag: castle"])
    '/features?feature=tag%3A+castle'
    """
    pairs = [("feature", one) for one in features]
    address = below(f"/features?{urlencode(pairs)}" if pairs else "/features")
    return with_model(model, address)


def links_to(features: Sequence[Feature], model: str | None = None) -> list[FeatureLink]:
    """Return links to the pages of features."""
    return [
        FeatureLink(
            clean(one.name, most=_LONGEST) or one.label, one.items, address_of([one.label], model)
        )
        for one in features
    ]


def features(request: Request) -> Response:
    """Show the items that fit the features in the address; without any, a search for them."""
    served, model = requested_model(request), request.query_params.get("model")
    if not served.has_item_features:
        why = f"Model {served.name} knows no features of items, such as tags."
        return missing(request, "list of features", why)
    wanted = [one for one in request.query_params.getlist("feature") if one][:_MOST_WANTED]
    if not wanted:
        return _search(request, served, model)
    try:
        columns = feature_queries.wanted_columns(served, wanted)
    except UnknownId as error:
        return missing(request, "feature", clean(str(error)))
    labels = [feature_queries.feature_at(served, int(one)).label for one in columns]
    rules, note, fault = given_rules(request), "", ""
    found: Ranking = []
    try:
        allowed = None if rules is None else rules.of(served.model)
        found = feature_queries.items_for(served, columns, _ITEMS, allowed)
        note = "" if allowed is None else allowed.shortfall(_ITEMS, len(found))
    except (SettingError, UnknownId, Unable) as error:
        fault = clean(str(error))
    chosen = [feature_queries.feature_at(served, int(one)) for one in columns]
    carried = [("feature", one) for one in labels] + ([("model", model)] if model else [])
    return page(
        request,
        "feature.html",
        chosen=links_to(chosen, model),
        without=[
            address_of([other for other in labels if other != label], model) for label in labels
        ],
        items=[Fitting(card_of(served, row), score_text(score, None)) for row, score in found],
        fault=fault,
        note=note,
        rules=form_of(request, served.model, below("/features"), carried),
        search=with_model(model, below("/features")),
        model=model,
        slot=served.name,
        models=model_links(request, with_parameters(address_of(labels), rules_in(request))),
    )


def _search(request: Request, served: ServedModel, model: str | None) -> Response:
    query = query_of(request)
    found = feature_queries.find_features(served, query, _LISTED)
    known, _ = feature_queries.known_features(served)
    return page(
        request,
        "features.html",
        query=clean(query),
        found=links_to(found, model),
        n_features=known.n_features,
        model=model,
        slot=served.name,
        models=model_links(request, below("/features")),
    )


def of_item(served: ServedModel, row: int, model: str | None) -> list[FeatureLink]:
    """Return links to the features of an item."""
    return links_to(feature_queries.features_of(served, row), model)


def suggested_for(served: ServedModel, row: int, most: int, model: str | None) -> list[FeatureLink]:
    """Return links to features that an item may be lacking."""
    if not served.has_item_features:
        return []
    found = feature_queries.suggested(served, row, most)
    return links_to([one for one, _ in found], model)
